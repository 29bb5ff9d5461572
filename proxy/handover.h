/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * handover: what a proxy leaves to its successor beside plain values: descriptors, who is meant,
 * and commands that wait for an answer.
 *
 * The successor is another process, or the same after execve(2). Whoever has connections saves
 * them as they are, in the middle of messages and with commands under way, so that no peer notices.
 * Saving changes nothing: where the successor cannot be started, all goes on.
 *
 * Owns how these are written down. Leaves plain values to common/saved.h, how descriptors are
 * passed to core-handover.c, what there is to each noun, and which process comes next to the
 * program. Times are those of the monotonic clock, which the successor on the same host has too.
 */

#pragma once

#include "pending.h"

#include "common/saved.h"

G_BEGIN_DECLS

/* How descriptors get there; each returns -1 where one cannot be duplicated. */
typedef struct {
    /* Returns: its number in the other process */
    int (*put)(gpointer fds, int fd, GError **error);
    int (*get)(gpointer fds, int number);
} HandoverFds;

typedef struct {
    const HandoverFds *ops;
    gpointer fds;       /* what these are handed */
    GPtrArray *parties; /* (nullable): of gpointer (nullable): who can be meant, in the same order
                           on both sides: monitors, then clients */
    /* Restoring: makes a Pending anew, as the core would. @asker: (nullable). Returns: (nullable)
     */
    Pending *(*renew)(gpointer owner, const EnvelopeCommand *command, gpointer asker);
    gpointer owner; /* of renew */
    GError *error;  /* (nullable): saving: why a descriptor was not put: nobody may go on without */
} Handover;

/* What one noun finds of its former self. */
typedef struct {
    Handover *handover;
    Saved *from;
} HandoverPart;

void handover_init(Handover *handover, const HandoverFds *ops, gpointer fds);
void handover_clear(Handover *handover);

/* @fd: or -1, then nothing is put */
void handover_put_fd(Handover *handover, Saved *to, const char *name, int fd);

/* Returns: (transfer full): or -1 */
int handover_get_fd(const HandoverPart *part, const char *name);

/* @party: (nullable) */
void handover_add_party(Handover *handover, gpointer party);
void handover_put_party(Handover *handover, Saved *to, const char *name, gconstpointer party);

/* Returns: (nullable) */
gpointer handover_get_party(const HandoverPart *part, const char *name);

/* A command of our own is put as one that nobody asked for: whoever wants to know asks anew. */
void handover_put_pending(Handover *handover, Saved *to, const Pending *pending);

/* Returns: (transfer full) (nullable): NULL where there is none, or no memory for it */
Pending *handover_get_pending(const HandoverPart *part);

/* Those of a queue, in order. @skip_own: commands of our own that were not sent are asked anew */
void handover_put_queue(Handover *handover, Saved *to, const char *name, const GQueue *queue,
                        gboolean skip_own);
void handover_get_queue(const HandoverPart *part, const char *name, GQueue *queue);

/* Calls @func for each of a list that is part of @part, in order. */
typedef void (*HandoverFunc)(const HandoverPart *item, gpointer data);
void handover_foreach(const HandoverPart *part, const char *name, HandoverFunc func, gpointer data);

G_END_DECLS
