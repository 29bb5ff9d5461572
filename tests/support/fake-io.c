/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fake-io: see fake-io.h.
 */

#include "fake-io.h"

#include <string.h>

static gssize fail(GError **error)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_IO, "the fake connection is broken");
    return STREAM_IO_FAILED;
}

static gssize fake_read(gpointer data, gpointer buffer, gsize size, GError **error)
{
    FakeIo *io = data;
    gsize count = MIN(size, io->input->len);

    io->reads++;
    io->largest_read = MAX(io->largest_read, size);
    g_assert_cmpuint(size, >, 0);
    if (io->broken)
        return fail(error);
    if (count == 0)
        return io->input_end ? 0 : STREAM_IO_AGAIN;
    if (io->read_max > 0)
        count = MIN(count, io->read_max);
    memcpy(buffer, io->input->str, count);
    g_string_erase(io->input, 0, (gssize)count);
    return (gssize)count;
}

static gssize fake_write(gpointer data, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    FakeIo *io = data;
    gsize left = io->write_max > 0 ? MIN(io->write_max, io->room) : io->room;
    gsize written = 0;

    io->writes++;
    g_assert_cmpuint(n_pieces, >, 0);
    if (io->broken)
        return fail(error);
    if (left == 0)
        return STREAM_IO_AGAIN;
    for (guint i = 0; i < n_pieces; i++) {
        gsize count = MIN(pieces[i].len, left - written);

        g_assert_cmpuint(pieces[i].len, >, 0);
        g_string_append_len(io->output, pieces[i].data, (gssize)count);
        written += count;
    }
    io->room -= written;
    return (gssize)written;
}

static void fake_want(gpointer data, gboolean read, gboolean write)
{
    FakeIo *io = data;

    io->want_read = read;
    io->want_write = write;
}

static void fake_close(gpointer data)
{
    FakeIo *io = data;

    io->closed++;
}

const StreamIo fake_io_ops = {
    .read = fake_read,
    .write = fake_write,
    .want = fake_want,
    .close = fake_close,
};

void fake_io_init(FakeIo *io)
{
    *io = (FakeIo){
        .input = g_string_new(NULL),
        .output = g_string_new(NULL),
        .room = G_MAXSSIZE,
    };
}

void fake_io_clear(FakeIo *io)
{
    g_string_free(io->input, TRUE);
    g_string_free(io->output, TRUE);
}

void fake_io_put(FakeIo *io, const char *bytes, gsize len)
{
    g_string_append_len(io->input, bytes, (gssize)len);
}
