/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * filesystems: those that a freeze is about, held open, in the order in which it may freeze them;
 * and what is done to all of them.
 *
 * Owns their descriptors: whatever is mounted over them, or unmounted, meanwhile, they can be
 * thawed. All of it is for work.h's threads, and returns when the kernel does. Those that do not
 * live on one another are seen to side by side: a FIFREEZE waits for RCU's grace periods, 35 ms,
 * and three that wait together wait as long.
 */

#pragma once

#include "mounts.h"
#include "work.h"

typedef struct {
    System *system;
    dev_t number;
    char *directory; /* by which it was opened */
    guint depth;     /* as of stack.h */
    int fd;
    gint frozen;         /* atomic: by this agent, and not thawed since */
    gboolean foreign;    /* the last freeze found it frozen by somebody else, who is to thaw it */
    gboolean was_thawed; /* the last thaw found it frozen */
    int failure;         /* errno of the last freeze or thaw; 0: none */
} Filesystem;

/* Which are meant. */
typedef struct {
    char **paths;             /* (nullable): those that have one of these in them; NULL: all */
    char **excluded;          /* (nullable): but none with such a mount point, source or type */
    gboolean skip_unopenable; /* one that cannot be opened is left out, else none is opened */
} FilesystemsWanted;

/**
 * filesystems_open:
 * @skipped: (nullable): gets what is to be said of those that were left out, char *
 *
 * Returns: (transfer full): of Filesystem, the least deep first; or NULL with @error
 */
GPtrArray *filesystems_open(System *system, const FilesystemsWanted *wanted, GPtrArray *skipped,
                            GError **error);

/* Writes out what is dirty, so that a freeze finds little to write. */
void filesystems_sync(GPtrArray *filesystems, Crew *crew);

/**
 * filesystems_freeze:
 * @cancelled: atomic: TRUE as soon as no further ones are to be frozen
 *
 * Returns: how many it has frozen; those that cannot be, and that somebody else has frozen, are
 *   passed over. With @error where one failed; others may be frozen then.
 */
guint filesystems_freeze(GPtrArray *filesystems, Crew *crew, const gint *cancelled, GError **error);

/**
 * filesystems_relieve:
 *
 * Thaws what filesystems_freeze(), that does not return, has frozen so far. It may be waiting for
 * just that. May be called beside it.
 */
void filesystems_relieve(GPtrArray *filesystems, Crew *crew);

/**
 * filesystems_thaw:
 * @error: where one that this agent has frozen was thawed by somebody else, or is not to be thawed
 *
 * All of them, whoever has frozen them, but those that the last freeze found frozen: an
 * administrator's freeze does not end with a host's.
 *
 * Returns: how many were frozen
 */
guint filesystems_thaw(GPtrArray *filesystems, Crew *crew, GError **error);

/**
 * filesystems_are_frozen:
 *
 * Linux does not tell, but it refuses to freeze what is frozen, at once: so that is tried. One that
 * somebody else has thawed is frozen for a moment. One that lives on a frozen one is not tried: its
 * last writes would wait.
 *
 * Returns: whether any still is of those that this agent has frozen
 */
gboolean filesystems_are_frozen(GPtrArray *filesystems);
