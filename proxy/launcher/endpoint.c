/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "endpoint.h"

#include <string.h>

/* What a client can tell no difference of, or what is looked at below. */
static const char *const known[] = {
    "abstract", "address",   "backend",      "delay",  "fd",      "host",
    "id",       "logappend", "logfile",      "mux",    "nodelay", "path",
    "port",     "reconnect", "reconnect-ms", "server", "telnet",  "tight",
    "tn3270",   "wait",      "websocket",    NULL,
};

/* What a chardev may be that the proxy is not. */
static const char *const unlike[] = {"mux", "telnet", "tn3270", "websocket"};

void endpoint_clear(Endpoint *endpoint)
{
    g_free(endpoint->address);
}

static gboolean wrong(GError **error, const char *what)
{
    g_set_error_literal(error, OPTION_ERROR, OPTION_ERROR_SYNTAX, what);
    return FALSE;
}

/* ---- Where ----------------------------------------------------------------------------------- */

static gboolean append_path(GString *address, const Option *option, GError **error)
{
    gboolean abstract;

    if (!option_get_switch(option, "abstract", FALSE, &abstract, error))
        return FALSE;
    g_string_append(address, abstract ? "unix:@" : "unix:");
    option_append_escaped(address, option_get(option, "path"));
    return TRUE;
}

static void append_host(GString *address, const char *host, const char *port)
{
    g_string_append(address, strchr(host, ':') ? "tcp:[" : "tcp:");
    option_append_escaped(address, host);
    g_string_append(address, strchr(host, ':') ? "]:" : ":");
    option_append_escaped(address, port);
}

static gboolean append_place(GString *address, const Option *option, int *ret_fd, GError **error)
{
    const char *fd = option_get(option, "fd");
    const char *host = option_get(option, "host");
    const char *port = option_get(option, "port");
    guint64 number;

    *ret_fd = -1;
    if (option_get(option, "address")) {
        g_string_append(address, "tcp:");
        option_append_escaped(address, option_get(option, "address"));
        return TRUE;
    }
    if (option_get(option, "path"))
        return append_path(address, option, error);
    if (fd) {
        if (!g_ascii_string_to_unsigned(fd, 10, 0, G_MAXINT, &number, NULL))
            return wrong(error, "'fd' is no number of a descriptor");
        *ret_fd = (int)number;
        g_string_append_printf(address, "fd:%d", *ret_fd);
        return TRUE;
    }
    if (!port)
        return wrong(error, "there is no path, port or descriptor");
    append_host(address, host ? host : "", port);
    return TRUE;
}

/* ---- How ------------------------------------------------------------------------------------- */

/* Returns: seconds; the proxy knows no shorter ones. */
static gboolean read_reconnect(const Option *option, guint64 *ret_seconds, GError **error)
{
    const char *seconds = option_get(option, "reconnect");
    const char *ms = option_get(option, "reconnect-ms");

    *ret_seconds = 0;
    if (seconds && !g_ascii_string_to_unsigned(seconds, 10, 0, G_MAXINT32, ret_seconds, NULL))
        return wrong(error, "'reconnect' is no number of seconds");
    if (ms && !g_ascii_string_to_unsigned(ms, 10, 0, G_MAXINT32, ret_seconds, NULL))
        return wrong(error, "'reconnect-ms' is no number of milliseconds");
    if (ms)
        *ret_seconds = (*ret_seconds + 999) / 1000;
    return TRUE;
}

static gboolean append_manner(GString *address, const Option *option, gboolean *ret_waits,
                              GError **error)
{
    gboolean server, wait;
    guint64 reconnect;

    if (!option_get_switch(option, "server", FALSE, &server, error) ||
        !option_get_switch(option, "wait", server, &wait, error) ||
        !read_reconnect(option, &reconnect, error))
        return FALSE;
    if (!server && option_get(option, "wait"))
        return wrong(error, "'wait' is for a server, and this connects");
    if (server && reconnect > 0)
        return wrong(error, "'reconnect' is for what connects, and this is a server");
    *ret_waits = server && wait;
    if (server)
        g_string_append_printf(address, ",server=on,wait=%s", wait ? "on" : "off");
    else
        g_string_append(address, ",server=off");
    if (reconnect > 0)
        g_string_append_printf(address, ",reconnect=%" G_GUINT64_FORMAT, reconnect);
    return TRUE;
}

/* ---- Both ------------------------------------------------------------------------------------ */

/* Returns: (nullable): a key of what the proxy does not do */
static const char *find_foreign(const Option *option)
{
    for (guint i = 0; i < G_N_ELEMENTS(unlike); i++) {
        gboolean on;

        if (!option_get_switch(option, unlike[i], FALSE, &on, NULL) || on)
            return unlike[i];
    }
    return option_find_unknown(option, known);
}

EndpointKind endpoint_read(const Option *option, gboolean pretty, Endpoint *ret, char **ret_why,
                           GError **error)
{
    g_autoptr(GString) address = g_string_new(NULL);
    const char *foreign = find_foreign(option);

    if (foreign) {
        *ret_why = g_strdup_printf("the proxy does not know '%s'", foreign);
        return ENDPOINT_FOREIGN;
    }
    if (!append_place(address, option, &ret->fd, error) ||
        !append_manner(address, option, &ret->waits, error))
        return ENDPOINT_WRONG;
    if (pretty)
        g_string_append(address, ",pretty=on");
    ret->address = g_string_free(g_steal_pointer(&address), FALSE);
    return ENDPOINT_SERVED;
}

EndpointKind endpoint_read_short(const char *text, gboolean pretty, Endpoint *ret, char **ret_why,
                                 GError **error)
{
    gboolean tcp = g_str_has_prefix(text, "tcp:");
    g_autoptr(Option) option = NULL;

    if (!tcp && !g_str_has_prefix(text, "unix:")) {
        *ret_why = g_strdup("it is no tcp: or unix: socket");
        return ENDPOINT_FOREIGN;
    }
    /* What stands in front may be no JSON. */
    option = option_parse(strchr(text, ':') + 1, tcp ? "address" : "path", error);
    return option ? endpoint_read(option, pretty, ret, ret_why, error) : ENDPOINT_WRONG;
}
