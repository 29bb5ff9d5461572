/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket.h"

#include "common/limits.h"

#include <errno.h>
#include <gio/gio.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <string.h>

/* Questions without an answer that end a TCP connection. */
enum { PROBES = 4 };

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
    static const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    socket_keep_alive(fd, LIMIT_KEEPALIVE_SECONDS);
}

void socket_keep_alive(int fd, guint seconds)
{
    const struct {
        int level;
        int option;
        guint value;
    } options[] = {
        {IPPROTO_TCP, TCP_KEEPIDLE, MAX(seconds, 1)},           /* before the first question */
        {IPPROTO_TCP, TCP_KEEPINTVL, MAX(seconds / PROBES, 1)}, /* and between one and the next */
        {IPPROTO_TCP, TCP_KEEPCNT, PROBES},                     /* unanswered ones that end it */
        {SOL_SOCKET, SO_KEEPALIVE, seconds > 0},
    };

    /* The first one fails where it is no TCP, and then the others have no business here. */
    for (gsize i = 0; i < G_N_ELEMENTS(options); i++)
        if (setsockopt(fd, options[i].level, options[i].option, &options[i].value, sizeof(int)) < 0)
            return;
}

gboolean socket_is_listening(int fd)
{
    int listens = FALSE;
    socklen_t len = sizeof listens;

    errno = 0;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens;
}

gboolean socket_peer(int fd, struct ucred *ret_who)
{
    socklen_t len = sizeof *ret_who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_who, &len) == 0 &&
           ret_who->uid != (uid_t)-1; /* which it is on TCP */
}

gint64 socket_peer_user(int fd)
{
    struct ucred who;

    return socket_peer(fd, &who) ? (gint64)who.uid : -1;
}
