/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * bounds: the limits of common/limits.h that whoever runs a proxy may set to other values.
 *
 * Owns their names, their ranges, and what is told of them. Leaves enforcing them to whoever is
 * named in common/limits.h.
 */

#pragma once

#include "common/json-write.h"

G_BEGIN_DECLS

typedef struct {
    guint64 clients;
    guint64 clients_per_user;
    guint64 negotiation_seconds;
    guint64 keepalive_seconds;
    guint64 commands_ahead;
    guint64 commands_per_monitor;
    guint64 commands_for_agent;
    guint64 request_bytes;
    guint64 qemu_request_bytes;
    guint64 client_bytes;
    guint64 total_bytes;
    guint64 output_pause_bytes;
    guint64 output_drop_bytes;
    guint64 linger_milliseconds;
    guint64 quick_seconds;
    guint64 slow_seconds;
    guint64 freeze_seconds;
    guint64 thaw_seconds;
    guint64 shutdown_seconds;
} Bounds;

typedef struct {
    const char *name; /* as on the command line and in qga-proxy-status */
    gsize offset;     /* in Bounds, of a guint64 */
    guint64 initial;
    guint64 min;
    guint64 max;
    const char *text; /* what it bounds, as a phrase for --help */
} Bound;

/* Ends with one whose name is NULL. */
extern const Bound bounds_table[];

void bounds_init(Bounds *bounds);

/**
 * bounds_set:
 * @name: one of the table's
 * @error: of domain BOUNDS_ERROR; names the limit and its range
 */
gboolean bounds_set(Bounds *bounds, const char *name, guint64 value,
                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * bounds_parse:
 * @text: "NAME=VALUE", the value in decimal, with K, M or G behind it for powers of 1024
 */
gboolean bounds_parse(Bounds *bounds, const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: the value of one of the table's */
guint64 bounds_get(const Bounds *bounds, const Bound *bound);

/* An object with a member for each. */
void bounds_write(const Bounds *bounds, JsonWrite *write);

#define BOUNDS_ERROR (bounds_error_quark())
GQuark bounds_error_quark(void);

typedef enum {
    BOUNDS_ERROR_UNKNOWN, /* there is no limit of that name */
    BOUNDS_ERROR_VALUE,
} BoundsError;

G_END_DECLS
