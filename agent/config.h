/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config: what the agent was told, on the command line and in its configuration file.
 *
 * Owns names, defaults and precedence, which are qemu-ga's: the file first, the command line over
 * it, lists of both together. Leaves what differs between systems to places.h. Adds those that
 * begin with freeze- and fsfreeze-hook-, and classes of commands to the lists of those that are
 * blocked and allowed.
 */

#pragma once

#include <glib.h>
#include <stdio.h>

#include "agent/channel.h"

typedef enum {
    CONFIG_RUN,
    CONFIG_DUMP,
    CONFIG_HELP,
    CONFIG_VERSION,
    CONFIG_SERVICE,
    CONFIG_LIST_COMMANDS,
    CONFIG_LIST_CLASSES,
} ConfigAction;

typedef struct {
    ConfigAction action;
    char *file; /* (nullable): named on the command line, and so must be there */
    char *method;
    char *path;    /* (nullable): what the method says */
    char *logfile; /* (nullable): standard error */
    char *pidfile;
    char *hook; /* (nullable) */
    char *statedir;
    char *service; /* (nullable): what is to be done with the service */
    /* What else the command line says, in long form, NULL at the end: a service is started with it.
     */
    GPtrArray *given;
    gboolean verbose;
    gboolean daemonize;
    gboolean retry_path;
    GPtrArray *blocked; /* names and classes, see policy.h */
    GPtrArray *allowed;
    gint64 freeze_timeout; /* seconds; 0: none */
    gint64 hook_timeout;   /* seconds; 0: none */
    GPtrArray *freeze_exclude;
    gboolean freeze_skip_unopenable;
    gboolean freeze_no_expedite;
} Config;

/**
 * config_init:
 * @argv: as main() gets it; kept, and may be reordered
 * @ret: to be cleared in either case
 */
gboolean config_init(Config *ret, int argc, char **argv, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void config_clear(Config *config);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Config, config_clear)

/**
 * config_channel:
 *
 * Finds out what the method means, and its path where none was given.
 */
gboolean config_channel(const Config *config, ChannelAddress *ret,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As a configuration file that says the same. */
void config_dump(const Config *config, FILE *out);

void config_print_help(const char *program, FILE *out);
