/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "plan.h"

#include "endpoint.h"
#include "settings.h"

#include <string.h>

#define AGENT_PORT "org.qemu.guest_agent.0"

typedef struct {
    const PlanRequest *request;
    Plan *plan;
    Settings *settings;
    GPtrArray *listeners; /* of char *: options of the daemon */
    guint n_monitors;     /* that QEMU has for the proxy */
    guint n_channels;     /* to the guest's agent */
    gboolean waits;       /* QEMU waits for a client */
} Planning;

static void descriptor_free(gpointer data)
{
    PlanDescriptor *descriptor = data;

    g_free(descriptor->path);
    g_free(descriptor->text);
    g_free(descriptor);
}

/* ---- What QEMU gets instead ------------------------------------------------------------------ */

static PlanDescriptor *add_descriptor(Planning *planning)
{
    PlanDescriptor *descriptor = g_new0(PlanDescriptor, 1);

    descriptor->fd = planning->request->take_fd(planning->request->data);
    g_ptr_array_add(planning->plan->descriptors, descriptor);
    return descriptor;
}

/* Returns: (transfer full): the number of a descriptor that will listen at @name */
static char *add_socket(Planning *planning, const char *name)
{
    PlanDescriptor *descriptor = add_descriptor(planning);

    descriptor->path = g_build_filename(planning->request->directory, name, NULL);
    return g_strdup_printf("%d", descriptor->fd);
}

/* Makes a chardev one that listens at @name; what else was said of the socket is the proxy's. */
static void replace_socket(Planning *planning, Setting *chardev, const char *name, gboolean wait)
{
    static const char *const kept[] = {"logfile", "logappend"};
    g_autoptr(Option) option = option_parse("socket", "backend", NULL);
    g_autofree char *fd = add_socket(planning, name);

    option_set(option, "id", option_get(chardev->option, "id"));
    option_set(option, "fd", fd);
    option_set(option, "server", "on");
    option_set(option, "wait", wait ? "on" : "off");
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        if (option_get(chardev->option, kept[i]))
            option_set(option, kept[i], option_get(chardev->option, kept[i]));
    option_assign(chardev->option, option);
    chardev->ours = TRUE;
    chardev->changed = TRUE;
}

static void add_listener(Planning *planning, const char *option, Endpoint *endpoint)
{
    g_ptr_array_add(planning->listeners, g_strdup(option));
    g_ptr_array_add(planning->listeners, g_steal_pointer(&endpoint->address));
    planning->waits |= endpoint->waits;
    if (endpoint->fd >= 0)
        g_array_append_val(planning->plan->taken, endpoint->fd);
}

/* Where the agent's channel was to be waited for, the first monitor waits in its place. */
static gboolean waits_first(const Planning *planning)
{
    return planning->waits && planning->n_monitors == 0;
}

static char *next_monitor(Planning *planning)
{
    return g_strdup_printf("monitor%u", planning->n_monitors++);
}

/* A monitor that nobody has asked QEMU for. Returns: (transfer full): its -chardev; @ret_mon:
 * (transfer full): its -mon */
static char *new_monitor(Planning *planning, gboolean wait, char **ret_mon)
{
    g_autofree char *name = next_monitor(planning);
    g_autofree char *fd = add_socket(planning, name);

    *ret_mon = g_strdup_printf("chardev=qga-proxy-%s,mode=control", name);
    return g_strdup_printf("socket,id=qga-proxy-%s,fd=%s,server=on,wait=%s", name, fd,
                           wait ? "on" : "off");
}

/* ---- The agent's channel --------------------------------------------------------------------- */

static gboolean is_agent_port(const Planning *planning, const Setting *chardev)
{
    const char *id = option_get(chardev->option, "id");
    const Setting *device = id ? settings_find_device(planning->settings, id) : NULL;

    return device && g_strcmp0(option_get(device->option, "name"), AGENT_PORT) == 0;
}

/* Returns: (transfer full): @name, with a number where it is not the first channel's */
static char *of_channel(const char *name, guint number)
{
    return number == 0 ? g_strdup(name) : g_strdup_printf("%s%u", name, number);
}

/* QEMU reports by event what becomes of a port only where it has a name. */
static void name_port(Planning *planning, const char *chardev)
{
    Setting *device = settings_find_device(planning->settings, chardev);
    g_autofree char *name = of_channel("qga-proxy-port", planning->n_channels);

    if (!device || option_get(device->option, "id") ||
        g_strcmp0(option_get(device->option, "driver"), "virtserialport") != 0)
        return;
    option_set(device->option, "id", name);
    device->changed = TRUE;
}

static gboolean check_channel(const Planning *planning, const Setting *chardev, GError **error)
{
    static const char *const known[] = {"backend", "id", "logfile", "logappend", NULL};
    const char *unknown = option_find_unknown(chardev->option, known);
    const char *id = option_get(chardev->option, "id");

    if (unknown)
        return setting_refuse(chardev, error, "a qga_proxy has no '%s'", unknown);
    if (!id)
        return setting_refuse(chardev, error, "there is no id");
    if (!settings_find_device(planning->settings, id) &&
        !settings_is_on_serial(planning->settings, id))
        return setting_refuse(chardev, error, "no -device has chardev=%s", id);
    return TRUE;
}

/* The chardevs that are said to be the agent's, into @channels; else the one that is on a port of
 * the agent's name. Returns: FALSE with @error set */
static gboolean find_channels(const Planning *planning, GPtrArray *channels, GError **error)
{
    for (guint i = 0; i < planning->settings->list->len; i++) {
        Setting *setting = planning->settings->list->pdata[i];

        if (!setting_is(setting, "chardev", "backend", "qga_proxy"))
            continue;
        if (!check_channel(planning, setting, error))
            return FALSE;
        g_ptr_array_add(channels, setting);
    }
    for (guint i = 0; channels->len == 0 && i < planning->settings->list->len; i++) {
        Setting *setting = planning->settings->list->pdata[i];

        if (setting_is(setting, "chardev", "backend", "socket") && is_agent_port(planning, setting))
            g_ptr_array_add(channels, setting);
    }
    return TRUE;
}

static void remark(Planning *planning, const char *where, const char *why)
{
    g_ptr_array_add(planning->plan->remarks, g_strdup_printf("%s: left to QEMU: %s", where, why));
}

/* One that is left to QEMU does not count. */
static gboolean plan_channel(Planning *planning, Setting *chardev, GError **error)
{
    g_auto(Endpoint) endpoint = {.fd = -1};
    g_autofree char *why = NULL;
    g_autofree char *name = of_channel("agent", planning->n_channels);

    if (setting_is(chardev, "chardev", "backend", "socket"))
        switch (endpoint_read(chardev->option, FALSE, &endpoint, &why, error)) {
        case ENDPOINT_SERVED: add_listener(planning, "--agent-listen", &endpoint); break;
        case ENDPOINT_FOREIGN: remark(planning, chardev->where, why); return TRUE;
        case ENDPOINT_WRONG: g_prefix_error(error, "%s: ", chardev->where); return FALSE;
        }
    name_port(planning, option_get(chardev->option, "id"));
    replace_socket(planning, chardev, name, FALSE);
    planning->n_channels++;
    return TRUE;
}

/* Returns: FALSE with @error set */
static gboolean plan_channels(Planning *planning, const GPtrArray *channels, GError **error)
{
    for (guint i = 0; i < channels->len; i++)
        if (!plan_channel(planning, channels->pdata[i], error))
            return FALSE;
    return TRUE;
}

/* ---- Monitors -------------------------------------------------------------------------------- */

static gboolean plan_mon(Planning *planning, Setting *mon, GError **error)
{
    Setting *chardev =
        settings_find_chardev(planning->settings, option_get(mon->option, "chardev"));
    g_auto(Endpoint) endpoint = {.fd = -1};
    g_autofree char *why = NULL;
    g_autofree char *name = NULL;
    gboolean pretty, waits;

    if (g_strcmp0(option_get(mon->option, "mode"), "control") != 0 || !chardev || chardev->ours ||
        !setting_is(chardev, "chardev", "backend", "socket"))
        return TRUE;
    if (!option_get_switch(mon->option, "pretty", FALSE, &pretty, error)) {
        g_prefix_error(error, "%s: ", mon->where);
        return FALSE;
    }
    switch (endpoint_read(chardev->option, pretty, &endpoint, &why, error)) {
    case ENDPOINT_SERVED: break;
    case ENDPOINT_FOREIGN: remark(planning, chardev->where, why); return TRUE;
    case ENDPOINT_WRONG: g_prefix_error(error, "%s: ", chardev->where); return FALSE;
    }
    if (pretty) {
        option_remove(mon->option, "pretty");
        mon->changed = TRUE;
    }
    waits = endpoint.waits || waits_first(planning);
    name = next_monitor(planning);
    replace_socket(planning, chardev, name, waits);
    add_listener(planning, "--listen", &endpoint);
    return TRUE;
}

static gboolean plan_qmp(Planning *planning, Argument *argument, gboolean pretty, GError **error)
{
    g_auto(Endpoint) endpoint = {.fd = -1};
    g_autofree char *where = g_strdup_printf("%s %s", argument->word, argument->value);
    g_autofree char *why = NULL;
    g_autofree char *chardev = NULL;

    switch (endpoint_read_short(argument->value, pretty, &endpoint, &why, error)) {
    case ENDPOINT_SERVED: break;
    case ENDPOINT_FOREIGN: remark(planning, where, why); return TRUE;
    case ENDPOINT_WRONG: g_prefix_error(error, "%s: ", where); return FALSE;
    }
    chardev = new_monitor(planning, endpoint.waits || waits_first(planning), &argument->mon);
    argument_replace(argument, "-chardev", chardev);
    add_listener(planning, "--listen", &endpoint);
    return TRUE;
}

static gboolean plan_monitors(Planning *planning, GError **error)
{
    for (guint i = 0; i < planning->settings->arguments->len; i++) {
        Argument *argument = planning->settings->arguments->pdata[i];
        gboolean pretty = g_strcmp0(argument->name, "qmp-pretty") == 0;

        if ((pretty || g_strcmp0(argument->name, "qmp") == 0) && argument->value &&
            !plan_qmp(planning, argument, pretty, error))
            return FALSE;
    }
    for (guint i = 0; i < planning->settings->list->len; i++) {
        Setting *setting = planning->settings->list->pdata[i];

        if (strcmp(setting->group, "mon") == 0 && !plan_mon(planning, setting, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- The result ------------------------------------------------------------------------------ */

/* Monitors beyond those that were asked for: one at least, for how the guest fares. */
static void add_monitors(Planning *planning, GPtrArray *argv)
{
    guint wanted = MAX(planning->request->monitors, 1);

    while (planning->n_monitors < wanted) {
        char *mon;
        char *chardev = new_monitor(planning, waits_first(planning), &mon);

        g_ptr_array_add(argv, g_strdup("-chardev"));
        g_ptr_array_add(argv, chardev);
        g_ptr_array_add(argv, g_strdup("-mon"));
        g_ptr_array_add(argv, mon);
    }
}

/* Returns: the descriptor from which QEMU will read @text (transfer full) */
static int add_file(gpointer data, char *text)
{
    PlanDescriptor *descriptor = add_descriptor(data);

    descriptor->text = text;
    return descriptor->fd;
}

static char **end_qemu(Planning *planning)
{
    g_auto(GStrv) own = NULL;
    GPtrArray *argv = g_ptr_array_new();

    settings_write_back(planning->settings, add_file, planning);
    own = arguments_to_argv(planning->settings->arguments, planning->request->qemu[0]);
    for (char **word = own; *word; word++)
        g_ptr_array_add(argv, g_strdup(*word));
    add_monitors(planning, argv);
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

static void add_address(GPtrArray *argv, const char *option, const char *directory,
                        const char *name)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);
    GString *address = g_string_new("unix:");

    option_append_escaped(address, path);
    g_ptr_array_add(argv, g_strdup(option));
    g_ptr_array_add(argv, g_string_free(address, FALSE));
}

/* The machine's name, for the log, if QEMU was told one and we were not. */
static void add_name(const Planning *planning, GPtrArray *argv)
{
    const char *text = arguments_find(planning->settings->arguments, "name");
    g_autoptr(Option) option = text ? option_parse(text, "guest", NULL) : NULL;
    const char *name = option ? option_get(option, "guest") : NULL;

    if (planning->request->named || !name)
        return;
    g_ptr_array_add(argv, g_strdup("--name"));
    g_ptr_array_add(argv, g_strdup(name));
}

static char **end_proxy(const Planning *planning)
{
    const PlanRequest *request = planning->request;
    GPtrArray *argv = g_ptr_array_new();

    g_ptr_array_add(argv, g_strdup(request->proxyd));
    for (guint i = 0; i < planning->n_monitors; i++) {
        g_autofree char *name = g_strdup_printf("monitor%u", i);

        add_address(argv, "--qmp", request->directory, name);
    }
    for (guint i = 0; i < planning->n_channels; i++) {
        g_autofree char *name = of_channel("agent", i);

        add_address(argv, "--agent", request->directory, name);
    }
    /* A guest that is frozen when the daemon is killed is thawed by the next. */
    if (!request->recording) {
        g_ptr_array_add(argv, g_strdup("--state-dir"));
        g_ptr_array_add(argv, g_strdup(request->directory));
    }
    g_ptr_array_add(argv, g_strdup("--keep"));
    g_ptr_array_add(argv, g_strdup("--fd-store"));
    for (guint i = 0; i < planning->listeners->len; i++)
        g_ptr_array_add(argv, g_strdup(planning->listeners->pdata[i]));
    add_name(planning, argv);
    for (guint i = 0; request->options[i]; i++)
        g_ptr_array_add(argv, g_strdup(request->options[i]));
    g_ptr_array_add(argv, NULL);
    return (char **)g_ptr_array_free(argv, FALSE);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static gboolean make_plan(Planning *planning, GError **error)
{
    Plan *plan = planning->plan;
    g_autoptr(GPtrArray) channels = g_ptr_array_new();

    planning->settings = settings_new(planning->request->qemu, planning->request->read_file, error);
    if (!planning->settings || !find_channels(planning, channels, error) ||
        !plan_channels(planning, channels, error))
        return FALSE;
    plan->through = planning->n_channels == 0;
    if (plan->through) {
        plan->qemu = g_strdupv((char **)planning->request->qemu);
        return TRUE;
    }
    if (!plan_monitors(planning, error))
        return FALSE;
    if (planning->listeners->len == 0 && !planning->request->listening)
        return setting_refuse(channels->pdata[0], error,
                              "there is no -qmp or -mon that could be asked");
    plan->daemonize = arguments_find(planning->settings->arguments, "daemonize") != NULL;
    plan->qemu = end_qemu(planning);
    plan->proxy = end_proxy(planning);
    return TRUE;
}

Plan *plan_new(const PlanRequest *request, GError **error)
{
    Plan *plan = g_new0(Plan, 1);
    Planning planning = {
        .request = request,
        .plan = plan,
        .listeners = g_ptr_array_new_with_free_func(g_free),
    };
    gboolean ok;

    plan->descriptors = g_ptr_array_new_with_free_func(descriptor_free);
    plan->taken = g_array_new(FALSE, FALSE, sizeof(int));
    plan->remarks = g_ptr_array_new_with_free_func(g_free);
    ok = make_plan(&planning, error);
    g_ptr_array_unref(planning.listeners);
    g_clear_pointer(&planning.settings, settings_free);
    if (ok)
        return plan;
    plan_free(plan);
    return NULL;
}

void plan_free(Plan *plan)
{
    g_ptr_array_unref(plan->descriptors);
    g_array_unref(plan->taken);
    g_ptr_array_unref(plan->remarks);
    g_strfreev(plan->qemu);
    g_strfreev(plan->proxy);
    g_free(plan);
}
