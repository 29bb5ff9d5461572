/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Real programs: what they are given, what is kept of what they say, and when they count as ended.
 * The program that is started is this one again. */

#include "agent/fixture-exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/limits.h"

static char *self; /* with slashes, which mean themselves in JSON and in every system's paths */

/* ---- As a child ------------------------------------------------------------------------------ */

static void copy_input(void)
{
    static char buffer[65536];
    gsize got;

    while ((got = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
        fwrite(buffer, 1, got, stdout);
}

static void fill(FILE *file, gsize len)
{
    g_autofree char *text = g_strnfill(len, 'x');

    fwrite(text, 1, len, file);
}

static int run_child(char **words)
{
    if (strcmp(words[0], "exit") == 0)
        return atoi(words[1]);
    if (strcmp(words[0], "both") == 0)
        printf("out"), fflush(stdout), fprintf(stderr, "err");
    else if (strcmp(words[0], "copy") == 0)
        copy_input();
    else if (strcmp(words[0], "print") == 0)
        printf("%s", g_getenv(words[1]) != NULL ? g_getenv(words[1]) : "(none)");
    else if (strcmp(words[0], "fill") == 0)
        fill(stdout, LIMIT_EXEC_CAPTURE_BYTES + 1), fill(stderr, LIMIT_EXEC_CAPTURE_BYTES);
    else if (strcmp(words[0], "words") == 0)
        for (guint i = 1; words[i] != NULL; i++)
            printf("[%s]", words[i]);
    return 0;
}

/* ---- As a test ------------------------------------------------------------------------------- */

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

/* @words: for the child, in JSON; @more: other members of guest-exec's arguments, in JSON */
static char *call_self(const char *words, const char *more)
{
    return g_strdup_printf("\"path\": \"%s\", \"arg\": [%s]%s", self, words, more);
}

static void check(CommandFixture *fixture, const char *words, const char *more,
                  const char *expected)
{
    g_autofree char *arguments = call_self(words, more);

    fixture_exec_check(fixture, arguments, expected);
}

#define CAPTURED ", \"capture-output\": true"

static void test_end(CommandFixture *fixture, gconstpointer data)
{
    check(fixture, "\"exit\", \"0\"", "", "\"exitcode\": 0");
    check(fixture, "\"exit\", \"3\"", "", "\"exitcode\": 3");
}

/* Each as it was given, the empty one too. */
static void test_arguments(CommandFixture *fixture, gconstpointer data)
{
    check(fixture, "\"words\", \"\", \"a b\", \"\\\"c\\\"\", \"d\\\\\"", CAPTURED,
          "\"exitcode\": 0, " FIXTURE_EXEC_OUT("W11bYSBiXVsiYyJdW2RcXQ=="));
}

static void test_capture(CommandFixture *fixture, gconstpointer data)
{
#define SAYS "\"both\"", ", \"capture-output\": "
#define OUT  FIXTURE_EXEC_OUT("b3V0")
#define ERR  FIXTURE_EXEC_ERR("ZXJy")
    check(fixture, SAYS "false", "\"exitcode\": 0");
    check(fixture, SAYS "\"none\"", "\"exitcode\": 0");
    check(fixture, SAYS "true", "\"exitcode\": 0, " OUT ", " ERR);
    check(fixture, SAYS "\"separated\"", "\"exitcode\": 0, " OUT ", " ERR);
    check(fixture, SAYS "\"stdout\"", "\"exitcode\": 0, " OUT);
    check(fixture, SAYS "\"stderr\"", "\"exitcode\": 0, " ERR);
    check(fixture, SAYS "\"merged\"", "\"exitcode\": 0, " FIXTURE_EXEC_OUT("b3V0ZXJy"));
#undef ERR
#undef OUT
#undef SAYS
    check(fixture, "\"exit\", \"0\"", CAPTURED, "\"exitcode\": 0");
}

static void test_input(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *bad = call_self("\"copy\"", ", \"input-data\": \"a!\"");

    check(fixture, "\"copy\"", ", \"input-data\": \"aGVsbG8=\"" CAPTURED,
          "\"exitcode\": 0, " FIXTURE_EXEC_OUT("aGVsbG8="));
    check(fixture, "\"copy\"", CAPTURED, "\"exitcode\": 0");
    check(fixture, "\"copy\"", ", \"input-data\": \"\"" CAPTURED, "\"exitcode\": 0");
    fixture_exec_check_error(fixture, bad, "Base64 data contains invalid characters");
}

/* More than a pipe holds goes in and comes out, and a program that does not want it loses nothing
 * by that. */
static void test_large_input(CommandFixture *fixture, gconstpointer data)
{
    const gsize size = 3 * 1000 * 1000;
    g_autofree char *text = g_strnfill(size, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)text, size);
    g_autofree char *input = g_strdup_printf(", \"input-data\": \"%s\"" CAPTURED, base64);
    g_autofree char *expected =
        g_strdup_printf("\"exitcode\": 0, \"out-data\": \"%s\", \"out-truncated\": false", base64);

    check(fixture, "\"copy\"", input, expected);
    check(fixture, "\"exit\", \"0\"", input, "\"exitcode\": 0");
}

/* It is the agent's own, or all that is given: then with what Windows needs to start anything. */
static void test_environment(CommandFixture *fixture, gconstpointer data)
{
    static const char given[] = ", \"env\": [\"A=y\", \"SystemRoot=C:\\\\windows\"]" CAPTURED;

    g_setenv("QGA_TEST", "x", TRUE);
    check(fixture, "\"print\", \"QGA_TEST\"", CAPTURED,
          "\"exitcode\": 0, " FIXTURE_EXEC_OUT("eA=="));
    check(fixture, "\"print\", \"QGA_TEST\"", given,
          "\"exitcode\": 0, " FIXTURE_EXEC_OUT("KG5vbmUp"));
    check(fixture, "\"print\", \"A\"", given, "\"exitcode\": 0, " FIXTURE_EXEC_OUT("eQ=="));
}

static void check_missing(CommandFixture *fixture, const char *path)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-exec\", \"arguments\": {\"path\": \"%s\"}}", path);
    g_autofree char *reply = fixture_ask(fixture, request);

    g_assert_nonnull(strstr(reply, "\"Failed to execute child process "));
    g_assert_nonnull(strstr(reply, path));
}

static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    check_missing(fixture, "no-such-program");
    check_missing(fixture, "");
    fixture_exec_check_error(fixture, "\"path\": \"true\", \"capture-output\": \"some\"",
                             "Parameter 'capture-output' does not accept value 'some'");
    fixture_exec_check_error(
        fixture, "\"path\": \"true\", \"capture-output\": 1",
        "Invalid parameter type for 'capture-output', expected: GuestExecCaptureOutput");
}

static void test_status_is_told_once(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *arguments = call_self("\"exit\", \"0\"", "");
    gint64 pid = fixture_exec_start(fixture, arguments);
    g_autofree char *first = fixture_exec_finish(fixture, pid);
    g_autofree char *second = fixture_exec_status(fixture, pid);
    g_autofree char *words = g_strdup_printf("PID %" G_GINT64_FORMAT " does not exist", pid);

    g_assert_nonnull(strstr(second, words));
}

static void test_output_is_bounded(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *arguments = call_self("\"fill\"", CAPTURED);
    g_autofree char *reply = fixture_exec_finish(fixture, fixture_exec_start(fixture, arguments));

    g_assert_nonnull(strstr(reply, "\"out-truncated\": true"));
    g_assert_nonnull(strstr(reply, "\"err-truncated\": false"));
    g_assert_cmpuint(strlen(reply), >, 2 * (LIMIT_EXEC_CAPTURE_BYTES / 3 * 4));
    g_assert_cmpuint(strlen(reply), <, 2 * (LIMIT_EXEC_CAPTURE_BYTES / 3 * 4) + 200);
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-')
        return run_child(argv + 1);
    self = g_strdelimit(g_canonicalize_filename(argv[0], NULL), "\\", '/');
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/exec/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("end", test_end);
    ADD("arguments", test_arguments);
    ADD("capture", test_capture);
    ADD("input", test_input);
    ADD("large-input", test_large_input);
    ADD("environment", test_environment);
    ADD("refused", test_refused);
    ADD("status-is-told-once", test_status_is_told_once);
    ADD("output-is-bounded", test_output_is_bounded);
#undef ADD
    return g_test_run();
}
