/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-index: where the tokens of a piece of JSON begin, found 64 bytes at a time.
 *
 * Part of json-whole.c, which does without it where the processor has not what it needs. Knows
 * strings, spaces and structural bytes, and no grammar: whether a token may stand where it does,
 * and whether it is one at all, is left to who looks at it. So there is an index of any bytes.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

enum {
    JSON_INDEX_BLOCK = 64,   /* as many bytes as a word has bits */
    JSON_INDEX_BYTES = 2048, /* of one index, at most */
    JSON_INDEX_AHEAD = 4,    /* may be read behind the last */
    JSON_INDEX_ROOM = JSON_INDEX_BYTES + JSON_INDEX_BLOCK,
};

typedef struct {
    guint n;
    gboolean is_short;               /* it ends before what was to be looked at */
    guint16 places[JSON_INDEX_ROOM]; /* of the first byte of each token */
    guint8 bytes[JSON_INDEX_ROOM];   /* that byte; 0 behind the last */
} JsonIndex;

/**
 * JsonIndexer:
 * @at: between two tokens
 * @len: %JSON_INDEX_BYTES at most
 *
 * A token is a structural byte outside strings; the quote " that begins a string; and the first of
 * a run of other bytes outside strings, of which none is a space, structural or that quote.
 *
 * The index ends early at a byte in a string that is not ASCII, a control byte or a backslash. So a
 * string that another token follows has none of these, and was ended by a quote, behind which there
 * are but spaces.
 */
typedef void (*JsonIndexer)(JsonIndex *index, const guint8 *at, gsize len);

/* (nullable): where it is not worth it. Tests set it. */
extern JsonIndexer json_index;

/* Sets it, the first time. To be called before it is looked at. */
void json_index_choose(void);

G_END_DECLS
