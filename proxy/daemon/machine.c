/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "machine.h"

#include "log.h"
#include "metrics.h"

const char *machine_name(const Machine *machine)
{
    return machine->options->name ? machine->options->name : "";
}

static gboolean read_lease(const char *text, guint *ret_seconds, GError **error)
{
    guint64 seconds = 0;

    if (!g_str_equal(text, "off") &&
        !g_ascii_string_to_unsigned(text, 10, 1, G_MAXINT32, &seconds, NULL)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "'%s' is neither a number of seconds nor off", text);
        return FALSE;
    }
    *ret_seconds = (guint)seconds;
    return TRUE;
}

/* Without a name, its monitor tells one machine from another. */
static gboolean set_freezes(QgaProxy *proxy, const MachineOptions *options, GError **error)
{
    const char *name = options->name ? options->name : options->monitors[0];
    guint seconds;

    if (options->freeze_lease) {
        if (!read_lease(options->freeze_lease, &seconds, error))
            return machine_options_blame(options, "freeze-lease", error);
        qga_proxy_set_freeze_lease(proxy, seconds);
    }
    qga_proxy_set_freeze_join(proxy, options->freeze_join);
    return !options->state_directory ||
           qga_proxy_set_state_directory(proxy, options->state_directory, name, error) ||
           machine_options_blame(options, "state-dir", error);
}

static const char *first_agent(const MachineOptions *options)
{
    return options->agents ? options->agents[0] : NULL;
}

/* For one that was killed, if there was one. */
static QgaProxy *new_alone(const Machine *machine, Kept *kept, GError **error)
{
    const MachineOptions *options = machine->options;
    g_auto(KeptPart) part = {NULL};
    g_autoptr(GError) trouble = NULL;
    QgaProxy *proxy = NULL;

    kept_take(kept, machine_name(machine), &part);
    if (part.names)
        proxy = qga_proxy_new_recovered(options->monitors[0], first_agent(options),
                                        (const char *const *)part.names->pdata, part.descriptors,
                                        &trouble);
    if (proxy) {
        log_machine(G_LOG_LEVEL_WARNING, options->name,
                    "the former daemon was killed: carrying on with its clients");
        return proxy;
    }
    if (trouble)
        log_machine(G_LOG_LEVEL_WARNING, options->name,
                    "the clients of the former daemon are lost: %s", trouble->message);
    kept_part_drop(&part, machine_name(machine));
    return qga_proxy_new(options->monitors[0], first_agent(options), error);
}

static QgaProxy *new_proxy(const Machine *machine, const Estate *estate, Kept *kept, GError **error)
{
    const Part *part = estate_find(estate, machine_name(machine));

    if (!part)
        return new_alone(machine, kept, error);
    return qga_proxy_new_successor(machine->options->monitors[0], first_agent(machine->options),
                                   part->state, part->descriptors, error);
}

typedef gboolean (*Adding)(QgaProxy *proxy, const char *value, GError **error);

/* @values: (nullable); @key: the option that has them */
static gboolean add_each(QgaProxy *proxy, const MachineOptions *options, const char *key,
                         char **values, Adding add, GError **error)
{
    for (char **value = values; value && *value; value++)
        if (!add(proxy, *value, error))
            return machine_options_blame(options, key, error);
    return TRUE;
}

static gboolean set_up(QgaProxy *proxy, const MachineOptions *options, GError **error)
{
    qga_proxy_set_persist(proxy, options->persist);
    if (!set_freezes(proxy, options, error) ||
        !add_each(proxy, options, "limit", options->limits, qga_proxy_set_limit, error) ||
        !add_each(proxy, options, "agent-cache", options->cached, qga_proxy_set_agent_cache, error))
        return FALSE;
    /* Before those that show others that it is there. */
    if (options->metrics && !metrics_serve(proxy, options->metrics, options->name, error))
        return machine_options_blame(options, "metrics", error);
    return add_each(proxy, options, "agent-listen", options->agent_listeners,
                    qga_proxy_add_agent_listener, error) &&
           add_each(proxy, options, "listen", options->listeners, qga_proxy_add_listener, error);
}

gboolean machine_start(Machine *machine, const Estate *estate, Kept *kept, gboolean keep,
                       GError **error)
{
    const MachineOptions *options = machine->options;
    g_autoptr(QgaProxy) proxy = new_proxy(machine, estate, kept, error);

    if (!proxy)
        return machine_options_blame(options, NULL, error);
    if (!add_each(proxy, options, "qmp", options->monitors + 1, qga_proxy_add_monitor, error) ||
        (options->agents &&
         !add_each(proxy, options, "agent", options->agents + 1, qga_proxy_add_agent, error)))
        return FALSE;
    if (keep && !keeper_start(proxy, machine_name(machine), error))
        return machine_options_blame(options, "keep", error);
    if (!set_up(proxy, options, error))
        return FALSE;
    qga_proxy_start(proxy);
    machine->proxy = g_steal_pointer(&proxy);
    return TRUE;
}
