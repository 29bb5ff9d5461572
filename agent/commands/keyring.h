/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * keyring: the file with the keys by which one of the guest's users may log in.
 *
 * Owns where it is, and that nothing between there and here is believed: the folder belongs to
 * somebody who may be no friend of the guest's owner. A new file takes the old one's place in one
 * step: a full disk loses no key. Leaves what stands in it to ssh-keys.c.
 */

#pragma once

#include "agent/system.h"

typedef struct Keyring Keyring;

/**
 * keyring_open:
 * @create: the folder, where it is not there
 *
 * Returns: (transfer full): NULL with @error
 */
Keyring *keyring_open(System *system, const char *username, gboolean create, GError **error);
void keyring_close(Keyring *keyring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keyring, keyring_close)

/**
 * keyring_read:
 * @needed: whether it is an error that there is no file; else that is an empty one
 *
 * Returns: (transfer full): what is in it, in lines that end in \n; NULL with @error
 */
GString *keyring_read(Keyring *keyring, gboolean needed, GError **error);
gboolean keyring_write(Keyring *keyring, const GString *text, GError **error);
