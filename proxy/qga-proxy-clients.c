/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where clients come from: listeners, and those that the embedder accepts itself.
 */

#include "qga-proxy-private.h"

#include <errno.h>
#include <sys/socket.h>

typedef gboolean (*UseAddress)(Core *core, const Address *address, GError **error);

static gboolean use_address(QgaProxy *self, const char *text, UseAddress use, QgaProxyError code,
                            GError **error)
{
    Border *border = self->border;
    g_autoptr(Address) address = NULL;
    GError *cause = NULL;
    gboolean done;

    if (border_has_stopped(border, error))
        return FALSE;
    address = border_parse(text, TRUE, error);
    if (!address)
        return FALSE;
    border_enter(border);
    done = use(border->core, address, &cause);
    border_leave(border);
    if (!done)
        border_pass_on(cause, code, error);
    return done;
}

gboolean qga_proxy_add_listener(QgaProxy *self, const char *address, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return use_address(self, address, core_add_listener, QGA_PROXY_ERROR_SOCKET, error);
}

gboolean qga_proxy_add_agent_listener(QgaProxy *self, const char *address, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return use_address(self, address, core_add_agent_listener, QGA_PROXY_ERROR_SOCKET, error);
}

gboolean qga_proxy_remove_listener(QgaProxy *self, const char *address, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return use_address(self, address, core_remove_listener, QGA_PROXY_ERROR_ADDRESS, error);
}

static gboolean check_client(int fd, GError **error)
{
    int type = 0;
    socklen_t len = sizeof(type);
    int number;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM)
        return TRUE;
    number = type ? EPROTOTYPE : errno;
    g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_SOCKET, "descriptor %d: %s", fd,
                g_strerror(number));
    return FALSE;
}

static gboolean add_client(QgaProxy *self, int fd, const char *peer, gboolean agent, GError **error)
{
    Border *border = self->border;
    g_autofree char *name = peer ? g_strdup(peer) : g_strdup_printf("fd:%d", fd);
    GError *cause = NULL;
    gboolean done;

    if (border_has_stopped(border, error) || !check_client(fd, error))
        return FALSE;
    border_enter(border);
    done = core_add_client(border->core, fd, name, agent, &cause);
    border_leave(border);
    if (!done)
        border_pass_on(cause, QGA_PROXY_ERROR_LIMIT, error);
    return done;
}

gboolean qga_proxy_add_client(QgaProxy *self, int fd, const char *peer, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    return_val_if_elsewhere(self, FALSE);

    return add_client(self, fd, peer, FALSE, error);
}

gboolean qga_proxy_add_agent_client(QgaProxy *self, int fd, const char *peer, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    return_val_if_elsewhere(self, FALSE);

    return add_client(self, fd, peer, TRUE, error);
}
