/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Files behave as through stdio, and a pipe loses nothing. */

#include "agent/bench.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"

typedef struct {
    Bench bench;
    char *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    bench_init(&fixture->bench, NULL);
    fixture->path = g_build_filename(fixture->bench.directory, "file", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    bench_clear(&fixture->bench);
    g_free(fixture->path);
}

static char *ask(Fixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Returns: the reply, without its line end */
static char *ask(Fixture *fixture, const char *format, ...)
{
    g_autofree char *request = NULL;
    va_list args;

    va_start(args, format);
    request = g_strdup_vprintf(format, args);
    va_end(args);
    return g_strchomp(bench_ask(&fixture->bench, request));
}

#define CHECK(fixture, reply, ...)                          \
    G_STMT_START                                            \
    {                                                       \
        g_autofree char *found = ask(fixture, __VA_ARGS__); \
        g_assert_cmpstr(found, ==, reply);                  \
    }                                                       \
    G_STMT_END

#define OPEN(path, mode)                                                             \
    "{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"%s\", \"mode\":" \
    " \"" mode "\"}}",                                                               \
        path
#define READ(handle, count)                                                                       \
    "{\"execute\": \"guest-file-read\", \"arguments\": {\"handle\": %d, \"count\": %d}}", handle, \
        count
#define WRITE(handle, data)                                                            \
    "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": %d, \"buf-b64\":" \
    " \"" data "\"}}",                                                                 \
        handle
#define WRITE_SOME(handle, data, count)                                                \
    "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": %d, \"buf-b64\":" \
    " \"" data "\", \"count\": %d}}",                                                  \
        handle, count
#define SEEK(handle, offset, whence)                                                     \
    "{\"execute\": \"guest-file-seek\", \"arguments\": {\"handle\": %d, \"offset\": %d," \
    " \"whence\": " whence "}}",                                                         \
        handle, offset
#define CLOSE(handle) "{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": %d}}", handle
#define FLUSH(handle) "{\"execute\": \"guest-file-flush\", \"arguments\": {\"handle\": %d}}", handle
#define ERROR(desc)   "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}"
#define GOT(count, data, eof) \
    "{\"return\": {\"count\": " count ", \"buf-b64\": \"" data "\", \"eof\": " eof "}}"

static void test_transcript(Fixture *fixture, gconstpointer data)
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

static void test_end_of_file(Fixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->path, "hello", -1, NULL);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r"));
    CHECK(fixture, GOT("5", "aGVsbG8=", "false"), READ(1000, 5)); /* not met yet */
    CHECK(fixture, GOT("0", "", "false"), READ(1000, 0));
    CHECK(fixture, GOT("0", "", "true"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {\"position\": 4, \"eof\": false}}", SEEK(1000, -1, "\"cur\""));
    CHECK(fixture, GOT("1", "bw==", "true"), READ(1000, 2));
}

static void test_seek(Fixture *fixture, gconstpointer data)
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

static void test_modes(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = NULL;
    struct stat file;

    CHECK(fixture,
          ERROR("failed to open file '/nonexistent/x' (mode: 'w'): No such file or directory"),
          OPEN("/nonexistent/x", "w"));
    CHECK(fixture, ERROR("invalid file open mode 'rw'"), OPEN(fixture->path, "rw"));
    CHECK(fixture, ERROR("invalid file open mode ''"), OPEN(fixture->path, ""));

    umask(077);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "a"));
    g_assert_cmpint(stat(fixture->path, &file), ==, 0);
    g_assert_cmpuint(file.st_mode & 0777, ==, 0666);
    CHECK(fixture, ERROR("failed to read file: Bad file descriptor"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {\"count\": 3, \"eof\": false}}", WRITE(1000, "YWJj"));
    CHECK(fixture, "{\"return\": 1001}", OPEN(fixture->path, "a+b"));
    CHECK(fixture, GOT("3", "YWJj", "true"), READ(1001, 9));
    CHECK(fixture, "{\"return\": {\"position\": 0, \"eof\": false}}", SEEK(1001, 0, "0"));
    CHECK(fixture, "{\"return\": {\"count\": 3, \"eof\": false}}", WRITE(1001, "ZGVm"));
    g_file_get_contents(fixture->path, &text, NULL, NULL);
    g_assert_cmpstr(text, ==, "abcdef");

    g_chmod(fixture->path, 0640);
    CHECK(fixture, "{\"return\": 1002}", OPEN(fixture->path, "wb"));
    g_assert_cmpint(stat(fixture->path, &file), ==, 0);
    g_assert_cmpuint(file.st_mode & 0777, ==, 0640);
    g_assert_cmpint(file.st_size, ==, 0);
    CHECK(fixture, "{\"return\": 1003}", OPEN(fixture->path, "r"));
    CHECK(fixture, ERROR("failed to write to file: Bad file descriptor"), WRITE(1003, "YWJj"));
}

static void test_dangling_link(Fixture *fixture, gconstpointer data)
{
    g_autofree char *link = g_strconcat(fixture->path, "-link", NULL);

    g_assert_cmpint(symlink(fixture->path, link), ==, 0);
    CHECK(fixture, "{\"return\": 1000}", OPEN(link, "w"));
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_IS_REGULAR));
}

static void test_counts(Fixture *fixture, gconstpointer data)
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

static void test_unknown_handle(Fixture *fixture, gconstpointer data)
{
    CHECK(fixture, ERROR("handle '7' has not been found"), READ(7, 1));
    CHECK(fixture, ERROR("handle '7' has not been found"), WRITE(7, ""));
    CHECK(fixture, ERROR("handle '7' has not been found"), SEEK(7, 0, "0"));
    CHECK(fixture, ERROR("handle '7' has not been found"), FLUSH(7));
    CHECK(fixture, ERROR("handle '7' has not been found"), CLOSE(7));
}

static void test_large(Fixture *fixture, gconstpointer data)
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

/* What came before the pipe ran dry is handed out; only then is the host told to come back. */
static void test_pipe(Fixture *fixture, gconstpointer data)
{
    int writer;

    g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "r"));
    CHECK(fixture, GOT("0", "", "true"), READ(1000, 10));
    writer = open(fixture->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fixture, ERROR("failed to read file: Resource temporarily unavailable"), READ(1000, 10));
    g_assert_cmpint(write(writer, "abc", 3), ==, 3);
    CHECK(fixture, GOT("3", "YWJj", "false"), READ(1000, 10));
    CHECK(fixture, ERROR("failed to read file: Resource temporarily unavailable"), READ(1000, 10));
    close(writer);
    CHECK(fixture, GOT("0", "", "true"), READ(1000, 10));
}

static void test_full_pipe(Fixture *fixture, gconstpointer data)
{
    g_autofree char *text = g_strnfill(100 * 1000, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)text, 100 * 1000);
    int reader;

    g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
    reader = open(fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "w"));
    CHECK(fixture, "{\"return\": {\"count\": 65536, \"eof\": false}}",
          "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": 1000, \"buf-b64\": "
          "\"%s\"}}",
          base64);
    CHECK(fixture, ERROR("failed to write to file: Resource temporarily unavailable"),
          WRITE(1000, "YWJj"));
    close(reader);
}

static void test_directory(Fixture *fixture, gconstpointer data)
{
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->bench.directory, "r"));
    CHECK(fixture, ERROR("failed to read file: Is a directory"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
}

static void test_too_many(Fixture *fixture, gconstpointer data)
{
    g_autofree char *words =
        g_strdup_printf(ERROR("too many open files: there may be %d"), LIMIT_FILE_HANDLES);

    for (guint i = 0; i < LIMIT_FILE_HANDLES; i++) {
        g_autofree char *reply = ask(fixture, OPEN("/dev/null", "r"));

        g_assert_true(g_str_has_prefix(reply, "{\"return\": "));
    }
    CHECK(fixture, words, OPEN("/dev/null", "r"));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
    CHECK(fixture, "{\"return\": 1512}", OPEN("/dev/null", "r"));
    CHECK(fixture, GOT("0", "", "true"), READ(1001, 1)); /* the others still work */
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/file/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("transcript", test_transcript);
    ADD("end-of-file", test_end_of_file);
    ADD("seek", test_seek);
    ADD("modes", test_modes);
    ADD("dangling-link", test_dangling_link);
    ADD("counts", test_counts);
    ADD("unknown-handle", test_unknown_handle);
    ADD("large", test_large);
    ADD("pipe", test_pipe);
    ADD("full-pipe", test_full_pipe);
    ADD("directory", test_directory);
    ADD("too-many", test_too_many);
#undef ADD
    return g_test_run();
}
