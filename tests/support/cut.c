/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * cut: see cut.h. A way of cutting is a function that tells how long the next piece is.
 */

#include "cut.h"

#include <string.h>

#define EVERY_POSITION_MAX 2048
#define SAMPLED_POSITIONS  64
#define SEEDED_RUNS        8
#define SEEDED_PIECE_MAX   97

/* How one run is cut: `first` bytes, then pieces of `rest` bytes, or of random sizes where rest is
 * 0. */
typedef struct {
    gsize first;
    gsize rest;
    GRand *random;
} Cut;

static void feed_piece(const CutSubject *subject, gpointer state, const char *bytes, gsize len,
                       GString *log)
{
    g_autofree char *exact = g_memdup2(bytes, len);

    subject->feed(state, exact, len, log);
}

static char *run(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                 const Cut *cut)
{
    GString *log = g_string_new(NULL);
    gpointer state = subject->begin(setup);
    gsize piece = cut->first;

    for (gsize done = 0; done < len; done += piece) {
        if (done > 0)
            piece = cut->random ? (gsize)g_rand_int_range(cut->random, 1, SEEDED_PIECE_MAX + 1)
                                : cut->rest;
        piece = MIN(piece, len - done);
        feed_piece(subject, state, input + done, piece, log);
    }
    subject->finish(state, log);
    return g_string_free(log, FALSE);
}

static void run_same(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                     const Cut *cut, const char *expected)
{
    g_autofree char *log = run(subject, setup, input, len, cut);

    if (strcmp(log, expected) == 0)
        return;
    g_autofree char *shown = g_strndup(input, MIN(len, 400));
    g_autofree char *escaped = g_strescape(shown, NULL);
    g_error("cut after %" G_GSIZE_FORMAT " bytes, then by %" G_GSIZE_FORMAT " (0: seeded), of\n"
            "%s\ngave\n%.2000s\ninstead of\n%.2000s",
            cut->first, cut->rest, escaped, log, expected);
}

static void run_seeded(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                       guint32 seed, const char *expected)
{
    Cut cut = {.random = g_rand_new_with_seed(seed)};

    cut.first = (gsize)g_rand_int_range(cut.random, 1, SEEDED_PIECE_MAX + 1);
    run_same(subject, setup, input, len, &cut, expected);
    g_rand_free(cut.random);
}

static void run_in_two(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                       const char *expected)
{
    g_autoptr(GRand) random = g_rand_new_with_seed((guint32)len);
    gsize runs = len <= EVERY_POSITION_MAX ? len : SAMPLED_POSITIONS;

    for (gsize i = 1; i < runs; i++) {
        gsize position = runs == len ? i : (gsize)g_rand_int_range(random, 1, (gint32)len);

        run_same(subject, setup, input, len, &(Cut){.first = position, .rest = len}, expected);
    }
}

char *cut_nowhere(const CutSubject *subject, gconstpointer setup, const char *input, gsize len)
{
    return run(subject, setup, input, len, &(Cut){.first = len, .rest = len});
}

char *cut_everywhere(const CutSubject *subject, gconstpointer setup, const char *input, gsize len)
{
    char *log = cut_nowhere(subject, setup, input, len);

    run_in_two(subject, setup, input, len, log);
    run_same(subject, setup, input, len, &(Cut){.first = 1, .rest = 1}, log);
    for (guint32 seed = 0; seed < SEEDED_RUNS; seed++)
        run_seeded(subject, setup, input, len, seed, log);
    return log;
}

char *cut_seeded(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                 guint32 seed)
{
    char *log = cut_nowhere(subject, setup, input, len);

    run_same(subject, setup, input, len, &(Cut){.first = 1, .rest = 1}, log);
    run_seeded(subject, setup, input, len, seed, log);
    return log;
}
