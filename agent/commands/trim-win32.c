/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * trim-win32: guest-fstrim of Windows, by its own defrag.exe, which tells the disks of what is free
 * since Windows 8. It takes minutes for a large volume; one is done at a time.
 */

#include <string.h>
#include <winsock2.h>
#include <windows.h>

#include "agent/dispatch.h"
#include "common/qmp-error.h"

typedef struct {
    System *system;
    char *tool;
    GPtrArray *paths; /* of volumes: their first folders */
    guint at;
    Call *call;
} Trim;

static void trim_free(Trim *trim)
{
    g_free(trim->tool);
    g_ptr_array_unref(trim->paths);
    g_free(trim);
}

/* The last line that says something; where it failed there is Windows' code in it, "(0x…)". */
static char *failure_of(const SystemExit *result)
{
    g_auto(GStrv) lines = NULL;

    if (result->error != NULL)
        return g_strdup(result->error->message);
    if (strstr(result->output, "(0x") == NULL)
        return result->status == 0 ? NULL
                                   : g_strdup_printf("defrag.exe ended with %d", result->status);
    lines = g_strsplit_set(result->output, "\r\n", -1);
    for (guint i = 0; lines[i] != NULL; i++) {
        if (strstr(lines[i], "(0x") != NULL)
            return g_strdup(g_strstrip(lines[i]));
    }
    return g_strdup(result->output);
}

static void trim_next(Trim *trim);

static void on_end(gpointer user, const SystemExit *result)
{
    Trim *trim = user;
    JsonWrite *write = call_result(trim->call);
    g_autofree char *failure = failure_of(result);
    g_autofree char *valid = failure != NULL ? g_utf8_make_valid(failure, -1) : NULL;

    json_write_begin_object(write);
    json_write_member_string(write, "path", trim->paths->pdata[trim->at]);
    json_write_member_string(write, "error", valid);
    json_write_end_object(write);
    trim->at++;
    trim_next(trim);
}

static void trim_next(Trim *trim)
{
    JsonWrite *write = call_result(trim->call);
    g_autofree char *drive = NULL;

    if (trim->at == trim->paths->len) {
        json_write_end_array(write);
        json_write_end_object(write);
        call_finish(trim->call, NULL);
        trim_free(trim);
        return;
    }
    drive = g_strdup(trim->paths->pdata[trim->at]);
    if (g_str_has_suffix(drive, "\\"))
        drive[strlen(drive) - 1] = '\0';
    trim->system->run(
        trim->system,
        &(SystemProgram){.argv = (const char *const[]){trim->tool, drive, "/L", NULL}}, on_end,
        trim);
}

static void add_volume(GPtrArray *paths, const wchar_t *volume)
{
    wchar_t names[MAX_PATH + 2];
    DWORD len;
    char *path;

    if (!GetVolumePathNamesForVolumeNameW(volume, names, G_N_ELEMENTS(names), &len) ||
        names[0] == 0 || GetDriveTypeW(names) != DRIVE_FIXED)
        return;
    path = g_utf16_to_utf8(names, -1, NULL, NULL, NULL);
    if (path != NULL)
        g_ptr_array_add(paths, path);
}

static GPtrArray *list_volumes(void)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    wchar_t volume[MAX_PATH];
    HANDLE search = FindFirstVolumeW(volume, G_N_ELEMENTS(volume));

    if (search == INVALID_HANDLE_VALUE)
        return paths;
    do
        add_volume(paths, volume);
    while (FindNextVolumeW(search, volume, G_N_ELEMENTS(volume)));
    FindVolumeClose(search);
    return paths;
}

gboolean guest_fstrim(Commands *commands, const GuestFstrimArguments *args, Call *call,
                      GError **error)
{
    System *system = commands->system;
    g_autofree char *tool = system->find_tool(system, "defrag");
    JsonWrite *write = call_result(call);
    Trim *trim;

    if (tool == NULL) {
        qmp_error_set(error, "cannot find defrag.exe, which would do it");
        return FALSE;
    }
    trim = g_new(Trim, 1);
    *trim = (Trim){
        .system = system,
        .tool = g_steal_pointer(&tool),
        .paths = list_volumes(),
        .call = call,
    };
    call_defer(call);
    json_write_begin_object(write);
    json_write_key(write, "paths");
    json_write_begin_array(write);
    trim_next(trim);
    return TRUE;
}
