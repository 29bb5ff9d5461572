/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The smallest program that serves a virtual machine:
 *
 *     minimal unix:/run/vm.qmp unix:/run/vm.qga tcp:localhost:4444
 *
 * It ends when QEMU does. Built by `cc minimal.c $(pkg-config --cflags --libs qga-proxy-1)`.
 */

#include <qga-proxy.h>

static void on_closed(QgaProxy *proxy, gpointer loop)
{
    g_main_loop_quit(loop);
}

int main(int argc, char **argv)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(QgaProxy) proxy = NULL;
    g_autoptr(GError) error = NULL;

    if (argc != 4) {
        g_printerr("usage: %s MONITOR AGENT LISTEN\n", argv[0]);
        return 2;
    }
    proxy = qga_proxy_new(argv[1], argv[2], &error);
    if (!proxy || !qga_proxy_add_listener(proxy, argv[3], &error)) {
        g_printerr("%s\n", error->message);
        return 1;
    }
    g_signal_connect(proxy, "closed", G_CALLBACK(on_closed), loop);
    qga_proxy_start(proxy);
    g_main_loop_run(loop);
    return 0;
}
