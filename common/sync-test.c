/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The handshake: when a probe is due, what it is, what answers it and, above all, what does not.
 */

#include "sync.h"

#include <string.h>

#include "limits.h"

#define MS G_GINT64_CONSTANT(1000)
#define UNKNOWN_DELIMITED                                                   \
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command " \
    "guest-sync-delimited has not been found\"}}"
#define STARTED (G_GINT64_CONSTANT(5000000) * MS)

static gboolean answer(Sync *sync, const char *message)
{
    EnvelopeReply reply;

    g_assert_true(envelope_read_reply((JsonSpan){message, strlen(message)}, &reply));
    return sync_reply(sync, &reply);
}

static gboolean answer_number(Sync *sync, gint64 number)
{
    g_autofree char *message = g_strdup_printf("{\"return\": %" G_GINT64_FORMAT "}", number);

    return answer(sync, message);
}

/* Sends a probe and asserts that it is 0xFF and the command @name with this token. */
static void probe(Sync *sync, gint64 now_us, gint64 token, const char *name)
{
    g_autoptr(GString) out = g_string_new("before");
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    gint64 sent = -1;

    g_assert_true(sync_due(sync, now_us));
    sync_probe(sync, now_us, token, out);
    g_assert_true(g_str_has_prefix(out->str, "before\xff{"));
    char *text = g_strchomp(out->str + strlen("before\xff"));
    g_assert_true(envelope_read_command((JsonSpan){text, strlen(text)}, ENVELOPE_OOB_UNKNOWN,
                                        &command, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(command.name, ==, name);
    g_assert_null(command.id.text);
    g_assert_true(json_read_int64(json_read_get(command.arguments, "id"), &sent));
    g_assert_cmpint(sent, ==, token);
    g_assert_cmpint(sync->state, ==, SYNC_WAITING);
    g_assert_false(sync_due(sync, now_us));
}

static void test_off(void)
{
    Sync sync;

    sync_init(&sync);
    g_assert_cmpint(sync.state, ==, SYNC_OFF);
    g_assert_false(sync_due(&sync, 0));
    g_assert_false(sync_due(&sync, G_MAXINT64));
}

static void test_answered(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    g_assert_cmpint(sync.state, ==, SYNC_WAITING);
    probe(&sync, STARTED, 1234567890123456789, "guest-sync-delimited");
    g_assert_true(answer_number(&sync, 1234567890123456789));
    g_assert_cmpint(sync.state, ==, SYNC_DONE);
    g_assert_cmpuint(sync.probes, ==, 0);
    g_assert_false(answer_number(&sync, 1234567890123456789)); /* once is enough */
    g_assert_cmpint(sync.state, ==, SYNC_DONE);
    g_assert_false(sync_due(&sync, G_MAXINT64));
}

static void test_extreme_tokens(void)
{
    static const gint64 tokens[] = {0, 1, G_MAXINT64};

    for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
        Sync sync;

        sync_init(&sync);
        sync_start(&sync, STARTED);
        probe(&sync, STARTED, tokens[i], "guest-sync-delimited");
        g_assert_true(answer_number(&sync, tokens[i]));
    }
}

static void test_not_an_answer(void)
{
    static const char *const others[] = {
        "{\"return\": 998}",
        "{\"return\": -999}",
        "{\"return\": 999.0}",
        "{\"return\": 9.99e2}",
        "{\"return\": \"999\"}",
        "{\"return\": [999]}",
        "{\"return\": {\"id\": 999}}",
        "{\"return\": {}}",
        "{\"return\": null}",
        "{\"return\": {}, \"id\": 999}",
        "{\"return\": 18446744073709551615}",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray\"}}",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"999\"}, \"id\": 999}",
        "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}",
        "{\"QMP\": {\"version\": {}, \"capabilities\": []}}",
    };
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 999, "guest-sync-delimited");
    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        g_assert_false(answer(&sync, others[i]));
        g_assert_cmpint(sync.state, ==, SYNC_WAITING);
        g_assert_false(sync_due(&sync, STARTED));
    }
    g_assert_false(sync.plain);
    g_assert_true(answer_number(&sync, 999));
}

/* An older probe's answer comes late: it is no proof of anything. */
static void test_late_answer(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    probe(&sync, sync.deadline_us, 222, "guest-sync-delimited");
    g_assert_false(answer_number(&sync, 111));
    g_assert_cmpint(sync.state, ==, SYNC_WAITING);
    g_assert_true(answer_number(&sync, 222));
    g_assert_cmpint(sync.state, ==, SYNC_DONE);
}

/* Nothing was asked yet, so nothing is an answer: not even a token of a former round. */
static void test_unasked_answer(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    g_assert_false(answer_number(&sync, 0));
    g_assert_false(answer_number(&sync, -1));
    g_assert_false(answer(&sync, UNKNOWN_DELIMITED));
    g_assert_false(sync.plain);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    sync_start(&sync, STARTED + 1);
    g_assert_false(answer_number(&sync, 111));
    g_assert_cmpint(sync.state, ==, SYNC_WAITING);
    probe(&sync, STARTED + 1, 222, "guest-sync-delimited");
    g_assert_true(answer_number(&sync, 222));
}

/* One unanswered probe at a time, each waited for twice as long as the one before, up to a bound.
 */
static void test_intervals(void)
{
    Sync sync;
    gint64 now = STARTED;
    gint64 expected = LIMIT_SYNC_FIRST_MS;

    sync_init(&sync);
    sync_start(&sync, now);
    for (guint i = 1; i <= 40; i++) {
        probe(&sync, now, i, "guest-sync-delimited");
        g_assert_cmpuint(sync.probes, ==, i);
        g_assert_false(sync_due(&sync, now + expected * MS - 1));
        g_assert_true(sync_due(&sync, now + expected * MS));
        now += expected * MS;
        expected = MIN(expected * 2, LIMIT_SYNC_LAST_MS);
    }
    g_assert_true(answer_number(&sync, 40));
}

/* What was learned of a dead agent does not slow down the next one. */
static void test_restart_is_quick(void)
{
    Sync sync;
    gint64 now = STARTED;

    sync_init(&sync);
    sync_start(&sync, now);
    for (guint i = 0; i < 10; i++) {
        probe(&sync, now, i, "guest-sync-delimited");
        now = sync.deadline_us;
    }
    sync_start(&sync, now);
    g_assert_true(sync_due(&sync, now));
    probe(&sync, now, 10, "guest-sync-delimited");
    g_assert_true(sync_due(&sync, now + LIMIT_SYNC_FIRST_MS * MS));
}

static void test_stop(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    sync_stop(&sync);
    g_assert_cmpint(sync.state, ==, SYNC_OFF);
    g_assert_false(sync_due(&sync, G_MAXINT64));
    g_assert_false(answer_number(&sync, 111));
    g_assert_cmpint(sync.state, ==, SYNC_OFF);
    sync_start(&sync, STARTED + 1);
    g_assert_true(sync_due(&sync, STARTED + 1));
}

/* Doubt after success: everything again from the start. */
static void test_again(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    g_assert_true(answer_number(&sync, 111));
    sync_start(&sync, STARTED + 1);
    g_assert_cmpint(sync.state, ==, SYNC_WAITING);
    g_assert_true(sync_due(&sync, STARTED + 1));
    g_assert_false(answer_number(&sync, 111));
    probe(&sync, STARTED + 1, 222, "guest-sync-delimited");
    g_assert_true(answer_number(&sync, 222));
}

/* An agent older than 1.1 is asked by the command it has, and its answer counts. */
static void test_plain(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    g_assert_false(answer(&sync, UNKNOWN_DELIMITED));
    g_assert_cmpint(sync.state, ==, SYNC_WAITING);
    g_assert_true(sync.plain);
    probe(&sync, STARTED + LIMIT_SYNC_FIRST_MS * MS, 222, "guest-sync");
    g_assert_false(answer_number(&sync, 111));
    g_assert_true(answer_number(&sync, 222));
    g_assert_cmpint(sync.state, ==, SYNC_DONE);
}

/* A former host's command was unknown, which says nothing of ours. */
static void test_not_plain(void)
{
    Sync sync;

    sync_init(&sync);
    sync_start(&sync, STARTED);
    probe(&sync, STARTED, 111, "guest-sync-delimited");
    g_assert_false(answer(&sync,
                          "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command "
                          "guest-get-users has not been found\"}}"));
    g_assert_false(sync.plain);
    probe(&sync, STARTED + LIMIT_SYNC_FIRST_MS * MS, 222, "guest-sync-delimited");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sync/off", test_off);
    g_test_add_func("/sync/answered", test_answered);
    g_test_add_func("/sync/extreme-tokens", test_extreme_tokens);
    g_test_add_func("/sync/not-an-answer", test_not_an_answer);
    g_test_add_func("/sync/late-answer", test_late_answer);
    g_test_add_func("/sync/unasked-answer", test_unasked_answer);
    g_test_add_func("/sync/intervals", test_intervals);
    g_test_add_func("/sync/restart-is-quick", test_restart_is_quick);
    g_test_add_func("/sync/stop", test_stop);
    g_test_add_func("/sync/again", test_again);
    g_test_add_func("/sync/plain", test_plain);
    g_test_add_func("/sync/not-plain", test_not_plain);
    return g_test_run();
}
