/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * core-private: what the core is made of, and what its files share. For none but core*.c: core.c,
 * which is its story, core-agent.c, which is the agent's part in it, core-setup.c, which puts it
 * together, core-program.c, by which the program itself asks, core-survey.c, which tells how it
 * fares, and core-handover.c, which leaves it to a successor.
 */

#pragma once

#include "channels.h"
#include "core.h"
#include "crowd.h"
#include "freeze.h"
#include "introspect.h"
#include "local.h"
#include "monitor.h"

G_BEGIN_DECLS

struct Core {
    const CoreOps *ops;
    gpointer owner;
    IoLoop *loop;

    Bounds bounds;
    Crowd crowd;

    GPtrArray *monitors; /* of Monitor; all of the same QEMU */
    Monitor *leader;     /* (nullable): the one of them that is asked about the guest */
    Channels channels;   /* to the agent; there may be none */
    AgentLane *lane;     /* (nullable): of the one in use */
    Freeze freeze;
    Local local;
    Introspect introspect;
    gboolean agent_known; /* it has answered since it was last lost */
    gboolean persist;
    gboolean started;
    gboolean gated;
    gboolean audited;
    char *program; /* (nullable): what it calls itself; its address stands for it as an asker */

    char *version; /* (nullable): of QEMU's greeting, while any monitor is connected */
    gboolean oob;
    gboolean held; /* started, but a client is waited for before QEMU is turned to */
    char *closing; /* (nullable): why, once QEMU has gone */

    gint64 closing_us;
    gint64 offline_us; /* when the agent's channel was closed last; 0 for never */
    gboolean parting;  /* all clients have gone, and the end of the channel is waited for */
    IoTimer *parted;   /* for so long */

    Journal *journal;    /* (nullable): where it is all written down */
    gboolean recovering; /* clients of a core that was killed wait for QEMU */
    GVariant *inherited; /* (nullable): what a former core left, until core_start() */
    GHashTable *claimed; /* of char *, as a set: parts of that which are somebody's here */
    Handover handover;   /* of that */
};

/* ---- core.c ---------------------------------------------------------------------------------- */

extern const CrowdOps core_crowd_ops;
extern const MonitorOps core_monitor_ops;
void core_on_parted(gpointer owner, gint64 now_us);
gboolean core_is_qemu(gpointer owner, int fd, const char *peer);

/* Who asks for a command: a client, or the program itself. */
typedef struct {
    gpointer asker;   /* of the Pending */
    Client *client;   /* (nullable) */
    Monitor *monitor; /* that it uses */
    const char *name;
    int fd; /* (transfer full): that came with the command, or -1 */
} CoreParty;

/* Off it goes. @pending: (transfer full): answered in any case */
void core_submit(Core *core, const CoreParty *party, Pending *pending,
                 const EnvelopeCommand *command);

/* A command was answered: what that means to everybody but who asked. @merged: (nullable): where
 * others' commands belong into it. Returns: the answer */
const EnvelopeReply *core_note_answer(Core *core, const Pending *pending,
                                      const EnvelopeReply *reply, const GError *error,
                                      EnvelopeReply *merged);

/* Whether QEMU's answer is to tell of the agent's commands and ours too. */
gboolean core_is_merged(const EnvelopeCommand *command);

/* Answers of commands that nobody waits for. */
void core_reply_to_nobody(Pending *pending, const EnvelopeReply *reply, const GError *error);

/* A client's command, made anew. */
Pending *core_renew(gpointer owner, const EnvelopeCommand *command, gpointer asker);

/* An event of our own making, to all who are there: nothing in it comes from the guest. @data: an
 * object */
void core_tell_own(Core *core, const char *name, const char *data);

/* Who asked has left: what was not sent of that is dropped. Whoever hears of it may come with
 * another command, or leave. */
void core_drop_orphans(Core *core);

/* The agent's channel was closed: where the end waited for that, it comes. */
void core_channel_is_offline(Core *core);

/* The monitor that the fewest use. Returns: (nullable) */
Monitor *core_least_used(const Core *core);

/* QEMU and the agent are turned to, unless a client is waited for. */
void core_connect_unless_held(Core *core);

/* As if @monitor had just become ready, which it is. */
void core_monitor_is_ready(Core *core, Monitor *monitor);

/* The next QEMU may be another. */
void core_forget_qemu(Core *core);

/* ---- core-agent.c ---------------------------------------------------------------------------- */

extern const ChannelsOps core_channels_ops;
extern const FreezeOps core_freeze_ops;

/* The channel that is in use may be another one. */
void core_use_channel(Core *core);

/* Whether an agent answers. */
gboolean core_agent_is_up(const Core *core);

/* ---- core-program.c -------------------------------------------------------------------------- */

/* The program looks at what has changed. */
void core_tell_changed(Core *core);

/* An event of QEMU's, whole in @message. */
void core_tell_event(Core *core, JsonSpan message, const EnvelopeReply *event);

/* A command was answered, which is told where it is audited. */
void core_audit(Core *core, const Pending *pending, const EnvelopeReply *reply,
                const GError *error);

/* ---- core-handover.c ------------------------------------------------------------------------- */

/* To a GUnixFDList. */
extern const HandoverFds core_handover_fds;

/* A part of what a former core left, while it is looked at. */
typedef struct {
    Saved saved;
    HandoverPart part;
} CoreInherited;

/* @ret: set in any case. Returns: (nullable): the part that is called @name */
const HandoverPart *core_inherit(Core *core, const char *name, CoreInherited *ret);

/* What one of many is called there, by the number that it had. Returns: (transfer full) */
typedef char *(*CorePartName)(guint number);
char *core_monitor_part(guint number);
char *core_channel_part(guint number);

/**
 * core_inherit_at:
 * @ret_number: (out): set with the part
 *
 * As core_inherit(), for the one of @address that nobody has claimed yet, whatever its number.
 */
const HandoverPart *core_inherit_at(Core *core, CorePartName name, const Address *address,
                                    guint *ret_number, CoreInherited *ret);

/* The former core's monitors are parties from here on, by their numbers: nobody yet. */
void core_add_former_monitors(Core *core);

void core_inherited_clear(CoreInherited *inherited);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CoreInherited, core_inherited_clear)

/* Whether what a former core left can be understood. */
gboolean core_check_inherited(Core *core, GError **error);

/* Returns: (transfer full): what a core that was killed has left in its journal, as if it had left
 * it on purpose */
GVariant *core_read_journal(Journal *journal);

/* What was kept with it. */
extern const HandoverFds core_journal_fds;

/* Carries on, in core_start(), what the former core had under way. */
void core_restore(Core *core);
void core_forget_inherited(Core *core);

G_END_DECLS
