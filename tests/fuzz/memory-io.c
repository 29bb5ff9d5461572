/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-io: see memory-io.h.
 */

#include "memory-io.h"

#include "proxy/io.h"

#include "fuzz.h"

/* Turns after which something spins: reading some kB byte by byte takes thousands. */
enum { RESTLESS = 200000 };

struct IoLoop {
    guint users;
    gint64 now_us;
    guint rotate;
    GPtrArray *ios;    /* of Io, in the order in which they were made */
    GPtrArray *timers; /* of IoTimer */
    GArray *batch;     /* of Found: what this turn serves */
};

struct Io {
    IoLoop *loop;
    int fd;
    MemoryLine *line;
    guint wanted;
    gboolean accepts_fds;
    int arrived; /* or -1 */
    gsize arrived_at;
    IoCallback callback;
    gpointer owner;
};

struct IoTimer {
    IoLoop *loop;
    gint64 at; /* or -1 */
    gboolean due;
    IoTimerCallback callback;
    gpointer owner;
};

typedef struct {
    Io *io;
    guint ready;
} Found;

static IoLoop world;

/* ---- The loop -------------------------------------------------------------------------------- */

IoLoop *io_loop_get(GMainContext *unused_context)
{
    return io_loop_ref(&world);
}

IoLoop *io_loop_ref(IoLoop *loop)
{
    loop->users++;
    return loop;
}

void io_loop_unref(IoLoop *loop)
{
    g_assert_cmpuint(loop->users, >, 0);
    loop->users--;
}

GMainContext *io_loop_context(IoLoop *unused_loop)
{
    return NULL;
}

gint64 io_loop_now(const IoLoop *loop)
{
    return loop->now_us;
}

void io_loop_set_time(IoLoop *loop, gint64 now_us)
{
    loop->now_us = now_us;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

IoTimer *io_timer_new(IoLoop *loop, IoTimerCallback callback, gpointer owner)
{
    IoTimer *timer = g_new(IoTimer, 1);

    *timer = (IoTimer){.loop = io_loop_ref(loop), .at = -1, .callback = callback, .owner = owner};
    g_ptr_array_add(loop->timers, timer);
    return timer;
}

void io_timer_free(IoTimer *timer)
{
    if (!timer)
        return;
    g_assert_true(g_ptr_array_remove(timer->loop->timers, timer));
    io_loop_unref(timer->loop);
    g_free(timer);
}

IoLoop *io_timer_loop(const IoTimer *timer)
{
    return timer->loop;
}

gint64 io_timer_now(const IoTimer *timer)
{
    return timer->loop->now_us;
}

void io_timer_set(IoTimer *timer, gint64 at_us)
{
    timer->at = at_us;
    timer->due = FALSE;
}

/* Returns: (nullable): the first that is armed; @due: of those that this turn serves */
static IoTimer *first_timer(gboolean due)
{
    IoTimer *first = NULL;

    for (guint i = 0; i < world.timers->len; i++) {
        IoTimer *timer = world.timers->pdata[i];

        if (timer->at >= 0 && (timer->due || !due) && (!first || timer->at < first->at))
            first = timer;
    }
    return first;
}

static gboolean serve_timers(void)
{
    gboolean served = FALSE;
    IoTimer *timer;

    for (guint i = 0; i < world.timers->len; i++) {
        timer = world.timers->pdata[i];
        timer->due = timer->at >= 0 && timer->at <= world.now_us;
    }
    while ((timer = first_timer(TRUE))) {
        io_timer_set(timer, -1);
        timer->callback(timer->owner, world.now_us);
        served = TRUE;
    }
    return served;
}

/* ---- Ios ------------------------------------------------------------------------------------- */

Io *io_new(IoLoop *loop, int fd, IoCallback callback, gpointer owner)
{
    Io *io = g_new(Io, 1);

    *io = (Io){
        .loop = io_loop_ref(loop),
        .fd = fd,
        .line = memory_net_line(fd),
        .arrived = -1,
        .callback = callback,
        .owner = owner,
    };
    g_assert_nonnull(io->line);
    g_ptr_array_add(loop->ios, io);
    return io;
}

static void drop_arrived(Io *io)
{
    if (io->arrived >= 0)
        memory_net_close(io->arrived);
    io->arrived = -1;
}

int io_steal_fd(Io *io)
{
    int fd = io->fd;

    drop_arrived(io);
    for (guint i = 0; i < world.batch->len; i++)
        if (g_array_index(world.batch, Found, i).io == io)
            g_array_index(world.batch, Found, i).io = NULL;
    g_assert_true(g_ptr_array_remove(io->loop->ios, io));
    io_loop_unref(io->loop);
    g_free(io);
    return fd;
}

void io_free(Io *io)
{
    if (io)
        memory_net_close(io_steal_fd(io));
}

int io_fd(const Io *io)
{
    return io->fd;
}

void io_want(Io *io, gboolean read, gboolean write)
{
    io->wanted = (read ? IO_READABLE : 0) | (write ? IO_WRITABLE : 0);
}

gboolean io_is_local(const Io *io)
{
    return io->line->local;
}

void io_accept_fds(Io *io)
{
    io->accepts_fds = io->line->local;
}

int io_take_fd(Io *io, gsize *ret_at, gboolean *ret_more)
{
    int fd = io->arrived;

    *ret_at = io->arrived_at;
    *ret_more = FALSE;
    io->arrived = -1;
    return fd;
}

static gssize fail(GError **error)
{
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_PIPE, "the peer has gone");
    return STREAM_IO_FAILED;
}

static gssize read_some(gpointer data, gpointer buffer, gsize size, GError **error)
{
    Io *io = data;
    gsize n;

    drop_arrived(io);
    n = memory_line_read(io->line, buffer, size, io->accepts_fds ? &io->arrived : NULL);
    io->arrived_at = n - 1;
    if (n > 0)
        return (gssize)n;
    return io->line->reset ? fail(error) : io->line->shut ? 0 : STREAM_IO_AGAIN;
}

gssize io_read_apart(Io *io, gpointer unused_look, gpointer buffer, gsize size, GError **error)
{
    return read_some(io, buffer, size, error);
}

static gssize write_some(gpointer data, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    Io *io = data;
    gsize put = 0;

    if (io->line->left)
        return fail(error);
    for (guint i = 0; i < n_pieces; i++)
        put += memory_line_write(io->line, pieces[i].data, pieces[i].len, -1);
    return put == 0 ? STREAM_IO_AGAIN : (gssize)put;
}

gssize io_write_with_fd(Io *io, const char *text, gsize len, int fd, GError **error)
{
    gsize put;

    g_assert_true(io->line->local && !memory_net_line(fd));
    if (io->line->left)
        return fail(error);
    put = memory_line_write(io->line, text, len, fd);
    return put == 0 ? STREAM_IO_AGAIN : (gssize)put;
}

static void want(gpointer data, gboolean read, gboolean write)
{
    io_want(data, read, write);
}

static void close_io(gpointer data)
{
    io_free(data);
}

const StreamIo io_stream = {read_some, write_some, want, close_io};

/* ---- Turning --------------------------------------------------------------------------------- */

static guint ready_of(const Io *io)
{
    const MemoryLine *line = io->line;
    guint ready = line->left ? IO_HANGUP : 0;

    if (line->sent->len > 0 || line->shut)
        ready |= IO_READABLE;
    if (line->room > 0 || line->left)
        ready |= IO_WRITABLE;
    return ready;
}

/* As in proxy/io.c: what was found ready may have been freed, or want something else, by the time
 * that it is served. */
static gboolean serve_ios(void)
{
    gboolean served = FALSE;

    g_array_set_size(world.batch, 0);
    for (guint i = 0; i < world.ios->len; i++) {
        Io *io = world.ios->pdata[(i + world.rotate) % world.ios->len];
        Found found = {io, ready_of(io)};

        if (found.ready & (io->wanted | IO_HANGUP))
            g_array_append_val(world.batch, found);
    }
    for (guint i = 0; i < world.batch->len; i++) {
        Found found = g_array_index(world.batch, Found, i);
        guint ready = found.io ? found.ready & (found.io->wanted | IO_HANGUP) : 0;

        if (ready) {
            found.io->callback(found.io->owner, ready);
            served = TRUE;
        }
    }
    g_array_set_size(world.batch, 0);
    return served;
}

void memory_io_settle(void)
{
    guint turns = 0;
    gboolean served;

    do {
        served = serve_timers();
        served |= serve_ios();
        if (++turns == RESTLESS)
            fuzz_fail("the loop does not come to rest: something spins");
    } while (served);
}

void memory_io_pass_ms(guint64 ms)
{
    gint64 until = world.now_us + (gint64)ms * 1000;
    const IoTimer *next;

    memory_io_settle();
    while ((next = first_timer(FALSE)) && next->at <= until) {
        world.now_us = MAX(world.now_us, next->at);
        memory_io_settle();
    }
    world.now_us = until;
}

void memory_io_rotate(guint by)
{
    world.rotate = by;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void memory_io_begin(void)
{
    memory_net_begin();
    world = (IoLoop){
        .now_us = 1000 * G_USEC_PER_SEC,
        .ios = g_ptr_array_new(),
        .timers = g_ptr_array_new(),
        .batch = g_array_new(FALSE, FALSE, sizeof(Found)),
    };
}

void memory_io_end(void)
{
    g_assert_cmpuint(world.ios->len, ==, 0);
    g_assert_cmpuint(world.timers->len, ==, 0);
    g_assert_cmpuint(world.users, ==, 0);
    g_ptr_array_unref(world.ios);
    g_ptr_array_unref(world.timers);
    g_array_unref(world.batch);
    memory_net_end();
}
