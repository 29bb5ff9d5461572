/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-net: see memory-net.h.
 */

#include "memory-net.h"

#include "proxy/dial.h"
#include "proxy/io.h"
#include "proxy/listener.h"
#include "proxy/socket.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>

/* Above what the kernel hands out. */
enum { FIRST_FD = 1 << 30 };

typedef struct {
    MemoryLine *line; /* (nullable) */
    gint64 tag;
    gboolean open;
} Descriptor;

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

static struct {
    GPtrArray *listeners; /* of Listener */
    guint dials;
    GArray *descriptors; /* of Descriptor; FIRST_FD is the first one's number */
    GPtrArray *lines;    /* of MemoryLine */
    GHashTable *doors;   /* path → GQueue of MemoryLine: who has connected there */
    gboolean trace;
} net;

/* ---- Descriptors ----------------------------------------------------------------------------- */

static int add_descriptor(MemoryLine *line, gint64 tag)
{
    Descriptor descriptor = {line, tag, TRUE};

    g_array_append_val(net.descriptors, descriptor);
    return FIRST_FD + (int)net.descriptors->len - 1;
}

static Descriptor *descriptor_of(int fd)
{
    Descriptor *descriptor;

    g_assert_cmpint(fd, >=, FIRST_FD);
    g_assert_cmpuint(fd - FIRST_FD, <, net.descriptors->len);
    descriptor = &g_array_index(net.descriptors, Descriptor, fd - FIRST_FD);
    if (!descriptor->open)
        fuzz_fail("a descriptor is used that was closed");
    return descriptor;
}

MemoryLine *memory_net_line(int fd)
{
    return descriptor_of(fd)->line;
}

void memory_net_close(int fd)
{
    Descriptor *descriptor = descriptor_of(fd);

    descriptor->open = FALSE;
    if (descriptor->line)
        descriptor->line->closed = TRUE;
}

int real_close(int fd) __asm__("__real_close");
gboolean real_g_close(gint fd, GError **error) __asm__("__real_g_close");

int memory_net_wrap_close(int fd)
{
    if (fd < FIRST_FD)
        return real_close(fd);
    memory_net_close(fd);
    return 0;
}

gboolean memory_net_wrap_g_close(gint fd, GError **error)
{
    if (fd < FIRST_FD)
        return real_g_close(fd, error);
    memory_net_close(fd);
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
    g_ptr_array_add(net.lines, line);
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

    if (!net.trace || len == 0 || !g_ptr_array_find(net.lines, line, &number))
        return;
    text = g_strndup(bytes, len);
    g_printerr("line %u %s %s\n", number, way, g_strchomp(text));
}

void memory_line_leave(MemoryLine *line, gboolean reset)
{
    line->shut = line->left = TRUE;
    line->reset = reset;
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

/* A read ends with the byte that a descriptor came with, where that is taken. */
static gsize readable_bytes(MemoryLine *line, gboolean with_fd)
{
    const MemoryMark *mark = g_queue_peek_head(&line->sent_fds);

    return mark && with_fd ? mark->at + 1 - line->sent_before : line->sent->len;
}

gsize memory_line_read(MemoryLine *line, gpointer buffer, gsize size, int *ret_fd)
{
    gsize n = MIN(MIN(size, line->read_max), readable_bytes(line, ret_fd != NULL));
    const MemoryMark *mark;

    memcpy(buffer, line->sent->str, n);
    g_string_erase(line->sent, 0, (gssize)n);
    line->sent_before += n;
    while ((mark = g_queue_peek_head(&line->sent_fds)) && mark->at < line->sent_before) {
        g_autofree MemoryMark *taken = g_queue_pop_head(&line->sent_fds);

        if (ret_fd)
            *ret_fd = add_descriptor(NULL, taken->tag);
    }
    return n;
}

gsize memory_line_write(MemoryLine *line, const char *bytes, gsize len, int fd)
{
    gsize n = MIN(len, line->room);

    if (n > 0 && fd >= 0)
        add_mark(&line->got_fds, line->got_before, descriptor_of(fd)->tag);
    trace(line, "<-", bytes, n);
    g_string_append_len(line->got, bytes, (gssize)n);
    line->got_before += n;
    if (line->room != G_MAXSIZE)
        line->room -= n;
    return n;
}

/* ---- Listening and connecting ---------------------------------------------------------------- */

Listener *listener_new(IoLoop *unused_loop, const Address *address, ListenerCallback callback,
                       gpointer owner, GError **unused_error)
{
    Listener *listener = g_new(Listener, 1);

    *listener = (Listener){.address = address_copy(address), .callback = callback, .owner = owner};
    g_ptr_array_add(net.listeners, listener);
    return listener;
}

void listener_free(Listener *listener)
{
    if (!listener)
        return;
    g_assert_true(g_ptr_array_remove(net.listeners, listener));
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

MemoryLine *memory_net_connect(const char *path, gboolean local, gint64 user)
{
    for (guint i = 0; i < net.listeners->len; i++) {
        const Listener *listener = net.listeners->pdata[i];
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
    door = g_hash_table_lookup(net.doors, dial->address->path);
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
    net.dials++;
    return dial;
}

void dial_free(Dial *dial)
{
    if (!dial)
        return;
    net.dials--;
    io_timer_free(dial->timer);
    address_free(dial->address);
    g_free(dial);
}

void memory_net_open(const char *path, gboolean open)
{
    if (!open)
        g_hash_table_remove(net.doors, path);
    else if (!g_hash_table_contains(net.doors, path))
        g_hash_table_insert(net.doors, g_strdup(path), g_queue_new());
}

MemoryLine *memory_net_accept(const char *path)
{
    GQueue *door = g_hash_table_lookup(net.doors, path);

    return door ? g_queue_pop_head(door) : NULL;
}

MemoryLine *memory_net_inherit(int *ret_fd)
{
    MemoryLine *line = line_new(TRUE, -1);

    *ret_fd = add_descriptor(line, -1);
    return line;
}

gboolean socket_is_listening(int unused_fd)
{
    errno = 0;
    return FALSE;
}

gboolean socket_peer(int unused_fd, struct ucred *unused_who)
{
    return FALSE;
}

gint64 socket_peer_user(int fd)
{
    return descriptor_of(fd)->line->user;
}

void socket_keep_alive(int fd, guint unused_seconds)
{
    descriptor_of(fd);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void memory_net_begin(void)
{
    net.listeners = g_ptr_array_new();
    net.dials = 0;
    net.descriptors = g_array_new(FALSE, FALSE, sizeof(Descriptor));
    net.lines = g_ptr_array_new_with_free_func(line_free);
    net.doors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                      (GDestroyNotify)(void (*)(void))g_queue_free);
    net.trace = g_getenv("FUZZ_TRACE") != NULL;
}

void memory_net_end(void)
{
    g_assert_cmpuint(net.listeners->len, ==, 0);
    g_assert_cmpuint(net.dials, ==, 0);
    for (guint i = 0; i < net.descriptors->len; i++)
        if (g_array_index(net.descriptors, Descriptor, i).open)
            fuzz_fail("a descriptor was left open");
    g_ptr_array_unref(net.listeners);
    g_array_unref(net.descriptors);
    g_ptr_array_unref(net.lines);
    g_hash_table_unref(net.doors);
}
