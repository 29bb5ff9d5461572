/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * json-scan: where does one JSON message end, and is it JSON at all?
 *
 * Owns the decision of what counts as JSON, for every byte that comes in from anywhere: grammar,
 * UTF-8, escapes, nesting, number of tokens, size, duplicate keys, and what is skipped after an
 * error. What it let pass, json-read may trust without looking again.
 *
 * Leaves to others: the buffer (stream.h), what a message means (envelope.h).
 *
 * The language is that of QEMU's own parser: RFC 8259 with strings in single quotes and the escape
 * \' as well, and without the 66 code points that Unicode keeps for a program's own use (U+FFFF is
 * one): QEMU refuses a command that has them, and it must not be up to QEMU to refuse what one of
 * many clients sent. Framing follows the structure, never line ends. A control byte other than TAB,
 * CR and LF, or a byte 0xFE or 0xFF, ends whatever was under way and starts afresh, anywhere.
 */

#pragma once

#include "limits.h"
#include "saved.h"

G_BEGIN_DECLS

typedef enum {
    JSON_SCAN_MORE,  /* every byte was looked at; the message goes on */
    JSON_SCAN_VALUE, /* one whole value stands at buffer[start .. end) */
    JSON_SCAN_ERROR, /* see `fault`; the next call goes on behind it */
} JsonScanVerdict;

typedef enum {
    JSON_FAULT_NONE,
    JSON_FAULT_RESET,   /* 0xFE, 0xFF or a control byte: the peer asks for a fresh start */
    JSON_FAULT_LEXICAL, /* no token begins or goes on like this: skip to the next structural byte */
    JSON_FAULT_SYNTAX,  /* a token where it does not belong, or a bad string: skip until brackets
                           balance */
    JSON_FAULT_DUPLICATE, /* a key that this object already has; skipped like JSON_FAULT_SYNTAX */
    JSON_FAULT_NESTING,   /* limits, all behind here; skipped like JSON_FAULT_SYNTAX, in constant
                           * memory */
    JSON_FAULT_TOKENS,
    JSON_FAULT_BYTES,
} JsonFault;

typedef struct {
    gsize bytes;   /* of one message, at most LIMIT_JSON_BYTES */
    guint tokens;  /* of one message */
    guint nesting; /* at most LIMIT_JSON_NESTING */
} JsonScanLimits;

#define JSON_SCAN_LIMITS(max_bytes) \
    ((JsonScanLimits){(max_bytes), LIMIT_JSON_TOKENS, LIMIT_JSON_NESTING})

/* What is kept of each bracket that is open. */
typedef struct JsonLevels JsonLevels;

/* Whoever reads a message need not look for the end of a string that has this many bytes and
 * nothing but plain ones (json-run.h): the last such is remembered, if it did not come at once. */
#define JSON_SCAN_LONG (16u * 1024)

/* For others than json-scan.c: what stands before the private part, to be read. */
typedef struct {
    gsize start;        /* of the value under way or just found: bytes before it are not needed */
    gsize end;          /* one past its last byte, with JSON_SCAN_VALUE */
    JsonFault fault;    /* with JSON_SCAN_ERROR */
    gsize at;           /* with JSON_SCAN_ERROR: of the culprit, from the start of its message */
    guint32 long_start; /* with JSON_SCAN_VALUE: of a string that is long and plain, its quotes with
                         * it; see JSON_SCAN_LONG */
    guint32 long_end;   /* one past its last byte; 0 where none is known */

    /*< private >*/
    JsonScanLimits limits;
    const char *what;   /* the fault in words */
    gsize pos;          /* first byte that was not looked at */
    gsize token_start;  /* first byte of the string, number or keyword under way */
    gint64 braces;      /* open {, negative behind a stray } */
    gint64 brackets;    /* open [ */
    guint tokens;       /* of the message under way */
    guint32 by_bytes;   /* it is looked at without an index up to here, from its start */
    guint8 mode;        /* reading, or skipping after which kind of fault */
    guint8 lexer;       /* what kind of token is under way */
    guint8 expect;      /* which tokens may come next */
    guint8 quote;       /* the one that ends this string */
    guint8 plain;       /* so is this string up to here, and its quote is " */
    guint8 more;        /* UTF-8 continuation bytes or hex digits still due */
    guint8 low, high;   /* bounds of the next continuation byte */
    guint8 culprit;     /* the byte that the fault's text shows */
    guint8 surrogate;   /* a high one waits for its other half */
    guint8 between;     /* a value or a fault was handed out: the next byte starts afresh */
    guint8 was_reset;   /* the last byte was one: a run of them is one fault */
    guint32 character;  /* the bits so far of a UTF-8 sequence, or of \uXXXX or two of them */
    JsonLevels *levels; /* (nullable): there while looking, and while a message is under way */
} JsonScan;

/**
 * json_scan_init:
 * @limits: bounds for one message; copied
 *
 * A scanner needs memory of its own only while a message is under way between two calls: an idle
 * peer costs its struct alone, which is small.
 */
void json_scan_init(JsonScan *scan, const JsonScanLimits *limits);
void json_scan_clear(JsonScan *scan);

/**
 * json_scan_limit_bytes:
 *
 * Changes the size limit from here on, for an owner that expects a large reply now and small ones
 * else.
 */
void json_scan_limit_bytes(JsonScan *scan, gsize bytes);

/**
 * json_scan_next:
 * @buffer: all bytes from the last json_scan_drop() on: those already looked at stay in front,
 * unchanged
 * @len: how many there are
 *
 * Looks at the bytes behind those that earlier calls saw, up to the end of one value, one fault, or
 * @len. Each byte is looked at once, however the input is cut.
 *
 * After a fault the rest of the broken message is skipped silently, as far as it can be told: up to
 * the next structural byte, up to balanced brackets, up to a reset. So one broken message is one
 * error, mostly.
 */
JsonScanVerdict json_scan_next(JsonScan *scan, const char *buffer, gsize len);

/**
 * json_scan_held:
 *
 * Of one that waits for more: a message of many short names takes several times its own bytes.
 *
 * Returns: bytes of memory that grow with the message under way; 0 where none is, or it has few
 * names
 */
gsize json_scan_held(const JsonScan *scan);

/**
 * json_scan_drop:
 * @count: at most @start, or @end after a value was found
 *
 * The caller has removed @count bytes from the front of the buffer.
 */
void json_scan_drop(JsonScan *scan, gsize count);

/**
 * json_scan_restart:
 *
 * Forgets the message under way, as at the start of a connection. The buffer is taken to be empty.
 */
void json_scan_restart(JsonScan *scan);

/**
 * json_scan_save:
 *
 * How a broken message is being skipped, if one is. A whole one that is under way is not saved: its
 * bytes, from @start on, are to be scanned again.
 */
void json_scan_save(const JsonScan *scan, Saved *to);
void json_scan_restore(JsonScan *scan, Saved *from);

/**
 * json_scan_is_clean:
 * Returns: whether the scanner stands between messages: nothing half read, nothing being skipped
 */
gboolean json_scan_is_clean(const JsonScan *scan);

/**
 * json_scan_fault_text:
 *
 * Returns: (transfer full): a sentence for the peer that names the fault and its place, in the
 * words that QMP clients know, "JSON parse error, …"; pure ASCII
 */
char *json_scan_fault_text(const JsonScan *scan);

G_END_DECLS
