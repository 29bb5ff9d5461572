/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "mounts.h"

#include <string.h>
#include <sys/sysmacros.h>

/* Fields of a line, as in proc(5): these stand at fixed places, some more follow, then " - " and
 * the type. */
enum { FIELD_NUMBER = 0, FIELD_DEVICE = 2, FIELD_DIRECTORY = 4, FIELDS_FIXED = 6 };

static void mount_free(gpointer data)
{
    Mount *mount = data;

    g_ptr_array_unref(mount->directories);
    g_clear_pointer(&mount->numbers, g_array_unref);
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

/* Ends the first field of *@rest. Returns: (nullable): it; NULL where there is none */
static char *take_field(char **rest)
{
    char *field = *rest;

    if (field == NULL)
        return NULL;
    *rest = strchr(field, ' ');
    if (*rest != NULL)
        *(*rest)++ = '\0';
    return field;
}

static gboolean parse_number(const char *field, guint *ret_major, guint *ret_minor)
{
    char *end;

    *ret_major = (guint)g_ascii_strtoull(field, &end, 10);
    if (end == field || *end != ':')
        return FALSE;
    field = end + 1;
    *ret_minor = (guint)g_ascii_strtoull(field, &end, 10);
    return end != field;
}

/* @rest: behind the separator: the type, the source, and what is of no interest */
static void add(GPtrArray *mounts, dev_t number, dev_t device, const char *type, char *rest,
                char **fields)
{
    Mount *mount = find_number(mounts, number);

    if (mount == NULL) {
        const char *source = take_field(&rest);

        mount = g_new(Mount, 1);
        *mount = (Mount){
            .number = number,
            .device = device,
            .directories = g_ptr_array_new_with_free_func(g_free),
            .numbers = device == 0 ? g_array_new(FALSE, FALSE, sizeof(int)) : NULL,
            .type = unescape(type),
            .source = unescape(source != NULL ? source : ""),
        };
        g_ptr_array_add(mounts, mount);
    }
    g_ptr_array_add(mount->directories, unescape(fields[FIELD_DIRECTORY]));
    if (mount->numbers != NULL) {
        int mount_number = (int)g_ascii_strtoll(fields[FIELD_NUMBER], NULL, 10);

        g_array_append_val(mount->numbers, mount_number);
    }
}

/* Most lines are of no disk: nothing is made of those. */
static void parse_line(GPtrArray *mounts, char *line)
{
    char *fields[FIELDS_FIXED];
    const char *field, *type;
    guint number_major, number_minor;
    gboolean is_btrfs;
    dev_t number;

    for (guint i = 0; i < FIELDS_FIXED; i++) {
        if ((fields[i] = take_field(&line)) == NULL)
            return;
    }
    while ((field = take_field(&line)) != NULL && strcmp(field, "-") != 0)
        ;
    type = take_field(&line);
    if (type == NULL || !parse_number(fields[FIELD_DEVICE], &number_major, &number_minor))
        return;
    /* btrfs spans devices, so its number is an anonymous one, and each subvolume's files show
     * another. */
    is_btrfs = strcmp(type, "btrfs") == 0;
    if (number_major == 0 && !is_btrfs)
        return;
    number = makedev(number_major, number_minor);
    add(mounts, number, is_btrfs ? 0 : number, type, line, fields);
}

GPtrArray *mounts_parse(const char *text)
{
    GPtrArray *mounts = g_ptr_array_new_with_free_func(mount_free);
    g_autofree char *copy = g_strdup(text);

    for (char *line = copy, *end; line != NULL; line = end) {
        end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        parse_line(mounts, line);
    }
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
