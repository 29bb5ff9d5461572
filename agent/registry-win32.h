/* SPDX-License-Identifier: GPL-2.0-or-later */

/* registry: single values of Windows' registry. */

#pragma once

#include <glib.h>
#include <winsock2.h>
#include <windows.h>

/**
 * registry_read_string:
 * Returns: (transfer full) (nullable): the value, with what variables in it stand for; NULL where
 *   there is no such text
 */
char *registry_read_string(HKEY root, const wchar_t *key, const wchar_t *name);
