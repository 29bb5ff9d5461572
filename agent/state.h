/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * state: what outlives the agent, in its state directory.
 *
 * Owns qga.state, the counter from which file handles are numbered, and qga.state.isfrozen, a mark
 * that is there while filesystems may be frozen. Both have qemu-ga's names and form, so that one
 * agent may take over from the other, even in the middle of a freeze. To qemu-ga the mark says all
 * by being there; ours tells more in it, to our own.
 */

#pragma once

#include <glib.h>

typedef struct {
    char *path;
    char *mark;      /* path of it */
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
 * Finds out whether the state can be kept, so that an agent which cannot says so at its start; and
 * takes a mark away that says nothing. A file is made for that only where the system does not say
 * that one could be: what else may forbid it, as a quota or a security module, is told by the first
 * handle or freeze. What is on the disk, or is not, means the same before and behind it: the first
 * handle is what makes a difference, and is waited for then.
 */
gboolean state_check(State *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * state_next_handle:
 * @ret_handle: 1000 or more, never given out before, nor by a former agent of this directory
 */
gboolean state_next_handle(State *state, gint64 *ret_handle,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * state_mark_frozen:
 * @mark: a State's
 * @expedited: whether the kernel will be told to expedite grace periods, and so has to be told to
 *   stop if this agent cannot do so
 *
 * May be called on any thread: the disk takes its time.
 */
gboolean state_mark_frozen(const char *mark, gboolean expedited,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean state_unmark_frozen(const char *mark, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A mark from before the last boot says nothing: that has thawed all. */
gboolean state_is_marked_frozen(const State *state);
gboolean state_is_marked_expedited(const State *state);
