/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A proxy with its own policy, which prints a line for each answered command:
 *
 *     gate unix:/run/vm.qmp unix:/run/vm.qga tcp:localhost:4444
 */

#include <qga-proxy.h>
#include <stdio.h>

/* No client may stop or reset the machine; root may do everything else. */
static gboolean on_command(QgaProxy *proxy, const char *peer, gint64 user, gint64 process,
                           const char *command, const char *arguments, gpointer unused,
                           GError **error)
{
    static const char *const forbidden[] = {"quit", "system_reset", "system_powerdown", NULL};
    static const char *const for_root[] = {"guest-exec", "guest-file-open", NULL};

    if (!g_strv_contains(forbidden, command) && (user == 0 || !g_strv_contains(for_root, command)))
        return TRUE;
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                "%s is not for clients of this machine", command);
    return FALSE;
}

static void on_answered(QgaProxy *proxy, const char *peer, gint64 user, gint64 process,
                        const char *command, const char *error_class, const char *error_text,
                        gint64 microseconds, gpointer unused)
{
    printf("uid %" G_GINT64_FORMAT ": %s%s%s\n", user, command, error_text ? ": " : "",
           error_text ? error_text : "");
    fflush(stdout);
}

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
    qga_proxy_set_gate(proxy, on_command, NULL, NULL);
    qga_proxy_set_audit(proxy, on_answered, NULL, NULL);
    g_signal_connect(proxy, "closed", G_CALLBACK(on_closed), loop);
    qga_proxy_start(proxy);
    g_main_loop_run(loop);
    return 0;
}
