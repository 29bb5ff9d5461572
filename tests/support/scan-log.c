/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * scan-log: see scan-log.h. The bytes move to a new block of exact size before each call, so that a
 * scanner that keeps a pointer, or looks past the end, is seen by ASan.
 */

#include "scan-log.h"

#include "common/json-scan-private.h"
#include "common/limits.h"
#include "slow-index.h"

typedef struct {
    const ScanLogSetup *setup;
    JsonScan scan;
    GString *held;
    guint calls;
} Subject;

const JsonScanLimits scan_log_limits = {
    .bytes = LIMIT_JSON_BYTES,
    .tokens = LIMIT_JSON_TOKENS,
    .nesting = LIMIT_JSON_NESTING,
};

const char *scan_log_fault_name(JsonFault fault)
{
    static const char *const names[] = {
        [JSON_FAULT_NONE] = "none",           [JSON_FAULT_RESET] = "reset",
        [JSON_FAULT_LEXICAL] = "lexical",     [JSON_FAULT_SYNTAX] = "syntax",
        [JSON_FAULT_DUPLICATE] = "duplicate", [JSON_FAULT_NESTING] = "nesting",
        [JSON_FAULT_TOKENS] = "tokens",       [JSON_FAULT_BYTES] = "bytes",
    };

    g_assert_cmpuint(fault, <, G_N_ELEMENTS(names));
    return names[fault];
}

static void assert_fault_text(const JsonScan *scan)
{
    g_autofree char *text = json_scan_fault_text(scan);

    g_assert_cmpint(g_str_has_prefix(text, "JSON parse error, "), ==,
                    scan->fault < JSON_FAULT_NESTING);
    for (const char *byte = text; *byte; byte++)
        g_assert_true(g_ascii_isprint(*byte));
}

static void drop(Subject *subject, gsize count)
{
    if (subject->setup->hoard)
        return;
    json_scan_drop(&subject->scan, count);
    g_string_erase(subject->held, 0, (gssize)count);
}

static void log_error(const Subject *subject, GString *log)
{
    const JsonScan *scan = &subject->scan;

    g_assert_cmpuint(scan->fault, !=, JSON_FAULT_NONE);
    assert_fault_text(scan);
    g_string_append_printf(log, "! %s", scan_log_fault_name(scan->fault));
    if (subject->setup->places)
        g_string_append_printf(log, "@%" G_GSIZE_FORMAT, scan->at);
    g_string_append_c(log, '\n');
}

static void log_value(const Subject *subject, GString *log)
{
    const JsonScan *scan = &subject->scan;

    g_assert_cmpuint(scan->start, <, scan->end);
    g_assert_cmpuint(scan->end, <=, subject->held->len);
    g_assert_cmpuint(scan->end - scan->start, <=, subject->setup->limits.bytes);
    g_string_append(log, "= ");
    g_string_append_len(log, subject->held->str + scan->start, (gssize)(scan->end - scan->start));
    g_string_append_c(log, '\n');
}

static JsonScanVerdict next(Subject *subject, const char *exact)
{
    ScanLogWay way = subject->setup->way;
    JsonIndexer as_it_is;
    JsonScanVerdict verdict;

    json_index_choose();
    as_it_is = json_index;
    if (way == SCAN_LOG_IN_TURNS)
        way = (ScanLogWay)(subject->calls++ % SCAN_LOG_IN_TURNS);
    if (way == SCAN_LOG_BY_BYTES)
        json_index = NULL;
    else if (way == SCAN_LOG_BY_INDEX)
        json_index = slow_index;
    verdict = (way == SCAN_LOG_LONG ? json_scan_next_long : json_scan_next)(&subject->scan, exact,
                                                                            subject->held->len);
    json_index = as_it_is;
    return verdict;
}

/* Returns: whether there may be more in what is held */
static gboolean step(Subject *subject, GString *log)
{
    JsonScan *scan = &subject->scan;
    g_autofree char *exact = g_memdup2(subject->held->str, subject->held->len);

    switch (next(subject, exact)) {
    case JSON_SCAN_VALUE:
        log_value(subject, log);
        drop(subject, scan->end);
        return TRUE;
    case JSON_SCAN_ERROR:
        log_error(subject, log);
        drop(subject, scan->start);
        return TRUE;
    case JSON_SCAN_MORE:
        g_assert_cmpuint(scan->start, <=, subject->held->len);
        /* One more than the limit: a bare number shows that it goes on by its next byte only. */
        g_assert_cmpuint(subject->held->len - scan->start, <=, subject->setup->limits.bytes + 1);
        if (json_scan_is_clean(scan))
            g_assert_cmpuint(scan->start, ==, subject->held->len);
        drop(subject, scan->start);
        return FALSE;
    }
    g_assert_not_reached();
}

static gpointer begin(gconstpointer setup)
{
    Subject *subject = g_new0(Subject, 1);

    subject->setup = setup;
    subject->held = g_string_new(NULL);
    json_scan_init(&subject->scan, &subject->setup->limits);
    return subject;
}

static void feed(gpointer data, const char *bytes, gsize len, GString *log)
{
    Subject *subject = data;

    g_string_append_len(subject->held, bytes, (gssize)len);
    while (step(subject, log))
        ;
}

static void finish(gpointer data, GString *log)
{
    Subject *subject = data;

    if (!json_scan_is_clean(&subject->scan))
        g_string_append(log, "more\n");
    json_scan_clear(&subject->scan);
    g_string_free(subject->held, TRUE);
    g_free(subject);
}

const CutSubject scan_log_subject = {begin, feed, finish};

char *scan_log(const char *input, gsize len, const JsonScanLimits *limits)
{
    ScanLogSetup setup = {.limits = *limits, .places = TRUE};
    g_autofree char *dropping = cut_everywhere(&scan_log_subject, &setup, input, len);

    setup.way = SCAN_LOG_LONG;
    g_autofree char *by_long_way = cut_everywhere(&scan_log_subject, &setup, input, len);
    g_assert_cmpstr(by_long_way, ==, dropping);

    setup.way = SCAN_LOG_IN_TURNS;
    setup.hoard = TRUE;
    g_autofree char *hoarding = cut_everywhere(&scan_log_subject, &setup, input, len);
    g_assert_cmpstr(hoarding, ==, dropping);

    setup = (ScanLogSetup){.limits = *limits};
    return cut_nowhere(&scan_log_subject, &setup, input, len);
}
