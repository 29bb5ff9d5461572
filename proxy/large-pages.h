/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * large-pages: memory for messages of a megabyte and more.
 *
 * Owns where it is mapped, so that the kernel fills it by large pages, where it has any. Leaves to
 * common/buffer.h when it is used.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A BufferLarge. */
gpointer large_pages(gpointer text, gsize from, gsize to);

G_END_DECLS
