/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bounds.h"

#include "common/limits.h"

#include <string.h>

G_DEFINE_QUARK(bounds_error, bounds_error)

#define BOUND(member, name, initial, min, max, text)            \
    {                                                           \
        name, offsetof(Bounds, member), initial, min, max, text \
    }

const Bound bounds_table[] = {
    BOUND(clients, "clients", LIMIT_CLIENTS, 1, 1000000, "clients connected at once"),
    BOUND(clients_per_user, "clients-per-user", LIMIT_CLIENTS_PER_USER, 1, 1000000,
          "of these, on unix sockets with the same user id"),
    BOUND(negotiation_seconds, "negotiation-seconds", LIMIT_NEGOTIATION_SECONDS, 0, 86400,
          "from the greeting to qmp_capabilities; 0 for no limit"),
    BOUND(keepalive_seconds, "keepalive-seconds", LIMIT_KEEPALIVE_SECONDS, 0, 32767,
          "of silence on TCP before the kernel probes the peer; 0 for never"),
    BOUND(commands_ahead, "commands-ahead", LIMIT_CLIENT_QUEUED, 1, 1000,
          "commands of one client that are read ahead"),
    BOUND(commands_per_monitor, "commands-per-monitor", LIMIT_MONITOR_IN_FLIGHT, 1,
          LIMIT_MONITOR_IN_FLIGHT, "commands under way in QEMU"),
    BOUND(commands_for_agent, "commands-for-agent", LIMIT_AGENT_QUEUED, 1, 100000,
          "commands that wait for the guest agent"),
    BOUND(request_bytes, "request-bytes", LIMIT_CLIENT_REQUEST_BYTES, 4096,
          LIMIT_CLIENT_REQUEST_BYTES, "of one command from a client"),
    BOUND(qemu_request_bytes, "qemu-request-bytes", LIMIT_QMP_REQUEST_BYTES, 4096,
          LIMIT_UPSTREAM_OUTPUT / 2, "of a command's arguments to QEMU"),
    BOUND(client_bytes, "client-bytes", LIMIT_CLIENT_BYTES, LIMIT_CLIENT_OWN_BYTES, G_MAXINT64,
          "of memory for one client"),
    BOUND(total_bytes, "total-bytes", LIMIT_PROXY_BYTES, LIMIT_CLIENT_OWN_BYTES, G_MAXINT64,
          "of memory for all clients together"),
    BOUND(output_pause_bytes, "output-pause-bytes", LIMIT_OUTPUT_HIGH, 4096, G_MAXINT64,
          "unread output of a client before its commands wait"),
    BOUND(output_drop_bytes, "output-drop-bytes", LIMIT_OUTPUT_HARD, 4096, G_MAXINT64,
          "unread output of a client before it is closed"),
    BOUND(linger_milliseconds, "linger-milliseconds", LIMIT_LINGER_MS, 0, 3600000,
          "for clients to read their remaining output when QEMU has gone"),
    BOUND(quick_seconds, "quick-seconds", LIMIT_SECONDS_QUICK, 1, LIMIT_SESSION_TIMEOUT,
          "for a guest command that touches memory"),
    BOUND(slow_seconds, "slow-seconds", LIMIT_SECONDS_SLOW, 1, LIMIT_SESSION_TIMEOUT,
          "for one that touches disks or runs helpers, or is unknown"),
    BOUND(freeze_seconds, "freeze-seconds", LIMIT_SECONDS_FREEZE, 1, LIMIT_SESSION_TIMEOUT,
          "for a freeze"),
    BOUND(thaw_seconds, "thaw-seconds", LIMIT_SECONDS_THAW, 1, LIMIT_SESSION_TIMEOUT, "for a thaw"),
    BOUND(shutdown_seconds, "shutdown-seconds", LIMIT_SECONDS_SHUTDOWN, 1, LIMIT_SESSION_TIMEOUT,
          "for a shutdown or suspend"),
    {NULL},
};

static guint64 *value_of(const Bounds *bounds, const Bound *bound)
{
    return (guint64 *)((char *)bounds + bound->offset);
}

void bounds_init(Bounds *bounds)
{
    for (const Bound *bound = bounds_table; bound->name; bound++)
        *value_of(bounds, bound) = bound->initial;
}

static const Bound *find(const char *name)
{
    for (const Bound *bound = bounds_table; bound->name; bound++)
        if (strcmp(bound->name, name) == 0)
            return bound;
    return NULL;
}

gboolean bounds_set(Bounds *bounds, const char *name, guint64 value, GError **error)
{
    const Bound *bound = find(name);

    if (!bound) {
        g_set_error(error, BOUNDS_ERROR, BOUNDS_ERROR_UNKNOWN, "there is no limit '%s'", name);
        return FALSE;
    }
    if (value < bound->min || value > bound->max) {
        g_set_error(error, BOUNDS_ERROR, BOUNDS_ERROR_VALUE,
                    "limit '%s' is from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                    ", not %" G_GUINT64_FORMAT,
                    name, bound->min, bound->max, value);
        return FALSE;
    }
    *value_of(bounds, bound) = value;
    return TRUE;
}

static gboolean read_value(const char *text, guint64 *ret_value)
{
    static const char units[] = "KMG";
    g_autofree char *digits = g_strdup(text);
    gsize len = strlen(text);
    const char *unit = len > 0 ? strchr(units, text[len - 1]) : NULL;
    guint shift = unit && *unit ? 10 * (guint)(unit - units + 1) : 0;

    if (shift > 0)
        digits[len - 1] = '\0';
    if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT64 >> shift, ret_value, NULL))
        return FALSE;
    *ret_value <<= shift;
    return TRUE;
}

gboolean bounds_parse(Bounds *bounds, const char *text, GError **error)
{
    const char *equals = strchr(text, '=');
    g_autofree char *name = g_strndup(text, equals ? (gsize)(equals - text) : strlen(text));
    guint64 value;

    if (!equals || !read_value(equals + 1, &value)) {
        g_set_error(error, BOUNDS_ERROR, BOUNDS_ERROR_VALUE,
                    "'%s' is not NAME=NUMBER, with K, M or G behind it for powers of 1024", text);
        return FALSE;
    }
    return bounds_set(bounds, name, value, error);
}

guint64 bounds_get(const Bounds *bounds, const Bound *bound)
{
    return *value_of(bounds, bound);
}

void bounds_write(const Bounds *bounds, JsonWrite *write)
{
    json_write_begin_object(write);
    for (const Bound *bound = bounds_table; bound->name; bound++)
        json_write_member_uint64(write, bound->name, bounds_get(bounds, bound));
    json_write_end_object(write);
}
