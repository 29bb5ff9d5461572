/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-private.h"

#include "large-pages.h"
#include "rights.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECES = 16 }; /* of one write, as many as a stream hands over */

struct Io {
    IoLoop *loop;
    int fd;
    gboolean is_socket;
    gboolean is_local;
    gboolean accepts_fds;
    RightsArrived arrived; /* with the last read; its fd is -1 once taken */
    guint32 wanted;        /* EPOLLIN, EPOLLOUT */
    guint32 watched;       /* what the kernel tells: this, or more */
    int refusal;           /* errno, where the kernel does not watch fd */
    IoTimer *refused;      /* reports it */
    IoCallback callback;
    gpointer owner;
};

struct IoTimer {
    IoLoop *loop;
    GSequenceIter *place; /* (nullable): in loop->timers or loop->due */
    gint64 sorted_at;     /* by which it has that place */
    gint64 at;            /* that or later; -1: never */
    IoTimerCallback callback;
    gpointer owner;
};

/* ---- Time ----------------------------------------------------------------------------------- */

gint64 io_loop_now(const IoLoop *loop)
{
    return loop->still_us ? loop->still_us : g_get_monotonic_time();
}

/* ---- Watching -------------------------------------------------------------------------------- */

static void report_refusal(gpointer data, gint64 unused_now)
{
    Io *io = data;

    io->callback(io->owner, IO_HANGUP);
}

/* The kernel refuses regular files (EPERM), numbers that are no descriptor (EBADF), and more than
 * /proc/sys/fs/epoll/max_user_watches (ENOSPC). */
static void refuse(Io *io, int refusal)
{
    io->refusal = refusal;
    io->refused = io_timer_new(io->loop, report_refusal, io);
    io_timer_set(io->refused, 0);
}

static void watch(Io *io, int operation)
{
    struct epoll_event event = {.events = io->wanted, .data.ptr = io};

    io->watched = io->wanted;
    if (epoll_ctl(io->loop->epoll_fd, operation, io->fd, &event) < 0)
        refuse(io, io->loop->refusal ? io->loop->refusal : errno);
}

/* ---- Serving --------------------------------------------------------------------------------- */

/* Returns: when the first timer is to be looked at; -1 where there is none */
static gint64 first_timer_at(const IoLoop *loop)
{
    GSequenceIter *first = g_sequence_get_begin_iter(loop->timers);

    return g_sequence_iter_is_end(first) ? -1 : ((IoTimer *)g_sequence_get(first))->sorted_at;
}

static void remove_timer(IoTimer *timer)
{
    if (timer->place)
        g_sequence_remove(timer->place);
    timer->place = NULL;
}

static int compare_timers(gconstpointer a, gconstpointer b, gpointer unused)
{
    gint64 a_at = ((const IoTimer *)a)->sorted_at;
    gint64 b_at = ((const IoTimer *)b)->sorted_at;

    return (a_at > b_at) - (a_at < b_at);
}

static void insert_timer(IoTimer *timer)
{
    GSequence *timers = timer->loop->timers;

    timer->sorted_at = timer->at;
    timer->place = g_sequence_insert_sorted(timers, timer, compare_timers, NULL);
}

/* Those that are due are set aside first: one that sets itself to now comes in the next turn, and
 * cannot keep descriptors from their part of this one. */
static void serve_timers(IoLoop *loop)
{
    gint64 now_us = io_loop_now(loop);
    GSequenceIter *end = g_sequence_get_begin_iter(loop->timers);

    if (first_timer_at(loop) < 0 || first_timer_at(loop) > now_us)
        return;
    while (!g_sequence_iter_is_end(end) && ((IoTimer *)g_sequence_get(end))->sorted_at <= now_us)
        end = g_sequence_iter_next(end);
    g_sequence_move_range(g_sequence_get_begin_iter(loop->due),
                          g_sequence_get_begin_iter(loop->timers), end);
    while (!g_sequence_is_empty(loop->due)) {
        IoTimer *timer = g_sequence_get(g_sequence_get_begin_iter(loop->due));

        remove_timer(timer);
        if (timer->at > now_us)
            insert_timer(timer);
        else if (timer->at >= 0)
            timer->callback(timer->owner, now_us);
    }
}

static IoReady ready_from(guint32 events)
{
    return (events & EPOLLIN ? IO_READABLE : 0) | (events & EPOLLOUT ? IO_WRITABLE : 0) |
           (events & (EPOLLHUP | EPOLLERR) ? IO_HANGUP : 0);
}

void io_loop_take_batch(IoLoop *loop, int timeout_ms)
{
    int got = epoll_wait(loop->epoll_fd, loop->batch, IO_BATCH, timeout_ms);

    g_assert(loop->batch_len == 0);
    loop->batch_next = 0;
    loop->batch_len = MAX(got, 0);
}

/* A callback may free what is still in the batch: io_steal_fd() takes it out. Or it may have
 * changed its mind about what it wants since. */
static void serve_batch(IoLoop *loop)
{
    if (loop->batch_len == 0) /* else the context's poll took one */
        io_loop_take_batch(loop, 0);
    while (loop->batch_next < loop->batch_len) {
        struct epoll_event event = loop->batch[loop->batch_next++];
        Io *io = event.data.ptr;

        if (!io || io_loop_guest(loop, io))
            continue;
        if (event.events & io->watched & ~io->wanted)
            watch(io, EPOLL_CTL_MOD);
        event.events &= io->wanted | EPOLLHUP | EPOLLERR;
        if (event.events)
            io->callback(io->owner, ready_from(event.events));
    }
    loop->batch_len = 0;
}

/* Timers are not told to GLib, which would write to an eventfd for each that is set, and read that
 * again, in case another thread polls; none does, see qga-proxy.h. */
static gboolean prepare(GSource *source, gint *timeout_ms)
{
    IoLoop *loop = (IoLoop *)source;
    gint64 at = first_timer_at(loop);
    gint64 now_us;

    *timeout_ms = -1;
    if (loop->serving)
        return FALSE;
    if (loop->batch_len > 0)
        return TRUE;
    if (at < 0)
        return FALSE;
    now_us = io_loop_now(loop);
    if (at > now_us && !loop->still_us)
        *timeout_ms = (gint)MIN((at - now_us + 999) / 1000, G_MAXINT);
    return at <= now_us;
}

static gboolean check(GSource *source)
{
    IoLoop *loop = (IoLoop *)source;
    gint64 at = first_timer_at(loop);

    if (loop->poll_tag && g_source_query_unix_fd(source, loop->poll_tag))
        return TRUE;
    if (loop->batch_len > 0 && !loop->serving)
        return TRUE;
    return at >= 0 && !loop->serving && at <= io_loop_now(loop);
}

/* A callback runs the context: what is ready waits until it is done, and is not polled for. */
static void mute(IoLoop *loop)
{
    loop->muted = TRUE;
    if (loop->poll_tag)
        g_source_modify_unix_fd(&loop->source, loop->poll_tag, 0);
}

static void unmute(IoLoop *loop)
{
    loop->muted = FALSE;
    if (loop->poll_tag && !g_source_is_destroyed(&loop->source))
        g_source_modify_unix_fd(&loop->source, loop->poll_tag, G_IO_IN);
}

/* Callbacks may give back the last reference: GLib holds one on the source meanwhile, so that it
 * ends here with no timer armed and no descriptor watched. */
static gboolean dispatch(GSource *source, GSourceFunc unused_callback, gpointer unused_data)
{
    IoLoop *loop = (IoLoop *)source;
    gboolean ready =
        loop->batch_len > 0 || (loop->poll_tag && g_source_query_unix_fd(source, loop->poll_tag));

    if (loop->serving) {
        mute(loop);
        return G_SOURCE_CONTINUE;
    }
    loop->serving = TRUE;
    serve_timers(loop);
    if (ready)
        serve_batch(loop);
    loop->serving = FALSE;
    if (loop->muted)
        unmute(loop);
    return G_SOURCE_CONTINUE;
}

/* ---- The loop of a context ------------------------------------------------------------------- */

static void finalize(GSource *source)
{
    IoLoop *loop = (IoLoop *)source;

    g_assert(g_sequence_is_empty(loop->timers) && g_sequence_is_empty(loop->due));
    g_sequence_free(loop->timers);
    g_sequence_free(loop->due);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
}

static GSourceFuncs loop_funcs = {prepare, check, dispatch, finalize};

static IoLoop *loop_new(GMainContext *context)
{
    GSource *source = g_source_new(&loop_funcs, sizeof(IoLoop));
    IoLoop *loop = (IoLoop *)source;

    g_source_set_name(source, "qga-proxy");
    /* Else GLib takes the descriptor out of its poll for the length of each turn, with two writes
     * to an eventfd, a poll and a read. See mute() for what that would be good for. */
    g_source_set_can_recurse(source, TRUE);
    /* With callback data of its own, io_loop_get() finds it; NULL will do. */
    g_source_set_callback(source, NULL, NULL, NULL);
    loop->context = g_main_context_ref(context);
    loop->timers = g_sequence_new(NULL);
    loop->due = g_sequence_new(NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd >= 0)
        loop->poll_tag = g_source_add_unix_fd(source, loop->epoll_fd, G_IO_IN);
    else
        loop->refusal = errno;
    g_source_attach(source, context);
    return loop;
}

/* The context itself remembers its loop among its sources: that needs no table beside it. */
IoLoop *io_loop_get(GMainContext *context)
{
    GSource *source = g_main_context_find_source_by_funcs_user_data(context, &loop_funcs, NULL);

    if (source)
        return io_loop_ref((IoLoop *)source);
    return io_loop_ref(loop_new(context ? context : g_main_context_default()));
}

IoLoop *io_loop_ref(IoLoop *loop)
{
    loop->users++;
    return loop;
}

void io_loop_unref(IoLoop *loop)
{
    GMainContext *context = loop->context;

    g_assert(loop->users > 0);
    if (--loop->users > 0)
        return;
    g_source_destroy(&loop->source);
    g_source_unref(&loop->source);
    g_main_context_unref(context);
}

GMainContext *io_loop_context(IoLoop *loop)
{
    return loop->context;
}

void io_loop_set_time(IoLoop *loop, gint64 now_us)
{
    g_assert(now_us > 0);
    loop->still_us = now_us;
}

/* ---- Timers ---------------------------------------------------------------------------------- */

IoTimer *io_timer_new(IoLoop *loop, IoTimerCallback callback, gpointer owner)
{
    IoTimer *timer = g_new0(IoTimer, 1);

    timer->loop = io_loop_ref(loop);
    timer->callback = callback;
    timer->owner = owner;
    return timer;
}

void io_timer_free(IoTimer *timer)
{
    if (!timer)
        return;
    remove_timer(timer);
    io_loop_unref(timer->loop);
    g_free(timer);
}

IoLoop *io_timer_loop(const IoTimer *timer)
{
    return timer->loop;
}

gint64 io_timer_now(const IoTimer *timer)
{
    return io_loop_now(timer->loop);
}

/* Each command sets a timer or two and takes them back: one that waits for later than its place
 * says keeps the place, and is given the right one when that is come to. Except in front, where it
 * would be looked at right away for nothing. */
static gboolean may_stay(const IoTimer *timer, gint64 at_us)
{
    return timer->place && timer->sorted_at > 0 && (at_us < 0 || at_us >= timer->sorted_at) &&
           g_sequence_iter_get_sequence(timer->place) == timer->loop->timers;
}

void io_timer_set(IoTimer *timer, gint64 at_us)
{
    timer->at = MAX(at_us, -1);
    if (may_stay(timer, at_us))
        return;
    remove_timer(timer);
    if (at_us >= 0)
        insert_timer(timer);
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

Io *io_new(IoLoop *loop, int fd, IoCallback callback, gpointer owner)
{
    Io *io = g_new0(Io, 1);
    struct stat status;

    g_assert(fd >= 0);
    io->loop = io_loop_ref(loop);
    io->fd = fd;
    io->callback = callback;
    io->owner = owner;
    io->is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    io->is_local = rights_are_carried(fd);
    io->arrived.fd = -1;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        refuse(io, errno);
    else
        watch(io, EPOLL_CTL_ADD);
    return io;
}

static void drop_arrived(Io *io)
{
    if (io->arrived.fd >= 0)
        close(io->arrived.fd);
    io->arrived.fd = -1;
}

static void forget_in_batch(const Io *io)
{
    IoLoop *loop = io->loop;

    for (int i = loop->batch_next; i < loop->batch_len; i++)
        if (loop->batch[i].data.ptr == io)
            loop->batch[i].data.ptr = NULL;
}

int io_steal_fd(Io *io)
{
    int fd = io->fd;

    drop_arrived(io);
    forget_in_batch(io);
    /* Not left to close(2): where another process holds the same open file, that ends nothing. */
    epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    io_timer_free(io->refused);
    io_loop_unref(io->loop);
    g_free(io);
    return fd;
}

void io_free(Io *io)
{
    if (io)
        close(io_steal_fd(io));
}

int io_fd(const Io *io)
{
    return io->fd;
}

void io_want(Io *io, gboolean read, gboolean write)
{
    guint32 wanted = (read ? EPOLLIN : 0) | (write ? EPOLLOUT : 0);

    if (wanted == io->wanted || io->refusal)
        return;
    io->wanted = wanted;
    /* What is no longer wanted is given up when it is told: most of it is wanted again sooner, as
     * reading is after each command. */
    if (wanted & ~io->watched)
        watch(io, EPOLL_CTL_MOD);
}

/* ---- As a stream's --------------------------------------------------------------------------- */

static gssize failed(int number, GError **error)
{
    if (number == EAGAIN || number == EWOULDBLOCK)
        return STREAM_IO_AGAIN;
    g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(number), g_strerror(number));
    return STREAM_IO_FAILED;
}

gssize io_read_apart(Io *io, gpointer look, gpointer buffer, gsize size, GError **error)
{
    gssize got;

    if (io->refusal)
        return failed(io->refusal, error);
    drop_arrived(io);
    do
        got = io->accepts_fds ? rights_read(io->fd, look, buffer, size, &io->arrived)
                              : read(io->fd, buffer, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? failed(errno, error) : got;
}

static gssize read_some(gpointer io, gpointer buffer, gsize size, GError **error)
{
    return io_read_apart(io, buffer, buffer, size, error);
}

gssize io_write_with_fd(Io *io, const char *text, gsize len, int fd, GError **error)
{
    gssize put;

    if (io->refusal)
        return failed(io->refusal, error);
    put = rights_write(io->fd, text, len, fd);
    return put < 0 ? failed(errno, error) : put;
}

gboolean io_is_local(const Io *io)
{
    return io->is_local;
}

void io_accept_fds(Io *io)
{
    io->accepts_fds = io->is_local;
}

int io_take_fd(Io *io, gsize *ret_at, gboolean *ret_more)
{
    int fd = io->arrived.fd;

    *ret_at = io->arrived.at;
    *ret_more = io->arrived.more;
    io->arrived = (RightsArrived){.fd = -1};
    return fd;
}

static gssize write_some(gpointer data, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    Io *io = data;
    struct iovec vectors[PIECES];
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = MIN(n_pieces, PIECES)};
    gssize put;

    if (io->refusal)
        return failed(io->refusal, error);
    for (gsize i = 0; i < message.msg_iovlen; i++)
        vectors[i] = (struct iovec){(gpointer)pieces[i].data, pieces[i].len};
    do
        put = io->is_socket ? sendmsg(io->fd, &message, MSG_NOSIGNAL)
                            : writev(io->fd, vectors, (int)message.msg_iovlen);
    while (put < 0 && errno == EINTR);
    return put < 0 ? failed(errno, error) : put;
}

static void want(gpointer data, gboolean read, gboolean write)
{
    io_want(data, read, write);
}

static void close_io(gpointer data)
{
    io_free(data);
}

const StreamIo io_stream = {read_some, write_some, want, close_io, large_pages};
