/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * fuzz: what the fuzz targets share.
 *
 * Each target is a LLVMFuzzerTestOneInput() that aborts where a promise is broken. It is linked
 * with libFuzzer or, without, with runner.c over the corpus.
 */

#pragma once

#include <glib.h>

#include "common/json-read.h"
#include "common/json-scan.h"

G_BEGIN_DECLS

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size);

/* Small enough to be met by small inputs. */
extern const JsonScanLimits fuzz_limits;

typedef void (*FuzzValueFunc)(JsonSpan value, gpointer data);

/* Calls @func with each value that the scanner finds in @input; each is a block of exact size. */
void fuzz_each_value(const char *input, gsize len, FuzzValueFunc func, gpointer data);

/* A promise is broken. Not g_error(), which traps where libFuzzer does not look. */
G_GNUC_NORETURN void fuzz_fail(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* Writes down the values that @value is made of, in whatever form they are written. */
void fuzz_append_meaning(JsonSpan value, GString *meaning);

G_END_DECLS
