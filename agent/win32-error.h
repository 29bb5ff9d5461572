/* SPDX-License-Identifier: GPL-2.0-or-later */

/* win32-error: what Windows says went wrong, in the words and the form of the agent's errors. */

#pragma once

#include <glib.h>
#include <windows.h>

/**
 * win32_error_set:
 * @code: from GetLastError(), or a status of the calls that return one
 * @error: set to "WHAT: Windows' own words"
 *
 * Returns: FALSE
 */
gboolean win32_error_set(GError **error, DWORD code, const char *what, ...) G_GNUC_PRINTF(3, 4);
