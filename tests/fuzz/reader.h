/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * reader: one direction of a connection, as whoever looks on from beside reads it.
 *
 * Owns the bytes and where the messages in them end. The scanner is the project's: what counts as
 * JSON is for other targets to prove.
 */

#pragma once

#include "common/json-read.h"
#include "common/json-scan.h"

G_BEGIN_DECLS

typedef struct {
    JsonScan scan;
    GString *text;   /* from the message under way on */
    gsize taken;     /* bytes in front that were handed out */
    guint64 dropped; /* bytes of the connection in front of `text` */
} Reader;

void reader_init(Reader *reader, gsize max_bytes);
void reader_clear(Reader *reader);

/* Nothing was half read, or being skipped. */
gboolean reader_is_clean(const Reader *reader);

void reader_put(Reader *reader, const char *bytes, gsize len);

/* All of @from, which is empty then. */
void reader_take(Reader *reader, GString *from);

/* @ret_value: with JSON_SCAN_VALUE; good until the next call of any function here */
JsonScanVerdict reader_next(Reader *reader, JsonSpan *ret_value);

/* Bytes of the connection up to the end of what was just handed out, or to its beginning. */
guint64 reader_end(const Reader *reader);
guint64 reader_start(const Reader *reader);

/* Returns: whether what comes next begins with @text, which is then passed over */
gboolean reader_skip(Reader *reader, const char *text);

G_END_DECLS
