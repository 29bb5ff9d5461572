/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * buffer: memory for what is read, which is a hundred bytes mostly and now and then 64 MiB.
 *
 * Owns where it comes from. A small one is one of the thread's spares, since each message takes
 * a buffer and gives it back. A large one is its owner's to find. What is in it is
 * the owner's too.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Small: most messages fit. Of this size each thread keeps some in reserve. Large: smaller ones are
 * the C library's, which keeps twice the largest that it was ever given back. */
enum { BUFFER_SMALL = 4 << 10, BUFFER_LARGE = 1 << 20 };

/**
 * BufferLarge:
 * @text: (nullable): memory that it gave before; NULL for fresh memory
 * @from: the size of @text
 * @to: BUFFER_LARGE or more; or 0, to give @text back
 *
 * As realloc().
 *
 * Returns: the memory, which may have moved; there is no failure
 */
typedef gpointer (*BufferLarge)(gpointer text, gsize from, gsize to);

/* Zeroed at first, but for @large. */
typedef struct {
    char *text; /* (nullable) */
    gsize size;
    BufferLarge large; /* (nullable): the C library's memory will do */
} Buffer;

/**
 * buffer_resize:
 * @size: not 0
 *
 * What is in @buffer stays, as far as it fits. Like g_realloc(), ends the program where there is no
 * memory.
 */
void buffer_resize(Buffer *buffer, gsize size);

/**
 * buffer_clear:
 *
 * Gives the memory back; of size 0 from then on.
 */
void buffer_clear(Buffer *buffer);

/**
 * buffer_to_bytes:
 * @offset: and @len: which part
 *
 * Without a copy. @buffer is of size 0 from then on.
 *
 * Returns: (transfer full): that part, which keeps all of the buffer
 */
GBytes *buffer_to_bytes(Buffer *buffer, gsize offset, gsize len);

G_END_DECLS
