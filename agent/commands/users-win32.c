/* SPDX-License-Identifier: GPL-2.0-or-later */

/* users-win32: guest-get-users of Windows: who has a session, at the screen or from afar. */

#include <string.h>
#include <winsock2.h>
#include <windows.h>
#include <wtsapi32.h>

#include "agent/dispatch.h"
#include "agent/win32-error.h"

typedef struct {
    char *name;
    char *domain;
    double since; /* seconds since 1970 */
} User;

static void user_free(gpointer data)
{
    User *user = data;

    g_free(user->name);
    g_free(user->domain);
    g_free(user);
}

/* Windows counts in units of 100 ns, from 1601. */
static double seconds_since_1970(LARGE_INTEGER ticks)
{
    return (double)(ticks.QuadPart - G_GINT64_CONSTANT(116444736000000000)) / 1e7;
}

/* Of several sessions of one user the first is told. @user: (transfer full) */
static void add_user(GPtrArray *users, User *user)
{
    for (guint i = 0; i < users->len; i++) {
        User *other = users->pdata[i];

        if (strcmp(other->name, user->name) == 0 && strcmp(other->domain, user->domain) == 0) {
            other->since = MIN(other->since, user->since);
            user_free(user);
            return;
        }
    }
    g_ptr_array_add(users, user);
}

static void add_session(GPtrArray *users, DWORD session)
{
    WTSINFOW *info = NULL;
    DWORD size = 0;
    User *user;

    if (!WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, session, WTSSessionInfo,
                                     (LPWSTR *)(gpointer)&info, &size))
        return;
    if (size >= sizeof(*info) && info->UserName[0] != 0) {
        user = g_new(User, 1);
        *user = (User){
            .name = g_utf16_to_utf8(info->UserName, -1, NULL, NULL, NULL),
            .domain = g_utf16_to_utf8(info->Domain, -1, NULL, NULL, NULL),
            .since = seconds_since_1970(info->LogonTime),
        };
        if (user->name != NULL && user->domain != NULL)
            add_user(users, user);
        else
            user_free(user);
    }
    WTSFreeMemory(info);
}

static int compare_users(gconstpointer a, gconstpointer b)
{
    const User *first = *(const User *const *)a, *second = *(const User *const *)b;

    return (first->since > second->since) - (first->since < second->since);
}

static void write_users(JsonWrite *write, const GPtrArray *users)
{
    json_write_begin_array(write);
    for (guint i = 0; i < users->len; i++) {
        const User *user = users->pdata[i];

        json_write_begin_object(write);
        json_write_member_string(write, "user", user->name);
        json_write_key(write, "login-time");
        json_write_double(write, user->since);
        json_write_member_string(write, "domain", user->domain);
        json_write_end_object(write);
    }
    json_write_end_array(write);
}

gboolean guest_get_users(Commands *commands, Call *call, GError **error)
{
    g_autoptr(GPtrArray) users = g_ptr_array_new_with_free_func(user_free);
    WTS_SESSION_INFOW *sessions;
    DWORD count;

    if (!WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &sessions, &count))
        return win32_error_set(error, GetLastError(), "failed to list the sessions");
    for (DWORD i = 0; i < count; i++)
        add_session(users, sessions[i].SessionId);
    WTSFreeMemory(sessions);
    g_ptr_array_sort(users, compare_users);
    write_users(call_result(call), users);
    return TRUE;
}
