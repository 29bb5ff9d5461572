/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Theory of operation.
 *
 *   THAWED ──freeze asked──▶ FREEZING ──return──▶ FROZEN ──thaw asked──▶ THAWED
 *      ▲                         │ no answer        │ lease, owner left, no answer to a thaw
 *      └──────status thawed── THAWING ◀─────────────┘
 *
 * What a freeze's answer was is believed; where there was none, or the agent refused, its status is
 * asked for. THAWING begins with a sync: an agent that was restarted unseen, as on isa-serial,
 * would never answer a thaw that its forerunner was sent. Then it sends a thaw and asks for the
 * status, with a pause after each round that did not end in "thawed"; a round begins at once when
 * the agent was brought into step.
 *
 * With several agents the one that is asked need not be the one that has frozen, and one that was
 * left may still do what it was sent: freeze-agents.c has what is then not believed, and until
 * when.
 */

#include "freeze-private.h"
#include "freeze-words.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

/* What a client has asked for, the others see in the state of the agent. */
static void tell(Freeze *freeze, ThawReason reason)
{
    g_autofree char *data = NULL;

    if (reason == THAW_ASKED)
        return;
    data = freeze_words_event(freeze, reason);
    freeze->ops->changed(freeze->owner, data);
}

/* ---- States ---------------------------------------------------------------------------------- */

static void set_timer(Freeze *freeze, gint64 at_us)
{
    io_timer_set(freeze->timer, at_us);
}

void freeze_set_owner(Freeze *freeze, gpointer client, const char *by)
{
    holds_drop(&freeze->holds);
    holds_add(&freeze->holds, client);
    g_free(freeze->by);
    freeze->by = g_strdup(by);
    freeze->since_us = g_get_real_time();
}

static guint guest_lease(guint seconds)
{
    guint more = MAX(seconds / LIMIT_FREEZE_LEASE_PART, LIMIT_FREEZE_LEASE_MORE);

    return seconds > 0 ? MIN(seconds + more, LIMIT_FREEZE_LEASE_LONGEST) : 0;
}

/* @renew: the guest has begun its own otherwise, or earlier */
static void begin_lease(Freeze *freeze, guint seconds, gboolean renew)
{
    freeze->until_us =
        seconds > 0 ? io_loop_now(freeze->loop) + (gint64)seconds * G_USEC_PER_SEC : 0;
    set_timer(freeze, freeze->until_us > 0 ? freeze->until_us : -1);
    agent_lane_set_lease(freeze->lane, guest_lease(seconds), renew);
}

guint freeze_guest_lease(const Freeze *freeze)
{
    gint64 left_us = freeze->until_us - io_loop_now(freeze->loop);

    if (freeze->state == FREEZE_FROZEN && freeze->until_us > 0)
        return guest_lease((guint)MAX(left_us / G_USEC_PER_SEC, 1));
    return guest_lease(freeze->lease_seconds);
}

static gboolean freezes_all(const Pending *pending)
{
    JsonWalk walk = json_read_walk(pending_arguments(pending));
    JsonSpan key, value;

    return !json_read_member(&walk, &key, &value);
}

/* It ends with the last of them, and no earlier than if this one had been the first. */
static void join(Freeze *freeze, Pending *pending)
{
    g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, freeze->count);
    const EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {count, strlen(count)}};

    holds_add(&freeze->holds, pending->asker);
    begin_lease(freeze, freeze->lease_seconds, TRUE);
    pending_finish(pending, &reply, NULL);
}

/* The freeze that they wait for was answered, or will not be. */
static void answer_joining(Freeze *freeze)
{
    GQueue joining = freeze->joining;
    Pending *pending;

    g_queue_init(&freeze->joining);
    while ((pending = g_queue_pop_head(&joining)))
        if (freeze->state == FREEZE_FROZEN && !pending->orphan)
            join(freeze, pending);
        else
            pending_fail(pending, "The freeze by %s that this one joined was not done",
                         freeze->by ? freeze->by : FREEZE_STRANGER);
}

/* @count: of filesystems, as the agent said; @renew: as above */
static void become_frozen(Freeze *freeze, gint64 count, gboolean renew)
{
    freeze->state = FREEZE_FROZEN;
    freeze->status_untrusted = FALSE;
    freeze->count = count;
    g_clear_pointer(&freeze->ended, g_free);
    begin_lease(freeze, freeze->lease_seconds, renew);
    agent_lane_set_frozen(freeze->lane, TRUE);
    answer_joining(freeze);
}

/* Nobody holds it any more; so many do not know. */
static void drop_holders(Freeze *freeze)
{
    freeze->untold_holders = MAX(holds_count(&freeze->holds), 1);
    holds_drop(&freeze->holds);
}

/* What the owner does not know of is told to whoever thaws next: it is the owner, or acts for it.
 * Whoever was told that it is being thawed is told that it is, by whom ever: a client's thaw may
 * have been under way when the lease ended. */
static void become_thawed(Freeze *freeze, ThawReason reason)
{
    gboolean was_known = freeze->state == FREEZE_FROZEN || freeze->state == FREEZE_THAWING;
    ThawReason told = freeze->told;

    freeze->state = FREEZE_THAWED;
    freeze->status_untrusted = FALSE;
    freeze->told = THAW_ASKED;
    set_timer(freeze, -1);
    if (freeze->record)
        record_erase(freeze->record);
    if (holds_count(&freeze->holds) > 0)
        drop_holders(freeze);
    freeze->ops->thawed(freeze->owner);
    agent_lane_set_frozen(freeze->lane, FALSE);
    agent_lane_set_lease(freeze->lane, guest_lease(freeze->lease_seconds), FALSE);
    answer_joining(freeze);
    if (!was_known)
        return;
    if (reason != THAW_ASKED) {
        g_free(freeze->ended);
        freeze->ended = freeze_words_ended(freeze, reason);
    }
    tell(freeze, reason != THAW_ASKED ? reason : told);
}

/* ---- Thawing from here ----------------------------------------------------------------------- */

static void ask_again_later(Freeze *freeze)
{
    set_timer(freeze, io_loop_now(freeze->loop) + LIMIT_THAW_PAUSE_MS * 1000);
}

static void ask(Freeze *freeze, const char *command, PendingDone done)
{
    Pending *pending = pending_new_own(command, NULL, done, freeze);

    freeze->asking = TRUE;
    pending->urgent = TRUE;
    agent_lane_submit(freeze->lane, pending);
}

/* @reply: (nullable): to guest-fsfreeze-status. Returns: whether nothing is frozen */
static gboolean says_thawed(const Freeze *freeze, const EnvelopeReply *reply)
{
    return reply && !freeze->status_untrusted && json_read_is(reply->value, "thawed");
}

/* Whatever the thaw's answer was, only the status counts. */
static void on_status(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Freeze *freeze = pending->owner;

    freeze->asking = FALSE;
    if (freeze->state != FREEZE_THAWING)
        return;
    if (says_thawed(freeze, reply))
        become_thawed(freeze, freeze->reason);
    else
        ask_again_later(freeze);
}

static void on_thawed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Freeze *freeze = pending->owner;

    freeze->asking = FALSE;
    freeze_note_unanswered(freeze, pending);
    freeze->needs_sync |= pending->sent_us > 0;
    freeze->status_untrusted &= !reply || freeze->overtaken;
    freeze->overtaken = FALSE;
    if (freeze->state != FREEZE_THAWING)
        return;
    if (pending->answered)
        ask(freeze, "guest-fsfreeze-status", on_status);
    else
        ask_again_later(freeze);
}

void freeze_try_thaw(Freeze *freeze)
{
    if (freeze->asking)
        return;
    freeze->needs_sync = TRUE;
    ask(freeze, "guest-fsfreeze-thaw", on_thawed);
}

void freeze_become_thawing(Freeze *freeze, ThawReason reason)
{
    freeze->state = FREEZE_THAWING;
    freeze->reason = reason;
    freeze->told = reason;
    drop_holders(freeze);
    answer_joining(freeze);
    freeze->thaws += reason != THAW_ASKED;
    tell(freeze, reason);
}

void freeze_begin_thawing(Freeze *freeze, ThawReason reason)
{
    freeze_become_thawing(freeze, reason);
    agent_lane_probe(freeze->lane);
    freeze_try_thaw(freeze);
}

static void on_timer(gpointer owner, gint64 unused_now)
{
    Freeze *freeze = owner;

    if (freeze->state == FREEZE_FROZEN)
        freeze_begin_thawing(freeze, THAW_LEASE);
    else if (freeze->state == FREEZE_THAWING)
        freeze_try_thaw(freeze);
}

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

/* The one that is held. */
static void put_on_record(Freeze *freeze)
{
    g_autofree char *since = freeze_time_text(freeze->since_us);
    g_autofree char *text =
        g_strdup_printf("%s by %s since %s\n", freeze->unrecorded->name, freeze->by, since);

    record_write(freeze->record, text, on_recorded, freeze);
}

static void submit_freeze(Freeze *freeze, Pending *pending, const char *by)
{
    gboolean joins = freeze->joins && freeze->all && freezes_all(pending);

    if (joins && freeze->state == FREEZE_FROZEN) {
        join(freeze, pending);
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
static char *take_ended(Freeze *freeze)
{
    char *text = NULL;

    if (freeze->ended)
        text = g_strdup(freeze->ended);
    else if (freeze->state == FREEZE_THAWING && freeze->reason != THAW_ASKED)
        text = freeze_words_ended(freeze, freeze->reason);
    if (text && --freeze->untold_holders == 0) {
        g_clear_pointer(&freeze->ended, g_free);
        if (freeze->state == FREEZE_THAWING)
            freeze->reason = THAW_ASKED; /* it is told, and nobody is told again */
    }
    return text;
}

static void submit_thaw(Freeze *freeze, Pending *pending)
{
    static const EnvelopeReply none = {.kind = ENVELOPE_RETURN, .value = JSON_SPAN_LITERAL("0")};
    g_autofree char *ended = take_ended(freeze);

    if (ended) {
        pending->decided = TRUE;
        pending_fail(pending, "%s", ended);
    } else if (freeze->state == FREEZE_FROZEN && holds_count(&freeze->holds) > 1) {
        holds_release(&freeze->holds, pending->asker);
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
    become_frozen(freeze, 0, TRUE);
}

/* The freeze was none, by the agent that was asked; another may have frozen it meanwhile. */
static void end_freezing(Freeze *freeze)
{
    if (freeze->overtaken)
        freeze_begin_thawing(freeze, THAW_DOUBT);
    else
        become_thawed(freeze, THAW_ASKED);
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
    become_frozen(freeze, count, FALSE);
    if (freeze->overtaken)
        freeze_begin_thawing(freeze, THAW_DOUBT);
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
        ask(freeze, "guest-fsfreeze-status", on_refusal_status);
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
    if (reply && freeze->state == FREEZE_THAWING && freeze->overtaken)
        freeze->overtaken = FALSE; /* it is thawed from here once more */
    else if (reply)
        become_thawed(freeze, THAW_ASKED);
    else if (freeze->state == FREEZE_FROZEN)
        freeze_begin_thawing(freeze, THAW_ASKED); /* it was asked for, and is not given up */
}

/* It may be frozen by somebody who has another way, or thawed by itself. */
static void status_was_answered(Freeze *freeze, const EnvelopeReply *reply)
{
    if (!reply)
        return;
    if (freeze->state == FREEZE_FROZEN && says_thawed(freeze, reply)) {
        become_thawed(freeze, THAW_GUEST);
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
        status_was_answered(freeze, reply);
}

/* ---- What happens meanwhile ------------------------------------------------------------------ */

void freeze_client_left(Freeze *freeze, gpointer client, gboolean thaw)
{
    gboolean held = holds_leave(&freeze->holds, client, thaw);

    if (held && freeze->state == FREEZE_FROZEN && holds_count(&freeze->holds) == 0)
        freeze_begin_thawing(freeze, THAW_OWNER_LEFT);
}

void freeze_foreach(Freeze *freeze, void (*func)(Pending *pending, gpointer data), gpointer data)
{
    if (freeze->unrecorded)
        func(freeze->unrecorded, data);
    g_queue_foreach(&freeze->joining, (GFunc)(void (*)(void))func, data);
}

void freeze_guest_started(Freeze *freeze)
{
    if (freeze->state == FREEZE_FROZEN || freeze->state == FREEZE_THAWING)
        become_thawed(freeze, THAW_GUEST);
}

/* Another agent, or another boot of the guest, need not know of the freeze. */
static void on_status_seen(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Freeze *freeze = pending->owner;

    freeze->asking = FALSE;
    freeze->status_due &= !pending->answered;
    status_was_answered(freeze, reply);
    if (freeze->state == FREEZE_THAWING)
        freeze_try_thaw(freeze);
}

void freeze_agent_synced(Freeze *freeze)
{
    freeze->needs_sync = FALSE;
    freeze->may_act_late = FALSE;
    if (freeze->state == FREEZE_THAWING)
        freeze_try_thaw(freeze);
    else if (!freeze->asking && (freeze->state == FREEZE_FROZEN ||
                                 (freeze->state == FREEZE_THAWED && freeze->status_due)))
        ask(freeze, "guest-fsfreeze-status", on_status_seen);
}

/* Whoever answers next may be an agent, or a guest, that somebody else has frozen: it was migrated
 * here, or is served by this proxy from now on. Where nobody asked, nobody would end that. */
void freeze_agent_lost(Freeze *freeze)
{
    freeze->status_due = TRUE;
}

gboolean freeze_renew(Freeze *freeze, guint seconds)
{
    if (freeze->state != FREEZE_FROZEN)
        return FALSE;
    begin_lease(freeze, seconds > 0 ? seconds : freeze->lease_seconds, TRUE);
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void freeze_init(Freeze *freeze, IoLoop *loop, const FreezeOps *ops, gpointer owner)
{
    *freeze = (Freeze){.ops = ops, .owner = owner, .loop = io_loop_ref(loop)};
    freeze->lease_seconds = LIMIT_FREEZE_LEASE_SECONDS;
    freeze->status_due = TRUE;
    g_queue_init(&freeze->joining);
    holds_init(&freeze->holds);
    freeze->timer = io_timer_new(loop, on_timer, freeze);
}

void freeze_abandon(Freeze *freeze, const char *why)
{
    if (freeze->unrecorded)
        pending_fail(g_steal_pointer(&freeze->unrecorded), "%s; the freeze was not sent", why);
    answer_joining(freeze);
}

gboolean freeze_is_on_record(const Freeze *freeze)
{
    return freeze->record && freeze->state != FREEZE_THAWED;
}

void freeze_forget(Freeze *freeze)
{
    if (freeze->record)
        record_erase(freeze->record);
}

void freeze_stop(Freeze *freeze)
{
    freeze->stopped = TRUE;
    freeze_abandon(freeze, "The proxy ended");
}

void freeze_clear(Freeze *freeze)
{
    io_timer_free(freeze->timer);
    record_free(freeze->record);
    holds_clear(&freeze->holds);
    g_free(freeze->by);
    g_free(freeze->ended);
    io_loop_unref(freeze->loop);
}

void freeze_set_record(Freeze *freeze, Record *record)
{
    freeze->record = record;
    if (!record_found(record))
        return;
    freeze->state = FREEZE_THAWING;
    freeze->reason = THAW_RESTART;
    freeze->told = THAW_RESTART;
    freeze->thaws++;
    freeze_set_owner(freeze, NULL, "a client of a former proxy");
}

/* ---- To a successor -------------------------------------------------------------------------- */

/* Each state goes on from the last thing that is sure. */
void freeze_resume(Freeze *freeze)
{
    switch (freeze->state) {
    case FREEZE_THAWED:
        if (freeze->record)
            record_erase(freeze->record); /* may have been under way */
        break;
    case FREEZE_FREEZING:
        if (freeze->unrecorded && freeze->record)
            put_on_record(freeze);
        else if (freeze->unrecorded)
            send_freeze(freeze, g_steal_pointer(&freeze->unrecorded));
        else if (!freeze->admitted) /* refused, and its status was being asked for */
            ask(freeze, "guest-fsfreeze-status", on_refusal_status);
        break;
    case FREEZE_FROZEN: set_timer(freeze, freeze->until_us > 0 ? freeze->until_us : -1); break;
    case FREEZE_THAWING: set_timer(freeze, io_loop_now(freeze->loop)); break;
    }
}
