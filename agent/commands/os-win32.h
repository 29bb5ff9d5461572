/* SPDX-License-Identifier: GPL-2.0-or-later */

/* os-win32: guest-get-osinfo, guest-get-host-name, guest-get-timezone of Windows. */

#pragma once

#include "agent/dispatch.h"
#include "agent/system-win32.h"

/**
 * os_write_info:
 * @product: (nullable): what the system calls itself
 * @processor: its architecture, as GetNativeSystemInfo() tells it
 */
void os_write_info(JsonWrite *write, const OSVERSIONINFOEXW *version, const char *product,
                   WORD processor);
