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
 * Leaves to freeze-commands.c which commands are sent, and what their answers say. With several
 * agents the one that is asked need not be the one that has frozen, and one that was left may still
 * do what it was sent: freeze-agents.c has what is then not believed, and until when.
 */

#include "freeze-private.h"
#include "freeze-words.h"

#include "common/limits.h"

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

/* It ends with the last of them, and no earlier than if this one had been the first. */
void freeze_join(Freeze *freeze, Pending *pending)
{
    g_autofree char *count = g_strdup_printf("%" G_GINT64_FORMAT, freeze->count);
    const EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {count, strlen(count)}};

    holds_add(&freeze->holds, pending->asker);
    begin_lease(freeze, freeze->lease_seconds, TRUE);
    pending_finish(pending, &reply, NULL);
}

/* The freeze that they wait for was answered, or will not be. Whoever hears of it may come with
 * another at once, which is put behind them, or bring about that one of them leaves: so those who
 * are still to be told can be found meanwhile. */
static void answer_joining(Freeze *freeze)
{
    for (guint left = freeze->joining.length; left > 0 && freeze->joining.length > 0; left--) {
        Pending *pending = g_queue_pop_head(&freeze->joining);

        if (freeze->state == FREEZE_FROZEN && freeze->all && !pending->orphan)
            freeze_join(freeze, pending);
        else
            pending_fail(pending, "The freeze by %s that this one joined was not done",
                         freeze->by ? freeze->by : FREEZE_STRANGER);
    }
}

static void forget_untold(Freeze *freeze)
{
    holds_drop(&freeze->untold);
    g_clear_pointer(&freeze->ended, g_free);
}

void freeze_become_frozen(Freeze *freeze, gint64 count, gboolean renew)
{
    freeze->state = FREEZE_FROZEN;
    freeze->status_untrusted = FALSE;
    freeze->count = count;
    forget_untold(freeze);
    begin_lease(freeze, freeze->lease_seconds, renew);
    agent_lane_set_frozen(freeze->lane, TRUE);
    answer_joining(freeze);
}

/* Nobody holds it any more, and those who did do not know. Where it was not asked for, somebody is
 * told even if its holder has left: whoever thaws next acts for that. */
static void drop_holders(Freeze *freeze, ThawReason reason)
{
    if (holds_count(&freeze->holds) == 0 && reason == THAW_ASKED)
        return;
    forget_untold(freeze);
    holds_move(&freeze->holds, &freeze->untold);
    if (holds_count(&freeze->untold) == 0)
        holds_add(&freeze->untold, NULL);
}

gboolean freeze_tell_one(Freeze *freeze, gconstpointer client)
{
    return holds_release(&freeze->untold, client, !freeze->joins);
}

void freeze_release(Freeze *freeze, gconstpointer client)
{
    holds_release(&freeze->holds, client, !freeze->joins);
    if (freeze->state == FREEZE_THAWING)
        freeze_tell_one(freeze, client);
}

/* What the owner does not know of is told to whoever thaws next: it is the owner, or acts for it.
 * Whoever was told that it is being thawed is told that it is, by whom ever: a client's thaw may
 * have been under way when the lease ended. */
void freeze_become_thawed(Freeze *freeze, ThawReason reason)
{
    gboolean was_known = freeze->state == FREEZE_FROZEN || freeze->state == FREEZE_THAWING;
    ThawReason told = freeze->told;

    freeze->state = FREEZE_THAWED;
    freeze->status_untrusted = FALSE;
    freeze->told = THAW_ASKED;
    set_timer(freeze, -1);
    if (freeze->record)
        record_erase(freeze->record);
    if (!was_known)
        holds_drop(&freeze->holds);
    else if (holds_count(&freeze->holds) > 0)
        drop_holders(freeze, reason);
    freeze->ops->thawed(freeze->owner);
    agent_lane_set_frozen(freeze->lane, FALSE);
    agent_lane_set_lease(freeze->lane, guest_lease(freeze->lease_seconds), FALSE);
    answer_joining(freeze);
    if (!was_known)
        return;
    if (holds_count(&freeze->untold) > 0 && !freeze->ended)
        freeze->ended = freeze_words_ended(freeze, reason);
    tell(freeze, reason != THAW_ASKED ? reason : told);
}

/* ---- Thawing from here ----------------------------------------------------------------------- */

static void ask_again_later(Freeze *freeze)
{
    set_timer(freeze, io_loop_now(freeze->loop) + LIMIT_THAW_PAUSE_MS * 1000);
}

void freeze_ask(Freeze *freeze, const char *command, PendingDone done)
{
    Pending *pending = pending_new_own(command, NULL, done, freeze);

    freeze->asking = TRUE;
    pending->urgent = TRUE;
    agent_lane_submit(freeze->lane, pending);
}

gboolean freeze_says_thawed(const Freeze *freeze, const EnvelopeReply *reply)
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
    if (freeze_says_thawed(freeze, reply))
        freeze_become_thawed(freeze, freeze->reason);
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
        freeze_ask(freeze, "guest-fsfreeze-status", on_status);
    else
        ask_again_later(freeze);
}

void freeze_try_thaw(Freeze *freeze)
{
    if (freeze->asking)
        return;
    freeze->needs_sync = TRUE;
    freeze_ask(freeze, "guest-fsfreeze-thaw", on_thawed);
}

void freeze_become_thawing(Freeze *freeze, ThawReason reason)
{
    freeze->state = FREEZE_THAWING;
    freeze->reason = reason;
    freeze->told = reason;
    drop_holders(freeze, reason);
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

/* ---- What happens meanwhile ------------------------------------------------------------------ */

void freeze_client_left(Freeze *freeze, gpointer client, gboolean thaw)
{
    gboolean held = holds_leave(&freeze->holds, client, thaw);

    holds_leave(&freeze->untold, client, FALSE);
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
        freeze_become_thawed(freeze, THAW_GUEST);
}

/* Another agent, or another boot of the guest, need not know of the freeze. */
static void on_status_seen(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Freeze *freeze = pending->owner;

    freeze->asking = FALSE;
    freeze->status_due &= !pending->answered;
    freeze_status_was_answered(freeze, reply);
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
        freeze_ask(freeze, "guest-fsfreeze-status", on_status_seen);
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
    holds_init(&freeze->untold);
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
    holds_clear(&freeze->untold);
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
    drop_holders(freeze, THAW_RESTART);
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
    case FREEZE_FREEZING: freeze_resume_freezing(freeze); break;
    case FREEZE_FROZEN: set_timer(freeze, freeze->until_us > 0 ? freeze->until_us : -1); break;
    case FREEZE_THAWING: set_timer(freeze, io_loop_now(freeze->loop)); break;
    }
}
