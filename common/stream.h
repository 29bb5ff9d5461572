/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * stream: moves messages over one connection, whatever they mean.
 *
 * Owns the input buffer with its scanner, and the output queue. Leaves the descriptor to whoever
 * implements StreamIo, the meaning of messages and all states to the endpoint that holds the
 * stream.
 *
 * An endpoint's turn is: stream_fill() when readable, stream_next() until there is no more,
 * stream_flush().
 */

#pragma once

#include "buffer.h"
#include "json-read.h"
#include "json-scan.h"
#include "queue.h"

G_BEGIN_DECLS

#define STREAM_IO_AGAIN  (-1) /* nothing to be had or room for nothing now */
#define STREAM_IO_FAILED (-2) /* *error is set */

typedef struct {
    /* Returns: bytes read, 0 at the end of input, STREAM_IO_AGAIN or STREAM_IO_FAILED. */
    gssize (*read)(gpointer io, gpointer buffer, gsize size, GError **error);
    /* Returns: bytes written, STREAM_IO_AGAIN or STREAM_IO_FAILED. */
    gssize (*write)(gpointer io, const QueuePiece *pieces, guint n_pieces, GError **error);
    /* From now on the owner is to be called when this can be read, or written; set anew at each
     * change. */
    void (*want)(gpointer io, gboolean read, gboolean write);
    void (*close)(gpointer io);
    BufferLarge large; /* (nullable): where large input buffers come from */
} StreamIo;

#define STREAM_ERROR (stream_error_quark())
GQuark stream_error_quark(void);

typedef enum {
    STREAM_ERROR_NO_ROOM, /* the charge of the peer is used up, or the queue to it */
} StreamError;

typedef enum {
    STREAM_IDLE,    /* nothing more for now */
    STREAM_NO_ROOM, /* the charge has no room for what a message under way takes beside its bytes:
                     * the stream is to be cleared; not without a charge */
    STREAM_MESSAGE, /* *ret_message is one */
    STREAM_FAULT,   /* input that is no JSON: stream_fault_text() */
    STREAM_END,     /* the peer sends no more, and all it sent was seen */
} StreamResult;

typedef struct {
    const StreamIo *ops;
    gpointer io;
    Charge *charge; /* (nullable): for both directions */

    JsonScan scan;
    Buffer buffer;     /* all of it charged */
    gsize filled;      /* bytes in it */
    gsize taken;       /* bytes in front that were handed out; dropped at the next read */
    guint32 last_read; /* bytes that the last read has added */
    guint32 held;      /* by the scanner, and charged; see json_scan_held() */
    guint64 dropped;   /* bytes of the connection that were in front of it */

    Queue queue;
    guint64 written; /* bytes, in all */
    guint8 ended;    /* end of input was read */
    guint8 paused;   /* the owner wants no input */
    guint8 reading;  /* what was last told to ops->want */
    guint8 writing;
    guint32 expected; /* bytes of the messages that are expected; 0 for small ones */
} Stream;

/**
 * stream_init:
 * @io: handed to @ops; closed by stream_clear()
 * @charge: (nullable): must outlive the stream
 */
void stream_init(Stream *stream, const StreamIo *ops, gpointer io,
                 const JsonScanLimits *scan_limits, const QueueLimits *queue_limits,
                 Charge *charge);
void stream_clear(Stream *stream);

/**
 * stream_expect:
 * @bytes: as long as the next messages will be, or 0 for small ones
 *
 * Memory for so much is taken at once when something comes, instead of twice as much each time that
 * it is full. Longer ones come as well.
 */
void stream_expect(Stream *stream, guint bytes);

/**
 * stream_fill:
 *
 * Reads once, at most LIMIT_READ_BUDGET bytes, so that no peer keeps the others waiting.
 *
 * Returns: FALSE where the connection failed, or the owner's charge has no room for what the peer
 * sends
 */
gboolean stream_fill(Stream *stream, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * stream_next:
 * @ret_message: with STREAM_MESSAGE: one value; valid until the next stream_next() or stream_fill()
 */
StreamResult stream_next(Stream *stream, JsonSpan *ret_message);

/**
 * stream_long_string:
 *
 * Of the message that stream_next() gave last, one of its strings that has 16 KiB or more, its
 * quotes with it, and nothing but plain bytes; see JSON_SCAN_LONG. Or none: there may be one all
 * the same.
 */
JsonSpan stream_long_string(const Stream *stream);

/**
 * stream_steal:
 * @part: of the message that stream_next() gave last
 *
 * Gives away the buffer that @part is in, which is not copied; what was read behind the message is.
 * For large ones.
 *
 * Returns: (transfer full): @part
 */
GBytes *stream_steal(Stream *stream, JsonSpan part);

/* Returns: (transfer full): of the last STREAM_FAULT, a sentence for the peer. */
char *stream_fault_text(const Stream *stream);
JsonFault stream_fault(const Stream *stream);

/**
 * stream_last_read:
 * @buffer: at most @max bytes are copied to it
 *
 * For a look at what the last stream_fill() read, before anything of it is handed out.
 *
 * Returns: how many
 */
gsize stream_last_read(const Stream *stream, char *buffer, gsize max);

/* Bytes that were read and are in no message yet, and bytes that were not written. */
gsize stream_waiting(const Stream *stream);

/* Whether another message was read already, as far as can be told without a look at it. */
gboolean stream_has_more(const Stream *stream);

/* Whether the peer sends no more, and nothing it sent waits to be handed out. */
gboolean stream_is_over(const Stream *stream);

/* Bytes that were read in all, and how many of them were handed out: in a message, in a fault, or
 * as what stands between. What comes beside the bytes (descriptors) is placed by these. */
guint64 stream_bytes_read(const Stream *stream);
guint64 stream_bytes_taken(const Stream *stream);

/* Drops all input that was not handed out yet, and whatever message was under way. */
void stream_discard_input(Stream *stream);

/**
 * stream_send:
 * Returns: FALSE where the queue or the charge has no room: the peer does not read
 */
gboolean stream_send(Stream *stream, gconstpointer data, gsize len) G_GNUC_WARN_UNUSED_RESULT;
gboolean stream_send_bytes(Stream *stream, GBytes *bytes) G_GNUC_WARN_UNUSED_RESULT;

/**
 * stream_send_now:
 *
 * Like stream_send() and then stream_flush(), but what can be written at once is not queued. For
 * what nothing will be sent behind for now.
 */
gboolean stream_send_now(Stream *stream, gconstpointer data, gsize len,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * stream_flush:
 *
 * Writes what can be written now, and asks to be called for the rest; also after a failure, so that
 * an owner in the middle of something else may leave the failure to that call.
 */
gboolean stream_flush(Stream *stream, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Bytes that were written in all. */
guint64 stream_bytes_written(const Stream *stream);

/* Drops what was not written yet. What the peer got of it may end in the middle of a message. */
void stream_discard_output(Stream *stream);

/**
 * stream_save:
 *
 * What was read and not handed out, and what was not written. The stream goes on as it was.
 */
void stream_save(const Stream *stream, Saved *to);

/**
 * stream_restore:
 *
 * Of a stream that was just initialised; what was read before is to be taken with stream_next()
 * without waiting for more.
 *
 * Returns: FALSE where its charge has no room
 */
gboolean stream_restore(Stream *stream, Saved *from) G_GNUC_WARN_UNUSED_RESULT;

/* Of a stream that was restored: more was read, or written, than it knew of when it was saved. */
gboolean stream_restore_input(Stream *stream, GBytes *input) G_GNUC_WARN_UNUSED_RESULT;
void stream_restore_written(Stream *stream, guint64 len);

/* Stops or resumes reading: back-pressure towards the peer. */
void stream_pause(Stream *stream, gboolean paused);

G_END_DECLS
