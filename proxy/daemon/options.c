/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "options.h"

#include "config.h"
#include "proxy/qga-proxy.h"

/* ---- Of a machine ---------------------------------------------------------------------------- */

#define AT(member) G_STRUCT_OFFSET(MachineOptions, member)

const MachineOption machine_options[] = {
    {"qmp", G_OPTION_ARG_STRING_ARRAY, AT(monitors), TRUE,
     "QEMU's QMP monitor; several monitors of one QEMU may be given", "ADDR"},
    {"agent", G_OPTION_ARG_STRING_ARRAY, AT(agents), TRUE,
     "Chardev of the guest agent's port; several ports of one guest may be given", "ADDR"},
    {"listen", G_OPTION_ARG_STRING_ARRAY, AT(listeners), TRUE,
     "Address for QMP clients; may be given several times", "ADDR"},
    {"agent-listen", G_OPTION_ARG_STRING_ARRAY, AT(agent_listeners), TRUE,
     "Address for clients of the agent's own protocol", "ADDR"},
    {"state-dir", G_OPTION_ARG_FILENAME, AT(state_directory), FALSE,
     "Record freezes here, to thaw them after a crash", "DIR"},
    {"freeze-lease", G_OPTION_ARG_STRING, AT(freeze_lease), FALSE,
     "Thaw a freeze after so many seconds, if nobody has; 300 by default", "SECONDS|off"},
    {"freeze-join", G_OPTION_ARG_NONE, AT(freeze_join), FALSE,
     "Let a second freeze join the first instead of refusing it", NULL},
    {"persist", G_OPTION_ARG_NONE, AT(persist), FALSE,
     "Keep clients when QEMU goes, until it is back", NULL},
    {"limit", G_OPTION_ARG_STRING_ARRAY, AT(limits), FALSE,
     "Set a limit; may be given several times", "NAME=NUMBER"},
    {"agent-cache", G_OPTION_ARG_STRING_ARRAY, AT(cached), FALSE,
     "Repeat an answer to this guest command until it is so old", "COMMAND=SECONDS"},
    {"metrics", G_OPTION_ARG_STRING, AT(metrics), TRUE,
     "Serve metrics to Prometheus here, by HTTP: GET /metrics", "ADDR"},
    {NULL, G_OPTION_ARG_NONE, 0, FALSE, NULL, NULL},
};

void machine_options_free(MachineOptions *options)
{
    for (const MachineOption *option = machine_options; option->name; option++) {
        gpointer place = G_STRUCT_MEMBER_P(options, option->offset);

        if (option->kind == G_OPTION_ARG_STRING_ARRAY)
            g_strfreev(*(char ***)place);
        else if (option->kind != G_OPTION_ARG_NONE)
            g_free(*(char **)place);
    }
    g_free(options->name);
    g_free(options->origin);
    g_free(options);
}

MachineOptions *machine_options_copy(const MachineOptions *options)
{
    MachineOptions *copy = g_new(MachineOptions, 1);

    *copy = *options;
    copy->name = g_strdup(options->name);
    copy->origin = g_strdup(options->origin);
    for (const MachineOption *option = machine_options; option->name; option++) {
        gpointer place = G_STRUCT_MEMBER_P(copy, option->offset);

        if (option->kind == G_OPTION_ARG_STRING_ARRAY)
            *(char ***)place = g_strdupv(*(char ***)place);
        else if (option->kind != G_OPTION_ARG_NONE)
            *(char **)place = g_strdup(*(char **)place);
    }
    return copy;
}

gboolean machine_options_blame(const MachineOptions *options, const char *name, GError **error)
{
    if (options->origin)
        g_prefix_error(error, "%s%s%s: ", options->origin, name ? " " : "", name ? name : "");
    else if (name)
        g_prefix_error(error, "--%s: ", name);
    return FALSE;
}

/* ---- Command line ---------------------------------------------------------------------------- */

void options_clear(Options *options)
{
    g_clear_pointer(&options->machines, g_ptr_array_unref);
    g_free(options->log_level);
}

/* Returns: (transfer full): what --help says behind the options */
static char *describe(void)
{
    g_auto(GStrv) limits = qga_proxy_list_limits();
    g_autofree char *lines = g_strjoinv("\n  ", limits);

    return g_strconcat(
        "ADDR is unix:PATH, unix:@NAME, tcp:HOST:PORT, vsock:CID:PORT or fd:N, followed by:\n"
        "  ,server=on|off        listen, as --listen does, or connect, as the others do\n"
        "  ,reconnect=SECONDS    retry interval after a connection was lost or refused\n"
        "With --listen also:\n"
        "  ,wait=on              connect to QEMU only when the first client is there\n"
        "  ,pretty=on            indent what is sent\n"
        "  ,mode=OCTAL ,user=NAME|UID ,group=NAME|GID    who may connect to a path\n\n"
        "Limits and their defaults; K, M or G after a number stands for powers of 1024:\n  ",
        lines, NULL);
}

static void add_machine_entries(GOptionContext *context, MachineOptions *machine)
{
    g_autoptr(GArray) entries = g_array_new(TRUE, TRUE, sizeof(GOptionEntry));

    for (const MachineOption *option = machine_options; option->name; option++) {
        GOptionEntry entry = {
            .long_name = option->name,
            .arg = option->kind,
            .arg_data = G_STRUCT_MEMBER_P(machine, option->offset),
            .description = option->description,
            .arg_description = option->argument,
        };

        g_array_append_val(entries, entry);
    }
    g_option_context_add_main_entries(context, (GOptionEntry *)(gpointer)entries->data, NULL);
}

static gboolean parse(int *argc, char ***argv, Options *options, MachineOptions *machine,
                      char **config, GError **error)
{
    const GOptionEntry entries[] = {
        {"config", 0, 0, G_OPTION_ARG_FILENAME, config,
         "Serve the machines of this file, each with the options of its group [vm NAME]", "FILE"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &machine->name,
         "Name of the virtual machine, for the log and for metrics", "NAME"},
        {"fd-store", 0, 0, G_OPTION_ARG_NONE, &options->fd_store,
         "On exit, leave all connections with the service manager, for the next daemon", NULL},
        {"keep", 0, 0, G_OPTION_ARG_NONE, &options->keep,
         "Keep connections with the service manager, for the next daemon if killed", NULL},
        {"log-level", 0, 0, G_OPTION_ARG_STRING, &options->log_level,
         "error, warning, message (default), info or debug", "LEVEL"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version,
         "Print the version, after reading FILE, and exit", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autofree char *description = describe();

    g_option_context_set_summary(
        context,
        "Serves QEMU's own QMP commands and the guest agent's on one QMP server, to many clients.");
    g_option_context_set_description(context, description);
    add_machine_entries(context, machine);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1)
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "unexpected argument '%s'",
                    (*argv)[1]);
    return *argc <= 1;
}

/* What can be said of one machine only is not said to all of a file's. */
static gboolean check_common(const MachineOptions *machine, GError **error)
{
    const char *name = machine->name ? "name" : NULL;

    for (const MachineOption *option = machine_options; option->name; option++)
        if (option->own && G_STRUCT_MEMBER(gpointer, machine, option->offset))
            name = option->name;
    if (name)
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--%s is one machine's: with --config it belongs in its group", name);
    return name == NULL;
}

gboolean options_parse(Options *options, int *argc, char ***argv, GError **error)
{
    g_autoptr(MachineOptions) machine = g_new0(MachineOptions, 1);
    g_autofree char *config = NULL;

    if (!parse(argc, argv, options, machine, &config, error))
        return FALSE;
    if (config) {
        if (check_common(machine, error))
            options->machines = config_read(config, machine, error);
        return options->machines != NULL;
    }
    if (!options->version &&
        (!machine->monitors || (!machine->listeners && !machine->agent_listeners))) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--qmp and --listen are needed: where QEMU is, and where clients connect");
        return FALSE;
    }
    options->machines = g_ptr_array_new_with_free_func((GDestroyNotify)machine_options_free);
    g_ptr_array_add(options->machines, g_steal_pointer(&machine));
    return TRUE;
}
