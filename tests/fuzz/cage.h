/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * cage: keeps what is fuzzed from the machine that it runs on.
 *
 * Wraps, by the linker, the calls that take a path from a command: each leads below one directory.
 * And log_account(), which says nothing.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @directory: good until the next call. Its own paths are what they are; any other is one below
 * `files` in it, which exists, or leads nowhere. */
void cage_enter(const char *directory);

G_END_DECLS
