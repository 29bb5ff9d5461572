/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * journal: what must not be lost when this process is killed, written down as it comes about.
 *
 * It is in memory that outlives the process, since somebody else keeps a descriptor of it: a
 * service manager. So are the connections that it tells of. A record is written beside the one it
 * replaces and takes its place by one store, so that there is always a whole one.
 *
 * What a process has read or written just before it was killed, without having come to write that
 * down, shows all the same: bytes are read into the same memory, where they are no zeros any more,
 * and what is written goes through a pipe, whose rest is counted.
 *
 * Owns the layout, the slots, and the reading and writing of connections that are kept. Leaves what
 * a record says to the nouns that save themselves, and where all is kept to the program.
 */

#pragma once

#include "io.h"

G_BEGIN_DECLS

typedef struct Journal Journal;

/* Keeps a second of @fd under @name in a safe place; with -1, does so no more. */
typedef void (*JournalKeep)(gpointer owner, const char *name, int fd);

/* @error: where the system has no room for it */
Journal *journal_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * journal_reopen:
 * @names: what a process that was killed has had kept, in any order
 * @fds: (transfer full): what is under these names, the same number; those that are of no use are
 *   closed
 */
Journal *journal_reopen(const char *const *names, const int *fds,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is kept is no longer, where journal_set_keep() was called. */
void journal_free(Journal *journal);

/* From now on @keep is told, at once of all there is. NULL: nothing is kept any more. */
void journal_set_keep(Journal *journal, JournalKeep keep, gpointer owner);

/* ---- Slots ----------------------------------------------------------------------------------- */

/* @fd: is kept with it; or -1. Returns: 0 where there is none left */
guint journal_add(Journal *journal, int fd);
void journal_remove(Journal *journal, guint slot);

/* Replaces what is written in the slot. @record: (nullable): floating or not; where it is NULL, or
 * there is no room for it, the slot is empty. */
void journal_note(Journal *journal, guint slot, GVariant *record);

/* Of a journal that was reopened. Calls @func for each record, of type `a{sv}`. */
void journal_foreach(Journal *journal, void (*func)(guint slot, GVariant *record, gpointer data),
                     gpointer data);

/* Of such a one. Returns: (transfer full): what was kept with the slot, or -1 */
int journal_take_fd(Journal *journal, guint slot);

/* Of such a one: who was in the slot goes on in it. */
void journal_claim(Journal *journal, guint slot);

/* Of such a one, once all were claimed that are to be: the others make room. */
void journal_tidy(Journal *journal);

/* ---- Connections ----------------------------------------------------------------------------- */

typedef struct {
    Journal *journal;
    guint slot;
    Io *io;
    guint64 read; /* bytes of the connection in all, and so in the record */
    guint64 written;
} JournalIo;

/* For stream_init(): the `io` there is a JournalIo. As io_stream, but behind a read journal_note()
 * is to come before the next read of any connection. SIGPIPE is the program's to ignore. */
extern const StreamIo journal_stream;

/**
 * journal_take_rest:
 * @read: as the record has it, and so
 * @written
 * @ret_input: (out) (transfer full) (nullable): was read since, and is in no record
 *
 * Of a journal that was reopened: what has happened on a connection since the record.
 *
 * Returns: bytes that were written since
 */
guint64 journal_take_rest(Journal *journal, guint slot, guint64 read, guint64 written,
                          GBytes **ret_input);

G_END_DECLS
