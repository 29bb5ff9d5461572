/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz: see fuzz.h.
 */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

const JsonScanLimits fuzz_limits = {.bytes = 1000, .tokens = 200, .nesting = 24};

void fuzz_each_value(const char *input, gsize len, FuzzValueFunc func, gpointer data)
{
    JsonScan scan;
    JsonScanVerdict verdict;

    json_scan_init(&scan, &fuzz_limits);
    while ((verdict = json_scan_next(&scan, input, len)) != JSON_SCAN_MORE) {
        if (verdict != JSON_SCAN_VALUE)
            continue;
        gsize size = scan.end - scan.start;
        g_autofree char *exact = g_memdup2(input + scan.start, size);
        func((JsonSpan){exact, size}, data);
    }
    json_scan_clear(&scan);
}

void fuzz_fail(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_printerr("broken: %s\n", text);
    abort();
}

void fuzz_append_meaning(JsonSpan value, GString *meaning)
{
    JsonKind kind = json_read_kind(value);
    JsonWalk walk = json_read_walk(value);
    g_autofree char *string = json_read_string(value);
    JsonSpan key, child;

    if (string) {
        g_assert_cmpuint(strlen(string), <=, value.len);
        g_assert_true(json_read_is(value, string) || strchr(string, '\\'));
        g_string_append_printf(meaning, "\"%s", string);
    } else if (kind == JSON_KIND_OBJECT) {
        while (json_read_member(&walk, &key, &child)) {
            g_assert_true(key.text > value.text && child.text + child.len < value.text + value.len);
            fuzz_append_meaning(key, meaning);
            fuzz_append_meaning(child, meaning);
        }
    } else if (kind == JSON_KIND_ARRAY) {
        while (json_read_element(&walk, &child)) {
            g_assert_true(child.text > value.text &&
                          child.text + child.len < value.text + value.len);
            fuzz_append_meaning(child, meaning);
        }
    } else {
        g_string_append_len(meaning, value.text, (gssize)value.len);
    }
    g_string_append_printf(meaning, "%d.", kind);
}
