/* SPDX-License-Identifier: GPL-2.0-or-later */

/* system-log: the log of the guest's own system: syslog, Windows' event log. */

#pragma once

#include <glib.h>

/* To be called once, before the others. */
void system_log_open(void);

/* One line: that @command was called. */
void system_log_account(const char *command);
