/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-queue.h"

typedef struct {
    Pending *pending;
    gint64 deadline_us;
} Waiting;

void agent_queue_init(AgentQueue *queue)
{
    g_queue_init(&queue->waiting);
}

void agent_queue_push(AgentQueue *queue, Pending *pending, gboolean urgent, gint64 deadline_us)
{
    Waiting *waiting = g_new(Waiting, 1);

    *waiting = (Waiting){pending, deadline_us};
    if (urgent)
        g_queue_push_head(&queue->waiting, waiting);
    else
        g_queue_push_tail(&queue->waiting, waiting);
}

Pending *agent_queue_pop(AgentQueue *queue)
{
    g_autofree Waiting *waiting = g_queue_pop_head(&queue->waiting);

    return waiting ? waiting->pending : NULL;
}

guint agent_queue_length(const AgentQueue *queue)
{
    return queue->waiting.length;
}

gint64 agent_queue_deadline(const AgentQueue *queue)
{
    const GList *first = queue->waiting.head;

    return first ? ((const Waiting *)first->data)->deadline_us : G_MAXINT64;
}

void agent_queue_set_deadlines(AgentQueue *queue, gint64 deadline_us)
{
    for (GList *at = queue->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us = deadline_us;
}

void agent_queue_lengthen(AgentQueue *queue, gint64 pause_us)
{
    for (GList *at = queue->waiting.head; at; at = at->next)
        ((Waiting *)at->data)->deadline_us += pause_us;
}

void agent_queue_drop_orphans(AgentQueue *queue)
{
    for (GList *at = queue->waiting.head, *next; at; at = next) {
        Waiting *waiting = at->data;

        next = at->next;
        if (!waiting->pending->orphan)
            continue;
        g_queue_delete_link(&queue->waiting, at);
        pending_fail(waiting->pending, "The client has left");
        g_free(waiting);
    }
}

static void refuse_next(AgentQueue *queue, const char *why)
{
    Pending *pending = agent_queue_pop(queue);

    pending_fail(pending, "%s; %s was not sent", why, pending->name);
}

void agent_queue_refuse_all(AgentQueue *queue, const char *why)
{
    while (agent_queue_length(queue) > 0)
        refuse_next(queue, why);
}

void agent_queue_refuse_late(AgentQueue *queue, gint64 now_us, const char *why)
{
    while (agent_queue_deadline(queue) <= now_us)
        refuse_next(queue, why);
}

void agent_queue_foreach(AgentQueue *queue, void (*func)(Pending *pending, gpointer data),
                         gpointer data)
{
    for (GList *at = queue->waiting.head; at; at = at->next)
        func(((Waiting *)at->data)->pending, data);
}
