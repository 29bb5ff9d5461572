/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/retry.h"

static char *real_path(const System *system, const char *path, const char *name)
{
    return g_strconcat(system->root, path, name != NULL ? "/" : NULL, name, NULL);
}

/* Of these nothing waits: neither a FIFO, nor a terminal that hangs up. */
int sysfs_open(const System *system, const char *path, const char *name, int flags)
{
    g_autofree char *real = real_path(system, path, name);

    return open(real, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

char *sysfs_read_bytes(const System *system, const char *path, const char *name, gsize *ret_len)
{
    int fd = sysfs_open(system, path, name, O_RDONLY);
    g_autofree char *data = NULL;
    gsize len = 0;
    gssize got;
    int failure;

    if (fd < 0)
        return NULL;
    data = g_malloc(LIMIT_SYSFS_BYTES + 1);
    do {
        got = TEMP_FAILURE_RETRY(read(fd, data + len, LIMIT_SYSFS_BYTES - len));
        len += got > 0 ? (gsize)got : 0;
    } while (got > 0 && len < LIMIT_SYSFS_BYTES);
    failure = errno;
    close(fd);
    if (got < 0) {
        errno = failure;
        return NULL;
    }
    data[len] = '\0';
    *ret_len = len;
    return g_steal_pointer(&data);
}

char *sysfs_read(const System *system, const char *path, const char *name)
{
    gsize len;
    char *text = sysfs_read_bytes(system, path, name, &len);

    return text != NULL ? g_strchomp(text) : NULL;
}

gboolean sysfs_write(const System *system, const char *path, const char *name, const char *text)
{
    int fd = sysfs_open(system, path, name, O_WRONLY);
    gssize written;
    int failure;

    if (fd < 0)
        return FALSE;
    written = TEMP_FAILURE_RETRY(write(fd, text, strlen(text)));
    failure = errno;
    close(fd);
    errno = failure;
    return written >= 0;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *sysfs_list(const System *system, const char *path, const char *prefix)
{
    g_autofree char *real = real_path(system, path, NULL);
    DIR *directory = opendir(real);
    const struct dirent *entry;
    GPtrArray *names;

    if (directory == NULL)
        return NULL;
    names = g_ptr_array_new_with_free_func(g_free);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.' && g_str_has_prefix(entry->d_name, prefix))
            g_ptr_array_add(names, g_strdup(entry->d_name));
    }
    closedir(directory);
    g_ptr_array_sort(names, compare_names);
    return names;
}

gboolean sysfs_number(const char *name, const char *prefix, guint64 *ret_number)
{
    return g_str_has_prefix(name, prefix) &&
           g_ascii_string_to_unsigned(name + strlen(prefix), 10, 0, G_MAXUINT64, ret_number, NULL);
}

char *sysfs_resolve(const System *system, const char *path)
{
    g_autofree char *real = real_path(system, path, NULL);
    char *resolved = realpath(real, NULL);
    gsize root_len = strlen(system->root);
    char *below = NULL;

    if (resolved != NULL && strncmp(resolved, system->root, root_len) == 0)
        below = g_strdup(resolved + root_len);
    free(resolved);
    return below;
}

char *sysfs_link(const System *system, const char *path, const char *name)
{
    g_autofree char *real = real_path(system, path, name);
    g_autofree char *target = g_file_read_link(real, NULL);

    return target != NULL ? g_path_get_basename(target) : NULL;
}

gboolean sysfs_exists(const System *system, const char *path)
{
    g_autofree char *real = real_path(system, path, NULL);

    return access(real, F_OK) == 0;
}
