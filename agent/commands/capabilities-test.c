/* SPDX-License-Identifier: GPL-2.0-or-later */

/* What is enabled by name, what it does, and that a host which knows nothing of it never meets it.
 */

#include "agent/fixture.h"

#include <string.h>

#include "agent/commands/freeze.h"
#include "common/limits.h"

#define CAPABILITIES(id, enabled)                                                          \
    "{\"return\": {\"available\": [\"lease\", \"pipeline\"], \"enabled\": [" enabled "], " \
    "\"lease\": {\"longest\": 86400}, \"pipeline\": {\"depth\": 16}}" id "}"
#define ENABLE(names) \
    "{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": {\"enable\": [" names "]}}"
#define ASK    "{\"execute\": \"guest-capabilities\", \"id\": 1}"
#define ID     ", \"id\": 1"
#define HELD   "{\"execute\": \"guest-set-time\", \"id\": \"held\"}"
#define PING   "{\"execute\": \"guest-ping\", \"id\": 2}"
#define PONG   "{\"return\": {}, \"id\": 2}"
#define SYNC   "{\"execute\": \"guest-sync\", \"arguments\": {\"id\": 7}}"
#define SYNCED "{\"return\": 7}"

static void test_enable(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_check(&fixture, ASK, CAPABILITIES(ID, ""));
    fixture_check(&fixture, ENABLE("\"pipeline\", \"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    fixture_check(&fixture, ENABLE("\"lease\""), CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    fixture_check(&fixture, ENABLE(""), CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    fixture_check(&fixture, ASK, CAPABILITIES(ID, "\"lease\", \"pipeline\""));
    fixture_clear(&fixture);
}

/* A name that is unknown is refused by that name, and nothing beside it is enabled. */
static void test_unknown(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_check(&fixture, ENABLE("\"pipeline\", \"streams\""),
                  "{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter "
                  "'enable[1]' does not accept value 'streams'\"}}");
    fixture_check(&fixture, ASK, CAPABILITIES(ID, ""));
    fixture_clear(&fixture);
}

/* Whatever a host says that was told of nothing ends what was enabled. */
static void test_back_to_plain(void)
{
    static const char *const strangers[] = {
        "{\"execute\": \"guest-ping\"}",
        "{\"execute\": \"guest-sync\", \"id\": 5, \"arguments\": {\"id\": 9}}",
        "{\"execute\": \"guest-sync-delimited\", \"id\": 5, \"arguments\": {\"id\": 9}}",
        "{\"execute\": \"guest-nope\"}",
        "[]",
    };
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(strangers); i++) {
        g_autofree char *reply = NULL;

        fixture_check(&fixture, ENABLE("\"lease\", \"pipeline\""),
                      CAPABILITIES(ID, "\"lease\", \"pipeline\""));
        fixture_check(&fixture, PING, PONG);
        fixture_check(&fixture, ASK, CAPABILITIES(ID, "\"lease\", \"pipeline\""));
        reply = fixture_ask(&fixture, strangers[i]);
        g_assert_cmpuint(strlen(reply), >, 0);
        fixture_check(&fixture, ASK, CAPABILITIES(ID, ""));
    }
    fixture_clear(&fixture);
}

/* ---- pipeline -------------------------------------------------------------------------------- */

/* A command whose program runs until fixture_end_program(). */
static void hold(CommandFixture *fixture)
{
    fixture_init(fixture, NULL);
    fixture->tools = FIXTURE_CLOCK_TOOLS;
    fixture_check(fixture, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    fixture->hold = TRUE;
    fixture_check(fixture, HELD, "");
}

/* What ends first is answered first. */
static void test_pipeline(void)
{
    CommandFixture fixture;

    hold(&fixture);
    g_assert_false(dispatch_is_busy(&fixture.dispatch));
    fixture_check(&fixture, PING, PONG);
    fixture_check(&fixture, "{\"execute\": \"guest-nope\", \"id\": 3}",
                  "{\"id\": 3, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
                  "guest-nope has not been found\"}}");
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(fixture.replies->str, ==, "{\"return\": {}, \"id\": \"held\"}\n");
    fixture_clear(&fixture);
}

/* Replies that were owed are dropped, and their calls keep nobody waiting. */
static void test_owed_replies_are_dropped(void)
{
    CommandFixture fixture;

    hold(&fixture);
    fixture_check(&fixture, SYNC, SYNCED);
    g_assert_false(dispatch_is_busy(&fixture.dispatch));
    fixture_end_program(&fixture, 0, "");
    g_assert_cmpstr(fixture.replies->str, ==, "");
    fixture_clear(&fixture);
}

static char *slow_request(guint number)
{
    return g_strdup_printf("{\"execute\": \"guest-set-time\", \"id\": %u}", number);
}

/* One too many is refused; what is quick is not. */
static void test_depth(void)
{
    static const char *const refusal =
        "{\"id\": 99, \"error\": {\"class\": \"GenericError\", \"desc\": \"too many commands are "
        "under way: there may be 16\"}}";
    CommandFixture fixture;
    g_autofree char *last = slow_request(99);

    fixture_init(&fixture, NULL);
    fixture.tools = FIXTURE_CLOCK_TOOLS;
    fixture_check(&fixture, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    fixture.hold = TRUE;
    for (guint i = 0; i < LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(i);

        fixture_check(&fixture, request, "");
    }
    fixture_check(&fixture, last, refusal);
    fixture_check(&fixture, PING, PONG);
    fixture_wait_programs(&fixture, LIMIT_AGENT_PIPELINE);

    /* A host that has begun anew finds room, and those that another left count once more. */
    fixture_check(&fixture, SYNC, SYNCED);
    fixture_check(&fixture, ENABLE("\"pipeline\""), CAPABILITIES(ID, "\"pipeline\""));
    for (guint i = 0; i < LIMIT_AGENT_CALLS - LIMIT_AGENT_PIPELINE; i++) {
        g_autofree char *request = slow_request(i);

        fixture_check(&fixture, request, "");
    }
    fixture_check(&fixture, last, refusal);
    while (fixture.held->len > 0)
        fixture_end_program(&fixture, 0, "");
    fixture_clear(&fixture);
}

/* ---- lease ----------------------------------------------------------------------------------- */

static void test_lease_is_checked(void)
{
    CommandFixture fixture;

    fixture_init(&fixture, NULL);
    fixture_check_error(&fixture,
                        "{\"execute\": \"guest-capabilities\", \"arguments\": {\"lease\": 5}}",
                        "the capability 'lease' is not enabled");
    fixture_check_error(&fixture,
                        "{\"execute\": \"guest-capabilities\", \"arguments\": "
                        "{\"enable\": [\"lease\"], \"lease\": 86401}}",
                        "a lease is from 0 to 86400 seconds, not 86401");
    fixture_check_error(&fixture,
                        "{\"execute\": \"guest-capabilities\", \"arguments\": "
                        "{\"enable\": [\"lease\"], \"lease\": -1}}",
                        "a lease is from 0 to 86400 seconds, not -1");
    fixture_check(&fixture, ASK, CAPABILITIES(ID, ""));
    fixture_clear(&fixture);
}

static void set_lease(CommandFixture *fixture, guint seconds, guint configured_ms)
{
    g_autofree char *request =
        g_strdup_printf("{\"execute\": \"guest-capabilities\", \"id\": 1, \"arguments\": "
                        "{\"enable\": [\"lease\"], \"lease\": %u}}",
                        seconds);

    fixture_init(fixture, NULL);
    fixture_set_freezer(fixture, &(FreezerOptions){.timeout_ms = configured_ms});
    fixture_check(fixture, request, CAPABILITIES(ID, "\"lease\""));
}

static void freeze(CommandFixture *fixture)
{
    g_autofree char *reply = g_strdup_printf("{\"return\": %s, \"id\": 3}", fixture_freeze.frozen);

    fixture->mounts = fixture_freeze.mounts;
    fixture_check(fixture, "{\"execute\": \"guest-fsfreeze-freeze\", \"id\": 3}", reply);
    fixture_check_log(fixture, fixture_freeze.freeze_log);
}

/* By the guest itself. */
static void wait_thawed(CommandFixture *fixture)
{
    while (fixture->policy.frozen)
        g_main_context_iteration(NULL, TRUE);
    fixture_check_log(fixture, fixture_freeze.thaw_log);
}

/* The guest thaws itself after the host's time, though its own configuration knows no end. */
static void test_lease(void)
{
    CommandFixture fixture;

    set_lease(&fixture, 1, 0);
    freeze(&fixture);
    wait_thawed(&fixture);
    fixture_check_error(&fixture, "{\"execute\": \"guest-fsfreeze-thaw\"}", fixture_freeze.expired);
    fixture_clear(&fixture);
}

/* A host that begins anew neither ends nor shortens nor lengthens what is armed. */
static void test_lease_outlives_its_host(void)
{
    CommandFixture fixture;

    set_lease(&fixture, 1, 0);
    freeze(&fixture);
    fixture_check(&fixture, SYNC, SYNCED);
    wait_thawed(&fixture);
    fixture_clear(&fixture);
}

/* What a host has asked for ends with it: the next one's freeze lasts as long as is configured. */
static void test_lease_is_forgotten(void)
{
    CommandFixture fixture;

    set_lease(&fixture, 86400, 1000);
    fixture_check(&fixture, SYNC, SYNCED);
    freeze(&fixture);
    wait_thawed(&fixture);
    fixture_clear(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/capabilities/enable", test_enable);
    g_test_add_func("/capabilities/unknown", test_unknown);
    g_test_add_func("/capabilities/back-to-plain", test_back_to_plain);
    g_test_add_func("/capabilities/pipeline", test_pipeline);
    g_test_add_func("/capabilities/owed-replies-are-dropped", test_owed_replies_are_dropped);
    g_test_add_func("/capabilities/depth", test_depth);
    g_test_add_func("/capabilities/lease-is-checked", test_lease_is_checked);
    g_test_add_func("/capabilities/lease", test_lease);
    g_test_add_func("/capabilities/lease-outlives-its-host", test_lease_outlives_its_host);
    g_test_add_func("/capabilities/lease-is-forgotten", test_lease_is_forgotten);
    return g_test_run();
}
