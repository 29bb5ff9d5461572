/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which tool is asked, in which order, and what the host hears of it. */

#include "agent/bench.h"

#define SHUTDOWN(mode) "{\"execute\": \"guest-shutdown\", \"arguments\": {\"mode\": \"" mode "\"}}"
#define SUSPEND(how)   "{\"execute\": \"guest-suspend-" how "\"}"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void test_shutdown(Bench *bench, gconstpointer data)
{
    bench->tools = "poweroff halt reboot shutdown ";
    bench_check(bench, "{\"execute\": \"guest-shutdown\"}", "");
    bench_check(bench, SHUTDOWN("powerdown"), "");
    bench_check(bench, SHUTDOWN("halt"), "");
    bench_check(bench, SHUTDOWN("reboot"), "");
    bench_check_log(bench, "run poweroff, run poweroff, run halt, run reboot");
}

static void test_shutdown_by_shutdown(Bench *bench, gconstpointer data)
{
    bench->tools = "shutdown ";
    bench_check(bench, SHUTDOWN("powerdown"), "");
    bench_check_log(bench, "run shutdown -h -P +0 hypervisor initiated shutdown");
    bench_check(bench, SHUTDOWN("halt"), "");
    bench_check_log(bench, "run shutdown -h -H +0 hypervisor initiated shutdown");
    bench_check(bench, SHUTDOWN("reboot"), "");
    bench_check_log(bench, "run shutdown -h -r +0 hypervisor initiated shutdown");
}

static void test_shutdown_fails(Bench *bench, gconstpointer data)
{
    bench_check_error(bench, SHUTDOWN("explode"),
                      "mode is invalid (valid values are: halt|powerdown|reboot)");
    bench_check_log(bench, "");
    bench->tools = "halt ";
    bench->status = 5;
    bench_check_error(bench, SHUTDOWN("halt"),
                      "child process has failed to shutdown, exit status 5");
    bench->output = "no permission";
    bench_check_error(bench, SHUTDOWN("halt"),
                      "child process has failed to shutdown: no permission");
}

static void test_suspend_by_systemd(Bench *bench, gconstpointer data)
{
    bench->tools = "systemctl pm-is-supported pm-suspend pm-hibernate ";
    bench_check(bench, SUSPEND("ram"), "");
    bench_check_log(bench, "run systemctl status systemd-suspend, run systemctl suspend");
    bench_check(bench, SUSPEND("disk"), "");
    bench_check_log(bench, "run systemctl status systemd-hibernate, run systemctl hibernate");
    bench_check(bench, SUSPEND("hybrid"), "");
    bench_check_log(bench, "run systemctl status systemd-hybrid-sleep, run systemctl hybrid-sleep");
}

static void test_suspend_by_pm_utils(Bench *bench, gconstpointer data)
{
    bench->tools = "pm-is-supported pm-suspend pm-hibernate pm-suspend-hybrid ";
    bench_check(bench, SUSPEND("ram"), "");
    bench_check_log(bench, "run pm-is-supported --suspend, run pm-suspend");
    bench_check(bench, SUSPEND("disk"), "");
    bench_check_log(bench, "run pm-is-supported --hibernate, run pm-hibernate");
    bench_check(bench, SUSPEND("hybrid"), "");
    bench_check_log(bench, "run pm-is-supported --suspend-hybrid, run pm-suspend-hybrid");
}

static void test_suspend_by_kernel(Bench *bench, gconstpointer data)
{
    bench->power_state = "freeze mem disk\n";
    bench->power_disk = "[platform] shutdown reboot suspend test_resume\n";
    bench_check(bench, SUSPEND("ram"), "");
    bench_check_log(bench, "write mem to /sys/power/state");
    bench_check(bench, SUSPEND("disk"), "");
    bench_check_log(bench, "write disk to /sys/power/state");
    bench_check(bench, SUSPEND("hybrid"), "");
    bench_check_log(bench, "write suspend to /sys/power/disk, write disk to /sys/power/state,"
                           " write platform to /sys/power/disk");
}

static void test_suspend_falls_back(Bench *bench, gconstpointer data)
{
    bench->tools = "systemctl pm-is-supported pm-suspend ";
    bench->power_state = "mem";
    bench->failing = "suspend"; /* each of its ways, asked or told */
    bench_check(bench, SUSPEND("ram"), "");
    bench_check_log(bench, "run systemctl status systemd-suspend, run systemctl suspend,"
                           " run pm-is-supported --suspend, write mem to /sys/power/state");
}

static void test_suspend_unit_is_unknown(Bench *bench, gconstpointer data)
{
    bench->tools = "systemctl ";
    bench->power_state = "mem";
    bench->status = 4;
    bench_check(bench, SUSPEND("ram"), "");
    bench_check_log(bench, "run systemctl status systemd-suspend, write mem to /sys/power/state");
}

static void test_suspend_fails(Bench *bench, gconstpointer data)
{
    static const char unsupported[] = "the requested suspend mode is not supported by the guest";
    g_autoptr(GError) killed = g_error_new(G_SPAWN_ERROR, 0, "killed");

    bench_check_error(bench, SUSPEND("ram"), unsupported);
    bench->power_state = "mem disk";
    bench->power_disk = "[platform] shutdown";
    bench_check_error(bench, SUSPEND("hybrid"), unsupported);
    bench->power_state = "freeze";
    bench_check_error(bench, SUSPEND("disk"), unsupported);
    bench_check_log(bench, "");
    /* What did say that it can is what the host hears about. */
    bench->tools = "systemctl ";
    bench->status = 3;
    bench_check_error(bench, SUSPEND("ram"),
                      "the helper program 'systemctl' returned an unexpected"
                      " exit status code (3)");
    bench->status = 0;
    bench->failing = "suspend";
    bench->output = "";
    bench->program_error = killed;
    bench_check_error(bench, SUSPEND("ram"), unsupported); /* it could not even be asked */
    bench->failing = "systemctl suspend";
    bench_check_error(bench, SUSPEND("ram"), "the helper program 'systemctl' failed: killed");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/power/" name, Bench, NULL, set_up, function, tear_down)
    ADD("shutdown", test_shutdown);
    ADD("shutdown-by-shutdown", test_shutdown_by_shutdown);
    ADD("shutdown-fails", test_shutdown_fails);
    ADD("suspend-by-systemd", test_suspend_by_systemd);
    ADD("suspend-by-pm-utils", test_suspend_by_pm_utils);
    ADD("suspend-by-kernel", test_suspend_by_kernel);
    ADD("suspend-falls-back", test_suspend_falls_back);
    ADD("suspend-unit-is-unknown", test_suspend_unit_is_unknown);
    ADD("suspend-fails", test_suspend_fails);
#undef ADD
    return g_test_run();
}
