/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-flight.h"

#include "common/json-write.h"
#include "common/limits.h"
#include "common/message.h"
#include "common/scratch.h"
#include "common/qmp-error.h"

#include "common/sync.h"

#include <string.h>

guint64 agent_flight_random_63(void)
{
    return ((guint64)g_random_int() << 31) ^ g_random_int();
}

const Pending *agent_flight_command(const AgentFlight *flight)
{
    return flight->question ? agent_question_command(flight->question) : NULL;
}

gboolean agent_flight_has_flag(const AgentFlight *flight, GuestFlags flag)
{
    return flight->guest && (flight->guest->flags & flag);
}

void agent_flight_ping(AgentFlight *flight)
{
    const Pending *command = agent_question_command(flight->question);

    flight->pings = sync_is_asked_for(command->name, pending_arguments(command), &flight->token);
}

static void write_command(const AgentFlight *flight, const char *name, JsonSpan arguments,
                          GString *text)
{
    g_autoptr(Scratch) id = scratch_new();
    JsonWrite write;

    if (flight->with_id) {
        json_write_init(&write, id);
        json_write_uint64(&write, flight->id);
    }
    message_command(text, name, FALSE, arguments,
                    flight->with_id ? (JsonSpan){id->str, id->len} : JSON_SPAN_NONE);
}

static void write_piece(const AgentFlight *flight, GString *text)
{
    g_autoptr(Scratch) arguments = scratch_new();

    agent_read_write(flight->question->read, arguments);
    write_command(flight, agent_flight_command(flight)->name,
                  (JsonSpan){arguments->str, arguments->len}, text);
}

void agent_flight_write(const AgentFlight *flight, GString *text)
{
    const Pending *command = agent_flight_command(flight);

    if (flight->question->read)
        write_piece(flight, text);
    else if (flight->pings)
        write_command(flight, "guest-ping", JSON_SPAN_NONE, text);
    else
        write_command(flight, command->name, pending_arguments(command), text);
}

enum { SMALL = 4096 };

static void spend(Pending *pending, gpointer data)
{
    AgentFlight *flight = data;

    if (!pending->orphan || pending_arguments(pending).len <= SMALL)
        return;
    pending_drop_arguments(pending);
    flight->spent = TRUE;
}

/* Those of one that is shared are its other askers', too, and what its answer is kept under; those
 * of a read tell a successor its file. A silent one is soon over, and its refusal must be seen. */
void agent_flight_spend(AgentFlight *flight)
{
    if (!agent_flight_has_flag(flight, GUEST_FLAG_SHARED | GUEST_FLAG_SILENT) &&
        !flight->question->read)
        agent_question_foreach(flight->question, spend, flight);
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

    if (reply->kind != ENVELOPE_RETURN && reply->kind != ENVELOPE_ERROR)
        return FALSE;
    if (!flight->with_id)
        return bytes_taken > flight->begun_at && is_answered_by_order(reply, synced);
    return json_read_uint64(reply->id, &id) && id == flight->id;
}

gboolean agent_flight_is_id_refused(const AgentFlight *flight, const EnvelopeReply *reply)
{
    g_autoptr(GError) error = NULL;

    if (!flight->question || !flight->with_id || flight->spent || reply->kind != ENVELOPE_ERROR ||
        reply->id.text)
        return FALSE;
    error = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    return strstr(error->message, "'id' is unexpected") != NULL;
}

static void note_answered(Pending *pending, gpointer unused)
{
    pending->answered = TRUE;
}

gboolean agent_flight_rebuild(const AgentFlight *flight, const EnvelopeReply *reply, GString *text,
                              EnvelopeReply *ret, gboolean *ret_oversized, GError **error)
{
    JsonWrite write;

    *ret_oversized = FALSE;
    agent_question_foreach(flight->question, note_answered, NULL);
    if (reply->kind == ENVELOPE_ERROR) {
        g_propagate_error(error, envelope_error(reply, LIMIT_AGENT_ERROR_DESC));
        return FALSE;
    }
    if (!flight->pings && reply->value.len >= AGENT_FLIGHT_LARGE &&
        json_write_would_copy(reply->value, reply->known)) {
        *ret = (EnvelopeReply){.kind = ENVELOPE_RETURN, .value = reply->value};
        return TRUE;
    }
    json_write_init(&write, text);
    if (flight->pings)
        json_write_int64(&write, flight->token);
    else
        json_write_value(&write, reply->value);
    if (text->len > LIMIT_AGENT_BULK_REPLY_BYTES) { /* each non-ASCII byte takes three */
        *ret_oversized = TRUE;
        qmp_error_set(error,
                      "The guest agent's result has %" G_GSIZE_FORMAT
                      " bytes, at most %u are passed on",
                      text->len, LIMIT_AGENT_BULK_REPLY_BYTES);
        return FALSE;
    }
    *ret = (EnvelopeReply){.kind = ENVELOPE_RETURN, .value = {text->str, text->len}};
    return TRUE;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_flight_save(const AgentFlight *flight, Handover *handover, Saved *to)
{
    if (flight->question)
        agent_question_save(flight->question, handover, to, FALSE);
    saved_put_text(to, "command", flight->guest ? flight->guest->name : NULL);
    saved_put_int(to, "number", (gint64)flight->id);
    saved_put_int(to, "with-id", flight->with_id);
    saved_put_int(to, "pings", flight->pings);
    saved_put_int(to, "spent", flight->spent);
    saved_put_int(to, "token", flight->token);
    saved_put_int(to, "begun", flight->begun_us);
    saved_put_int(to, "begun-at", (gint64)flight->begun_at);
}

AgentFlight *agent_flight_restore(const HandoverPart *part)
{
    g_autofree char *command = saved_get_text(part->from, "command");
    AgentFlight *flight = g_new(AgentFlight, 1);

    *flight = (AgentFlight){
        .question = agent_question_restore(part),
        .guest = command ? guest_schema_find(command) : NULL,
        .id = (guint64)saved_get_int(part->from, "number"),
        .with_id = saved_get_int(part->from, "with-id") != 0,
        .pings = saved_get_int(part->from, "pings") != 0,
        .spent = saved_get_int(part->from, "spent") != 0,
        .token = saved_get_int(part->from, "token"),
        .begun_us = saved_get_int(part->from, "begun"),
        .begun_at = (guint64)saved_get_int(part->from, "begun-at"),
    };
    return flight;
}
