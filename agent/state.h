/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * state: what outlives the agent, in its state directory.
 *
 * Owns qga.state, the counter from which file handles are numbered, and qga.state.isfrozen, a mark
 * that is there while filesystems may be frozen. Both have qemu-ga's names and form, so that one
 * agent may take over from the other, even in the middle of a freeze.
 */

#pragma once

#include <glib.h>

typedef struct {
    char *path;
    char *mark;
    gint64 next;     /* handle to give out */
    gint64 reserved; /* first one that the file does not say is used */
} State;

/**
 * state_init:
 *
 * Reads what is there. Does not write: while frozen that would wait for the thaw.
 */
void state_init(State *state, const char *directory);
void state_clear(State *state);

/**
 * state_check:
 *
 * Finds out whether the state can be kept, so that an agent which cannot says so at its start.
 */
gboolean state_check(State *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * state_next_handle:
 * @ret_handle: 1000 or more, never given out before, nor by a former agent of this directory
 */
gboolean state_next_handle(State *state, gint64 *ret_handle,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean state_mark_frozen(const State *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void state_unmark_frozen(const State *state);
gboolean state_is_marked_frozen(const State *state);
