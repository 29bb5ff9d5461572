/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config: a file of several machines, each of which has a group.
 *
 *     [vm web]
 *     qmp = unix:/run/web.qmp
 *     agent = unix:/run/web.qga
 *     listen = tcp:localhost:4444; unix:/run/web.sock
 *
 * Owns its syntax: that of key files, but that a key may be said again where it takes several
 * values. GKeyFile would keep the last of them and not tell. Leaves what can be said to options.h.
 */

#pragma once

#include "options.h"

G_BEGIN_DECLS

/**
 * config_read:
 * @common: what each machine begins with; its group may say otherwise, or more
 *
 * Returns: (transfer full): of MachineOptions *, at least one, in the order of the file; or NULL,
 * with
 *   @error set to a line that names the file and what is wrong there
 */
GPtrArray *config_read(const char *path, const MachineOptions *common, GError **error);

G_END_DECLS
