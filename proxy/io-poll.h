/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * io-poll: one system call where GLib and a loop make two of it.
 *
 * GLib polls a loop's epoll descriptor, and the loop then asks that one what is ready. Where it is
 * known what else is polled on a context, its poll function may ask at once.
 *
 * Owns the poll function of the one context that it was given. Leaves serving to io.h, and waiting
 * to GLib where others have descriptors there.
 */

#pragma once

#include "io.h"

G_BEGIN_DECLS

enum { IO_POLL_FDS = 2 };

/**
 * io_poll_take:
 * @context: to which nothing is attached yet
 * @fds: what will be polled there besides, for input; each stays open as long as @context is used
 * @n: at most IO_POLL_FDS
 *
 * Once in a process: GLib gives a poll function nothing of its own.
 *
 * Returns: whether it was taken; else all is as before
 */
gboolean io_poll_take(GMainContext *context, const int *fds, guint n);

G_END_DECLS
