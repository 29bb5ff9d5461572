/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * launch: carries out a plan: this process becomes QEMU, and beside it stays a supervisor.
 *
 * Owns the sockets between QEMU and the proxy, and that QEMU is not started before the proxy
 * serves. Leaves the proxy's life to supervisor.h.
 */

#pragma once

#include "plan.h"

G_BEGIN_DECLS

/* Returns: (transfer full): a path that is free for PlanRequest:directory */
char *launch_choose_directory(void);

/* For PlanRequest:take_fd. @next: the lowest number to try */
int launch_take_fd(gpointer next);

/* Becomes QEMU. Returns: FALSE, where that fails, with @error set, or NULL where somebody has told
 * why already */
gboolean launch(const Plan *plan, const char *directory, GError **error);

G_END_DECLS
