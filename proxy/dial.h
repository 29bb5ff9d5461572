/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * dial: one attempt to connect to an address, without blocking.
 *
 * A host name can stand for several addresses: they are tried in turn until one answers.
 *
 * Owns name look-up, socket and connect(2). Leaves when to try again, and how long an attempt may
 * take, to the endpoint: the kernel gives up on a silent host after two minutes.
 */

#pragma once

#include "common/address.h"
#include "io.h"

G_BEGIN_DECLS

typedef struct Dial Dial;

/* @fd: (transfer full): connected; or -1 with @error set. The Dial is to be freed by its owner,
 * here or later. */
typedef void (*DialCallback)(gpointer owner, int fd, const GError *error);

/**
 * dial_new:
 * @address: copied from; for ADDRESS_FD the descriptor is taken over as it is, which can be done
 * but once: afterwards its number may be somebody else's
 * @callback: called once, never from within this function; errors name the address
 */
Dial *dial_new(IoLoop *loop, const Address *address, DialCallback callback, gpointer owner);

/* Gives up the attempt if it is still under way; no callback comes after it. */
void dial_free(Dial *dial);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dial, dial_free)

G_END_DECLS
