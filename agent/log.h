/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * log: two sinks. What goes wrong is written to the log file or standard error; which commands
 * changed something, to the system's log.
 *
 * Never logged: arguments, file data, what a program prints. They hold passwords.
 */

#pragma once

#include <glib.h>

/**
 * log_open:
 * @path: (nullable): appended to; NULL is standard error
 * @verbose: also what is ordinary
 */
gboolean log_open(const char *path, gboolean verbose, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* While frozen nothing may be written: it would wait for the thaw. What comes meanwhile is dropped.
 */
void log_set_frozen(gboolean frozen);

/* One line for the system's log. */
void log_account(const char *command);
