/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * system-win32: what commands ask of Windows, beside what system.h has for every system, that a
 * test must not do for real, or that Wine lacks.
 *
 * Calls that can fail return Windows' error code, 0 for success.
 */

#pragma once

#include <glib.h>
#include <winsock2.h>
#include <windows.h>

typedef struct SystemWin32 SystemWin32;

/* One of the guest's users. */
typedef struct {
    char *sid; /* S-1-5-… */
    /* Whose keys stand in one file of all of them; then @folder is that of all programs' data. */
    gboolean is_administrator;
    wchar_t *folder; /* else the user's profile */
} SystemWin32User;

void system_win32_user_clear(SystemWin32User *user);

/* A session of a user: one that nobody has logged in to has no name. */
typedef struct {
    const wchar_t *name;
    const wchar_t *domain;
    gint64 since; /* units of 100 ns, from 1601 */
} SystemWin32Session;

struct SystemWin32 {
    /* Of the system that runs, whatever the program is made for. */
    void (*read_version)(OSVERSIONINFOEXW *ret);
    /* Returns: (transfer full) (nullable): what the system calls itself */
    char *(*read_product)(void);
    DWORD (*set_password)(const wchar_t *user, const wchar_t *password);
    /* @flags: of InitiateShutdownW() */
    DWORD (*shut_down)(DWORD flags);
    gboolean (*can_suspend)(gboolean to_disk);
    /* Returns after the guest has woken up. May be called on any thread. */
    DWORD (*suspend)(gboolean to_disk);
    /* How many threads wait for a processor, but for those that have one. */
    DWORD (*read_queue_length)(double *ret);
    /* @found: called for each. May be called on any thread. */
    DWORD(*list_sessions)
    (void (*found)(gpointer user, const SystemWin32Session *session), gpointer user);
    /* @ret: (transfer full); to be cleared in either case */
    DWORD (*find_user)(const wchar_t *name, SystemWin32User *ret);
    /**
     * Keeps volumes frozen, on a thread of its own, until @thaw is set or Windows' patience, 10 s,
     * is at its end.
     * @volumes: (nullable): folders that show them, NULL at the end; NULL for all that can be
     * frozen
     * @frozen: called, on that thread, once they are
     *
     * Returns: FALSE with @error, also where they were not frozen until @thaw was set
     */
    gboolean (*hold)(const char *const *volumes, HANDLE thaw,
                     void (*frozen)(gpointer user, guint count), gpointer user, GError **error);
};
