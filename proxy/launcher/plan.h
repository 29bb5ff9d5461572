/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * plan: what is to be done for a command line of QEMU's, before anything is done.
 *
 * QEMU is handed listening sockets in the place of the monitors and the agent's chardev that it was
 * asked for, and the proxy serves those. Owns that decision, and which command lines QEMU and the
 * proxy get. Leaves sockets and processes to launch.h. Nothing here touches the system: files are
 * read, and numbers of descriptors chosen, by functions of the caller.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const char *const *qemu;    /* QEMU's command line, its program in front */
    const char *const *options; /* of the proxy, as they were given to us */
    gboolean named;             /* whether there is a --name among these */
    gboolean recording;         /* the same with --state-dir */
    gboolean listening;         /* the same with --listen and --agent-listen */
    guint monitors;        /* that QEMU is to have for the proxy; 0 for one per monitor asked for */
    const char *directory; /* of the sockets between QEMU and the proxy */
    const char *proxyd;    /* path of the daemon */

    /* Returns: (transfer full) (nullable): the text of a file */
    char *(*read_file)(const char *path, GError **error);
    /* Returns: a number that no descriptor has, another with each call */
    int (*take_fd)(gpointer data);
    gpointer data;
} PlanRequest;

/* A descriptor that QEMU inherits. */
typedef struct {
    int fd;
    char *path; /* (nullable): where it listens */
    char *text; /* (nullable): what is in the file that it is */
} PlanDescriptor;

typedef struct {
    gboolean through;       /* there is nothing for us in it: QEMU gets the line as it is */
    gboolean daemonize;     /* QEMU leaves its terminal once it has started */
    char **qemu;            /* what QEMU is executed with */
    char **proxy;           /* what the daemon is executed with */
    GPtrArray *descriptors; /* of PlanDescriptor */
    GArray *taken;      /* of int: descriptors of the caller that are the proxy's now, not QEMU's */
    GPtrArray *remarks; /* of char *: what is left to QEMU that somebody may have expected of us */
} Plan;

/* Returns: (nullable): NULL, with @error set to one line that names the option, where there is a
 * mistake */
Plan *plan_new(const PlanRequest *request, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void plan_free(Plan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Plan, plan_free)

/* Returns: (transfer full): for people, one thing a line */
char *plan_to_text(const Plan *plan);

G_END_DECLS
