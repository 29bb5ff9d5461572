/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "mounts.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

/* Fields of a line, as in proc(5): these stand at fixed places, some more follow, then " - " and
 * the type. */
enum { FIELD_NUMBER = 0, FIELD_DEVICE = 2, FIELD_DIRECTORY = 4, FIELDS_FIXED = 6 };

static void mount_free(gpointer data)
{
    Mount *mount = data;

    g_ptr_array_unref(mount->directories);
    g_array_unref(mount->numbers);
    g_free(mount->type);
    g_free(mount->source);
    g_free(mount);
}

static gboolean is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

/* The kernel writes blank, tab, newline and backslash as \ooo. */
static char *unescape(const char *text)
{
    char *plain = g_malloc(strlen(text) + 1);
    char *to = plain;

    for (const char *at = text; *at != '\0'; at++) {
        if (at[0] == '\\' && is_octal(at[1]) && is_octal(at[2]) && is_octal(at[3])) {
            *to++ = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
            at += 3;
        } else {
            *to++ = *at;
        }
    }
    *to = '\0';
    return plain;
}

static Mount *find_number(GPtrArray *mounts, dev_t number)
{
    for (guint i = 0; i < mounts->len; i++) {
        Mount *mount = mounts->pdata[i];

        if (mount->number == number)
            return mount;
    }
    return NULL;
}

/* @type: the field of that name, and behind it the source */
static void add(GPtrArray *mounts, dev_t number, dev_t device, char **type, char **fields)
{
    Mount *mount = find_number(mounts, number);
    int mount_number = (int)g_ascii_strtoll(fields[FIELD_NUMBER], NULL, 10);

    if (mount == NULL) {
        mount = g_new(Mount, 1);
        *mount = (Mount){
            .number = number,
            .device = device,
            .directories = g_ptr_array_new_with_free_func(g_free),
            .numbers = g_array_new(FALSE, FALSE, sizeof(int)),
            .type = unescape(type[0]),
            .source = unescape(type[1] != NULL ? type[1] : ""),
        };
        g_ptr_array_add(mounts, mount);
    }
    g_ptr_array_add(mount->directories, unescape(fields[FIELD_DIRECTORY]));
    g_array_append_val(mount->numbers, mount_number);
}

/* Returns: (nullable): the field */
static char **find_type(char **fields)
{
    for (guint i = FIELDS_FIXED; fields[i] != NULL; i++) {
        if (strcmp(fields[i], "-") == 0)
            return fields[i + 1] != NULL ? &fields[i + 1] : NULL;
    }
    return NULL;
}

static void parse_line(GPtrArray *mounts, const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", -1);
    guint number_major, number_minor;
    char **type;
    gboolean is_btrfs;
    dev_t number;

    if (g_strv_length(fields) < FIELDS_FIXED)
        return;
    type = find_type(fields);
    if (type == NULL || sscanf(fields[FIELD_DEVICE], "%u:%u", &number_major, &number_minor) != 2)
        return;
    /* btrfs spans devices, so its number is an anonymous one, and each subvolume's files show
     * another. */
    is_btrfs = strcmp(*type, "btrfs") == 0;
    if (number_major == 0 && !is_btrfs)
        return;
    number = makedev(number_major, number_minor);
    add(mounts, number, is_btrfs ? 0 : number, type, fields);
}

GPtrArray *mounts_parse(const char *text)
{
    GPtrArray *mounts = g_ptr_array_new_with_free_func(mount_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++)
        parse_line(mounts, lines[i]);
    return mounts;
}

gboolean mount_has_directory(const Mount *mount, const char *directory)
{
    g_autofree char *path = g_canonicalize_filename(directory, "/");

    for (guint i = 0; i < mount->directories->len; i++) {
        if (strcmp(mount->directories->pdata[i], path) == 0)
            return TRUE;
    }
    return FALSE;
}

gboolean mount_holds(const Mount *mount, const SystemPlace *place)
{
    if (mount->device != 0)
        return place->device == mount->device;
    for (guint i = 0; i < mount->numbers->len; i++) {
        if (g_array_index(mount->numbers, int, i) == place->mount)
            return TRUE;
    }
    return FALSE;
}

SystemOpen mount_open(System *system, const Mount *mount, const char **ret_directory, int *ret_fd)
{
    SystemOpen result = SYSTEM_OPEN_HIDDEN;

    for (guint i = 0; i < mount->directories->len && result == SYSTEM_OPEN_HIDDEN; i++) {
        *ret_directory = mount->directories->pdata[i];
        result = system->open_mount(system, *ret_directory, mount->device, ret_fd);
    }
    return result;
}
