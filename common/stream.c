/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "stream.h"

#include "limits.h"

#include <string.h>

G_DEFINE_QUARK(stream_error, stream_error)

/* An idle stream holds no buffer. */
enum { PIECES = 16 };

static void tell_wishes(Stream *stream)
{
    gboolean reading = !stream->paused && !stream->ended;
    gboolean writing = queue_length(&stream->queue) > 0;

    if (reading == stream->reading && writing == stream->writing)
        return;
    stream->reading = (guint8)reading;
    stream->writing = (guint8)writing;
    stream->ops->want(stream->io, reading, writing);
}

void stream_init(Stream *stream, const StreamIo *ops, gpointer io,
                 const JsonScanLimits *scan_limits, const QueueLimits *queue_limits, Charge *charge)
{
    *stream = (Stream){.ops = ops, .io = io, .charge = charge, .buffer.large = ops->large};
    json_scan_init(&stream->scan, scan_limits);
    queue_init(&stream->queue, queue_limits, charge);
    tell_wishes(stream);
}

static void free_buffer(Stream *stream)
{
    if (stream->charge)
        charge_give(stream->charge, stream->buffer.size);
    buffer_clear(&stream->buffer);
}

/* The scanner holds nothing any more. */
static void give_held(Stream *stream)
{
    if (G_LIKELY(stream->held == 0))
        return;
    charge_give(stream->charge, stream->held);
    stream->held = 0;
}

void stream_clear(Stream *stream)
{
    stream->ops->close(stream->io);
    queue_clear(&stream->queue);
    json_scan_clear(&stream->scan);
    give_held(stream);
    free_buffer(stream);
}

/* ---- Input ----------------------------------------------------------------------------------- */

/* Moves what is still needed to the front: once for each read, not for each message. */
static void drop_taken(Stream *stream)
{
    if (stream->taken == 0)
        return;
    stream->filled -= stream->taken;
    stream->dropped += stream->taken;
    memmove(stream->buffer.text, stream->buffer.text + stream->taken, stream->filled);
    json_scan_drop(&stream->scan, stream->taken);
    stream->taken = 0;
}

static gboolean make_room(Stream *stream, GError **error)
{
    const gsize before = stream->buffer.size;
    gsize size = MAX(BUFFER_SMALL, stream->expected);

    if (stream->filled < before)
        return TRUE;
    while (size <= before) /* which is any, where it was restored or the rest of a stolen one */
        size *= 2;
    if (stream->charge && !charge_take(stream->charge, size - before)) {
        g_set_error(error, STREAM_ERROR, STREAM_ERROR_NO_ROOM,
                    "no room for a message of over %" G_GSIZE_FORMAT " bytes", before);
        return FALSE;
    }
    buffer_resize(&stream->buffer, size);
    return TRUE;
}

void stream_expect(Stream *stream, guint bytes)
{
    stream->expected = bytes;
}

gboolean stream_fill(Stream *stream, GError **error)
{
    gsize room;
    gssize got;

    drop_taken(stream);
    if (!make_room(stream, error))
        return FALSE;
    room = MIN(stream->buffer.size - stream->filled, LIMIT_READ_BUDGET);
    got = stream->ops->read(stream->io, stream->buffer.text + stream->filled, room, error);
    if (got == STREAM_IO_FAILED)
        return FALSE;
    if (got == 0)
        stream->ended = TRUE;
    stream->last_read = (guint32)MAX(got, 0);
    stream->filled += stream->last_read;
    tell_wishes(stream);
    return TRUE;
}

/* When all there is was seen: what the scanner holds now it keeps for as long as the peer likes.
 * Returns: FALSE where there is no room for it */
static gboolean charge_held(Stream *stream)
{
    const gsize held = json_scan_held(&stream->scan);

    if (held == stream->held || !stream->charge)
        return TRUE;
    if (!charge_take(stream->charge, held - stream->held)) /* it grows until the message is over */
        return FALSE;
    stream->held = (guint32)held;
    return TRUE;
}

StreamResult stream_next(Stream *stream, JsonSpan *ret_message)
{
    JsonScanVerdict verdict = json_scan_next(&stream->scan, stream->buffer.text, stream->filled);

    if (verdict == JSON_SCAN_VALUE) {
        stream->taken = stream->scan.end;
        *ret_message = (JsonSpan){stream->buffer.text + stream->scan.start,
                                  stream->scan.end - stream->scan.start};
        give_held(stream);
        return STREAM_MESSAGE;
    }
    stream->taken = stream->scan.start;
    if (verdict == JSON_SCAN_ERROR) {
        give_held(stream);
        return STREAM_FAULT;
    }
    if (stream->taken == stream->filled) {
        drop_taken(stream);
        free_buffer(stream);
    } else if (!charge_held(stream)) {
        return STREAM_NO_ROOM;
    }
    return stream->ended ? STREAM_END : STREAM_IDLE;
}

JsonSpan stream_long_string(const Stream *stream)
{
    const JsonScan *scan = &stream->scan;

    if (scan->long_end == 0 || scan->long_start < scan->start)
        return JSON_SPAN_NONE;
    return (JsonSpan){stream->buffer.text + scan->long_start, scan->long_end - scan->long_start};
}

/* Of what is stolen so much at most stands before the part that was asked for: an eighth. */
enum { STEAL_SLACK = 8 };

GBytes *stream_steal(Stream *stream, JsonSpan part)
{
    const gsize behind = stream->filled - stream->taken;
    gsize offset = (gsize)(part.text - stream->buffer.text);
    Buffer stolen = stream->buffer;

    if (stream->charge)
        charge_give(stream->charge, stolen.size - behind);
    stream->buffer = (Buffer){.large = stolen.large};
    if (behind > 0) {
        buffer_resize(&stream->buffer, behind);
        memcpy(stream->buffer.text, stolen.text + stream->taken, behind);
    }
    /* What stands before it is kept with it and charged to nobody, so a peer that puts much there
     * gains nothing. */
    if (offset > part.len / STEAL_SLACK) {
        memmove(stolen.text, part.text, part.len);
        offset = 0;
    }
    buffer_resize(&stolen, offset + part.len);

    json_scan_drop(&stream->scan, stream->taken);
    stream->dropped += stream->taken;
    stream->taken = 0;
    stream->filled = behind;
    stream->last_read = (guint32)MIN(stream->last_read, behind);
    return buffer_to_bytes(&stolen, offset, part.len);
}

char *stream_fault_text(const Stream *stream)
{
    return json_scan_fault_text(&stream->scan);
}

JsonFault stream_fault(const Stream *stream)
{
    return stream->scan.fault;
}

gsize stream_last_read(const Stream *stream, char *buffer, gsize max)
{
    gsize len = MIN(stream->last_read, max);

    memcpy(buffer, stream->buffer.text + stream->filled - stream->last_read, len);
    return len;
}

gsize stream_waiting(const Stream *stream)
{
    return stream->filled - stream->taken + queue_length(&stream->queue);
}

/* One byte is none: mostly it is the line end behind the last. */
gboolean stream_has_more(const Stream *stream)
{
    return stream->filled - stream->taken > 1;
}

gboolean stream_is_over(const Stream *stream)
{
    return stream->ended && stream->filled == stream->taken;
}

guint64 stream_bytes_read(const Stream *stream)
{
    return stream->dropped + stream->filled;
}

guint64 stream_bytes_taken(const Stream *stream)
{
    return stream->dropped + stream->taken;
}

void stream_discard_input(Stream *stream)
{
    json_scan_restart(&stream->scan);
    give_held(stream);
    stream->dropped += stream->filled;
    stream->filled = 0;
    stream->taken = 0;
    free_buffer(stream);
}

void stream_pause(Stream *stream, gboolean paused)
{
    stream->paused = paused != FALSE;
    tell_wishes(stream);
}

/* ---- Output ---------------------------------------------------------------------------------- */

gboolean stream_send(Stream *stream, gconstpointer data, gsize len)
{
    return queue_push(&stream->queue, data, len);
}

gboolean stream_send_bytes(Stream *stream, GBytes *bytes)
{
    return queue_push_bytes(&stream->queue, bytes);
}

guint64 stream_bytes_written(const Stream *stream)
{
    return stream->written;
}

void stream_discard_output(Stream *stream)
{
    queue_clear(&stream->queue);
    tell_wishes(stream);
}

gboolean stream_flush(Stream *stream, GError **error)
{
    QueuePiece pieces[PIECES];
    gssize wrote = 0;

    while (wrote >= 0 && queue_length(&stream->queue) > 0) {
        const guint n = queue_peek(&stream->queue, pieces, PIECES);

        wrote = stream->ops->write(stream->io, pieces, n, error);
        if (wrote > 0) {
            queue_pop(&stream->queue, (gsize)wrote);
            stream->written += (guint64)wrote;
        }
    }
    tell_wishes(stream);
    return wrote != STREAM_IO_FAILED;
}

gboolean stream_send_now(Stream *stream, gconstpointer data, gsize len, GError **error)
{
    const QueuePiece piece = {data, len};
    gssize wrote;

    if (queue_length(&stream->queue) > 0 || len == 0)
        wrote = STREAM_IO_AGAIN;
    else
        wrote = stream->ops->write(stream->io, &piece, 1, error);
    if (wrote == STREAM_IO_FAILED)
        return FALSE;
    if (wrote > 0)
        stream->written += (guint64)wrote;
    if (wrote == (gssize)len)
        return TRUE;
    if (!queue_push(&stream->queue, (const char *)data + MAX(wrote, 0),
                    len - (gsize)MAX(wrote, 0))) {
        g_set_error(error, STREAM_ERROR, STREAM_ERROR_NO_ROOM,
                    "no room for a message of %" G_GSIZE_FORMAT " bytes", len);
        return FALSE;
    }
    return stream_flush(stream, error);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void stream_save(const Stream *stream, Saved *to)
{
    const gsize length = queue_length(&stream->queue);
    g_autoptr(GByteArray) output = g_byte_array_sized_new((guint)length);
    const guint n = queue_count(&stream->queue);
    g_autofree QueuePiece *pieces = g_new(QueuePiece, n);

    queue_peek(&stream->queue, pieces, n);
    for (guint i = 0; i < n; i++)
        g_byte_array_append(output, pieces[i].data, (guint)pieces[i].len);
    if (output->len > 0)
        saved_put_bytes(to, "output", output->data, output->len);
    if (stream->filled > stream->taken)
        saved_put_bytes(to, "input", stream->buffer.text + stream->taken,
                        stream->filled - stream->taken);
    saved_put_int(to, "taken", (gint64)stream_bytes_taken(stream));
    saved_put_int(to, "ended", stream->ended);
    json_scan_save(&stream->scan, to);
}

static gboolean put_input(Stream *stream, gconstpointer input, gsize len)
{
    if (len == 0)
        return TRUE;
    if (stream->charge && !charge_take(stream->charge, len))
        return FALSE;
    buffer_resize(&stream->buffer, len);
    memcpy(stream->buffer.text, input, len);
    stream->filled = len;
    return TRUE;
}

gboolean stream_restore(Stream *stream, Saved *from)
{
    g_autoptr(GBytes) output = saved_get_bytes(from, "output");
    g_autoptr(GBytes) input = saved_get_bytes(from, "input");
    gboolean restored = TRUE;

    json_scan_restore(&stream->scan, from);
    stream->dropped = (guint64)saved_get_int(from, "taken");
    if (input)
        restored = put_input(stream, g_bytes_get_data(input, NULL), g_bytes_get_size(input));
    if (output)
        restored = restored && queue_push_bytes(&stream->queue, output);
    stream->ended = saved_get_int(from, "ended") != 0;
    tell_wishes(stream);
    return restored;
}

gboolean stream_restore_input(Stream *stream, GBytes *input)
{
    const gsize len = g_bytes_get_size(input);

    if (stream->charge && !charge_take(stream->charge, len))
        return FALSE;
    if (len == 0)
        return TRUE;
    /* What is in the buffer was restored, and fills it. */
    buffer_resize(&stream->buffer, stream->buffer.size + len);
    memcpy(stream->buffer.text + stream->filled, g_bytes_get_data(input, NULL), len);
    stream->filled += len;
    return TRUE;
}

void stream_restore_written(Stream *stream, guint64 len)
{
    queue_pop(&stream->queue, (gsize)MIN(len, queue_length(&stream->queue)));
    tell_wishes(stream);
}
