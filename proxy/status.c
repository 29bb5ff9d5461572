/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "status.h"

#include "common/json-write.h"

const char *const status_class_names[STATUS_CLASSES] = {
    [GUEST_CLASS_QUICK] = "quick",       [GUEST_CLASS_SLOW] = "slow",
    [GUEST_CLASS_FREEZE] = "freeze",     [GUEST_CLASS_THAW] = "thaw",
    [GUEST_CLASS_SHUTDOWN] = "shutdown",
};

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

static void write_count(JsonWrite *write, const char *name, guint64 count)
{
    json_write_key(write, name);
    json_write_uint64(write, count);
}

static void write_flag(JsonWrite *write, const char *name, gboolean holds)
{
    json_write_key(write, name);
    json_write_boolean(write, holds);
}

static void write_text(JsonWrite *write, const char *name, const char *text)
{
    if (!text)
        return;
    json_write_key(write, name);
    json_write_string(write, text);
}

/* @number: -1 for none */
static void write_known(JsonWrite *write, const char *name, gint64 number)
{
    if (number >= 0)
        write_count(write, name, (guint64)number);
}

/* ---- The lanes ------------------------------------------------------------------------------- */

static void write_qemu(JsonWrite *write, const Status *status)
{
    json_write_key(write, "qemu");
    json_write_begin_object(write);
    write_flag(write, "connected", status->qemu_connected);
    write_count(write, "monitors", status->n_monitors);
    write_count(write, "monitors-connected", status->monitors_connected);
    write_text(write, "trouble", status->qemu_trouble);
    write_count(write, "stale-replies", status_stale_replies(status));
    json_write_end_object(write);
}

static void write_monitor(JsonWrite *write, const MonitorStats *monitor)
{
    json_write_begin_object(write);
    write_text(write, "state", monitor->state);
    write_count(write, "users", monitor->users);
    write_count(write, "commands", monitor->commands);
    write_count(write, "out-of-band", monitor->oob);
    write_count(write, "in-flight", monitor->in_flight);
    write_count(write, "waiting", monitor->waiting);
    write_count(write, "stale-replies", monitor->stale_replies);
    json_write_end_object(write);
}

static void write_agent(JsonWrite *write, const Status *status)
{
    const AgentStats *agent = &status->agent;

    json_write_key(write, "agent");
    json_write_begin_object(write);
    write_text(write, "state", status->agent_state);
    write_text(write, "version", status->agent_version);
    write_count(write, "queued", agent->queued);
    write_count(write, "commands", agent->commands);
    write_count(write, "dropped", agent->dropped);
    write_count(write, "unasked", agent->unasked);
    write_count(write, "faults", agent->faults);
    write_count(write, "oversized", agent->oversized);
    write_count(write, "timeouts", agent->timeouts);
    write_count(write, "syncs", agent->syncs);
    write_count(write, "coalesced", agent->coalesced);
    write_count(write, "cache-hits", agent->cache_hits);
    write_count(write, "bytes-in", agent->bytes_in);
    write_count(write, "bytes-out", agent->bytes_out);
    json_write_end_object(write);
}

/* ---- Latency --------------------------------------------------------------------------------- */

static void write_histogram(JsonWrite *write, const char *name, const Histogram *histogram)
{
    json_write_key(write, name);
    json_write_begin_object(write);
    write_count(write, "count", histogram_up_to(histogram, HISTOGRAM_BOUNDS));
    write_count(write, "sum", histogram->sum_us);
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
    write_text(write, "lane", name);
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
    write_count(write, "clients", status->clients);
    write_count(write, "memory", status->memory);
    write_count(write, "refused-clients", status->refused);
    write_count(write, "descriptor-names", status->fd_names);
    write_count(write, "dropped-descriptors", status->fds_dropped);
    json_write_key(write, "traffic");
    json_write_begin_object(write);
    write_count(write, "accepted", status->accepted);
    write_count(write, "commands", status->commands);
    write_count(write, "bytes-in", status->bytes_in);
    write_count(write, "bytes-out", status->bytes_out);
    json_write_end_object(write);
}

static void write_connection(JsonWrite *write, const ConnectionStats *connection)
{
    json_write_begin_object(write);
    write_text(write, "peer", connection->peer);
    write_known(write, "uid", connection->user);
    write_known(write, "pid", connection->process);
    write_text(write, "protocol", connection->protocol);
    write_text(write, "state", connection->state);
    write_flag(write, "oob", connection->oob);
    write_known(write, "monitor", connection->monitor);
    write_count(write, "commands", connection->commands);
    write_count(write, "bytes-in", connection->bytes_in);
    write_count(write, "bytes-out", connection->bytes_out);
    write_count(write, "queued", connection->queued);
    write_flag(write, "busy", connection->busy);
    write_count(write, "seconds", connection->seconds);
    json_write_end_object(write);
}

static void write_connections(JsonWrite *write, const Status *status)
{
    json_write_key(write, "connections");
    json_write_begin_array(write);
    for (guint i = 0; i < status->n_connections; i++)
        write_connection(write, &status->connections[i]);
    json_write_end_array(write);
    write_count(write, "connections-left-out", status->clients - status->n_connections);
}

void status_write(const Status *status, GString *out)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    write_text(&write, "version", QGA_PROXY_VERSION);
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
