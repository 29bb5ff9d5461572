/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "status.h"

#include "common/json-write.h"

const char *const status_class_names[STATUS_CLASSES] = {
    [GUEST_CLASS_QUICK] = "quick",       [GUEST_CLASS_SLOW] = "slow",
    [GUEST_CLASS_FREEZE] = "freeze",     [GUEST_CLASS_THAW] = "thaw",
    [GUEST_CLASS_SHUTDOWN] = "shutdown",
};

void agent_stats_add(AgentStats *stats, const AgentStats *other)
{
    stats->commands += other->commands;
    stats->coalesced += other->coalesced;
    stats->cache_hits += other->cache_hits;
    stats->dropped += other->dropped;
    stats->unasked += other->unasked;
    stats->faults += other->faults;
    stats->oversized += other->oversized;
    stats->timeouts += other->timeouts;
    stats->syncs += other->syncs;
    stats->bytes_in += other->bytes_in;
    stats->bytes_out += other->bytes_out;
}

Latency status_qemu_latency(const Status *status)
{
    Latency sum = {0};

    for (guint i = 0; i < status->n_monitors; i++)
        latency_add(&sum, &status->monitors[i].latency);
    return sum;
}

guint64 status_stale_replies(const Status *status)
{
    guint64 sum = 0;

    for (guint i = 0; i < status->n_monitors; i++)
        sum += status->monitors[i].stale_replies;
    return sum;
}

/* @number: -1 for none */
static void write_known(JsonWrite *write, const char *name, gint64 number)
{
    if (number >= 0)
        json_write_member_uint64(write, name, (guint64)number);
}

/* ---- The lanes ------------------------------------------------------------------------------- */

static void write_qemu(JsonWrite *write, const Status *status)
{
    json_write_key(write, "qemu");
    json_write_begin_object(write);
    json_write_member_boolean(write, "connected", status->qemu_connected);
    json_write_member_uint64(write, "monitors", status->n_monitors);
    json_write_member_uint64(write, "monitors-connected", status->monitors_connected);
    json_write_member_string(write, "trouble", status->qemu_trouble);
    json_write_member_uint64(write, "stale-replies", status_stale_replies(status));
    json_write_end_object(write);
}

static void write_monitor(JsonWrite *write, const MonitorStats *monitor)
{
    json_write_begin_object(write);
    json_write_member_string(write, "state", monitor->state);
    json_write_member_uint64(write, "users", monitor->users);
    json_write_member_uint64(write, "commands", monitor->commands);
    json_write_member_uint64(write, "out-of-band", monitor->oob);
    json_write_member_uint64(write, "in-flight", monitor->in_flight);
    json_write_member_uint64(write, "waiting", monitor->waiting);
    json_write_member_uint64(write, "stale-replies", monitor->stale_replies);
    json_write_end_object(write);
}

static void write_agent(JsonWrite *write, const Status *status)
{
    const AgentStats *agent = &status->agent;

    json_write_key(write, "agent");
    json_write_begin_object(write);
    json_write_member_string(write, "state", status->agent_state);
    json_write_member_string(write, "version", status->agent_version);
    json_write_member_uint64(write, "channel", status->agent_channel);
    json_write_member_uint64(write, "channels", status->agent_channels);
    json_write_member_uint64(write, "depth", agent->depth);
    json_write_key(write, "running");
    json_write_span(write, status->agent_running);
    json_write_member_uint64(write, "queued", agent->queued);
    json_write_member_uint64(write, "commands", agent->commands);
    json_write_member_uint64(write, "dropped", agent->dropped);
    json_write_member_uint64(write, "unasked", agent->unasked);
    json_write_member_uint64(write, "faults", agent->faults);
    json_write_member_uint64(write, "oversized", agent->oversized);
    json_write_member_uint64(write, "timeouts", agent->timeouts);
    json_write_member_uint64(write, "syncs", agent->syncs);
    json_write_member_uint64(write, "coalesced", agent->coalesced);
    json_write_member_uint64(write, "cache-hits", agent->cache_hits);
    json_write_member_uint64(write, "bytes-in", agent->bytes_in);
    json_write_member_uint64(write, "bytes-out", agent->bytes_out);
    json_write_end_object(write);
}

/* ---- Latency --------------------------------------------------------------------------------- */

static void write_histogram(JsonWrite *write, const char *name, const Histogram *histogram)
{
    json_write_key(write, name);
    json_write_begin_object(write);
    json_write_member_uint64(write, "count", histogram_up_to(histogram, HISTOGRAM_BOUNDS));
    json_write_member_uint64(write, "sum", histogram->sum_us);
    json_write_key(write, "buckets");
    json_write_begin_array(write);
    for (guint i = 0; i < HISTOGRAM_BOUNDS; i++)
        json_write_uint64(write, histogram_up_to(histogram, i));
    json_write_end_array(write);
    json_write_end_object(write);
}

static void write_lane(JsonWrite *write, const char *name, const Latency *latency)
{
    json_write_begin_object(write);
    json_write_member_string(write, "lane", name);
    write_histogram(write, "taken", &latency->taken);
    write_histogram(write, "sent", &latency->sent);
    json_write_end_object(write);
}

static void write_latency(JsonWrite *write, const Status *status)
{
    Latency qemu = status_qemu_latency(status);

    json_write_key(write, "latency");
    json_write_begin_object(write);
    json_write_key(write, "bounds");
    json_write_begin_array(write);
    for (guint i = 0; i < HISTOGRAM_BOUNDS; i++)
        json_write_uint64(write, histogram_bounds_us[i]);
    json_write_end_array(write);
    json_write_key(write, "lanes");
    json_write_begin_array(write);
    write_lane(write, "qemu", &qemu);
    for (guint i = 0; status->agent_latency && i < STATUS_CLASSES; i++)
        write_lane(write, status_class_names[i], &status->agent_latency[i]);
    json_write_end_array(write);
    json_write_end_object(write);
}

/* ---- Clients --------------------------------------------------------------------------------- */

static void write_clients(JsonWrite *write, const Status *status)
{
    json_write_member_uint64(write, "clients", status->clients);
    json_write_member_uint64(write, "memory", status->memory);
    json_write_member_uint64(write, "refused-clients", status->refused);
    json_write_member_uint64(write, "descriptor-names", status->fd_names);
    json_write_member_uint64(write, "dropped-descriptors", status->fds_dropped);
    json_write_key(write, "traffic");
    json_write_begin_object(write);
    json_write_member_uint64(write, "accepted", status->accepted);
    json_write_member_uint64(write, "commands", status->commands);
    json_write_member_uint64(write, "bytes-in", status->bytes_in);
    json_write_member_uint64(write, "bytes-out", status->bytes_out);
    json_write_end_object(write);
}

static void write_connection(JsonWrite *write, const ConnectionStats *connection)
{
    json_write_begin_object(write);
    json_write_member_string(write, "peer", connection->peer);
    write_known(write, "uid", connection->user);
    write_known(write, "pid", connection->process);
    json_write_member_string(write, "protocol", connection->protocol);
    json_write_member_string(write, "state", connection->state);
    json_write_member_boolean(write, "oob", connection->oob);
    write_known(write, "monitor", connection->monitor);
    json_write_member_uint64(write, "commands", connection->commands);
    json_write_member_uint64(write, "bytes-in", connection->bytes_in);
    json_write_member_uint64(write, "bytes-out", connection->bytes_out);
    json_write_member_uint64(write, "queued", connection->queued);
    json_write_member_boolean(write, "busy", connection->busy);
    json_write_member_uint64(write, "seconds", connection->seconds);
    json_write_end_object(write);
}

static void write_connections(JsonWrite *write, const Status *status)
{
    json_write_key(write, "connections");
    json_write_begin_array(write);
    for (guint i = 0; i < status->n_connections; i++)
        write_connection(write, &status->connections[i]);
    json_write_end_array(write);
    json_write_member_uint64(write, "connections-left-out",
                             status->clients - status->n_connections);
}

void status_write(const Status *status, GString *out)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    json_write_member_string(&write, "version", QGA_PROXY_VERSION);
    write_qemu(&write, status);
    json_write_key(&write, "monitors");
    json_write_begin_array(&write);
    for (guint i = 0; i < status->n_monitors; i++)
        write_monitor(&write, &status->monitors[i]);
    json_write_end_array(&write);
    if (status->agent_state)
        write_agent(&write, status);
    if (status->freeze.text) {
        json_write_key(&write, "freeze");
        json_write_span(&write, status->freeze);
    }
    write_clients(&write, status);
    if (status->connections)
        write_connections(&write, status);
    write_latency(&write, status);
    json_write_key(&write, "limits");
    bounds_write(status->bounds, &write);
    json_write_end_object(&write);
}
