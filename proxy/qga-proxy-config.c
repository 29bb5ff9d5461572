/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a proxy is to be like, said at once.
 */

#include "qga-proxy-private.h"

#include "common/limits.h"

/**
 * QgaProxyConfig:
 *
 * What a proxy is to be like. All of it is in properties; #QgaProxyConfig:monitors is the only one
 * that must be set.
 */
struct _QgaProxyConfig {
    GObject parent_instance;

    char **monitors; /* (nullable), as all pointers here */
    char *agent;
    char **listeners;
    char **agent_listeners;
    char *name;
    char *program;
    char *state_directory;
    char **limits;
    char **agent_cache;
    guint freeze_lease;
    gboolean freeze_join;
    gboolean persist;
};

G_DEFINE_FINAL_TYPE(QgaProxyConfig, qga_proxy_config, G_TYPE_OBJECT)

enum {
    PROP_MONITORS = 1,
    PROP_AGENT,
    PROP_LISTENERS,
    PROP_AGENT_LISTENERS,
    PROP_NAME,
    PROP_PROGRAM,
    PROP_STATE_DIRECTORY,
    PROP_LIMITS,
    PROP_AGENT_CACHE,
    PROP_FREEZE_LEASE,
    PROP_FREEZE_JOIN,
    PROP_PERSIST,
};

/* ---- Type ------------------------------------------------------------------------------------ */

static void set_strv(char ***place, const GValue *value)
{
    g_strfreev(*place);
    *place = g_value_dup_boxed(value);
}

static void set_string(char **place, const GValue *value)
{
    g_free(*place);
    *place = g_value_dup_string(value);
}

static void qga_proxy_config_set_property(GObject *object, guint id, const GValue *value,
                                          GParamSpec *pspec)
{
    QgaProxyConfig *self = QGA_PROXY_CONFIG(object);

    switch (id) {
    case PROP_MONITORS: set_strv(&self->monitors, value); break;
    case PROP_AGENT: set_string(&self->agent, value); break;
    case PROP_LISTENERS: set_strv(&self->listeners, value); break;
    case PROP_AGENT_LISTENERS: set_strv(&self->agent_listeners, value); break;
    case PROP_NAME: set_string(&self->name, value); break;
    case PROP_PROGRAM: set_string(&self->program, value); break;
    case PROP_STATE_DIRECTORY: set_string(&self->state_directory, value); break;
    case PROP_LIMITS: set_strv(&self->limits, value); break;
    case PROP_AGENT_CACHE: set_strv(&self->agent_cache, value); break;
    case PROP_FREEZE_LEASE: self->freeze_lease = g_value_get_uint(value); break;
    case PROP_FREEZE_JOIN: self->freeze_join = g_value_get_boolean(value); break;
    case PROP_PERSIST: self->persist = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

static void qga_proxy_config_get_property(GObject *object, guint id, GValue *value,
                                          GParamSpec *pspec)
{
    const QgaProxyConfig *self = QGA_PROXY_CONFIG(object);

    switch (id) {
    case PROP_MONITORS: g_value_set_boxed(value, self->monitors); break;
    case PROP_AGENT: g_value_set_string(value, self->agent); break;
    case PROP_LISTENERS: g_value_set_boxed(value, self->listeners); break;
    case PROP_AGENT_LISTENERS: g_value_set_boxed(value, self->agent_listeners); break;
    case PROP_NAME: g_value_set_string(value, self->name); break;
    case PROP_PROGRAM: g_value_set_string(value, self->program); break;
    case PROP_STATE_DIRECTORY: g_value_set_string(value, self->state_directory); break;
    case PROP_LIMITS: g_value_set_boxed(value, self->limits); break;
    case PROP_AGENT_CACHE: g_value_set_boxed(value, self->agent_cache); break;
    case PROP_FREEZE_LEASE: g_value_set_uint(value, self->freeze_lease); break;
    case PROP_FREEZE_JOIN: g_value_set_boolean(value, self->freeze_join); break;
    case PROP_PERSIST: g_value_set_boolean(value, self->persist); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

static void qga_proxy_config_finalize(GObject *object)
{
    QgaProxyConfig *self = QGA_PROXY_CONFIG(object);

    g_strfreev(self->monitors);
    g_free(self->agent);
    g_strfreev(self->listeners);
    g_strfreev(self->agent_listeners);
    g_free(self->name);
    g_free(self->program);
    g_free(self->state_directory);
    g_strfreev(self->limits);
    g_strfreev(self->agent_cache);
    G_OBJECT_CLASS(qga_proxy_config_parent_class)->finalize(object);
}

#define FLAGS (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)

static void add_addresses(GObjectClass *object_class)
{
    /**
     * QgaProxyConfig:monitors:
     *
     * Addresses of QEMU's QMP sockets, as for qga_proxy_new() and
     * qga_proxy_add_monitor(). There must be one.
     */
    g_object_class_install_property(object_class, PROP_MONITORS,
                                    g_param_spec_boxed("monitors", NULL, NULL, G_TYPE_STRV, FLAGS));

    /**
     * QgaProxyConfig:agent:
     *
     * Address of the chardev that QEMU's guest agent port is connected to;
     * %NULL for none.
     */
    g_object_class_install_property(object_class, PROP_AGENT,
                                    g_param_spec_string("agent", NULL, NULL, NULL, FLAGS));

    /**
     * QgaProxyConfig:listeners:
     *
     * Where QMP clients connect, as for qga_proxy_add_listener().
     */
    g_object_class_install_property(
        object_class, PROP_LISTENERS,
        g_param_spec_boxed("listeners", NULL, NULL, G_TYPE_STRV, FLAGS));

    /**
     * QgaProxyConfig:agent-listeners:
     *
     * Where clients of the agent's own protocol connect, as for
     * qga_proxy_add_agent_listener().
     */
    g_object_class_install_property(
        object_class, PROP_AGENT_LISTENERS,
        g_param_spec_boxed("agent-listeners", NULL, NULL, G_TYPE_STRV, FLAGS));
}

static void add_names(GObjectClass *object_class)
{
    /**
     * QgaProxyConfig:name:
     *
     * Of the virtual machine, for what is kept in
     * #QgaProxyConfig:state-directory.
     */
    g_object_class_install_property(object_class, PROP_NAME,
                                    g_param_spec_string("name", NULL, NULL, NULL, FLAGS));

    /**
     * QgaProxyConfig:program:
     *
     * What the embedding program is called where it asks for something
     * itself: as the owner of a freeze, and in the audit; %NULL for g_get_prgname().
     */
    g_object_class_install_property(object_class, PROP_PROGRAM,
                                    g_param_spec_string("program", NULL, NULL, NULL, FLAGS));

    /**
     * QgaProxyConfig:state-directory:
     *
     * As for qga_proxy_set_state_directory(); %NULL for none.
     */
    g_object_class_install_property(
        object_class, PROP_STATE_DIRECTORY,
        g_param_spec_string("state-directory", NULL, NULL, NULL, FLAGS));
}

static void add_settings(GObjectClass *object_class)
{
    /**
     * QgaProxyConfig:limits:
     *
     * Each as for qga_proxy_set_limit().
     */
    g_object_class_install_property(object_class, PROP_LIMITS,
                                    g_param_spec_boxed("limits", NULL, NULL, G_TYPE_STRV, FLAGS));

    /**
     * QgaProxyConfig:agent-cache:
     *
     * Each as for qga_proxy_set_agent_cache().
     */
    g_object_class_install_property(
        object_class, PROP_AGENT_CACHE,
        g_param_spec_boxed("agent-cache", NULL, NULL, G_TYPE_STRV, FLAGS));

    /**
     * QgaProxyConfig:freeze-lease:
     *
     * Seconds, as for qga_proxy_set_freeze_lease().
     */
    g_object_class_install_property(object_class, PROP_FREEZE_LEASE,
                                    g_param_spec_uint("freeze-lease", NULL, NULL, 0, G_MAXUINT,
                                                      LIMIT_FREEZE_LEASE_SECONDS, FLAGS));

    /**
     * QgaProxyConfig:freeze-join:
     *
     * As for qga_proxy_set_freeze_join().
     */
    g_object_class_install_property(object_class, PROP_FREEZE_JOIN,
                                    g_param_spec_boolean("freeze-join", NULL, NULL, FALSE, FLAGS));

    /**
     * QgaProxyConfig:persist:
     *
     * As for qga_proxy_set_persist().
     */
    g_object_class_install_property(object_class, PROP_PERSIST,
                                    g_param_spec_boolean("persist", NULL, NULL, FALSE, FLAGS));
}

static void qga_proxy_config_class_init(QgaProxyConfigClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->set_property = qga_proxy_config_set_property;
    object_class->get_property = qga_proxy_config_get_property;
    object_class->finalize = qga_proxy_config_finalize;
    add_addresses(object_class);
    add_names(object_class);
    add_settings(object_class);
}

static void qga_proxy_config_init(QgaProxyConfig *self)
{
    self->freeze_lease = LIMIT_FREEZE_LEASE_SECONDS;
}

QgaProxyConfig *qga_proxy_config_new(void)
{
    return g_object_new(QGA_TYPE_PROXY_CONFIG, NULL);
}

/* ---- A proxy of it --------------------------------------------------------------------------- */

typedef gboolean (*Add)(QgaProxy *proxy, const char *text, GError **error);

static gboolean add_each(QgaProxy *proxy, char **texts, Add add, GError **error)
{
    for (; texts && *texts; texts++)
        if (!add(proxy, *texts, error))
            return FALSE;
    return TRUE;
}

static gboolean set_state_directory(QgaProxy *proxy, const QgaProxyConfig *config, GError **error)
{
    const char *name = config->name ? config->name : config->monitors[0];

    return !config->state_directory ||
           qga_proxy_set_state_directory(proxy, config->state_directory, name, error);
}

QgaProxy *qga_proxy_new_for_config(QgaProxyConfig *config, GError **error)
{
    g_autoptr(QgaProxy) proxy = NULL;

    g_return_val_if_fail(QGA_IS_PROXY_CONFIG(config), NULL);

    if (!config->monitors || !config->monitors[0]) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ADDRESS,
                    "No address of a monitor is given");
        return NULL;
    }
    proxy = qga_proxy_new(config->monitors[0], config->agent, error);
    if (!proxy)
        return NULL;
    core_set_program(proxy->border->core, config->program);
    qga_proxy_set_persist(proxy, config->persist);
    qga_proxy_set_freeze_lease(proxy, config->freeze_lease);
    qga_proxy_set_freeze_join(proxy, config->freeze_join);
    /* Listeners last: they show others that it is there. */
    if (!add_each(proxy, config->monitors + 1, qga_proxy_add_monitor, error) ||
        !set_state_directory(proxy, config, error) ||
        !add_each(proxy, config->limits, qga_proxy_set_limit, error) ||
        !add_each(proxy, config->agent_cache, qga_proxy_set_agent_cache, error) ||
        !add_each(proxy, config->listeners, qga_proxy_add_listener, error) ||
        !add_each(proxy, config->agent_listeners, qga_proxy_add_agent_listener, error))
        return NULL;
    return g_steal_pointer(&proxy);
}
