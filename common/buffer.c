/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "buffer.h"

#include "spares.h"

#include <string.h>

/* malloc() and free() of this size took 1,300 instructions a time. */
static SparesKind small = SPARES_KIND(g_free);

static gboolean is_large(const Buffer *buffer, gsize size)
{
    return buffer->large && size >= BUFFER_LARGE;
}

static char *allocate(const Buffer *buffer, gsize size)
{
    char *text;

    if (is_large(buffer, size))
        return buffer->large(NULL, 0, size);
    text = size == BUFFER_SMALL ? spares_take(&small) : NULL;
    return text ? text : g_malloc(size);
}

void buffer_resize(Buffer *buffer, gsize size)
{
    Buffer before = *buffer;

    if (size == before.size)
        return;
    buffer->size = size;
    if (!before.text) {
        buffer->text = allocate(buffer, size);
    } else if (is_large(buffer, size) && is_large(buffer, before.size)) {
        buffer->text = buffer->large(before.text, before.size, size);
    } else if (!is_large(buffer, size) && !is_large(buffer, before.size)) {
        buffer->text = g_realloc(before.text, size);
    } else {
        buffer->text = allocate(buffer, size);
        memcpy(buffer->text, before.text, MIN(size, before.size));
        buffer_clear(&before);
    }
}

void buffer_clear(Buffer *buffer)
{
    if (is_large(buffer, buffer->size))
        buffer->large(buffer->text, buffer->size, 0);
    else if (buffer->size == BUFFER_SMALL)
        spares_give(&small, buffer->text);
    else
        g_free(buffer->text);
    buffer->text = NULL;
    buffer->size = 0;
}

static void free_kept(gpointer data)
{
    Buffer *buffer = data;

    buffer_clear(buffer);
    g_free(buffer);
}

GBytes *buffer_to_bytes(Buffer *buffer, gsize offset, gsize len)
{
    Buffer *kept = g_memdup2(buffer, sizeof *buffer);

    buffer->text = NULL;
    buffer->size = 0;
    return g_bytes_new_with_free_func(kept->text + offset, len, free_kept, kept);
}
