/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "keeper.h"

#include "service.h"

#include <string.h>

#define PREFIX "qga-kept-"

/* Returns: (transfer full): what all names of a machine begin with. A manager takes printable ASCII
 * without colons, and a slash in a name is escaped too. */
static char *name_prefix(const char *machine)
{
    g_autofree char *escaped = g_uri_escape_string(machine, NULL, FALSE);

    return g_strconcat(PREFIX, escaped, "/", NULL);
}

static void keep(const char *name, int fd, gpointer prefix)
{
    g_autofree char *stored = g_strconcat(prefix, name, NULL);
    g_autoptr(GError) error = NULL;

    if (fd < 0)
        service_remove_stored(stored);
    else if (!service_store(stored, fd, &error))
        g_warning("%s", error->message);
}

gboolean keeper_start(QgaProxy *proxy, const char *machine, GError **error)
{
    return qga_proxy_set_keep(proxy, keep, name_prefix(machine), g_free, error);
}

void keeper_end(QgaProxy *proxy)
{
    qga_proxy_set_keep(proxy, NULL, NULL, NULL, NULL);
}

void kept_find(Kept *kept)
{
    kept->stored = service_take_stored(PREFIX, TRUE);
}

static void drop(Kept *kept, const char *prefix)
{
    GHashTableIter each;
    gpointer name;

    if (!kept->stored)
        return;
    g_hash_table_iter_init(&each, kept->stored);
    while (g_hash_table_iter_next(&each, &name, NULL))
        if (g_str_has_prefix(name, prefix)) {
            service_remove_stored(name);
            g_hash_table_iter_remove(&each);
        }
}

/* Without the journal nothing can be made of the others. */
void kept_take(Kept *kept, const char *machine, KeptPart *ret_part)
{
    g_autofree char *prefix = name_prefix(machine);
    g_autofree char *journal = g_strconcat(prefix, "journal", NULL);
    gboolean whole = kept->stored && g_hash_table_contains(kept->stored, journal);
    GHashTableIter each;
    gpointer name, fd;

    if (!whole) {
        drop(kept, prefix);
        return;
    }
    ret_part->names = g_ptr_array_new_with_free_func(g_free);
    ret_part->descriptors = g_unix_fd_list_new();
    g_hash_table_iter_init(&each, kept->stored);
    while (g_hash_table_iter_next(&each, &name, &fd)) {
        if (!g_str_has_prefix(name, prefix))
            continue;
        if (g_unix_fd_list_append(ret_part->descriptors, GPOINTER_TO_INT(fd), NULL) >= 0)
            g_ptr_array_add(ret_part->names, g_strdup((const char *)name + strlen(prefix)));
        g_hash_table_iter_remove(&each);
    }
    g_ptr_array_add(ret_part->names, NULL);
}

void kept_part_drop(KeptPart *part, const char *machine)
{
    g_autofree char *prefix = name_prefix(machine);

    for (guint i = 0; part->names && part->names->pdata[i]; i++)
        keep(part->names->pdata[i], -1, prefix);
}

void kept_part_clear(KeptPart *part)
{
    g_clear_pointer(&part->names, g_ptr_array_unref);
    g_clear_object(&part->descriptors);
}

void kept_drop(Kept *kept)
{
    drop(kept, PREFIX);
}

void kept_clear(Kept *kept)
{
    g_clear_pointer(&kept->stored, g_hash_table_unref);
}
