/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket.h"

#include <gio/gio.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>

/* An abstract name is its bytes behind a NUL, without one at the end. */
static gboolean name_unix(const char *path, SocketName *ret_name, GError **error)
{
    gboolean abstract = path[0] == '@';
    gsize len = strlen(path);
    SocketName name = {.local.sun_family = AF_UNIX};
    gsize max = sizeof name.local.sun_path - (abstract ? 0 : 1);

    if (len > max) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FILENAME_TOO_LONG,
                    "'%s' is %" G_GSIZE_FORMAT
                    " bytes long, a socket's path at most %" G_GSIZE_FORMAT,
                    path, len, max);
        return FALSE;
    }
    memcpy(name.local.sun_path, path, len);
    if (abstract)
        name.local.sun_path[0] = '\0';
    name.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (abstract ? 0 : 1));
    *ret_name = name;
    return TRUE;
}

gboolean socket_name_from_address(const Address *address, SocketName *ret_name, GError **error)
{
    if (address->kind == ADDRESS_UNIX)
        return name_unix(address->path, ret_name, error);
    g_assert(address->kind == ADDRESS_VSOCK);
    *ret_name = (SocketName){
        .vm = {.svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->number},
        .len = sizeof(struct sockaddr_vm),
    };
    return TRUE;
}

char *socket_name_to_string(const SocketName *name)
{
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (name->any.sa_family == AF_VSOCK)
        return g_strdup_printf("vsock:%u:%u", name->vm.svm_cid, name->vm.svm_port);
    if (getnameinfo(&name->any, name->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return g_strdup_printf("family %d", name->any.sa_family);
    return g_strdup_printf(strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

int socket_open(sa_family_t family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

void socket_tune(int fd)
{
    static const struct {
        int level;
        int option;
        int value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},    {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},  /* seconds of silence before the first probe */
        {IPPROTO_TCP, TCP_KEEPINTVL, 15}, /* and between one and the next */
        {IPPROTO_TCP, TCP_KEEPCNT, 4},    /* unanswered ones that end the connection */
    };

    /* The first one fails where it is no TCP, and then the others have no business here. */
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        if (setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(int)) < 0)
            return;
}
