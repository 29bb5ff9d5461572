/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "option.h"

#include <json-glib/json-glib.h>
#include <string.h>

G_DEFINE_QUARK(option_error, option_error)

typedef struct {
    char *key;
    char *value;
} Pair;

struct Option {
    char *text;         /* (nullable): as it was given, until something of it is changed */
    char *first;        /* (nullable): the key that stands in front without its name */
    GArray *pairs;      /* of Pair, plain values only */
    JsonObject *object; /* (nullable): where it was JSON */
};

static void pair_clear(gpointer data)
{
    Pair *pair = data;

    g_free(pair->key);
    g_free(pair->value);
}

static void add(Option *option, const char *key, const char *value)
{
    Pair pair = {g_strdup(key), g_strdup(value)};

    g_array_append_val(option->pairs, pair);
}

/* ---- Keys and values ------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): up to the next single comma, doubled ones made one; NULL
 * behind the last part. Moves *at behind it. @ret_equals: (nullable) (out): where its value begins,
 * or 0 */
static char *next_part(const char **at, gsize *ret_equals)
{
    g_autoptr(GString) part = g_string_new(NULL);
    const char *c = *at;

    if (!c || *c == '\0')
        return NULL;
    *ret_equals = 0;
    for (; *c != '\0'; c++) {
        if (c[0] == ',' && c[1] != ',')
            break;
        c += c[0] == ',';
        if (*c == '=' && *ret_equals == 0)
            *ret_equals = part->len + 1;
        g_string_append_c(part, *c);
    }
    *at = *c == ',' ? c + 1 : NULL;
    return g_string_free(g_steal_pointer(&part), FALSE);
}

static void read_pairs(Option *option, const char *text)
{
    const char *at = text;
    gboolean in_front = TRUE;
    gsize equals;
    char *part;

    while ((part = next_part(&at, &equals))) {
        if (equals > 0) {
            part[equals - 1] = '\0';
            add(option, part, part + equals);
        } else if (in_front && option->first) {
            add(option, option->first, part);
        } else if (g_str_has_prefix(part, "no")) {
            add(option, part + 2, "off");
        } else {
            add(option, part, "on");
        }
        in_front = FALSE;
        g_free(part);
    }
}

void option_append_escaped(GString *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == ',')
            g_string_append_c(text, ',');
        g_string_append_c(text, *value);
    }
}

static char *pairs_to_text(const Option *option)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < option->pairs->len; i++) {
        const Pair *pair = &g_array_index(option->pairs, Pair, i);

        if (i > 0)
            g_string_append_c(text, ',');
        if (i > 0 || g_strcmp0(pair->key, option->first) != 0)
            g_string_append_printf(text, "%s=", pair->key);
        option_append_escaped(text, pair->value);
    }
    return g_string_free(text, FALSE);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void read_member(JsonObject *object, const char *key, JsonNode *node, gpointer data)
{
    Option *option = data;
    GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_INVALID;
    g_autofree char *number = NULL;

    if (type == G_TYPE_STRING) {
        add(option, key, json_node_get_string(node));
    } else if (type == G_TYPE_BOOLEAN) {
        add(option, key, json_node_get_boolean(node) ? "on" : "off");
    } else if (type == G_TYPE_INT64) {
        number = g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
        add(option, key, number);
    }
}

static gboolean read_json(Option *option, const char *text, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autoptr(JsonNode) root = json_from_string(text, &trouble);

    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, OPTION_ERROR, OPTION_ERROR_SYNTAX, "it is no JSON object%s%s",
                    trouble ? ": " : "", trouble ? trouble->message : "");
        return FALSE;
    }
    option->object = json_node_dup_object(root);
    json_object_foreach_member(option->object, read_member, option);
    return TRUE;
}

static char *object_to_text(JsonObject *object)
{
    g_autoptr(JsonNode) root = json_node_alloc();

    json_node_init_object(root, object);
    return json_to_string(root, FALSE);
}

/* ---- Both ------------------------------------------------------------------------------------ */

Option *option_new(void)
{
    Option *option = g_new0(Option, 1);

    option->pairs = g_array_new(FALSE, FALSE, sizeof(Pair));
    g_array_set_clear_func(option->pairs, pair_clear);
    return option;
}

Option *option_parse(const char *text, const char *first, GError **error)
{
    g_autoptr(Option) option = option_new();

    option->text = g_strdup(text);
    option->first = g_strdup(first);
    if (text[0] != '{')
        read_pairs(option, text);
    else if (!read_json(option, text, error))
        return NULL;
    return g_steal_pointer(&option);
}

void option_free(Option *option)
{
    if (!option)
        return;
    g_clear_pointer(&option->object, json_object_unref);
    g_array_unref(option->pairs);
    g_free(option->first);
    g_free(option->text);
    g_free(option);
}

const char *option_get(const Option *option, const char *key)
{
    const char *found = NULL;

    for (guint i = 0; i < option->pairs->len; i++) {
        const Pair *pair = &g_array_index(option->pairs, Pair, i);

        if (strcmp(pair->key, key) == 0)
            found = pair->value;
    }
    return found;
}

gboolean option_get_switch(const Option *option, const char *key, gboolean fallback,
                           gboolean *ret_on, GError **error)
{
    static const char *const on[] = {"on", "yes", "true", "y", NULL};
    static const char *const off[] = {"off", "no", "false", "n", NULL};
    const char *value = option_get(option, key);

    *ret_on = value ? g_strv_contains(on, value) : fallback;
    if (!value || *ret_on || g_strv_contains(off, value))
        return TRUE;
    g_set_error(error, OPTION_ERROR, OPTION_ERROR_SYNTAX, "'%s' is on or off, not '%s'", key,
                value);
    return FALSE;
}

const char *option_find_unknown(const Option *option, const char *const *known)
{
    for (guint i = 0; i < option->pairs->len; i++) {
        const Pair *pair = &g_array_index(option->pairs, Pair, i);

        if (!g_strv_contains(known, pair->key))
            return pair->key;
    }
    return NULL;
}

void option_remove(Option *option, const char *key)
{
    for (guint i = option->pairs->len; i > 0; i--)
        if (strcmp(g_array_index(option->pairs, Pair, i - 1).key, key) == 0)
            g_array_remove_index(option->pairs, i - 1);
    if (option->object)
        json_object_remove_member(option->object, key);
    g_clear_pointer(&option->text, g_free);
}

void option_set(Option *option, const char *key, const char *value)
{
    guint kept = 0;

    if (option->object)
        json_object_set_string_member(option->object, key, value);
    g_clear_pointer(&option->text, g_free);
    for (guint i = option->pairs->len; i > 0; i--) {
        Pair *pair = &g_array_index(option->pairs, Pair, i - 1);

        if (strcmp(pair->key, key) != 0)
            continue;
        if (kept++ > 0) {
            g_array_remove_index(option->pairs, i - 1);
            continue;
        }
        g_free(pair->value);
        pair->value = g_strdup(value);
    }
    if (kept == 0)
        add(option, key, value);
}

void option_foreach(const Option *option,
                    void (*func)(const char *key, const char *value, gpointer data), gpointer data)
{
    for (guint i = 0; i < option->pairs->len; i++) {
        const Pair *pair = &g_array_index(option->pairs, Pair, i);

        func(pair->key, pair->value, data);
    }
}

void option_assign(Option *option, const Option *other)
{
    g_clear_pointer(&option->object, json_object_unref);
    g_clear_pointer(&option->text, g_free);
    g_free(option->first);
    option->first = g_strdup(other->first);
    g_array_set_size(option->pairs, 0);
    for (guint i = 0; i < other->pairs->len; i++)
        add(option, g_array_index(other->pairs, Pair, i).key,
            g_array_index(other->pairs, Pair, i).value);
}

char *option_to_text(const Option *option)
{
    if (option->text)
        return g_strdup(option->text);
    return option->object ? object_to_text(option->object) : pairs_to_text(option);
}
