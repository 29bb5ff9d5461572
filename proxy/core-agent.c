/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-agent: what the core makes of what becomes of the guest's agent.
 *
 * Owns whom of the core's parts that is told to, and asking an agent that was met what it can do.
 * Leaves the way to it to channels.h, what it has frozen to freeze.h, and clients' commands to
 * core.c.
 */

#include "core-private.h"

#include "raw-client.h"

/* Brought into step again, it is still the same. */
gboolean core_agent_is_up(const Core *core)
{
    AgentState state = core->lane ? agent_lane_state(core->lane) : AGENT_OFFLINE;

    return state == AGENT_READY || state == AGENT_BUSY || state == AGENT_FROZEN ||
           (state == AGENT_SYNCING && core->agent_known);
}

static void on_guest_info(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Core *core = pending->owner;

    if (!reply || reply->kind != ENVELOPE_RETURN) {
        introspect_forget_agent(&core->introspect);
        return;
    }
    introspect_read_guest_info(&core->introspect, reply->value);
    if (core->introspect.capable)
        agent_lane_offer(core->lane, freeze_guest_lease(&core->freeze));
}

/* With one that was capable all is agreed anew, before anything slow keeps the others waiting. */
static void ask_guest_info(Core *core)
{
    Pending *pending = pending_new_own("guest-info", NULL, on_guest_info, core);

    pending->ahead = core->introspect.capable;
    agent_lane_submit(core->lane, pending);
}

/* ---- What the channels tell ------------------------------------------------------------------ */

/* Until it says otherwise it is taken for the one that it was: a sync comes after each command that
 * took too long, too. */
static void on_agent_synced(gpointer owner)
{
    Core *core = owner;

    core->agent_known = TRUE;
    freeze_agent_synced(&core->freeze);
    ask_guest_info(core);
}

static void on_agent_lost(gpointer owner)
{
    Core *core = owner;

    core->agent_known = FALSE;
    introspect_forget_agent(&core->introspect);
    freeze_agent_lost(&core->freeze);
    if (agent_lane_state(core->lane) == AGENT_OFFLINE)
        core_channel_is_offline(core);
}

void core_use_channel(Core *core)
{
    core->lane = core->channels.used->lane;
    freeze_set_lane(&core->freeze, core->lane);
    local_set_lane(&core->local, core->lane);
}

/* Nothing is under way there, and whoever is the agent here has everything still to tell. */
static void on_changed_over(gpointer owner, Channel *former)
{
    Core *core = owner;

    core->agent_known = FALSE;
    introspect_forget_agent(&core->introspect);
    core_use_channel(core);
    former->may_act_late = core->freeze.may_act_late;
    former->frozen = core->freeze.state != FREEZE_THAWED;
    freeze_agent_changed(&core->freeze, core->channels.used->frozen);
}

static void on_all_offline(gpointer owner)
{
    Core *core = owner;

    freeze_agents_gone(&core->freeze);
}

static void on_late_synced(gpointer owner)
{
    Core *core = owner;

    freeze_late_agent_synced(&core->freeze);
}

static void wake_raw_client(Client *client, gpointer unused)
{
    if (client_form(client) == ANSWERS_AGENT)
        raw_client_agent_is_up(client);
}

static void on_agent_changed(gpointer owner, const char *state)
{
    Core *core = owner;
    g_autofree char *data = g_strdup_printf("{\"state\": \"%s\"}", state);

    core_tell_own(core, "GUEST_AGENT_STATE", data);
    core_tell_changed(core);
    local_agent_changed(&core->local);
    if (core_agent_is_up(core))
        crowd_foreach(&core->crowd, wake_raw_client, NULL);
}

/* ---- What the freeze tells ------------------------------------------------------------------- */

static void on_freeze_changed(gpointer owner, const char *data)
{
    core_tell_own(owner, "GUEST_FSFREEZE", data);
}

/* A frozen agent calls most of its commands disabled: met frozen, it is asked again. */
static void on_thawed(gpointer owner)
{
    Core *core = owner;

    if (core->introspect.restricted)
        ask_guest_info(core);
}

/* ---- Who tells the core ---------------------------------------------------------------------- */

const ChannelsOps core_channels_ops = {on_agent_synced, on_agent_lost,  on_agent_changed,
                                       on_changed_over, on_all_offline, on_late_synced};
const FreezeOps core_freeze_ops = {on_freeze_changed, on_thawed};
