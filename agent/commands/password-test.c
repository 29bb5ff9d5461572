/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What chpasswd is given, what it never is, and that nothing of it is logged. */

#include "agent/bench.h"

#include <string.h>

#define SET(user, password, crypted)                                                   \
    "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": \"" user \
    "\", \"password\": \"" password "\", \"crypted\": " #crypted "}}"

static void set_up(Bench *bench, gconstpointer data)
{
    bench_init(bench, NULL);
    bench->tools = "chpasswd ";
}

static void tear_down(Bench *bench, gconstpointer data)
{
    bench_check_log(bench, "");
    bench_clear(bench);
}

static void test_set(Bench *bench, gconstpointer data)
{
    bench_check(bench, SET("root", "c2VjcmV0", false), "{\"return\": {}}");
    bench_check_log(bench, "feed root:secret, run chpasswd");
    bench_check(bench, SET("root", "JDYkYSRi", true), "{\"return\": {}}");
    bench_check_log(bench, "feed root:$6$a$b, run chpasswd -e");
    bench_check(bench, SET("root", "YTpi", false), "{\"return\": {}}");
    bench_check_log(bench, "feed root:a:b, run chpasswd");
    bench_check(bench, SET("root", "", false), "{\"return\": {}}");
    bench_check_log(bench, "feed root:, run chpasswd");
}

/* What would make two lines of one, or two fields, or cut one short. */
static void test_refused(Bench *bench, gconstpointer data)
{
    static const char password[] = "forbidden characters in raw password";
    static const char username[] = "forbidden characters in username";

    bench_check_error(bench, SET("root", "YQpyb290OmI=", false), password);
    bench_check_error(bench, SET("root", "YQBi", false), password);
    bench_check_error(bench, SET("root", "YTpi", true), password);
    bench_check_error(bench, SET("a\\nb", "YQ==", false), username);
    bench_check_error(bench, SET("a:b", "YQ==", false), username);
    bench_check_error(bench, SET("root", "a!", false), "Base64 data contains invalid characters");
    bench_check_error(bench,
                      "{\"execute\": \"guest-set-user-password\", \"arguments\": {\"username\": "
                      "\"root\", \"password\": \"\"}}",
                      "Parameter 'crypted' is missing");
}

static void test_fails(Bench *bench, gconstpointer data)
{
    g_autoptr(GError) killed = g_error_new(G_SPAWN_ERROR, 0, "killed");

    bench->status = 3;
    bench_check_error(bench, SET("root", "YQ==", false),
                      "child process has failed to set user password, exit status 3");
    bench->status = 0;
    bench->output = "it is not a good one";
    bench_check(bench, SET("root", "YQ==", false), "{\"return\": {}}");
    bench->status = 3;
    bench->output = "no such user";
    bench_check_error(bench, SET("root", "YQ==", false),
                      "child process has failed to set user password: no such user");
    bench_check_log(bench, "feed root:a, run chpasswd, feed root:a, run chpasswd, "
                           "feed root:a, run chpasswd");
    bench->program_error = killed;
    bench_check_error(bench, SET("root", "YQ==", false),
                      "child process has failed to set user password: killed: no such user");
    bench->output = "";
    bench_check_error(bench, SET("root", "YQ==", false),
                      "child process has failed to set user password: killed");
    g_free(bench_take_log(bench));
    bench->tools = "";
    bench_check_error(bench, SET("root", "YQ==", false), "cannot find 'chpasswd' program in PATH");
}

/* The program may take its time, and the agent with it. */
static void test_later(Bench *bench, gconstpointer data)
{
    bench->hold = TRUE;
    bench_check(bench, SET("root", "YQ==", false), "");
    g_assert_true(dispatch_is_busy(&bench->dispatch));
    bench_end_program(bench, 0, "");
    g_assert_cmpstr(bench->replies->str, ==, "{\"return\": {}}\n");
    bench_check_log(bench, "feed root:a, run chpasswd");
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
static void test_never_logged(Bench *bench, gconstpointer data)
{
    logged = g_string_new(NULL);
    g_log_set_writer_func(on_log, NULL, NULL);
    bench_check(bench, SET("root", "c2VjcmV0", false), "{\"return\": {}}");
    bench_check_log(bench, "feed root:secret, run chpasswd");
    g_assert_nonnull(strstr(logged->str, "guest-set-user-password is called"));
    g_assert_null(strstr(logged->str, "c2VjcmV0"));
    g_assert_null(strstr(logged->str, "secret"));
    g_string_free(logged, TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/password/" name, Bench, NULL, set_up, function, tear_down)
    ADD("set", test_set);
    ADD("refused", test_refused);
    ADD("fails", test_fails);
    ADD("later", test_later);
    ADD("never-logged", test_never_logged); /* last: a writer can be set once */
#undef ADD
    return g_test_run();
}
