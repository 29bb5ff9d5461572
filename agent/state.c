/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/places.h"
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

/* Returns: 0 where the file says none */
static gint64 read_next(const char *path)
{
    g_autoptr(GKeyFile) file = g_key_file_new();

    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return 0;
    return g_key_file_get_int64(file, GROUP, KEY, NULL);
}

void state_init(State *state, const char *directory)
{
    *state = (State){.next = FIRST_HANDLE};
    state->path = g_build_filename(directory, "qga.state", NULL);
    state->mark = g_strconcat(state->path, ".isfrozen", NULL);
    if (g_file_test(state->path, G_FILE_TEST_EXISTS)) /* see is_missing() in config.c */
        state->next = MAX(read_next(state->path), FIRST_HANDLE);
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

/* ---- Mark ------------------------------------------------------------------------------------ */

#define MARK_BOOT      "boot="
#define MARK_EXPEDITED "rcu_expedited\n"

/* Returns: a line that is another one after each boot; empty where the system does not tell */
static const char *boot_line(void)
{
    static char *line;
    static gsize ready; /* on whichever thread it is first asked for */

    if (g_once_init_enter(&ready)) {
        g_autofree char *id = NULL;

        if (places.boot_id == NULL || !g_file_get_contents(places.boot_id, &id, NULL, NULL))
            line = g_strdup("");
        else
            line = g_strdup_printf(MARK_BOOT "%s\n", g_strchomp(id));
        g_once_init_leave(&ready, 1);
    }
    return line;
}

/* Nothing waits for it to be on its disk: a crash that could lose it would thaw all. */
gboolean state_mark_frozen(const char *mark, gboolean expedited, GError **error)
{
    int fd = g_open(mark, O_CREAT | O_WRONLY | O_TRUNC | O_BINARY | O_CLOEXEC | O_NOFOLLOW, 0600);
    g_autofree char *text = g_strconcat(boot_line(), expedited ? MARK_EXPEDITED : "", NULL);
    gsize len = strlen(text);
    gboolean ok = fd >= 0 && write(fd, text, len) == (gssize)len;

    if (!ok) {
        qmp_error_set(error, "failed to create '%s': %s", mark, g_strerror(errno));
        if (fd >= 0)
            g_unlink(mark);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

gboolean state_unmark_frozen(const char *mark, GError **error)
{
    if (g_unlink(mark) == 0 || errno == ENOENT)
        return TRUE;
    qmp_error_set(error, "cannot remove '%s': %s", mark, g_strerror(errno));
    return FALSE;
}

/* Returns: (transfer full) (nullable): what it tells; NULL where there is none, or an old one */
static char *read_mark(const char *mark)
{
    g_autofree char *text = NULL;

    if (!g_file_test(mark, G_FILE_TEST_EXISTS))
        return NULL;
    if (!g_file_get_contents(mark, &text, NULL, NULL))
        return g_strdup("");
    if (g_str_has_prefix(text, MARK_BOOT) && !g_str_has_prefix(text, boot_line()))
        return NULL;
    return g_steal_pointer(&text);
}

gboolean state_is_marked_frozen(const State *state)
{
    g_autofree char *text = read_mark(state->mark);

    return text != NULL;
}

gboolean state_is_marked_expedited(const State *state)
{
    g_autofree char *text = read_mark(state->mark);

    return text != NULL && g_str_has_suffix(text, MARK_EXPEDITED);
}

/* A file that is there for a moment shows what writing the state would, but for the wait for a disk
 * that it takes: the agent would answer by so much later. Even so it is 0.2 ms of a start on a
 * filesystem with a journal, and now and then some milliseconds. */
static gboolean try_to_write(const State *state, GError **error)
{
    g_autofree char *probe = g_strconcat(state->path, ".XXXXXX", NULL);
    int fd = g_mkstemp(probe);

    if (fd < 0) {
        qmp_error_set(error, "failed to create '%s': %s", probe, g_strerror(errno));
        return FALSE;
    }
    close(fd);
    g_unlink(probe);
    return TRUE;
}

gboolean state_check(State *state, GError **error)
{
    g_autofree char *directory = g_path_get_dirname(state->path);

    if (!places_has_room(directory) && !try_to_write(state, error))
        return FALSE;
    return state_is_marked_frozen(state) || state_unmark_frozen(state->mark, error);
}
