/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-event MONITOR PATH PROTOCOL LISTENERS TIMES: how long an event takes to its last listener.
 *
 * Stops and continues the machine on MONITOR, and waits until each of those who listen on PATH was
 * told. A %d in PATH is the number of the listener.
 */

#include "turn.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { EVENTS = 64 };

typedef struct {
    Wire monitor;
    Wire *listeners;
    guint count, times;
    int epoll;
    gboolean runs;
} Audience;

static guint told(Wire *listener, const char *event)
{
    const char *line;
    guint count = 0;
    gsize len;

    wire_fill(listener);
    while ((line = wire_take(listener, &len)))
        count += g_strstr_len(line, (gssize)len, event) != NULL;
    return count;
}

static gint64 tell_all(Audience *audience)
{
    const char *request = audience->runs ? "{\"execute\":\"stop\"}" : "{\"execute\":\"cont\"}";
    const char *event = audience->runs ? "\"STOP\"" : "\"RESUME\"";
    struct epoll_event events[EVENTS];
    gint64 began = turn_now_ns();
    gint64 took;
    guint left = audience->count;
    gsize len;

    wire_send(&audience->monitor, request, strlen(request));
    while (left > 0) {
        int ready = epoll_wait(audience->epoll, events, EVENTS, -1);

        for (int i = 0; i < ready; i++)
            left -= told(events[i].data.ptr, event);
    }
    took = turn_now_ns() - began;
    wire_reply(&audience->monitor, &len);
    audience->runs = !audience->runs;
    return took;
}

static void run(gpointer data, Turn *turn)
{
    Audience *audience = data;

    for (guint i = 0; i < audience->times; i++)
        turn_add(turn, tell_all(audience));
}

int main(int argc, char **argv)
{
    Audience audience = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

    g_set_prgname("bench-event");
    if (argc != 6)
        turn_fail("usage: bench-event MONITOR PATH PROTOCOL LISTENERS TIMES");
    audience.count = (guint)strtoul(argv[4], NULL, 10);
    audience.times = (guint)strtoul(argv[5], NULL, 10);
    audience.listeners = g_new0(Wire, audience.count);
    wire_open(&audience.monitor, argv[1], "qmp");
    for (guint i = 0; i < audience.count; i++)
        wire_join(&audience.listeners[i], argv[2], i, argv[3], audience.epoll,
                  &audience.listeners[i]);
    turn_serve(run, &audience);
    return EXIT_SUCCESS;
}
