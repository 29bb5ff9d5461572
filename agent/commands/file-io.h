/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * file-io: the system's calls for files, with the C library's flags and errno on every system.
 *
 * Owns that a read or write never waits where that can be helped, that bytes pass unchanged, and
 * who may use a new file.
 */

#pragma once

#include <glib.h>

/**
 * file_io_open:
 * @path: UTF-8
 * @flags: of open(): O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND
 *
 * A new file is opened to everybody whatever the agent's own settings are; an existing one keeps
 * its mode.
 *
 * Returns: -1 with errno
 */
int file_io_open(const char *path, int flags);

/* Returns: -1 with errno, none of which is EINTR */
gssize file_io_read(int fd, void *buffer, gsize size);
gssize file_io_write(int fd, const void *data, gsize len);
gint64 file_io_seek(int fd, gint64 offset, int origin);

/* Returns: bytes between the position and the end of a file that has one; -1 where that is not
 * known: of a pipe, a device */
gint64 file_io_left(int fd);
