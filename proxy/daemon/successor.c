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

/* The state, and the numbers that the descriptors have in the process that wrote it. */
#define FORMAT "(a{sv}ai)"

void estate_clear(Estate *estate)
{
    g_clear_pointer(&estate->state, g_variant_unref);
    g_clear_object(&estate->descriptors);
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

/* Returns: a descriptor of the whole, or -1 */
static int write_state(GVariant *state, GUnixFDList *descriptors, GError **error)
{
    int count;
    const int *numbers = g_unix_fd_list_peek_fds(descriptors, &count);
    g_autoptr(GVariant) whole = g_variant_ref_sink(g_variant_new(
        "(@a{sv}@ai)", state,
        g_variant_new_fixed_array(G_VARIANT_TYPE_INT32, numbers, (gsize)count, sizeof *numbers)));
    int fd = memfd_create(STORED_STATE, MFD_CLOEXEC);

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

static void keep_all(GUnixFDList *descriptors)
{
    int count;
    const int *numbers = g_unix_fd_list_peek_fds(descriptors, &count);

    for (int i = 0; i < count; i++)
        keep_over_exec(numbers[i], TRUE);
}

void successor_exec(QgaProxy *proxy, const char *program, char **argv, GError **error)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    g_autoptr(GVariant) state = qga_proxy_save(proxy, descriptors, error);
    g_autofree char *number = NULL;
    int fd = state ? write_state(state, descriptors, error) : -1;

    if (fd < 0)
        return;
    number = g_strdup_printf("%d", fd);
    g_setenv(STATE_VARIABLE, number, TRUE);
    keep_over_exec(fd, TRUE);
    keep_all(descriptors);
    execv(program, argv);
    fail(error, program);
    g_unsetenv(STATE_VARIABLE);
    close(fd);
}

static char *stored_name(int index)
{
    return g_strdup_printf(STORED_DESCRIPTOR "%d", index);
}

/* Returns: how many were stored */
static int store_each(const int *numbers, int count, GError **error)
{
    for (int i = 0; i < count; i++) {
        g_autofree char *name = stored_name(i);

        if (!service_store(name, numbers[i], error))
            return i;
    }
    return count;
}

gboolean successor_leave(QgaProxy *proxy, GError **error)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    g_autoptr(GVariant) state = qga_proxy_save(proxy, descriptors, error);
    int fd = state ? write_state(state, descriptors, error) : -1;
    int count;
    const int *numbers = g_unix_fd_list_peek_fds(descriptors, &count);
    int stored = fd >= 0 ? store_each(numbers, count, error) : 0;
    /* Last: without it the others are of no use. */
    gboolean left = fd >= 0 && stored == count && service_store(STORED_STATE, fd, error);

    /* Else nobody would see that they are closed here. */
    for (int i = 0; !left && i < stored; i++) {
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
static int take_descriptor(GHashTable *stored, int index)
{
    g_autofree char *name = stored_name(index);
    int fd = take(stored, name);

    return fd >= 0 ? fd : g_open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* @stored: (nullable): NULL where they are in this process already */
static void take_descriptors(Estate *estate, GVariant *numbers, GHashTable *stored)
{
    gsize count;
    const gint32 *own = g_variant_get_fixed_array(numbers, &count, sizeof *own);
    g_autofree int *fds = g_new(int, count);

    for (gsize i = 0; i < count; i++) {
        fds[i] = stored ? take_descriptor(stored, (int)i) : own[i];
        keep_over_exec(fds[i], FALSE);
    }
    estate->descriptors = g_unix_fd_list_new_from_array(fds, (int)count);
}

/* What a service that was killed while it left all, or took it, has left without a state is closed
 * here, not to be mixed up with the next. */
gboolean successor_inherit(Estate *estate, GError **error)
{
    g_autofree char *variable = g_strdup(g_getenv(STATE_VARIABLE));
    g_autoptr(GHashTable) stored = variable ? NULL : service_take_stored(STORED_DESCRIPTOR, FALSE);
    int fd = variable ? (int)g_ascii_strtoll(variable, NULL, 10) : take(stored, STORED_STATE);
    g_autoptr(GVariant) whole = NULL;
    g_autoptr(GVariant) numbers = NULL;

    g_unsetenv(STATE_VARIABLE);
    if (fd < 0)
        return TRUE;
    whole = read_state(fd, error);
    if (!whole)
        return FALSE;
    g_variant_get(whole, "(@a{sv}@ai)", &estate->state, &numbers);
    take_descriptors(estate, numbers, stored);
    return TRUE;
}
