/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * socket-path: the path in the file system that a unix socket listens at.
 *
 * Owns whose it is and who may connect: a stale path is replaced, one that a live server listens at
 * is not, ours has its mode and owner before anybody can connect, and goes with us. Leaves
 * accepting to listener.h, and a mode that the address does not say to the process's umask.
 */

#pragma once

#include "socket.h"

#include "common/saved.h"

#include <sys/stat.h>

G_BEGIN_DECLS

/* A path that is ours, as long as it is this inode. All zero: none. */
typedef struct {
    char *path; /* (nullable) */
    struct stat status;
} SocketPath;

/**
 * socket_path_listen:
 * @path: all zero; set unless this fails
 * @address: one that has a path
 * @name: the same, for the kernel
 * @error: G_IO_ERROR, says only what is wrong and not with which address
 *
 * Looks up the user and the group that the address names, here and now. The kernel goes on to call
 * the socket by the name that it was bound at, such as PATH.1f2e3d, in what ss(8) shows.
 *
 * Returns: a descriptor that listens, or -1 with @error set
 */
int socket_path_listen(SocketPath *path, const Address *address, const SocketName *name,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes the path, unless another server has put its own in our place. To be called while our
 * socket is open: until then its inode's number is not given to another. */
void socket_path_clear(SocketPath *path);

/* A successor that has the socket has the path. */
void socket_path_save(const SocketPath *path, Saved *to);
void socket_path_restore(SocketPath *path, Saved *from);

G_END_DECLS
