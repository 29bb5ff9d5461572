/* SPDX-License-Identifier: GPL-2.0-or-later */

/* power-win32: guest-shutdown, guest-suspend-disk, -ram of Windows. */

#include <string.h>

#include "agent/dispatch.h"
#include "agent/system-win32.h"
#include "agent/win32-error.h"
#include "common/qmp-error.h"

/* Programs that do not want to end are ended: nobody is there to be asked. */
gboolean guest_shutdown(Commands *commands, const GuestShutdownArguments *args, Call *call,
                        GError **error)
{
    static const struct {
        const char *mode;
        DWORD flags;
    } modes[] = {
        {"powerdown", SHUTDOWN_POWEROFF},
        {"halt", SHUTDOWN_NOREBOOT},
        {"reboot", SHUTDOWN_RESTART},
    };
    const DWORD force = SHUTDOWN_FORCE_OTHERS | SHUTDOWN_FORCE_SELF;

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        DWORD code;

        if (strcmp(args->mode, modes[i].mode) != 0)
            continue;
        code = commands->system->win32->shut_down(modes[i].flags | force);
        return code == ERROR_SUCCESS || win32_error_set(error, code, "failed to shut down");
    }
    qmp_error_set(error, "mode is invalid (valid values are: halt|powerdown|reboot)");
    return FALSE;
}

/* ---- Suspend --------------------------------------------------------------------------------- */

/* The call returns when the guest has woken up, so that it has a thread of its own. */
typedef struct {
    const SystemWin32 *win32;
    gboolean to_disk;
    DWORD code;
    Call *call;
} Suspend;

static gboolean on_suspend_end(gpointer user_data)
{
    g_autofree Suspend *suspend = user_data;
    g_autoptr(GError) error = NULL;

    if (suspend->code != ERROR_SUCCESS)
        win32_error_set(&error, suspend->code, "failed to suspend guest");
    call_finish(suspend->call, error);
    return G_SOURCE_REMOVE;
}

static gpointer run_suspend(gpointer data)
{
    Suspend *suspend = data;

    suspend->code = suspend->win32->suspend(suspend->to_disk);
    g_idle_add(on_suspend_end, suspend);
    return NULL;
}

static gboolean begin_suspend(Commands *commands, gboolean to_disk, Call *call, GError **error)
{
    const SystemWin32 *win32 = commands->system->win32;
    Suspend *suspend;

    if (!win32->can_suspend(to_disk)) {
        qmp_error_set(error, "the requested suspend mode is not supported by the guest");
        return FALSE;
    }
    suspend = g_new(Suspend, 1);
    *suspend = (Suspend){.win32 = win32, .to_disk = to_disk, .call = call};
    call_defer(call);
    g_thread_unref(g_thread_new("suspend", run_suspend, suspend));
    return TRUE;
}

gboolean guest_suspend_disk(Commands *commands, Call *call, GError **error)
{
    return begin_suspend(commands, TRUE, call, error);
}

gboolean guest_suspend_ram(Commands *commands, Call *call, GError **error)
{
    return begin_suspend(commands, FALSE, call, error);
}
