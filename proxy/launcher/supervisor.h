/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * supervisor: the process beside QEMU that keeps the proxy running for as long as QEMU runs.
 *
 * It is to the daemon what a service manager would be: it is told by sd_notify(3) that the daemon
 * serves, and starts another when one ends. Owns when that is, and the end of both, which it learns
 * from a pipe that QEMU has the other end of: -daemonize changes QEMU's process id. Does as little
 * as it can, for it must not fail.
 */

#pragma once

#include "plan.h"

G_BEGIN_DECLS

typedef struct {
    const char *directory;
    const Plan *plan;
    int lifeline; /* ends with QEMU */
    int ready;    /* written to once the proxy serves; closed where it never will */
} Supervisor;

/* Returns when QEMU has ended, and nothing is left. */
void supervisor_run(const Supervisor *own);

/* Removes the directory, with all that is in it. */
void supervisor_clean(const char *directory);

G_END_DECLS
