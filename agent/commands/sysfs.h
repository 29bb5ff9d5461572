/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * sysfs: the kernel's small files and the folders that they are in.
 *
 * Owns how they are read: bounded, and without waiting, whatever stands there. Paths are as the
 * kernel's documents give them; System.root, which these put in front, is only for tests.
 */

#pragma once

#include "agent/system.h"

/**
 * sysfs_read:
 * @name: (nullable): below @path
 *
 * Returns: (transfer full) (nullable): the text without blanks at its end; NULL with errno
 */
char *sysfs_read(const System *system, const char *path, const char *name);

/* The same, of raw bytes; there is a NUL behind them. */
char *sysfs_read_bytes(const System *system, const char *path, const char *name, gsize *ret_len);

/* Returns: a descriptor, of which nothing waits; -1 with errno */
int sysfs_open(const System *system, const char *path, const char *name, int flags);

/* Returns: FALSE with errno */
gboolean sysfs_write(const System *system, const char *path, const char *name, const char *text);

/**
 * sysfs_list:
 * @prefix: what names begin with
 *
 * Returns: (transfer full) (nullable): names in @path, numbers in them in their order; NULL with
 *   errno
 */
GPtrArray *sysfs_list(const System *system, const char *path, const char *prefix);

/**
 * sysfs_number:
 * Returns: whether @name is @prefix and a decimal number
 */
gboolean sysfs_number(const char *name, const char *prefix, guint64 *ret_number);

/**
 * sysfs_resolve:
 * Returns: (transfer full) (nullable): the path without links; NULL where there is nothing
 */
char *sysfs_resolve(const System *system, const char *path);

/* Returns: (transfer full) (nullable): the last part of where a link leads */
char *sysfs_link(const System *system, const char *path, const char *name);

/* Returns: whether there is something at @path */
gboolean sysfs_exists(const System *system, const char *path);
