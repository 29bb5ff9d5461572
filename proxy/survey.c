/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "survey.h"

#include "metrics.h"
#include "monitor.h"

#include "common/limits.h"

#include <string.h>

static const Upstream *upstream_at(const Survey *survey, guint i)
{
    return monitor_upstream(survey->monitors->pdata[i]);
}

const char *survey_trouble(const Survey *survey)
{
    const char *trouble = NULL;

    for (guint i = 0; !trouble && i < survey->monitors->len; i++)
        trouble = upstream_trouble(upstream_at(survey, i));
    return trouble;
}

/* Returns: (transfer full): a MonitorStats for each */
static MonitorStats *ask_monitors(const Survey *survey, Status *status)
{
    MonitorStats *all = g_new(MonitorStats, survey->monitors->len);

    for (guint i = 0; i < survey->monitors->len; i++) {
        const Monitor *monitor = survey->monitors->pdata[i];

        all[i] = upstream_stats(upstream_at(survey, i));
        all[i].users = crowd_count(survey->crowd, monitor);
        status->monitors_connected += upstream_is_ready(upstream_at(survey, i));
        status->fd_names += monitor_names(monitor);
    }
    status->monitors = all;
    status->n_monitors = survey->monitors->len;
    return all;
}

static gint number_of(const Survey *survey, gconstpointer monitor)
{
    for (guint i = 0; i < survey->monitors->len; i++)
        if (survey->monitors->pdata[i] == monitor)
            return (gint)i;
    return -1;
}

/* Returns: (transfer full): a ConnectionStats for each that is listed */
static ConnectionStats *ask_clients(const Survey *survey, Status *status)
{
    guint n = MIN(survey->crowd->clients.length, LIMIT_STATUS_CONNECTIONS);
    ConnectionStats *all = g_new(ConnectionStats, n);
    const GList *at = survey->crowd->clients.head;

    for (guint i = 0; i < n; i++, at = at->next) {
        all[i] = client_stats(at->data);
        all[i].monitor = number_of(survey, client_data(at->data));
    }
    status->connections = all;
    status->n_connections = n;
    return all;
}

/* Returns: (transfer full) (nullable): how long its commands took, on all its channels */
static Latency *ask_agent(const Survey *survey, Status *status)
{
    Latency *all;

    if (!survey->lane)
        return NULL;
    all = g_new0(Latency, STATUS_CLASSES);
    channels_add_latency(survey->channels, all);
    status->agent_latency = all;
    return all;
}

/* What needs no memory of its own. */
static Status begin(const Survey *survey)
{
    const Crowd *crowd = survey->crowd;
    Status status = {
        .qemu_connected = survey->qemu_connected,
        .qemu_trouble = survey_trouble(survey),
        .agent_version = survey->agent_version,
        .clients = crowd->clients.length,
        .accepted = crowd->accepted,
        .refused = crowd->refused,
        .commands = crowd->common.commands,
        .bytes_in = crowd->common.bytes_in,
        .bytes_out = crowd->common.bytes_out,
        .memory = crowd->common.memory.used,
        .fds_dropped = crowd->common.dropped_fds,
        .bounds = survey->bounds,
    };

    if (survey->lane) {
        status.agent_state = agent_lane_state_name(survey->lane);
        status.agent_channel = channels_number(survey->channels);
        status.agent_channels = survey->channels->all->len;
        status.agent = channels_stats(survey->channels);
        status.freeze_state = freeze_state_name(survey->freeze);
        status.freeze_lease = freeze_lease_left(survey->freeze);
        status.freeze_thaws = survey->freeze->thaws;
    }
    return status;
}

char *survey_status(const Survey *survey, gboolean connections)
{
    GString *text = g_string_new(NULL);
    g_autoptr(GString) freeze = g_string_new(NULL);
    g_autoptr(GString) running = g_string_new(NULL);
    g_autofree MonitorStats *monitors = NULL;
    g_autofree Latency *latency = NULL;
    g_autofree ConnectionStats *clients = NULL;
    Status status = begin(survey);
    JsonWrite write;

    monitors = ask_monitors(survey, &status);
    latency = ask_agent(survey, &status);
    if (connections)
        clients = ask_clients(survey, &status);
    if (survey->lane) {
        json_write_init(&write, freeze);
        freeze_write_status(survey->freeze, &write);
        status.freeze = (JsonSpan){freeze->str, freeze->len};
        json_write_init(&write, running);
        agent_lane_write_running(survey->lane, &write);
        status.agent_running = (JsonSpan){running->str, running->len};
    }
    status_write(&status, text);
    return g_string_free(text, FALSE);
}

char *survey_metrics(const Survey *survey, const char *vm)
{
    GString *text = g_string_new(NULL);
    Status status = begin(survey);
    g_autofree MonitorStats *monitors = ask_monitors(survey, &status);
    g_autofree Latency *latency = ask_agent(survey, &status);

    metrics_write(&status, vm, text);
    return g_string_free(text, FALSE);
}
