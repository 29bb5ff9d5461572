/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-scan-simdjson FILE BATCH TIMES: see scan.c. Builds simdjson's DOM, with the fastest code that
 * it has for this processor.
 */

#include "turn.h"

#include <cstdlib>
#include <simdjson.h>

namespace {

struct Bench {
    simdjson::padded_string text;
    simdjson::dom::parser parser;
    unsigned long batch, times;
};

void run(gpointer data, Turn *turn)
{
    Bench *bench = static_cast<Bench *>(data);

    for (unsigned long i = 0; i < bench->times; i++) {
        gint64 began = turn_now_ns();

        for (unsigned long j = 0; j < bench->batch; j++)
            if (bench->parser.parse(bench->text).error())
                turn_fail("simdjson takes this for no message");
        turn_add(turn, turn_now_ns() - began);
    }
}

} // namespace

int main(int argc, char **argv)
{
    Bench bench;

    g_set_prgname("bench-scan-simdjson");
    if (argc != 4)
        turn_fail("usage: bench-scan-simdjson FILE BATCH TIMES");
    if (simdjson::padded_string::load(argv[1]).get(bench.text))
        turn_fail("%s cannot be read", argv[1]);
    bench.batch = std::strtoul(argv[2], nullptr, 10);
    bench.times = std::strtoul(argv[3], nullptr, 10);
    turn_serve(run, &bench);
    return EXIT_SUCCESS;
}
