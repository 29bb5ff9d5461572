/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The commands that wait for the agent: their order, who is refused when, and that each is answered
 * once.
 */

#include "agent-queue.h"

typedef struct {
    AgentQueue queue;
    GString *log; /* "NAME: ERROR" of each that was answered, a line for each */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    agent_queue_init(&fixture->queue);
    fixture->log = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    agent_queue_refuse_all(&fixture->queue, "over");
    g_string_free(fixture->log, TRUE);
}

static void on_done(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Fixture *fixture = pending->owner;

    g_string_append_printf(fixture->log, "%s: %s\n", pending->name, error->message);
}

static Pending *push(Fixture *fixture, const char *name, gboolean urgent, gint64 deadline_us)
{
    Pending *pending = pending_new_own(name, NULL, on_done, fixture);

    pending->urgent = urgent;
    agent_queue_push(&fixture->queue, pending, deadline_us);
    return pending;
}

static void assert_log(Fixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

static AgentQueueTurn anybodys_turn(const AgentQuestion *question, gconstpointer unused)
{
    return AGENT_QUEUE_GO;
}

static void assert_next(Fixture *fixture, const char *name)
{
    AgentQuestion *question = agent_queue_next(&fixture->queue, anybodys_turn, NULL);
    Pending *pending;

    g_assert_cmpstr(agent_question_command(question)->name, ==, name);
    while ((pending = agent_question_take(question)))
        pending_fail(pending, "popped");
    agent_question_free(question);
}

/* First come, first served; what is urgent goes in front, the last of it first. */
static void test_order(Fixture *fixture, gconstpointer unused)
{
    static const char *const order[] = {"guest-d", "guest-c", "guest-a", "guest-b"};

    push(fixture, "guest-a", FALSE, 1);
    push(fixture, "guest-b", FALSE, 2);
    push(fixture, "guest-c", TRUE, 3);
    push(fixture, "guest-d", TRUE, 4);
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 4);
    g_assert_cmpint(agent_queue_deadline(&fixture->queue), ==, 4);
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++)
        assert_next(fixture, order[i]);
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 0);
    g_assert_cmpint(agent_queue_deadline(&fixture->queue), ==, G_MAXINT64);
}

static void push_ahead(Fixture *fixture, const char *name)
{
    Pending *pending = pending_new_own(name, NULL, on_done, fixture);

    pending->ahead = TRUE;
    agent_queue_push(&fixture->queue, pending, 1);
}

/* In front of all but thaws, and in their order among themselves. */
static void test_ahead(Fixture *fixture, gconstpointer unused)
{
    static const char *const order[] = {"guest-fsfreeze-thaw", "guest-c", "guest-get-users",
                                        "guest-a", "guest-get-users"};

    push(fixture, "guest-a", FALSE, 1);
    push(fixture, "guest-get-users", FALSE, 1); /* which is not joined: that would be too late */
    push(fixture, "guest-fsfreeze-thaw", TRUE, 1);
    push_ahead(fixture, "guest-c");
    push_ahead(fixture, "guest-get-users");
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 5);
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++)
        assert_next(fixture, order[i]);
}

/* Refused is who has waited to the last microsecond, not who has one left; a pause is no time, and
 * another sync is waited for anew. */
static void test_deadlines(Fixture *fixture, gconstpointer unused)
{
    push(fixture, "guest-a", FALSE, 10);
    push(fixture, "guest-b", FALSE, 20);
    agent_queue_refuse_late(&fixture->queue, 9, "late");
    assert_log(fixture, "");
    agent_queue_refuse_late(&fixture->queue, 10, "late");
    assert_log(fixture, "guest-a: late; guest-a was not sent\n");

    agent_queue_lengthen(&fixture->queue, 5);
    agent_queue_refuse_late(&fixture->queue, 24, "late");
    assert_log(fixture, "");
    agent_queue_set_deadlines(&fixture->queue, 30);
    agent_queue_refuse_late(&fixture->queue, 29, "late");
    assert_log(fixture, "");
    agent_queue_refuse_late(&fixture->queue, 30, "late");
    assert_log(fixture, "guest-b: late; guest-b was not sent\n");
}

/* Who has left is not sent for, wherever it stands. */
static void test_orphans(Fixture *fixture, gconstpointer unused)
{
    Pending *first = push(fixture, "guest-a", FALSE, 1);
    Pending *last;

    push(fixture, "guest-b", FALSE, 1);
    last = push(fixture, "guest-c", FALSE, 1);
    pending_orphan(first);
    pending_orphan(last);
    agent_queue_drop_orphans(&fixture->queue);
    assert_log(fixture, "guest-a: The client has left\nguest-c: The client has left\n");
    assert_next(fixture, "guest-b");
}

static void test_refuse_all(Fixture *fixture, gconstpointer unused)
{
    push(fixture, "guest-a", FALSE, 1);
    push(fixture, "guest-b", TRUE, 1);
    agent_queue_refuse_all(&fixture->queue, "no");
    assert_log(fixture, "guest-b: no; guest-b was not sent\nguest-a: no; guest-a was not sent\n");
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 0);
}

/* Who asks what one that waits asks joins it, wherever it stands; it counts, it is refused with it,
 * and it stays when the other leaves. What is urgent goes alone. */
static void test_joins(Fixture *fixture, gconstpointer unused)
{
    Pending *first = push(fixture, "guest-info", FALSE, 10);
    Pending *pending;

    push(fixture, "guest-ping", FALSE, 20);
    pending = pending_new_own("guest-info", "{}", on_done, fixture);
    g_assert_true(agent_queue_push(&fixture->queue, pending, 30));
    pending = pending_new_own("guest-ping", NULL, on_done, fixture);
    g_assert_false(agent_queue_push(&fixture->queue, pending, 30));
    pending = pending_new_own("guest-info", NULL, on_done, fixture);
    pending->urgent = TRUE;
    g_assert_false(agent_queue_push(&fixture->queue, pending, 5));
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 5);

    assert_next(fixture, "guest-info");
    assert_log(fixture, "guest-info: popped\n");
    pending_orphan(first);
    agent_queue_drop_orphans(&fixture->queue);
    assert_log(fixture, "guest-info: The client has left\n");
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 3);
    agent_queue_refuse_late(&fixture->queue, 10, "late");
    assert_log(fixture, "guest-info: late; guest-info was not sent\n");
    assert_next(fixture, "guest-ping");
    assert_next(fixture, "guest-ping");
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 0);
}

static void on_done_ask_again(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Fixture *fixture = pending->owner;

    push(fixture, "guest-info", FALSE, 100);
}

/* Who is refused and asks again waits anew, and not with those that are being refused. */
static void test_asks_again(Fixture *fixture, gconstpointer unused)
{
    Pending *pending = pending_new_own("guest-info", NULL, on_done_ask_again, fixture);

    agent_queue_push(&fixture->queue, pending, 10);
    push(fixture, "guest-info", FALSE, 10);
    agent_queue_refuse_late(&fixture->queue, 10, "late");
    assert_log(fixture, "guest-info: late; guest-info was not sent\n");
    g_assert_cmpuint(agent_queue_length(&fixture->queue), ==, 1);
    g_assert_cmpint(agent_queue_deadline(&fixture->queue), ==, 100);
}

static void note(Pending *pending, gpointer names)
{
    g_string_append(names, pending->name);
}

static void test_foreach(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GString) names = g_string_new(NULL);

    push(fixture, "guest-a", FALSE, 1);
    push(fixture, "guest-b", FALSE, 1);
    agent_queue_foreach(&fixture->queue, note, names);
    g_assert_cmpstr(names->str, ==, "guest-aguest-b");
}

static AgentQuestion *restore(Saved *saved)
{
    g_autoptr(GVariant) state = g_variant_ref_sink(g_variant_dict_end(saved));
    Handover handover = {0};
    AgentQuestion *question;
    Saved from;

    g_variant_dict_init(&from, state);
    question = agent_question_restore(&(HandoverPart){&handover, &from});
    g_variant_dict_clear(&from);
    return question;
}

/* Whether it was a proxy that asks in pieces that has asked is for it to say: any other has asked
 * for all, and is answered so. */
static void test_read_of_former(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < 2; i++) {
        Pending *pending = pending_new_own("guest-file-read", "{\"handle\":1,\"count\":1000000}",
                                           on_done, fixture);
        AgentQuestion *question = agent_question_new(pending), *restored;
        Saved saved = G_VARIANT_DICT_INIT(NULL);
        Handover handover = {0};

        g_assert_nonnull(question->read);
        if (i == 0)
            g_clear_pointer(&question->read, agent_read_free);
        agent_question_save(question, &handover, &saved, FALSE);
        restored = restore(&saved);
        g_assert_cmpint(restored->read != NULL, ==, i);
        pending_fail(agent_question_take(question), "saved");
        pending_fail(agent_question_take(restored), "restored");
        agent_question_free(question);
        agent_question_free(restored);
    }
}

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-queue/order", test_order);
    ADD("/agent-queue/ahead", test_ahead);
    ADD("/agent-queue/deadlines", test_deadlines);
    ADD("/agent-queue/orphans", test_orphans);
    ADD("/agent-queue/refuse-all", test_refuse_all);
    ADD("/agent-queue/joins", test_joins);
    ADD("/agent-queue/asks-again", test_asks_again);
    ADD("/agent-queue/foreach", test_foreach);
    ADD("/agent-queue/read-of-former", test_read_of_former);
    return g_test_run();
}
