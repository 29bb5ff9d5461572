/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Real programs: what they are given, what is kept of what they say, and when they count as ended.
 */

#include "agent/bench.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"

static void set_up(Bench *bench, gconstpointer data)
{
    signal(SIGPIPE, SIG_IGN); /* as in the agent; and programs must not inherit it */
    bench_init(bench, NULL);
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

/* Returns: the pid; asserts that there is one */
static gint64 start(Bench *bench, const char *arguments)
{
    static const char answer[] = "{\"return\": {\"pid\": ";
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);
    g_autofree char *reply = bench_ask(bench, request);

    g_assert_true(g_str_has_prefix(reply, answer));
    return g_ascii_strtoll(reply + strlen(answer), NULL, 10);
}

static char *status(Bench *bench, gint64 pid)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-exec-status\", \"arguments\":"
                                               " {\"pid\": %" G_GINT64_FORMAT "}}",
                                               pid);

    return g_strchomp(bench_ask(bench, request));
}

/* Returns: the status that tells its end */
static char *finish(Bench *bench, gint64 pid)
{
    for (;;) {
        char *reply = status(bench, pid);

        if (strcmp(reply, "{\"return\": {\"exited\": false}}") != 0)
            return reply;
        g_free(reply);
        g_main_context_iteration(NULL, TRUE);
    }
}

static void check(Bench *bench, const char *arguments, const char *expected)
{
    g_autofree char *reply = finish(bench, start(bench, arguments));
    g_autofree char *whole = g_strdup_printf("{\"return\": {\"exited\": true, %s}}", expected);

    g_assert_cmpstr(reply, ==, whole);
}

static void check_error(Bench *bench, const char *arguments, const char *words)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {%s}}", arguments);

    bench_check_error(bench, request, words);
}

#define SH(script) "\"path\": \"sh\", \"arg\": [\"-c\", \"" script "\"]"
#define OUT(data)  "\"out-data\": \"" data "\", \"out-truncated\": false"
#define ERR(data)  "\"err-data\": \"" data "\", \"err-truncated\": false"

/* The first test: a thread that was there before the first program takes no news from who waits. */
static void test_beside_a_thread(Bench *bench, gconstpointer data)
{
    for (guint i = 0; i < 20; i++) {
        bench_check(bench, "{\"execute\": \"guest-fstrim\"}", "{\"return\": {\"paths\": []}}");
        check(bench, "\"path\": \"true\"", "\"exitcode\": 0");
    }
}

static void test_end(Bench *bench, gconstpointer data)
{
    check(bench, "\"path\": \"true\"", "\"exitcode\": 0");
    check(bench, SH("exit 3"), "\"exitcode\": 3");
    check(bench, SH("kill -9 $$"), "\"signal\": 9");
}

static void test_capture(Bench *bench, gconstpointer data)
{
#define SAYS SH("echo out; echo err >&2") ", \"capture-output\": "
    check(bench, SAYS "false", "\"exitcode\": 0");
    check(bench, SAYS "\"none\"", "\"exitcode\": 0");
    check(bench, SAYS "true", "\"exitcode\": 0, " OUT("b3V0Cg==") ", " ERR("ZXJyCg=="));
    check(bench, SAYS "\"separated\"", "\"exitcode\": 0, " OUT("b3V0Cg==") ", " ERR("ZXJyCg=="));
    check(bench, SAYS "\"stdout\"", "\"exitcode\": 0, " OUT("b3V0Cg=="));
    check(bench, SAYS "\"stderr\"", "\"exitcode\": 0, " ERR("ZXJyCg=="));
    check(bench, SAYS "\"merged\"", "\"exitcode\": 0, " OUT("b3V0CmVycgo="));
#undef SAYS
    check(bench, SH(":") ", \"capture-output\": true", "\"exitcode\": 0");
}

/* Whatever is captured, the agent's own standard streams stay, and programs get no others of its
 * files. */
static void test_descriptors(Bench *bench, gconstpointer data)
{
    struct stat before[3], after;

    for (int fd = 0; fd < 3; fd++)
        g_assert_cmpint(fstat(fd, &before[fd]), ==, 0);
    test_capture(bench, data);
    /* The fourth is the directory that it lists. */
    check(bench, "\"path\": \"ls\", \"arg\": [\"-m\", \"/proc/self/fd\"], \"capture-output\": true",
          "\"exitcode\": 0, " OUT("MCwgMSwgMiwgMwo="));
    for (int fd = 0; fd < 3; fd++) {
        g_assert_cmpint(fstat(fd, &after), ==, 0);
        g_assert_cmpuint(after.st_ino, ==, before[fd].st_ino);
    }
}

static void test_input(Bench *bench, gconstpointer data)
{
#define CAPTURED ", \"capture-output\": true"
    check(bench, "\"path\": \"cat\", \"input-data\": \"aGVsbG8=\"" CAPTURED,
          "\"exitcode\": 0, " OUT("aGVsbG8="));
    check(bench, "\"path\": \"cat\"" CAPTURED, "\"exitcode\": 0");
    check(bench, "\"path\": \"cat\", \"input-data\": \"\"" CAPTURED, "\"exitcode\": 0");
    check_error(bench, "\"path\": \"cat\", \"input-data\": \"a!\"",
                "Base64 data contains invalid characters");
}

/* More than a pipe holds goes in and comes out, and a program that does not want it loses nothing
 * by that. */
static void test_large_input(Bench *bench, gconstpointer data)
{
    const gsize size = 3 * 1000 * 1000;
    g_autofree char *text = g_strnfill(size, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)text, size);
    g_autofree char *cat =
        g_strdup_printf("\"path\": \"cat\", \"input-data\": \"%s\"" CAPTURED, base64);
    g_autofree char *ignore = g_strdup_printf("\"path\": \"true\", \"input-data\": \"%s\"", base64);
    g_autofree char *expected =
        g_strdup_printf("\"exitcode\": 0, \"out-data\": \"%s\", \"out-truncated\": false", base64);

    check(bench, cat, expected);
    check(bench, ignore, "\"exitcode\": 0");
}

static void test_environment(Bench *bench, gconstpointer data)
{
    g_setenv("QGA_TEST", "x", TRUE);
    check(bench, SH("printf $QGA_TEST") CAPTURED, "\"exitcode\": 0, " OUT("eA=="));
    check(bench, SH("printf $A$QGA_TEST") ", \"env\": [\"A=y\", \"PATH=/bin:/usr/bin\"]" CAPTURED,
          "\"exitcode\": 0, " OUT("eQ=="));
    check_error(bench, "\"path\": \"sh\", \"env\": [\"PATH=/nonexistent\"]",
                "Failed to execute child process “sh” (No such file or directory)");
    check(bench, SH("grep -c SigBlk:.0000000000000000 /proc/self/status | tr -d '\\n'") CAPTURED,
          "\"exitcode\": 0, " OUT("MQ=="));
}

static void test_refused(Bench *bench, gconstpointer data)
{
    check_error(bench, "\"path\": \"no-such-program\"",
                "Failed to execute child process “no-such-program” (No such file or directory)");
    check_error(bench, "\"path\": \"\"",
                "Failed to execute child process “” (No such file or directory)");
    check_error(bench, "\"path\": \"/dev/null\"",
                "Failed to execute child process “/dev/null” (Permission denied)");
    check_error(bench, "\"path\": \"true\", \"capture-output\": \"some\"",
                "Parameter 'capture-output' does not accept value 'some'");
    check_error(bench, "\"path\": \"true\", \"capture-output\": 1",
                "Invalid parameter type for 'capture-output', expected: GuestExecCaptureOutput");
}

/* A file that is no binary and says nothing of its interpreter is a shell script. */
static void test_plain_script(Bench *bench, gconstpointer data)
{
    g_autofree char *path = g_build_filename(bench->directory, "script", NULL);
    g_autofree char *arguments =
        g_strdup_printf("\"path\": \"%s\", \"arg\": [\"a b\"]" CAPTURED, path);

    g_file_set_contents(path, "printf \"$1\"", -1, NULL);
    g_chmod(path, 0755);
    check(bench, arguments, "\"exitcode\": 0, " OUT("YSBi"));
}
#undef CAPTURED

static void test_status_is_told_once(Bench *bench, gconstpointer data)
{
    gint64 pid = start(bench, "\"path\": \"true\"");
    g_autofree char *first = finish(bench, pid);
    g_autofree char *second = status(bench, pid);
    g_autofree char *words = g_strdup_printf("PID %" G_GINT64_FORMAT " does not exist", pid);

    g_assert_nonnull(strstr(second, words));
}

/* The end of the program counts, not that of those it left behind: that they may say more is
 * flagged. They are not hurt by being left alone. */
static void test_descendant_holds_output(Bench *bench, gconstpointer data)
{
    g_autofree char *fifo = g_build_filename(bench->directory, "fifo", NULL);
    g_autofree char *done = g_build_filename(bench->directory, "done", NULL);
    g_autofree char *arguments =
        g_strdup_printf("\"path\": \"sh\", \"arg\": [\"-c\", \"echo first; { read x < %s; echo late"
                        " && echo ok > %s; } &\"], \"capture-output\": true",
                        fifo, done);
    int writer;

    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    check(bench, arguments,
          "\"exitcode\": 0, \"out-data\": \"Zmlyc3QK\", \"out-truncated\": true, "
          "\"err-truncated\": true");
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    g_assert_cmpint(write(writer, "\n", 1), ==, 1);
    close(writer);
    while (!g_file_test(done, G_FILE_TEST_EXISTS))
        g_main_context_iteration(NULL, FALSE);
}

/* The id of a program that ended stays its own until its end was told. */
static void test_pid_stays_taken(Bench *bench, gconstpointer data)
{
    gint64 pid = start(bench, SH("exit 7"));
    g_autofree char *reply = NULL;

    for (guint i = 0; i < 50; i++)
        check(bench, "\"path\": \"true\"", "\"exitcode\": 0");
    g_assert_cmpint(kill((pid_t)pid, 0), ==, 0);
    reply = finish(bench, pid);
    g_assert_cmpstr(reply, ==, "{\"return\": {\"exited\": true, \"exitcode\": 7}}");
    g_assert_cmpint(kill((pid_t)pid, 0), ==, -1);
}

static void test_output_is_bounded(Bench *bench, gconstpointer data)
{
    g_autofree char *reply =
        finish(bench, start(bench, SH("head -c 16777217 /dev/zero; head -c 16777216 "
                                      "/dev/zero >&2") ", \"capture-output\": true"));

    g_assert_nonnull(strstr(reply, "\"out-truncated\": true"));
    g_assert_nonnull(strstr(reply, "\"err-truncated\": false"));
    g_assert_cmpuint(strlen(reply), >, 2 * (LIMIT_EXEC_CAPTURE_BYTES / 3 * 4));
    g_assert_cmpuint(strlen(reply), <, 2 * (LIMIT_EXEC_CAPTURE_BYTES / 3 * 4) + 200);
}

static void test_too_many(Bench *bench, gconstpointer data)
{
    g_autofree gint64 *pids = g_new(gint64, LIMIT_EXEC_RECORDS);
    g_autofree char *words = g_strdup_printf(
        "too many programs: ask guest-exec-status for some of the %d started", LIMIT_EXEC_RECORDS);

    for (guint i = 0; i < LIMIT_EXEC_RECORDS; i++)
        pids[i] = start(bench, "\"path\": \"true\"");
    check_error(bench, "\"path\": \"true\"", words);
    for (guint i = 0; i < LIMIT_EXEC_RECORDS; i++)
        g_free(finish(bench, pids[i]));
    check(bench, "\"path\": \"true\"", "\"exitcode\": 0");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/exec/" name, Bench, NULL, set_up, function, tear_down)
    ADD("beside-a-thread", test_beside_a_thread);
    ADD("end", test_end);
    ADD("capture", test_capture);
    ADD("descriptors", test_descriptors);
    ADD("input", test_input);
    ADD("large-input", test_large_input);
    ADD("environment", test_environment);
    ADD("refused", test_refused);
    ADD("plain-script", test_plain_script);
    ADD("status-is-told-once", test_status_is_told_once);
    ADD("descendant-holds-output", test_descendant_holds_output);
    ADD("pid-stays-taken", test_pid_stays_taken);
    ADD("output-is-bounded", test_output_is_bounded);
    ADD("too-many", test_too_many);
#undef ADD
    return g_test_run();
}
