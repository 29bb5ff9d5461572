/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a program serves beside the proxy, at an address of the same form.
 */

#include "listener.h"
#include "qga-proxy-private.h"

#include <glib/gstdio.h>

typedef struct {
    Border *border;
    Listener *listener; /* (nullable): NULL where it could not be made */
    Hook *hook;         /* of QgaProxyConnectionFunc */
} Service;

static void service_free(gpointer data)
{
    Service *service = data;

    g_clear_pointer(&service->listener, listener_free);
    hook_unref(service->hook);
    g_free(service);
}

static void on_connection(gpointer owner, int fd, const char *peer)
{
    const Service *service = owner;
    Border *border = service->border;

    if (border->ending || !border->proxy) {
        g_close(fd, NULL);
        return;
    }
    border_enter(border);
    ((QgaProxyConnectionFunc)service->hook->func)(fd, peer, service->hook->user_data);
    border_leave(border);
}

/* No client of the proxy's comes from there. */
static Address *parse_service(const char *text, GError **error)
{
    g_autoptr(Address) address = border_parse(text, TRUE, error);

    if (address && (!address->server || address->wait || address->pretty)) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS,
                    "address '%s': options 'server', 'wait' and 'pretty' are for clients", text);
        return NULL;
    }
    return g_steal_pointer(&address);
}

static gboolean listen_for(Service *service, const char *text, GError **error)
{
    g_autoptr(IoLoop) loop = NULL;
    g_autoptr(Address) address = NULL;
    GError *cause = NULL;

    if (border_has_stopped(service->border, error))
        return FALSE;
    address = parse_service(text, error);
    if (!address)
        return FALSE;
    loop = io_loop_get(service->border->context);
    service->listener = listener_new(loop, address, on_connection, service, &cause);
    if (service->listener)
        return TRUE;
    border_pass_on(cause, QGA_PROXY_ERROR_SOCKET, error);
    return FALSE;
}

gboolean qga_proxy_add_service(QgaProxy *self, const char *address, QgaProxyConnectionFunc func,
                               gpointer user_data, GDestroyNotify destroy, GError **error)
{
    Service *service;

    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL && func != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    service = g_new(Service, 1);
    *service = (Service){self->border, NULL, hook_new(G_CALLBACK(func), user_data, destroy)};
    if (!listen_for(service, address, error)) {
        service_free(service);
        return FALSE;
    }
    g_ptr_array_set_free_func(self->border->services, service_free);
    g_ptr_array_add(self->border->services, service);
    return TRUE;
}
