/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "monitor.h"

#include "common/json-write.h"

struct Monitor {
    const MonitorOps *ops;
    gpointer owner;
    Upstream *upstream; /* NULL once abandoned */
    Descriptors descriptors;
};

/* ---- Names that clients left ----------------------------------------------------------------- */

static void on_left_closed(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Monitor *monitor = pending->owner;
    g_autofree char *name = json_read_string(json_read_get(pending_arguments(pending), "fdname"));

    descriptors_closed(&monitor->descriptors, name, reply != NULL);
}

static void close_name(const char *name, gpointer data)
{
    Monitor *monitor = data;
    g_autoptr(GString) arguments = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, arguments);
    json_write_begin_object(&write);
    json_write_member_string(&write, "fdname", name);
    json_write_end_object(&write);
    upstream_submit(monitor->upstream,
                    pending_new_own("closefd", arguments->str, on_left_closed, monitor));
}

/* Without a connection they wait for the next one. */
static void close_left(Monitor *monitor)
{
    if (monitor->upstream && upstream_is_ready(monitor->upstream))
        descriptors_close_left(&monitor->descriptors, close_name, monitor);
}

/* ---- Commands -------------------------------------------------------------------------------- */

gboolean monitor_request(Monitor *monitor, Pending *pending, const EnvelopeCommand *command,
                         DescriptorsAsker asker, int fd)
{
    g_autoptr(GError) error = NULL;
    gboolean admitted;
    gboolean carries;

    asker.has_fd = fd >= 0;
    admitted = descriptors_admit(&monitor->descriptors, command, &asker, &carries, &error);
    pending->carries = carries;
    pending->decided = !admitted;
    if (carries)
        pending->fd = fd;
    if (admitted)
        upstream_submit(monitor->upstream, pending);
    else
        pending_finish(pending, NULL, error);
    return carries;
}

/* Where the connection was lost behind a descriptor that was sent, QEMU may have it. Whatever QEMU
 * says to closefd, it has none of that name from then on: another command may have used it up. */
static gboolean may_be_done(const Pending *pending, const EnvelopeReply *reply)
{
    if (!reply)
        return pending->carries && pending->fd < 0;
    return reply->kind == ENVELOPE_RETURN || g_str_equal(pending->name, "closefd");
}

void monitor_answered(Monitor *monitor, const Pending *pending, const EnvelopeReply *reply)
{
    descriptors_answered(&monitor->descriptors, pending->name, pending_arguments(pending),
                         pending->carries, may_be_done(pending, reply));
    if (!pending->asker)
        close_left(monitor);
}

void monitor_leave(Monitor *monitor, PendingLeaver *leaver)
{
    if (monitor->upstream)
        upstream_foreach(monitor->upstream, pending_leave, leaver);
    descriptors_leave(&monitor->descriptors, leaver->asker);
    close_left(monitor);
}

void monitor_drop_orphans(Monitor *monitor)
{
    if (monitor->upstream)
        upstream_drop_orphans(monitor->upstream);
}

guint monitor_names(const Monitor *monitor)
{
    return descriptors_count(&monitor->descriptors);
}

/* ---- What QEMU says -------------------------------------------------------------------------- */

static void on_ready(gpointer data, JsonSpan version, gboolean oob)
{
    Monitor *monitor = data;

    close_left(monitor);
    monitor->ops->ready(monitor->owner, monitor, version, oob);
}

static void on_event(gpointer data, JsonSpan message, const EnvelopeReply *event)
{
    Monitor *monitor = data;

    monitor->ops->event(monitor->owner, monitor, message, event);
}

static void on_gone(gpointer data, const char *why)
{
    Monitor *monitor = data;

    monitor->ops->gone(monitor->owner, monitor, why);
}

/* ---- Public ---------------------------------------------------------------------------------- */

Monitor *monitor_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                     const MonitorOps *ops, gpointer owner, const HandoverPart *part,
                     GError **error)
{
    static const UpstreamOps upstream_ops = {on_ready, on_event, on_gone};
    Monitor *monitor = g_new(Monitor, 1);

    *monitor = (Monitor){.ops = ops, .owner = owner};
    descriptors_init(&monitor->descriptors);
    monitor->upstream = upstream_new(loop, address, bounds, &upstream_ops, monitor, part, error);
    if (!monitor->upstream)
        g_clear_pointer(&monitor, monitor_free);
    return monitor;
}

void monitor_abandon(Monitor *monitor)
{
    g_clear_pointer(&monitor->upstream, upstream_free);
}

void monitor_free(Monitor *monitor)
{
    if (!monitor)
        return;
    monitor_abandon(monitor);
    descriptors_clear(&monitor->descriptors);
    g_free(monitor);
}

Upstream *monitor_upstream(const Monitor *monitor)
{
    return monitor->upstream;
}

void monitor_save(const Monitor *monitor, Handover *handover, Saved *to)
{
    upstream_save(monitor->upstream, handover, to);
    descriptors_save(&monitor->descriptors, handover, to);
}

void monitor_restore(Monitor *monitor, const HandoverPart *part)
{
    upstream_restore(monitor->upstream, part);
    descriptors_restore(&monitor->descriptors, part);
    close_left(monitor);
}
