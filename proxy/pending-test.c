/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A command that waits: it copies what it needs, is answered once, and gives back what it cost,
 * whoever leaves first.
 */

#include "pending.h"

#include <string.h>

#include "common/qmp-error.h"

typedef struct {
    guint calls;
    char *heard; /* "return VALUE" or "error TEXT" */
    gpointer asker;
    gsize used; /* of the charge, while it was told */
    Charge *charge;
} Ear;

static void hear(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Ear *ear = pending->owner;

    g_assert_true(!reply != !error);
    g_free(ear->heard);
    ear->heard = reply ? g_strdup_printf("return %.*s", (int)reply->value.len, reply->value.text)
                       : g_strdup_printf("error %s", error->message);
    if (error)
        g_assert_error(error, QMP_ERROR, QMP_ERROR_GENERIC_ERROR);
    ear->asker = pending->asker;
    ear->used = ear->charge ? ear->charge->used : 0;
    ear->calls++;
}

/* The text of the message is gone right after, so that ASan sees who keeps a pointer. */
static Pending *read_pending(const char *message, Charge *charge, Ear *ear, gpointer asker)
{
    g_autofree char *text = g_strdup(message);
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;

    g_assert_true(envelope_read_command((JsonSpan){text, strlen(text)}, ENVELOPE_OOB_KNOWN,
                                        &command, &error));
    return pending_new(&command, charge, hear, ear, asker);
}

static void assert_span(JsonSpan span, const char *expected)
{
    if (expected)
        g_assert_cmpmem(span.text, span.len, expected, strlen(expected));
    else
        g_assert_null(span.text);
}

static void test_keeps_what_it_needs(void)
{
    static const struct {
        const char *message, *name, *id, *arguments;
        gboolean oob, guest;
    } cases[] = {
        {"{\"execute\": \"guest-ping\"}", "guest-ping", NULL, NULL, FALSE, TRUE},
        {"{\"execute\": \"x\", \"id\": null}", "x", "null", NULL, FALSE, FALSE},
        {"{\"id\": { \"b\": 1.0 }, \"exec-oob\": \"y\"}", "y", "{ \"b\": 1.0 }", NULL, TRUE, FALSE},
        {"{\"execute\": \"guest-x\", \"arguments\": { }, \"id\": ''}", "guest-x", "''", "{ }",
         FALSE, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Ear ear = {0};
        Pending *pending = read_pending(cases[i].message, NULL, &ear, &ear);

        g_assert_cmpstr(pending->name, ==, cases[i].name);
        assert_span(pending_id(pending), cases[i].id);
        assert_span(pending_arguments(pending), cases[i].arguments);
        g_assert_cmpint(pending->oob, ==, cases[i].oob);
        g_assert_cmpint(pending->guest != NULL, ==, cases[i].guest);
        pending_fail(pending, "%s is out of %d", "paper", 80);
        g_assert_cmpstr(ear.heard, ==, "error paper is out of 80");
        g_assert_true(ear.asker == &ear);
        g_assert_cmpuint(ear.calls, ==, 1);
        g_free(ear.heard);
    }
}

static void test_own(void)
{
    static const EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {"[1]", 3}};
    Ear ear = {0};
    Pending *pending = pending_new_own("qom-get", "{\"a\":1}", hear, &ear);

    assert_span(pending_arguments(pending), "{\"a\":1}");
    assert_span(pending_id(pending), NULL);
    g_assert_null(pending->asker);
    g_assert_false(pending->orphan);
    pending_finish(pending, &reply, NULL);
    g_assert_cmpstr(ear.heard, ==, "return [1]");
    g_free(ear.heard);
}

/* What a large request costs is held until it was answered, and not a moment longer. */
static void test_charge(void)
{
    g_autoptr(GString) message = g_string_new("{\"execute\":\"x\",\"arguments\":{\"a\":\"");
    Charge charge;
    Ear ear = {.charge = &charge};
    Pending *pending;

    for (guint i = 0; i < 1000; i++)
        g_string_append_c(message, 'x');
    g_string_append(message, "\"}}");
    charge_init(&charge, NULL, 1500);
    pending = read_pending(message->str, &charge, &ear, &ear);
    g_assert_nonnull(pending);
    g_assert_cmpuint(charge.used, >=, 1000);
    g_assert_null(read_pending(message->str, &charge, &ear, &ear));

    pending_fail(pending, "no");
    g_assert_cmpuint(ear.used, >=, 1000);
    g_assert_cmpuint(charge.used, ==, 0);
    charge_clear(&charge);
    g_free(ear.heard);
}

/* The asker's account may go once it has left, while the command is still under way. */
static void test_orphan(void)
{
    Charge *charge = g_new(Charge, 1);
    Ear ear = {0};
    Pending *pending;

    charge_init(charge, NULL, 10000);
    pending = read_pending("{\"execute\":\"x\",\"id\":7}", charge, &ear, &ear);
    pending_orphan(pending);
    pending_orphan(pending);
    charge_clear(charge);
    g_free(charge);

    g_assert_true(pending->orphan);
    g_assert_cmpuint(pending_id(pending).len, ==, 0); /* nobody is answered under it */
    pending_fail(pending, "too late");
    g_assert_cmpuint(ear.calls, ==, 1);
    g_assert_null(ear.asker);
    g_free(ear.heard);
}

/* Only what the schema calls shared is the same question when it is asked twice, in the same words;
 * no arguments and empty ones are the same. */
static void test_asks_the_same(void)
{
    static const struct {
        const char *name, *arguments, *other_name, *other_arguments;
        gboolean same;
    } cases[] = {
        {"guest-get-osinfo", NULL, "guest-get-osinfo", NULL, TRUE},
        {"guest-get-osinfo", NULL, "guest-get-osinfo", "{}", TRUE},
        {"guest-get-osinfo", "{ }", "guest-get-osinfo", NULL, TRUE},
        {"guest-get-osinfo", "{\"a\":1}", "guest-get-osinfo", "{\"a\":1}", TRUE},
        {"guest-get-osinfo", "{\"a\":1}", "guest-get-osinfo", "{\"a\":2}", FALSE},
        {"guest-get-osinfo", "{\"a\":1}", "guest-get-osinfo", "{\"a\": 1}", FALSE},
        {"guest-get-osinfo", "{\"a\":1}", "guest-get-osinfo", NULL, FALSE},
        {"guest-get-osinfo", NULL, "guest-get-users", NULL, FALSE},
        {"guest-get-time", NULL, "guest-get-time", NULL, FALSE},
        {"guest-x", NULL, "guest-x", NULL, FALSE},
        {"guest-x", NULL, "guest-y", NULL, FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Ear ear = {0};
        Pending *first = pending_new_own(cases[i].name, cases[i].arguments, hear, &ear);
        Pending *second =
            pending_new_own(cases[i].other_name, cases[i].other_arguments, hear, &ear);

        g_assert_cmpint(pending_asks_the_same(first, second), ==, cases[i].same);
        g_assert_cmpint(pending_asks_the_same(second, first), ==, cases[i].same);
        pending_fail(first, "no");
        pending_fail(second, "no");
        g_free(ear.heard);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pending/keeps-what-it-needs", test_keeps_what_it_needs);
    g_test_add_func("/pending/own", test_own);
    g_test_add_func("/pending/asks-the-same", test_asks_the_same);
    g_test_add_func("/pending/charge", test_charge);
    g_test_add_func("/pending/orphan", test_orphan);
    return g_test_run();
}
