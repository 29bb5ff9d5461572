/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * log: lines on standard error, in front of each of which the name of its machine stands.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * log_start:
 * @level: (nullable): name of the least important level that is shown
 * @machine: (nullable): static; whose all lines are that are not log_machine()'s
 */
gboolean log_start(const char *level, const char *machine, GError **error);

/* @machine: (nullable) */
void log_machine(GLogLevelFlags level, const char *machine, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

G_END_DECLS
