/* SPDX-License-Identifier: GPL-2.0-or-later */

#pragma once

#include <winsock2.h>
#include <windows.h>

#include "agent/dispatch.h"

/**
 * devices_parse_id:
 * @id: PCI\VEN_vvvv&DEV_dddd..., in either case
 *
 * Returns: whether that is what it is
 */
gboolean devices_parse_id(const char *id, guint *ret_vendor, guint *ret_device);
