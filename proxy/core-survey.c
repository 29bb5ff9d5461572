/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-survey: how a proxy fares, gathered from all that its core has.
 *
 * Owns whom to ask. Leaves what they count to them, and the form to status.h and metrics.h. Changes
 * nothing.
 */

#include "core-private.h"

#include "metrics.h"

#include "common/limits.h"

static const Upstream *upstream_at(const Core *core, guint i)
{
    return monitor_upstream(core->monitors->pdata[i]);
}

const char *core_trouble(const Core *core)
{
    const char *trouble = NULL;

    for (guint i = 0; !trouble && i < core->monitors->len; i++)
        trouble = upstream_trouble(upstream_at(core, i));
    return trouble;
}

/* Returns: (transfer full): a MonitorStats for each */
static MonitorStats *ask_monitors(const Core *core, Status *status)
{
    MonitorStats *all = g_new(MonitorStats, core->monitors->len);

    for (guint i = 0; i < core->monitors->len; i++) {
        const Monitor *monitor = core->monitors->pdata[i];

        all[i] = upstream_stats(upstream_at(core, i));
        all[i].users = crowd_count(&core->crowd, monitor);
        status->monitors_connected += upstream_is_ready(upstream_at(core, i));
        status->fd_names += monitor_names(monitor);
    }
    status->monitors = all;
    status->n_monitors = core->monitors->len;
    return all;
}

static gint number_of(const Core *core, gconstpointer monitor)
{
    for (guint i = 0; i < core->monitors->len; i++)
        if (core->monitors->pdata[i] == monitor)
            return (gint)i;
    return -1;
}

/* Returns: (transfer full): a ConnectionStats for each that is listed */
static ConnectionStats *ask_clients(const Core *core, Status *status)
{
    guint n = MIN(core->crowd.clients.length, LIMIT_STATUS_CONNECTIONS);
    ConnectionStats *all = g_new(ConnectionStats, n);
    const GList *at = core->crowd.clients.head;

    for (guint i = 0; i < n; i++, at = at->next) {
        all[i] = client_stats(at->data);
        all[i].monitor = number_of(core, client_data(at->data));
    }
    status->connections = all;
    status->n_connections = n;
    return all;
}

/* Returns: (transfer full) (nullable): how long its commands took, on all its channels */
static Latency *ask_agent(const Core *core, Status *status)
{
    Latency *all;

    if (!core->lane)
        return NULL;
    all = g_new0(Latency, STATUS_CLASSES);
    channels_add_latency(&core->channels, all);
    status->agent_latency = all;
    return all;
}

/* What needs no memory of its own. */
static Status begin(const Core *core)
{
    const Crowd *crowd = &core->crowd;
    Status status = {
        .qemu_connected = core_is_connected(core),
        .qemu_trouble = core_trouble(core),
        .agent_version = core->introspect.agent_version,
        .clients = crowd->clients.length,
        .accepted = crowd->accepted,
        .refused = crowd->refused,
        .commands = crowd->common.commands,
        .bytes_in = crowd->common.bytes_in,
        .bytes_out = crowd->common.bytes_out,
        .memory = crowd->common.memory.used,
        .fds_dropped = crowd->common.dropped_fds,
        .bounds = &core->bounds,
    };

    if (core->lane) {
        status.agent_state = agent_lane_state_name(core->lane);
        status.agent_channel = channels_number(&core->channels);
        status.agent_channels = core->channels.all->len;
        status.agent = channels_stats(&core->channels);
        status.freeze_state = freeze_state_name(&core->freeze);
        status.freeze_lease = freeze_lease_left(&core->freeze);
        status.freeze_thaws = core->freeze.thaws;
    }
    return status;
}

char *core_status(const Core *core, gboolean connections)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GString) freeze = g_string_new(NULL);
    g_autoptr(GString) running = g_string_new(NULL);
    g_autofree MonitorStats *monitors = NULL;
    g_autofree Latency *latency = NULL;
    g_autofree ConnectionStats *clients = NULL;
    Status status = begin(core);
    JsonWrite write;

    monitors = ask_monitors(core, &status);
    latency = ask_agent(core, &status);
    if (connections)
        clients = ask_clients(core, &status);
    if (core->lane) {
        json_write_init(&write, freeze);
        freeze_write_status(&core->freeze, &write);
        status.freeze = (JsonSpan){freeze->str, freeze->len};
        json_write_init(&write, running);
        agent_lane_write_running(core->lane, &write);
        status.agent_running = (JsonSpan){running->str, running->len};
    }
    status_write(&status, text);
    return g_string_free(text, FALSE);
}

char *core_metrics(const Core *core, const char *vm)
{
    GString *text = g_string_new(NULL);
    Status status = begin(core);
    g_autofree MonitorStats *monitors = ask_monitors(core, &status);
    g_autofree Latency *latency = ask_agent(core, &status);

    metrics_write(&status, vm, text);
    return g_string_free(text, FALSE);
}
