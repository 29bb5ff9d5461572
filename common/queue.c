/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "queue.h"

#include <string.h>

/*
 * Small messages share a chunk of this size; anything that would fill one alone gets its own. What
 * comes to an empty queue is mostly the only one, and gone at once: its chunk is one that malloc()
 * has at hand, where the larger one takes it some 300 instructions.
 */
enum { CHUNK_SIZE = 4096, FIRST_CHUNK_SIZE = 960 };

struct QueueChunk {
    QueueChunk *next;
    GBytes *shared; /* (nullable): the text, where it is not in `bytes` */
    gsize from;     /* first byte that was not written */
    gsize len;      /* bytes from there */
    gsize size;     /* of `bytes` */
    char bytes[];
};

static gsize cost(const QueueChunk *chunk)
{
    return sizeof *chunk + (chunk->shared ? g_bytes_get_size(chunk->shared) : chunk->size);
}

static void chunk_free(QueueChunk *chunk)
{
    g_clear_pointer(&chunk->shared, g_bytes_unref);
    g_free(chunk);
}

void queue_init(Queue *queue, const QueueLimits *limits, Charge *charge)
{
    *queue = (Queue){.limits = *limits, .charge = charge};
}

static void drop_first(Queue *queue)
{
    QueueChunk *chunk = queue->first;

    queue->first = chunk->next;
    if (!queue->first)
        queue->last = NULL;
    queue->count--;
    queue->length -= chunk->len;
    if (queue->charge)
        charge_give(queue->charge, cost(chunk));
    chunk_free(chunk);
}

void queue_clear(Queue *queue)
{
    while (queue->first)
        drop_first(queue);
    g_assert(queue->length == 0);
}

static gboolean has_room(const Queue *queue, gsize len)
{
    return len <= queue->limits.hard && queue->length <= queue->limits.hard - len;
}

static QueueChunk *add_chunk(Queue *queue, gsize size, GBytes *shared)
{
    gsize in_full = sizeof(QueueChunk) + (shared ? g_bytes_get_size(shared) : size);
    QueueChunk *chunk;

    if (queue->charge && !charge_take(queue->charge, in_full))
        return NULL;
    chunk = g_malloc(sizeof *chunk + size);
    *chunk = (QueueChunk){.shared = shared ? g_bytes_ref(shared) : NULL, .size = size};
    if (queue->last)
        queue->last->next = chunk;
    else
        queue->first = chunk;
    queue->last = chunk;
    queue->count++;
    return chunk;
}

static gsize room_behind(const QueueChunk *chunk)
{
    return chunk && !chunk->shared ? chunk->size - chunk->from - chunk->len : 0;
}

gboolean queue_push(Queue *queue, gconstpointer data, gsize len)
{
    QueueChunk *chunk = queue->last;

    if (len == 0)
        return TRUE;
    if (!has_room(queue, len))
        return FALSE;
    if (room_behind(chunk) < len)
        chunk = add_chunk(queue, MAX(len, chunk ? CHUNK_SIZE : FIRST_CHUNK_SIZE), NULL);
    if (!chunk)
        return FALSE;
    memcpy(chunk->bytes + chunk->from + chunk->len, data, len);
    chunk->len += len;
    queue->length += len;
    return TRUE;
}

gboolean queue_push_bytes(Queue *queue, GBytes *bytes)
{
    gsize len = g_bytes_get_size(bytes);
    QueueChunk *chunk;

    if (len == 0)
        return TRUE;
    if (!has_room(queue, len))
        return FALSE;
    chunk = add_chunk(queue, 0, bytes);
    if (!chunk)
        return FALSE;
    chunk->len = len;
    queue->length += len;
    return TRUE;
}

static const char *chunk_text(const QueueChunk *chunk)
{
    return chunk->shared ? g_bytes_get_data(chunk->shared, NULL) : chunk->bytes;
}

guint queue_peek(const Queue *queue, QueuePiece *pieces, guint max)
{
    guint n = 0;

    for (const QueueChunk *chunk = queue->first; chunk && n < max; chunk = chunk->next)
        pieces[n++] = (QueuePiece){chunk_text(chunk) + chunk->from, chunk->len};
    return n;
}

guint queue_count(const Queue *queue)
{
    return queue->count;
}

void queue_pop(Queue *queue, gsize count)
{
    g_assert(count <= queue->length);
    while (count > 0) {
        QueueChunk *chunk = queue->first;
        gsize taken = MIN(count, chunk->len);

        chunk->from += taken;
        chunk->len -= taken;
        queue->length -= taken;
        count -= taken;
        if (chunk->len == 0)
            drop_first(queue);
    }
}

gsize queue_length(const Queue *queue)
{
    return queue->length;
}

gboolean queue_is_high(const Queue *queue)
{
    return queue->length >= queue->limits.high;
}

gboolean queue_is_low(const Queue *queue)
{
    return queue->length <= queue->limits.low;
}
