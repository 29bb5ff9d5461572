/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-scan ours|json-glib FILE BATCH TIMES: how long the message in FILE takes to be checked.
 *
 * Each time that is told is that of BATCH messages, since a single small one takes no longer than
 * to look at the clock. bench-scan-simdjson does the same.
 */

#include "turn.h"

#include "common/json-scan.h"
#include "common/limits.h"

#include <json-glib/json-glib.h>
#include <stdlib.h>

typedef struct {
    char *text;
    gsize len;
    guint batch, times;
    JsonScan scan;
    JsonParser *parser; /* (nullable) */
} Bench;

static void check_ours(Bench *bench)
{
    if (json_scan_next(&bench->scan, bench->text, bench->len) != JSON_SCAN_VALUE)
        turn_fail("the scanner takes this for no message");
    json_scan_drop(&bench->scan, bench->scan.end);
}

static void check_theirs(const Bench *bench)
{
    g_autoptr(GError) error = NULL;

    if (!json_parser_load_from_data(bench->parser, bench->text, (gssize)bench->len, &error))
        turn_fail("json-glib: %s", error->message);
}

static void run(gpointer data, Turn *turn)
{
    Bench *bench = data;

    for (guint i = 0; i < bench->times; i++) {
        gint64 began = turn_now_ns();

        for (guint j = 0; j < bench->batch; j++) {
            if (bench->parser)
                check_theirs(bench);
            else
                check_ours(bench);
        }
        turn_add(turn, turn_now_ns() - began);
    }
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    Bench bench = {0};

    g_set_prgname("bench-scan");
    if (argc != 5)
        turn_fail("usage: bench-scan ours|json-glib FILE BATCH TIMES");
    if (!g_file_get_contents(argv[2], &bench.text, &bench.len, &error))
        turn_fail("%s", error->message);
    bench.batch = (guint)strtoul(argv[3], NULL, 10);
    bench.times = (guint)strtoul(argv[4], NULL, 10);
    json_scan_init(&bench.scan, &JSON_SCAN_LIMITS(LIMIT_JSON_BYTES));
    if (g_str_equal(argv[1], "json-glib"))
        bench.parser = json_parser_new();
    turn_serve(run, &bench);
    return EXIT_SUCCESS;
}
