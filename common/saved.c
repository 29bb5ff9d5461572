/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "saved.h"

void saved_put_int(Saved *saved, const char *name, gint64 value)
{
    if (value != 0)
        g_variant_dict_insert_value(saved, name, g_variant_new_int64(value));
}

gint64 saved_get_int(Saved *saved, const char *name)
{
    gint64 value = 0;

    g_variant_dict_lookup(saved, name, "x", &value);
    return value;
}

/* As bytes: a log line or a name of a client's making need not be UTF-8. */
void saved_put_text(Saved *saved, const char *name, const char *text)
{
    if (text)
        g_variant_dict_insert(saved, name, "^ay", text);
}

char *saved_get_text(Saved *saved, const char *name)
{
    char *text = NULL;

    g_variant_dict_lookup(saved, name, "^ay", &text);
    return text;
}

void saved_put_bytes(Saved *saved, const char *name, gconstpointer bytes, gsize len)
{
    if (bytes)
        g_variant_dict_insert_value(saved, name,
                                    g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, len, 1));
}

/* A copy: as a part of the whole state they would keep all of it in memory. */
GBytes *saved_get_bytes(Saved *saved, const char *name)
{
    g_autoptr(GVariant) value = g_variant_dict_lookup_value(saved, name, G_VARIANT_TYPE_BYTESTRING);

    return value ? g_bytes_new(g_variant_get_data(value), g_variant_get_size(value)) : NULL;
}

void saved_put_part(Saved *saved, const char *name, Saved *part)
{
    g_variant_dict_insert_value(saved, name, g_variant_dict_end(part));
}

gboolean saved_get_part(Saved *saved, const char *name, Saved *part)
{
    g_autoptr(GVariant) value = g_variant_dict_lookup_value(saved, name, G_VARIANT_TYPE_VARDICT);

    g_variant_dict_init(part, value);
    return value != NULL;
}

SavedList *saved_list_new(void)
{
    return g_ptr_array_new();
}

void saved_list_add(SavedList *list, Saved *item)
{
    g_ptr_array_add(list, g_variant_dict_end(item));
}

void saved_put_list(Saved *saved, const char *name, SavedList *list)
{
    if (list->len > 0)
        g_variant_dict_insert_value(
            saved, name,
            g_variant_new_array(G_VARIANT_TYPE_VARDICT, (GVariant *const *)list->pdata, list->len));
    g_ptr_array_unref(list);
}

void saved_foreach(Saved *saved, const char *name, void (*func)(Saved *item, gpointer data),
                   gpointer data)
{
    g_autoptr(GVariant) list = g_variant_dict_lookup_value(saved, name, G_VARIANT_TYPE("aa{sv}"));
    gsize n = list ? g_variant_n_children(list) : 0;

    for (gsize i = 0; i < n; i++) {
        g_autoptr(GVariant) value = g_variant_get_child_value(list, i);
        Saved item;

        g_variant_dict_init(&item, value);
        func(&item, data);
        g_variant_dict_clear(&item);
    }
}

typedef struct {
    const char *key;
    const char *text;
    GVariant *found;
} Search;

static void compare(Saved *item, gpointer data)
{
    Search *search = data;
    g_autofree char *text = saved_get_text(item, search->key);

    if (!search->found && g_strcmp0(text, search->text) == 0)
        search->found = g_variant_ref_sink(g_variant_dict_end(item));
}

gboolean saved_find(Saved *saved, const char *name, const char *key, const char *text, Saved *ret)
{
    Search search = {key, text, NULL};

    saved_foreach(saved, name, compare, &search);
    g_variant_dict_init(ret, search.found);
    if (search.found)
        g_variant_unref(search.found);
    return search.found != NULL;
}
