/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * machine: one virtual machine that the daemon serves.
 *
 * Owns what its options mean, and from where its proxy carries on: what a former daemon has left,
 * or kept. Leaves the process, and when it ends, to main.c.
 */

#pragma once

#include "keeper.h"
#include "options.h"
#include "proxy/qga-proxy.h"
#include "successor.h"

G_BEGIN_DECLS

typedef struct {
    const MachineOptions *options;
    QgaProxy *proxy; /* (nullable): NULL before it was started, and once QEMU has gone */
} Machine;

/* Its name among those of this daemon. */
const char *machine_name(const Machine *machine);

/**
 * machine_start:
 * @estate: what a former daemon has left
 * @kept: what was kept by one that was killed; of this machine there is nothing in it afterwards
 * @keep: whether to keep it
 */
gboolean machine_start(Machine *machine, const Estate *estate, Kept *kept, gboolean keep,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
