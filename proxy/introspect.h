/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * introspect: QEMU's answers about itself, with our commands added.
 *
 * Owns what is known of the connected agent's commands, and the merging. Pure: text in, text out.
 */

#pragma once

#include "common/json-read.h"

G_BEGIN_DECLS

typedef struct {
    GPtrArray *guest_commands; /* of char *: the enabled ones of the agent that is connected; may be
                                  empty */
    char *agent_version;       /* (nullable) */
} Introspect;

void introspect_init(Introspect *introspect);
void introspect_clear(Introspect *introspect);

/* The agent is another one, or none: nothing is known of it. */
void introspect_forget_agent(Introspect *introspect);

/* Reads what guest-info returned. The guest may say anything: only names that begin with "guest-",
 * and no more than LIMIT_AGENT_COMMANDS of them, are believed. */
void introspect_read_guest_info(Introspect *introspect, JsonSpan info);

/**
 * introspect_merge_commands:
 * @commands: what QEMU's query-commands returned
 * @ours: (array zero-terminated=1): names of the proxy's own commands
 * @out: the merged value is appended
 */
void introspect_merge_commands(const Introspect *introspect, JsonSpan commands,
                               const char *const *ours, GString *out);

G_END_DECLS
