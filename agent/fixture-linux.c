/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/fixture-system.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

const FixtureFreeze fixture_freeze = {
    .mounts = "1 1 8:1 / /a rw - ext4 /dev/sda1 rw\n",
    .frozen = "1",
    .freeze_log = "quiet, freeze /a",
    .thaw_log = "thaw /a, loud",
    .expired = "the agent itself has ended the freeze: no thaw came in time",
};

static CommandFixture *fixture_of(System *system)
{
    return (CommandFixture *)(gpointer)((char *)system - offsetof(CommandFixture, system));
}

/* By the longest directory of the table that @path is in, the last where there are several. */
static gboolean fake_locate(System *system, const char *path, SystemPlace *ret)
{
    g_auto(GStrv) lines = g_strsplit(fixture_of(system)->mounts, "\n", -1);
    gsize longest = 0;

    for (guint i = 0; lines[i] != NULL; i++) {
        g_auto(GStrv) fields = g_strsplit(lines[i], " ", -1);
        const char *directory;
        gsize len;
        guint number_major, number_minor;

        if (g_strv_length(fields) < 5)
            continue;
        directory = fields[4];
        len = g_str_equal(directory, "/") ? 1 : strlen(directory) + 1;
        if (len < longest || !g_str_has_prefix(path, directory) ||
            (len > 1 && path[len - 1] != '/' && path[len - 1] != '\0'))
            continue;
        g_assert_cmpint(sscanf(fields[2], "%u:%u", &number_major, &number_minor), ==, 2);
        *ret = (SystemPlace){makedev(number_major, number_minor), atoi(fields[0])};
        longest = len;
    }
    return longest > 0 && strstr(path, "nowhere") == NULL;
}

static gboolean fake_find_user(System *system, const char *name, SystemUser *ret)
{
    CommandFixture *fixture = fixture_of(system);

    errno = 0;
    if (g_strcmp0(name, fixture->user) != 0)
        return FALSE;
    *ret = (SystemUser){getuid(), getgid(), g_strdup(fixture->directory)};
    return TRUE;
}

void fixture_attach_system(CommandFixture *fixture)
{
    signal(SIGPIPE, SIG_IGN); /* as in the agent; and programs must not inherit it */
    fixture->system.locate = fake_locate;
    fixture->system.find_user = fake_find_user;
}

void fixture_link(CommandFixture *fixture, const char *path, const char *target)
{
    g_autofree char *file = g_build_filename(fixture->directory, path, NULL);
    g_autofree char *folder = g_path_get_dirname(file);
    g_autofree char *real = g_build_filename(fixture->directory, target, NULL);

    g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
    g_assert_cmpint(symlink(real, file), ==, 0);
}
