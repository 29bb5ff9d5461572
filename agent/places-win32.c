/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/places.h"

#include <glib/gstdio.h>
#include <windows.h>

#define DIRECTORY "%ProgramData%\\qemu-ga"

const Places places = {
    .config_file = DIRECTORY "\\qemu-ga.conf",
    .hook = DIRECTORY "\\fsfreeze-hook.bat",
    .pidfile = DIRECTORY "\\qemu-ga.pid",
    .state_directory = DIRECTORY,
    .has_services = TRUE,
    .channels =
        {
            {"virtio-serial", CHANNEL_VIRTIO_SERIAL, "\\\\.\\Global\\org.qemu.guest_agent.0"},
            {"isa-serial", CHANNEL_ISA_SERIAL, "COM1"},
        },
    .methods = "virtio-serial, isa-serial",
};

char *places_expand(const char *path)
{
    g_autofree wchar_t *wide = g_utf8_to_utf16(path, -1, NULL, NULL, NULL);
    DWORD len = wide != NULL ? ExpandEnvironmentStringsW(wide, NULL, 0) : 0;
    g_autofree wchar_t *expanded = g_new0(wchar_t, MAX(len, 1));

    if (len == 0 || ExpandEnvironmentStringsW(wide, expanded, len) != len)
        return g_strdup(path);
    return g_utf16_to_utf8(expanded, -1, NULL, NULL, NULL);
}

/* Attributes say nothing of who may write, and to ask access lists takes more than a file does. */
gboolean places_has_room(const char *directory)
{
    return FALSE;
}

void places_make_directory(const char *directory)
{
    g_mkdir_with_parents(directory, 0700);
}
