/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture-file.h"

void file_fixture_init(FileFixture *fixture, gconstpointer data)
{
    fixture_init(&fixture->base, NULL);
    fixture->path = g_build_filename(fixture->base.directory, "file", NULL);
    g_strdelimit(fixture->path, "\\", '/');
}

void file_fixture_clear(FileFixture *fixture, gconstpointer data)
{
    fixture_clear(&fixture->base);
    g_free(fixture->path);
}

char *file_fixture_ask(FileFixture *fixture, const char *format, ...)
{
    g_autofree char *request = NULL;
    va_list args;

    va_start(args, format);
    request = g_strdup_vprintf(format, args);
    va_end(args);
    return g_strchomp(fixture_ask(&fixture->base, request));
}
