/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "common/qmp-error.h"

#define GROUP "global"
#define KEY   "fd_counter"

/* The first handle is far from any descriptor's number: nobody is to take one for the other. */
enum { FIRST_HANDLE = 1000 };

/*
 * Handles that one write of the file stands for. A write at each open is 0.5 ms of an open's time;
 * a restart throws at most this many numbers away, of the 2^31 that qemu-ga can read back.
 */
enum { BLOCK = 1024 };

void state_init(State *state, const char *directory)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    *state = (State){.next = FIRST_HANDLE};
    state->path = g_build_filename(directory, "qga.state", NULL);
    state->mark = g_strconcat(state->path, ".isfrozen", NULL);
    if (g_key_file_load_from_file(file, state->path, G_KEY_FILE_NONE, NULL))
        state->next = MAX(g_key_file_get_int64(file, GROUP, KEY, NULL), FIRST_HANDLE);
    state->reserved = state->next;
}

void state_clear(State *state)
{
    g_clear_pointer(&state->path, g_free);
    g_clear_pointer(&state->mark, g_free);
}

/* The file says that everything below @reserved is used. */
static gboolean reserve(State *state, gint64 reserved, GError **error)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = NULL;

    g_key_file_set_int64(file, GROUP, KEY, reserved);
    text = g_key_file_to_data(file, NULL, NULL);
    if (!g_file_set_contents_full(state->path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                  error))
        return FALSE;
    state->reserved = reserved;
    return TRUE;
}

gboolean state_check(State *state, GError **error)
{
    return reserve(state, state->reserved, error);
}

gboolean state_next_handle(State *state, gint64 *ret_handle, GError **error)
{
    g_autoptr(GError) reason = NULL;

    if (state->next > G_MAXINT32 - BLOCK)
        state->next = state->reserved = FIRST_HANDLE;
    if (state->next == state->reserved && !reserve(state, state->reserved + BLOCK, &reason)) {
        qmp_error_set(error, "failed to commit persistent state to disk: %s", reason->message);
        return FALSE;
    }
    *ret_handle = state->next++;
    return TRUE;
}

gboolean state_mark_frozen(const State *state, GError **error)
{
    int fd = open(state->mark, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        qmp_error_set(error, "failed to create '%s': %s", state->mark, g_strerror(errno));
        return FALSE;
    }
    close(fd);
    return TRUE;
}

void state_unmark_frozen(const State *state)
{
    if (g_unlink(state->mark) != 0 && errno != ENOENT)
        g_warning("cannot remove '%s': %s", state->mark, g_strerror(errno));
}

gboolean state_is_marked_frozen(const State *state)
{
    return g_file_test(state->mark, G_FILE_TEST_EXISTS);
}
