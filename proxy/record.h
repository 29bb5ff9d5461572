/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * record: a line on disk that says that a guest may be frozen.
 *
 * It outlives the proxy: it is there, on the disk and not in a cache, before a freeze is sent, and
 * goes when the guest is known to be thawed. Owns the file. Writing is done in a thread, since
 * fsync(2) takes as long as a disk takes, and nobody else is to wait for it.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct Record Record;

/**
 * record_new:
 * @context: (nullable): in which @done of record_write() is called
 * @directory: exists
 * @name: of the virtual machine: made to fit as a file name
 * @error: names the directory
 */
Record *record_new(GMainContext *context, const char *directory, const char *name,
                   GError **error) G_GNUC_WARN_UNUSED_RESULT;
void record_free(Record *record);

/* Returns: (nullable): what a former proxy has written */
const char *record_found(const Record *record);

/* @done: called once, never from within, unless record_free() comes before. @error: (nullable) */
typedef void (*RecordDone)(gpointer owner, const GError *error);
void record_write(Record *record, const char *text, RecordDone done, gpointer owner);

/* After all that was asked for before. */
void record_erase(Record *record);

G_END_DECLS
