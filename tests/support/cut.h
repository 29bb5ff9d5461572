/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * cut: one input, cut into pieces in every way that matters.
 *
 * Owns the cutting, and the proof that no cut changes what was seen. Leaves to the subject what a
 * piece is fed to and what is worth writing down.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    gpointer (*begin)(gconstpointer setup);
    /* @bytes: a block of exactly @len bytes that is gone afterwards, so that ASan sees who looks
     * further. */
    void (*feed)(gpointer subject, const char *bytes, gsize len, GString *log);
    /* Frees the subject. */
    void (*finish)(gpointer subject, GString *log);
} CutSubject;

/* Returns: (transfer full): the log of one run with the input in one piece */
char *cut_nowhere(const CutSubject *subject, gconstpointer setup, const char *input, gsize len);

/**
 * cut_everywhere:
 *
 * Runs the subject over the input whole, in two pieces cut at each position, byte by byte, and in
 * pieces of seeded odd sizes. Asserts that all logs are equal. Inputs above 2 KiB are cut in two at
 * seeded positions only, since each position costs a whole run.
 *
 * Returns: (transfer full): the log
 */
char *cut_everywhere(const CutSubject *subject, gconstpointer setup, const char *input, gsize len);

/* As cut_everywhere(), but for one seed and no two-piece cuts: for fuzzing, where inputs are many.
 */
char *cut_seeded(const CutSubject *subject, gconstpointer setup, const char *input, gsize len,
                 guint32 seed);

G_END_DECLS
