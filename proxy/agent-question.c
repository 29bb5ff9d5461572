/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-question.h"

AgentQuestion *agent_question_new(Pending *pending)
{
    AgentQuestion *question = g_new(AgentQuestion, 1);

    *question = (AgentQuestion){.askers = G_QUEUE_INIT, .read = agent_read_new(pending)};
    question->on_file = agent_read_find_file(pending, &question->handle);
    g_queue_push_tail(&question->askers, pending);
    return question;
}

void agent_question_free(AgentQuestion *question)
{
    g_assert(question->askers.length == 0);
    agent_read_free(question->read);
    g_free(question);
}

gboolean agent_question_join(AgentQuestion *question, Pending *pending)
{
    if (question->closed || !pending_asks_the_same(agent_question_command(question), pending))
        return FALSE;
    g_queue_push_tail(&question->askers, pending);
    return TRUE;
}

void agent_question_close(AgentQuestion *question)
{
    question->closed = TRUE;
}

guint agent_question_length(const AgentQuestion *question)
{
    return question->askers.length;
}

const Pending *agent_question_command(const AgentQuestion *question)
{
    return question->askers.head->data;
}

Pending *agent_question_take(AgentQuestion *question)
{
    return g_queue_pop_head(&question->askers);
}

Pending *agent_question_take_orphan(AgentQuestion *question)
{
    for (GList *at = question->askers.head; at; at = at->next) {
        Pending *pending = at->data;

        if (!pending->orphan)
            continue;
        g_queue_delete_link(&question->askers, at);
        return pending;
    }
    return NULL;
}

gint64 agent_question_deadline(const AgentQuestion *question)
{
    gint64 first_us = G_MAXINT64;

    for (GList *at = question->askers.head; at; at = at->next)
        first_us = MIN(first_us, ((const Pending *)at->data)->deadline_us);
    return first_us;
}

void agent_question_go_on(AgentQuestion *question, gint64 now_us)
{
    for (GList *at = question->askers.head; at; at = at->next)
        ((Pending *)at->data)->deadline_us += now_us - question->rested_us;
    question->rested_us = now_us;
}

AgentQuestion *agent_question_split_late(AgentQuestion *question, gint64 now_us)
{
    AgentQuestion *late;

    if (agent_question_deadline(question) > now_us)
        return NULL;
    late = g_new(AgentQuestion, 1);
    *late = (AgentQuestion){.askers = G_QUEUE_INIT, .closed = TRUE};
    for (GList *at = question->askers.head, *next; at; at = next) {
        Pending *pending = at->data;

        next = at->next;
        if (pending->deadline_us > now_us)
            continue;
        g_queue_unlink(&question->askers, at);
        g_queue_push_tail_link(&late->askers, at);
    }
    return late;
}

void agent_question_foreach(AgentQuestion *question, void (*func)(Pending *pending, gpointer data),
                            gpointer data)
{
    g_queue_foreach(&question->askers, (GFunc)func, data);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_question_save(const AgentQuestion *question, Handover *handover, Saved *to,
                         gboolean skip_own)
{
    handover_put_queue(handover, to, "askers", &question->askers, skip_own);
    saved_put_int(to, "closed", question->closed);
    saved_put_int(to, "rested", question->rested_us);
    if (question->read)
        agent_read_save(question->read, to);
}

AgentQuestion *agent_question_restore(const HandoverPart *part)
{
    AgentQuestion *question = g_new(AgentQuestion, 1);

    *question = (AgentQuestion){.askers = G_QUEUE_INIT};
    handover_get_queue(part, "askers", &question->askers);
    question->closed = saved_get_int(part->from, "closed") != 0;
    question->rested_us = saved_get_int(part->from, "rested");
    if (question->askers.length == 0) {
        g_clear_pointer(&question, agent_question_free);
        return NULL;
    }
    question->read = agent_read_restore(part->from);
    question->on_file = agent_read_find_file(agent_question_command(question), &question->handle);
    return question;
}
