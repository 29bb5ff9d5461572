/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-many QMP AGENT LISTEN COUNT: the proxies of many machines in one program.
 *
 * Each path is followed by the number of the machine, as bench-peer has it.
 */

#include "proxy/qga-proxy.h"
#include "turn.h"

#include <stdio.h>
#include <stdlib.h>

static QgaProxy *serve(char **paths, guint number)
{
    g_autofree char *qmp = g_strdup_printf("unix:%s%u", paths[0], number);
    g_autofree char *agent = g_strdup_printf("unix:%s%u", paths[1], number);
    g_autofree char *listen = g_strdup_printf("unix:%s%u", paths[2], number);
    g_autoptr(GError) error = NULL;
    QgaProxy *proxy = qga_proxy_new(qmp, agent, &error);

    if (!proxy || !qga_proxy_add_listener(proxy, listen, &error))
        turn_fail("%s", error->message);
    qga_proxy_start(proxy);
    return proxy;
}

int main(int argc, char **argv)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GPtrArray) proxies = g_ptr_array_new_with_free_func(g_object_unref);

    g_set_prgname("bench-many");
    if (argc != 5)
        turn_fail("usage: bench-many QMP AGENT LISTEN COUNT");
    for (guint i = 0; i < (guint)strtoul(argv[4], NULL, 10); i++)
        g_ptr_array_add(proxies, serve(argv + 1, i));
    puts("ready");
    fflush(stdout);
    g_main_loop_run(loop);
    return EXIT_SUCCESS;
}
