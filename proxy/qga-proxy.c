/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The library's public border: types, names and errors for embedders. What it does is core.c's.
 */

#include "qga-proxy-private.h"

/**
 * QgaProxy:
 *
 * The proxy of one virtual machine: QMP clients on one side, QEMU's monitor and the guest agent on
 * the other.
 */
G_DEFINE_FINAL_TYPE(QgaProxy, qga_proxy, G_TYPE_OBJECT)

G_DEFINE_QUARK(qga_proxy_error, qga_proxy_error)

enum { PROP_AGENT_STATE = 1, PROP_QEMU_CONNECTED, N_PROPERTIES };

/* ---- Type ------------------------------------------------------------------------------------ */

static void qga_proxy_finalize(GObject *object)
{
    border_orphan(QGA_PROXY(object)->border);
    G_OBJECT_CLASS(qga_proxy_parent_class)->finalize(object);
}

static void qga_proxy_get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    const Border *border = QGA_PROXY(object)->border;

    switch (id) {
    case PROP_AGENT_STATE: g_value_set_string(value, border->agent_state); break;
    case PROP_QEMU_CONNECTED: g_value_set_boolean(value, border->qemu_connected); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

static void add_properties(GObjectClass *object_class)
{
    const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

    /**
     * QgaProxy:agent-state: (type utf8)
     *
     * How far the proxy is with the guest agent, in the words of the event `GUEST_AGENT_STATE`;
     * %NULL where it has no agent's channel. Changes in the same order as the signals come.
     */
    g_object_class_install_property(object_class, PROP_AGENT_STATE,
                                    g_param_spec_string("agent-state", NULL, NULL, NULL, flags));

    /**
     * QgaProxy:qemu-connected:
     *
     * Whether the proxy is connected to a monitor of QEMU.
     */
    g_object_class_install_property(
        object_class, PROP_QEMU_CONNECTED,
        g_param_spec_boolean("qemu-connected", NULL, NULL, FALSE, flags));
}

static void add_signals(void)
{
    /**
     * QgaProxy::closed:
     * @self: the proxy
     *
     * QEMU has closed its monitor, all clients were closed in turn, and the proxy has stopped.
     */
    g_signal_new("closed", QGA_TYPE_PROXY, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

    /**
     * QgaProxy::event:
     * @self: the proxy
     * @name: of the event, which is the signal's detail too
     * @data: (nullable): what QMP has in the member of that name, as JSON text
     * @timestamp: when it was, in microseconds of the real time
     *
     * Something has happened of which QMP clients are told: an event of QEMU's, or one of the
     * proxy's own. Once, however many monitors there are.
     */
    g_signal_new("event", QGA_TYPE_PROXY, G_SIGNAL_RUN_LAST | G_SIGNAL_DETAILED, 0, NULL, NULL,
                 NULL, G_TYPE_NONE, 3, G_TYPE_STRING, G_TYPE_STRING, G_TYPE_INT64);
}

static void qga_proxy_class_init(QgaProxyClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->finalize = qga_proxy_finalize;
    object_class->get_property = qga_proxy_get_property;
    add_properties(object_class);
    add_signals();
}

static void qga_proxy_init(QgaProxy *self)
{
    self->border = border_new(self);
}

/* ---- Made ------------------------------------------------------------------------------------ */

static gboolean check_not_started(const Border *border, GError **error)
{
    if (!border->started)
        return TRUE;
    g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy was started");
    return FALSE;
}

/* QEMU and the agent's channel are read by us, and not by people. */
static Address *parse_own(const char *text, GError **error)
{
    g_autoptr(Address) address = border_parse(text, FALSE, error);

    if (address && address->pretty) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS,
                    "address '%s': option 'pretty' is for clients", text);
        return NULL;
    }
    return g_steal_pointer(&address);
}

static QgaProxy *make(const char *monitor, const char *agent, const CoreState *inherited,
                      GError **error)
{
    g_autoptr(QgaProxy) self = NULL;
    g_autoptr(Address) monitor_address = NULL;
    g_autoptr(Address) agent_address = NULL;
    GError *cause = NULL;
    Border *border;

    monitor_address = parse_own(monitor, error);
    if (!monitor_address)
        return NULL;
    if (agent) {
        agent_address = parse_own(agent, error);
        if (!agent_address)
            return NULL;
    }
    self = g_object_new(QGA_TYPE_PROXY, NULL);
    border = self->border;
    border->core = core_new(border->context, monitor_address, agent_address, inherited,
                            &border_core_ops, border, &cause);
    if (!border->core) {
        border_pass_on(cause, inherited ? QGA_PROXY_ERROR_STATE : QGA_PROXY_ERROR_SOCKET, error);
        return NULL;
    }
    border->agent_state = core_agent_state(border->core);
    return g_steal_pointer(&self);
}

QgaProxy *qga_proxy_new(const char *monitor, const char *agent, GError **error)
{
    g_return_val_if_fail(monitor != NULL, NULL);

    return make(monitor, agent, NULL, error);
}

QgaProxy *qga_proxy_new_successor(const char *monitor, const char *agent, GVariant *state,
                                  GUnixFDList *descriptors, GError **error)
{
    g_return_val_if_fail(monitor != NULL, NULL);
    g_return_val_if_fail(g_variant_is_of_type(state, G_VARIANT_TYPE_VARDICT), NULL);
    g_return_val_if_fail(G_IS_UNIX_FD_LIST(descriptors), NULL);

    return make(monitor, agent, &(CoreState){state, descriptors}, error);
}

QgaProxy *qga_proxy_new_recovered(const char *monitor, const char *agent, const char *const *names,
                                  GUnixFDList *descriptors, GError **error)
{
    CoreState state = {NULL};
    GError *cause = NULL;
    g_autofree int *fds = NULL;

    g_return_val_if_fail(monitor != NULL, NULL);
    g_return_val_if_fail(names != NULL, NULL);
    g_return_val_if_fail(G_IS_UNIX_FD_LIST(descriptors), NULL);
    g_return_val_if_fail(
        (int)g_strv_length((char **)names) == g_unix_fd_list_get_length(descriptors), NULL);

    fds = g_unix_fd_list_steal_fds(descriptors, NULL);
    state.journal = journal_reopen(names, fds, &cause);
    if (state.journal)
        return make(monitor, agent, &state, error);
    border_pass_on(cause, QGA_PROXY_ERROR_STATE, error);
    return NULL;
}

static void tell_keep(gpointer border, const char *name, int fd)
{
    Border *own = border;
    QgaProxyKeepFunc func = (QgaProxyKeepFunc)own->keep->func;

    func(name, fd, own->keep->user_data);
}

gboolean qga_proxy_set_keep(QgaProxy *self, QgaProxyKeepFunc func, gpointer user_data,
                            GDestroyNotify destroy, GError **error)
{
    Border *border = self->border;
    g_autoptr(Hook) hook = hook_new(G_CALLBACK(func), user_data, destroy);
    GError *cause = NULL;
    gboolean kept;

    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    return_val_if_elsewhere(self, FALSE);

    if (border_has_stopped(border, error))
        return FALSE;
    core_keep(border->core, NULL, NULL, NULL);
    g_clear_pointer(&border->keep, hook_unref);
    border->keep = g_steal_pointer(&hook);
    kept = core_keep(border->core, border->keep ? tell_keep : NULL, border, &cause);
    if (!kept)
        border_pass_on(cause, QGA_PROXY_ERROR_STATE, error);
    return kept;
}

typedef gboolean (*AddOwn)(Core *core, const Address *address, GError **error);

static gboolean add_own(QgaProxy *self, const char *text, AddOwn add, GError **error)
{
    g_autoptr(Address) address = NULL;
    GError *cause = NULL;

    if (border_has_stopped(self->border, error))
        return FALSE;
    address = parse_own(text, error);
    if (!address)
        return FALSE;
    if (add(self->border->core, address, &cause))
        return TRUE;
    border_pass_on(cause, QGA_PROXY_ERROR_SOCKET, error);
    return FALSE;
}

gboolean qga_proxy_add_agent(QgaProxy *self, const char *agent, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(agent != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    if (!check_not_started(self->border, error) || !add_own(self, agent, core_add_agent, error))
        return FALSE;
    self->border->agent_state = core_agent_state(self->border->core);
    return TRUE;
}

gboolean qga_proxy_add_monitor(QgaProxy *self, const char *monitor, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(monitor != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return add_own(self, monitor, core_add_monitor, error);
}

/* ---- Set up ---------------------------------------------------------------------------------- */

void qga_proxy_set_persist(QgaProxy *self, gboolean persist)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    if (self->border->core)
        core_set_persist(self->border->core, persist);
}

void qga_proxy_set_freeze_lease(QgaProxy *self, guint seconds)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    if (self->border->core)
        core_set_freeze_lease(self->border->core, seconds);
}

void qga_proxy_set_freeze_join(QgaProxy *self, gboolean join)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    if (self->border->core)
        core_set_freeze_join(self->border->core, join);
}

gboolean qga_proxy_set_state_directory(QgaProxy *self, const char *directory, const char *name,
                                       GError **error)
{
    GError *cause = NULL;

    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(directory != NULL && name != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    if (border_has_stopped(self->border, error))
        return FALSE;
    if (!check_not_started(self->border, error))
        return FALSE;
    if (core_set_state_directory(self->border->core, directory, name, &cause))
        return TRUE;
    border_pass_on(cause, QGA_PROXY_ERROR_FILE, error);
    return FALSE;
}

typedef gboolean (*SetText)(Core *core, const char *text, GError **error);

static gboolean set_text(QgaProxy *self, const char *text, SetText set, QgaProxyError code,
                         GError **error)
{
    GError *cause = NULL;

    if (border_has_stopped(self->border, error))
        return FALSE;
    if (set(self->border->core, text, &cause))
        return TRUE;
    border_pass_on(cause, code, error);
    return FALSE;
}

gboolean qga_proxy_set_limit(QgaProxy *self, const char *limit, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(limit != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return set_text(self, limit, core_set_limit, QGA_PROXY_ERROR_LIMIT, error);
}

gboolean qga_proxy_set_agent_cache(QgaProxy *self, const char *answer, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(answer != NULL, FALSE);
    return_val_if_elsewhere(self, FALSE);

    return set_text(self, answer, core_set_agent_cache, QGA_PROXY_ERROR_CACHE, error);
}

char **qga_proxy_list_limits(void)
{
    g_autoptr(GStrvBuilder) lines = g_strv_builder_new();

    for (const Bound *bound = bounds_table; bound->name; bound++) {
        g_autofree char *line = g_strdup_printf("%-22s %11" G_GUINT64_FORMAT "  %s", bound->name,
                                                bound->initial, bound->text);

        g_strv_builder_add(lines, line);
    }
    return g_strv_builder_end(lines);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void qga_proxy_start(QgaProxy *self)
{
    Border *border;

    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    border = self->border;
    if (border->started || border_has_stopped(border, NULL))
        return;
    border->started = TRUE;
    border_enter(border);
    core_start(border->core);
    border_core_ops.changed(border); /* a successor begins where the former one was */
    border_leave(border);
}

void qga_proxy_stop(QgaProxy *self)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    g_object_ref(self);
    border_stop(self->border);
    g_object_unref(self);
}

char *qga_proxy_dup_trouble(QgaProxy *self)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    return_val_if_elsewhere(self, NULL);

    return self->border->core ? g_strdup(core_trouble(self->border->core)) : NULL;
}

char *qga_proxy_dup_status(QgaProxy *self)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    return_val_if_elsewhere(self, NULL);

    return self->border->core ? core_status(self->border->core, FALSE) : g_strdup("{}");
}

char *qga_proxy_dup_metrics(QgaProxy *self, const char *vm)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    return_val_if_elsewhere(self, NULL);

    return self->border->core ? core_metrics(self->border->core, vm) : g_strdup("");
}

GVariant *qga_proxy_save(QgaProxy *self, GUnixFDList *descriptors, GError **error)
{
    GVariant *state;
    GError *cause = NULL;

    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    g_return_val_if_fail(G_IS_UNIX_FD_LIST(descriptors), NULL);
    return_val_if_elsewhere(self, NULL);

    if (border_has_stopped(self->border, error))
        return NULL;
    if (!self->border->started || self->border->closing) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy is not running");
        return NULL;
    }
    if (self->border->inside > 0) { /* what it is about is in nobody's books yet */
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE,
                    "The proxy is in the middle of a command or a connection");
        return NULL;
    }
    state = core_save(self->border->core, descriptors, &cause);
    if (!state)
        border_pass_on(cause, QGA_PROXY_ERROR_STATE, error);
    return state;
}
