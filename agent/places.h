/* SPDX-License-Identifier: GPL-2.0-or-later */

/* places: where this system has the agent's files, and the devices that are channels. */

#pragma once

#include <glib.h>

#include "agent/channel.h"

typedef struct {
    const char *name; /* what the option says; NULL: no such channel */
    ChannelMethod method;
    const char *path; /* (nullable): default */
} PlacesChannel;

typedef struct {
    const char *config_file;
    const char *hook;
    const char *pidfile;
    const char *state_directory;
    const char *boot_id;   /* (nullable): of a file that has other words in it after each boot */
    gboolean has_services; /* a register that the program enters itself in: see service_manage() */
    PlacesChannel channels[4];
    const char *methods; /* their names, for people */
} Places;

/* Variables of the environment may stand in them, written as the system writes them. */
extern const Places places;

/* Returns: (transfer full): @path with the values of variables in it */
char *places_expand(const char *path);

/* Whether a file can be made in @directory, as far as the system tells without making one. FALSE
 * where it does not tell. */
gboolean places_has_room(const char *directory);

/* Makes @directory, where the system has no better place for one that is not there. */
void places_make_directory(const char *directory);
