/* SPDX-License-Identifier: GPL-2.0-or-later */

/* time-linux: the hardware clock, which is hwclock's where the guest has that, which keeps its own
 * notes of it, and is read and set straight where it has not. */

#include "time.h"

#include <string.h>

#include "helper.h"
#include "text-file.h"

static void on_hwclock_end(gpointer user, const SystemExit *result)
{
    g_autoptr(GError) error = NULL;

    helper_check(result, "set hardware clock to system time", &error);
    call_finish(user, error);
}

/* Whether it shows local time. The third line of hwclock's notes says so, for all others too. */
static gboolean is_rtc_local(const System *system)
{
    g_autofree char *text = text_file_read(system, "/etc/adjtime", NULL, NULL);
    char *at = text, *line = text;

    for (guint i = 0; i < 3 && line != NULL; i++)
        line = text_next_line(&at);
    return line != NULL && g_str_has_prefix(line, "LOCAL");
}

static gboolean clock_to_rtc(System *system, gint64 seconds, GError **error)
{
    time_t now = (time_t)seconds;
    struct tm time;

    if (is_rtc_local(system))
        localtime_r(&now, &time);
    else
        gmtime_r(&now, &time);
    return system->write_rtc(system, &time, error);
}

static gboolean rtc_to_clock(System *system, GError **error)
{
    struct tm time;

    if (!system->read_rtc(system, &time, error))
        return FALSE;
    return system->set_clock(system, is_rtc_local(system) ? mktime(&time) : timegm(&time), 0,
                             error);
}

gboolean time_settle(System *system, const gint64 *seconds, Call *call, GError **error)
{
    g_autofree char *hwclock = NULL;

    /* The guest has the time that it was given, all of it. */
    if (seconds != NULL && !system->has_rtc(system))
        return TRUE;
    hwclock = system->find_tool(system, "hwclock");
    if (hwclock == NULL)
        return seconds != NULL ? clock_to_rtc(system, *seconds, error)
                               : rtc_to_clock(system, error);
    call_defer(call);
    helper_run(system, (const char *const[]){hwclock, seconds != NULL ? "-w" : "-s", NULL},
               on_hwclock_end, call);
    return TRUE;
}
