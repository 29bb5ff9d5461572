/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "log.h"

#include <stdio.h>

#define MACHINE_FIELD "QGA_MACHINE"

static struct {
    GLogLevelFlags up_to; /* the least important level that is shown */
    const char *machine;  /* (nullable) */
} shown = {.up_to = G_LOG_LEVEL_MESSAGE};

static const struct {
    const char *name;
    GLogLevelFlags level;
} log_levels[] = {
    {"error", G_LOG_LEVEL_CRITICAL},  {"warning", G_LOG_LEVEL_WARNING},
    {"message", G_LOG_LEVEL_MESSAGE}, {"info", G_LOG_LEVEL_INFO},
    {"debug", G_LOG_LEVEL_DEBUG},
};

static const char *find_field(const GLogField *fields, gsize n_fields, const char *key)
{
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, key))
            return fields[i].value;
    return NULL;
}

static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                  gpointer unused)
{
    const char *message = find_field(fields, n_fields, "MESSAGE");
    const char *machine = find_field(fields, n_fields, MACHINE_FIELD);

    if ((level & G_LOG_LEVEL_MASK) > shown.up_to || !message)
        return G_LOG_WRITER_HANDLED;
    if (!machine)
        machine = shown.machine;
    fprintf(stderr, "qga-proxyd%s%s: %s\n", machine ? " " : "", machine ? machine : "", message);
    return G_LOG_WRITER_HANDLED;
}

static gboolean read_level(const char *name, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(log_levels); i++)
        if (g_strcmp0(name, log_levels[i].name) == 0) {
            shown.up_to = log_levels[i].level;
            return TRUE;
        }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--log-level: '%s' is none of error, warning, message, info, debug", name);
    return FALSE;
}

gboolean log_start(const char *level, const char *machine, GError **error)
{
    if (level && !read_level(level, error))
        return FALSE;
    shown.machine = machine;
    g_log_set_writer_func(write_log, NULL, NULL);
    return TRUE;
}

void log_machine(GLogLevelFlags level, const char *machine, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list arguments;

    va_start(arguments, format);
    message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (machine)
        g_log_structured(G_LOG_DOMAIN, level, MACHINE_FIELD, machine, "MESSAGE", "%s", message);
    else
        g_log_structured(G_LOG_DOMAIN, level, "MESSAGE", "%s", message);
}
