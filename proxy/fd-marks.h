/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * fd-marks: descriptors that came with bytes of a stream which are not taken yet.
 *
 * Owns them, and which byte each came with. Leaves what they are for to whoever takes the bytes.
 */

#pragma once

#include "handover.h"

G_BEGIN_DECLS

/* Nothing is read while a whole message waits to be taken, a read ends with the byte that a
 * descriptor came with, and of an incomplete message the last one is kept: so there are two at
 * most. */
typedef struct {
    GQueue marks; /* of Mark, in the order of their bytes */
} FdMarks;

void fd_marks_init(FdMarks *marks);

/* @at: the byte, counted from the first of the stream · @fd: (transfer full) */
void fd_marks_add(FdMarks *marks, guint64 at, int fd);

/* Closes and counts one that is of no use; -1 is none. */
void fd_marks_drop(int fd, guint64 *dropped);

/* What is not taken yet is one message, which is incomplete: of those that came with it all but the
 * last are closed and counted. */
void fd_marks_keep_last(FdMarks *marks, guint64 *dropped);

/**
 * fd_marks_take:
 * @end: all before this byte are taken
 * @dropped: counts those that are closed here: of several the last counts, as in QEMU
 *
 * Returns: (transfer full): or -1
 */
int fd_marks_take(FdMarks *marks, guint64 end, guint64 *dropped);

void fd_marks_save(const FdMarks *marks, Handover *handover, Saved *to);
void fd_marks_restore(FdMarks *marks, const HandoverPart *part);

G_END_DECLS
