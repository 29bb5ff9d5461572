/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * survey: how a proxy fares, gathered from all that its core has.
 *
 * Owns whom to ask. Leaves what they count to them, and the form to status.h and metrics.h. A part
 * of the core: it knows clients, monitors, the lane and the freeze, and changes none of them.
 */

#pragma once

#include "channels.h"
#include "crowd.h"
#include "freeze.h"

G_BEGIN_DECLS

/* What there is to be asked. */
typedef struct {
    const Bounds *bounds;
    const Crowd *crowd;
    const GPtrArray *monitors; /* of Monitor */
    const AgentLane *lane;     /* (nullable): the one in use of */
    const Channels *channels;
    const Freeze *freeze;
    const char *agent_version; /* (nullable) */
    gboolean qemu_connected;
} Survey;

/* Returns: (nullable): why a monitor is not connected */
const char *survey_trouble(const Survey *survey);

/* Returns: (transfer full): what qga-proxy-status returns. @connections: whether each client is
 * listed, up to LIMIT_STATUS_CONNECTIONS of those that have been there longest */
char *survey_status(const Survey *survey, gboolean connections);

/* Returns: (transfer full): the same for Prometheus. @vm: (nullable): name of the machine */
char *survey_metrics(const Survey *survey, const char *vm);

G_END_DECLS
