/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * introspection: what query-qmp-schema tells of each command and event, as text.
 *
 * Tables that generate.py writes from a schema; see introspection.py for how the types are named.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *name;    /* of the command or event; NULL behind the last one */
    const char *entries; /* of it and of its types: JSON values with ", " between them */
} Introspection;

/* In the order of guest_schema_commands. */
extern const Introspection guest_introspection[];

/* The proxy's own commands and events. */
extern const Introspection proxy_introspection[];
extern const Introspection proxy_event_introspection[];

G_END_DECLS
