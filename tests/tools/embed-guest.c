/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * embed-guest MONITOR AGENT: uses a guest through the library, as a program that embeds it does,
 * and says how each went. For tests/integration/test_embed.py.
 */

#include "proxy/qga-proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Over several pieces, and not a whole number of them. */
enum { FILE_BYTES = 2500003, READY_SECONDS = 120 };

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GAsyncResult **)data = g_object_ref(result);
}

static GAsyncResult *await(GAsyncResult **result)
{
    while (!*result)
        g_main_context_iteration(NULL, TRUE);
    return *result;
}

static void check(const char *what, const GError *error)
{
    if (!error)
        return;
    printf("%s: %s\n", what, error->message);
    exit(EXIT_FAILURE);
}

static void meet(QgaProxy *proxy)
{
    g_autoptr(GAsyncResult) ready = NULL;
    g_autoptr(GAsyncResult) info = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *version = NULL;
    g_autoptr(GError) error = NULL;

    qga_proxy_wait_ready_async(proxy, READY_SECONDS, NULL, on_done, &ready);
    qga_proxy_wait_ready_finish(proxy, await(&ready), &error);
    check("wait", error);
    qga_proxy_get_info_async(proxy, NULL, on_done, &info);
    bytes = qga_proxy_get_info_finish(proxy, await(&info), &version, &error);
    check("info", error);
    printf("agent %s\n", version);
}

static void use_file(QgaProxy *proxy)
{
    guint8 *data = g_malloc(FILE_BYTES);
    g_autoptr(GBytes) contents = NULL;
    g_autoptr(GBytes) again = NULL;
    g_autoptr(GAsyncResult) written = NULL;
    g_autoptr(GAsyncResult) read = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < FILE_BYTES; i++)
        data[i] = (guint8)(i * 7 + i / 256);
    contents = g_bytes_new_take(data, FILE_BYTES);
    qga_proxy_write_file_async(proxy, "/tmp/embedded", contents, NULL, on_done, &written);
    qga_proxy_write_file_finish(proxy, await(&written), &error);
    check("write", error);
    qga_proxy_read_file_async(proxy, "/tmp/embedded", FILE_BYTES, NULL, on_done, &read);
    again = qga_proxy_read_file_finish(proxy, await(&read), &error);
    check("read", error);
    printf("file %s\n", g_bytes_equal(contents, again) ? "same" : "other");
}

static void run_program(QgaProxy *proxy)
{
    static const char *const arguments[] = {"/bin/sh", "-c",
                                            "cat; echo failed >&2; sleep 1; exit 3", NULL};
    g_autoptr(GBytes) input = g_bytes_new_static("input", 5);
    g_autoptr(GBytes) out = NULL;
    g_autoptr(GBytes) err = NULL;
    g_autoptr(GAsyncResult) ended = NULL;
    g_autoptr(GError) error = NULL;
    int status, number;

    qga_proxy_exec_async(proxy, arguments, NULL, input, 60, NULL, on_done, &ended);
    qga_proxy_exec_finish(proxy, await(&ended), &status, &number, &out, &err, NULL, &error);
    check("exec", error);
    printf("program %d %d %.*s %.*s", status, number, (int)g_bytes_get_size(out),
           (const char *)g_bytes_get_data(out, NULL), (int)g_bytes_get_size(err),
           (const char *)g_bytes_get_data(err, NULL));
}

static void print_frozen(QgaProxy *proxy)
{
    g_autoptr(GAsyncResult) asked = NULL;
    g_autoptr(GError) error = NULL;
    gboolean frozen;

    qga_proxy_get_frozen_async(proxy, NULL, on_done, &asked);
    qga_proxy_get_frozen_finish(proxy, await(&asked), &frozen, &error);
    check("status", error);
    puts(frozen ? "frozen" : "thawed");
}

static void freeze(QgaProxy *proxy)
{
    g_autoptr(GAsyncResult) frozen = NULL;
    g_autoptr(GAsyncResult) thawed = NULL;
    g_autoptr(GError) error = NULL;
    gint64 count;

    qga_proxy_freeze_async(proxy, NULL, NULL, on_done, &frozen);
    count = qga_proxy_freeze_finish(proxy, await(&frozen), &error);
    check("freeze", error);
    printf("froze %" G_GINT64_FORMAT "\n", count);
    print_frozen(proxy);
    qga_proxy_thaw_async(proxy, NULL, on_done, &thawed);
    count = qga_proxy_thaw_finish(proxy, await(&thawed), &error);
    check("thaw", error);
    printf("thawed %" G_GINT64_FORMAT "\n", count);
    print_frozen(proxy);
}

static void ask_qemu(QgaProxy *proxy)
{
    g_autoptr(GAsyncResult) answered = NULL;
    g_autoptr(JsonNode) node = NULL;
    g_autoptr(GError) error = NULL;

    qga_proxy_execute_async(proxy, "query-status", NULL, 10, QGA_PROXY_EXECUTE_NONE, NULL, on_done,
                            &answered);
    node = qga_proxy_execute_finish_node(proxy, await(&answered), &error);
    check("query-status", error);
    printf("QEMU %s\n", json_object_get_string_member(json_node_get_object(node), "status"));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QgaProxy) proxy = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: embed-guest MONITOR AGENT\n");
        return EXIT_FAILURE;
    }
    proxy = qga_proxy_new(argv[1], argv[2], &error);
    check("new", error);
    qga_proxy_start(proxy);
    meet(proxy);
    ask_qemu(proxy);
    use_file(proxy);
    run_program(proxy);
    freeze(proxy);
    qga_proxy_stop(proxy);
    return EXIT_SUCCESS;
}
