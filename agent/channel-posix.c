/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. Descriptors are watched edge-triggered through one epoll descriptor, the
 * poller's, which is all that the main loop polls of them. That is what lets a virtio-serial port
 * be idle while no host has it open: such a port is in a hung-up state, in which poll() returns at
 * once and read() gives 0, for as long as it takes, without having ended; the edge comes when a
 * host opens it. So readiness is remembered here (can_read, can_write) until a call says EAGAIN or,
 * of a socket, has read less than it could. That a socket has room to write is told only while that
 * is waited for: its client takes each reply, and that is no news.
 *
 * Connections, by kind:
 *   virtio-serial  from the host's opening the port to its closing it; the descriptor stays open.
 *                  The end is told also while the agent is busy, or the next host would be taken
 *                  for the former one
 *   isa-serial     as long as the device works: nothing tells whether anybody is on the other side
 *   unix, vsock    one client; others wait in the backlog
 *
 * A device that cannot be opened, or fails, is tried again after a pause that doubles.
 */

#include "agent/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/endpoint.h"
#include "agent/log.h"
#include "agent/poller.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "common/retry.h"

/*
 * The first bytes of a host may be there before the news that it has opened the port, since they
 * come by another queue of the device: read at once they would be answered to nobody. Where no news
 * comes for that long, they were sent by a host that has left again. It is a few milliseconds, or a
 * few times more in a busy guest.
 */
enum { NEWS_MS = 500 };

enum { MAX_PIECES = 16 };

typedef enum {
    STATE_CLOSED,  /* no device, or no client */
    STATE_AWAY,    /* a virtio-serial port that no host has open, as far as is known */
    STATE_OPENING, /* opened() is due */
    STATE_OPEN,
} ChannelState;

struct Channel {
    ChannelMethod method;
    char *path; /* or a name, for errors */
    gboolean retry;
    const ChannelCallbacks *callbacks;
    gpointer user;

    GSource *source;
    int epoll;
    int listener; /* -1: a device */
    int fd;       /* -1: none */
    gboolean is_terminal;
    ChannelState state;
    gboolean met;    /* somebody is on the other side of the connection, as its reading has shown */
    gboolean failed; /* the connection ends since a call failed */
    gboolean left;   /* the host has, of a port; what it had sent may still be read */
    gboolean told;   /* that */
    gboolean is_read_whole; /* see endpoint.h */
    gboolean ended;         /* the other side of a socket sends no more: its end is to be read */
    gboolean can_read;
    gboolean can_write;
    gboolean awaits_room; /* to write */
    gboolean want_read;
    gboolean want_write;
    guint news_timer;
    guint retry_timer;
    guint retry_ms;
};

typedef struct {
    GSource source;
    Channel *channel;
} ChannelSource;

static gboolean is_listening(const Channel *channel)
{
    return channel->listener >= 0;
}

static gboolean is_port(const Channel *channel)
{
    return channel->method == CHANNEL_VIRTIO_SERIAL && !channel->is_terminal;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int control(const Channel *channel, int operation, int fd, guint32 events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.fd = fd};

    return epoll_ctl(channel->epoll, operation, fd, &event);
}

/* Returns: FALSE with errno; some devices, as /dev/null, cannot be waited for. */
static gboolean watch(const Channel *channel, int fd)
{
    /* That there is room in a port is the news that a host has opened it. */
    const guint32 events = is_listening(channel) ? EPOLLIN | EPOLLRDHUP : EPOLLIN | EPOLLOUT;

    return control(channel, EPOLL_CTL_ADD, fd, events) == 0;
}

/* News that is there already comes again. */
static void await_room(Channel *channel, gboolean await)
{
    if (!is_listening(channel) || await == channel->awaits_room)
        return;
    channel->awaits_room = await;
    control(channel, EPOLL_CTL_MOD, channel->fd, EPOLLIN | EPOLLRDHUP | (await ? EPOLLOUT : 0));
}

/*
 * Whether somebody is on the other side shows in reading: a port that no host has open gives 0, but
 * only after what a former host has left in it. Its poll state says "readable" in both cases.
 */
static void await_opening(Channel *channel)
{
    g_clear_handle_id(&channel->news_timer, g_source_remove);
    channel->state = STATE_OPENING;
    channel->failed = channel->ended = FALSE;
    channel->can_read = channel->can_write = TRUE; /* until a call says otherwise */
}

/* @ret_missing: set where it fails: whether the device may come */
static gboolean open_device(Channel *channel, gboolean *ret_missing, GError **error)
{
    int fd = endpoint_open_device(channel->path, channel->method == CHANNEL_ISA_SERIAL, ret_missing,
                                  error);

    if (fd < 0)
        return FALSE;
    if (!watch(channel, fd)) {
        qmp_error_set(error, "error opening channel %s: %s", channel->path, g_strerror(errno));
        *ret_missing = FALSE;
        close(fd);
        return FALSE;
    }
    channel->fd = fd;
    channel->is_terminal = isatty(fd);
    await_opening(channel);
    return TRUE;
}

static gboolean open_listener(Channel *channel, int inherited, GError **error)
{
    if (inherited >= 0) {
        channel->listener = inherited;
        fcntl(inherited, F_SETFL, fcntl(inherited, F_GETFL) | O_NONBLOCK);
    } else if (channel->method == CHANNEL_UNIX_LISTEN) {
        channel->listener = endpoint_listen_unix(channel->path);
    } else {
        channel->listener = endpoint_listen_vsock(channel->path);
    }
    if (channel->listener < 0 || !watch(channel, channel->listener)) {
        qmp_error_set(error, "error listening on %s: %s", channel->path, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

static void accept_client(Channel *channel)
{
    int fd = accept4(channel->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 || !watch(channel, fd)) {
        if (errno != EAGAIN && errno != ECONNABORTED)
            g_warning("cannot accept a client: %s", g_strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    channel->fd = fd;
    channel->is_read_whole = endpoint_is_read_whole(fd);
    await_opening(channel);
}

/* A timer that opens the device may have to be set again. */
static void schedule_retry(Channel *channel);

static gboolean on_retry(gpointer user_data)
{
    Channel *channel = user_data;
    g_autoptr(GError) error = NULL;
    gboolean missing;

    channel->retry_timer = 0;
    if (!open_device(channel, &missing, &error)) {
        g_info("%s", error->message);
        schedule_retry(channel);
    }
    return G_SOURCE_REMOVE;
}

static void schedule_retry(Channel *channel)
{
    channel->retry_ms = CLAMP(channel->retry_ms * 2, LIMIT_REOPEN_FIRST_MS, LIMIT_REOPEN_LAST_MS);
    channel->retry_timer = g_timeout_add(channel->retry_ms, on_retry, channel);
}

/* ---- The stream's side ----------------------------------------------------------------------- */

static gssize fail_call(Channel *channel, const char *what, GError **error)
{
    channel->failed = TRUE;
    qmp_error_set(error, "%s channel %s: %s", what, channel->path, g_strerror(errno));
    return STREAM_IO_FAILED;
}

static void meet(Channel *channel)
{
    if (!channel->met)
        log_debug("a connection begins");
    channel->met = TRUE;
}

static gssize io_read(gpointer io, gpointer buffer, gsize size, GError **error)
{
    Channel *channel = io;
    gssize got = 0;

    if (!channel->left || endpoint_is_hung_up(channel->fd)) /* or it is the next host's */
        got = TEMP_FAILURE_RETRY(read(channel->fd, buffer, size));
    if (got == 0)
        return 0;
    if (got < 0 && errno != EAGAIN)
        return fail_call(channel, "error reading", error);
    meet(channel);
    if (got > 0) {
        channel->retry_ms = 0; /* it works */
        channel->can_read = !channel->is_read_whole || channel->ended || (gsize)got == size;
        return got;
    }
    channel->can_read = FALSE;
    return STREAM_IO_AGAIN;
}

/*
 * A port that no host has open takes nothing. What is written to it is dropped: if it waited, the
 * agent would not read on to where the connection ends, and the next host would get what is meant
 * for the former one.
 */
static gssize io_write(gpointer io, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    Channel *channel = io;
    struct iovec vectors[MAX_PIECES];
    guint n = MIN(n_pieces, MAX_PIECES);
    gssize total = 0, done;

    for (guint i = 0; i < n; i++) {
        vectors[i] = (struct iovec){(void *)(guintptr)pieces[i].data, pieces[i].len};
        total += (gssize)pieces[i].len;
    }
    if (channel->left)
        return total;
    done = TEMP_FAILURE_RETRY(n == 1 ? write(channel->fd, pieces[0].data, pieces[0].len)
                                     : writev(channel->fd, vectors, (int)n));
    if (done >= 0)
        return done;
    if (errno != EAGAIN)
        return fail_call(channel, "error writing", error);
    if (endpoint_is_hung_up(channel->fd))
        return total;
    channel->can_write = FALSE;
    await_room(channel, TRUE);
    return STREAM_IO_AGAIN;
}

static void io_want(gpointer io, gboolean want_read, gboolean want_write)
{
    Channel *channel = io;

    channel->want_read = want_read;
    channel->want_write = want_write;
}

static void close_fd(Channel *channel)
{
    if (channel->fd >= 0)
        close(channel->fd); /* epoll forgets it */
    channel->fd = -1;
    channel->awaits_room = channel->is_read_whole = FALSE;
}

static void io_close(gpointer io)
{
    Channel *channel = io;
    gboolean had_left = channel->left;

    channel->want_read = channel->want_write = FALSE;
    if (channel->met)
        log_debug("the connection ends");
    channel->met = channel->left = channel->told = FALSE;
    /* The end of a terminal, which may stand for the port, is final: it must be opened again. */
    if (is_port(channel) && !channel->failed) {
        /* Until the next edge, which may be due already, or was seen while the agent was busy. */
        channel->state = STATE_AWAY;
        if (had_left && !endpoint_is_hung_up(channel->fd))
            await_opening(channel);
        return;
    }
    channel->state = STATE_CLOSED;
    close_fd(channel);
    if (is_listening(channel))
        accept_client(channel);
    else
        schedule_retry(channel);
}

gboolean channel_may_linger(const Channel *channel)
{
    return is_listening(channel);
}

const StreamIo channel_io = {io_read, io_write, io_want, io_close};

/* ---- The main loop's side -------------------------------------------------------------------- */

static gboolean is_due(const Channel *channel)
{
    return channel->state == STATE_OPENING || (channel->left && !channel->told) ||
           (channel->state == STATE_OPEN && ((channel->want_read && channel->can_read) ||
                                             (channel->want_write && channel->can_write)));
}

static gboolean on_no_news(gpointer user_data)
{
    Channel *channel = user_data;

    channel->news_timer = 0;
    await_opening(channel);
    return G_SOURCE_REMOVE;
}

static void take_event(gpointer user, const struct epoll_event *event)
{
    Channel *channel = user;
    gboolean hung_up = (event->events & (EPOLLHUP | EPOLLERR)) != 0;

    if (is_listening(channel) && event->data.fd == channel->listener) {
        if (channel->fd < 0)
            accept_client(channel);
        return;
    }
    if (event->data.fd != channel->fd)
        return;
    channel->ended |= hung_up || (event->events & EPOLLRDHUP) != 0;
    channel->can_read |= hung_up || (event->events & EPOLLIN) != 0;
    channel->can_write |= hung_up || (event->events & EPOLLOUT) != 0;
    if (channel->can_write)
        await_room(channel, FALSE);
    channel->left |= hung_up && channel->state == STATE_OPEN && is_port(channel);
    if (channel->state != STATE_AWAY)
        return;
    if (!hung_up)
        await_opening(channel);
    else if (channel->news_timer == 0)
        channel->news_timer = g_timeout_add(NEWS_MS, on_no_news, channel);
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return is_due(((ChannelSource *)source)->channel);
}

static gboolean source_check(GSource *source)
{
    poller_take_events();
    return is_due(((ChannelSource *)source)->channel);
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    Channel *channel = ((ChannelSource *)source)->channel;

    if (channel->state == STATE_OPENING) {
        channel->state = STATE_OPEN;
        channel->callbacks->opened(channel->user);
    } else if (channel->left && !channel->told) {
        channel->told = TRUE;
        channel->callbacks->left(channel->user);
    } else if (is_due(channel)) {
        channel->callbacks->ready(channel->user);
    }
    return G_SOURCE_CONTINUE;
}

/* Turns that the main loop may wait for: a second look at a port mostly shows that it has nothing
 * more. */
enum { SERVE_TURNS = 2 };

static gboolean serve(gpointer user)
{
    Channel *channel = user;
    gboolean goes_on = TRUE;

    for (guint i = 0; i < SERVE_TURNS && goes_on && channel->state == STATE_OPEN &&
                      !channel->left && is_due(channel);
         i++)
        goes_on = channel->callbacks->ready(channel->user);
    return goes_on && !is_due(channel) && channel->news_timer == 0 && channel->retry_timer == 0;
}

static const PollerCallbacks poller_callbacks = {take_event, serve};

static GSourceFuncs source_funcs = {source_prepare, source_check, source_dispatch, NULL};

static void attach(Channel *channel)
{
    channel->epoll = poller_open(&poller_callbacks, channel);
    channel->source = g_source_new(&source_funcs, sizeof(ChannelSource));
    ((ChannelSource *)channel->source)->channel = channel;
    g_source_add_unix_fd(channel->source, channel->epoll, G_IO_IN);
    /* It does not. But else GLib takes the descriptor out of its poll for the length of each turn,
     * which costs two writes to an eventfd, a poll and a read. */
    g_source_set_can_recurse(channel->source, TRUE);
    g_source_attach(channel->source, NULL);
}

static gboolean start(Channel *channel, int inherited, GError **error)
{
    g_autoptr(GError) reason = NULL;
    gboolean missing;

    if (channel->method == CHANNEL_UNIX_LISTEN || channel->method == CHANNEL_VSOCK_LISTEN)
        return open_listener(channel, inherited, error);
    if (open_device(channel, &missing, &reason))
        return TRUE;
    if (!channel->retry && !missing) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    g_warning("%s: waiting for it", reason->message);
    schedule_retry(channel);
    return TRUE;
}

Channel *channel_new(const ChannelAddress *address, const ChannelCallbacks *callbacks,
                     gpointer user, GError **error)
{
    g_autoptr(Channel) channel = g_new(Channel, 1);

    *channel = (Channel){
        .method = address->method,
        .path = g_strdup(address->path != NULL ? address->path : "socket"),
        .retry = address->retry,
        .callbacks = callbacks,
        .user = user,
        .listener = -1,
        .fd = -1,
        .state = STATE_CLOSED,
    };
    attach(channel);
    if (!start(channel, address->listen_fd, error))
        return NULL;
    return g_steal_pointer(&channel);
}

void channel_free(Channel *channel)
{
    if (channel == NULL)
        return;
    g_assert(channel->state != STATE_OPEN);
    g_clear_handle_id(&channel->news_timer, g_source_remove);
    g_clear_handle_id(&channel->retry_timer, g_source_remove);
    close_fd(channel);
    if (channel->listener >= 0)
        close(channel->listener);
    g_source_destroy(channel->source);
    g_source_unref(channel->source);
    poller_close();
    g_free(channel->path);
    g_free(channel);
}
