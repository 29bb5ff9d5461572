/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * monitor: one monitor of QEMU, as clients use it together.
 *
 * Owns our connection to it (upstream.h), and whose the descriptors are that clients have named
 * there (descriptors.h), since QEMU keeps the names per monitor. Leaves who uses which monitor, and
 * what commands and events mean, to the core. A part of the core: it knows a lane and more.
 */

#pragma once

#include "descriptors.h"
#include "upstream.h"

G_BEGIN_DECLS

typedef struct Monitor Monitor;

/* As those of the Upstream. */
typedef struct {
    void (*ready)(gpointer owner, Monitor *monitor, JsonSpan version, gboolean oob);
    void (*event)(gpointer owner, Monitor *monitor, JsonSpan message, const EnvelopeReply *event);
    void (*gone)(gpointer owner, Monitor *monitor, const char *why);
} MonitorOps;

/* @part: (nullable): of one that is carried on, for monitor_restore() to go on with */
Monitor *monitor_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                     const MonitorOps *ops, gpointer owner, const HandoverPart *part,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes the connection and fails what is under way; all that is left to do is monitor_free(), and
 * what its clients call meanwhile. */
void monitor_abandon(Monitor *monitor);
void monitor_free(Monitor *monitor);

/* For questions of our own. */
Upstream *monitor_upstream(const Monitor *monitor);

/**
 * monitor_request:
 * @pending: (transfer full): a client's command, answered in any case
 * @command: what it was read from
 * @asker: who asks; whether a descriptor came is set here
 * @fd: that came with it, or -1
 *
 * Returns: whether @fd was taken; else it is of no use here
 */
gboolean monitor_request(Monitor *monitor, Pending *pending, const EnvelopeCommand *command,
                         DescriptorsAsker asker, int fd);

/* To be called first thing when a client's command was answered. */
void monitor_answered(Monitor *monitor, const Pending *pending, const EnvelopeReply *reply);

/* A client leaves: what it asked for is nobody's any more, and what it named is closed. */
void monitor_leave(Monitor *monitor, PendingLeaver *leaver);

/* What was not sent of that is dropped, and its descriptors are closed. */
void monitor_drop_orphans(Monitor *monitor);

guint monitor_names(const Monitor *monitor);

void monitor_save(const Monitor *monitor, Handover *handover, Saved *to);

/* As upstream_restore(). */
void monitor_restore(Monitor *monitor, const HandoverPart *part);

G_END_DECLS
