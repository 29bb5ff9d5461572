/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Keys in a home whose owner plays tricks: what is read and written is that user's own, or nothing.
 */

#include "agent/fixture.h"

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

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
    fixture->user = "u";
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_clear(fixture);
}

static void done(CommandFixture *fixture, const char *request)
{
    fixture_check(fixture, request, "{\"return\": {}}");
}

static void check_file(CommandFixture *fixture, const char *path, const char *expected)
{
    g_autofree char *text = fixture_read(fixture, path);

    g_assert_cmpstr(text, ==, expected);
}

/* @format: an error, with %s where the home's path is */
static void check_refused(CommandFixture *fixture, const char *request, const char *before,
                          const char *after)
{
    g_autofree char *words = g_strconcat(before, fixture->directory, after, NULL);

    fixture_check_error(fixture, request, words);
}

static guint mode_of(CommandFixture *fixture, const char *name)
{
    g_autofree char *path = g_build_filename(fixture->directory, name, NULL);
    struct stat found;

    g_assert_cmpint(lstat(path, &found), ==, 0);
    return found.st_mode & 07777;
}

static void test_add(CommandFixture *fixture, gconstpointer data)
{
    mode_t mask = umask(0);

    done(fixture, ADD_KEYS("\"ssh-rsa A a\", \"ssh-rsa B b\", \"ssh-rsa A a\""));
    umask(mask);
    check_file(fixture, KEYS, "ssh-rsa A a\nssh-rsa B b\n");
    g_assert_cmpuint(mode_of(fixture, ".ssh"), ==, 0700);
    g_assert_cmpuint(mode_of(fixture, KEYS), ==, 0600);
    done(fixture, ADD_KEYS("\"ssh-rsa B b\", \"ssh-rsa C c\""));
    check_file(fixture, KEYS, "ssh-rsa A a\nssh-rsa B b\nssh-rsa C c\n");
    fixture_check(fixture, GET,
                  "{\"return\": {\"keys\": [\"ssh-rsa A a\", \"ssh-rsa B b\", \"ssh-rsa C c\"]}}");
    done(fixture, RESET("\"ssh-rsa D d\""));
    check_file(fixture, KEYS, "ssh-rsa D d\n");
    done(fixture, RESET(""));
    check_file(fixture, KEYS, "");
    fixture_check(fixture, GET, "{\"return\": {\"keys\": []}}");
}

/* What else is in the file stays, and its last line stays a line of its own. */
static void test_other_lines(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, KEYS, "# comment\n\n \t# other\n \nssh-rsa A a\nfrom=\"\xff\" B");
    fixture_check(fixture, GET,
                  "{\"return\": {\"keys\": [\"ssh-rsa A a\", \"from=\\\"\\uFFFD\\\" B\"]}}");
    done(fixture, ADD_KEYS("\"ssh-rsa C c\""));
    check_file(fixture, KEYS,
               "# comment\n\n \t# other\n \nssh-rsa A a\nfrom=\"\xff\" B\nssh-rsa C c\n");
    done(fixture, REMOVE("\"ssh-rsa A a\", \"nowhere\""));
    check_file(fixture, KEYS, "# comment\n\n \t# other\n \nfrom=\"\xff\" B\nssh-rsa C c\n");
}

static void test_remove(CommandFixture *fixture, gconstpointer data)
{
    done(fixture, REMOVE("\"ssh-rsa A a\""));
    g_assert_cmpint(access(fixture->directory, F_OK), ==, 0);
    check_file(fixture, KEYS, NULL);
    fixture_write(fixture, KEYS, "ssh-rsa A a\nssh-rsa A a more\nssh-rsa A a");
    done(fixture, REMOVE("\"ssh-rsa A a\""));
    check_file(fixture, KEYS, "ssh-rsa A a more\n");
}

static void test_nothing_there(CommandFixture *fixture, gconstpointer data)
{
    check_refused(fixture, GET, "failed to read '",
                  "/.ssh/authorized_keys': No such file or directory");
    fixture->user = "other";
    fixture_check_error(fixture, GET, "failed to lookup user 'u': no such user");
    fixture_check_error(fixture, ADD_KEYS("\"a\""), "failed to lookup user 'u': no such user");
    fixture_check_error(fixture, REMOVE("\"a\""), "failed to lookup user 'u': no such user");
}

/* What would be read back as no key, or as two. */
static void test_bad_keys(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_error(fixture, ADD_KEYS("\"ok\", \"#x\""), "invalid OpenSSH public key: '#x'");
    fixture_check_error(fixture, ADD_KEYS("\"a\\nb\""), "invalid OpenSSH public key: 'a\nb'");
    fixture_check_error(fixture, ADD_KEYS("\"a\\r\""), "invalid OpenSSH public key: 'a\r'");
    fixture_check_error(fixture, ADD_KEYS("\" \""), "invalid OpenSSH public key: ' '");
    check_file(fixture, KEYS, NULL);
}

/* ---- Tricks ---------------------------------------------------------------------------------- */

static void test_linked_file(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *what = g_strdup_printf("/.ssh/authorized_keys': %s", g_strerror(ELOOP));

    fixture_write(fixture, "/secret", "of somebody else\n");
    fixture_link(fixture, KEYS, "/secret");
    check_refused(fixture, GET, "failed to read '", what);
    check_refused(fixture, ADD_KEYS("\"k\""), "failed to read '", what);
    /* Nothing is read here: the new file takes the link's place. */
    done(fixture, RESET("\"k\""));
    check_file(fixture, "/secret", "of somebody else\n");
    check_file(fixture, KEYS, "k\n");
}

static void test_linked_directory(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, "/other/authorized_keys", "k\n");
    fixture_link(fixture, "/.ssh", "/other");
    check_refused(fixture, GET, "failed to open directory '", "/.ssh': Not a directory");
    check_refused(fixture, RESET("\"x\""), "failed to open directory '", "/.ssh': Not a directory");
    check_refused(fixture, REMOVE("\"k\""), "failed to open directory '",
                  "/.ssh': Not a directory");
    check_file(fixture, "/other/authorized_keys", "k\n");
}

static void test_linked_new_file(CommandFixture *fixture, gconstpointer data)
{
    fixture_write(fixture, "/secret", "of somebody else\n");
    fixture_link(fixture, "/.ssh/.authorized_keys.qga", "/secret");
    done(fixture, ADD_KEYS("\"k\""));
    check_file(fixture, "/secret", "of somebody else\n");
    check_file(fixture, KEYS, "k\n");
    check_file(fixture, "/.ssh/.authorized_keys.qga", NULL);
}

static void test_second_name(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *secret = g_build_filename(fixture->directory, "secret", NULL);
    g_autofree char *keys = g_build_filename(fixture->directory, KEYS, NULL);

    fixture_write(fixture, "/secret", "of somebody else\n");
    fixture_write(fixture, KEYS, "");
    g_remove(keys);
    g_assert_cmpint(link(secret, keys), ==, 0);
    check_refused(fixture, GET, "failed to read '",
                  "/.ssh/authorized_keys': Operation not permitted");
}

static void test_fifo(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *keys = g_build_filename(fixture->directory, KEYS, NULL);

    fixture_write(fixture, KEYS, "");
    g_remove(keys);
    g_assert_cmpint(mkfifo(keys, 0600), ==, 0);
    check_refused(fixture, GET, "failed to read '",
                  "/.ssh/authorized_keys': Operation not permitted");
}

static void test_too_large(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *text = g_strnfill(LIMIT_SSH_KEYS_BYTES, 'k');

    fixture_write(fixture, KEYS, text);
    check_refused(fixture, ADD_KEYS("\"k\""), "failed to write '",
                  "/.ssh/authorized_keys': File too large");
    check_file(fixture, KEYS, text);
    g_free(text);
    text = g_strnfill(LIMIT_SSH_KEYS_BYTES + 1, 'k');
    fixture_write(fixture, KEYS, text);
    check_refused(fixture, GET, "failed to read '", "/.ssh/authorized_keys': File too large");
}

/* As root: what the user may not do fails, and root is root again afterwards. */
static void test_identity(CommandFixture *fixture, gconstpointer data)
{
    enum { NOBODY = 65534 };
    g_autofree char *file = g_build_filename(fixture->directory, "secret", NULL);
    Identity identity;

    if (geteuid() != 0) {
        g_test_skip("only root can be another user");
        return;
    }
    fixture_write(fixture, "/secret", "x");
    g_assert_cmpint(g_chmod(fixture->directory, 0755), ==, 0);
    g_assert_cmpint(g_chmod(file, 0600), ==, 0);
    g_assert_true(identity_take(&identity, NOBODY, NOBODY));
    g_assert_cmpint(g_access(file, F_OK), ==, 0);
    g_assert_cmpint(g_open(file, O_RDONLY | O_CLOEXEC, 0), ==, -1);
    g_assert_cmpint(errno, ==, EACCES);
    identity_drop(&identity);
    check_file(fixture, "/secret", "x");
    g_assert_cmpint(getgroups(0, NULL), >=, 0);
}

/* A directory of somebody else, in a home that this user may write to. */
static void test_foreign_directory(CommandFixture *fixture, gconstpointer data)
{
    g_autofree char *path = g_build_filename(fixture->directory, ".ssh", NULL);

    if (geteuid() != 0) {
        g_test_skip("only root can make it");
        return;
    }
    fixture_write(fixture, KEYS, "k\n");
    g_assert_cmpint(chown(path, 65534, 65534), ==, 0);
    check_refused(fixture, GET, "failed to open directory '", "/.ssh': Operation not permitted");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/ssh-keys/" name, CommandFixture, NULL, set_up, function, tear_down)
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
