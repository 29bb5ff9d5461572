/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * socket: what connecting and listening have in common.
 *
 * Owns names of sockets as the kernel takes them, and how a TCP connection is tuned. Leaves making
 * connections to dial.h and listener.h.
 */

#pragma once

#include "common/address.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

G_BEGIN_DECLS

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_un local;
        struct sockaddr_vm vm;
        struct sockaddr_in inet;
        struct sockaddr_in6 inet6;
        struct sockaddr_storage space;
    };
    socklen_t len;
} SocketName;

/**
 * socket_name_from_address:
 * @address: unix or vsock: what needs no look-up
 * @error: G_IO_ERROR
 */
gboolean socket_name_from_address(const Address *address, SocketName *ret_name,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns: (transfer full): of tcp and vsock, as an address is written: "tcp:[::1]:4444" */
char *socket_name_to_string(const SocketName *name);

/* Returns: a stream socket that does not block and is closed on exec, or -1 and errno */
int socket_open(sa_family_t family) G_GNUC_WARN_UNUSED_RESULT;

/* Sends without delay, and finds out in two minutes that a host is gone. Does nothing to what is
 * not TCP. */
void socket_tune(int fd);

/* Sets how many seconds of silence it takes before the other end is asked whether it is there; 0
 * for never. After as many again, and four unanswered questions, it counts as gone. */
void socket_keep_alive(int fd, guint seconds);

/* Returns: whether it is a socket that listens; FALSE and errno, which is 0 where it is a socket */
gboolean socket_is_listening(int fd);

/* @ret_who: the process that connected a unix socket. Returns: FALSE where it is no such one */
gboolean socket_peer(int fd, struct ucred *ret_who);

/* Returns: the user id of that process, or -1 */
gint64 socket_peer_user(int fd);

G_END_DECLS
