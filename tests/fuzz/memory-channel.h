/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-channel: agent/channel.h in memory, with its host.
 *
 * A program that has this among its own objects is linked with it instead of that part of the
 * agent. There is one channel at a time, and one connection on it.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* To be called once the agent has opened its channel, and while no host is there. */
void memory_channel_connect(void);

/* The host leaves, with whatever it was sent and has not read. */
void memory_channel_disconnect(void);

void memory_channel_send(const char *bytes, gsize len);

/* What the host takes at once, and in all until it is told anew; G_MAXSIZE: anything. */
void memory_channel_set_room(gsize at_once, gsize room);
/* What one read gives the agent. */
void memory_channel_set_read_max(gsize read_max);

/* Lets the agent read and write as long as it wants to, and can. */
void memory_channel_turn(void);

/* Whether there is input that the agent does not want, though its output is all taken: it is busy.
 */
gboolean memory_channel_is_held(void);

/* What the host has read of this connection. */
const GString *memory_channel_output(void);

G_END_DECLS
