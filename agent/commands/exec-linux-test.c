/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What the shell and /proc show of real programs: signals, descriptors, scripts, and those they
 * leave behind. */

#include "agent/fixture-exec.h"
#include "agent/commands/exec.h"
#include "agent/process.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/limits.h"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

#define SH(script) "\"path\": \"sh\", \"arg\": [\"-c\", \"" script "\"]"
#define CAPTURED   ", \"capture-output\": true"

/* The first test: a thread that was there before the first program takes no news from who waits. */
static void test_beside_a_thread(CommandFixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 20; i++) {
        fixture_check(fixture, "{\"execute\": \"guest-fstrim\"}", "{\"return\": {\"paths\": []}}");
        fixture_exec_check(fixture, "\"path\": \"true\"", "\"exitcode\": 0");
    }
}

static void test_signal(CommandFixture *fixture, gconstpointer data)
{
    fixture_exec_check(fixture, SH("kill -9 $$"), "\"signal\": 9");
}

/* Whatever is captured, the agent's own standard streams stay, and programs get no others of its
 * files. */
static void test_descriptors(CommandFixture *fixture, gconstpointer data)
{
    struct stat before[3], after;

    for (int fd = 0; fd < 3; fd++)
        g_assert_cmpint(fstat(fd, &before[fd]), ==, 0);
    fixture_exec_check(fixture, SH("echo out; echo err >&2"), "\"exitcode\": 0");
    fixture_exec_check(
        fixture, SH("echo out; echo err >&2") CAPTURED,
        "\"exitcode\": 0, " FIXTURE_EXEC_OUT("b3V0Cg==") ", " FIXTURE_EXEC_ERR("ZXJyCg=="));
    fixture_exec_check(fixture, SH("echo out; echo err >&2") ", \"capture-output\": \"merged\"",
                       "\"exitcode\": 0, " FIXTURE_EXEC_OUT("b3V0CmVycgo="));
    /* The fourth is the directory that it lists. */
    fixture_exec_check(
        fixture, "\"path\": \"ls\", \"arg\": [\"-m\", \"/proc/self/fd\"], \"capture-output\": true",
        "\"exitcode\": 0, " FIXTURE_EXEC_OUT("MCwgMSwgMiwgMwo="));
    for (int fd = 0; fd < 3; fd++) {
        g_assert_cmpint(fstat(fd, &after), ==, 0);
        g_assert_cmpuint(after.st_ino, ==, before[fd].st_ino);
    }
}

static void test_environment(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *program = g_build_filename(fixture->directory, "bin/here", NULL);
    g_autofree char *former = g_strdup(g_getenv("PATH"));
    g_autofree char *path = g_strdup_printf("%s/bin:%s", fixture->directory, former);

    g_setenv("QGA_TEST", "x", TRUE);
    fixture_exec_check(
        fixture, SH("printf $A$QGA_TEST") ", \"env\": [\"A=y\", \"PATH=/bin:/usr/bin\"]" CAPTURED,
        "\"exitcode\": 0, " FIXTURE_EXEC_OUT("eQ=="));
    fixture_exec_check_error(fixture, "\"path\": \"sh\", \"env\": [\"PATH=/nonexistent\"]",
                             "Failed to execute child process “sh” (No such file or directory)");
    fixture_write(fixture, "bin/here", "#!/bin/sh\n");
    g_chmod(program, 0755);
    g_setenv("PATH", path, TRUE);
    fixture_exec_check(fixture, "\"path\": \"here\", \"env\": [\"A=y\"]", "\"exitcode\": 0");
    g_setenv("PATH", former, TRUE);
    fixture_exec_check(
        fixture, SH("grep -c SigBlk:.0000000000000000 /proc/self/status | tr -d '\\n'") CAPTURED,
        "\"exitcode\": 0, " FIXTURE_EXEC_OUT("MQ=="));
}

static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    fixture_exec_check_error(
        fixture, "\"path\": \"no-such-program\"",
        "Failed to execute child process “no-such-program” (No such file or directory)");
    fixture_exec_check_error(fixture, "\"path\": \"\"",
                             "Failed to execute child process “” (No such file or directory)");
    fixture_exec_check_error(fixture, "\"path\": \"/dev/null\"",
                             "Failed to execute child process “/dev/null” (Permission denied)");
}

/* A file that is no binary and says nothing of its interpreter is a shell script. */
static void test_plain_script(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, "script", NULL);
    g_autofree char *arguments =
        g_strdup_printf("\"path\": \"%s\", \"arg\": [\"a b\"]" CAPTURED, path);

    g_file_set_contents(path, "printf \"$1\"", -1, NULL);
    g_chmod(path, 0755);
    fixture_exec_check(fixture, arguments, "\"exitcode\": 0, " FIXTURE_EXEC_OUT("YSBi"));
}

/* The end of the program counts, not that of those it left behind: that they may say more is
 * flagged. They are not hurt by being left alone. */
static void test_descendant_holds_output(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);
    g_autofree char *done = g_build_filename(fixture->directory, "done", NULL);
    g_autofree char *arguments =
        g_strdup_printf("\"path\": \"sh\", \"arg\": [\"-c\", \"echo first; { read x < %s; echo late"
                        " && echo ok > %s; } &\"], \"capture-output\": true",
                        fifo, done);
    int writer;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fixture_exec_check(fixture, arguments,
                       "\"exitcode\": 0, \"out-data\": \"Zmlyc3QK\", \"out-truncated\": true, "
                       "\"err-truncated\": true");
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    close(writer);
    while (!g_file_test(done, G_FILE_TEST_EXISTS))
        g_main_context_iteration(NULL, FALSE);
}

/* More input than a pipe holds is still whole where who reads it comes after the program's end, and
 * after the agent was asked for that. */
static void test_descendant_reads_input(CommandFixture *fixture, gconstpointer data)
{
    enum { BYTES = 200000 };
    g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);
    g_autofree char *copy = g_build_filename(fixture->directory, "copy", NULL);
    g_autofree char *done = g_build_filename(fixture->directory, "done", NULL);
    g_autofree char *input = g_strnfill(BYTES, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)input, BYTES);
    g_autofree char *arguments =
        g_strdup_printf("\"path\": \"sh\", \"arg\": [\"-c\", \"exec 3<&0; { read x < %s; cat <&3"
                        " > %s; echo ok > %s; } &\"], \"input-data\": \"%s\"",
                        fifo, copy, done, base64);
    g_autofree char *got = NULL;
    int writer;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fixture_exec_check(fixture, arguments, "\"exitcode\": 0");
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    close(writer);
    while (!g_file_test(done, G_FILE_TEST_EXISTS))
        g_main_context_iteration(NULL, FALSE);
    g_assert_true(g_file_get_contents(copy, &got, NULL, NULL));
    g_assert_true(g_str_equal(got, input));
}

/* What a thread writes out stays as it is, however much a descendant says meanwhile: more than the
 * pipe holds, so that it has all been read once the descendant is through. */
static void test_sealed_output(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);
    g_autofree char *done = g_build_filename(fixture->directory, "done", NULL);
    g_autofree char *script =
        g_strdup_printf("head -c 99999 /dev/zero; { read x < %s; head -c 2222222 /dev/zero;"
                        " echo ok > %s; } & exit 0",
                        fifo, done);
    const char *const argv[] = {"sh", "-c", script, NULL};
    ProcessSpec spec = {
        .argv = argv,
        .capture = PROCESS_CAPTURE_OUT,
        .capture_limit = LIMIT_EXEC_CAPTURE_BYTES,
    };
    g_autoptr(GError) error = NULL;
    g_autoptr(Process) process = NULL;
    const char *text;
    int writer;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    process = process_spawn(&spec, &error);
    g_assert_no_error(error);
    while (!process_has_ended(process))
        g_main_context_iteration(NULL, TRUE);
    process_seal(process);
    text = process_out(process)->data->str;
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    close(writer);
    while (!g_file_test(done, G_FILE_TEST_EXISTS))
        g_main_context_iteration(NULL, FALSE);
    g_assert_true(process_out(process)->data->str == text);
    g_assert_cmpuint(process_out(process)->data->len, ==, 99999);
    g_assert_false(process_out(process)->truncated);
    g_assert_true(process_out(process)->open);
}

/* The id of a program that ended stays its own until its end was told. */
static void test_pid_stays_taken(CommandFixture *fixture, gconstpointer data)
{
    gint64 pid = fixture_exec_start(fixture, SH("exit 7"));
    g_autofree char *reply = NULL;

    for (guint i = 0; i < 50; i++)
        fixture_exec_check(fixture, "\"path\": \"true\"", "\"exitcode\": 0");
    g_assert_cmpint(kill((pid_t)pid, 0), ==, 0);
    reply = fixture_exec_finish(fixture, pid);
    g_assert_cmpstr(reply, ==, "{\"return\": {\"exited\": true, \"exitcode\": 7}}");
    g_assert_cmpint(kill((pid_t)pid, 0), ==, -1);
}

/* Those that have ended make room, the oldest first, whether anybody has asked for them or not. */
static void test_too_many(CommandFixture *fixture, gconstpointer data)
{
    g_autofree gint64 *pids = g_new(gint64, LIMIT_EXEC_RECORDS);
    g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);
    g_autofree char *waits =
        g_strdup_printf("\"path\": \"sh\", \"arg\": [\"-c\", \"read x < %s\"]", fifo);
    g_autofree char *words =
        g_strdup_printf("too many programs: %d are running", LIMIT_EXEC_RECORDS);
    siginfo_t end;
    int writer;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    for (guint i = 0; i < LIMIT_EXEC_RECORDS; i++)
        pids[i] = fixture_exec_start(fixture, waits);
    fixture_exec_check_error(fixture, "\"path\": \"true\"", words);
    writer = open(fifo, O_RDWR | O_CLOEXEC);
    for (guint i = 0; i < LIMIT_EXEC_RECORDS; i++)
        g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    for (guint i = LIMIT_EXEC_RECORDS - 1; i > 0; i--)
        g_free(fixture_exec_finish(fixture, pids[i]));
    g_assert_cmpint(waitid(P_PID, (id_t)pids[0], &end, WEXITED | WNOWAIT), ==, 0);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    close(writer);
    for (guint i = 1; i < LIMIT_EXEC_RECORDS; i++)
        fixture_exec_start(fixture, "\"path\": \"true\"");
    fixture_exec_check(fixture, "\"path\": \"true\"", "\"exitcode\": 0");
}

/* ---- Questions for a status that comes soon -------------------------------------------------- */

enum { LONG_MS = 600 * 1000 };

#define ENDED(status) "{\"return\": {\"exited\": true, \"exitcode\": " status "}"

/* A program that ends, with status 3, when it is released. */
typedef struct {
    char *fifo;
    gint64 pid;
} Waiting;

/* Returns: one whose status is waited for @hold_ms from its start */
static Waiting start_waiting(CommandFixture *fixture, guint hold_ms)
{
    Waiting program = {.fifo = g_build_filename(fixture->directory, "fifo", NULL)};
    g_autofree char *arguments = g_strdup_printf(
        "\"path\": \"sh\", \"arg\": [\"-c\", \"read x < %s; exit 3\"]", program.fifo);

    programs_free(fixture->commands.programs);
    fixture->commands.programs = programs_new(hold_ms);
    g_assert_cmpint(mkfifo(program.fifo, 0600), ==, 0);
    program.pid = fixture_exec_start(fixture, arguments);
    return program;
}

static void release(Waiting *program)
{
    int writer = open(program->fifo, O_WRONLY | O_CLOEXEC);

    g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    close(writer);
    g_clear_pointer(&program->fifo, g_free);
}

/* @id: a member, and a comma; or nothing */
static void ask_status(CommandFixture *fixture, const Waiting *program, const char *id)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec-status\", %s\"arguments\":"
                        " {\"pid\": %" G_GINT64_FORMAT "}}",
                        id, program->pid);

    dispatch_request(&fixture->dispatch, (JsonSpan){request, strlen(request)});
}

static void run_all(CommandFixture *fixture)
{
    while (dispatch_is_working(&fixture->dispatch))
        g_main_context_iteration(NULL, TRUE);
}

static void test_status_waits(CommandFixture *fixture, gconstpointer data)
{
    Waiting program = start_waiting(fixture, LONG_MS);

    ask_status(fixture, &program, "");
    g_assert_true(dispatch_is_busy(&fixture->dispatch));
    release(&program);
    run_all(fixture);
    g_assert_cmpstr(fixture->replies->str, ==, ENDED("3") "}\n");
}

/* No longer than it may, and not at all for a program that has run for longer. */
static void test_status_of_a_long_run(CommandFixture *fixture, gconstpointer data)
{
    Waiting program = start_waiting(fixture, LIMIT_EXEC_HOLD_MS);
    g_autofree char *first = fixture_exec_status(fixture, program.pid);

    g_assert_cmpstr(first, ==, "{\"return\": {\"exited\": false}}");
    ask_status(fixture, &program, "");
    g_assert_false(dispatch_is_busy(&fixture->dispatch));
    g_assert_cmpstr(fixture->replies->str, ==, "{\"return\": {\"exited\": false}}\n");
    release(&program);
}

/* Others are answered meanwhile, and of two that wait for the same program the first is told. */
static void test_status_in_a_pipeline(CommandFixture *fixture, gconstpointer data)
{
    Waiting program = start_waiting(fixture, LONG_MS);
    g_autofree char *expected = g_strdup_printf(
        ENDED("3") ", \"id\": 1}\n{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": "
                   "\"PID %" G_GINT64_FORMAT " does not exist\"}}\n",
        program.pid);

    g_free(fixture_ask(fixture, "{\"execute\": \"guest-capabilities\", \"id\": 0, \"arguments\": "
                                "{\"enable\": [\"pipeline\"]}}"));
    ask_status(fixture, &program, "\"id\": 1, ");
    ask_status(fixture, &program, "\"id\": 2, ");
    fixture_check(fixture, "{\"execute\": \"guest-ping\", \"id\": 3}",
                  "{\"return\": {}, \"id\": 3}");
    release(&program);
    run_all(fixture);
    g_assert_cmpstr(fixture->replies->str, ==, expected);
}

/* Who has gone is not told, and so whoever comes next is. */
static void test_status_of_who_has_gone(CommandFixture *fixture, gconstpointer data)
{
    Waiting program = start_waiting(fixture, LONG_MS);
    g_autofree char *reply = NULL;

    ask_status(fixture, &program, "");
    dispatch_reset(&fixture->dispatch);
    release(&program);
    run_all(fixture);
    g_assert_cmpstr(fixture->replies->str, ==, "");
    reply = fixture_exec_finish(fixture, program.pid);
    g_assert_cmpstr(reply, ==, ENDED("3") "}");
}

/* The agent may end before the program does. */
static void test_status_at_the_end(CommandFixture *fixture, gconstpointer data)
{
    Waiting program = start_waiting(fixture, LONG_MS);

    ask_status(fixture, &program, "");
    dispatch_reset(&fixture->dispatch);
    programs_free(g_steal_pointer(&fixture->commands.programs));
    g_assert_false(dispatch_is_working(&fixture->dispatch));
    release(&program);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/exec-linux/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("beside-a-thread", test_beside_a_thread);
    ADD("signal", test_signal);
    ADD("descriptors", test_descriptors);
    ADD("environment", test_environment);
    ADD("refused", test_refused);
    ADD("plain-script", test_plain_script);
    ADD("descendant-holds-output", test_descendant_holds_output);
    ADD("descendant-reads-input", test_descendant_reads_input);
    ADD("sealed-output", test_sealed_output);
    ADD("pid-stays-taken", test_pid_stays_taken);
    ADD("too-many", test_too_many);
    ADD("status-waits", test_status_waits);
    ADD("status-of-a-long-run", test_status_of_a_long_run);
    ADD("status-in-a-pipeline", test_status_in_a_pipeline);
    ADD("status-of-who-has-gone", test_status_of_who_has_gone);
    ADD("status-at-the-end", test_status_at_the_end);
#undef ADD
    return g_test_run();
}
