/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The embedder's say in what clients do, and what it is told of that.
 */

#include "qga-proxy-private.h"

#include "common/qmp-error.h"

/* ---- Gate ------------------------------------------------------------------------------------ */

static gboolean call_gate(Border *border, const Asker *asker, const EnvelopeCommand *command,
                          GError **error)
{
    g_autoptr(Hook) hook = hook_ref(border->gate);
    g_autofree char *arguments = g_strndup(command->arguments.text, command->arguments.len);

    return ((QgaProxyGateFunc)hook->func)(border->proxy, asker->peer, asker->user, asker->process,
                                          command->name, arguments, hook->user_data, error);
}

gboolean border_admit(gpointer owner, const Asker *asker, const EnvelopeCommand *command,
                      GError **error)
{
    Border *border = owner;
    g_autoptr(GError) cause = NULL;
    QgaProxy *proxy;
    gboolean admitted = FALSE;

    if (border->proxy && !border->ending && !border->gate)
        return TRUE;
    border_enter(border);
    if (border->proxy && !border->ending) {
        proxy = g_object_ref(border->proxy);
        admitted = call_gate(border, asker, command, &cause);
        g_object_unref(proxy);
    }
    if (!border->proxy || border->ending) {
        admitted = FALSE;
        g_clear_error(&cause);
        qmp_error_set(&cause, "The proxy ended");
    }
    border_leave(border);
    if (!admitted)
        qmp_error_set(error, "%s", cause ? cause->message : "The command is not allowed");
    return admitted;
}

typedef void (*SetUsed)(Core *core, gboolean used);

static void set_hook(Border *border, Hook **place, SetUsed set_used, Hook *hook)
{
    Hook *former = *place;

    *place = hook;
    if (border->core)
        set_used(border->core, hook != NULL);
    if (former)
        hook_unref(former);
}

void qga_proxy_set_gate(QgaProxy *self, QgaProxyGateFunc func, gpointer user_data,
                        GDestroyNotify destroy)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    set_hook(self->border, &self->border->gate, core_set_gated,
             hook_new(G_CALLBACK(func), user_data, destroy));
}

/* ---- Audit ----------------------------------------------------------------------------------- */

typedef struct {
    Asker *asker;
    char *command;
    const char *error_class; /* (nullable) */
    char *error_text;        /* (nullable) */
    gint64 taken_us;
} Entry;

static void entry_free(gpointer data)
{
    Entry *entry = data;

    asker_free(entry->asker);
    g_free(entry->command);
    g_free(entry->error_text);
    g_free(entry);
}

static void tell_entry(QgaProxy *proxy, gpointer data)
{
    const Entry *entry = data;
    g_autoptr(Hook) hook = NULL;

    if (!proxy->border->audit)
        return;
    hook = hook_ref(proxy->border->audit);
    ((QgaProxyAuditFunc)hook->func)(proxy, entry->asker->peer, entry->asker->user,
                                    entry->asker->process, entry->command, entry->error_class,
                                    entry->error_text, entry->taken_us, hook->user_data);
}

void border_answered(gpointer owner, const Asker *asker, const char *command, const GError *error,
                     gint64 taken_us)
{
    Entry *entry = g_new(Entry, 1);

    *entry = (Entry){
        .asker = asker_new(asker->peer, asker->user, asker->process),
        .command = g_strdup(command),
        .error_class = error ? qmp_error_class(error) : NULL,
        .error_text = error ? g_strdup(error->message) : NULL,
        .taken_us = taken_us,
    };
    border_tell(owner, tell_entry, entry, entry_free);
}

void qga_proxy_set_audit(QgaProxy *self, QgaProxyAuditFunc func, gpointer user_data,
                         GDestroyNotify destroy)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    set_hook(self->border, &self->border->audit, core_set_audited,
             hook_new(G_CALLBACK(func), user_data, destroy));
}
