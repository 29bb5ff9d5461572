/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * queue: bytes that wait to be written to one peer, bounded.
 *
 * Owns order, marks and the memory of what waits. Small messages are gathered in chunks; large or
 * shared ones are kept as they are, so that an event to a thousand clients is one text. Leaves
 * writing to stream.h, and what happens at a mark to the endpoint.
 */

#pragma once

#include "charge.h"

G_BEGIN_DECLS

typedef struct {
    gsize low;  /* is_low from here down: the peer reads again */
    gsize high; /* is_high from here up: produce no more for this peer */
    gsize hard; /* a push that would go over it is refused */
} QueueLimits;

typedef struct QueueChunk QueueChunk;

typedef struct {
    QueueChunk *first; /* (nullable): the oldest */
    QueueChunk *last;
    guint count;  /* of chunks */
    gsize length; /* bytes in all of them */
    QueueLimits limits;
    Charge *charge; /* (nullable) */
} Queue;

typedef struct {
    gconstpointer data;
    gsize len;
} QueuePiece;

void queue_init(Queue *queue, const QueueLimits *limits, Charge *charge);

/* Drops what still waits and gives its charge back. */
void queue_clear(Queue *queue);

/**
 * queue_push:
 * Returns: FALSE, and nothing is queued, where it would go over the hard limit or the charge
 */
gboolean queue_push(Queue *queue, gconstpointer data, gsize len) G_GNUC_WARN_UNUSED_RESULT;

/**
 * queue_push_bytes:
 * @bytes: (transfer none): shared, not copied
 */
gboolean queue_push_bytes(Queue *queue, GBytes *bytes) G_GNUC_WARN_UNUSED_RESULT;

/**
 * queue_peek:
 * Returns: how many of @pieces were set to the oldest bytes, in order
 */
guint queue_peek(const Queue *queue, QueuePiece *pieces, guint max);

/* Returns: how many pieces there are */
guint queue_count(const Queue *queue);

/* The first @count bytes were written. */
void queue_pop(Queue *queue, gsize count);

gsize queue_length(const Queue *queue);
gboolean queue_is_high(const Queue *queue);
gboolean queue_is_low(const Queue *queue);

G_END_DECLS
