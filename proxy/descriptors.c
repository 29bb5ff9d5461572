/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "descriptors.h"

#include "common/limits.h"
#include "common/qmp-error.h"

#include <string.h>

typedef struct {
    gpointer owner; /* (nullable): NULL once it has left */
    gboolean live;  /* QEMU has it */
    gboolean closing;
    guint under_way; /* getfds of it that are not answered */
} Name;

void descriptors_init(Descriptors *descriptors)
{
    descriptors->names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

void descriptors_clear(Descriptors *descriptors)
{
    g_hash_table_unref(descriptors->names);
}

/* ---- Names ----------------------------------------------------------------------------------- */

static guint count_of(const Descriptors *descriptors, gpointer owner)
{
    GHashTableIter iter;
    gpointer name;
    guint count = 0;

    g_hash_table_iter_init(&iter, descriptors->names);
    while (g_hash_table_iter_next(&iter, NULL, &name))
        count += ((const Name *)name)->owner == owner;
    return count;
}

static gboolean take_name(Descriptors *descriptors, const char *text, gpointer owner,
                          GError **error)
{
    Name *name = g_hash_table_lookup(descriptors->names, text);

    if (strlen(text) > LIMIT_FD_NAME) {
        qmp_error_set(error, "Parameter 'fdname' has %" G_GSIZE_FORMAT " bytes, at most %u",
                      strlen(text), LIMIT_FD_NAME);
        return FALSE;
    }
    if (name && name->owner != owner) {
        qmp_error_set(error, "File descriptor name '%s' is in use by another client", text);
        return FALSE;
    }
    if (!name && count_of(descriptors, owner) >= LIMIT_CLIENT_FD_NAMES) {
        qmp_error_set(error, "A client may hold %u named file descriptors at most",
                      LIMIT_CLIENT_FD_NAMES);
        return FALSE;
    }
    if (!name) {
        name = g_new(Name, 1);
        *name = (Name){.owner = owner};
        g_hash_table_insert(descriptors->names, g_strdup(text), name);
    }
    name->under_way++;
    return TRUE;
}

/* In QEMU, too, nobody but the monitor that made it can tell that there is one. */
static gboolean may_close(const Descriptors *descriptors, const char *text, gpointer owner,
                          GError **error)
{
    const Name *name = g_hash_table_lookup(descriptors->names, text);

    if (!name || name->owner == owner)
        return TRUE;
    qmp_error_set(error, "File descriptor named '%s' not found", text);
    return FALSE;
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the fdname, where that is all there is */
static char *read_fdname(JsonSpan arguments)
{
    JsonWalk walk = json_read_walk(arguments);
    JsonSpan key, value = JSON_SPAN_NONE;
    guint members = 0;

    while (json_read_member(&walk, &key, &value))
        if (!json_read_is(key, "fdname") || members++ > 0)
            return NULL;
    return json_read_string(value);
}

/* QEMU checks the arguments before it looks for a descriptor. */
static gboolean is_add_fd(JsonSpan arguments)
{
    JsonWalk walk = json_read_walk(arguments);
    JsonSpan key, value;
    gint64 number;

    while (json_read_member(&walk, &key, &value))
        if (!(json_read_is(key, "fdset-id") && json_read_int64(value, &number)) &&
            !(json_read_is(key, "opaque") && json_read_kind(value) == JSON_KIND_STRING))
            return FALSE;
    return TRUE;
}

/* QEMU would take what another client left behind. */
static gboolean has_brought_one(const DescriptorsAsker *asker, GError **error)
{
    if (asker->has_fd)
        return TRUE;
    qmp_error_set(error, asker->local
                             ? "No file descriptor supplied via SCM_RIGHTS"
                             : "No file descriptor supplied via SCM_RIGHTS, which needs a client "
                               "on a unix socket");
    return FALSE;
}

gboolean descriptors_admit(Descriptors *descriptors, const EnvelopeCommand *command,
                           const DescriptorsAsker *asker, gboolean *ret_carries, GError **error)
{
    g_autofree char *fdname = NULL;

    *ret_carries = FALSE;
    if (command->oob) /* QEMU refuses it for that */
        return TRUE;
    if (g_str_equal(command->name, "add-fd") && is_add_fd(command->arguments)) {
        *ret_carries = has_brought_one(asker, error);
        return *ret_carries;
    }
    if (!g_str_equal(command->name, "getfd") && !g_str_equal(command->name, "closefd"))
        return TRUE;
    fdname = read_fdname(command->arguments);
    if (!fdname) /* QEMU refuses it in its own words */
        return TRUE;
    if (g_str_equal(command->name, "closefd"))
        return may_close(descriptors, fdname, asker->owner, error);
    if (!has_brought_one(asker, error) || !take_name(descriptors, fdname, asker->owner, error))
        return FALSE;
    *ret_carries = TRUE;
    return TRUE;
}

void descriptors_answered(Descriptors *descriptors, const char *command, JsonSpan arguments,
                          gboolean carried, gboolean success)
{
    gboolean made = carried && g_str_equal(command, "getfd");
    gboolean closed = success && g_str_equal(command, "closefd");
    g_autofree char *fdname = made || closed ? read_fdname(arguments) : NULL;
    Name *name = fdname ? g_hash_table_lookup(descriptors->names, fdname) : NULL;

    if (!name)
        return;
    if (made)
        name->under_way--;
    name->live = made ? name->live || success : FALSE;
    if (!name->live && name->under_way == 0)
        g_hash_table_remove(descriptors->names, fdname);
}

/* ---- Who leaves ------------------------------------------------------------------------------ */

void descriptors_leave(Descriptors *descriptors, gpointer owner)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, descriptors->names);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Name *name = value;

        if (name->owner == owner)
            name->owner = NULL;
    }
}

void descriptors_close_left(Descriptors *descriptors,
                            void (*close)(const char *name, gpointer data), gpointer data)
{
    g_autoptr(GPtrArray) left = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer text, value;

    g_hash_table_iter_init(&iter, descriptors->names);
    while (g_hash_table_iter_next(&iter, &text, &value)) {
        Name *name = value;

        if (name->owner || !name->live || name->closing)
            continue;
        name->closing = TRUE;
        g_ptr_array_add(left, g_strdup(text));
    }
    for (guint i = 0; i < left->len; i++)
        close(left->pdata[i], data);
}

void descriptors_closed(Descriptors *descriptors, const char *name, gboolean done)
{
    Name *known = g_hash_table_lookup(descriptors->names, name);

    /* Its former owner may have closed it meanwhile, and another made it anew. */
    if (!known || !known->closing)
        return;
    known->closing = FALSE;
    if (done)
        g_hash_table_remove(descriptors->names, name);
}

guint descriptors_count(const Descriptors *descriptors)
{
    return g_hash_table_size(descriptors->names);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void descriptors_save(const Descriptors *descriptors, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();
    GHashTableIter iter;
    gpointer text, value;

    g_hash_table_iter_init(&iter, descriptors->names);
    while (g_hash_table_iter_next(&iter, &text, &value)) {
        const Name *name = value;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_text(&item, "name", text);
        handover_put_party(handover, &item, "owner", name->owner);
        saved_put_int(&item, "live", name->live);
        saved_put_int(&item, "under-way", name->under_way);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "names", list);
}

static void restore_name(const HandoverPart *item, gpointer data)
{
    Descriptors *descriptors = data;
    char *text = saved_get_text(item->from, "name");
    Name *name;

    if (!text)
        return;
    name = g_new(Name, 1);
    *name = (Name){
        .owner = handover_get_party(item, "owner"),
        .live = saved_get_int(item->from, "live") != 0,
        .under_way = (guint)saved_get_int(item->from, "under-way"),
    };
    g_hash_table_insert(descriptors->names, text, name);
}

void descriptors_restore(Descriptors *descriptors, const HandoverPart *part)
{
    handover_foreach(part, "names", restore_name, descriptors);
}
