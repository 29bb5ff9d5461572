/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * link: one connection at a time: to QEMU's monitor, to the agent's channel or to a client that is
 * dialled, made in either direction.
 *
 * Owns how it comes about: connecting out, with the pause that the address says between attempts or
 * else a growing one, accepting one peer at a time where the address says `server`, or taking over
 * a descriptor. Leaves what is said on it to the endpoint.
 */

#pragma once

#include "common/address.h"
#include "handover.h"
#include "io.h"

G_BEGIN_DECLS

typedef struct Link Link;

/* @fd: (transfer full) */
typedef void (*LinkConnected)(gpointer owner, int fd);

/**
 * link_new:
 *
 * Does nothing before link_connect().
 *
 * @part: (nullable): of a link that is carried on; its connection is with the endpoint
 * @error: where the address is one to listen on and cannot be
 */
Link *link_new(IoLoop *loop, const Address *address, LinkConnected connected, gpointer owner,
               const HandoverPart *part, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void link_free(Link *link);

/* Whether it is the peer that has connected. Else @fd was taken. */
typedef gboolean (*LinkIsPeer)(gpointer owner, int fd, const char *name);

/**
 * link_share:
 *
 * Others come to the same address, which is one to listen on: @is_peer is asked of each. Nobody is
 * let in before link_let_in().
 */
void link_share(Link *link, LinkIsPeer is_peer, gpointer owner);

/* Whether it can be told who is the peer. Who comes meanwhile waits in the backlog. */
void link_let_in(Link *link, gboolean yes);

/* Wants a connection; called again when the last one was lost. An inherited descriptor is taken
 * over by the first call, and serves once. */
void link_connect(Link *link);

/* Whether there will be no other connection: the one descriptor was used. */
gboolean link_is_used_up(const Link *link);

/* Returns: (nullable): why the last attempt failed */
const char *link_trouble(const Link *link);

void link_save(const Link *link, Handover *handover, Saved *to);

/* Whether a connection is being made, or waited for. */
gboolean link_is_wanted(const Link *link);

G_END_DECLS
