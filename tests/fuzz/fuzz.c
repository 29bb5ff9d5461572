/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz: see fuzz.h.
 */

#include "fuzz.h"

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
