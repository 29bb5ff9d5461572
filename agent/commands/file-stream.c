/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. A reply has the count in front of the data, where hosts of the field know it
 * to be, so that it is sent before the data are read. It is what the file says there is; whatever
 * cannot say so, or says what its first piece does not keep, is unfit, as is what is small.
 *
 * A file that becomes shorter on the way, or cannot be read any further, leaves a promise that
 * nobody can keep, and what was sent cannot be taken back. Then the answer is an error, beside what
 * was begun: one JSON value still, with its id, so that host and agent stay in step. For hosts that
 * do not look for an error the base64 is broken: one digit more than a multiple of four, which no
 * decoder takes. The position is put back to where it was, and the file is read whole from then on:
 * asked again, the agent gives what there is.
 */

#include "file-stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/limits.h"
#include "common/qmp-error.h"
#include "file-io.h"

G_STATIC_ASSERT(LIMIT_FILE_PIECE_BYTES % 3 == 0);

/* Returns: whether all of @buffer was read; or *ret_errno is why not, 0 for the end of the file */
static gboolean fill(int fd, char *buffer, gsize size, int *ret_errno)
{
    gsize len = 0;
    gssize got = 1;

    while (len < size && got > 0) {
        got = file_io_read(fd, buffer + len, size - len);
        if (got > 0)
            len += (gsize)got;
    }
    *ret_errno = got < 0 ? errno : 0;
    return len == size;
}

/* @piece: the first one. Returns: FALSE where @len bytes of the file cannot be sent */
static gboolean send(int fd, gsize len, char *piece, Call *call, GError **error)
{
    gsize size = LIMIT_FILE_PIECE_BYTES;
    int failure;

    for (;;) {
        json_write_more_base64(call_result(call), piece, size);
        if (!call_send_part(call, error))
            return FALSE;
        len -= size;
        size = MIN(len, LIMIT_FILE_PIECE_BYTES);
        if (size == 0)
            return TRUE;
        if (!fill(fd, piece, size, &failure)) {
            qmp_error_set(error, "failed to read file: %s",
                          failure != 0 ? g_strerror(failure) : "it has become shorter meanwhile");
            return FALSE;
        }
    }
}

static void end_broken(JsonWrite *write)
{
    g_string_append_c(write->out, 'A');
    json_write_end_base64(write);
    json_write_end_object(write);
}

FileStreamResult file_stream(int fd, gsize count, Call *call, GError **error)
{
    const gint64 left = count > LIMIT_FILE_WHOLE_BYTES ? file_io_left(fd) : -1;
    const gint64 start = left > LIMIT_FILE_WHOLE_BYTES ? file_io_seek(fd, 0, SEEK_CUR) : -1;
    const gsize len = (gsize)MIN(left, (gint64)count);
    JsonWrite *write = call_result(call);
    g_autofree char *piece = NULL;
    int failure;

    if (start < 0)
        return FILE_STREAM_UNFIT;
    piece = g_malloc(LIMIT_FILE_PIECE_BYTES);
    if (!fill(fd, piece, LIMIT_FILE_PIECE_BYTES, &failure)) {
        file_io_seek(fd, start, SEEK_SET);
        return FILE_STREAM_UNFIT;
    }
    json_write_begin_object(write);
    json_write_member_int64(write, "count", (gint64)len);
    json_write_key(write, "buf-b64");
    json_write_begin_base64(write);
    if (!send(fd, len, piece, call, error)) {
        end_broken(write);
        file_io_seek(fd, start, SEEK_SET);
        return FILE_STREAM_FAILED;
    }
    json_write_end_base64(write);
    json_write_member_boolean(write, "eof", len < count);
    json_write_end_object(write);
    return FILE_STREAM_DONE;
}
