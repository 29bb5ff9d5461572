/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "world.h"

#include "sockets.h"

#include <string.h>

/* Turns without a pause after which something spins: moving 64 MiB through a socket, 200 kB at a
 * time, takes a thousand. */
enum { RESTLESS = 10000, STEP_MS = 10 };

void world_init(World *world)
{
    world->descriptors = sockets_open_descriptors();
    world->context = g_main_context_new();
    world->loop = io_loop_get(world->context);
    world->now_us = 1000 * G_USEC_PER_SEC;
    io_loop_set_time(world->loop, world->now_us);
}

void world_clear(World *world)
{
    io_loop_unref(world->loop);
    g_main_context_unref(world->context);
    g_assert_cmpuint(sockets_open_descriptors(), ==, world->descriptors);
}

void world_settle(World *world)
{
    guint turns = 0;

    while (g_main_context_iteration(world->context, FALSE))
        if (++turns == RESTLESS)
            g_error("the loop does not come to rest: something spins");
}

void world_send(World *world, Peer *peer, const char *text)
{
    for (gsize len = strlen(text), sent = 0; sent < len;) {
        sent += peer_offer(peer, text + sent, len - sent);
        world_settle(world);
    }
}

void world_pass_ms(World *world, guint ms)
{
    gint64 until = world->now_us + (gint64)ms * 1000;

    world_settle(world);
    while (world->now_us < until) {
        world->now_us = MIN(world->now_us + STEP_MS * 1000, until);
        io_loop_set_time(world->loop, world->now_us);
        world_settle(world);
    }
}
