/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The module that metrics.c loads: GET /metrics, by libmicrohttpd.
 *
 * Connections are made by the proxy's own listener, which knows all forms of an address, and handed
 * over. The library does without a thread: all that it waits for is behind one epoll descriptor,
 * which is watched in the main loop beside the proxy's.
 *
 * Each connection is answered once and then closed. So a time limit for the whole of it can be
 * short, and a client that sends a byte now and then holds its place no longer than one that is
 * silent.
 */

#include "metrics.h"

#include "common/limits.h"

#include <glib-unix.h>
#include <gmodule.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>

typedef struct {
    QgaProxy *proxy; /* outlives this */
    char *vm;        /* (nullable) */
    GMainContext *context;
    struct MHD_Daemon *daemon;
    GSource *watch; /* of its epoll descriptor, and of the time when it wants to be called again */
} Http;

/* ---- Requests -------------------------------------------------------------------------------- */

/* @text: (transfer full) */
static enum MHD_Result answer(struct MHD_Connection *connection, guint status, char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(strlen(text), text, g_free);
    enum MHD_Result result;

    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                            status == MHD_HTTP_OK ? "text/plain; version=0.0.4; charset=utf-8"
                                                  : "text/plain; charset=utf-8");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, MHD_HTTP_METHOD_GET);
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called when the headers are there: a body is never waited for. */
static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *unused_version,
                                  const char *unused_body, size_t *unused_size,
                                  void **unused_context)
{
    Http *http = data;

    if (!g_str_equal(path, "/metrics"))
        return answer(connection, MHD_HTTP_NOT_FOUND, g_strdup("Only /metrics is served.\n"));
    if (!g_str_equal(method, MHD_HTTP_METHOD_GET))
        return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                      g_strdup("Only GET is supported.\n"));
    return answer(connection, MHD_HTTP_OK, qga_proxy_dup_metrics(http->proxy, http->vm));
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* The library sees the end of the connection, and closes it. */
static gboolean on_time_is_over(gpointer fd)
{
    shutdown(GPOINTER_TO_INT(fd), SHUT_RDWR);
    return G_SOURCE_REMOVE;
}

static void on_connection(void *data, struct MHD_Connection *connection, void **timer,
                          enum MHD_ConnectionNotificationCode what)
{
    Http *http = data;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

        *timer = g_timeout_source_new_seconds(LIMIT_METRICS_SECONDS);
        g_source_set_callback(*timer, on_time_is_over, GINT_TO_POINTER(info->connect_fd), NULL);
        g_source_attach(*timer, http->context);
    } else {
        g_source_destroy(*timer);
        g_source_unref(*timer);
    }
}

static void serve(Http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;

    MHD_run(http->daemon);
    g_source_set_ready_time(http->watch, MHD_get_timeout(http->daemon, &ms) == MHD_YES
                                             ? g_get_monotonic_time() + (gint64)ms * 1000
                                             : -1);
}

static gboolean on_ready(gint unused_fd, GIOCondition unused_condition, gpointer http)
{
    serve(http);
    return G_SOURCE_CONTINUE;
}

/* Where there is no place for one more, the library closes it. */
static void on_accepted(int fd, const char *peer, gpointer data)
{
    Http *http = data;
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof name;

    if (getpeername(fd, (struct sockaddr *)&name, &len) < 0)
        len = sizeof name.ss_family;
    if (MHD_add_connection(http->daemon, fd, (struct sockaddr *)&name, len) != MHD_YES)
        g_debug("%s: too many ask for metrics", peer);
    else
        serve(http);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void http_free(gpointer data)
{
    Http *http = data;

    if (http->watch) {
        g_source_destroy(http->watch);
        g_source_unref(http->watch);
    }
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    g_main_context_unref(http->context);
    g_free(http->vm);
    g_free(http);
}

static gboolean start(Http *http, GError **error)
{
    const union MHD_DaemonInfo *info = NULL;

    http->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, on_request, http,
                         MHD_OPTION_CONNECTION_LIMIT, (unsigned int)LIMIT_METRICS_CONNECTIONS,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_METRICS_REQUEST_BYTES,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (http->daemon)
        info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info) {
        g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                            "libmicrohttpd does not start");
        return FALSE;
    }
    http->watch = g_unix_fd_source_new(info->epoll_fd, G_IO_IN);
    g_source_set_callback(http->watch, G_SOURCE_FUNC(on_ready), http, NULL);
    g_source_attach(http->watch, http->context);
    return TRUE;
}

G_MODULE_EXPORT gboolean metrics_http_serve(QgaProxy *proxy, const char *address, const char *vm,
                                            GError **error);

gboolean metrics_http_serve(QgaProxy *proxy, const char *address, const char *vm, GError **error)
{
    Http *http = g_new(Http, 1);

    *http =
        (Http){.proxy = proxy, .vm = g_strdup(vm), .context = g_main_context_ref_thread_default()};
    if (!start(http, error)) {
        http_free(http);
        return FALSE;
    }
    return qga_proxy_add_service(proxy, address, on_accepted, http, http_free, error);
}
