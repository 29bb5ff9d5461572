/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/win32-error.h"

#include "common/qmp-error.h"

gboolean win32_error_set(GError **error, DWORD code, const char *what, ...)
{
    g_autofree char *reason = g_win32_error_message((gint)code);
    g_autofree char *subject = NULL;
    va_list args;

    va_start(args, what);
    subject = g_strdup_vprintf(what, args);
    va_end(args);
    if (*reason != '\0')
        qmp_error_set(error, "%s: %s", subject, reason);
    else
        qmp_error_set(error, "%s: error 0x%08lx", subject, (gulong)code);
    return FALSE;
}
