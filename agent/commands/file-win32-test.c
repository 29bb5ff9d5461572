/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What Windows has of its own in files: bytes that C libraries change in text, folders, names
 * beyond ASCII, and reads that wait. */

#include "agent/fixture-file.h"

#include <glib/gstdio.h>
#include <string.h>
#include <windows.h>

#define PIPE      "\\\\.\\pipe\\qga-file-test"
#define JSON_PIPE "//./pipe/qga-file-test"

/* Line ends, and the byte that ends a text file, pass unchanged in both directions. */
static void test_bytes(FileFixture *fixture, gconstpointer data)
{
    static const char bytes[] = "a\nb\r\nc\x1a"
                                "d\n";
    g_autofree char *base64 = g_base64_encode((const guchar *)bytes, sizeof(bytes));
    g_autofree char *got = g_strdup_printf(GOT("10", "%s", "true"), base64);
    g_autofree char *text = NULL;
    gsize len;

    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "w"));
    CHECK(fixture, "{\"return\": {\"count\": 10, \"eof\": false}}",
          "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": 1000, \"buf-b64\": "
          "\"%s\"}}",
          base64);
    g_assert_true(g_file_get_contents(fixture->path, &text, &len, NULL));
    g_assert_cmpmem(text, len, bytes, sizeof(bytes));
    CHECK(fixture, "{\"return\": 1001}", OPEN(fixture->path, "r"));
    CHECK(fixture, got, READ(1001, 100));
}

static void test_names(FileFixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_strconcat(fixture->path, "-\xC3\xA4\xE2\x82\xAC", NULL);

    CHECK(fixture, "{\"return\": 1000}", OPEN(path, "w"));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
    g_assert_true(g_file_test(path, G_FILE_TEST_IS_REGULAR));
}

static void test_folder(FileFixture *fixture, gconstpointer data)
{
    g_autofree char *reply = NULL;

    g_assert_cmpint(g_mkdir(fixture->path, 0700), ==, 0);
    reply = file_fixture_ask(fixture, OPEN(fixture->path, "r"));
    g_assert_nonnull(strstr(reply, "(mode: 'r'): Permission denied"));
}

/* Windows lets a read of a pipe wait; that keeps no other command waiting. */
static void test_waiting_read(FileFixture *fixture, gconstpointer data)
{
    HANDLE pipe = CreateNamedPipeA(PIPE, PIPE_ACCESS_OUTBOUND, PIPE_TYPE_BYTE, 1, 64, 64, 0, NULL);
    CommandFixture *base = &fixture->base;
    DWORD written;

    g_assert_true(pipe != INVALID_HANDLE_VALUE);
    g_free(fixture_ask(base, "{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": "
                             "{\"enable\": [\"pipeline\"]}}"));
    CHECK(fixture, "",
          "{\"execute\": \"guest-file-open\", \"id\": 2, \"arguments\": {\"path\": \"%s\"}}",
          JSON_PIPE);
    while (dispatch_is_working(&base->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(base->replies->str, ==, "{\"return\": 1000, \"id\": 2}\n");
    g_string_truncate(base->replies, 0);
    CHECK(fixture, "",
          "{\"execute\": \"guest-file-read\", \"id\": 3, \"arguments\": {\"handle\": "
          "1000, \"count\": 3}}");
    CHECK(fixture, "{\"return\": {}, \"id\": 4}", "{\"execute\": \"guest-ping\", \"id\": 4}");
    g_assert_true(dispatch_is_working(&base->dispatch));
    g_assert_true(WriteFile(pipe, "abc", 3, &written, NULL));
    while (dispatch_is_working(&base->dispatch))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(base->replies->str, ==,
                    "{\"return\": {\"count\": 3, \"buf-b64\": \"YWJj\", \"eof\": false}, \"id\": "
                    "3}\n");
    CloseHandle(pipe);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                         \
    g_test_add("/file-win32/" name, FileFixture, NULL, file_fixture_init, function, \
               file_fixture_clear)
    ADD("bytes", test_bytes);
    ADD("names", test_names);
    ADD("folder", test_folder);
    ADD("waiting-read", test_waiting_read);
#undef ADD
    return g_test_run();
}
