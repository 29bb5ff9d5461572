/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-io: proxy/io.h in memory, with a clock that stands still until it is moved.
 *
 * A program that has this and memory-net.h among its own objects is linked with them instead of
 * those parts of the library. There is one world at a time, and nothing happens but in the
 * functions below.
 */

#pragma once

#include "memory-net.h"

G_BEGIN_DECLS

void memory_io_begin(void);

/* Asserts that the proxy has left nothing behind. */
void memory_io_end(void);

/* Turns the loop until there is nothing to do before time passes. Asserts that this comes about. */
void memory_io_settle(void);

/* Moves the clock, to each timer on the way, and settles before and behind. */
void memory_io_pass_ms(guint64 ms);

/* The order in which those that are ready are served is turned by so much. */
void memory_io_rotate(guint by);

G_END_DECLS
