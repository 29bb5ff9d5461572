/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "status.h"

#include "common/json-write.h"

static void write_count(JsonWrite *write, const char *name, guint64 count)
{
    json_write_key(write, name);
    json_write_uint64(write, count);
}

static void write_text(JsonWrite *write, const char *name, const char *text)
{
    if (!text)
        return;
    json_write_key(write, name);
    json_write_string(write, text);
}

static void write_agent(JsonWrite *write, const Status *status)
{
    json_write_key(write, "agent");
    json_write_begin_object(write);
    write_text(write, "state", status->agent_state);
    write_text(write, "version", status->agent_version);
    write_count(write, "queued", status->agent.queued);
    write_count(write, "commands", status->agent.commands);
    write_count(write, "dropped", status->agent.dropped);
    write_count(write, "faults", status->agent.faults);
    write_count(write, "timeouts", status->agent.timeouts);
    write_count(write, "syncs", status->agent.syncs);
    write_count(write, "coalesced", status->agent.coalesced);
    write_count(write, "cache-hits", status->agent.cache_hits);
    json_write_end_object(write);
}

void status_write(const Status *status, GString *out)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    write_text(&write, "version", QGA_PROXY_VERSION);
    json_write_key(&write, "qemu");
    json_write_begin_object(&write);
    json_write_key(&write, "connected");
    json_write_boolean(&write, status->qemu_connected);
    write_count(&write, "monitors", status->monitors);
    write_count(&write, "monitors-connected", status->monitors_connected);
    write_text(&write, "trouble", status->qemu_trouble);
    write_count(&write, "stale-replies", status->qemu_stale_replies);
    json_write_end_object(&write);
    if (status->agent_state)
        write_agent(&write, status);
    if (status->freeze.text) {
        json_write_key(&write, "freeze");
        json_write_span(&write, status->freeze);
    }
    write_count(&write, "clients", status->clients);
    write_count(&write, "memory", status->memory);
    write_count(&write, "refused-clients", status->refused);
    write_count(&write, "descriptor-names", status->fd_names);
    write_count(&write, "dropped-descriptors", status->fds_dropped);
    json_write_key(&write, "limits");
    bounds_write(status->bounds, &write);
    json_write_end_object(&write);
}
