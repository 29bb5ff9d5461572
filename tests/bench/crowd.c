/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-crowd PATH PROTOCOL CLIENTS DEPTH TIMES REQUEST: many clients that all ask the same.
 *
 * Each has DEPTH commands under way and sends another for each reply. A turn is TIMES replies to
 * all of them together; with TIMES 0 it says "busy" when all have asked, and lasts until the next
 * line of input. With DEPTH 0 they connect, negotiate and stay silent. A %d in PATH is the number
 * of the client.
 */

#include "turn.h"
#include "wire.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { DEEPEST = 4096, EVENTS = 64 };

typedef struct {
    Wire wire;
    gint64 *asked; /* when each that is under way was, in a ring */
    guint first, under_way;
} Member;

typedef struct {
    Member *members;
    guint count, depth, times;
    int epoll;
    char *request;
    char *burst; /* DEPTH requests */
} Crowd;

static void note(const Crowd *crowd, Member *member, gint64 now)
{
    member->asked[(member->first + member->under_way) % crowd->depth] = now;
    member->under_way++;
}

static void ask(const Crowd *crowd, Member *member)
{
    note(crowd, member, turn_now_ns());
    wire_send(&member->wire, crowd->request, strlen(crowd->request));
}

/* Returns: how many replies came */
static guint take(const Crowd *crowd, Member *member, Turn *turn, gboolean go_on)
{
    const char *line;
    guint count = 0;
    gint64 now;
    gsize len;

    wire_fill(&member->wire);
    now = turn_now_ns();
    while ((line = wire_take(&member->wire, &len))) {
        if (wire_is_event(line))
            continue;
        if (g_str_has_prefix(line, "{\"error\""))
            turn_fail("refused: %.*s", (int)MIN(len, 400), line);
        turn_add(turn, now - member->asked[member->first]);
        member->first = (member->first + 1) % crowd->depth;
        member->under_way--;
        count++;
    }
    for (guint i = 0; go_on && i < count; i++)
        ask(crowd, member);
    return count;
}

/* Takes that line. */
static gboolean told_to_end(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[16];

    return poll(&input, 1, 0) > 0 && (fgets(line, sizeof line, stdin) || TRUE);
}

static void run(gpointer data, Turn *turn)
{
    Crowd *crowd = data;
    struct epoll_event events[EVENTS];
    guint under_way = crowd->count * crowd->depth;
    gint64 now = turn_now_ns();
    gboolean go_on = TRUE;

    for (guint i = 0; i < crowd->count; i++) {
        for (guint j = 0; j < crowd->depth; j++)
            note(crowd, &crowd->members[i], now);
        wire_send(&crowd->members[i].wire, crowd->burst, strlen(crowd->burst));
    }
    if (!crowd->times) {
        puts("busy");
        fflush(stdout);
    }
    while (under_way > 0) {
        int ready = epoll_wait(crowd->epoll, events, EVENTS, -1);

        go_on = go_on && (crowd->times ? turn->ns->len < crowd->times : !told_to_end());
        for (int i = 0; i < ready; i++) {
            guint count = take(crowd, events[i].data.ptr, turn, go_on);

            if (!go_on)
                under_way -= count;
        }
        if (!crowd->times && turn->ns->len > (1u << 20))
            g_array_set_size(turn->ns, 0); /* nobody waits for the figures of a flood */
    }
}

/* For those that stay silent: the turn is that they are there. */
static void idle(gpointer unused_data, Turn *turn)
{
    turn_add(turn, 0);
}

int main(int argc, char **argv)
{
    Crowd crowd = {.epoll = epoll_create1(EPOLL_CLOEXEC)};

    g_set_prgname("bench-crowd");
    if (argc != 7)
        turn_fail("usage: bench-crowd PATH PROTOCOL CLIENTS DEPTH TIMES REQUEST");
    crowd.count = (guint)strtoul(argv[3], NULL, 10);
    crowd.depth = MIN((guint)strtoul(argv[4], NULL, 10), DEEPEST);
    crowd.times = (guint)strtoul(argv[5], NULL, 10);
    crowd.request = argv[6];
    crowd.burst = g_malloc0(strlen(crowd.request) * crowd.depth + 1);
    for (guint i = 0; i < crowd.depth; i++)
        memcpy(crowd.burst + i * strlen(crowd.request), crowd.request, strlen(crowd.request));
    crowd.members = g_new0(Member, crowd.count);
    for (guint i = 0; i < crowd.count; i++) {
        Member *member = &crowd.members[i];

        member->asked = g_new(gint64, MAX(crowd.depth, 1));
        wire_join(&member->wire, argv[1], i, argv[2], crowd.epoll, member);
    }
    turn_serve(crowd.depth ? run : idle, &crowd);
    return EXIT_SUCCESS;
}
