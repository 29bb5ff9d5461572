/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which way each command goes: by its prefix alone, and no name that merely resembles it.
 */

#include "router.h"

static void test_routes(void)
{
    static const struct {
        const char *command;
        Route route;
    } cases[] = {
        {"guest-ping", ROUTE_AGENT},
        {"guest-", ROUTE_AGENT},
        {"guest-no-such-thing", ROUTE_AGENT},
        {"guest", ROUTE_QEMU},
        {"Guest-ping", ROUTE_QEMU},
        {" guest-ping", ROUTE_QEMU},
        {"x-guest-ping", ROUTE_QEMU},
        {"qga-proxy-status", ROUTE_PROXY},
        {"qga-proxy-no-such-thing", ROUTE_PROXY},
        {"qga-proxy", ROUTE_QEMU},
        {"query-commands", ROUTE_MERGE},
        {"query-commands2", ROUTE_QEMU},
        {"query-qmp-schema", ROUTE_MERGE},
        {"query-qmp-schema ", ROUTE_QEMU},
        {"query-status", ROUTE_QEMU},
        {"", ROUTE_QEMU},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("%s", cases[i].command);
        g_assert_cmpint(router_route(cases[i].command), ==, cases[i].route);
    }
}

/* QEMU knows of its own commands which may overtake; of the others none may. */
static void test_oob(void)
{
    g_assert_true(router_allows_oob(ROUTE_QEMU));
    g_assert_false(router_allows_oob(ROUTE_MERGE));
    g_assert_false(router_allows_oob(ROUTE_AGENT));
    g_assert_false(router_allows_oob(ROUTE_PROXY));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/router/routes", test_routes);
    g_test_add_func("/router/oob", test_oob);
    return g_test_run();
}
