/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Programs get what they are given, byte by byte, and are told of when they end. The program that
 * is started is this one again. */

#include "agent/process.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static const char *self;

/* ---- As a child ------------------------------------------------------------------------------ */

static void write_arguments(void)
{
    g_auto(GStrv) words = g_win32_get_command_line();

    for (guint i = 2; words[i] != NULL; i++)
        printf("[%s]", words[i]);
}

static void copy_input(void)
{
    static char buffer[65536];
    gsize got;

    while ((got = fread(buffer, 1, sizeof(buffer), stdin)) > 0)
        fwrite(buffer, 1, got, stdout);
}

/* Leaves this program behind, as @verb. */
static void leave_behind(const char *verb)
{
    STARTUPINFOW startup = {.cb = sizeof(startup)};
    PROCESS_INFORMATION info;
    g_autofree char *line = g_strdup_printf("\"%s\" %s", self, verb);
    g_autofree wchar_t *wide = g_utf8_to_utf16(line, -1, NULL, NULL, NULL);

    if (CreateProcessW(NULL, wide, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &info))
        printf("left %lu", info.dwProcessId);
}

static int run_child(const char *verb, const char *argument)
{
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
    if (strcmp(verb, "arguments") == 0)
        write_arguments();
    else if (strcmp(verb, "copy") == 0)
        copy_input();
    else if (strcmp(verb, "both") == 0)
        printf("out"), fflush(stdout), fprintf(stderr, "err");
    else if (strcmp(verb, "exit") == 0)
        ExitProcess((UINT)strtoul(argument, NULL, 0));
    else if (strcmp(verb, "env") == 0)
        printf("%s", g_getenv(argument) != NULL ? g_getenv(argument) : "(none)");
    else if (strcmp(verb, "leave") == 0)
        leave_behind(argument);
    else if (strcmp(verb, "sleep") == 0)
        Sleep(60000);
    else if (strcmp(verb, "late-copy") == 0)
        Sleep(1000), copy_input();
    return 0;
}

/* ---- As a test ------------------------------------------------------------------------------- */

typedef struct {
    Process *process;
    gboolean ended;
} Child;

static void on_end(Process *process, gpointer user)
{
    ((Child *)user)->ended = TRUE;
}

static void spawn(Child *child, ProcessSpec spec)
{
    GError *error = NULL;

    spec.ended = on_end;
    spec.user = child;
    child->ended = FALSE;
    child->process = process_spawn(&spec, &error);
    g_assert_no_error(error);
}

static void await(Child *child)
{
    while (!child->ended)
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(process_has_ended(child->process));
}

static void run(Child *child, ProcessSpec spec)
{
    spawn(child, spec);
    await(child);
}

static void test_arguments(void)
{
    const char *const argv[] = {self,         "arguments",
                                "",           "two words",
                                "say \"hi\"", "C:\\a path\\",
                                "\\\"\\\\\"", "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
                                "%PATH%",     "*",
                                NULL};
    Child child;

    run(&child, (ProcessSpec){.argv = argv, .capture = PROCESS_CAPTURE_OUT, .capture_limit = 4096});
    g_assert_cmpstr(process_out(child.process)->data->str, ==,
                    "[][two words][say \"hi\"][C:\\a path\\][\\\"\\\\\"]"
                    "[\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80][%PATH%][*]");
    g_assert_cmpint(process_status(child.process), ==, 0);
    process_free(child.process);
}

static void check_capture(ProcessCapture capture, const char *out, const char *err)
{
    const char *const argv[] = {self, "both", NULL};
    Child child;

    run(&child, (ProcessSpec){.argv = argv, .capture = capture, .capture_limit = 4096});
    g_assert_cmpstr(process_out(child.process)->data->str, ==, out);
    g_assert_cmpstr(process_err(child.process)->data->str, ==, err);
    process_free(child.process);
}

static void test_captures(void)
{
    check_capture(0, "", "");
    check_capture(PROCESS_CAPTURE_OUT, "out", "");
    check_capture(PROCESS_CAPTURE_ERR, "", "err");
    check_capture(PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_ERR, "out", "err");
    check_capture(PROCESS_CAPTURE_MERGED, "outerr", "");
}

/* More than any pipe holds, with every byte there is; and no more is kept than is allowed. */
static void test_input(void)
{
    enum { BYTES = 1000000, LIMIT = 999000 };
    const char *const argv[] = {self, "copy", NULL};
    g_autofree char *data = g_malloc(BYTES);
    const ProcessOutput *out;
    Child child;

    for (gsize i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 + i / 256);
    run(&child, (ProcessSpec){.argv = argv,
                              .capture = PROCESS_CAPTURE_OUT,
                              .capture_limit = LIMIT,
                              .input = data,
                              .input_len = BYTES});
    out = process_out(child.process);
    g_assert_cmpmem(out->data->str, out->data->len, data, LIMIT);
    g_assert_true(out->truncated);
    while (
        out->open) /* what Wine starts beside a program for its console holds it a little longer */
        g_main_context_iteration(NULL, TRUE);
    process_free(child.process);
}

static void check_status(const char *number, gint64 status)
{
    const char *const argv[] = {self, "exit", number, NULL};
    Child child;

    run(&child, (ProcessSpec){.argv = argv});
    g_assert_cmpint(process_status(child.process), ==, status);
    process_free(child.process);
}

/* Numbers of exceptions are told apart from what programs return, -1 among that. */
static void test_status(void)
{
    check_status("0", 0);
    check_status("3", 3);
    check_status("0x80000001", G_GINT64_CONSTANT(0x80000001));
    check_status("0xC0000005", -G_GINT64_CONSTANT(0xC0000005));
    check_status("0xFFFFFFFF", G_GINT64_CONSTANT(0xFFFFFFFF));
}

static void test_environment(void)
{
    const char *const argv[] = {self, "env", "WORD", NULL};
    const char *const env[] = {"WORD=\xC3\xA4 b", "SystemRoot=C:\\windows", NULL};
    Child child;

    g_setenv("WORD", "inherited", TRUE);
    run(&child, (ProcessSpec){.argv = argv, .capture = PROCESS_CAPTURE_OUT, .capture_limit = 99});
    g_assert_cmpstr(process_out(child.process)->data->str, ==, "inherited");
    process_free(child.process);
    run(&child, (ProcessSpec){
                    .argv = argv, .env = env, .capture = PROCESS_CAPTURE_OUT, .capture_limit = 99});
    g_assert_cmpstr(process_out(child.process)->data->str, ==, "\xC3\xA4 b");
    process_free(child.process);
}

static gboolean is_running(DWORD id)
{
    HANDLE handle = OpenProcess(SYNCHRONIZE, FALSE, id);
    gboolean running = handle != NULL && WaitForSingleObject(handle, 0) == WAIT_TIMEOUT;

    if (handle != NULL)
        CloseHandle(handle);
    return running;
}

static void end_program(DWORD id)
{
    HANDLE handle = OpenProcess(PROCESS_TERMINATE | SYNCHRONIZE, FALSE, id);

    g_assert_nonnull(handle);
    TerminateProcess(handle, 0);
    WaitForSingleObject(handle, INFINITE);
    CloseHandle(handle);
}

/* It is the program's own end that counts, whoever still holds its output. */
static void test_descendant(void)
{
    const char *const argv[] = {self, "leave", "sleep", NULL};
    Child child;
    DWORD id = 0;

    run(&child, (ProcessSpec){.argv = argv, .capture = PROCESS_CAPTURE_OUT, .capture_limit = 99});
    g_assert_cmpint(sscanf(process_out(child.process)->data->str, "left %lu", &id), ==, 1);
    g_assert_true(process_out(child.process)->open);
    g_assert_true(is_running(id));
    process_free(child.process);
    end_program(id);
}

/* Which gets all of the input that the program has left to it. */
static void test_descendant_reads_input(void)
{
    enum { BYTES = 1000000 };
    const char *const argv[] = {self, "leave", "late-copy", NULL};
    g_autofree char *data = g_strnfill(BYTES, 'x');
    const ProcessOutput *out;
    Child child;

    run(&child, (ProcessSpec){.argv = argv,
                              .capture = PROCESS_CAPTURE_OUT,
                              .capture_limit = 2 * BYTES,
                              .input = data,
                              .input_len = BYTES});
    out = process_out(child.process);
    g_assert_true(out->open);
    while (out->open)
        g_main_context_iteration(NULL, TRUE);
    g_assert_true(g_str_has_suffix(out->data->str, data));
    process_free(child.process);
}

static void test_kill(void)
{
    const char *const argv[] = {self, "sleep", NULL};
    Child child;

    spawn(&child, (ProcessSpec){.argv = argv});
    process_kill(child.process);
    await(&child);
    g_assert_cmpint(process_status(child.process), ==, 137);
    process_kill(child.process); /* does nothing */
    process_free(child.process);
}

static void test_missing(void)
{
    const char *const argv[] = {"no-such-program", NULL};
    g_autoptr(GError) error = NULL;

    g_assert_null(process_spawn(&(ProcessSpec){.argv = argv}, &error));
    g_assert_nonnull(strstr(error->message, "Failed to execute child process"));
    g_assert_nonnull(strstr(error->message, "no-such-program"));
}

/* A zero byte, which is C0 80 where JSON has it, can be in no argument, of a batch file neither;
 * the program is not started without. */
static void test_unfit(void)
{
    static const char *const batch = "qga-process-test.cmd";
    const char *const argv[] = {self, "arguments", "fit", "a\xC0\x80z", NULL};
    const char *const words[] = {batch, "a\xC0\x80z", NULL};
    const char *const *const unfit[] = {argv, words};

    g_assert_true(g_file_set_contents(batch, "@exit 0\r\n", -1, NULL));
    for (guint i = 0; i < G_N_ELEMENTS(unfit); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(process_spawn(&(ProcessSpec){.argv = unfit[i]}, &error));
        g_assert_cmpstr(error->message, ==, "Invalid string in argument vector");
    }
    g_assert_true(DeleteFileA(batch));
}

/* Handles go with the programs. */
static void test_handles(void)
{
    const char *const argv[] = {self, "both", NULL};
    DWORD before, after;
    Child child;

    for (guint i = 0; i < 10; i++) {
        if (i == 2)
            GetProcessHandleCount(GetCurrentProcess(), &before);
        run(&child, (ProcessSpec){.argv = argv,
                                  .capture = PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_ERR,
                                  .capture_limit = 99,
                                  .input = "x",
                                  .input_len = 1});
        process_free(child.process);
    }
    GetProcessHandleCount(GetCurrentProcess(), &after);
    g_assert_cmpuint(after, <=, before);
}

int main(int argc, char **argv)
{
    wchar_t path[MAX_PATH];

    GetModuleFileNameW(NULL, path, MAX_PATH);
    self = g_utf16_to_utf8(path, -1, NULL, NULL, NULL);
    if (argc > 1 && argv[1][0] != '-')
        return run_child(argv[1], argc > 2 ? argv[2] : NULL);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/process/arguments", test_arguments);
    g_test_add_func("/process/captures", test_captures);
    g_test_add_func("/process/input", test_input);
    g_test_add_func("/process/status", test_status);
    g_test_add_func("/process/environment", test_environment);
    g_test_add_func("/process/descendant", test_descendant);
    g_test_add_func("/process/descendant-reads-input", test_descendant_reads_input);
    g_test_add_func("/process/kill", test_kill);
    g_test_add_func("/process/missing", test_missing);
    g_test_add_func("/process/unfit", test_unfit);
    g_test_add_func("/process/handles", test_handles);
    return g_test_run();
}
