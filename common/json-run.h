/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-run: where a run of plain bytes inside a string ends.
 *
 * Most bytes that pass through here are such: base64, names, texts. So this one question is
 * answered many bytes at a time, and whoever walks strings asks it: the scanner, the reader, the
 * writer. The answer's meaning is theirs.
 *
 * There are two files, of which this one takes one: json-run-sse2.h looks at 16 bytes at once and
 * is for x86-64, where every processor can do that; json-run-word.h at 8, for any other, in either
 * byte order. The tests run with both, against bytes looked at one by one.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Pure ASCII that may be printed and is no escape. A quote is plain where it ends no string. */
static inline gboolean json_run_is_plain(char byte, char quote)
{
    return byte >= 0x20 && byte < 0x7F && byte != quote && byte != '\\';
}

/**
 * json_run:
 * @quote: " or '
 *
 * Returns: the first byte in [@at, @end) that is not plain, or @end
 */
static inline const char *json_run(const char *at, const char *end, char quote);

#if defined(__SSE2__) && !defined(JSON_RUN_BY_WORD)
#include "json-run-sse2.h"
#else
#include "json-run-word.h"
#endif

G_END_DECLS
