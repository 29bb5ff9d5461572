/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "wire.h"
#include "turn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of a read, and what there is room for at least. Large replies make the room larger, once. */
enum { CHUNK = 256 * 1024 };

/* How long a peer may take to start. */
enum { START_SECONDS = 30 };

void wire_connect(Wire *wire, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gint64 give_up_ns = turn_now_ns() + START_SECONDS * (gint64)1000000000;

    if (g_strlcpy(address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path)
        turn_fail("%s is too long", path);
    *wire = (Wire){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (wire->fd < 0)
        turn_fail("socket: %s", g_strerror(errno));
    while (connect(wire->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        if (errno == EAGAIN) { /* its backlog is full */
            usleep(100);
            continue;
        }
        if (turn_now_ns() > give_up_ns)
            turn_fail("%s: %s", path, g_strerror(errno));
        usleep(20); /* without taking the processor from what is starting */
    }
}

void wire_close(Wire *wire)
{
    close(wire->fd);
    g_free(wire->bytes);
}

void wire_send(const Wire *wire, const char *text, gsize len)
{
    while (len > 0) {
        ssize_t sent = send(wire->fd, text, len, MSG_NOSIGNAL);

        if (sent < 0)
            turn_fail("send: %s", g_strerror(errno));
        text += sent;
        len -= (gsize)sent;
    }
}

void wire_fill(Wire *wire)
{
    ssize_t count;

    if (wire->start == wire->end)
        wire->start = wire->end = wire->looked = 0;
    if (wire->size - wire->end < CHUNK / 2 && wire->start > 0) {
        memmove(wire->bytes, wire->bytes + wire->start, wire->end - wire->start);
        wire->looked -= wire->start;
        wire->end -= wire->start;
        wire->start = 0;
    }
    if (wire->size - wire->end < CHUNK / 2) {
        wire->size = MAX(CHUNK, wire->size * 2);
        wire->bytes = g_realloc(wire->bytes, wire->size);
    }
    count = recv(wire->fd, wire->bytes + wire->end, wire->size - wire->end, 0);
    if (count <= 0)
        turn_fail("the peer has left: %s", count ? g_strerror(errno) : "end of file");
    wire->end += (gsize)count;
}

const char *wire_take(Wire *wire, gsize *len)
{
    const char *line = wire->bytes + wire->start;
    const char *end;

    if (wire->looked == wire->end)
        return NULL;
    end = memchr(wire->bytes + wire->looked, '\n', wire->end - wire->looked);
    if (!end) {
        wire->looked = wire->end;
        return NULL;
    }
    *len = (gsize)(end - line);
    wire->start = wire->looked = (gsize)(end + 1 - wire->bytes);
    return line;
}

const char *wire_line(Wire *wire, gsize *len)
{
    const char *line;

    while (!(line = wire_take(wire, len)))
        wire_fill(wire);
    return line;
}

gboolean wire_is_event(const char *line)
{
    return g_str_has_prefix(line, "{\"timestamp\"") || g_str_has_prefix(line, "{\"event\"");
}

const char *wire_reply(Wire *wire, gsize *len)
{
    const char *line;

    do
        line = wire_line(wire, len);
    while (wire_is_event(line));
    return line;
}

static gboolean says(Wire *wire, const char *word)
{
    gsize len;
    const char *line = wire_reply(wire, &len);

    return g_strstr_len(line, (gssize)len, word) != NULL;
}

static void expect(Wire *wire, const char *word)
{
    if (!says(wire, word))
        turn_fail("the peer does not say %s", word);
}

static void say(const Wire *wire, const char *text)
{
    wire_send(wire, text, strlen(text));
}

/* Returns: whether one of the lines that come within a second of each other says @word */
static gboolean hears(Wire *wire, const char *word)
{
    struct pollfd look = {.fd = wire->fd, .events = POLLIN};
    const char *line;
    gsize len;

    while (poll(&look, 1, 1000) == 1) {
        wire_fill(wire);
        while ((line = wire_take(wire, &len)))
            if (g_strstr_len(line, (gssize)len, word))
                return TRUE;
    }
    return FALSE;
}

/* An agent may complain of the byte in front, and one that was left a moment ago may take the first
 * words for those of who has left: so it is asked again, as hosts do. */
static void get_in_step(Wire *wire)
{
    for (guint id = 4711; id < 4711 + START_SECONDS; id++) {
        g_autofree char *word = g_strdup_printf("%u", id);
        g_autofree char *sync = g_strdup_printf(
            "\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%u}}\n", id);

        say(wire, sync);
        if (hears(wire, word))
            return;
    }
    turn_fail("the agent does not get in step");
}

void wire_begin(Wire *wire, const char *protocol)
{
    if (g_str_equal(protocol, "qmp")) {
        expect(wire, "\"QMP\"");
        say(wire, "{\"execute\":\"qmp_capabilities\"}");
        expect(wire, "\"return\"");
    } else if (g_str_equal(protocol, "agent")) {
        get_in_step(wire);
    } else if (!g_str_equal(protocol, "raw")) {
        turn_fail("no protocol: %s", protocol);
    }
}

void wire_open(Wire *wire, const char *path, const char *protocol)
{
    wire_connect(wire, path);
    wire_begin(wire, protocol);
}

void wire_join(Wire *wire, const char *path, guint number, const char *protocol, int epoll,
               gpointer data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    g_auto(GStrv) parts = g_strsplit(path, "%d", 2);
    g_autofree char *own =
        parts[1] ? g_strdup_printf("%s%u%s", parts[0], number, parts[1]) : g_strdup(path);

    wire_open(wire, own, protocol);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, wire->fd, &event) < 0)
        turn_fail("epoll_ctl: %s", g_strerror(errno));
}
