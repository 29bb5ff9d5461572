/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * options: what the daemon was told, for itself and for each machine.
 *
 * Owns the command line, and the table of what can be said of a machine, there and in a key file
 * (config.h). Leaves what it means to machine.h.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of one virtual machine. */
typedef struct {
    char *name;   /* (nullable) */
    char *origin; /* (nullable): file and group where it stands; NULL for the command line */
    char **monitors;
    char **agents; /* (nullable) */
    char **listeners;
    char **agent_listeners;
    char *state_directory;
    char *freeze_lease;
    char *metrics;
    char **limits;
    char **cached;
    gboolean freeze_join;
    gboolean persist;
} MachineOptions;

/* One thing that can be said: option on the command line and key in a file. */
typedef struct {
    const char *name;
    GOptionArg kind; /* STRING, FILENAME, STRING_ARRAY or NONE */
    gsize offset;    /* in MachineOptions: char *, char *, char **, gboolean */
    gboolean own;    /* cannot be the same for several machines */
    const char *description;
    const char *argument;
} MachineOption;

/* Ends with one without a name. */
extern const MachineOption machine_options[];

void machine_options_free(MachineOptions *options);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MachineOptions, machine_options_free)

/* Returns: (transfer full) */
MachineOptions *machine_options_copy(const MachineOptions *options);

/* Prefixes @error with where the option @name stands. @name: (nullable): NULL for the whole.
 * Returns: FALSE */
gboolean machine_options_blame(const MachineOptions *options, const char *name, GError **error);

typedef struct {
    GPtrArray *machines; /* of MachineOptions *, at least one */
    char *log_level;
    gboolean fd_store;
    gboolean keep;
    gboolean version;
} Options;

/* Reads the command line, and the file that it may name. */
gboolean options_parse(Options *options, int *argc, char ***argv,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

G_END_DECLS
