/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * clock: the system's clock, and the hardware's, which goes on while the machine is off (RTC).
 *
 * Owns the calls. Whether the hardware's tells UTC or local time is the administrator's choice, and
 * the caller's to know. Each is a member of System (system.h).
 */

#pragma once

#include "agent/system.h"

gboolean clock_set(System *system, gint64 seconds, gint64 microseconds, GError **error);
/* Whether there is one. */
gboolean clock_has_rtc(System *system);
gboolean clock_read_rtc(System *system, struct tm *ret_time, GError **error);
gboolean clock_write_rtc(System *system, const struct tm *time, GError **error);
