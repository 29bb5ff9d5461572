/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * rights: a descriptor that travels beside the bytes of a unix socket (SCM_RIGHTS).
 *
 * Owns which byte it came with. Leaves who may send one, and what for, to its callers. One at a
 * time: no command of QMP takes more than one, and QEMU drops what comes beside it.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether @sock is a unix socket. */
gboolean rights_are_carried(int sock);

typedef struct {
    int fd;        /* (transfer full): or -1 */
    gsize at;      /* the byte of the read that it came with */
    gboolean more; /* others came with it, or there was no room for it: the kernel dropped them */
} RightsArrived;

/**
 * rights_read:
 * @look: as large as @buffer, and may be the same: what is there is looked at before it is read
 * @arrived: set in any case
 *
 * A read ends with the byte that a descriptor came with.
 *
 * Returns: as read(2), but for EINTR
 */
gssize rights_read(int sock, gpointer look, gpointer buffer, gsize size, RightsArrived *arrived);

/**
 * rights_write:
 * @fd: (transfer none): goes with the first byte
 *
 * Returns: as send(2), but for EINTR
 */
gssize rights_write(int sock, gconstpointer data, gsize len, int fd);

G_END_DECLS
