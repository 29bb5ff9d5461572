/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The library's public border: types, names and errors for embedders. What it does is core.c's.
 */

#include "qga-proxy.h"

#include "core.h"
#include "listener.h"

/**
 * QgaProxy:
 *
 * The proxy of one virtual machine: QMP clients on one side, QEMU's monitor and the guest agent on
 * the other.
 */
struct _QgaProxy {
    GObject parent_instance;

    Core *core; /* (nullable): NULL once stopped */
    GMainContext *context;
    gboolean started;
    GPtrArray *services; /* of Service */
    GSource *burial;     /* (nullable): frees the core, outside of its own callbacks */
};

G_DEFINE_FINAL_TYPE(QgaProxy, qga_proxy, G_TYPE_OBJECT)

G_DEFINE_QUARK(qga_proxy_error, qga_proxy_error)

enum { SIGNAL_CLOSED, N_SIGNALS };

static guint signals[N_SIGNALS];

/* ---- Services -------------------------------------------------------------------------------- */

typedef struct {
    Listener *listener; /* (nullable): NULL where it could not be made */
    QgaProxyConnectionFunc func;
    gpointer user_data;
    GDestroyNotify destroy; /* (nullable) */
} Service;

static void service_free(Service *service)
{
    g_clear_pointer(&service->listener, listener_free);
    if (service->destroy)
        service->destroy(service->user_data);
    g_free(service);
}

static void on_connection(gpointer owner, int fd, const char *peer)
{
    const Service *service = owner;

    service->func(fd, peer, service->user_data);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void stop(QgaProxy *self)
{
    g_ptr_array_set_size(self->services, 0);
    g_clear_pointer(&self->core, core_free);
}

/* QEMU's end is told from a callback of the core, which is still on the stack. */
static gboolean tell_closed(gpointer user_data)
{
    QgaProxy *self = user_data;

    g_clear_pointer(&self->burial, g_source_unref);
    stop(self);
    g_signal_emit(self, signals[SIGNAL_CLOSED], 0);
    return G_SOURCE_REMOVE;
}

static void on_closed(gpointer owner, const char *why)
{
    QgaProxy *self = owner;

    self->burial = g_idle_source_new();
    g_source_set_priority(self->burial, G_PRIORITY_DEFAULT);
    g_source_set_callback(self->burial, tell_closed, g_object_ref(self), g_object_unref);
    g_source_attach(self->burial, self->context);
}

static void qga_proxy_finalize(GObject *object)
{
    QgaProxy *self = QGA_PROXY(object);

    stop(self);
    g_ptr_array_unref(self->services);
    g_clear_pointer(&self->context, g_main_context_unref);
    G_OBJECT_CLASS(qga_proxy_parent_class)->finalize(object);
}

static void qga_proxy_class_init(QgaProxyClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->finalize = qga_proxy_finalize;

    /**
     * QgaProxy::closed:
     *
     * QEMU has closed its monitor, all clients were closed in turn, and the proxy has stopped.
     */
    signals[SIGNAL_CLOSED] = g_signal_new("closed", QGA_TYPE_PROXY, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 0);
}

static void qga_proxy_init(QgaProxy *self)
{
    self->context = g_main_context_ref_thread_default();
    self->services = g_ptr_array_new_with_free_func((GDestroyNotify)service_free);
}

static Address *parse(const char *text, gboolean server, GError **error)
{
    const AddressDefaults defaults = {.server = server, .wait = FALSE};
    GError *cause = NULL;
    Address *address = address_parse(text, &defaults, &cause);

    if (cause) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS, "%s", cause->message);
        g_error_free(cause);
    }
    return address;
}

/* No client of the proxy's comes from there. */
static Address *parse_service(const char *text, GError **error)
{
    g_autoptr(Address) address = parse(text, TRUE, error);

    if (address && (!address->server || address->wait || address->pretty)) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS,
                    "address '%s': options 'server', 'wait' and 'pretty' are for clients", text);
        return NULL;
    }
    return g_steal_pointer(&address);
}

static Address *parse_clients(const char *text, GError **error)
{
    return parse(text, TRUE, error);
}

/* QEMU and the agent's channel are read by us, and not by people. */
static Address *parse_own(const char *text, GError **error)
{
    g_autoptr(Address) address = parse(text, FALSE, error);

    if (address && address->pretty) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS,
                    "address '%s': option 'pretty' is for clients", text);
        return NULL;
    }
    return g_steal_pointer(&address);
}

/* Embedders see one domain, whatever part of the core reports a failure. */
static void pass_on(GError *cause, QgaProxyError code, GError **error)
{
    g_set_error_literal(error, QGA_PROXY_ERROR, code, cause->message);
    g_error_free(cause);
}

static gboolean has_stopped(const QgaProxy *self, GError **error)
{
    if (!self->core)
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy has stopped");
    return !self->core;
}

static QgaProxy *make(const char *monitor, const char *agent, const CoreState *inherited,
                      GError **error)
{
    static const CoreOps ops = {on_closed};
    g_autoptr(QgaProxy) self = NULL;
    g_autoptr(Address) monitor_address = NULL;
    g_autoptr(Address) agent_address = NULL;
    GError *cause = NULL;

    monitor_address = parse_own(monitor, error);
    if (!monitor_address)
        return NULL;
    if (agent) {
        agent_address = parse_own(agent, error);
        if (!agent_address)
            return NULL;
    }
    self = g_object_new(QGA_TYPE_PROXY, NULL);
    self->core =
        core_new(self->context, monitor_address, agent_address, inherited, &ops, self, &cause);
    if (!self->core) {
        pass_on(cause, inherited ? QGA_PROXY_ERROR_STATE : QGA_PROXY_ERROR_SOCKET, error);
        return NULL;
    }
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

typedef Address *(*ParseAddress)(const char *text, GError **error);
typedef gboolean (*AddAddress)(Core *core, const Address *address, GError **error);

static gboolean add_address(QgaProxy *self, const char *text, ParseAddress parse_text,
                            AddAddress add, GError **error)
{
    g_autoptr(Address) address = NULL;
    GError *cause = NULL;

    if (has_stopped(self, error))
        return FALSE;
    address = parse_text(text, error);
    if (!address)
        return FALSE;
    if (add(self->core, address, &cause))
        return TRUE;
    pass_on(cause, QGA_PROXY_ERROR_SOCKET, error);
    return FALSE;
}

gboolean qga_proxy_add_listener(QgaProxy *self, const char *address, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL, FALSE);

    return add_address(self, address, parse_clients, core_add_listener, error);
}

gboolean qga_proxy_add_agent_listener(QgaProxy *self, const char *address, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL, FALSE);

    return add_address(self, address, parse_clients, core_add_agent_listener, error);
}

gboolean qga_proxy_add_monitor(QgaProxy *self, const char *monitor, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(monitor != NULL, FALSE);

    return add_address(self, monitor, parse_own, core_add_monitor, error);
}

void qga_proxy_set_persist(QgaProxy *self, gboolean persist)
{
    g_return_if_fail(QGA_IS_PROXY(self));

    if (self->core)
        core_set_persist(self->core, persist);
}

void qga_proxy_set_freeze_lease(QgaProxy *self, guint seconds)
{
    g_return_if_fail(QGA_IS_PROXY(self));

    if (self->core)
        core_set_freeze_lease(self->core, seconds);
}

void qga_proxy_set_freeze_join(QgaProxy *self, gboolean join)
{
    g_return_if_fail(QGA_IS_PROXY(self));

    if (self->core)
        core_set_freeze_join(self->core, join);
}

gboolean qga_proxy_set_state_directory(QgaProxy *self, const char *directory, const char *name,
                                       GError **error)
{
    GError *cause = NULL;

    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(directory != NULL && name != NULL, FALSE);

    if (has_stopped(self, error))
        return FALSE;
    if (self->started) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy was started");
        return FALSE;
    }
    if (core_set_state_directory(self->core, directory, name, &cause))
        return TRUE;
    pass_on(cause, QGA_PROXY_ERROR_FILE, error);
    return FALSE;
}

typedef gboolean (*SetText)(Core *core, const char *text, GError **error);

static gboolean set_text(QgaProxy *self, const char *text, SetText set, QgaProxyError code,
                         GError **error)
{
    GError *cause = NULL;

    if (has_stopped(self, error))
        return FALSE;
    if (set(self->core, text, &cause))
        return TRUE;
    pass_on(cause, code, error);
    return FALSE;
}

gboolean qga_proxy_set_limit(QgaProxy *self, const char *limit, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(limit != NULL, FALSE);

    return set_text(self, limit, core_set_limit, QGA_PROXY_ERROR_LIMIT, error);
}

gboolean qga_proxy_set_agent_cache(QgaProxy *self, const char *answer, GError **error)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(answer != NULL, FALSE);

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

void qga_proxy_start(QgaProxy *self)
{
    g_return_if_fail(QGA_IS_PROXY(self));

    if (self->core && !self->started)
        core_start(self->core);
    self->started = TRUE;
}

void qga_proxy_stop(QgaProxy *self)
{
    g_return_if_fail(QGA_IS_PROXY(self));

    if (self->burial)
        g_source_destroy(self->burial);
    g_clear_pointer(&self->burial, g_source_unref);
    stop(self);
}

char *qga_proxy_dup_trouble(QgaProxy *self)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);

    return self->core ? g_strdup(core_trouble(self->core)) : NULL;
}

char *qga_proxy_dup_status(QgaProxy *self)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);

    return self->core ? core_status(self->core, FALSE) : g_strdup("{}");
}

char *qga_proxy_dup_metrics(QgaProxy *self, const char *vm)
{
    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);

    return self->core ? core_metrics(self->core, vm) : g_strdup("");
}

static gboolean listen_for(QgaProxy *self, Service *service, const char *text, GError **error)
{
    g_autoptr(IoLoop) loop = NULL;
    g_autoptr(Address) address = NULL;
    GError *cause = NULL;

    if (has_stopped(self, error))
        return FALSE;
    address = parse_service(text, error);
    if (!address)
        return FALSE;
    loop = io_loop_get(self->context);
    service->listener = listener_new(loop, address, on_connection, service, &cause);
    if (service->listener)
        return TRUE;
    pass_on(cause, QGA_PROXY_ERROR_SOCKET, error);
    return FALSE;
}

gboolean qga_proxy_add_service(QgaProxy *self, const char *address, QgaProxyConnectionFunc func,
                               gpointer user_data, GDestroyNotify destroy, GError **error)
{
    Service *service;

    g_return_val_if_fail(QGA_IS_PROXY(self), FALSE);
    g_return_val_if_fail(address != NULL && func != NULL, FALSE);

    service = g_new(Service, 1);
    *service = (Service){NULL, func, user_data, destroy};
    if (!listen_for(self, service, address, error)) {
        service_free(service);
        return FALSE;
    }
    g_ptr_array_add(self->services, service);
    return TRUE;
}

GVariant *qga_proxy_save(QgaProxy *self, GUnixFDList *descriptors, GError **error)
{
    GVariant *state;
    GError *cause = NULL;

    g_return_val_if_fail(QGA_IS_PROXY(self), NULL);
    g_return_val_if_fail(G_IS_UNIX_FD_LIST(descriptors), NULL);

    if (has_stopped(self, error))
        return NULL;
    if (!self->started || self->burial) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_STATE, "The proxy is not running");
        return NULL;
    }
    state = core_save(self->core, descriptors, &cause);
    if (!state)
        pass_on(cause, QGA_PROXY_ERROR_STATE, error);
    return state;
}
