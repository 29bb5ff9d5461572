/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-record: see memory-record.h.
 */

#include "memory-record.h"

#include "proxy/io.h"
#include "proxy/record.h"

enum { WRITE_MS = 5 };

struct Record {
    IoTimer *timer;
    gboolean found;
    gboolean erase; /* what is being written */
    guint writes;
    RecordDone done;
    gpointer owner;
};

static gboolean is_written;
static gboolean was_written;

static void on_timer(gpointer data, gint64 unused_now)
{
    Record *record = data;
    g_autoptr(GError) error = NULL;

    if (++record->writes % 3 == 0)
        error = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOSPC, "the disk is full");
    is_written = !error && !record->erase;
    was_written |= !error;
    record->done(record->owner, error);
}

Record *record_new(GMainContext *unused_context, const char *unused_directory, const char *name,
                   GError **unused_error)
{
    Record *record = g_new0(Record, 1);
    g_autoptr(IoLoop) loop = io_loop_get(NULL);

    record->timer = io_timer_new(loop, on_timer, record);
    was_written = FALSE;
    record->found = is_written = g_str_equal(name, MEMORY_RECORD_FOUND);
    return record;
}

void record_free(Record *record)
{
    if (!record)
        return;
    io_timer_free(record->timer);
    g_free(record);
}

const char *record_found(const Record *record)
{
    return record->found ? "somebody froze it\n" : NULL;
}

void record_write(Record *record, const char *unused_text, RecordDone done, gpointer owner)
{
    record->done = done;
    record->owner = owner;
    record->erase = FALSE;
    io_timer_set(record->timer, io_timer_now(record->timer) + WRITE_MS * 1000);
}

void record_erase(Record *record)
{
    record->erase = TRUE;
    was_written |= is_written;
    is_written = FALSE;
}

gboolean memory_record_is_written(void)
{
    return is_written || was_written;
}

void memory_record_turn(void)
{
    was_written = FALSE;
}
