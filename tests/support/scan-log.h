/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scan-log: the scanner as a subject that can be cut (cut.h).
 *
 * Feeds the scanner as its owner would, holds every answer against what json-scan.h promises about
 * spans, memory and texts, and writes down one line per verdict:
 *
 *   = TEXT      a value
 *   ! FAULT     an error: reset, lexical, syntax, duplicate, nesting, tokens, bytes
 *   more        at the end of input, where the scanner does not stand between messages
 */

#pragma once

#include "cut.h"
#include "common/json-scan.h"

G_BEGIN_DECLS

typedef enum {
    SCAN_LOG_AS_IT_IS,
    SCAN_LOG_LONG,     /* without json-whole.c */
    SCAN_LOG_BY_BYTES, /* with it, and without an index */
    SCAN_LOG_BY_INDEX, /* with that of slow-index.h */
    SCAN_LOG_IN_TURNS, /* another of these for each call */
} ScanLogWay;

typedef struct {
    JsonScanLimits limits;
    ScanLogWay way;
    gboolean places; /* write "! FAULT@PLACE" */
    gboolean hoard;  /* drop nothing, though the scanner would allow it */
} ScanLogSetup;

/* The limits that nothing but a test of limits runs into. */
extern const JsonScanLimits scan_log_limits;

/* Its setup is a ScanLogSetup. */
extern const CutSubject scan_log_subject;

/**
 * scan_log:
 *
 * Scans in every cut, dropping and hoarding, in several ways, and asserts that verdicts and places
 * are the same.
 *
 * Returns: (transfer full): the log without places
 */
char *scan_log(const char *input, gsize len, const JsonScanLimits *limits);

const char *scan_log_fault_name(JsonFault fault);

G_END_DECLS
