/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-io: see memory-io.h.
 */

#include "memory-io.h"

#include "proxy/dial.h"
#include "proxy/io.h"
#include "proxy/listener.h"
#include "proxy/socket.h"

#include "fuzz.h"

#include <string.h>

/* FIRST_FD: above what the kernel hands out. RESTLESS: turns after which something spins: reading
 * some kB byte by byte takes thousands. */
enum { FIRST_FD = 1 << 30, RESTLESS = 200000 };

struct IoLoop {
    guint users;
    gint64 now_us;
    guint rotate;
    GPtrArray *ios;       /* of Io, in the order in which they were made */
    GPtrArray *timers;    /* of IoTimer */
    GPtrArray *listeners; /* of Listener */
    guint dials;
    GArray *descriptors; /* of Descriptor; FIRST_FD is the first one's number */
    GPtrArray *lines;    /* of MemoryLine */
    GHashTable *doors;   /* path → GQueue of MemoryLine: who has connected there */
    gboolean trace;
    GArray *batch; /* of Found: what this turn serves */
};

typedef struct {
    MemoryLine *line; /* (nullable) */
    gint64 tag;
    gboolean open;
} Descriptor;

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

struct Listener {
    Address *address;
    ListenerCallback callback;
    gpointer owner;
    gboolean paused;
};

struct Dial {
    Address *address;
    IoTimer *timer;
    DialCallback callback;
    gpointer owner;
};

typedef struct {
    Io *io;
    guint ready;
} Found;

static IoLoop world;

/* ---- Descriptors ----------------------------------------------------------------------------- */

static int add_descriptor(MemoryLine *line, gint64 tag)
{
    Descriptor descriptor = {line, tag, TRUE};

    g_array_append_val(world.descriptors, descriptor);
    return FIRST_FD + (int)world.descriptors->len - 1;
}

static Descriptor *descriptor_of(int fd)
{
    Descriptor *descriptor;

    g_assert_cmpint(fd, >=, FIRST_FD);
    g_assert_cmpuint(fd - FIRST_FD, <, world.descriptors->len);
    descriptor = &g_array_index(world.descriptors, Descriptor, fd - FIRST_FD);
    if (!descriptor->open)
        fuzz_fail("a descriptor is used that was closed");
    return descriptor;
}

static void close_descriptor(int fd)
{
    Descriptor *descriptor = descriptor_of(fd);

    descriptor->open = FALSE;
    if (descriptor->line)
        descriptor->line->closed = TRUE;
}

int __real_close(int fd);
gboolean __real_g_close(gint fd, GError **error);

int __wrap_close(int fd)
{
    if (fd < FIRST_FD)
        return __real_close(fd);
    close_descriptor(fd);
    return 0;
}

gboolean __wrap_g_close(gint fd, GError **error)
{
    if (fd < FIRST_FD)
        return __real_g_close(fd, error);
    close_descriptor(fd);
    return TRUE;
}

static MemoryLine *line_new(gboolean local, gint64 user)
{
    MemoryLine *line = g_new(MemoryLine, 1);

    *line = (MemoryLine){
        .sent = g_string_new(NULL),
        .got = g_string_new(NULL),
        .room = G_MAXSIZE,
        .read_max = G_MAXSIZE,
        .local = local,
        .user = user,
    };
    g_queue_init(&line->sent_fds);
    g_queue_init(&line->got_fds);
    g_ptr_array_add(world.lines, line);
    return line;
}

static void line_free(gpointer data)
{
    MemoryLine *line = data;

    g_queue_clear_full(&line->sent_fds, g_free);
    g_queue_clear_full(&line->got_fds, g_free);
    g_string_free(line->sent, TRUE);
    g_string_free(line->got, TRUE);
    g_free(line);
}

static void add_mark(GQueue *marks, guint64 at, gint64 tag)
{
    MemoryMark *mark = g_new(MemoryMark, 1);

    *mark = (MemoryMark){at, tag};
    g_queue_push_tail(marks, mark);
}

/* To see what came to pass: FUZZ_TRACE=1 proxy-fuzz FILE */
static void trace(const MemoryLine *line, const char *way, const char *bytes, gsize len)
{
    g_autofree char *text = NULL;
    guint number;

    if (!world.trace || len == 0 || !g_ptr_array_find(world.lines, line, &number))
        return;
    text = g_strndup(bytes, len);
    g_printerr("%" G_GINT64_FORMAT " ms, line %u %s %s\n", world.now_us / 1000, number, way,
               g_strchomp(text));
}

void memory_line_send(MemoryLine *line, const char *bytes, gsize len, gint64 tag)
{
    trace(line, "->", bytes, len);
    if (tag >= 0 && len > 0)
        add_mark(&line->sent_fds, line->sent_before + line->sent->len, tag);
    g_string_append_len(line->sent, bytes, (gssize)len);
}

gint64 memory_line_take_fd(MemoryLine *line, guint64 end, guint64 *ret_at)
{
    const MemoryMark *first = g_queue_peek_head(&line->got_fds);
    g_autofree MemoryMark *mark = NULL;

    if (!first || first->at >= end)
        return -1;
    mark = g_queue_pop_head(&line->got_fds);
    *ret_at = mark->at;
    return mark->tag;
}

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
        .line = descriptor_of(fd)->line,
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
        close_descriptor(io->arrived);
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
        close_descriptor(io_steal_fd(io));
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

/* A read ends with the byte that a descriptor came with. */
static gsize readable_bytes(const Io *io)
{
    const MemoryMark *mark = g_queue_peek_head(&io->line->sent_fds);

    if (!mark || !io->accepts_fds)
        return io->line->sent->len;
    return mark->at + 1 - io->line->sent_before;
}

static gssize read_some(gpointer data, gpointer buffer, gsize size, GError **error)
{
    Io *io = data;
    MemoryLine *line = io->line;
    gsize n = MIN(MIN(size, line->read_max), readable_bytes(io));
    const MemoryMark *mark;

    drop_arrived(io);
    if (n == 0)
        return line->reset ? fail(error) : line->shut ? 0 : STREAM_IO_AGAIN;
    memcpy(buffer, line->sent->str, n);
    g_string_erase(line->sent, 0, (gssize)n);
    line->sent_before += n;
    while ((mark = g_queue_peek_head(&line->sent_fds)) && mark->at < line->sent_before) {
        g_autofree MemoryMark *taken = g_queue_pop_head(&line->sent_fds);

        if (io->accepts_fds)
            io->arrived = add_descriptor(NULL, taken->tag);
        io->arrived_at = n - 1;
    }
    return (gssize)n;
}

static void take_written(MemoryLine *line, const char *bytes, gsize len)
{
    trace(line, "<-", bytes, len);
    g_string_append_len(line->got, bytes, (gssize)len);
    line->got_before += len;
    if (line->room != G_MAXSIZE)
        line->room -= len;
}

static gssize write_some(gpointer data, const QueuePiece *pieces, guint n_pieces, GError **error)
{
    Io *io = data;
    gssize put = 0;

    if (io->line->left)
        return fail(error);
    for (guint i = 0; i < n_pieces; i++) {
        gsize n = MIN(pieces[i].len, io->line->room);

        take_written(io->line, pieces[i].data, n);
        put += (gssize)n;
    }
    return put == 0 ? STREAM_IO_AGAIN : put;
}

gssize io_write_with_fd(Io *io, const char *text, gsize len, int fd, GError **error)
{
    const Descriptor *descriptor = descriptor_of(fd);
    gsize n = MIN(len, io->line->room);

    g_assert_true(io->line->local && !descriptor->line);
    if (io->line->left)
        return fail(error);
    if (n == 0)
        return STREAM_IO_AGAIN;
    add_mark(&io->line->got_fds, io->line->got_before, descriptor->tag);
    take_written(io->line, text, n);
    return (gssize)n;
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

/* ---- Listening and connecting ---------------------------------------------------------------- */

Listener *listener_new(IoLoop *loop, const Address *address, ListenerCallback callback,
                       gpointer owner, GError **unused_error)
{
    Listener *listener = g_new(Listener, 1);

    *listener = (Listener){.address = address_copy(address), .callback = callback, .owner = owner};
    g_ptr_array_add(loop->listeners, listener);
    return listener;
}

void listener_free(Listener *listener)
{
    if (!listener)
        return;
    g_assert_true(g_ptr_array_remove(world.listeners, listener));
    address_free(listener->address);
    g_free(listener);
}

void listener_pause(Listener *listener, gboolean paused)
{
    listener->paused = paused;
}

const Address *listener_address(const Listener *listener)
{
    return listener->address;
}

MemoryLine *memory_io_connect(const char *path, gboolean local, gint64 user)
{
    for (guint i = 0; i < world.listeners->len; i++) {
        const Listener *listener = world.listeners->pdata[i];
        MemoryLine *line;

        if (listener->paused || !g_str_equal(listener->address->path, path))
            continue;
        line = line_new(local, user);
        listener->callback(listener->owner, add_descriptor(line, -1), "memory");
        return line;
    }
    return NULL;
}

static void on_dial(gpointer owner, gint64 unused_now)
{
    Dial *dial = owner;
    g_autoptr(GError) error = NULL;
    MemoryLine *line;
    GQueue *door;

    if (dial->address->kind == ADDRESS_FD) {
        dial->callback(dial->owner, (int)dial->address->number, NULL);
        return;
    }
    door = g_hash_table_lookup(world.doors, dial->address->path);
    if (!door) {
        error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "nobody listens there");
        dial->callback(dial->owner, -1, error);
        return;
    }
    line = line_new(TRUE, -1);
    g_queue_push_tail(door, line);
    dial->callback(dial->owner, add_descriptor(line, -1), NULL);
}

Dial *dial_new(IoLoop *loop, const Address *address, DialCallback callback, gpointer owner)
{
    Dial *dial = g_new(Dial, 1);

    *dial = (Dial){.address = address_copy(address), .callback = callback, .owner = owner};
    dial->timer = io_timer_new(loop, on_dial, dial);
    io_timer_set(dial->timer, 0);
    loop->dials++;
    return dial;
}

void dial_free(Dial *dial)
{
    if (!dial)
        return;
    world.dials--;
    io_timer_free(dial->timer);
    address_free(dial->address);
    g_free(dial);
}

void memory_io_open(const char *path, gboolean open)
{
    if (!open)
        g_hash_table_remove(world.doors, path);
    else if (!g_hash_table_contains(world.doors, path))
        g_hash_table_insert(world.doors, g_strdup(path), g_queue_new());
}

MemoryLine *memory_io_accept(const char *path)
{
    GQueue *door = g_hash_table_lookup(world.doors, path);

    return door ? g_queue_pop_head(door) : NULL;
}

MemoryLine *memory_io_inherit(int *ret_fd)
{
    MemoryLine *line = line_new(TRUE, -1);

    *ret_fd = add_descriptor(line, -1);
    return line;
}

gint64 socket_peer_user(int fd)
{
    return descriptor_of(fd)->line->user;
}

void socket_keep_alive(int fd, guint unused_seconds)
{
    descriptor_of(fd);
}

/* ---- The world ------------------------------------------------------------------------------- */

void memory_io_begin(void)
{
    world = (IoLoop){
        .trace = g_getenv("FUZZ_TRACE") != NULL,
        .now_us = 1000 * G_USEC_PER_SEC,
        .ios = g_ptr_array_new(),
        .timers = g_ptr_array_new(),
        .listeners = g_ptr_array_new(),
        .descriptors = g_array_new(FALSE, FALSE, sizeof(Descriptor)),
        .lines = g_ptr_array_new_with_free_func(line_free),
        .doors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify)(void (*)(void))g_queue_free),
        .batch = g_array_new(FALSE, FALSE, sizeof(Found)),
    };
}

void memory_io_end(void)
{
    g_assert_cmpuint(world.ios->len, ==, 0);
    g_assert_cmpuint(world.timers->len, ==, 0);
    g_assert_cmpuint(world.listeners->len, ==, 0);
    g_assert_cmpuint(world.dials, ==, 0);
    g_assert_cmpuint(world.users, ==, 0);
    for (guint i = 0; i < world.descriptors->len; i++)
        if (g_array_index(world.descriptors, Descriptor, i).open)
            fuzz_fail("a descriptor was left open");
    g_ptr_array_unref(world.ios);
    g_ptr_array_unref(world.timers);
    g_ptr_array_unref(world.listeners);
    g_array_unref(world.descriptors);
    g_ptr_array_unref(world.lines);
    g_hash_table_unref(world.doors);
    g_array_unref(world.batch);
}
