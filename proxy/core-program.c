/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-program: the program that embeds the proxy, as one who asks, what it has a say in, and
 * what it is told.
 *
 * Its commands take the way that a client's take, and what a client's leaving does to them, their
 * withdrawal does: what was not sent is not sent any more, what was sent runs to its end. It is one
 * party, which a freeze belongs to, whatever the number of its commands.
 */

#include "core-private.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <unistd.h>

/* ---- What it has a say in -------------------------------------------------------------------- */

void core_set_gated(Core *core, gboolean gated)
{
    core->gated = gated;
}

void core_set_audited(Core *core, gboolean audited)
{
    core->audited = audited;
}

void core_set_program(Core *core, const char *name)
{
    g_free(core->program);
    core->program = g_strdup(name);
}

static const char *program_name(const Core *core)
{
    const char *name = core->program ? core->program : g_get_prgname();

    return name ? name : "the program";
}

/* ---- What it is told ------------------------------------------------------------------------- */

const char *core_agent_state(const Core *core)
{
    AgentState state;

    if (!core->lane)
        return NULL;
    state = agent_lane_state(core->lane);
    return agent_state_name(state == AGENT_BUSY ? AGENT_READY : state);
}

gboolean core_is_connected(const Core *core)
{
    return core->version != NULL;
}

void core_tell_changed(Core *core)
{
    if (core->ops->changed)
        core->ops->changed(core->owner);
}

static gint64 time_of(JsonSpan event)
{
    JsonSpan timestamp = json_read_get(event, "timestamp");
    gint64 seconds = 0;
    gint64 us = 0;

    if (!json_read_int64(json_read_get(timestamp, "seconds"), &seconds) ||
        !json_read_int64(json_read_get(timestamp, "microseconds"), &us) || seconds < 0 ||
        seconds > G_MAXINT32 * (gint64)G_MAXINT16 || us < 0 || us >= G_USEC_PER_SEC)
        return g_get_real_time();
    return seconds * G_USEC_PER_SEC + us;
}

void core_tell_event(Core *core, JsonSpan message, const EnvelopeReply *event)
{
    g_autofree char *name = core->ops->event ? json_read_string(event->value) : NULL;

    if (name)
        core->ops->event(core->owner, name, event->data, time_of(message));
}

void core_audit(Core *core, const Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    g_autoptr(GError) refusal = NULL;

    if (!pending->by || !core->ops->answered)
        return;
    if (reply && reply->kind == ENVELOPE_ERROR)
        refusal = envelope_error(reply, LIMIT_AGENT_ERROR_DESC);
    core->ops->answered(core->owner, pending->by, pending->name, refusal ? refusal : error,
                        io_loop_now(core->loop) - pending->taken_us);
}

/* ---- Its commands ---------------------------------------------------------------------------- */

static CoreOutcome outcome_of(const Pending *pending, const EnvelopeReply *reply)
{
    if (reply || pending->answered || pending->decided)
        return CORE_ANSWERED;
    return pending->sent_us > 0 ? CORE_NO_ANSWER : CORE_NOT_SENT;
}

static void forget(CoreCommand *command)
{
    command->pending = NULL;
    g_clear_pointer(&command->late, io_timer_free);
}

static void on_answered(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    CoreCommand *command = pending->owner;
    const EnvelopeReply *noted = core_note_answer(command->core, pending, reply, error, NULL);

    forget(command);
    command->answered(command, noted, error, outcome_of(pending, reply));
}

static void on_merged_answered(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    CoreCommand *command = pending->owner;
    EnvelopeReply merged;
    const EnvelopeReply *noted = core_note_answer(command->core, pending, reply, error, &merged);

    forget(command);
    command->answered(command, noted, error, outcome_of(pending, reply));
}

void core_withdraw(CoreCommand *command)
{
    Core *core = command->core;
    Pending *pending = command->pending;
    PendingLeaver leaver = {core, program_name(core)};

    if (!pending)
        return;
    forget(command);
    pending->done = core_reply_to_nobody;
    pending->owner = core;
    pending_leave(pending, &leaver);
    local_hurry(&core->local, pending);
    core_drop_orphans(core);
}

/* QEMU has no time limits; only who asked stops waiting. */
static void on_late(gpointer owner, gint64 unused_now)
{
    CoreCommand *command = owner;
    const Pending *pending = command->pending;
    CoreOutcome outcome = pending->sent_us > 0 ? CORE_NO_ANSWER : CORE_NOT_SENT;
    g_autoptr(GError) error = NULL;

    qmp_error_set(&error, "%s was not answered in time; %s", pending->name,
                  pending->sent_us > 0 ? "its outcome is unknown" : "it was not sent");
    core_withdraw(command);
    command->answered(command, NULL, error, outcome);
}

static Monitor *monitor_for(const Core *core)
{
    Monitor *monitor = core_least_used(core);

    return monitor ? monitor : core->monitors->pdata[0]; /* which says that it is not connected */
}

void core_ask(Core *core, CoreCommand *command, const EnvelopeCommand *question, gboolean ahead)
{
    PendingDone done = core_is_merged(question) ? on_merged_answered : on_answered;
    const CoreParty party = {core, NULL, monitor_for(core), program_name(core), -1};
    Pending *pending = pending_new(question, NULL, done, command, core);

    *command = (CoreCommand){.answered = command->answered, .core = core, .pending = pending};
    pending->taken_us = io_loop_now(core->loop);
    pending->ahead = ahead;
    if (core->audited)
        pending->by = asker_new(party.name, getuid(), getpid());
    if (question->timeout > 0 && !g_str_has_prefix(question->name, "guest-")) {
        command->late = io_timer_new(core->loop, on_late, command);
        io_timer_set(command->late, pending->taken_us + (gint64)question->timeout * G_USEC_PER_SEC);
    }
    if (core->closing)
        pending_fail(pending, "QEMU has gone; %s was not sent", question->name);
    else
        core_submit(core, &party, pending, question);
}
