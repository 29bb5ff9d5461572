/* SPDX-License-Identifier: GPL-2.0-or-later */

/* ssh-keys: guest-ssh-get-authorized-keys, -add-authorized-keys, -remove-authorized-keys. */

#include <string.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"
#include "keyring.h"

/* ---- Lines ----------------------------------------------------------------------------------- */

typedef struct {
    const char *text;
    gsize len;
} Line;

/* @at: where the next one begins; none left: FALSE */
static gboolean next_line(const GString *text, gsize *at, Line *ret)
{
    const char *start = text->str + *at, *end;

    if (*at >= text->len)
        return FALSE;
    end = memchr(start, '\n', text->len - *at);
    *ret = (Line){start, end != NULL ? (gsize)(end - start) : text->len - *at};
    *at += ret->len + 1;
    return TRUE;
}

static gboolean is_comment(Line line)
{
    while (line.len > 0 && g_ascii_isspace(*line.text))
        line = (Line){line.text + 1, line.len - 1};
    return line.len == 0 || *line.text == '#';
}

/* Returns: (transfer full): set of GBytes */
static GHashTable *set_of_keys(const GArray *keys)
{
    GHashTable *set = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                            (GDestroyNotify)(gpointer)g_bytes_unref, NULL);

    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);

        g_hash_table_add(set, g_bytes_new_static(key, strlen(key)));
    }
    return set;
}

static gboolean has_line(GHashTable *set, Line line)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(line.text, line.len);

    return g_hash_table_contains(set, bytes);
}

/* What would be read back as something else than this one key. */
static gboolean check_keys(const GArray *keys, GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);

        if (strpbrk(key, "\n\r") != NULL || is_comment((Line){key, strlen(key)})) {
            qmp_error_set(error, "invalid OpenSSH public key: '%.4096s'", key);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static void write_keys(JsonWrite *write, const GString *text)
{
    gsize at = 0;
    Line line;

    json_write_begin_object(write);
    json_write_key(write, "keys");
    json_write_begin_array(write);
    while (next_line(text, &at, &line)) {
        if (!is_comment(line))
            json_write_string_len(write, line.text, line.len);
    }
    json_write_end_array(write);
    json_write_end_object(write);
}

gboolean guest_ssh_get_authorized_keys(Commands *commands,
                                       const GuestSshGetAuthorizedKeysArguments *args, Call *call,
                                       GError **error)
{
    g_autoptr(Keyring) keyring = keyring_open(commands->system, args->username, FALSE, error);
    g_autoptr(GString) text = keyring != NULL ? keyring_read(keyring, TRUE, error) : NULL;

    if (text == NULL)
        return FALSE;
    write_keys(call_result(call), text);
    return TRUE;
}

/* Those that are there already, here or in @keys before, are not added again. */
static void add_keys(GString *text, const GArray *keys)
{
    g_autoptr(GHashTable) missing = set_of_keys(keys);
    gsize at = 0;
    Line line;

    while (next_line(text, &at, &line)) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(line.text, line.len);

        g_hash_table_remove(missing, bytes);
    }
    if (text->len > 0 && text->str[text->len - 1] != '\n')
        g_string_append_c(text, '\n');
    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);
        g_autoptr(GBytes) bytes = g_bytes_new_static(key, strlen(key));

        if (g_hash_table_remove(missing, bytes))
            g_string_append_printf(text, "%s\n", key);
    }
}

gboolean guest_ssh_add_authorized_keys(Commands *commands,
                                       const GuestSshAddAuthorizedKeysArguments *args, Call *call,
                                       GError **error)
{
    g_autoptr(Keyring) keyring = NULL;
    g_autoptr(GString) text = NULL;

    if (!check_keys(args->keys, error))
        return FALSE;
    keyring = keyring_open(commands->system, args->username, TRUE, error);
    if (keyring == NULL)
        return FALSE;
    text = args->reset ? g_string_new(NULL) : keyring_read(keyring, FALSE, error);
    if (text == NULL)
        return FALSE;
    add_keys(text, args->keys);
    return keyring_write(keyring, text, error);
}

/* Returns: (transfer full): all other lines, comments too */
static GString *remove_keys(const GString *text, const GArray *keys)
{
    g_autoptr(GHashTable) unwanted = set_of_keys(keys);
    GString *rest = g_string_new(NULL);
    gsize at = 0;
    Line line;

    while (next_line(text, &at, &line)) {
        if (has_line(unwanted, line))
            continue;
        g_string_append_len(rest, line.text, (gssize)line.len);
        g_string_append_c(rest, '\n');
    }
    return rest;
}

gboolean guest_ssh_remove_authorized_keys(Commands *commands,
                                          const GuestSshRemoveAuthorizedKeysArguments *args,
                                          Call *call, GError **error)
{
    g_autoptr(Keyring) keyring = NULL;
    g_autoptr(GString) text = NULL;
    g_autoptr(GString) rest = NULL;

    if (!check_keys(args->keys, error))
        return FALSE;
    keyring = keyring_open(commands->system, args->username, FALSE, error);
    text = keyring != NULL ? keyring_read(keyring, FALSE, error) : NULL;
    if (text == NULL)
        return FALSE;
    rest = remove_keys(text, args->keys);
    return g_string_equal(text, rest) || keyring_write(keyring, rest, error);
}
