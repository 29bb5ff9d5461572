/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Keys in a home whose owner plays tricks: what is read and written is that user's own, or nothing.
 */

#include "agent/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"
#include "identity-linux.h"

#define ASK(verb, arguments)          \
    "{\"execute\": \"guest-ssh-" verb \
    "-authorized-keys\", \"arguments\": {\"username\": \"u\"" arguments "}}"
#define GET          ASK("get", "")
#define ADD_KEYS(of) ASK("add", ", \"keys\": [" of "]")
#define RESET(of)    ASK("add", ", \"keys\": [" of "], \"reset\": true")
#define REMOVE(of)   ASK("remove", ", \"keys\": [" of "]")
#define KEYS         "/.ssh/authorized_keys"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
    bench->user = "u";
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_clear(bench);
}

static void done(Bench *bench, const char *request)
{
    bench_check(bench, request, "{\"return\": {}}");
}

static void check_file(Bench *bench, const char *path, const char *expected)
{
    g_autofree char *text = bench_read(bench, path);

    g_assert_cmpstr(text, ==, expected);
}

/* @format: an error, with %s where the home's path is */
static void check_refused(Bench *bench, const char *request, const char *before, const char *after)
{
    g_autofree char *words = g_strconcat(before, bench->directory, after, NULL);

    bench_check_error(bench, request, words);
}

static guint mode_of(Bench *bench, const char *name)
{
    g_autofree char *path = g_build_filename(bench->directory, name, NULL);
    struct stat found;

    g_assert_cmpint(lstat(path, &found), ==, 0);
    return found.st_mode & 07777;
}

static void test_add(Bench *bench, gconstpointer data)
{
    mode_t mask = umask(0);

    done(bench, ADD_KEYS("\"ssh-rsa A a\", \"ssh-rsa B b\", \"ssh-rsa A a\""));
    umask(mask);
    check_file(bench, KEYS, "ssh-rsa A a\nssh-rsa B b\n");
    g_assert_cmpuint(mode_of(bench, ".ssh"), ==, 0700);
    g_assert_cmpuint(mode_of(bench, KEYS), ==, 0600);
    done(bench, ADD_KEYS("\"ssh-rsa B b\", \"ssh-rsa C c\""));
    check_file(bench, KEYS, "ssh-rsa A a\nssh-rsa B b\nssh-rsa C c\n");
    bench_check(bench, GET,
                "{\"return\": {\"keys\": [\"ssh-rsa A a\", \"ssh-rsa B b\", \"ssh-rsa C c\"]}}");
    done(bench, RESET("\"ssh-rsa D d\""));
    check_file(bench, KEYS, "ssh-rsa D d\n");
    done(bench, RESET(""));
    check_file(bench, KEYS, "");
    bench_check(bench, GET, "{\"return\": {\"keys\": []}}");
}

/* What else is in the file stays, and its last line stays a line of its own. */
static void test_other_lines(Bench *bench, gconstpointer data)
{
    bench_write(bench, KEYS, "# comment\n\n \t# other\n \nssh-rsa A a\nfrom=\"\xff\" B");
    bench_check(bench, GET,
                "{\"return\": {\"keys\": [\"ssh-rsa A a\", \"from=\\\"\\uFFFD\\\" B\"]}}");
    done(bench, ADD_KEYS("\"ssh-rsa C c\""));
    check_file(bench, KEYS,
               "# comment\n\n \t# other\n \nssh-rsa A a\nfrom=\"\xff\" B\nssh-rsa C c\n");
    done(bench, REMOVE("\"ssh-rsa A a\", \"nowhere\""));
    check_file(bench, KEYS, "# comment\n\n \t# other\n \nfrom=\"\xff\" B\nssh-rsa C c\n");
}

static void test_remove(Bench *bench, gconstpointer data)
{
    done(bench, REMOVE("\"ssh-rsa A a\""));
    g_assert_cmpint(access(bench->directory, F_OK), ==, 0);
    check_file(bench, KEYS, NULL);
    bench_write(bench, KEYS, "ssh-rsa A a\nssh-rsa A a more\nssh-rsa A a");
    done(bench, REMOVE("\"ssh-rsa A a\""));
    check_file(bench, KEYS, "ssh-rsa A a more\n");
}

static void test_nothing_there(Bench *bench, gconstpointer data)
{
    check_refused(bench, GET, "failed to read '",
                  "/.ssh/authorized_keys': No such file or directory");
    bench->user = "other";
    bench_check_error(bench, GET, "failed to lookup user 'u': no such user");
    bench_check_error(bench, ADD_KEYS("\"a\""), "failed to lookup user 'u': no such user");
    bench_check_error(bench, REMOVE("\"a\""), "failed to lookup user 'u': no such user");
}

/* What would be read back as no key, or as two. */
static void test_bad_keys(Bench *bench, gconstpointer data)
{
    bench_check_error(bench, ADD_KEYS("\"ok\", \"#x\""), "invalid OpenSSH public key: '#x'");
    bench_check_error(bench, ADD_KEYS("\"a\\nb\""), "invalid OpenSSH public key: 'a\nb'");
    bench_check_error(bench, ADD_KEYS("\"a\\r\""), "invalid OpenSSH public key: 'a\r'");
    bench_check_error(bench, ADD_KEYS("\" \""), "invalid OpenSSH public key: ' '");
    check_file(bench, KEYS, NULL);
}

/* ---- Tricks ---------------------------------------------------------------------------------- */

static void test_linked_file(Bench *bench, gconstpointer data)
{
    g_autofree char *what = g_strdup_printf("/.ssh/authorized_keys': %s", g_strerror(ELOOP));

    bench_write(bench, "/secret", "of somebody else\n");
    bench_link(bench, KEYS, "/secret");
    check_refused(bench, GET, "failed to read '", what);
    check_refused(bench, ADD_KEYS("\"k\""), "failed to read '", what);
    /* Nothing is read here: the new file takes the link's place. */
    done(bench, RESET("\"k\""));
    check_file(bench, "/secret", "of somebody else\n");
    check_file(bench, KEYS, "k\n");
}

static void test_linked_directory(Bench *bench, gconstpointer data)
{
    bench_write(bench, "/other/authorized_keys", "k\n");
    bench_link(bench, "/.ssh", "/other");
    check_refused(bench, GET, "failed to open directory '", "/.ssh': Not a directory");
    check_refused(bench, RESET("\"x\""), "failed to open directory '", "/.ssh': Not a directory");
    check_refused(bench, REMOVE("\"k\""), "failed to open directory '", "/.ssh': Not a directory");
    check_file(bench, "/other/authorized_keys", "k\n");
}

static void test_linked_new_file(Bench *bench, gconstpointer data)
{
    bench_write(bench, "/secret", "of somebody else\n");
    bench_link(bench, "/.ssh/.authorized_keys.qga", "/secret");
    done(bench, ADD_KEYS("\"k\""));
    check_file(bench, "/secret", "of somebody else\n");
    check_file(bench, KEYS, "k\n");
    check_file(bench, "/.ssh/.authorized_keys.qga", NULL);
}

static void test_second_name(Bench *bench, gconstpointer data)
{
    g_autofree char *secret = g_build_filename(bench->directory, "secret", NULL);
    g_autofree char *keys = g_build_filename(bench->directory, KEYS, NULL);

    bench_write(bench, "/secret", "of somebody else\n");
    bench_write(bench, KEYS, "");
    g_remove(keys);
    g_assert_cmpint(link(secret, keys), ==, 0);
    check_refused(bench, GET, "failed to read '",
                  "/.ssh/authorized_keys': Operation not permitted");
}

static void test_fifo(Bench *bench, gconstpointer data)
{
    g_autofree char *keys = g_build_filename(bench->directory, KEYS, NULL);

    bench_write(bench, KEYS, "");
    g_remove(keys);
    g_assert_cmpint(mkfifo(keys, 0600), ==, 0);
    check_refused(bench, GET, "failed to read '",
                  "/.ssh/authorized_keys': Operation not permitted");
}

static void test_too_large(Bench *bench, gconstpointer data)
{
    g_autofree char *text = g_strnfill(LIMIT_SSH_KEYS_BYTES, 'k');

    bench_write(bench, KEYS, text);
    check_refused(bench, ADD_KEYS("\"k\""), "failed to write '",
                  "/.ssh/authorized_keys': File too large");
    check_file(bench, KEYS, text);
    g_free(text);
    text = g_strnfill(LIMIT_SSH_KEYS_BYTES + 1, 'k');
    bench_write(bench, KEYS, text);
    check_refused(bench, GET, "failed to read '", "/.ssh/authorized_keys': File too large");
}

/* As root: what the user may not do fails, and root is root again afterwards. */
static void test_identity(Bench *bench, gconstpointer data)
{
    enum { NOBODY = 65534 };
    g_autofree char *file = g_build_filename(bench->directory, "secret", NULL);
    Identity identity;

    if (geteuid() != 0) {
        g_test_skip("only root can be another user");
        return;
    }
    bench_write(bench, "/secret", "x");
    g_assert_cmpint(g_chmod(bench->directory, 0755), ==, 0);
    g_assert_cmpint(g_chmod(file, 0600), ==, 0);
    g_assert_true(identity_take(&identity, NOBODY, NOBODY));
    g_assert_cmpint(g_access(file, F_OK), ==, 0);
    g_assert_cmpint(g_open(file, O_RDONLY | O_CLOEXEC, 0), ==, -1);
    g_assert_cmpint(errno, ==, EACCES);
    identity_drop(&identity);
    check_file(bench, "/secret", "x");
    g_assert_cmpint(getgroups(0, NULL), >=, 0);
}

/* A directory of somebody else, in a home that this user may write to. */
static void test_foreign_directory(Bench *bench, gconstpointer data)
{
    g_autofree char *path = g_build_filename(bench->directory, ".ssh", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root can make it");
        return;
    }
    bench_write(bench, KEYS, "k\n");
    g_assert_cmpint(chown(path, 65534, 65534), ==, 0);
    check_refused(bench, GET, "failed to open directory '", "/.ssh': Operation not permitted");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/ssh-keys/" name, Bench, NULL, set_up, function, tear_down)
    ADD("add", test_add);
    ADD("other-lines", test_other_lines);
    ADD("remove", test_remove);
    ADD("nothing-there", test_nothing_there);
    ADD("bad-keys", test_bad_keys);
    ADD("linked-file", test_linked_file);
    ADD("linked-directory", test_linked_directory);
    ADD("linked-new-file", test_linked_new_file);
    ADD("second-name", test_second_name);
    ADD("fifo", test_fifo);
    ADD("too-large", test_too_large);
    ADD("identity", test_identity);
    ADD("foreign-directory", test_foreign_directory);
#undef ADD
    return g_test_run();
}
