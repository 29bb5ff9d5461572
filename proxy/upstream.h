/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * upstream: our one connection to a monitor of QEMU.
 *
 * Owns the client side of QMP: greeting, negotiation, which command a reply belongs to, and how
 * many are under way at once. Leaves what commands and events mean to the core.
 *
 * A command that carries a descriptor goes with it in one write, and only one of them is under way:
 * QEMU keeps the last descriptor that came, until a command takes it.
 *
 * In-band replies come strictly in order and are matched by it, without an id: QEMU reads at about
 * 4 µs a byte (0.25 MB/s). Only the handshake and exec-oob carry an id of ours. The handshake's is
 * random and fences the connection: QEMU gives the late replies of a former connection to the next
 * one.
 */

#pragma once

#include "bounds.h"
#include "handover.h"
#include "io.h"
#include "pending.h"
#include "status.h"

#include "common/address.h"

#include <sys/types.h>

G_BEGIN_DECLS

typedef struct Upstream Upstream;

typedef struct {
    /* Negotiated. @version: the value of that member of QEMU's greeting; gone after the call. */
    void (*ready)(gpointer owner, JsonSpan version, gboolean oob);
    /* @message: the event as it came; gone after the call. */
    void (*event)(gpointer owner, JsonSpan message, const EnvelopeReply *event);
    /* The connection was lost: whatever was under way has no answer. Called once for each ready(),
     * and where the only descriptor that there is brought no greeting. To go on, upstream_connect()
     * is to be called again, also from within. */
    void (*gone)(gpointer owner, const char *why);
} UpstreamOps;

/* @part: (nullable): of one that is carried on, for upstream_restore() to go on with */
Upstream *upstream_new(IoLoop *loop, const Address *address, const Bounds *bounds,
                       const UpstreamOps *ops, gpointer owner, const HandoverPart *part,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Fails what is under way. */
void upstream_free(Upstream *upstream);

gboolean upstream_is_ready(const Upstream *upstream);

/* Connects, now or when QEMU is there; of no effect where there is a connection, be it not
 * negotiated yet. */
void upstream_connect(Upstream *upstream);

/**
 * upstream_submit:
 * @pending: (transfer full): answered in any case; at once, from within this call, where the
 * request is too large or QEMU is not there
 */
void upstream_submit(Upstream *upstream, Pending *pending);

/* Calls @func for each command that waits or is under way. */
void upstream_foreach(Upstream *upstream, void (*func)(Pending *pending, gpointer data),
                      gpointer data);

/* What nobody asks for any more is not sent. */
void upstream_drop_orphans(Upstream *upstream);

/* Returns: the process that serves the monitor, or 0 where that cannot be told: on TCP, or not
 * connected */
pid_t upstream_process(const Upstream *upstream);

/* Why there is no connection: for status. (nullable) */
const char *upstream_trouble(const Upstream *upstream);

/* Returns: what it counts; its users are not known here */
MonitorStats upstream_stats(const Upstream *upstream);

void upstream_save(const Upstream *upstream, Handover *handover, Saved *to);

/* Carries on the connection with all that is under way on it, where there was one; where it was
 * ready it is so without a word. Whoever can be meant is there already. */
void upstream_restore(Upstream *upstream, const HandoverPart *part);

G_END_DECLS
