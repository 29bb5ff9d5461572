/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status: what qga-proxy-status returns, from values that the core gathered.
 */

#pragma once

#include "agent-lane.h"

G_BEGIN_DECLS

typedef struct {
    gboolean qemu_connected;
    const char *qemu_trouble;  /* (nullable): why not */
    const char *agent_state;   /* (nullable): NULL where the proxy has no agent's channel */
    const char *agent_version; /* (nullable) */
    AgentLaneStats agent;
    guint clients;
    gsize memory; /* bytes held by all of them */
} Status;

/* Appends the value, an object. */
void status_write(const Status *status, GString *out);

G_END_DECLS
