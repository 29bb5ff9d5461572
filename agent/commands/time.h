/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * time: guest-get-time, guest-set-time.
 *
 * Owns which times are taken. What keeps the time while the guest is off is each system's affair.
 */

#pragma once

#include "agent/dispatch.h"

/**
 * time_settle:
 * @seconds: (nullable): what the clock that programs see was set to, which is to last; NULL: that
 *   clock is to be set by what has lasted
 *
 * Returns: FALSE with @error; or @call is over, or deferred
 */
gboolean time_settle(System *system, const gint64 *seconds, Call *call, GError **error);
