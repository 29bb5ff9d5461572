/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * qga-proxy-private: the border between an embedder's QgaProxy and its core. For qga-proxy*.c.
 *
 * Whatever an embedder is called with, it may stop the proxy there, or drop its last reference. So
 * it is called from a turn of its own, where nothing of the core is on the stack, by border_tell();
 * and in the few cases that need an answer at once, between border_enter() and border_leave(),
 * where the end is put off until the stack has unwound.
 */

#pragma once

#include "core.h"
#include "qga-proxy.h"

G_BEGIN_DECLS

/* A function of the embedder's; lives as long as it is called, be it replaced from within. */
typedef struct {
    GCallback func;
    gpointer user_data;
    GDestroyNotify destroy; /* (nullable) */
} Hook;

typedef struct {
    QgaProxy *proxy; /* (nullable): NULL once it was finalized */
    Core *core;      /* (nullable): NULL once stopped */
    GMainContext *context;
    gboolean started;
    gboolean closing; /* QEMU has gone, as is to be told */

    guint inside;    /* calls from or to the embedder that have the core on the stack */
    gboolean ending; /* stopped from within one: as soon as there is none */
    GSource *burial; /* (nullable): sees to that */

    GQueue tellings; /* of Telling */
    GSource *teller; /* (nullable): while there are any */

    GPtrArray *services;     /* of Service */
    Hook *keep;              /* (nullable): of QgaProxyKeepFunc */
    Hook *gate;              /* (nullable): of QgaProxyGateFunc */
    Hook *audit;             /* (nullable): of QgaProxyAuditFunc */
    const char *agent_state; /* (nullable): as was told */
    gboolean qemu_connected; /* the same */
} Border;

struct _QgaProxy {
    GObject parent_instance;

    Border *border;
};

Border *border_new(QgaProxy *proxy);

/* The proxy is being finalized. The border goes as soon as nothing uses it. */
void border_orphan(Border *border);

/* Stops, now or when that can be. */
void border_stop(Border *border);

/* Around all that may lead into the core, or from it to the embedder. Between the two the border
 * stays, but not the proxy. */
void border_enter(Border *border);
void border_leave(Border *border);

/* Calls @tell in a turn of its own, behind all that was to be told before; not if the proxy is gone
 * by then. @data:
 * (transfer full): for @destroy, if that is not NULL, in any case */
typedef void (*TellFunc)(QgaProxy *proxy, gpointer data);
void border_tell(Border *border, TellFunc tell, gpointer data, GDestroyNotify destroy);

/* Returns: FALSE, with a critical message that names @function, where another thread runs the
 * context */
gboolean border_is_here(const Border *border, const char *function);

/* Whether there is no core to be asked for anything; sets an error of code STATE. */
gboolean border_has_stopped(const Border *border, GError **error);

/* Embedders see one domain, whatever part of the core reports a failure. @cause: (transfer full) */
void border_pass_on(GError *cause, QgaProxyError code, GError **error);

/* @server: what an address means that does not say */
Address *border_parse(const char *text, gboolean server, GError **error);

/* Returns: (transfer full) (nullable): NULL without a function */
Hook *hook_new(GCallback func, gpointer user_data, GDestroyNotify destroy);
Hook *hook_ref(Hook *hook);
void hook_unref(Hook *hook);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hook, hook_unref)

/* What the core tells. */
extern const CoreOps border_core_ops;
gboolean border_admit(gpointer owner, const Asker *asker, const EnvelopeCommand *command,
                      GError **error);
void border_answered(gpointer owner, const Asker *asker, const char *command, const GError *error,
                     gint64 taken_us);

/* Begins what ends with g_task_propagate_pointer() of a GBytes. @task: (transfer full).
 * @arguments: (nullable): JSON text */
void execute_start(GTask *task, const char *command, const char *arguments, guint seconds,
                   QgaProxyExecuteFlags flags);

/* What it ends with, to be read. */
JsonSpan execute_value(GBytes *bytes);

/* Returns: (transfer full): what @command was answered is of another kind than it should be */
GError *execute_misfit(const char *command);

/* Writes a member: a list of strings. @texts: terminated by NULL */
void execute_write_list(JsonWrite *write, const char *name, const char *const *texts);

#define return_if_elsewhere(self)                       \
    G_STMT_START                                        \
    {                                                   \
        if (!border_is_here((self)->border, G_STRFUNC)) \
            return;                                     \
    }                                                   \
    G_STMT_END

#define return_val_if_elsewhere(self, value)            \
    G_STMT_START                                        \
    {                                                   \
        if (!border_is_here((self)->border, G_STRFUNC)) \
            return value;                               \
    }                                                   \
    G_STMT_END

G_END_DECLS
