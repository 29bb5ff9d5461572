/* SPDX-License-Identifier: GPL-2.0-or-later */

/* users-win32: guest-get-users of Windows: who has a session, at the screen or from afar. */

#include <string.h>

#include "agent/dispatch.h"
#include "agent/system-win32.h"
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
static double seconds_since_1970(gint64 ticks)
{
    return (double)(ticks - G_GINT64_CONSTANT(116444736000000000)) / 1e7;
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

static void add_session(gpointer users, const SystemWin32Session *session)
{
    User *user;

    if (session->name[0] == 0)
        return;
    user = g_new(User, 1);
    *user = (User){
        .name = g_utf16_to_utf8(session->name, -1, NULL, NULL, NULL),
        .domain = g_utf16_to_utf8(session->domain, -1, NULL, NULL, NULL),
        .since = seconds_since_1970(session->since),
    };
    if (user->name != NULL && user->domain != NULL)
        add_user(users, user);
    else
        user_free(user);
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
    DWORD code = commands->system->win32->list_sessions(add_session, users);

    if (code != ERROR_SUCCESS)
        return win32_error_set(error, code, "failed to list the sessions");
    g_ptr_array_sort(users, compare_users);
    write_users(call_result(call), users);
    return TRUE;
}
