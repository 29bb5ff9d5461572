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

/* What a former daemon has left. */
typedef struct {
    GVariant *state; /* (nullable): NULL where there was none */
    GUnixFDList *descriptors;
} Estate;

gboolean successor_inherit(Estate *estate, GError **error);
void estate_clear(Estate *estate);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Estate, estate_clear)

/**
 * successor_exec:
 * @program: absolute path
 * @argv: for it
 *
 * Becomes @program. Returns only where that fails, with @error set; then all goes on here.
 */
void successor_exec(QgaProxy *proxy, const char *program, char **argv, GError **error);

/**
 * successor_leave:
 *
 * Leaves everything with the service manager. Where it returns TRUE, @proxy must not go on.
 */
gboolean successor_leave(QgaProxy *proxy, GError **error);
