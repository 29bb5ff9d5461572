/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * world: one main loop that a test turns by hand, with a clock that it moves.
 *
 * Nothing happens but in world_settle() and world_pass_ms(), and after these everything has
 * happened that was to: so a test reads as a list of steps, waits for nothing, and is the same each
 * time.
 */

#pragma once

#include "peer.h"
#include "proxy/io.h"

G_BEGIN_DECLS

typedef struct {
    GMainContext *context;
    IoLoop *loop;
    gint64 now_us;
    guint descriptors; /* that were open before */
} World;

void world_init(World *world);

/* Asserts that no descriptor is open that was not before. */
void world_clear(World *world);

/* Turns the loop until it has nothing to do; asserts that this ever is so. */
void world_settle(World *world);

/* Sends what may be more than a socket takes at once; nothing is left to do then, either. */
void world_send(World *world, Peer *peer, const char *text);

/* As world_settle(), while so much time goes by: in steps of 10 ms, so that timers come in their
 * order. */
void world_pass_ms(World *world, guint ms);

G_END_DECLS
