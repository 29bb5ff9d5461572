/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core: one virtual machine's proxy: clients on one side, QEMU and the guest agent on the other.
 *
 * Owns all endpoints of one VM and what passes between them. Leaves every detail to the piece that
 * has it; see core.c for the story. Lives in one GMainContext and is touched from its thread alone.
 */

#pragma once

#include "asker.h"
#include "bounds.h"
#include "journal.h"

#include "common/address.h"
#include "common/envelope.h"

#include <gio/gunixfdlist.h>

G_BEGIN_DECLS

typedef struct Core Core;

typedef struct {
    /* QEMU has gone, and so have all clients. The core does nothing from here on; it may be freed,
     * but not from within this call. */
    void (*closed)(gpointer owner, const char *why);

    /* All of these may be NULL. They are called with the core on the stack: it must not be freed
     * from within. */

    /* An event of QEMU's, or of the proxy's own. @data: an object, or absent */
    void (*event)(gpointer owner, const char *name, JsonSpan data, gint64 real_us);
    /* core_agent_state() or core_is_connected() may say something else now. */
    void (*changed)(gpointer owner);
    /* Where core_set_gated(): whether a client's command may go on. @error: what it is told else */
    gboolean (*admit)(gpointer owner, const Asker *asker, const EnvelopeCommand *command,
                      GError **error);
    /* Where core_set_audited(): a command was answered, be it that nobody hears of it any more.
     * @error: (nullable): NULL for success */
    void (*answered)(gpointer owner, const Asker *asker, const char *command, const GError *error,
                     gint64 taken_us);
} CoreOps;

/* What one core leaves to another, with the descriptors that it refers to. */
typedef struct {
    GVariant *state;
    GUnixFDList *fds;
    Journal *journal; /* (nullable): of one that was killed: then the others are NULL */
} CoreState;

/**
 * core_new:
 * @context: (nullable): NULL for the default one
 * @monitor: QEMU's
 * @agent: (nullable): the agent's channel; without one, guest commands are refused
 * @inherited: (nullable): of a core that is carried on, as far as this one is set up in the same
 *   way
 */
Core *core_new(GMainContext *context, const Address *monitor, const Address *agent,
               const CoreState *inherited, const CoreOps *ops, gpointer owner,
               GError **error) G_GNUC_WARN_UNUSED_RESULT;
void core_free(Core *core);

/**
 * core_keep:
 * @keep: (nullable): NULL for nobody any more
 *
 * From now on it is written down what a core needs to carry on for this one when its process is
 * killed. To be called before there are clients, and ways for them to come.
 */
gboolean core_keep(Core *core, JournalKeep keep, gpointer keeper, GError **error);

/* Clients come from @address from now on, whichever direction it says; see entrance.h. */
gboolean core_add_listener(Core *core, const Address *address,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One of these, by its address, lets nobody in any more; who came from there stays. */
gboolean core_remove_listener(Core *core, const Address *address,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A client that was accepted elsewhere. @fd: (transfer full): unless this fails. @peer: who it is.
 * @agent: it speaks the guest agent's own protocol */
gboolean core_add_client(Core *core, int fd, const char *peer, gboolean agent,
                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For clients that speak the guest agent's own protocol. */
gboolean core_add_agent_listener(Core *core, const Address *address,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another channel to the guest's agent, where it may be as well. For before core_start(); what was
 * set of agents holds for none that is added later. */
gboolean core_add_agent(Core *core, const Address *address,
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

/* Whether each command of a client needs leave, and whether its end is told. */
void core_set_gated(Core *core, gboolean gated);
void core_set_audited(Core *core, gboolean audited);

/* What the program is called that embeds the proxy, where it asks for something. */
void core_set_program(Core *core, const char *name);

/* Returns: (nullable): as events tell it; NULL without an agent's channel */
const char *core_agent_state(const Core *core);

/* Whether any monitor is. */
gboolean core_is_connected(const Core *core);

typedef enum {
    CORE_ANSWERED,  /* by whom it was meant for, with success or not */
    CORE_NOT_SENT,  /* it was not carried out */
    CORE_NO_ANSWER, /* it may have been */
} CoreOutcome;

typedef struct CoreCommand CoreCommand;

/* A command of the program's own, which keeps it where it is until it was answered or withdrawn. */
struct CoreCommand {
    /* Once, maybe from within core_ask(). Exactly one of @reply and @error is set. */
    void (*answered)(CoreCommand *command, const EnvelopeReply *reply, const GError *error,
                     CoreOutcome outcome);

    /*< private >*/
    Core *core;
    struct Pending *pending; /* (nullable): while it is under way */
    struct IoTimer *late;    /* (nullable): where there is no lane that sees to its time */
};

/**
 * core_ask:
 * @question: id and oob of it are of no meaning
 * @ahead: it goes before others' that wait for the agent
 */
void core_ask(Core *core, CoreCommand *command, const EnvelopeCommand *question, gboolean ahead);

/* The program does not wait for it any more, and is not called back: as if its client had left. */
void core_withdraw(CoreCommand *command);

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
