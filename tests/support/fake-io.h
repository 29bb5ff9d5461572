/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fake-io: a connection in memory, for everything that holds a stream.
 *
 * The test is the peer: it puts bytes in `input`, looks at `output`, and says how much the "kernel"
 * moves at once and how a read or write ends.
 */

#pragma once

#include <glib.h>

#include "common/stream.h"

G_BEGIN_DECLS

typedef struct {
    GString *input;     /* what the peer sent and was not read yet */
    gboolean input_end; /* behind it, the peer sends no more */
    gsize read_max;     /* bytes one read gives, 0: as many as asked for */
    gsize largest_read; /* that was asked for */

    GString *output; /* what was written */
    gsize write_max; /* bytes one write takes, 0: all of them */
    gsize room;      /* bytes until writes say STREAM_IO_AGAIN */

    gboolean broken;    /* reads and writes fail */
    gboolean want_read; /* what the stream asked for last */
    gboolean want_write;
    guint reads;
    guint writes;
    guint closed;
} FakeIo;

extern const StreamIo fake_io_ops;

/* With all the room that there is. */
void fake_io_init(FakeIo *io);
void fake_io_clear(FakeIo *io);

/* The peer sends. */
void fake_io_put(FakeIo *io, const char *bytes, gsize len);

G_END_DECLS
