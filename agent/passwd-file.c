/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The C library asks name services by loading their modules into the program, which must be of its
 * own version: in a program that is linked statically they are the guest's, and of any. So nothing
 * of that is called here, by GLib either, whose calls end in the functions at the end of this file.
 */

#include "agent/passwd.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME, PASSWORD, UID, GID, COMMENT, HOME, SHELL, FIELDS };

static gboolean read_id(const char *field, guint32 *ret)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(field, 10, 0, G_MAXUINT32, &number, NULL))
        return FALSE;
    *ret = (guint32)number;
    return TRUE;
}

/* Lines that begin with + or - are no users, but stand for those of a directory. */
static gboolean read_user(const char *line, const char *name, SystemUser *ret)
{
    g_auto(GStrv) fields = NULL;

    if (*line == '+' || *line == '-')
        return FALSE;
    fields = g_strsplit(line, ":", FIELDS);
    if (g_strv_length(fields) != FIELDS || strcmp(fields[NAME], name) != 0 ||
        !read_id(fields[UID], &ret->uid) || !read_id(fields[GID], &ret->gid))
        return FALSE;
    ret->home = g_strdup(fields[HOME]);
    return TRUE;
}

gboolean passwd_find(System *system, const char *name, SystemUser *ret)
{
    g_autofree char *path = g_strconcat(system->root, "/etc/passwd", NULL);
    FILE *file = fopen(path, "re");
    char *line = NULL;
    gsize size = 0;
    gboolean found = FALSE;

    if (file == NULL) {
        if (errno == ENOENT) /* an initramfs has no users */
            errno = 0;
        return FALSE;
    }
    while (!found && getline(&line, &size, file) >= 0)
        found = read_user(line, name, ret);
    free(line);
    fclose(file);
    errno = 0;
    return found;
}

/* ---- What GLib would call: the agent asks it for nobody's home or name ----------------------- */

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are its own */

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size,
               struct passwd **ret)
{
    *ret = NULL;
    return 0;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **ret)
{
    *ret = NULL;
    return 0;
}

struct passwd *getpwuid(uid_t uid)
{
    errno = 0;
    return NULL;
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
