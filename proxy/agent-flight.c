/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-flight.h"

#include "common/json-write.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/qmp-error.h"

#include <string.h>

void agent_flight_init(AgentFlight *flight, const Bounds *bounds)
{
    *flight = (AgentFlight){.bounds = bounds, .landing = G_QUEUE_INIT};
}

/* ---- Sending --------------------------------------------------------------------------------- */

static guint64 class_seconds(const Bounds *bounds, const Pending *pending)
{
    const guint64 seconds[] = {
        [GUEST_CLASS_QUICK] = bounds->quick_seconds,
        [GUEST_CLASS_SLOW] = bounds->slow_seconds,
        [GUEST_CLASS_FREEZE] = bounds->freeze_seconds,
        [GUEST_CLASS_THAW] = bounds->thaw_seconds,
        [GUEST_CLASS_SHUTDOWN] = bounds->shutdown_seconds,
    };

    return seconds[pending_class(pending)];
}

static void start_clock(Pending *pending, gpointer data)
{
    const AgentFlight *flight = data;

    pending->sent_us = flight->begun_us;
    if (pending->seconds == 0)
        pending->seconds = (guint)class_seconds(flight->bounds, pending);
    pending->deadline_us = flight->begun_us + (gint64)pending->seconds * G_USEC_PER_SEC;
}

guint64 agent_flight_random_63(void)
{
    return ((guint64)g_random_int() << 31) ^ g_random_int();
}

void agent_flight_begin(AgentFlight *flight, AgentQuestion *question, gboolean with_id,
                        guint64 bytes_read, gint64 now_us)
{
    flight->question = question;
    flight->id = agent_flight_random_63();
    flight->with_id = with_id;
    flight->begun_us = now_us;
    flight->begun_at = bytes_read;
    agent_question_close(question);
    agent_question_foreach(question, start_clock, flight);
}

const Pending *agent_flight_command(const AgentFlight *flight)
{
    return flight->question ? agent_question_command(flight->question) : NULL;
}

void agent_flight_write(const AgentFlight *flight, GString *text)
{
    const Pending *command = agent_question_command(flight->question);
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, flight->id);

    message_command(text, command->name, FALSE, pending_arguments(command),
                    flight->with_id ? (JsonSpan){id, strlen(id)} : JSON_SPAN_NONE);
}

/* ---- The answer ------------------------------------------------------------------------------ */

gboolean agent_flight_complains_of_sync(const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (reply->kind != ENVELOPE_ERROR || reply->id.text)
        return FALSE;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    return strstr(error->message, "JSON parse error") || strstr(error->message, "guest-sync");
}

/* Without ids, order alone tells: what lay there when the command was sent is a second answer to
 * the one before, and between a sync's answer and the next sync there is one command. A silent one
 * is followed by a sync at once; what comes between its failure and that answer is the complaint
 * about 0xFF, or about a sync that the agent does not know. */
static gboolean is_answered_by_order(const EnvelopeReply *reply, gboolean synced)
{
    if (reply->id.text)
        return FALSE;
    if (synced)
        return TRUE;
    return reply->kind == ENVELOPE_ERROR && !agent_flight_complains_of_sync(reply);
}

gboolean agent_flight_is_answered(const AgentFlight *flight, const EnvelopeReply *reply,
                                  gboolean synced, guint64 bytes_taken)
{
    guint64 id;

    if (!flight->question || (reply->kind != ENVELOPE_RETURN && reply->kind != ENVELOPE_ERROR))
        return FALSE;
    if (!flight->with_id)
        return bytes_taken > flight->begun_at && is_answered_by_order(reply, synced);
    return json_read_uint64(reply->id, &id) && id == flight->id;
}

gboolean agent_flight_is_id_refused(const AgentFlight *flight, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (!flight->question || !flight->with_id || reply->kind != ENVELOPE_ERROR || reply->id.text)
        return FALSE;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    return strstr(error->message, "'id' is unexpected") != NULL;
}

static void note_answered(Pending *pending, gpointer unused)
{
    pending->answered = TRUE;
}

gboolean agent_flight_rebuild(AgentFlight *flight, const EnvelopeReply *reply, GString *text,
                              EnvelopeReply *ret, GError **error)
{
    JsonWrite write;

    agent_question_foreach(flight->question, note_answered, NULL);
    if (reply->kind == ENVELOPE_ERROR) {
        g_propagate_error(error, envelope_error(reply, LIMIT_AGENT_ERROR_DESC));
        return FALSE;
    }
    json_write_init(&write, text);
    json_write_value(&write, reply->value);
    if (text->len > LIMIT_AGENT_BULK_REPLY_BYTES) { /* each non-ASCII byte takes three */
        flight->oversized++;
        qmp_error_set(error,
                      "The guest agent's result has %" G_GSIZE_FORMAT
                      " bytes, at most %u are passed on",
                      text->len, LIMIT_AGENT_BULK_REPLY_BYTES);
        return FALSE;
    }
    *ret = (EnvelopeReply){.kind = ENVELOPE_RETURN, .value = {text->str, text->len}};
    return TRUE;
}

/* ---- Who is told ----------------------------------------------------------------------------- */

/* Who is told may come with the next command, or bring about that another leaves: so those who are
 * still to be told can be found meanwhile. */
static void end_landing(AgentFlight *flight, AgentQuestion *question)
{
    g_queue_remove(&flight->landing, question);
    agent_question_free(question);
}

void agent_flight_land(AgentFlight *flight, const EnvelopeReply *reply, const GError *error,
                       gint64 now_us)
{
    AgentQuestion *question = g_steal_pointer(&flight->question);
    Pending *pending;

    g_queue_push_head(&flight->landing, question);
    while ((pending = agent_question_take(question))) {
        if (reply || pending->answered)
            pending_record(pending, &flight->latency[pending_class(pending)], now_us);
        pending_finish(pending, reply, error);
    }
    end_landing(flight, question);
}

AgentQuestion *agent_flight_split_late(AgentFlight *flight, gint64 now_us)
{
    AgentQuestion *late;

    if (!flight->question)
        return NULL;
    late = agent_question_split_late(flight->question, now_us);
    if (late)
        g_queue_push_head(&flight->landing, late);
    if (agent_question_length(flight->question) == 0)
        g_clear_pointer(&flight->question, agent_question_free);
    return late;
}

void agent_flight_fail_late(AgentFlight *flight, AgentQuestion *late)
{
    Pending *pending;

    while ((pending = agent_question_take(late)))
        pending_fail(pending,
                     "The guest agent did not answer within %u s; %s was sent and its outcome is "
                     "unknown",
                     pending->seconds, pending->name);
    end_landing(flight, late);
}

static void lengthen(Pending *pending, gpointer pause_us)
{
    pending->deadline_us += *(const gint64 *)pause_us;
}

void agent_flight_lengthen(AgentFlight *flight, gint64 pause_us)
{
    if (flight->question)
        agent_question_foreach(flight->question, lengthen, &pause_us);
}

void agent_flight_foreach(AgentFlight *flight, void (*func)(Pending *pending, gpointer data),
                          gpointer data)
{
    if (flight->question)
        agent_question_foreach(flight->question, func, data);
    for (GList *at = flight->landing.head; at; at = at->next)
        agent_question_foreach(at->data, func, data);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_flight_save(const AgentFlight *flight, Handover *handover, Saved *to)
{
    Saved part = G_VARIANT_DICT_INIT(NULL);

    if (!flight->question)
        return;
    agent_question_save(flight->question, handover, &part, FALSE);
    saved_put_int(&part, "number", (gint64)flight->id);
    saved_put_int(&part, "with-id", flight->with_id);
    saved_put_int(&part, "begun", flight->begun_us);
    saved_put_int(&part, "begun-at", (gint64)flight->begun_at);
    saved_put_part(to, "flight", &part);
}

void agent_flight_restore(AgentFlight *flight, const HandoverPart *part)
{
    Saved saved;

    if (saved_get_part(part->from, "flight", &saved)) {
        flight->question = agent_question_restore(&(HandoverPart){part->handover, &saved});
        flight->id = (guint64)saved_get_int(&saved, "number");
        flight->with_id = saved_get_int(&saved, "with-id") != 0;
        flight->begun_us = saved_get_int(&saved, "begun");
        flight->begun_at = (guint64)saved_get_int(&saved, "begun-at");
    }
    g_variant_dict_clear(&saved);
}
