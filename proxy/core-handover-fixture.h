/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-handover-fixture: a proxy that is replaced by its successor, at any moment of a test, and a
 * QEMU and an agent that answer by themselves.
 */

#pragma once

#include "core-fixture.h"

G_BEGIN_DECLS

/* What that QEMU answers to query-name. */
#define NAMED "{\"return\": {\"name\": \"vm\"}}\r\n"

/* What that agent answers to guest-info. */
#define INFO "{\"version\": \"1\", \"supported_commands\": []}"

/* A core as the fixture's, with what a former one left; without a channel where its path is NULL.
 */
Core *core_new_successor(CoreFixture *fixture, const CoreState *state,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The fixture's core is another one from here on, as after execve(2): the former one is not heard
 * any more. */
void core_hand_over(CoreFixture *fixture);

/* Returns: (transfer floating): what is handed over instead of @state */
typedef GVariant *(*CoreStateChange)(GVariant *state);

/* The two steps of that, but for a second channel: more can be added in between. @change:
 * (nullable) */
void core_begin_hand_over(CoreFixture *fixture, CoreStateChange change);
void core_end_hand_over(CoreFixture *fixture);

/* Answers what QEMU and the agent are sent, until all is quiet. */
void core_serve(CoreFixture *fixture);

G_END_DECLS
