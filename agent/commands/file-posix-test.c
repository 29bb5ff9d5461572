/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What only POSIX systems have: a pipe with a name loses nothing, links, modes, directories that
 * are opened. */

#include "agent/fixture-file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new file is everybody's, whatever the agent's own settings are; an old one keeps its mode. */
static void test_mode_bits(FileFixture *fixture, gconstpointer data)
{
    struct stat file;

    umask(077);
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->path, "a"));
    g_assert_cmpint(stat(fixture->path, &file), ==, 0);
    g_assert_cmpuint(file.st_mode & 0777, ==, 0666);
    g_chmod(fixture->path, 0640);
    CHECK(fixture, "{\"return\": 1001}", OPEN(fixture->path, "wb"));
    g_assert_cmpint(stat(fixture->path, &file), ==, 0);
    g_assert_cmpuint(file.st_mode & 0777, ==, 0640);
}

static void test_dangling_link(FileFixture *fixture, gconstpointer data)
{
    g_autofree char *link = g_strconcat(fixture->path, "-link", NULL);

    g_assert_cmpint(symlink(fixture->path, link), ==, 0);
    CHECK(fixture, "{\"return\": 1000}", OPEN(link, "w"));
    g_assert_true(g_file_test(fixture->path, G_FILE_TEST_IS_REGULAR));
}

/* What came before the pipe ran dry is handed out; only then is the host told to come back. */
static void test_pipe(FileFixture *fixture, gconstpointer data)
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

static void test_full_pipe(FileFixture *fixture, gconstpointer data)
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

static void test_directory(FileFixture *fixture, gconstpointer data)
{
    CHECK(fixture, "{\"return\": 1000}", OPEN(fixture->base.directory, "r"));
    CHECK(fixture, ERROR("failed to read file: Is a directory"), READ(1000, 1));
    CHECK(fixture, "{\"return\": {}}", CLOSE(1000));
}

/* The kernel's say that there is nothing, or a page. */
static void test_wrong_size(FileFixture *fixture, gconstpointer data)
{
    static const char *const paths[] = {"/proc/version", "/proc/self/limits",
                                        "/sys/kernel/rcu_expedited"};

    for (guint i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *text = NULL;
        g_autofree char *base64 = NULL;
        g_autofree char *opened = g_strdup_printf("{\"return\": %u}", 1000 + i);
        g_autofree char *expected = NULL;
        gsize len;

        if (!g_file_get_contents(paths[i], &text, &len, NULL)) {
            g_test_skip("the kernel does not show such a file");
            return;
        }
        base64 = g_base64_encode((const guchar *)text, len);
        expected = g_strdup_printf(GOT("%d", "%s", "true"), (int)len, base64);
        CHECK(fixture, opened, OPEN(paths[i], "r"));
        CHECK(fixture, expected, READ(1000 + (int)i, 100000));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function)                                                         \
    g_test_add("/file-posix/" name, FileFixture, NULL, file_fixture_init, function, \
               file_fixture_clear)
    ADD("mode-bits", test_mode_bits);
    ADD("dangling-link", test_dangling_link);
    ADD("pipe", test_pipe);
    ADD("full-pipe", test_full_pipe);
    ADD("directory", test_directory);
    ADD("wrong-size", test_wrong_size);
#undef ADD
    return g_test_run();
}
