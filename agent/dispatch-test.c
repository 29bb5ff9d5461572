/* SPDX-License-Identifier: GPL-2.0-or-later */

/* One request, one reply, in the words and with the silences that hosts know. */

#include "agent/fixture.h"

#include "common/limits.h"

#define NOT_FOUND(id, desc) \
    "{" id "\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"" desc "\"}}"

static void test_envelope(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_check(&fixture, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
    fixture_check(&fixture, "{'execute': 'guest-ping', 'id':\n[1,{'a':null}]}",
                  "{\"return\": {}, \"id\": [1, {\"a\": null}]}");
    fixture_check_error(&fixture, "[]", "QMP input must be a JSON object");
    fixture_check_error(&fixture, "{}", "QMP input lacks member 'execute'");
    fixture_check_error(&fixture, "{\"execute\": 1}",
                        "QMP input member 'execute' must be a string");
    fixture_check_error(&fixture, "{\"exec-oob\": \"guest-ping\"}",
                        "QMP input member 'exec-oob' is unexpected");
    fixture_check(&fixture, "{\"id\": 7}",
                  "{\"id\": 7, \"error\": {\"class\": \"GenericError\","
                  " \"desc\": \"QMP input lacks member 'execute'\"}}");
    fixture_check(&fixture, "{\"execute\": \"guest-nope\", \"id\": \"x\"}",
                  NOT_FOUND("\"id\": \"x\", ", "The command guest-nope has not been found"));
    fixture_clear(&fixture);
}

static void test_sync(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_check(&fixture, "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 1234}}",
                  "{\"return\": 1234}");
    fixture_check(&fixture,
                  "{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": 5}, \"id\": 6}",
                  "\xFF{\"return\": 5, \"id\": 6}");
    /* Only success is delimited. */
    fixture_check_error(&fixture, "{\"execute\": \"guest-sync-delimited\"}",
                        "Parameter 'id' is missing");
    fixture_clear(&fixture);
}

static void test_info(void)
{
    CommandFixture fixture;
    g_autofree char *info = NULL;

    fixture_init(&fixture, NULL);
    fixture.policy.frozen = TRUE;
    info = fixture_ask(&fixture, "{\"execute\": \"guest-info\"}");
    g_assert_true(g_str_has_prefix(info, "{\"return\": {\"version\": \"" QGA_PROXY_VERSION
                                         "\", \"supported_commands\": [{"));
    g_assert_nonnull(strstr(info, "{\"enabled\": true, \"name\": \"guest-ping\","
                                  " \"success-response\": true}"));
    g_assert_nonnull(strstr(info, "{\"enabled\": false, \"name\": \"guest-shutdown\","
                                  " \"success-response\": false}"));
    fixture_clear(&fixture);
}

static void test_policy_before_arguments(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture.policy.frozen = TRUE;
    fixture_check(&fixture, "{\"execute\": \"guest-file-open\"}",
                  NOT_FOUND("", "Command guest-file-open has been disabled: the agent is in frozen "
                                "state"));
    fixture_clear(&fixture);
}

static void test_silent(void)
{
    CommandFixture fixture;
    g_autofree char *log = NULL;

    fixture_init(&fixture, NULL);
    fixture.tools = "poweroff "; /* where it takes one */
    fixture_check(&fixture, "{\"execute\": \"guest-shutdown\", \"id\": 1}", "");
    log = fixture_take_log(&fixture);
    g_assert_cmpstr(log, !=, "");
    fixture_clear(&fixture);
}

static void test_deferred(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture.tools = FIXTURE_CLOCK_TOOLS;
    fixture.hold = TRUE;
    fixture_check(&fixture, "{\"execute\": \"guest-set-time\", \"id\": 3}", "");
    g_assert_true(dispatch_is_busy(&fixture.dispatch));
    fixture_end_program(&fixture, 0, "");
    g_assert_false(dispatch_is_busy(&fixture.dispatch));
    g_assert_cmpstr(fixture.replies->str, ==, "{\"return\": {}, \"id\": 3}\n");
    fixture_clear(&fixture);
}

static void test_orphaned(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture.tools = FIXTURE_CLOCK_TOOLS;
    fixture.hold = TRUE;
    fixture_check(&fixture, "{\"execute\": \"guest-set-time\", \"id\": 3}", "");
    dispatch_reset(&fixture.dispatch);
    g_assert_true(dispatch_is_working(&fixture.dispatch));
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(fixture.replies->str, ==, "");
    fixture_check(&fixture, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
    fixture_clear(&fixture);
}

static void check_note(CommandFixture *fixture, const char *request, gboolean at_rest)
{
    g_free(fixture_ask(fixture, request));
    g_assert_true(dispatch_note(&fixture->dispatch) == at_rest);
    g_assert_true(dispatch_note(&fixture->dispatch)); /* once */
}

/* What may have set up a timer or started a program is told from what cannot have. */
static void test_note(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    check_note(&fixture, "{\"execute\": \"guest-ping\"}", TRUE);
    check_note(&fixture, "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 1}}", TRUE);
    check_note(&fixture, "{\"execute\": \"guest-nope\"}", TRUE);
    check_note(&fixture, "{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": 1}}",
               TRUE);
    check_note(&fixture, "{\"execute\": \"guest-capabilities\"}", FALSE);
    fixture.tools = FIXTURE_CLOCK_TOOLS;
    fixture.hold = TRUE;
    check_note(&fixture, "{\"execute\": \"guest-set-time\"}", FALSE);
    fixture_end_program(&fixture, 0, "");
    fixture_clear(&fixture);
}

/* Each reply is of its own call alone, whatever the last one has left: its text is used again. */
static void test_one_after_the_other(void)
{
    g_autofree char *id = g_strnfill(2000, 'i');
    g_autofree char *long_request =
        g_strdup_printf("{\"execute\": \"guest-ping\", \"id\": \"%s\"}", id);
    g_autofree char *long_reply = g_strdup_printf("{\"return\": {}, \"id\": \"%s\"}", id);
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    for (guint i = 0; i < 2; i++) {
        fixture_check(&fixture, "{\"execute\": \"guest-ping\", \"id\": [1, 2]}",
                      "{\"return\": {}, \"id\": [1, 2]}");
        fixture_check(&fixture, "{\"execute\": \"guest-ping\", \"id\": 3}",
                      "{\"return\": {}, \"id\": 3}");
        fixture_check(&fixture, "{\"execute\": \"guest-ping\"}", "{\"return\": {}}");
        fixture_check(&fixture, long_request, long_reply);
        fixture_check_error(&fixture, "{}", "QMP input lacks member 'execute'");
    }
    fixture_clear(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dispatch/envelope", test_envelope);
    g_test_add_func("/dispatch/sync", test_sync);
    g_test_add_func("/dispatch/info", test_info);
    g_test_add_func("/dispatch/policy-before-arguments", test_policy_before_arguments);
    g_test_add_func("/dispatch/silent", test_silent);
    g_test_add_func("/dispatch/deferred", test_deferred);
    g_test_add_func("/dispatch/orphaned", test_orphaned);
    g_test_add_func("/dispatch/note", test_note);
    g_test_add_func("/dispatch/one-after-the-other", test_one_after_the_other);
    return g_test_run();
}
