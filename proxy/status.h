/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status: what qga-proxy-status returns, from values that the core gathered.
 */

#pragma once

#include "bounds.h"

#include "common/json-read.h"

G_BEGIN_DECLS

/* What the agent's lane counts. */
typedef struct {
    guint64 commands;   /* sent */
    guint64 coalesced;  /* that were answered with what was sent for another */
    guint64 cache_hits; /* that were answered with what was kept */
    guint64 dropped;    /* messages that answered nothing */
    guint64 faults;     /* input that was no JSON, resets left aside */
    guint64 timeouts;
    guint64 syncs; /* probes sent */
    guint queued;
} AgentStats;

typedef struct {
    gboolean qemu_connected;
    guint monitors; /* that are configured */
    guint monitors_connected;
    const char *qemu_trouble; /* (nullable): why not, or not all */
    guint64 qemu_stale_replies;
    const char *agent_state;   /* (nullable): NULL where the proxy has no agent's channel */
    const char *agent_version; /* (nullable) */
    AgentStats agent;
    JsonSpan freeze; /* an object; absent where there is no agent's channel */
    guint clients;
    guint64 refused; /* that were one too many */
    gsize memory;    /* bytes held by all of them */
    guint fd_names;
    guint64 fds_dropped;
    const Bounds *bounds;
} Status;

/* Appends the value, an object. */
void status_write(const Status *status, GString *out);

G_END_DECLS
