/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/log.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>

#include "agent/system-log.h"
#include "common/qmp-error.h"

/* A process has one log, as it has one standard error; GLib hands its writer out of any function.
 */
static struct {
    FILE *file;
    gboolean terse; /* what is ordinary is left out */
    gboolean frozen;
} sink;

static const char *level_name(GLogLevelFlags level)
{
    if (level & G_LOG_LEVEL_ERROR)
        return "error";
    if (level & G_LOG_LEVEL_CRITICAL)
        return "critical";
    if (level & G_LOG_LEVEL_WARNING)
        return "warning";
    return level & G_LOG_LEVEL_DEBUG ? "debug" : "info";
}

static GLogWriterOutput write_line(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                   gpointer user_data)
{
    const char *message = "";
    gint64 now;

    if (sink.frozen || (sink.terse && level > G_LOG_LEVEL_WARNING))
        return G_LOG_WRITER_HANDLED;
    now = g_get_real_time();
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE"))
            message = fields[i].value;
    }
    fprintf(sink.file != NULL ? sink.file : stderr, "%" G_GINT64_FORMAT ".%06d: %s: %s\n",
            now / G_USEC_PER_SEC, (int)(now % G_USEC_PER_SEC), level_name(level), message);
    fflush(sink.file);
    return G_LOG_WRITER_HANDLED;
}

void log_init(gboolean verbose)
{
    sink.terse = !verbose;
    system_log_open();
    g_log_set_writer_func(write_line, NULL, NULL);
}

gboolean log_is_verbose(void)
{
    return !sink.terse;
}

gboolean log_open(const char *path, GError **error)
{
    FILE *file = g_fopen(path, "ae");

    if (file == NULL) {
        qmp_error_set(error, "unable to open specified log file: %s: %s", path, g_strerror(errno));
        return FALSE;
    }
    if (sink.file != NULL)
        fclose(sink.file);
    sink.file = file;
    return TRUE;
}

void log_set_frozen(gboolean frozen)
{
    sink.frozen = frozen;
}

void log_account(const char *command)
{
    if (!sink.frozen)
        system_log_account(command);
}
