/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "time.h"

#include "common/qmp-error.h"

/* The year 2070 begins. qemu-ga takes no later time, though a machine does. */
#define TIME_END G_GINT64_CONSTANT(3155760000)

gboolean guest_get_time(Commands *commands, Call *call, GError **error)
{
    json_write_int64(call_result(call), g_get_real_time() * 1000);
    return TRUE;
}

gboolean guest_set_time(Commands *commands, const GuestSetTimeArguments *args, Call *call,
                        GError **error)
{
    System *system = commands->system;
    gint64 seconds = args->time / G_GINT64_CONSTANT(1000000000);
    gint64 nanoseconds = args->time % G_GINT64_CONSTANT(1000000000);

    if (args->has_time && (seconds < 0 || seconds >= TIME_END)) {
        qmp_error_set(error, "Invalid time");
        return FALSE;
    }
    if (args->has_time && !system->set_clock(system, seconds, nanoseconds / 1000, error))
        return FALSE;
    return time_settle(system, args->has_time ? &seconds : NULL, call, error);
}
