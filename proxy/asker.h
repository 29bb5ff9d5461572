/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * asker: who has asked for a command, as the program that embeds the proxy is told it.
 *
 * Outlives the one who asked: a command whose client has left is still told of when it is answered.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    char *peer;
    gint64 user;    /* -1 where it is not known */
    gint64 process; /* the same */
} Asker;

Asker *asker_new(const char *peer, gint64 user, gint64 process);
void asker_free(Asker *asker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Asker, asker_free)

G_END_DECLS
