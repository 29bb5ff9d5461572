/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What chpasswd is given, what it never is, and that nothing of it is logged. */

#include "agent/fixture.h"

#include <string.h>

#define SET(user, password, crypted)                                                   \
    "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": \"" user \
    "\", \"password\": \"" password "\", \"crypted\": " #crypted "}}"

static void set_up(CommandFixture *fixture, gconstpointer data)
{
    fixture_init(fixture, NULL);
    fixture->tools = "chpasswd ";
}

static void tear_down(CommandFixture *fixture, gconstpointer data)
{
    fixture_check_log(fixture, "");
    fixture_clear(fixture);
}

static void test_set(CommandFixture *fixture, gconstpointer data)
{
    fixture_check(fixture, SET("root", "c2VjcmV0", false), "{\"return\": {}}");
    fixture_check_log(fixture, "feed root:secret, run chpasswd");
    fixture_check(fixture, SET("root", "JDYkYSRi", true), "{\"return\": {}}");
    fixture_check_log(fixture, "feed root:$6$a$b, run chpasswd -e");
    fixture_check(fixture, SET("root", "YTpi", false), "{\"return\": {}}");
    fixture_check_log(fixture, "feed root:a:b, run chpasswd");
    fixture_check(fixture, SET("root", "", false), "{\"return\": {}}");
    fixture_check_log(fixture, "feed root:, run chpasswd");
}

/* What would make two lines of one, or two fields, or cut one short. */
static void test_refused(CommandFixture *fixture, gconstpointer data)
{
    static const char password[] = "forbidden characters in raw password";
    static const char username[] = "forbidden characters in username";

    fixture_check_error(fixture, SET("root", "YQpyb290OmI=", false), password);
    fixture_check_error(fixture, SET("root", "YQBi", false), password);
    fixture_check_error(fixture, SET("root", "YTpi", true), password);
    fixture_check_error(fixture, SET("a\\nb", "YQ==", false), username);
    fixture_check_error(fixture, SET("a:b", "YQ==", false), username);
    fixture_check_error(fixture, SET("root", "a!", false),
                        "Base64 data contains invalid characters");
    fixture_check_error(fixture,
                        "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": "
                        "\"root\", \"password\": \"\"}}",
                        "Parameter 'crypted' is missing");
}

static void test_fails(CommandFixture *fixture, gconstpointer data)
{
    g_autoptr(GError) killed = g_error_new(G_SPAWN_ERROR, 0, "killed");

    fixture->status = 3;
    fixture_check_error(fixture, SET("root", "YQ==", false),
                        "child process has failed to set user password, exit status 3");
    fixture->status = 0;
    fixture->output = "it is not a good one";
    fixture_check(fixture, SET("root", "YQ==", false), "{\"return\": {}}");
    fixture->status = 3;
    fixture->output = "no such user";
    fixture_check_error(fixture, SET("root", "YQ==", false),
                        "child process has failed to set user password: no such user");
    fixture_check_log(fixture, "feed root:a, run chpasswd, feed root:a, run chpasswd, "
                               "feed root:a, run chpasswd");
    fixture->program_error = killed;
    fixture_check_error(fixture, SET("root", "YQ==", false),
                        "child process has failed to set user password: killed: no such user");
    fixture->output = "";
    fixture_check_error(fixture, SET("root", "YQ==", false),
                        "child process has failed to set user password: killed");
    g_free(fixture_take_log(fixture));
    fixture->tools = "";
    fixture_check_error(fixture, SET("root", "YQ==", false),
                        "cannot find 'chpasswd' program in PATH");
}

/* The program may take its time, and the agent with it. */
static void test_later(CommandFixture *fixture, gconstpointer data)
{
    fixture->hold = TRUE;
    fixture_check(fixture, SET("root", "YQ==", false), "");
    g_assert_true(dispatch_is_busy(&fixture->dispatch));
    fixture_end_program(fixture, 0, "");
    g_assert_cmpstr(fixture->replies->str, ==, "{\"return\": {}}\n");
    fixture_check_log(fixture, "feed root:a, run chpasswd");
}

static GString *logged;

static GLogWriterOutput on_log(GLogLevelFlags level, const GLogField *fields, gsize count,
                               gpointer user_data)
{
    for (gsize i = 0; i < count; i++) {
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            g_string_append_printf(logged, "%s\n", (const char *)fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

/* Not even where everything is. */
static void test_never_logged(CommandFixture *fixture, gconstpointer data)
{
    logged = g_string_new(NULL);
    g_log_set_writer_func(on_log, NULL, NULL);
    fixture_check(fixture, SET("root", "c2VjcmV0", false), "{\"return\": {}}");
    fixture_check_log(fixture, "feed root:secret, run chpasswd");
    g_assert_nonnull(strstr(logged->str, "guest-set-user-password is called"));
    g_assert_null(strstr(logged->str, "c2VjcmV0"));
    g_assert_null(strstr(logged->str, "secret"));
    g_string_free(logged, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
    g_test_add("/password/" name, CommandFixture, NULL, set_up, function, tear_down)
    ADD("set", test_set);
    ADD("refused", test_refused);
    ADD("fails", test_fails);
    ADD("later", test_later);
    ADD("never-logged", test_never_logged); /* last: a writer can be set once */
#undef ADD
    return g_test_run();
}
