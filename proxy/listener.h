/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * listener: accepts connections on one address.
 *
 * Owns the listening descriptors (a host name can stand for an IPv4 and an IPv6 address). Leaves
 * accepted descriptors to whoever is called back, and a unix socket's path to socket-path.h.
 */

#pragma once

#include "common/address.h"
#include "handover.h"
#include "io.h"

G_BEGIN_DECLS

typedef struct Listener Listener;

/* @fd: (transfer full): a connected client. @peer: who it is, for logs and status, such as
 * "unix:/run/vm.sock uid 0 pid 4711" or "tcp:127.0.0.1:53012". */
typedef void (*ListenerCallback)(gpointer owner, int fd, const char *peer);

/**
 * listener_new:
 * @address: copied from; for ADDRESS_FD a descriptor that listens already, taken over unless this
 *   fails
 * @callback: may free the listener
 * @error: G_IO_ERROR, names the address
 *
 * Names, of hosts, users and groups, are looked up here and now, which can take as long as a
 * look-up takes: listening is for start-up, when there is nobody yet to be kept waiting.
 * "localhost" is both of its addresses.
 *
 * When descriptors run out, accepting pauses for a moment instead of spinning.
 */
Listener *listener_new(IoLoop *loop, const Address *address, ListenerCallback callback,
                       gpointer owner, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void listener_free(Listener *listener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listener, listener_free)

/* Pauses or resumes accepting: the backlog is the queue. */
void listener_pause(Listener *listener, gboolean paused);

/* With the port that the kernel chose, where it was asked to choose one by port 0. */
const Address *listener_address(const Listener *listener);

void listener_save(const Listener *listener, Handover *handover, Saved *to);

/**
 * listener_restore:
 *
 * The same sockets, with all who wait to be accepted.
 *
 * Returns: (nullable): NULL where there are none
 */
Listener *listener_restore(IoLoop *loop, const Address *address, const HandoverPart *part,
                           ListenerCallback callback, gpointer owner) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
