/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. One read is always under way; it ends when there is something, or when the
 * device breaks. Writes go through a buffer of ours, since the system works with it after the call.
 * The main loop sleeps until either has ended.
 *
 * Connections, by kind:
 *   virtio-serial  from the host's opening the port to its closing it; the handle stays open. A
 *                  port that no host has open refuses to be read at once
 *   isa-serial     as long as the device works: nothing tells whether anybody is on the other side
 *
 * That a host comes is told by the driver (device-watch-win32.h); where it does not tell, the port
 * is tried again after a pause that doubles, like a device that cannot be opened.
 */

#include "agent/channel.h"

#include "agent/device-watch-win32.h"
#include "agent/endpoint-win32.h"
#include "agent/transfer-win32.h"
#include "agent/win32-error.h"
#include "common/limits.h"
#include "common/qmp-error.h"

/* A host that opens a port gives its first question 5 s, and is told of by the driver anyway. */
enum { AWAY_LAST_MS = 2000 };

enum { BUFFER_BYTES = 64 * 1024 };

typedef enum {
    STATE_CLOSED,  /* no device */
    STATE_AWAY,    /* a port that no host has open, as far as is known */
    STATE_OPENING, /* opened() is due */
    STATE_OPEN,
} ChannelState;

struct Channel {
    ChannelMethod method;
    char *path;
    gboolean retry;
    const ChannelCallbacks *callbacks;
    gpointer user;

    GSource *source;
    DeviceWatch *watch;
    HANDLE file; /* NULL: none */
    Transfer in;
    Transfer out;
    GPollFD polls[2];
    ChannelState state;
    gboolean stale;  /* what is being written is for a host that has gone */
    gboolean met;    /* somebody is on the other side of the connection, as its reading has shown */
    gboolean failed; /* the connection ends since a call failed */
    gboolean left;   /* that the host has was told */
    gboolean want_read;
    gboolean want_write;
    guint retry_timer;
    guint retry_ms;
};

typedef struct {
    GSource source;
    Channel *channel;
} ChannelSource;

/* What a port says that no host has open: of a read, and of one that was under way. */
static gboolean is_host_gone(DWORD code)
{
    return code == ERROR_NO_SYSTEM_RESOURCES || code == ERROR_OPERATION_ABORTED;
}

static gboolean is_virtio(const Channel *channel)
{
    return channel->method == CHANNEL_VIRTIO_SERIAL;
}

static gboolean can_read(const Channel *channel)
{
    return transfer_left(&channel->in) > 0 || channel->in.error != 0;
}

static gboolean can_write(const Channel *channel)
{
    return !channel->out.pending;
}

/* Returns: whether nothing is being written; how that for a former host went is nobody's matter */
static gboolean settle_out(Channel *channel)
{
    if (!transfer_settle(&channel->out))
        return FALSE;
    if (channel->stale)
        channel->out.error = 0;
    channel->stale = FALSE;
    return TRUE;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void add_polls(Channel *channel)
{
    channel->polls[0] = (GPollFD){.fd = (gintptr)channel->in.state.hEvent, .events = G_IO_IN};
    channel->polls[1] = (GPollFD){.fd = (gintptr)channel->out.state.hEvent, .events = G_IO_IN};
    for (guint i = 0; i < G_N_ELEMENTS(channel->polls); i++)
        g_source_add_poll(channel->source, &channel->polls[i]);
}

static void close_file(Channel *channel)
{
    if (channel->file == NULL)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(channel->polls); i++)
        g_source_remove_poll(channel->source, &channel->polls[i]);
    device_watch_follow(channel->watch, NULL);
    transfer_clear(&channel->in);
    transfer_clear(&channel->out);
    CloseHandle(channel->file);
    channel->file = NULL;
}

/*
 * A read of a serial line ends when all that it asks for is there. So it asks for what is there, or
 * else for one byte. (Windows can be told to end it with the first bytes, but Wine cannot.)
 */
static void begin_read(Channel *channel)
{
    gsize size = BUFFER_BYTES;
    COMSTAT state;

    if (!is_virtio(channel))
        size = ClearCommError(channel->file, NULL, &state) ? MAX(state.cbInQue, 1) : 1;
    transfer_read(&channel->in, size);
}

/* A timer that opens the device, or tries the port, may have to be set again. */
static void schedule_retry(Channel *channel);

/* Whether somebody is on the other side shows in reading. */
static void await_opening(Channel *channel)
{
    if (!channel->in.pending && transfer_left(&channel->in) == 0) {
        begin_read(channel);
        transfer_settle(&channel->in);
    }
    if (is_virtio(channel) && is_host_gone(channel->in.error)) {
        channel->state = STATE_AWAY;
        schedule_retry(channel);
        return;
    }
    channel->state = STATE_OPENING;
    channel->failed = channel->left = FALSE;
    channel->stale = TRUE;
    settle_out(channel);
}

/* @ret_missing: set where it fails: whether the device may come */
static gboolean open_device(Channel *channel, gboolean *ret_missing, GError **error)
{
    HANDLE file = endpoint_open_device(channel->path, channel->method == CHANNEL_ISA_SERIAL,
                                       ret_missing, error);

    if (file == INVALID_HANDLE_VALUE)
        return FALSE;
    channel->file = file;
    transfer_init(&channel->in, file, BUFFER_BYTES);
    transfer_init(&channel->out, file, BUFFER_BYTES);
    add_polls(channel);
    if (is_virtio(channel))
        device_watch_follow(channel->watch, file);
    await_opening(channel);
    return TRUE;
}

static void try_again(Channel *channel)
{
    g_autoptr(GError) error = NULL;
    gboolean missing;

    g_clear_handle_id(&channel->retry_timer, g_source_remove);
    if (channel->state == STATE_AWAY) {
        await_opening(channel);
    } else if (channel->state == STATE_CLOSED && !open_device(channel, &missing, &error)) {
        g_info("%s", error->message);
        schedule_retry(channel);
    }
}

static gboolean on_retry(gpointer user_data)
{
    Channel *channel = user_data;

    channel->retry_timer = 0;
    try_again(channel);
    return G_SOURCE_REMOVE;
}

static void schedule_retry(Channel *channel)
{
    guint last = channel->state == STATE_AWAY ? AWAY_LAST_MS : LIMIT_REOPEN_LAST_MS;

    channel->retry_ms = CLAMP(channel->retry_ms * 2, LIMIT_REOPEN_FIRST_MS, last);
    channel->retry_timer = g_timeout_add(channel->retry_ms, on_retry, channel);
}

/* ---- The stream's side ----------------------------------------------------------------------- */

static gssize fail_call(Channel *channel, const char *what, DWORD code, GError **error)
{
    channel->failed = TRUE;
    win32_error_set(error, code, "%s channel %s", what, channel->path);
    return STREAM_IO_FAILED;
}

static void meet(Channel *channel)
{
    if (!channel->met)
        g_debug("a connection begins");
    channel->met = TRUE;
}

static gssize io_read(gpointer io, gpointer buffer, gsize size, GError **error)
{
    Channel *channel = io;
    Transfer *in = &channel->in;
    gsize got = transfer_take(in, buffer, size);

    if (in->error != 0)
        return is_virtio(channel) && is_host_gone(in->error)
                   ? 0
                   : fail_call(channel, "error reading", in->error, error);
    if (!in->pending && transfer_left(in) == 0)
        begin_read(channel);
    if (got == 0)
        return STREAM_IO_AGAIN;
    meet(channel);
    channel->retry_ms = 0; /* it works */
    return (gssize)got;
}

/* A port that no host has open takes nothing. What is written to it is dropped: if it waited, the
 * next host would get what is meant for the former one. */
static gssize io_write(gpointer io, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    Channel *channel = io;
    Transfer *out = &channel->out;
    gsize total = 0;

    for (guint i = 0; i < n_pieces; i++)
        total += pieces[i].len;
    if (channel->file == NULL || (is_virtio(channel) && is_host_gone(out->error)))
        return (gssize)total;
    if (!settle_out(channel))
        return STREAM_IO_AGAIN;
    if (out->error == 0)
        return n_pieces > 0 ? (gssize)transfer_write(out, pieces[0].data, pieces[0].len) : 0;
    return fail_call(channel, "error writing", out->error, error);
}

static void io_want(gpointer io, gboolean want_read, gboolean want_write)
{
    Channel *channel = io;

    channel->want_read = want_read;
    channel->want_write = want_write;
}

static void io_close(gpointer io)
{
    Channel *channel = io;

    channel->want_read = channel->want_write = FALSE;
    if (channel->met)
        g_debug("the connection ends");
    channel->met = FALSE;
    if (is_virtio(channel) && !channel->failed && channel->file != NULL) {
        channel->state = STATE_AWAY;
        channel->in.error = 0;
    } else {
        channel->state = STATE_CLOSED;
        close_file(channel);
    }
    schedule_retry(channel);
}

gboolean channel_may_linger(const Channel *channel)
{
    return FALSE;
}

const StreamIo channel_io = {io_read, io_write, io_want, io_close};

/* ---- What Windows tells ---------------------------------------------------------------------- */

/* The connection ends as soon as the main loop runs. */
static void end_connection(Channel *channel)
{
    channel->in.at = channel->in.len = 0;
    channel->in.error = ERROR_NO_SYSTEM_RESOURCES;
}

static void on_news(gpointer user, DeviceNews news)
{
    Channel *channel = user;
    gboolean used = channel->state == STATE_OPEN || channel->state == STATE_OPENING;

    switch (news) {
    case DEVICE_CAME:
    case DEVICE_OPENED:
        channel->retry_ms = 0;
        if (!used)
            try_again(channel);
        break;
    case DEVICE_CLOSED:
        if (used && !channel->in.pending)
            break; /* reading will show it, after what is still there */
        if (used) {
            CancelIoEx(channel->file, &channel->in.state);
            CancelIoEx(channel->file, &channel->out.state);
        }
        break;
    case DEVICE_GOES:
        close_file(channel);
        if (used)
            end_connection(channel);
        else
            channel->state = STATE_CLOSED;
        break;
    }
}

/* ---- The main loop's side -------------------------------------------------------------------- */

/* Reading has shown it, and there is nothing left to be read. */
static gboolean has_left(const Channel *channel)
{
    return channel->state == STATE_OPEN && !channel->left && is_virtio(channel) &&
           is_host_gone(channel->in.error);
}

static gboolean is_due(const Channel *channel)
{
    return channel->state == STATE_OPENING || has_left(channel) ||
           (channel->state == STATE_OPEN && ((channel->want_read && can_read(channel)) ||
                                             (channel->want_write && can_write(channel))));
}

static gboolean source_prepare(GSource *source, gint *timeout)
{
    *timeout = -1;
    return is_due(((ChannelSource *)source)->channel);
}

/* A read that ended without anything is begun again. */
static gboolean source_check(GSource *source)
{
    Channel *channel = ((ChannelSource *)source)->channel;

    if (channel->file == NULL)
        return is_due(channel);
    settle_out(channel);
    if (transfer_settle(&channel->in) && !can_read(channel) && channel->state == STATE_OPEN)
        begin_read(channel);
    return is_due(channel);
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    Channel *channel = ((ChannelSource *)source)->channel;

    if (channel->state == STATE_OPENING) {
        channel->state = STATE_OPEN;
        channel->callbacks->opened(channel->user);
    } else if (has_left(channel)) {
        channel->left = TRUE;
        channel->callbacks->left(channel->user);
    } else if (is_due(channel)) {
        channel->callbacks->ready(channel->user);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {source_prepare, source_check, source_dispatch, NULL};

static gboolean start(Channel *channel, GError **error)
{
    g_autoptr(GError) reason = NULL;
    gboolean missing;

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
    g_autoptr(Channel) channel = NULL;

    if (address->method != CHANNEL_VIRTIO_SERIAL && address->method != CHANNEL_ISA_SERIAL) {
        qmp_error_set(error, "Windows has virtio-serial and isa-serial channels only");
        return NULL;
    }
    channel = g_new(Channel, 1);
    *channel = (Channel){
        .method = address->method,
        .path = g_strdup(address->path),
        .retry = address->retry,
        .callbacks = callbacks,
        .user = user,
        .state = STATE_CLOSED,
    };
    channel->source = g_source_new(&source_funcs, sizeof(ChannelSource));
    ((ChannelSource *)channel->source)->channel = channel;
    /* It does not; but see channel-posix.c for what GLib does in each turn else. */
    g_source_set_can_recurse(channel->source, TRUE);
    g_source_attach(channel->source, NULL);
    channel->watch = device_watch_new(on_news, channel);
    if (!start(channel, error))
        return NULL;
    return g_steal_pointer(&channel);
}

void channel_free(Channel *channel)
{
    if (channel == NULL)
        return;
    g_assert(channel->state != STATE_OPEN);
    g_clear_handle_id(&channel->retry_timer, g_source_remove);
    close_file(channel);
    device_watch_free(channel->watch);
    g_source_destroy(channel->source);
    g_source_unref(channel->source);
    g_free(channel->path);
    g_free(channel);
}
