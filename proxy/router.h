/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * router: which way a command goes, by its name alone.
 *
 * A pure decision. QEMU owns no name with these prefixes, and none may ever reach the wrong side: a
 * guest command that QEMU refuses is confusing, a QEMU command that the guest sees is a leak.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    ROUTE_QEMU,
    ROUTE_AGENT, /* guest-* */
    ROUTE_PROXY, /* qga-proxy-*: answered here */
    ROUTE_MERGE, /* QEMU's answer, asked for once, with ours added: query-commands,
                    query-qmp-schema */
} Route;

Route router_route(const char *command);

/* Whether exec-oob may be asked for on this way; QEMU decides for its own commands. */
gboolean router_allows_oob(Route route);

G_END_DECLS
