/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A whole proxy in memory: two clients, one or two monitors of a QEMU, and an agent, who say what
 * the input says.
 *
 * The first two bytes of the input say what kind of proxy and peers there are, the rest is a script
 * (fuzz-script.h). FUZZ_TRACE=1 in the environment shows what passes.
 *
 * Held, by who listens (fuzz-client.h, fuzz-qemu.h, fuzz-agent.h, ledger.h): commands go up as
 * they came, but for the id, once, and in order; answers and events come down as they were said,
 * but for the id, once, and to who is to have them; the guest is believed nothing but an answer to
 * the command under way; nobody is closed for nothing. And in the end (fuzz-run.h) each request was
 * answered, the clients' memory is given back, and nothing is left open.
 */

#include "fuzz-script.h"
#include "fuzz.h"
#include "memory-record.h"

/* FNV-1a: the numbers that nobody can guess are the same each time, and others for each input. */
static guint32 seed_of(const guint8 *data, gsize size)
{
    guint32 hash = 2166136261u;

    for (gsize i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static const gsize read_max[] = {G_MAXSIZE, 1, 2, 7, 100, G_MAXSIZE, G_MAXSIZE, G_MAXSIZE};
    static const char *const records[8] = {[6] = "none", [7] = MEMORY_RECORD_FOUND};
    guint8 proxy = size > 0 ? data[0] : 0, peers = size > 1 ? data[1] : 0;
    const FuzzSetup setup = {
        .persist = proxy & 1,
        .tight = (proxy & 2) != 0,
        .two_monitors = (proxy & 4) != 0,
        .no_agent = (proxy & 8) != 0,
        .monitor = (FuzzMonitor)((proxy >> 4 & 3) % 3),
        .dialled = (proxy & 128) != 0,
        .no_oob = peers & 1,
        .tcp = (peers & 2) != 0,
        .unnamed = (peers & 4) != 0,
        .read_max = read_max[peers >> 5],
        .record = records[peers >> 5],
    };
    FuzzRun run;

    g_random_set_seed(seed_of(data, size));
    fuzz_run_begin(&run, &setup);
    if (peers & 8)
        fuzz_run_warm_up(&run, (peers & 16) != 0);
    if (size > 2)
        fuzz_script_play(&run, data + 2, size - 2);
    fuzz_run_end(&run, (proxy & 64) != 0);
    return 0;
}
