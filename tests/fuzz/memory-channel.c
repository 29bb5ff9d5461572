/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "memory-channel.h"

#include "agent/channel.h"
#include "support/fake-io.h"

struct Channel {
    const ChannelCallbacks *callbacks;
    gpointer user;
    FakeIo io;
    gboolean open;
};

static Channel *the_channel;

/* ---- The agent's side ------------------------------------------------------------------------ */

static gssize io_read(gpointer io, gpointer buffer, gsize size, GError **error)
{
    return fake_io_ops.read(&((Channel *)io)->io, buffer, size, error);
}

static gssize io_write(gpointer io, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    return fake_io_ops.write(&((Channel *)io)->io, pieces, n_pieces, error);
}

static void io_want(gpointer io, gboolean want_read, gboolean want_write)
{
    fake_io_ops.want(&((Channel *)io)->io, want_read, want_write);
}

static void io_close(gpointer io)
{
    Channel *channel = io;

    g_assert_true(channel->open);
    channel->open = FALSE;
}

const StreamIo channel_io = {io_read, io_write, io_want, io_close};

Channel *channel_new(const ChannelAddress *address, const ChannelCallbacks *callbacks,
                     gpointer user, GError **error)
{
    g_assert_null(the_channel);
    the_channel = g_new0(Channel, 1);
    the_channel->callbacks = callbacks;
    the_channel->user = user;
    fake_io_init(&the_channel->io);
    return the_channel;
}

gboolean channel_may_linger(const Channel *channel)
{
    return FALSE;
}

void channel_free(Channel *channel)
{
    g_assert_false(channel->open);
    fake_io_clear(&channel->io);
    g_clear_pointer(&the_channel, g_free);
}

/* ---- The host's side ------------------------------------------------------------------------- */

void memory_channel_connect(void)
{
    gsize read_max = the_channel->io.read_max;

    g_assert_false(the_channel->open);
    fake_io_clear(&the_channel->io);
    fake_io_init(&the_channel->io);
    the_channel->io.read_max = read_max;
    the_channel->open = TRUE;
    the_channel->callbacks->opened(the_channel->user);
}

void memory_channel_disconnect(void)
{
    the_channel->io.input_end = TRUE;
    the_channel->io.room = G_MAXSSIZE; /* a port that is closed takes everything */
    the_channel->callbacks->left(the_channel->user);
    memory_channel_turn();
}

void memory_channel_send(const char *bytes, gsize len)
{
    fake_io_put(&the_channel->io, bytes, len);
}

void memory_channel_set_room(gsize at_once, gsize room)
{
    the_channel->io.write_max = at_once;
    the_channel->io.room = room;
}

void memory_channel_set_read_max(gsize read_max)
{
    the_channel->io.read_max = read_max;
}

static gboolean is_due(void)
{
    const FakeIo *io = &the_channel->io;

    return the_channel->open && ((io->want_read && (io->input->len > 0 || io->input_end)) ||
                                 (io->want_write && io->room > 0));
}

void memory_channel_turn(void)
{
    while (is_due())
        the_channel->callbacks->ready(the_channel->user);
}

gboolean memory_channel_is_held(void)
{
    const FakeIo *io = &the_channel->io;

    return the_channel->open && !io->want_read && !io->want_write;
}

const GString *memory_channel_output(void)
{
    return the_channel->io.output;
}
