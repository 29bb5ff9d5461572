/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Which tool is asked, in which order, and what the host hears of it. */

#include "agent/fixture.h"

#define SHUTDOWN(mode) "{\"execute\": \"guest-shutdown\", \"arguments\": {\"mode\": \"" mode "\"}}"
#define SUSPEND(how)   "{\"execute\": \"guest-suspend-" how "\"}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void test_shutdown(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "poweroff halt reboot shutdown ";
    fixture_check(fixture, "{\"execute\": \"guest-shutdown\"}", "");
    fixture_check(fixture, SHUTDOWN("powerdown"), "");
    fixture_check(fixture, SHUTDOWN("halt"), "");
    fixture_check(fixture, SHUTDOWN("reboot"), "");
    fixture_check_log(fixture, "run poweroff, run poweroff, run halt, run reboot");
}

static void test_shutdown_by_shutdown(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "shutdown ";
    fixture_check(fixture, SHUTDOWN("powerdown"), "");
    fixture_check_log(fixture, "run shutdown -h -P +0 hypervisor initiated shutdown");
    fixture_check(fixture, SHUTDOWN("halt"), "");
    fixture_check_log(fixture, "run shutdown -h -H +0 hypervisor initiated shutdown");
    fixture_check(fixture, SHUTDOWN("reboot"), "");
    fixture_check_log(fixture, "run shutdown -h -r +0 hypervisor initiated shutdown");
}

static void test_shutdown_fails(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, SHUTDOWN("explode"),
                        "mode is invalid (valid values are: halt|powerdown|reboot)");
    fixture_check_log(fixture, "");
    fixture->tools = "halt ";
    fixture->status = 5;
    fixture_check_error(fixture, SHUTDOWN("halt"),
                        "child process has failed to shutdown, exit status 5");
    fixture->output = "no permission";
    fixture_check_error(fixture, SHUTDOWN("halt"),
                        "child process has failed to shutdown: no permission");
}

static void test_suspend_by_systemd(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "systemctl pm-is-supported pm-suspend pm-hibernate ";
    fixture_check(fixture, SUSPEND("ram"), "");
    fixture_check_log(fixture, "run systemctl status systemd-suspend, run systemctl suspend");
    fixture_check(fixture, SUSPEND("disk"), "");
    fixture_check_log(fixture, "run systemctl status systemd-hibernate, run systemctl hibernate");
    fixture_check(fixture, SUSPEND("hybrid"), "");
    fixture_check_log(fixture,
                      "run systemctl status systemd-hybrid-sleep, run systemctl hybrid-sleep");
}

static void test_suspend_by_pm_utils(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "pm-is-supported pm-suspend pm-hibernate pm-suspend-hybrid ";
    fixture_check(fixture, SUSPEND("ram"), "");
    fixture_check_log(fixture, "run pm-is-supported --suspend, run pm-suspend");
    fixture_check(fixture, SUSPEND("disk"), "");
    fixture_check_log(fixture, "run pm-is-supported --hibernate, run pm-hibernate");
    fixture_check(fixture, SUSPEND("hybrid"), "");
    fixture_check_log(fixture, "run pm-is-supported --suspend-hybrid, run pm-suspend-hybrid");
}

static void test_suspend_by_kernel(CommandFixture *fixture, gconstpointer data)
{
    fixture->power_state = "freeze mem disk\n";
    fixture->power_disk = "[platform] shutdown reboot suspend test_resume\n";
    fixture_check(fixture, SUSPEND("ram"), "");
    fixture_check_log(fixture, "write mem to /sys/power/state");
    fixture_check(fixture, SUSPEND("disk"), "");
    fixture_check_log(fixture, "write disk to /sys/power/state");
    fixture_check(fixture, SUSPEND("hybrid"), "");
    fixture_check_log(fixture, "write suspend to /sys/power/disk, write disk to /sys/power/state,"
                               " write platform to /sys/power/disk");
}

static void test_suspend_falls_back(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "systemctl pm-is-supported pm-suspend ";
    fixture->power_state = "mem";
    fixture->failing = "suspend"; /* each of its ways, asked or told */
    fixture_check(fixture, SUSPEND("ram"), "");
    fixture_check_log(fixture, "run systemctl status systemd-suspend, run systemctl suspend,"
                               " run pm-is-supported --suspend, write mem to /sys/power/state");
}

static void test_suspend_unit_is_unknown(CommandFixture *fixture, gconstpointer data)
{
    fixture->tools = "systemctl ";
    fixture->power_state = "mem";
    fixture->status = 4;
    fixture_check(fixture, SUSPEND("ram"), "");
    fixture_check_log(fixture,
                      "run systemctl status systemd-suspend, write mem to /sys/power/state");
}

static void test_suspend_fails(CommandFixture *fixture, gconstpointer data)
{
    static const char unsupported[] = "the requested suspend mode is not supported by the guest";
    g_autoptr(GError) killed = g_error_new(G_SPAWN_ERROR, 0, "killed");

    fixture_check_error(fixture, SUSPEND("ram"), unsupported);
    fixture->power_state = "mem disk";
    fixture->power_disk = "[platform] shutdown";
    fixture_check_error(fixture, SUSPEND("hybrid"), unsupported);
    fixture->power_state = "freeze";
    fixture_check_error(fixture, SUSPEND("disk"), unsupported);
    fixture_check_log(fixture, "");
    /* What did say that it can is what the host hears about. */
    fixture->tools = "systemctl ";
    fixture->status = 3;
    fixture_check_error(fixture, SUSPEND("ram"),
                        "the helper program 'systemctl' returned an unexpected"
                        " exit status code (3)");
    fixture->status = 0;
    fixture->failing = "suspend";
    fixture->output = "";
    fixture->program_error = killed;
    fixture_check_error(fixture, SUSPEND("ram"), unsupported); /* it could not even be asked */
    fixture->failing = "systemctl suspend";
    fixture_check_error(fixture, SUSPEND("ram"), "the helper program 'systemctl' failed: killed");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/power/" name, CommandFixture, NULL, set_up, function, tear_down)
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
