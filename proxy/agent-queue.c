/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-queue.h"

typedef struct {
    AgentQuestion *question;
    gint64 deadline_us;
} Waiting;

void agent_queue_init(AgentQueue *queue)
{
    *queue = (AgentQueue){.waiting = G_QUEUE_INIT};
}

static gboolean join(AgentQueue *queue, Pending *pending)
{
    if (!pending_has_flag(pending, GUEST_FLAG_SHARED))
        return FALSE;
    for (GList *at = queue->waiting.head; at; at = at->next)
        if (agent_question_join(((Waiting *)at->data)->question, pending))
            return TRUE;
    return FALSE;
}

/* Behind those that are urgent, and those that were put there before. */
static void put_ahead(AgentQueue *queue, Waiting *waiting)
{
    GList *at = queue->waiting.head;

    for (; at; at = at->next) {
        const Pending *first = agent_question_command(((Waiting *)at->data)->question);

        if (!first->ahead && !pending_is_urgent(first))
            break;
    }
    g_queue_insert_before(&queue->waiting, at, waiting);
}

gboolean agent_queue_push(AgentQueue *queue, Pending *pending, gint64 deadline_us)
{
    gboolean urgent = pending_is_urgent(pending);
    Waiting *waiting;

    queue->length++;
    if (!urgent && !pending->ahead && join(queue, pending))
        return TRUE;
    waiting = g_new(Waiting, 1);
    *waiting = (Waiting){agent_question_new(pending), deadline_us};
    if (urgent)
        g_queue_push_head(&queue->waiting, waiting);
    else if (pending->ahead)
        put_ahead(queue, waiting);
    else
        g_queue_push_tail(&queue->waiting, waiting);
    return FALSE;
}

static void remove_link(AgentQueue *queue, GList *at)
{
    if (queue->resting == ((const Waiting *)at->data)->question)
        queue->resting = NULL;
    g_free(at->data);
    g_queue_delete_link(&queue->waiting, at);
}

AgentQuestion *agent_queue_next(AgentQueue *queue, AgentQueueTurnOf turn_of, gconstpointer data)
{
    AgentQueueTurn turn = AGENT_QUEUE_WAIT;
    AgentQuestion *question = NULL;
    GList *at;

    for (at = queue->waiting.head; at && turn == AGENT_QUEUE_WAIT; at = at->next) {
        question = ((Waiting *)at->data)->question;
        turn = turn_of(question, data);
        if (turn == AGENT_QUEUE_GO)
            break;
    }
    if (turn != AGENT_QUEUE_GO)
        return NULL;
    remove_link(queue, at);
    queue->length -= agent_question_length(question);
    return question;
}

static void append(AgentQueue *queue, AgentQuestion *question, gint64 deadline_us)
{
    Waiting *waiting = g_new(Waiting, 1);

    *waiting = (Waiting){question, deadline_us};
    g_queue_push_tail(&queue->waiting, waiting);
    queue->length += agent_question_length(question);
    if (question->rested_us)
        queue->resting = question;
}

void agent_queue_rest(AgentQueue *queue, AgentQuestion *question, gint64 now_us, gint64 deadline_us)
{
    question->rested_us = now_us;
    append(queue, question, deadline_us);
}

guint agent_queue_length(const AgentQueue *queue)
{
    return queue->length;
}

gint64 agent_queue_deadline(const AgentQueue *queue)
{
    const GList *first = queue->waiting.head;

    return first ? ((const Waiting *)first->data)->deadline_us : G_MAXINT64;
}

gint64 agent_queue_resting_deadline(const AgentQueue *queue)
{
    return queue->resting ? agent_question_deadline(queue->resting) : G_MAXINT64;
}

void agent_queue_set_deadlines(AgentQueue *queue, gint64 deadline_us)
{
    for (GList *at = queue->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us = deadline_us;
}

void agent_queue_lengthen(AgentQueue *queue, gint64 pause_us)
{
    AgentQuestion *resting = queue->resting;

    for (GList *at = queue->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us += pause_us;
    if (resting)
        agent_question_go_on(resting, resting->rested_us + pause_us);
}

/* A question that nobody asks any more goes with its last asker. */
static void drop_if_empty(AgentQueue *queue, GList *at)
{
    AgentQuestion *question = ((Waiting *)at->data)->question;

    if (agent_question_length(question) > 0)
        return;
    remove_link(queue, at);
    agent_question_free(question);
}

/* Nobody is answered before the last was found: who hears of it may come with another command. */
void agent_queue_drop_orphans(AgentQueue *queue)
{
    GQueue orphans = G_QUEUE_INIT;
    Pending *pending;

    for (GList *at = queue->waiting.head, *next; at; at = next) {
        next = at->next;
        while ((pending = agent_question_take_orphan(((Waiting *)at->data)->question)))
            g_queue_push_tail(&orphans, pending);
        drop_if_empty(queue, at);
    }
    queue->length -= orphans.length;
    while ((pending = g_queue_pop_head(&orphans)))
        pending_fail(pending, "The client has left");
}

/* One of those that ask it. */
static void refuse(AgentQueue *queue, GList *at, const char *why)
{
    AgentQuestion *question = ((Waiting *)at->data)->question;
    const char *sent = question->rested_us ? "sent and its outcome is unknown" : "not sent";
    Pending *pending = agent_question_take(question);

    queue->length--;
    agent_question_close(question);
    drop_if_empty(queue, at);
    pending_fail(pending, "%s; %s was %s", why, pending->name, sent);
}

void agent_queue_refuse_all(AgentQueue *queue, const char *why)
{
    while (queue->length > 0)
        refuse(queue, queue->waiting.head, why);
}

void agent_queue_refuse_late(AgentQueue *queue, gint64 now_us, const char *why)
{
    while (agent_queue_deadline(queue) <= now_us)
        refuse(queue, queue->waiting.head, why);
}

void agent_queue_refuse_resting(AgentQueue *queue, const char *why)
{
    GList *at = queue->resting ? queue->waiting.head : NULL;

    while (at && ((const Waiting *)at->data)->question != queue->resting)
        at = at->next;
    if (at)
        refuse(queue, at, why);
}

void agent_queue_move(AgentQueue *queue, AgentQueue *to)
{
    for (GList *at = queue->waiting.head, *next; at; at = next) {
        AgentQuestion *question = ((Waiting *)at->data)->question;

        next = at->next;
        if (question->rested_us ||
            pending_has_flag(agent_question_command(question), GUEST_FLAG_CHANNEL))
            continue;
        g_queue_unlink(&queue->waiting, at);
        g_queue_push_tail_link(&to->waiting, at);
        queue->length -= agent_question_length(question);
        to->length += agent_question_length(question);
    }
}

void agent_queue_foreach(AgentQueue *queue, void (*func)(Pending *pending, gpointer data),
                         gpointer data)
{
    for (GList *at = queue->waiting.head; at; at = at->next)
        agent_question_foreach(((Waiting *)at->data)->question, func, data);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_queue_save(const AgentQueue *queue, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = queue->waiting.head; at; at = at->next) {
        const Waiting *waiting = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        agent_question_save(waiting->question, handover, &item, TRUE);
        saved_put_int(&item, "deadline", waiting->deadline_us);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "waiting", list);
}

static void restore_waiting(const HandoverPart *item, gpointer data)
{
    AgentQueue *queue = data;
    AgentQuestion *question = agent_question_restore(item);

    if (question)
        append(queue, question, saved_get_int(item->from, "deadline"));
}

void agent_queue_restore(AgentQueue *queue, const HandoverPart *part)
{
    handover_foreach(part, "waiting", restore_waiting, queue);
}
