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

    agent_queue_push(&fixture->queue, pending, urgent, deadline_us);
    return pending;
}

static void assert_log(Fixture *fixture, const char *expected)
{
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

static void assert_next(Fixture *fixture, const char *name)
{
    Pending *pending = agent_queue_pop(&fixture->queue);

    g_assert_cmpstr(pending->name, ==, name);
    pending_fail(pending, "popped");
}

/* First come, first served; what is urgent goes in front, the last of it first. */
static void test_order(Fixture *fixture, gconstpointer unused)
{
    static const char *const order[] = {"guest-d", "guest-c", "guest-a", "guest-b"};

    g_assert_null(agent_queue_pop(&fixture->queue));
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

int main(int argc, char **argv)
{
#define ADD(path, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/agent-queue/order", test_order);
    ADD("/agent-queue/deadlines", test_deadlines);
    ADD("/agent-queue/orphans", test_orphans);
    ADD("/agent-queue/refuse-all", test_refuse_all);
    ADD("/agent-queue/foreach", test_foreach);
    return g_test_run();
}
