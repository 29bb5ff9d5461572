/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * successor: the daemon that comes after this one and carries on, so that nobody who is connected
 * notices that it was upgraded.
 *
 * It is the same process with another program, by execve(2), or another process of the same
 * service, to which the service manager passes what we leave with it. Owns how the state and the
 * descriptors get there. Leaves what they are to the library.
 */

#pragma once

#include "proxy/qga-proxy.h"

/* What a proxy leaves. */
typedef struct {
    char *name; /* of its machine */
    GVariant *state;
    GUnixFDList *descriptors;
} Part;

/* What a daemon leaves: that of each of its proxies. */
typedef struct {
    GPtrArray *parts; /* (nullable): of Part *; NULL where there is nothing */
} Estate;

void estate_clear(Estate *estate);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Estate, estate_clear)

/* Returns: (nullable): what was left for the machine @name */
const Part *estate_find(const Estate *estate, const char *name);

/* Saves @proxy as it is, which must not run on if this is left. */
gboolean estate_add(Estate *estate, const char *name, QgaProxy *proxy, GError **error);

/* What a former daemon has left. */
gboolean successor_inherit(Estate *estate, GError **error);

/**
 * successor_exec:
 * @estate: with something in it
 * @program: absolute path
 * @argv: for it
 *
 * Becomes @program. Returns only where that fails, with @error set; then all goes on here.
 */
void successor_exec(const Estate *estate, const char *program, char **argv, GError **error);

/**
 * successor_leave:
 * @estate: with something in it
 *
 * Leaves everything with the service manager. Where it returns TRUE, what is saved in @estate must
 * not go on here.
 */
gboolean successor_leave(const Estate *estate, GError **error);
