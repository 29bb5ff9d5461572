/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * users: guest-get-users.
 *
 * Who is logged in is noted in utmp. Distributions give that up, since its seconds have 32 bits;
 * where it has nobody, logind's notes are read, which it has beside each session.
 */

#include <string.h>

#include "agent/dispatch.h"
#include "text-file.h"
#include "utmp.h"

typedef struct {
    char *name;
    guint64 since; /* microseconds since 1970 */
} User;

static void user_free(gpointer data)
{
    User *user = data;

    g_free(user->name);
    g_free(user);
}

/* Of several logins of one user the first is told. @name: (transfer full) */
static void add_user(GHashTable *users, char *name, guint64 since)
{
    User *user = g_hash_table_lookup(users, name);

    if (user == NULL) {
        user = g_new(User, 1);
        *user = (User){name, since};
        g_hash_table_insert(users, name, user);
        return;
    }
    user->since = MIN(user->since, since);
    g_free(name);
}

/* ---- utmp ------------------------------------------------------------------------------------ */

static void read_utmp(const System *system, GHashTable *users)
{
    gsize len = 0;
    g_autofree char *text = text_file_read(system, "/var/run/utmp", &len, NULL);
    UtmpRecord entry;

    for (gsize at = 0; text != NULL && len - at >= sizeof entry; at += sizeof entry) {
        memcpy(&entry, text + at, sizeof entry);
        if (entry.type != UTMP_USER_PROCESS || entry.user[0] == '\0')
            continue;
        add_user(users, g_strndup(entry.user, sizeof entry.user),
                 (guint64)entry.seconds * G_USEC_PER_SEC + entry.microseconds % G_USEC_PER_SEC);
    }
}

/* ---- logind ---------------------------------------------------------------------------------- */

static const char sessions_path[] = "/run/systemd/sessions";

/* What a session's file must say of it. */
typedef struct {
    const char *user;
    const char *class;
    const char *state;
    const char *since;
} Session;

static Session parse_session(char *text)
{
    Session session = {NULL};
    char *line;
    const struct {
        const char *key;
        const char **value;
    } keys[] = {
        {"USER=", &session.user},
        {"CLASS=", &session.class},
        {"STATE=", &session.state},
        {"REALTIME=", &session.since},
    };

    while ((line = text_next_line(&text)) != NULL) {
        for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
            if (g_str_has_prefix(line, keys[i].key))
                *keys[i].value = line + strlen(keys[i].key);
        }
    }
    return session;
}

/* Not a login screen, not what runs in the background, not one that has ended but for what it left
 * behind. */
static gboolean is_login(const Session *session)
{
    return session->user != NULL && *session->user != '\0' && session->since != NULL &&
           session->class != NULL && g_str_has_prefix(session->class, "user") &&
           g_strcmp0(session->state, "closing") != 0;
}

static void read_session(const System *system, const char *name, GHashTable *users)
{
    g_autofree char *path = g_build_filename(sessions_path, name, NULL);
    g_autofree char *text = text_file_read(system, path, NULL, NULL);
    Session session;
    guint64 since;

    if (text == NULL) /* a FIFO beside it, or it has just ended */
        return;
    session = parse_session(text);
    if (is_login(&session) && text_read_number(session.since, 10, &since))
        add_user(users, g_strdup(session.user), since);
}

static void read_sessions(const System *system, GHashTable *users)
{
    g_autofree char *path = g_strconcat(system->root, sessions_path, NULL);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL)
        read_session(system, name, users);
}

/* ---- The command ----------------------------------------------------------------------------- */

static int compare_users(gconstpointer a, gconstpointer b)
{
    const User *first = a, *second = b;

    if (first->since != second->since)
        return first->since < second->since ? -1 : 1;
    return strcmp(first->name, second->name);
}

gboolean guest_get_users(Commands *commands, Call *call, GError **error)
{
    g_autoptr(GHashTable) users = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, user_free);
    g_autoptr(GList) sorted = NULL;
    JsonWrite *write = call_result(call);

    read_utmp(commands->system, users);
    if (g_hash_table_size(users) == 0)
        read_sessions(commands->system, users);
    sorted = g_list_sort(g_hash_table_get_values(users), compare_users);
    json_write_begin_array(write);
    for (const GList *link = sorted; link != NULL; link = link->next) {
        const User *user = link->data;

        json_write_begin_object(write);
        json_write_member_string(write, "user", user->name);
        json_write_key(write, "login-time");
        json_write_double(write, (double)user->since / G_USEC_PER_SEC);
        json_write_end_object(write);
    }
    json_write_end_array(write);
    return TRUE;
}
