/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * reader: see reader.h.
 */

#include "reader.h"

#include <string.h>

void reader_init(Reader *reader, gsize max_bytes)
{
    *reader = (Reader){.text = g_string_new(NULL)};
    json_scan_init(&reader->scan, &JSON_SCAN_LIMITS(max_bytes));
}

void reader_clear(Reader *reader)
{
    json_scan_clear(&reader->scan);
    g_string_free(reader->text, TRUE);
}

gboolean reader_is_clean(const Reader *reader)
{
    return json_scan_is_clean(&reader->scan);
}

static void drop_taken(Reader *reader)
{
    if (reader->taken == 0)
        return;
    g_string_erase(reader->text, 0, (gssize)reader->taken);
    json_scan_drop(&reader->scan, reader->taken);
    reader->dropped += reader->taken;
    reader->taken = 0;
}

void reader_put(Reader *reader, const char *bytes, gsize len)
{
    drop_taken(reader);
    g_string_append_len(reader->text, bytes, (gssize)len);
}

void reader_take(Reader *reader, GString *from)
{
    reader_put(reader, from->str, from->len);
    g_string_truncate(from, 0);
}

JsonScanVerdict reader_next(Reader *reader, JsonSpan *ret_value)
{
    JsonScanVerdict verdict;

    drop_taken(reader);
    verdict = json_scan_next(&reader->scan, reader->text->str, reader->text->len);
    reader->taken = verdict == JSON_SCAN_VALUE ? reader->scan.end : reader->scan.start;
    if (verdict == JSON_SCAN_VALUE)
        *ret_value = (JsonSpan){reader->text->str + reader->scan.start,
                                reader->scan.end - reader->scan.start};
    return verdict;
}

guint64 reader_end(const Reader *reader)
{
    return reader->dropped + reader->taken;
}

guint64 reader_start(const Reader *reader)
{
    return reader->dropped + reader->scan.start;
}

gboolean reader_skip(Reader *reader, const char *text)
{
    gsize len = strlen(text);

    drop_taken(reader);
    if (reader->text->len < len || memcmp(reader->text->str, text, len) != 0)
        return FALSE;
    g_string_erase(reader->text, 0, (gssize)len);
    reader->dropped += len;
    return TRUE;
}
