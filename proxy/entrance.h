/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * entrance: one address that clients come from.
 *
 * Owns in which direction: many are accepted where the address says `server`; else one at a time is
 * dialled, or is an inherited descriptor. Leaves making the connections to listener.h and link.h,
 * and the clients to whoever is called back, who tells when one has gone.
 *
 * Without `reconnect` an address is dialled until it was reached once; with it, again after so many
 * seconds, also when the client was lost.
 */

#pragma once

#include "common/address.h"
#include "handover.h"
#include "journal.h"
#include "io.h"

G_BEGIN_DECLS

typedef struct Entrance Entrance;

/**
 * EntranceCallback:
 * @fd: (transfer full): a connected client, to be told of with entrance_let_in() or
 *   entrance_turned_away()
 * @peer: who it is, for logs and status; of one that was dialled, its address
 *
 * May free the entrance.
 */
typedef void (*EntranceCallback)(gpointer owner, Entrance *entrance, int fd, const char *peer);

/**
 * entrance_new:
 * @address: copied from; for ADDRESS_FD a descriptor that listens already, or is connected where
 * the address does not say `server`; taken over unless this fails
 * @part: (nullable): of an entrance that is carried on
 * @error: G_IO_ERROR, names the address
 *
 * Clients come from the next turn of the loop on.
 */
Entrance *entrance_new(IoLoop *loop, const Address *address, EntranceCallback callback,
                       gpointer owner, const HandoverPart *part,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void entrance_free(Entrance *entrance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Entrance, entrance_free)

/* What became of the one that came in last. @client: for entrance_left() to know it by */
void entrance_let_in(Entrance *entrance, gconstpointer client);
void entrance_turned_away(Entrance *entrance);

/* @client has gone, whichever entrance it came from. */
void entrance_left(Entrance *entrance, gconstpointer client);

/* Whether QEMU's start waits for the first client from here, and none was let in yet. */
gboolean entrance_is_awaited(const Entrance *entrance);

/* As it was given. */
const Address *entrance_address(const Entrance *entrance);

/* For the owner: what kind of clients come from there; 0 until it is set. */
void entrance_set_kind(Entrance *entrance, int kind);
int entrance_kind(const Entrance *entrance);

/* From now on it is written down there, under a name by which a successor knows it. */
void entrance_keep(Entrance *entrance, Journal *journal, const char *name);

void entrance_save(const Entrance *entrance, Handover *handover, Saved *to);

/* For one that is carried on, once its clients are there again: which of them it dialled. */
void entrance_restore_client(Entrance *entrance, const HandoverPart *part);

G_END_DECLS
