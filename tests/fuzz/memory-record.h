/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * memory-record: proxy/record.h in memory. Writing takes a while, and fails each third time.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The name of a machine on whose record a former proxy has left something. */
#define MEMORY_RECORD_FOUND "found"

/* Whether something is on record, or was since the last memory_record_turn(). */
gboolean memory_record_is_written(void);
void memory_record_turn(void);

G_END_DECLS
