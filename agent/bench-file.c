/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/bench-file.h"

void file_bench_init(FileBench *fixture, gconstpointer data)
{
    bench_init(&fixture->bench, NULL);
    fixture->path = g_build_filename(fixture->bench.directory, "file", NULL);
    g_strdelimit(fixture->path, "\\", '/');
}

void file_bench_clear(FileBench *fixture, gconstpointer data)
{
    bench_clear(&fixture->bench);
    g_free(fixture->path);
}

char *file_bench_ask(FileBench *fixture, const char *format, ...)
{
    g_autofree char *request = NULL;
    va_list args;

    va_start(args, format);
    request = g_strdup_vprintf(format, args);
    va_end(args);
    return g_strchomp(bench_ask(&fixture->bench, request));
}
