/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The harmless half of the real system: programs, tools and small files. Nothing is frozen here. */

#include "agent/system.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/commands/mounts.h"
#include "common/limits.h"

typedef struct {
    gboolean done;
    int status;
    char *output;
    char *error; /* (nullable) */
} Outcome;

static void on_done(gpointer user, const SystemExit *result)
{
    Outcome *outcome = user;

    g_assert_false(outcome->done);
    *outcome = (Outcome){TRUE, result->status, g_strdup(result->output),
                         g_strdup(result->error != NULL ? result->error->message : NULL)};
}

static Outcome run(const SystemProgram *program)
{
    Outcome outcome = {FALSE};

    system_get()->run(system_get(), program, on_done, &outcome);
    while (!outcome.done)
        g_main_context_iteration(NULL, TRUE);
    return outcome;
}

#define ARGV(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }
#define RUN(...) run(&(SystemProgram){.argv = ARGV(__VA_ARGS__), .timeout_ms = 600000})

static void check(Outcome outcome, int status, const char *output)
{
    g_assert_cmpstr(outcome.error, ==, NULL);
    g_assert_cmpint(outcome.status, ==, status);
    g_assert_cmpstr(outcome.output, ==, output);
    g_free(outcome.output);
}

static void test_run(void)
{
    Outcome missing;

    check(RUN("true"), 0, "");
    check(RUN("sh", "-c", "echo out; echo err >&2; exit 3"), 3, "out\nerr\n");
    check(RUN("sh", "-c", "kill -15 $$"), -15, "");
    check(RUN("cat"), 0, ""); /* standard input is empty */
    missing = RUN("/nonexistent/program");
    g_assert_nonnull(missing.error);
    g_free(missing.error);
    g_free(missing.output);
}

/* A hook may leave a service behind that holds its output open for good. */
static void test_run_with_background_child(void)
{
    check(RUN("sh", "-c", "sleep 1000 & echo started"), 0, "started\n");
}

static void test_run_output_is_cut(void)
{
    Outcome outcome = RUN("sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x");

    g_assert_cmpuint(strlen(outcome.output), ==, LIMIT_HELPER_OUTPUT);
    g_free(outcome.output);
}

static void test_feed(void)
{
    check(run(&(SystemProgram){.argv = ARGV("cat"), .input = "in\0put", .input_len = 6}), 0, "in");
}

/* Nothing is known of how far it came. */
static void test_time_up(void)
{
    Outcome outcome = run(&(SystemProgram){.argv = ARGV("sleep", "1000"), .timeout_ms = 1});

    g_assert_cmpstr(outcome.error, ==, "killed, since it had not ended after 0.001 s");
    g_assert_cmpstr(outcome.output, ==, "");
    g_free(outcome.error);
    g_free(outcome.output);
}

/* What it has started is killed too. That holds one end of a FIFO, and the other tells when. */
static void test_kill(void)
{
    g_autofree char *directory = g_dir_make_tmp("qga-XXXXXX", NULL);
    g_autofree char *fifo = g_build_filename(directory, "fifo", NULL);
    g_autofree char *script = g_strdup_printf("sleep 1000 3>%s & wait", fifo);
    ProcessSpec spec = {.argv = ARGV("sh", "-c", script), .new_session = TRUE};
    GPollFD end = {.events = G_IO_IN};
    g_autoptr(Process) process = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    process = process_spawn(&spec, &error);
    g_assert_no_error(error);
    end.fd = open(fifo, O_RDONLY); /* once there is a writer */
    g_assert_cmpint(end.fd, >=, 0);
    process_kill(process);
    g_assert_cmpint(g_poll(&end, 1, -1), ==, 1);
    while (!process_has_ended(process))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(process_status(process), ==, -SIGKILL);
    process_kill(process); /* is nothing now */
    close(end.fd);
    g_remove(fifo);
    g_rmdir(directory);
}

static void test_measure(void)
{
    System *system = system_get();
    SystemUsage usage;
    struct stat found;

    g_assert_cmpint(stat("/", &found), ==, 0);
    g_assert_true(system->measure(system, "/", found.st_dev, &usage));
    g_assert_cmpuint(usage.used, <=, usage.total);
    g_assert_cmpuint(usage.total, <=, usage.total_privileged);
    g_assert_true(system->measure(system, "/", 0, &usage));
    g_assert_false(system->measure(system, "/", found.st_dev + 1, &usage));
    g_assert_false(system->measure(system, "/nonexistent", 0, &usage));
}

static void test_find_user(void)
{
    System *system = system_get();
    SystemUser user;

    g_assert_true(system->find_user(system, "root", &user));
    g_assert_cmpuint(user.uid, ==, 0);
    g_assert_true(g_path_is_absolute(user.home));
    g_free(user.home);
    g_assert_false(system->find_user(system, "no such:user", &user));
    g_assert_cmpint(errno, ==, 0);
}

static void test_no_smart(void)
{
    guint8 page[SYSTEM_NVME_SMART_BYTES];

    g_assert_false(system_get()->read_nvme_smart(system_get(), "/dev/null", page));
    g_assert_false(system_get()->read_nvme_smart(system_get(), "/nonexistent", page));
}

static void test_find_tool(void)
{
    System *system = system_get();
    g_autofree char *sh = system->find_tool(system, "sh");

    g_assert_true(g_path_is_absolute(sh));
    g_assert_null(system->find_tool(system, "no-such-tool"));
}

static void test_files(void)
{
    System *system = system_get();
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;

    g_close(g_file_open_tmp("qga-XXXXXX", &path, NULL), NULL);
    g_assert_true(system->write_file(system, path, "mem", NULL));
    text = system->read_file(system, path);
    g_assert_cmpstr(text, ==, "mem");
    g_remove(path);
    g_assert_null(system->read_file(system, path));
    g_assert_false(system->write_file(system, "/nonexistent", "mem", &error));
    g_assert_cmpstr(error->message, ==,
                    "failed to write 'mem' to /nonexistent: No such file or directory");
}

/* musl has no sched_getscheduler() that works. */
static int scheduler(void)
{
    return (int)syscall(SYS_sched_getscheduler, 0);
}

static gpointer get_scheduler(gpointer data)
{
    return GINT_TO_POINTER(scheduler());
}

static int scheduler_of_started(void)
{
    System *system = system_get();

    return GPOINTER_TO_INT(
        g_thread_join(system->start_thread(system, "started", get_scheduler, NULL)));
}

/* Where it may, that is; and as it was afterwards. */
static void test_hurry(void)
{
    System *system = system_get();
    const int before = scheduler();

    system->hurry(system, FALSE);
    g_assert_cmpint(scheduler(), ==, before);
    g_assert_cmpint(scheduler_of_started(), ==, before);
    system->hurry(system, TRUE);
    if (scheduler() == before) {
        g_test_skip("the system gives this process no realtime priority");
    } else {
        g_assert_cmpint(scheduler(), ==, SCHED_RR | SCHED_RESET_ON_FORK);
        g_assert_cmpint(scheduler_of_started(), ==, SCHED_RR);
        g_assert_cmpint(scheduler(), ==, SCHED_RR | SCHED_RESET_ON_FORK);
        g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(g_thread_new("", get_scheduler, NULL))), ==,
                        SCHED_OTHER);
    }
    system->hurry(system, FALSE);
    g_assert_cmpint(scheduler(), ==, before);
}

static void test_locate(void)
{
    System *system = system_get();
    SystemPlace place;
    struct stat found;

    g_assert_cmpint(stat("/proc/self/stat", &found), ==, 0);
    g_assert_true(system->locate(system, "/proc/self/stat", &place));
    g_assert_cmpuint(place.device, ==, found.st_dev);
    g_assert_false(system->locate(system, "/nonexistent", &place));
}

static void test_mounts(void)
{
    System *system = system_get();
    g_autofree char *text = system->read_mounts(system, NULL);
    g_autoptr(GPtrArray) mounts = mounts_parse(text);

    g_assert_nonnull(strstr(text, " / "));
    for (guint i = 0; i < mounts->len; i++) {
        const Mount *mount = mounts->pdata[i];

        for (guint j = 0; j < mount->directories->len; j++)
            g_assert_true(g_path_is_absolute(mount->directories->pdata[j]));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/system/run", test_run);
    g_test_add_func("/system/run-with-background-child", test_run_with_background_child);
    g_test_add_func("/system/run-output-is-cut", test_run_output_is_cut);
    g_test_add_func("/system/feed", test_feed);
    g_test_add_func("/system/time-up", test_time_up);
    g_test_add_func("/system/kill", test_kill);
    g_test_add_func("/system/measure", test_measure);
    g_test_add_func("/system/find-user", test_find_user);
    g_test_add_func("/system/no-smart", test_no_smart);
    g_test_add_func("/system/find-tool", test_find_tool);
    g_test_add_func("/system/files", test_files);
    g_test_add_func("/system/hurry", test_hurry);
    g_test_add_func("/system/locate", test_locate);
    g_test_add_func("/system/mounts", test_mounts);
    return g_test_run();
}
