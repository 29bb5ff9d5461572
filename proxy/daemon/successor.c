/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "successor.h"

#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* To a successor in the same process: number of the descriptor that has the state. */
#define STATE_VARIABLE "QGA_PROXYD_STATE"

/* To one that the service manager starts: names of what is left with it, the second with a number
 * behind; all of them begin like it. */
#define STORED_STATE      "qga-proxyd-state"
#define STORED_DESCRIPTOR "qga-proxyd-"

/* Of each machine its name, its state, and the numbers that its descriptors have in the process
 * that wrote it. */
#define FORMAT "a(sa{sv}ai)"

static void part_free(gpointer data)
{
    Part *part = data;

    g_free(part->name);
    g_clear_pointer(&part->state, g_variant_unref);
    g_clear_object(&part->descriptors);
    g_free(part);
}

static Part *add_part(Estate *estate, const char *name)
{
    Part *part = g_new0(Part, 1);

    part->name = g_strdup(name);
    if (!estate->parts)
        estate->parts = g_ptr_array_new_with_free_func(part_free);
    g_ptr_array_add(estate->parts, part);
    return part;
}

const Part *estate_find(const Estate *estate, const char *name)
{
    for (guint i = 0; estate->parts && i < estate->parts->len; i++) {
        const Part *part = estate->parts->pdata[i];

        if (g_str_equal(part->name, name))
            return part;
    }
    return NULL;
}

void estate_clear(Estate *estate)
{
    g_clear_pointer(&estate->parts, g_ptr_array_unref);
}

static void fail(GError **error, const char *what)
{
    int number = errno;

    g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "%s: %s", what,
                g_strerror(number));
}

/* ---- Leaving --------------------------------------------------------------------------------- */

static gboolean write_all(int fd, const char *bytes, gsize len)
{
    while (len > 0) {
        gssize wrote = write(fd, bytes, len);

        if (wrote < 0)
            return FALSE;
        bytes += wrote;
        len -= (gsize)wrote;
    }
    return TRUE;
}

gboolean estate_add(Estate *estate, const char *name, QgaProxy *proxy, GError **error)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    GVariant *state = qga_proxy_save(proxy, descriptors, error);
    Part *part;

    if (!state)
        return FALSE;
    part = add_part(estate, name);
    part->state = g_variant_ref_sink(state);
    part->descriptors = g_steal_pointer(&descriptors);
    return TRUE;
}

/* Returns: a descriptor of the whole, or -1 */
static int write_state(const Estate *estate, GError **error)
{
    g_auto(GVariantBuilder) parts = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE(FORMAT));
    g_autoptr(GVariant) whole = NULL;
    int fd;

    for (guint i = 0; i < estate->parts->len; i++) {
        const Part *part = estate->parts->pdata[i];
        int count;
        const int *numbers = g_unix_fd_list_peek_fds(part->descriptors, &count);

        g_variant_builder_add(&parts, "(s@a{sv}@ai)", part->name, part->state,
                              g_variant_new_fixed_array(G_VARIANT_TYPE_INT32, numbers, (gsize)count,
                                                        sizeof *numbers));
    }
    whole = g_variant_ref_sink(g_variant_builder_end(&parts));
    fd = memfd_create(STORED_STATE, MFD_CLOEXEC);
    if (fd >= 0 && write_all(fd, g_variant_get_data(whole), g_variant_get_size(whole)))
        return fd;
    fail(error, "the state cannot be written");
    if (fd >= 0)
        close(fd);
    return -1;
}

static void keep_over_exec(int fd, gboolean keep)
{
    fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* Returns: (transfer full): the numbers of all descriptors of all machines, in this order */
static GArray *list_descriptors(const Estate *estate)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(int));

    for (guint i = 0; i < estate->parts->len; i++) {
        const Part *part = estate->parts->pdata[i];
        int count;
        const int *numbers = g_unix_fd_list_peek_fds(part->descriptors, &count);

        g_array_append_vals(all, numbers, (guint)count);
    }
    return all;
}

void successor_exec(const Estate *estate, const char *program, char **argv, GError **error)
{
    g_autoptr(GArray) descriptors = list_descriptors(estate);
    g_autofree char *number = NULL;
    int fd = write_state(estate, error);

    if (fd < 0)
        return;
    number = g_strdup_printf("%d", fd);
    g_setenv(STATE_VARIABLE, number, TRUE);
    keep_over_exec(fd, TRUE);
    for (guint i = 0; i < descriptors->len; i++)
        keep_over_exec(g_array_index(descriptors, int, i), TRUE);
    execv(program, argv);
    fail(error, program);
    g_unsetenv(STATE_VARIABLE);
    close(fd);
}

static char *stored_name(guint index)
{
    return g_strdup_printf(STORED_DESCRIPTOR "%u", index);
}

/* Returns: how many were stored */
static guint store_each(const GArray *descriptors, GError **error)
{
    for (guint i = 0; i < descriptors->len; i++) {
        g_autofree char *name = stored_name(i);

        if (!service_store(name, g_array_index(descriptors, int, i), error))
            return i;
    }
    return descriptors->len;
}

gboolean successor_leave(const Estate *estate, GError **error)
{
    g_autoptr(GArray) descriptors = list_descriptors(estate);
    int fd = write_state(estate, error);
    guint stored = fd >= 0 ? store_each(descriptors, error) : 0;
    /* Last: without it the others are of no use. */
    gboolean left = fd >= 0 && stored == descriptors->len && service_store(STORED_STATE, fd, error);

    /* Else nobody would see that they are closed here. */
    for (guint i = 0; !left && i < stored; i++) {
        g_autofree char *name = stored_name(i);

        service_remove_stored(name);
    }
    if (fd >= 0)
        close(fd);
    return left;
}

/* ---- Inheriting ------------------------------------------------------------------------------ */

/* Returns: (nullable): takes @fd */
static GVariant *read_state(int fd, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new_from_fd(fd, FALSE, error);
    g_autoptr(GBytes) mapped = file ? g_mapped_file_get_bytes(file) : NULL;
    g_autoptr(GBytes) bytes = NULL;

    close(fd);
    if (!mapped)
        return NULL;
    /* A copy: the successor's own state may be in the way of the mapping's end. */
    bytes = g_bytes_new(g_bytes_get_data(mapped, NULL), g_bytes_get_size(mapped));
    return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE(FORMAT), bytes, FALSE));
}

/* Returns: (transfer full): or -1 */
static int take(GHashTable *stored, const char *name)
{
    g_autofree char *key = NULL;
    gpointer fd;

    if (!g_hash_table_steal_extended(stored, name, (gpointer *)&key, &fd))
        return -1;
    return GPOINTER_TO_INT(fd);
}

/* One that the manager did not keep is replaced by one that ends at once. */
static int take_descriptor(GHashTable *stored, guint index)
{
    g_autofree char *name = stored_name(index);
    int fd = take(stored, name);

    return fd >= 0 ? fd : g_open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* @stored: (nullable): NULL where they are in this process already
 * @first: index of the first under which they are stored */
static GUnixFDList *take_descriptors(GVariant *numbers, GHashTable *stored, guint first)
{
    gsize count;
    const gint32 *own = g_variant_get_fixed_array(numbers, &count, sizeof *own);
    g_autofree int *fds = g_new(int, count);

    for (gsize i = 0; i < count; i++) {
        fds[i] = stored ? take_descriptor(stored, first + (guint)i) : own[i];
        keep_over_exec(fds[i], FALSE);
    }
    return g_unix_fd_list_new_from_array(fds, (int)count);
}

static void take_parts(Estate *estate, GVariant *whole, GHashTable *stored)
{
    guint taken = 0;

    for (gsize i = 0; i < g_variant_n_children(whole); i++) {
        g_autoptr(GVariant) child = g_variant_get_child_value(whole, i);
        g_autoptr(GVariant) numbers = g_variant_get_child_value(child, 2);
        const char *name;
        Part *part;

        g_variant_get_child(child, 0, "&s", &name);
        part = add_part(estate, name);
        part->state = g_variant_get_child_value(child, 1);
        part->descriptors = take_descriptors(numbers, stored, taken);
        taken += (guint)g_variant_n_children(numbers);
    }
}

/* What a service that was killed while it left all, or took it, has left without a state is closed
 * here, not to be mixed up with the next. */
gboolean successor_inherit(Estate *estate, GError **error)
{
    g_autofree char *variable = g_strdup(g_getenv(STATE_VARIABLE));
    g_autoptr(GHashTable) stored = variable ? NULL : service_take_stored(STORED_DESCRIPTOR, FALSE);
    int fd = variable ? (int)g_ascii_strtoll(variable, NULL, 10) : take(stored, STORED_STATE);
    g_autoptr(GVariant) whole = NULL;

    g_unsetenv(STATE_VARIABLE);
    if (fd < 0)
        return TRUE;
    whole = read_state(fd, error);
    if (!whole)
        return FALSE;
    take_parts(estate, whole, stored);
    return TRUE;
}
