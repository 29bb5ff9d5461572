/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * stack: which filesystem lives on which.
 *
 * One that is kept in a file of another (a loop device, whatever volumes are between) has to be
 * frozen before that one, or its last writes would wait for ever. What cannot be known, a network
 * block device whose server may run here, is taken to live on all that was mounted before it.
 */

#pragma once

#include "mounts.h"

/**
 * stack_depths:
 * @mounts: of Mount, all that there are
 *
 * May be called on any thread.
 *
 * Returns: (transfer full): guint, for each of @mounts: 0 where it lives on no other, else one more
 *   than the deepest that it lives on
 */
GArray *stack_depths(System *system, const GPtrArray *mounts);
