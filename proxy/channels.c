/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A lane sees to its own channel whether it is in use or not: it connects, follows its port, and
 * syncs until it is answered. So a channel that is not in use is a lane that nobody gives commands
 * to, and its state tells whether an agent would answer there.
 */

#include "channels.h"

#include "common/limits.h"

static Channel *channel_at(const Channels *channels, guint number)
{
    return channels->all->pdata[number];
}

guint channels_number(const Channels *channels)
{
    guint number = 0;

    g_ptr_array_find(channels->all, channels->used, &number);
    return number;
}

/* ---- Which one ------------------------------------------------------------------------------- */

/* What happens to the whole guest is no reason: it is the same on each. Nor is that an agent is
 * being brought into step, as it is after each doubt; before there was any, it need not be there.
 */
static gboolean is_of_use(const Channels *channels)
{
    switch (agent_lane_state(channels->used->lane)) {
    case AGENT_OFFLINE:
    case AGENT_CLOSED:
    case AGENT_HUNG: return FALSE;
    case AGENT_SYNCING: return channels->met;
    default: return TRUE;
    }
}

static Channel *find_answering(const Channels *channels)
{
    for (guint i = 0; i < channels->all->len; i++)
        if (agent_lane_state(channel_at(channels, i)->lane) == AGENT_READY)
            return channel_at(channels, i);
    return NULL;
}

/* Whoever is connected next is of another guest, and was sent nothing. */
static void forget_guest(Channels *channels)
{
    for (guint i = 0; i < channels->all->len; i++) {
        channel_at(channels, i)->may_act_late = FALSE;
        channel_at(channels, i)->frozen = FALSE;
    }
    channels->ops->all_offline(channels->owner);
}

static void change_over(Channels *channels, Channel *to)
{
    Channel *former = channels->used;

    channels->used = to;
    channels->met = TRUE;
    g_debug("agent's channel %u is used", channels_number(channels));
    channels->ops->changed_over(channels->owner, former);
    if (channels->gone)
        forget_guest(channels);
    channels->gone = FALSE;
    to->may_act_late = FALSE;
    to->frozen = FALSE;
    agent_lane_take_over(to->lane, former->lane);
}

static void on_waited(gpointer owner, gint64 unused_now)
{
    Channels *channels = owner;
    Channel *answering = find_answering(channels);

    if (answering && !is_of_use(channels))
        change_over(channels, answering);
}

/* To be called when any lane's state has changed. */
static void choose(Channels *channels)
{
    if (!channels->used || channels->all->len < 2 || is_of_use(channels) ||
        !find_answering(channels))
        return;
    if (agent_lane_state(channels->used->lane) == AGENT_SYNCING)
        io_timer_set(channels->timer,
                     io_loop_now(channels->loop) + LIMIT_CHANNEL_WAIT_MS * (gint64)1000);
    else
        on_waited(channels, 0);
}

/* ---- What lanes tell ------------------------------------------------------------------------- */

static void on_synced(gpointer owner)
{
    Channel *channel = owner;
    Channels *channels = channel->channels;

    if (channel == channels->used) {
        channels->met = TRUE;
        channels->gone = FALSE;
        channels->ops->synced(channels->owner);
    } else if (channel->may_act_late) {
        channel->may_act_late = FALSE;
        channels->ops->late_synced(channels->owner);
    }
}

static void on_lost(gpointer owner)
{
    Channel *channel = owner;

    if (channel == channel->channels->used)
        channel->channels->ops->lost(channel->channels->owner);
}

static gboolean are_all_offline(const Channels *channels)
{
    if (channels->stray)
        return FALSE;
    for (guint i = 0; i < channels->all->len; i++)
        if (agent_lane_state(channel_at(channels, i)->lane) != AGENT_OFFLINE)
            return FALSE;
    return TRUE;
}

static void on_changed(gpointer owner, const char *state)
{
    Channel *channel = owner;
    Channels *channels = channel->channels;

    if (channel == channels->used)
        channels->ops->changed(channels->owner, state);
    choose(channels);
    if (are_all_offline(channels)) {
        channels->gone = TRUE;
        forget_guest(channels);
    }
}

static void on_ask_port(gpointer owner)
{
    Channel *channel = owner;

    watch_ask_port(&channel->watch);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void channel_free(Channel *channel)
{
    agent_lane_free(channel->lane);
    watch_clear(&channel->watch);
    address_free(channel->address);
    g_free(channel);
}

void channels_init(Channels *channels, IoLoop *loop, const ChannelsOps *ops, gpointer owner)
{
    *channels = (Channels){.ops = ops, .owner = owner, .loop = loop};
    channels->all = g_ptr_array_new();
    channels->timer = io_timer_new(loop, on_waited, channels);
}

/* Each fails what it has, and whoever is told of that finds it no more. */
void channels_clear(Channels *channels)
{
    channels->used = NULL;
    while (channels->all->len > 0)
        channel_free(g_ptr_array_steal_index(channels->all, 0));
    io_timer_free(channels->timer);
    g_ptr_array_unref(channels->all);
}

static Channel *channel_new(Channels *channels, const Address *address, const Bounds *bounds,
                            const HandoverPart *part, GError **error)
{
    static const AgentLaneOps ops = {on_synced, on_lost, on_changed, on_ask_port};
    Channel *channel = g_new0(Channel, 1);

    channel->channels = channels;
    channel->address = address_copy(address);
    channel->former = -1;
    channel->lane = agent_lane_new(channels->loop, address, bounds, &ops, channel, part, error);
    watch_init(&channel->watch, channels->loop, address, channel->lane);
    if (!channel->lane)
        g_clear_pointer(&channel, channel_free);
    return channel;
}

gboolean channels_add(Channels *channels, const Address *address, const Bounds *bounds,
                      const HandoverPart *part, guint former, GError **error)
{
    Channel *channel = channel_new(channels, address, bounds, part, error);

    if (!channel)
        return FALSE;
    if (part)
        channel->former = (int)former;
    g_ptr_array_add(channels->all, channel);
    if (!channels->used)
        channels->used = channel;
    return TRUE;
}

/* ---- All of them ----------------------------------------------------------------------------- */

void channels_connect(Channels *channels)
{
    for (guint i = 0; i < channels->all->len; i++)
        if (agent_lane_state(channel_at(channels, i)->lane) == AGENT_OFFLINE)
            agent_lane_connect(channel_at(channels, i)->lane);
}

static void lead(Channel *channel, Upstream *upstream)
{
    agent_lane_set_blind(channel->lane, !upstream);
    agent_lane_let_in(channel->lane, upstream != NULL);
    if (upstream)
        watch_start(&channel->watch, upstream);
}

void channels_lead(Channels *channels, Upstream *upstream)
{
    for (guint i = 0; i < channels->all->len; i++)
        lead(channel_at(channels, i), upstream);
}

void channels_event(Channels *channels, const EnvelopeReply *event)
{
    for (guint i = 0; i < channels->all->len; i++)
        watch_event(&channel_at(channels, i)->watch, event);
}

static gboolean is_same_path(const Address *channel, const Address *other)
{
    return channel->server && channel->kind == ADDRESS_UNIX && other->server &&
           other->kind == ADDRESS_UNIX && g_str_equal(channel->path, other->path);
}

gboolean channels_share(Channels *channels, const Address *address, LinkIsPeer is_peer,
                        gpointer owner)
{
    for (guint i = 0; i < channels->all->len; i++)
        if (is_same_path(channel_at(channels, i)->address, address)) {
            agent_lane_share(channel_at(channels, i)->lane, is_peer, owner);
            return TRUE;
        }
    return FALSE;
}

void channels_abandon(Channels *channels, const char *why)
{
    for (guint i = 0; i < channels->all->len; i++)
        agent_lane_abandon(channel_at(channels, i)->lane, why);
}

void channels_foreach(Channels *channels, void (*func)(Pending *pending, gpointer data),
                      gpointer data)
{
    for (guint i = 0; i < channels->all->len; i++)
        agent_lane_foreach(channel_at(channels, i)->lane, func, data);
    if (channels->stray)
        agent_lane_foreach(channels->stray->lane, func, data);
}

void channels_drop_orphans(Channels *channels)
{
    for (guint i = 0; i < channels->all->len; i++)
        agent_lane_drop_orphans(channel_at(channels, i)->lane);
    if (channels->stray)
        agent_lane_drop_orphans(channels->stray->lane);
}

gboolean channels_allow_cache(Channels *channels, const char *text, GError **error)
{
    for (guint i = 0; i < channels->all->len; i++)
        if (!agent_lane_allow_cache(channel_at(channels, i)->lane, text, error))
            return FALSE;
    return TRUE;
}

AgentStats channels_stats(const Channels *channels)
{
    AgentStats sum = agent_lane_stats(channels->used->lane);

    for (guint i = 0; i < channels->all->len; i++)
        if (channel_at(channels, i) != channels->used) {
            const AgentStats stats = agent_lane_stats(channel_at(channels, i)->lane);

            agent_stats_add(&sum, &stats);
        }
    return sum;
}

void channels_add_latency(const Channels *channels, Latency *sum)
{
    for (guint i = 0; i < channels->all->len; i++) {
        const Latency *latency = agent_lane_latency(channel_at(channels, i)->lane);

        for (guint j = 0; j < STATUS_CLASSES; j++)
            latency_add(&sum[j], &latency[j]);
    }
}

/* ---- To a successor -------------------------------------------------------------------------- */

/* The first has no number: it is there nearly always, and alone. */
char *channels_part_name(const char *name, guint number)
{
    return number == 0 ? g_strdup(name) : g_strdup_printf("%s-%u", name, number);
}

static void save_channel(const Channels *channels, guint number, Handover *handover, Saved *to)
{
    const Channel *channel = channel_at(channels, number);
    g_autofree char *lane_name = channels_part_name("agent", number);
    g_autofree char *watch_name = channels_part_name("watch", number);
    Saved lane = G_VARIANT_DICT_INIT(NULL);
    Saved watch = G_VARIANT_DICT_INIT(NULL);

    agent_lane_save(channel->lane, handover, &lane);
    saved_put_int(&lane, "owes", channel->may_act_late);
    saved_put_int(&lane, "left-frozen", channel->frozen);
    saved_put_part(to, lane_name, &lane);
    watch_save(&channel->watch, &watch);
    saved_put_part(to, watch_name, &watch);
}

void channels_save(const Channels *channels, Handover *handover, Saved *to)
{
    saved_put_int(to, "channel", channels_number(channels));
    saved_put_int(to, "met", channels->met);
    saved_put_int(to, "gone", channels->gone);
    for (guint i = 0; i < channels->all->len; i++)
        save_channel(channels, i, handover, to);
}

static void restore_channel(Channel *channel, const HandoverPart *from)
{
    g_autofree char *name = NULL;
    Saved lane;

    if (channel->former < 0)
        return;
    name = channels_part_name("agent", (guint)channel->former);
    if (saved_get_part(from->from, name, &lane)) {
        channel->may_act_late = saved_get_int(&lane, "owes") != 0;
        channel->frozen = saved_get_int(&lane, "left-frozen") != 0;
        agent_lane_restore(channel->lane, &(HandoverPart){from->handover, &lane});
    }
    g_variant_dict_clear(&lane);
}

/* Returns: (nullable): NULL where there was none */
static Channel *restore_stray(Channels *channels, guint number, const Bounds *bounds,
                              const HandoverPart *from)
{
    const Address nowhere = {.kind = ADDRESS_UNIX, .path = (char *)""};
    g_autofree char *name = channels_part_name("agent", number);
    Channel *stray = NULL;
    Saved lane;

    if (saved_get_part(from->from, name, &lane)) {
        stray = channel_new(channels, &nowhere, bounds, NULL, NULL);
        stray->former = (int)number;
        restore_channel(stray, from);
    }
    g_variant_dict_clear(&lane);
    return stray;
}

void channels_restore(Channels *channels, const Bounds *bounds, const HandoverPart *from)
{
    const guint number = (guint)saved_get_int(from->from, "channel");
    Channel *used = NULL;

    channels->met = saved_get_int(from->from, "met") != 0;
    channels->gone = saved_get_int(from->from, "gone") != 0;
    for (guint i = 0; i < channels->all->len; i++) {
        Channel *channel = channel_at(channels, i);

        restore_channel(channel, from);
        if (channel->former == (int)number)
            used = channel;
    }
    if (!used)
        used = channels->stray = restore_stray(channels, number, bounds, from);
    if (used)
        channels->used = used;
}

void channels_restore_lead(Channels *channels, Upstream *upstream, Saved *from)
{
    for (guint i = 0; i < channels->all->len; i++) {
        Channel *channel = channel_at(channels, i);
        g_autofree char *name = NULL;
        Saved watch;

        if (channel->former < 0) {
            lead(channel, upstream); /* nobody has asked about its port yet */
            continue;
        }
        name = channels_part_name("watch", (guint)channel->former);
        agent_lane_let_in(channel->lane, TRUE);
        if (saved_get_part(from, name, &watch))
            watch_restore(&channel->watch, upstream, &watch);
        g_variant_dict_clear(&watch);
    }
}

/* Another is in use from here on, as if the agent there had gone. */
static void leave_stray(Channels *channels)
{
    Channel *answering = find_answering(channels);

    if (channels->used == channels->stray)
        change_over(channels, answering ? answering : channel_at(channels, 0));
    agent_lane_abandon(channels->stray->lane, "The guest agent's channel was taken away");
    g_clear_pointer(&channels->stray, channel_free);
}

void channels_resume(Channels *channels, gboolean anew)
{
    if (channels->stray)
        leave_stray(channels);
    for (guint i = 0; i < channels->all->len; i++)
        agent_lane_resume(channel_at(channels, i)->lane, anew);
}
