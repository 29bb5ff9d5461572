/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core: one virtual machine's proxy: clients on one side, QEMU and the guest agent on the other.
 *
 * Owns all endpoints of one VM and what passes between them. Leaves every detail to the piece that
 * has it; see core.c for the story. Lives in one GMainContext and is touched from its thread alone.
 */

#pragma once

#include "bounds.h"

#include "common/address.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

typedef struct Core Core;

typedef struct {
    /* QEMU has gone, and so have all clients. The core does nothing from here on; it may be freed,
     * but not from within this call. */
    void (*closed)(gpointer owner, const char *why);
} CoreOps;

/* What one core leaves to another, with the descriptors that it refers to. */
typedef struct {
    GVariant *state;
    GUnixFDList *fds;
} CoreState;

/**
 * core_new:
 * @context: (nullable): NULL for the default one
 * @monitor: QEMU's
 * @agent: (nullable): the agent's channel; without it, guest commands are refused
 * @inherited: (nullable): of a core that was set up in the same way, which is carried on
 */
Core *core_new(GMainContext *context, const Address *monitor, const Address *agent,
               const CoreState *inherited, const CoreOps *ops, gpointer owner,
               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void core_free(Core *core);

/* Clients come from @address from now on, whichever direction it says; see entrance.h. */
gboolean core_add_listener(Core *core, const Address *address,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For clients that speak the guest agent's own protocol. */
gboolean core_add_agent_listener(Core *core, const Address *address,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another monitor of the same QEMU, for clients to be spread over. */
gboolean core_add_monitor(Core *core, const Address *address,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* 0 for freezes that never end by themselves. */
void core_set_freeze_lease(Core *core, guint seconds);

/* Whether a freeze may be joined, and ends with the last who holds it. */
void core_set_freeze_join(Core *core, gboolean join);

/* Where it is put on record that the guest is frozen. For before core_start(). @name: of the
 * virtual machine */
gboolean core_set_state_directory(Core *core, const char *directory, const char *name,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Answers of a guest command are given again for some time. @text: as for agent_cache_allow() */
gboolean core_set_agent_cache(Core *core, const char *text,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Clients stay when QEMU goes: they get errors until it is there again. For before core_start(). */
void core_set_persist(Core *core, gboolean persist);

/* Holds for what comes: who is connected already keeps what it was given. @text: as for
 * bounds_parse() */
gboolean core_set_limit(Core *core, const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Connects to QEMU and the agent, as soon as they are there; but not before each listener that was
 * added with `wait` has let in its first client. */
void core_start(Core *core);

/* Returns: (nullable): why a monitor is not connected */
const char *core_trouble(const Core *core);

/* Returns: (transfer full): what qga-proxy-status returns, as JSON text. @connections: whether its
 * clients are listed */
char *core_status(const Core *core, gboolean connections);

/* Returns: (transfer full): the same as Prometheus reads it. @vm: (nullable): for the label of that
 * name */
char *core_metrics(const Core *core, const char *vm);

/**
 * core_save:
 *
 * Everything that a successor needs to carry on unnoticed: connections in the middle of messages,
 * commands under way, the freeze. Changes nothing; but whoever runs on after this, beside a
 * successor that does too, would answer everything twice.
 *
 * Returns: (transfer full): NULL, and all goes on here, where QEMU has gone, so that there is
 * nothing to carry on, or where there are not twice as many descriptors as are open
 */
GVariant *core_save(Core *core, GUnixFDList *fds, GError **error);

G_END_DECLS
