/* SPDX-License-Identifier: GPL-2.0-or-later */

/* fixture-file: a fixture's agent, and a file for it to work on; requests and replies in short. For
 * tests alone, whose names these are. */

#pragma once

#include "agent/fixture.h"

typedef struct {
    CommandFixture base;
    char *path; /* of no file yet; with slashes, which mean themselves in JSON, on every system */
} FileFixture;

void file_fixture_init(FileFixture *fixture, gconstpointer data);
void file_fixture_clear(FileFixture *fixture, gconstpointer data);

/* Returns: (transfer full): the reply, without its line end */
char *file_fixture_ask(FileFixture *fixture, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define CHECK(fixture, reply, ...)                                       \
    G_STMT_START                                                         \
    {                                                                    \
        g_autofree char *found = file_fixture_ask(fixture, __VA_ARGS__); \
        g_assert_cmpstr(found, ==, reply);                               \
    }                                                                    \
    G_STMT_END

#define OPEN(path, mode)                                                             \
    "{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"%s\", \"mode\":" \
    " \"" mode "\"}}",                                                               \
        path
#define READ(handle, count)                                                                       \
    "{\"execute\": \"guest-file-read\", \"arguments\": {\"handle\": %d, \"count\": %d}}", handle, \
        count
#define WRITE(handle, data)                                                            \
    "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": %d, \"buf-b64\":" \
    " \"" data "\"}}",                                                                 \
        handle
#define WRITE_SOME(handle, data, count)                                                \
    "{\"execute\": \"guest-file-write\", \"arguments\": {\"handle\": %d, \"buf-b64\":" \
    " \"" data "\", \"count\": %d}}",                                                  \
        handle, count
#define SEEK(handle, offset, whence)                                                     \
    "{\"execute\": \"guest-file-seek\", \"arguments\": {\"handle\": %d, \"offset\": %d," \
    " \"whence\": " whence "}}",                                                         \
        handle, offset
#define CLOSE(handle) "{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": %d}}", handle
#define FLUSH(handle) "{\"execute\": \"guest-file-flush\", \"arguments\": {\"handle\": %d}}", handle
#define ERROR(desc)   "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" desc "\"}}"
#define GOT(count, data, eof) \
    "{\"return\": {\"count\": " count ", \"buf-b64\": \"" data "\", \"eof\": " eof "}}"
