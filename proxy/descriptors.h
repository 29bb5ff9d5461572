/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * descriptors: which commands carry a descriptor to QEMU, and whose the names are that they give
 * it.
 *
 * QEMU keeps named descriptors per monitor, and all clients share one. So a name belongs to the
 * client that made it, with getfd, until it closes it or leaves: others can neither replace nor
 * close it. That a command of the owner used it up (netdev_add takes it, for one) is not noticed;
 * the name stays its own all the same. Descriptors in sets (add-fd) are everybody's in QEMU too.
 *
 * Owns the names. Leaves the descriptors themselves, and sending closefd, to the core. Pure: the
 * owner is any pointer.
 */

#pragma once

#include "handover.h"

G_BEGIN_DECLS

typedef struct {
    GHashTable *names; /* char * → Name */
} Descriptors;

void descriptors_init(Descriptors *descriptors);
void descriptors_clear(Descriptors *descriptors);

typedef struct {
    gpointer owner;
    gboolean local;  /* descriptors can come from where it is */
    gboolean has_fd; /* one came with the command */
} DescriptorsAsker;

/**
 * descriptors_admit:
 * @ret_carries: whether what came is to go to QEMU with the command; QEMU is sure to take it then.
 *   With anything else that it came with it would stay there, for somebody else's getfd.
 * @error: why the command must not go to QEMU at all
 *
 * A getfd that is admitted holds its name until descriptors_answered().
 */
gboolean descriptors_admit(Descriptors *descriptors, const EnvelopeCommand *command,
                           const DescriptorsAsker *asker, gboolean *ret_carries,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * descriptors_answered:
 * @command: one that was admitted: its name
 * @carried: what descriptors_admit() said of it
 * @success: whether QEMU has carried it out, or may have
 */
void descriptors_answered(Descriptors *descriptors, const char *command, JsonSpan arguments,
                          gboolean carried, gboolean success);

/* What @owner made is nobody's now, but still taken. */
void descriptors_leave(Descriptors *descriptors, gpointer owner);

/* Calls @close for each name that is nobody's, once until descriptors_closed() says how it went. */
void descriptors_close_left(Descriptors *descriptors,
                            void (*close)(const char *name, gpointer data), gpointer data);

/* @done: QEMU has closed it, or did not have it; else it could not be asked */
void descriptors_closed(Descriptors *descriptors, const char *name, gboolean done);

guint descriptors_count(const Descriptors *descriptors);

void descriptors_save(const Descriptors *descriptors, Handover *handover, Saved *to);

/* What was to be closed is to be closed still. */
void descriptors_restore(Descriptors *descriptors, const HandoverPart *part);

G_END_DECLS
