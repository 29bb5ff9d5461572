/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "router.h"

Route router_route(const char *command)
{
    if (g_str_has_prefix(command, "guest-"))
        return ROUTE_AGENT;
    if (g_str_has_prefix(command, "qga-proxy-"))
        return ROUTE_PROXY;
    if (g_str_equal(command, "query-commands") || g_str_equal(command, "query-qmp-schema"))
        return ROUTE_MERGE;
    return ROUTE_QEMU;
}

gboolean router_allows_oob(Route route)
{
    return route == ROUTE_QEMU;
}
