/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "keeper.h"

#include "service.h"

#include <string.h>

#define PREFIX "qga-kept-"

static void keep(const char *name, int fd, gpointer unused)
{
    g_autofree char *stored = g_strconcat(PREFIX, name, NULL);
    g_autoptr(GError) error = NULL;

    if (fd < 0)
        service_remove_stored(stored);
    else if (!service_store(stored, fd, &error))
        g_warning("%s", error->message);
}

gboolean keeper_start(QgaProxy *proxy, GError **error)
{
    return qga_proxy_set_keep(proxy, keep, NULL, NULL, error);
}

void keeper_end(QgaProxy *proxy)
{
    qga_proxy_set_keep(proxy, NULL, NULL, NULL, NULL);
}

void kept_find(Kept *kept)
{
    g_autoptr(GHashTable) stored = service_take_stored(PREFIX, TRUE);
    GHashTableIter each;
    gpointer name, fd;

    if (!g_hash_table_contains(stored, PREFIX "journal"))
        return;
    kept->names = g_ptr_array_new_with_free_func(g_free);
    kept->descriptors = g_unix_fd_list_new();
    g_hash_table_iter_init(&each, stored);
    while (g_hash_table_iter_next(&each, &name, &fd))
        if (g_unix_fd_list_append(kept->descriptors, GPOINTER_TO_INT(fd), NULL) >= 0)
            g_ptr_array_add(kept->names, g_strdup((const char *)name + strlen(PREFIX)));
    g_ptr_array_add(kept->names, NULL);
}

void kept_drop(Kept *kept)
{
    for (guint i = 0; kept->names && kept->names->pdata[i]; i++)
        keep(kept->names->pdata[i], -1, NULL);
}

void kept_clear(Kept *kept)
{
    g_clear_pointer(&kept->names, g_ptr_array_unref);
    g_clear_object(&kept->descriptors);
}
