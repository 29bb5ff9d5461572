/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * passwd: who a name of one of the guest's users stands for.
 *
 * Two files, of which the build takes one, say whom is asked: passwd-service.c all that the guest
 * is set up to ask, directories in the network among them; passwd-file.c, for the agent that is
 * linked statically, /etc/passwd alone.
 */

#pragma once

#include "agent/system.h"

/* Returns: as System's find_user() */
gboolean passwd_find(System *system, const char *name, SystemUser *ret);
