/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * identity: files are reached with the rights of one of the guest's users for a while.
 *
 * What that user may not do then fails, wherever links lead: it is the kernel that refuses. Only
 * the thread that asks for it changes, and only what it may do with files.
 */

#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    gboolean taken;
    GArray *groups; /* (nullable): the agent's own, of gid_t */
} Identity;

/* Does nothing where the agent is that user, or is not root and so has no choice. FALSE with errno:
 * nothing has changed. */
gboolean identity_take(Identity *identity, uid_t uid, gid_t gid);
/* Keeps errno. */
void identity_drop(Identity *identity);
