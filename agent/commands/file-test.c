/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Files behave as through stdio. */

#include "agent/fixture-file.h"

#include "common/limits.h"

static void test_transcript(FileFixture *fixture, gconstpointer data)
{
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "w+"));
    CHECK(fixture, "{\"return\": {\"count\": 13, \"eof\": false}}",
          WRITE(1000, "aGVsbG8gd29ybGQhCg=="));
    CHECK(fixture, "{\"return\": {}}", FLUSH(1000));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
    CHECK(fixture, "{\"return\": 1001}", OPEN(fixture->path, "r"));
    CHECK(fixture, GOT("13", "aGVsbG8gd29ybGQhCg==", "true"), READ(1001, 1024));
    CHECK(fixture, GOT("0", "", "true"), READ(1001, 1024));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1001));
}

static void test_end_of_file(FileFixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->path, "hello", -1, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r"));
    CHECK(fixture, GOT("5", "aGVsbG8=", "false"), READ(1000, 5)); /* not met yet */
    CHECK(fixture, GOT("0", "", "false"), READ(1000, 0));
    CHECK(fixture, GOT("0", "", "true"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {\"position\": 4, \"eof\": false}}", SEEK(1000, -1, "\"cur\""));
    CHECK(fixture, GOT("1", "bw==", "true"), READ(1000, 2));
}

static void test_seek(FileFixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->path, "0123456789", -1, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r+"));
    CHECK(fixture, "{\"return\": {\"position\": 3, \"eof\": false}}", SEEK(1000, 3, "0"));
    CHECK(fixture, "{\"return\": {\"position\": 5, \"eof\": false}}", SEEK(1000, 2, "1"));
    CHECK(fixture, "{\"return\": {\"position\": 9, \"eof\": false}}", SEEK(1000, -1, "2"));
    CHECK(fixture, "{\"return\": {\"position\": 20, \"eof\": false}}", SEEK(1000, 20, "\"set\""));
    CHECK(fixture, "{\"return\": {\"position\": 10, \"eof\": false}}", SEEK(1000, 0, "\"end\""));
    CHECK(fixture, ERROR("invalid whence code 3"), SEEK(1000, 0, "3"));
    CHECK(fixture, ERROR("invalid whence code -1"), SEEK(1000, 0, "-1"));
    CHECK(fixture, ERROR("Parameter 'whence' does not accept value 'up'"), SEEK(1000, 0, "\"up\""));
    CHECK(fixture, ERROR("Invalid parameter type for 'whence', expected: GuestFileWhence"),
          SEEK(1000, 0, "true"));
    CHECK(fixture, ERROR("failed to seek file: Invalid argument"), SEEK(1000, -1, "0"));
}

static void test_modes(FileFixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;
    g_autofree char *emptied = NULL;

    CHECK(fixture,
          ERROR("failed to open file '/nonexistent/x' (mode: 'w'): No such file or directory"),
          OPEN("/nonexistent/x", "w"));
    CHECK(fixture, ERROR("invalid file open mode 'rw'"), OPEN(fixture->path, "rw"));
    CHECK(fixture, ERROR("invalid file open mode ''"), OPEN(fixture->path, ""));

    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "a"));
    CHECK(fixture, ERROR("failed to read file: Bad file descriptor"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {\"count\": 3, \"eof\": false}}", WRITE(1000, "YWJj"));
    CHECK(fixture, "{\"return\": 1001}", OPEN(fixture->path, "a+b"));
    CHECK(fixture, GOT("3", "YWJj", "true"), READ(1001, 9));
    CHECK(fixture, "{\"return\": {\"position\": 0, \"eof\": false}}", SEEK(1001, 0, "0"));
    CHECK(fixture, "{\"return\": {\"count\": 3, \"eof\": false}}", WRITE(1001, "ZGVm"));
    g_file_get_contents(fixture->path, &text, NULL, NULL);
    g_assert_cmpstr(text, ==, "abcdef");

    CHECK(fixture, "{\"return\": 1002}", OPEN(fixture->path, "wb"));
    g_file_get_contents(fixture->path, &emptied, NULL, NULL);
    g_assert_cmpstr(emptied, ==, "");
    CHECK(fixture, "{\"return\": 1003}", OPEN(fixture->path, "r"));
    CHECK(fixture, ERROR("failed to write to file: Bad file descriptor"), WRITE(1003, "YWJj"));
}

static void test_counts(FileFixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->path, "", -1, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r+"));
    CHECK(fixture, ERROR("value '-1' is invalid for argument count"), READ(1000, -1));
    CHECK(fixture, GOT("0", "", "true"), READ(1000, (int)LIMIT_FILE_READ_BYTES));
    CHECK(fixture, ERROR("value '50331649' is invalid for argument count"),
          READ(1000, (int)LIMIT_FILE_READ_BYTES + 1));
    CHECK(fixture, ERROR("value '4' is invalid for argument count"), WRITE_SOME(1000, "YWJj", 4));
    CHECK(fixture, ERROR("value '-1' is invalid for argument count"), WRITE_SOME(1000, "YWJj", -1));
    CHECK(fixture, "{\"return\": {\"count\": 2, \"eof\": false}}", WRITE_SOME(1000, "YWJj", 2));
    CHECK(fixture, ERROR("Base64 data contains invalid characters"), WRITE(1000, "YW!j"));
    CHECK(fixture, "{\"return\": {\"position\": 0, \"eof\": false}}", SEEK(1000, 0, "0"));
    CHECK(fixture, GOT("2", "YWI=", "true"), READ(1000, 9));
}

static void test_unknown_handle(FileFixture *fixture, gconstpointer data)
{
    CHECK(fixture, ERROR("handle '7' has not been found"), READ(7, 1));
    CHECK(fixture, ERROR("handle '7' has not been found"), WRITE(7, ""));
    CHECK(fixture, ERROR("handle '7' has not been found"), SEEK(7, 0, "0"));
    CHECK(fixture, ERROR("handle '7' has not been found"), FLUSH(7));
    CHECK(fixture, ERROR("handle '7' has not been found"), CLOSE(7));
}

static void test_large(FileFixture *fixture, gconstpointer data)
{
    const gsize size = 1000 * 1000;
    g_autofree char *text = g_strnfill(size, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)text, size);
    g_autofree char *expected = g_strdup_printf(
        "{\"return\": {\"count\": 1000000, \"buf-b64\": \"%s\", \"eof\": true}}", base64);

    g_file_set_contents(fixture->path, text, (gssize)size, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r"));
    CHECK(fixture, expected, READ(1000, 1000 * 1000 + 1));
}

/* Some of it, all of it, and more than there is: the same bytes, wherever they were read to. */
static void test_lengths(FileFixture *fixture, gconstpointer data)
{
    static const gsize lengths[] = {1,   2,   3,     62,    63,    64,    191,
                                    192, 193, 65535, 65536, 65537, 200000};
    g_autofree guint8 *bytes = g_malloc(200000);

    for (gsize i = 0; i < 200000; i++)
        bytes[i] = (guint8)(i * 7 + i / 256);
    g_file_set_contents(fixture->path, (const char *)bytes, 200000, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r"));
    for (guint i = 0; i < G_N_ELEMENTS(lengths); i++) {
        const gsize len = lengths[i];
        g_autofree char *tail = g_base64_encode(bytes + 200000 - len, len);
        g_autofree char *more = g_strdup_printf(GOT("%d", "%s", "true"), (int)len, tail);
        g_autofree char *exact = g_strdup_printf(GOT("%d", "%s", "false"), (int)len, tail);
        g_autofree char *head = g_base64_encode(bytes, len);
        g_autofree char *some = g_strdup_printf(GOT("%d", "%s", "false"), (int)len, head);
        g_autofree char *at =
            g_strdup_printf("{\"return\": {\"position\": %d, \"eof\": false}}", 200000 - (int)len);

        CHECK(fixture, at, SEEK(1000, -(int)len, "\"end\""));
        CHECK(fixture, more, READ(1000, 300000));
        CHECK(fixture, at, SEEK(1000, -(int)len, "\"end\""));
        CHECK(fixture, exact, READ(1000, (int)len));
        CHECK(fixture, "{\"return\": {\"position\": 0, \"eof\": false}}", SEEK(1000, 0, "0"));
        CHECK(fixture, some, READ(1000, (int)len));
    }
}

static void test_too_many(FileFixture *fixture, gconstpointer data)
{
    g_autofree char *words =
        g_strdup_printf(ERROR("too many open files: there may be %d"), LIMIT_FILE_HANDLES);

    g_file_set_contents(fixture->path, "", 0, NULL);
    for (guint i = 0; i < LIMIT_FILE_HANDLES; i++) {
        g_autofree char *reply = file_fixture_ask(fixture, OPEN(fixture->path, "r"));

        g_assert_true(g_str_has_prefix(reply, "{\"return\": "));
    }
    CHECK(fixture, words, OPEN(fixture->path, "r"));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
    CHECK(fixture, "{\"return\": 1512}", OPEN(fixture->path, "r"));
    CHECK(fixture, GOT("0", "", "true"), READ(1001, 1)); /* the others still work */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/file/" name, FileFixture, NULL, file_fixture_init, function, file_fixture_clear)
    ADD("transcript", test_transcript);
    ADD("end-of-file", test_end_of_file);
    ADD("seek", test_seek);
    ADD("modes", test_modes);
    ADD("counts", test_counts);
    ADD("unknown-handle", test_unknown_handle);
    ADD("large", test_large);
    ADD("lengths", test_lengths);
    ADD("too-many", test_too_many);
#undef ADD
    return g_test_run();
}
