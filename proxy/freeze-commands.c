/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * freeze-commands: freezes, thaws and questions for the status, on their way to the agent and back.
 *
 * Owns which of them are sent, which are answered or refused here, and what an answer says of the
 * filesystems. Leaves to freeze.c what follows from that.
 */

#include "freeze-private.h"
#include "freeze-words.h"

#include "common/qmp-error.h"

/* ---- Commands on their way ------------------------------------------------------------------- */

static void refuse(Freeze *freeze, Pending *pending)
{
    g_autofree char *text = freeze_words_refusal(freeze, pending->name);
    g_autoptr(GError) error = g_error_new_literal(QMP_ERROR, QMP_ERROR_COMMAND_NOT_FOUND, text);

    pending_finish(pending, NULL, error);
}

/* No freeze is sent before a sync that was sent after the last thaw: what a guest makes of a thaw
 * that was late could otherwise end it. */
static void send_freeze(Freeze *freeze, Pending *pending)
{
    if (freeze->needs_sync)
        agent_lane_probe(freeze->lane);
    freeze->needs_sync = FALSE;
    agent_lane_submit(freeze->lane, pending);
}

static void on_recorded(gpointer owner, const GError *error)
{
    Freeze *freeze = owner;
    Pending *pending = g_steal_pointer(&freeze->unrecorded);

    if (!pending)
        return;
    if (error)
        pending_fail(pending, "The freeze cannot be put on record, and was not sent: %s",
                     error->message);
    else
        send_freeze(freeze, pending);
}

/* The one that is not yet. */
static void put_on_record(Freeze *freeze)
{
    g_autofree char *since = freeze_time_text(freeze->since_us);
    g_autofree char *text =
        g_strdup_printf("%s by %s since %s\n", freeze->unrecorded->name, freeze->by, since);

    record_write(freeze->record, text, on_recorded, freeze);
}

static gboolean freezes_all(const Pending *pending)
{
    JsonWalk walk = json_read_walk(pending_arguments(pending));
    JsonSpan key, value;

    return !json_read_member(&walk, &key, &value);
}

static void submit_freeze(Freeze *freeze, Pending *pending, const char *by)
{
    gboolean joins = freeze->joins && freeze->all && freezes_all(pending);

    if (joins && freeze->state == FREEZE_FROZEN) {
        freeze_join(freeze, pending);
        return;
    }
    if (joins && freeze->state == FREEZE_FREEZING) {
        g_queue_push_tail(&freeze->joining, pending);
        return;
    }
    if (freeze->state != FREEZE_THAWED) {
        refuse(freeze, pending);
        return;
    }
    freeze->state = FREEZE_FREEZING;
    freeze->overtaken = FALSE;
    freeze->admitted = pending;
    freeze->all = freezes_all(pending);
    freeze_set_owner(freeze, pending->asker, by);
    if (!freeze->record) {
        send_freeze(freeze, pending);
        return;
    }
    freeze->unrecorded = pending;
    put_on_record(freeze);
}

/* Who thaws what is being thawed from here would take it for frozen until now.
 * Returns: (transfer full) (nullable): what a thaw is told, once for each who held the freeze */
static char *take_ended(Freeze *freeze, gconstpointer client)
{
    if (!freeze_tell_one(freeze, client))
        return NULL;
    return freeze->ended ? g_strdup(freeze->ended) : freeze_words_ended(freeze, freeze->reason);
}

static void submit_thaw(Freeze *freeze, Pending *pending)
{
    static const EnvelopeReply none = {.kind = ENVELOPE_RETURN, .value = JSON_SPAN_LITERAL("0")};
    g_autofree char *ended = take_ended(freeze, pending->asker);

    if (ended) {
        pending->decided = TRUE;
        pending_fail(pending, "%s", ended);
    } else if (freeze->state == FREEZE_FROZEN && holds_count(&freeze->holds) > 1) {
        holds_release(&freeze->holds, pending->asker, TRUE);
        pending_finish(pending, &none, NULL); /* so many were thawed */
    } else {
        freeze->needs_sync = TRUE;
        agent_lane_submit(freeze->lane, pending);
    }
}

/* While frozen an agent refuses most of its commands; it is spared being asked. */
static gboolean is_refused_while_frozen(const Freeze *freeze, const Pending *pending)
{
    return (freeze->state == FREEZE_FROZEN || freeze->state == FREEZE_THAWING) && pending->guest &&
           !(pending->guest->flags & GUEST_FLAG_FROZEN);
}

/* An agent that has not frozen it itself would say that it is thawed. */
static gboolean is_known_better(const Freeze *freeze, const Pending *pending)
{
    return freeze->status_untrusted &&
           (freeze->state == FREEZE_FROZEN || freeze->state == FREEZE_THAWING) &&
           g_str_equal(pending->name, "guest-fsfreeze-status");
}

void freeze_submit(Freeze *freeze, Pending *pending, const char *by)
{
    static const EnvelopeReply frozen = {.kind = ENVELOPE_RETURN,
                                         .value = JSON_SPAN_LITERAL("\"frozen\"")};

    if (pending_is_class(pending, GUEST_CLASS_FREEZE))
        submit_freeze(freeze, pending, by);
    else if (pending_is_class(pending, GUEST_CLASS_THAW))
        submit_thaw(freeze, pending);
    else if (is_refused_while_frozen(freeze, pending))
        refuse(freeze, pending);
    else if (is_known_better(freeze, pending))
        pending_finish(pending, &frozen, NULL);
    else
        agent_lane_submit(freeze->lane, pending);
}

/* ---- Their answers --------------------------------------------------------------------------- */

/* What exactly was frozen nobody here knows; nobody joins that. */
static void find_frozen(Freeze *freeze)
{
    freeze->all = FALSE;
    freeze_set_owner(freeze, NULL, FREEZE_STRANGER);
    freeze_become_frozen(freeze, 0, TRUE);
}

/* The freeze was none, by the agent that was asked; another may have frozen it meanwhile. */
static void end_freezing(Freeze *freeze)
{
    if (freeze->overtaken)
        freeze_begin_thawing(freeze, THAW_DOUBT);
    else
        freeze_become_thawed(freeze, THAW_ASKED);
}

/* An agent that refuses, which comes as an error and no reply, may be frozen by somebody whom
 * nobody here knows; its status tells. */
static void on_refusal_status(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Freeze *freeze = pending->owner;

    freeze->asking = FALSE;
    if (freeze->state != FREEZE_FREEZING)
        return;
    if (reply && json_read_is(reply->value, "frozen")) {
        find_frozen(freeze);
    } else if (reply && !freeze->status_untrusted) {
        end_freezing(freeze);
    } else {
        freeze_begin_thawing(freeze, THAW_DOUBT);
    }
}

/* @count: of filesystems, as the agent said */
static void freeze_has_succeeded(Freeze *freeze, gint64 count)
{
    freeze_become_frozen(freeze, count, FALSE);
    if (freeze->overtaken)
        freeze_begin_thawing_all(freeze);
    else if (holds_count(&freeze->holds) == 0)
        freeze_begin_thawing(freeze, THAW_OWNER_LEFT);
}

/* One that was refused here was none: it says nothing of the one that is under way. */
static void freeze_was_answered(Freeze *freeze, const Pending *pending, const EnvelopeReply *reply)
{
    gint64 count = 0;

    if (pending != freeze->admitted)
        return;
    freeze->admitted = NULL;
    freeze_note_unanswered(freeze, pending);
    if (pending->sent_us == 0) {
        end_freezing(freeze);
    } else if (!pending->answered) {
        freeze_begin_thawing(freeze, THAW_DOUBT);
    } else if (!reply) {
        freeze_ask(freeze, "guest-fsfreeze-status", on_refusal_status);
    } else if (json_read_int64(reply->value, &count) && count == 0) {
        end_freezing(freeze); /* there is nothing that could be frozen */
    } else {
        freeze_has_succeeded(freeze, count);
    }
}

static gboolean stands_still(const AgentLane *lane)
{
    AgentState state = agent_lane_state(lane);

    return state == AGENT_PAUSED || state == AGENT_ASLEEP || state == AGENT_GONE;
}

/* Of a thaw that the guest does not know of: it was answered from here, its asker has left, or the
 * guest stands still, so that it is to be asked for again. */
static gboolean has_no_effect(const Freeze *freeze, const Pending *pending,
                              const EnvelopeReply *reply)
{
    return pending->sent_us == 0 &&
           (reply || pending->orphan || !freeze->lane || stands_still(freeze->lane));
}

static void thaw_was_answered(Freeze *freeze, const Pending *pending, const EnvelopeReply *reply)
{
    freeze_note_unanswered(freeze, pending);
    if (has_no_effect(freeze, pending, reply))
        return;
    if (pending->sent_us > 0)
        freeze->needs_sync = TRUE; /* a sync may have been answered while it waited */
    if (freeze->state == FREEZE_THAWED || freeze->state == FREEZE_FREEZING) {
        if (reply) /* an agent that does not tell its status may have been frozen all the same */
            freeze->ops->thawed(freeze->owner);
        return;
    }
    if (reply && freeze->state == FREEZE_THAWING && freeze->overtaken) {
        freeze->overtaken = FALSE; /* it is thawed from here once more */
    } else if (reply) {
        freeze_release(freeze, pending->asker);
        freeze_become_thawed(freeze, THAW_ASKED);
    } else if (freeze->state == FREEZE_FROZEN) {
        freeze_release(freeze, pending->asker);
        freeze_begin_thawing(freeze, THAW_ASKED); /* it was asked for, and is not given up */
    }
}

/* It may be frozen by somebody who has another way, or thawed by itself. */
void freeze_status_was_answered(Freeze *freeze, const EnvelopeReply *reply)
{
    if (!reply)
        return;
    if (freeze->state == FREEZE_FROZEN && freeze_says_thawed(freeze, reply)) {
        freeze_become_thawed(freeze, THAW_GUEST);
    } else if (freeze->state == FREEZE_THAWED && json_read_is(reply->value, "frozen")) {
        find_frozen(freeze);
    }
}

void freeze_answered(Freeze *freeze, const Pending *pending, const EnvelopeReply *reply)
{
    if (freeze->stopped)
        return;
    if (pending_is_class(pending, GUEST_CLASS_FREEZE))
        freeze_was_answered(freeze, pending, reply);
    else if (pending_is_class(pending, GUEST_CLASS_THAW))
        thaw_was_answered(freeze, pending, reply);
    else if (g_str_equal(pending->name, "guest-fsfreeze-status"))
        freeze_status_was_answered(freeze, reply);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void freeze_resume_freezing(Freeze *freeze)
{
    if (freeze->unrecorded && freeze->record)
        put_on_record(freeze);
    else if (freeze->unrecorded)
        send_freeze(freeze, g_steal_pointer(&freeze->unrecorded));
    else if (!freeze->admitted) /* refused, and its status was being asked for */
        freeze_ask(freeze, "guest-fsfreeze-status", on_refusal_status);
}
