/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * status: what qga-proxy-status returns, from values that were gathered elsewhere (core-survey.c).
 *
 * Owns what there is to be told, and its form in JSON; metrics.h tells the same to Prometheus.
 */

#pragma once

#include "bounds.h"
#include "histogram.h"

#include "common/guest-schema/guest-schema.h"
#include "common/json-read.h"

G_BEGIN_DECLS

enum { STATUS_CLASSES = GUEST_CLASS_SHUTDOWN + 1 };

/* What the agent's lane counts. */
typedef struct {
    guint64 commands;   /* sent */
    guint64 coalesced;  /* that were answered with what was sent for another */
    guint64 cache_hits; /* that were answered with what was kept */
    guint64 dropped;    /* messages that answered nothing */
    guint64 unasked;    /* of these, replies: late or forged */
    guint64 faults;     /* input that was no JSON, resets left aside */
    guint64 oversized;  /* results, and input, that went over a limit */
    guint64 timeouts;
    guint64 syncs; /* probes sent */
    guint64 bytes_in;
    guint64 bytes_out;
    guint depth; /* commands that may be under way */
    guint queued;
} AgentStats;

/* Adds what counts, and leaves what holds now as it is. */
void agent_stats_add(AgentStats *stats, const AgentStats *other);

/* What one connection to QEMU counts. */
typedef struct {
    const char *state;
    guint users;      /* clients */
    guint64 commands; /* sent, those out of band and our own among them */
    guint64 oob;
    guint in_flight; /* of these, not answered */
    guint waiting;   /* not sent */
    guint64 stale_replies;
    Latency latency;
} MonitorStats;

typedef struct {
    const char *peer;
    gint64 user;    /* -1 where it is not known */
    gint64 process; /* the same */
    const char *protocol;
    const char *state;
    gboolean oob;
    gint monitor; /* its number, or -1 */
    guint64 commands;
    guint64 bytes_in;
    guint64 bytes_out;
    guint queued;
    gboolean busy;
    guint64 seconds;
} ConnectionStats;

typedef struct {
    gboolean qemu_connected;
    const char *qemu_trouble; /* (nullable): why not, or not all */
    const MonitorStats *monitors;
    guint n_monitors; /* that are configured */
    guint monitors_connected;
    const char *agent_state;   /* (nullable): NULL where the proxy has no agent's channel */
    const char *agent_version; /* (nullable) */
    guint agent_channel;       /* the number of the one that is in use, of so many */
    guint agent_channels;
    AgentStats agent;
    const Latency *agent_latency; /* (nullable): STATUS_CLASSES of them, by GuestClass */
    JsonSpan agent_running;       /* an array; absent with the agent's channel */
    JsonSpan freeze;              /* an object; absent where there is no agent's channel */
    const char *freeze_state;     /* (nullable): the same once more, for metrics */
    gint64 freeze_lease;          /* -1 where there is none */
    guint64 freeze_thaws;
    guint clients;
    guint64 accepted; /* in all */
    guint64 refused;  /* that were one too many */
    guint64 commands; /* of all clients there were, and what went to and fro */
    guint64 bytes_in;
    guint64 bytes_out;
    gsize memory; /* bytes held by all of them */
    guint fd_names;
    guint64 fds_dropped;
    const Bounds *bounds;
    const ConnectionStats *connections; /* (nullable): where they are asked for */
    guint n_connections;
} Status;

/* Returns: how long QEMU takes, whichever monitor it was asked over */
Latency status_qemu_latency(const Status *status);

/* Returns: replies that were meant for former connections to any monitor */
guint64 status_stale_replies(const Status *status);

/* Appends the value, an object. */
void status_write(const Status *status, GString *out);

/* What a lane is called in it, by GuestClass. */
extern const char *const status_class_names[STATUS_CLASSES];

G_END_DECLS
