/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * time-win32: what is done with the hardware clock on Windows: nothing. Windows keeps it itself;
 * where no time is given, its time service is to ask for it.
 */

#include "time.h"

#include "common/qmp-error.h"
#include "helper.h"

static void on_end(gpointer user, const SystemExit *result)
{
    g_autoptr(GError) error = NULL;

    helper_check(result, "resync time", &error);
    call_finish(user, error);
}

gboolean time_settle(System *system, const gint64 *seconds, Call *call, GError **error)
{
    g_autofree char *tool = NULL;

    if (seconds != NULL)
        return TRUE;
    tool = system->find_tool(system, "w32tm");
    if (tool == NULL) {
        qmp_error_set(error, "cannot find w32tm.exe, which would set the clock");
        return FALSE;
    }
    call_defer(call);
    helper_run(system, (const char *const[]){tool, "/resync", "/nowait", NULL}, on_end, call);
    return TRUE;
}
