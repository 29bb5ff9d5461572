/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * qga-qemu: QEMU, with the guest agent's commands on its QMP server, for many clients.
 *
 * Owns the command line in front of QEMU's own. What is made of QEMU's is in plan.h, and what is
 * done then in launch.h.
 */

#include "launch.h"

#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A link to this program that has the name of an emulator behind it is that emulator. */
#define LINK_PREFIX "qga-"
#define EMULATOR    "qga-qemu-system-"

/* Options for where no command line is: libvirt writes it. */
#define OPTIONS_VARIABLE "QGA_QEMU_OPTIONS"

typedef struct {
    GPtrArray *proxy; /* of char *: what is handed on */
    gint monitors;
    gboolean recording;
    gboolean named;
    gboolean listening;
    gboolean print;
    gboolean version;
} Options;

/* ---- Command line ---------------------------------------------------------------------------- */

static gboolean hand_on(const char *name, const char *value, gpointer data, GError **unused_error)
{
    Options *options = data;

    g_ptr_array_add(options->proxy, g_strdup(name));
    if (value)
        g_ptr_array_add(options->proxy, g_strdup(value));
    options->recording |= g_str_equal(name, "--state-dir");
    options->named |= g_str_equal(name, "--name");
    options->listening |= g_str_has_suffix(name, "listen");
    return TRUE;
}

#define HANDED_ON(name, description, value)                                      \
    {                                                                            \
        name, 0, 0, G_OPTION_ARG_CALLBACK, (gpointer)hand_on, description, value \
    }
#define HANDED_ON_ALONE(name, description)                                                         \
    {                                                                                              \
        name, 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, (gpointer)hand_on, description, NULL \
    }

static void add_entries(GOptionContext *context, Options *options)
{
    const GOptionEntry own[] = {
        {"print", 0, 0, G_OPTION_ARG_NONE, &options->print,
         "Print what would be started, and start nothing", NULL},
        {"monitors", 0, 0, G_OPTION_ARG_INT, &options->monitors,
         "How many QEMU monitors clients share; by default one for each that was asked for",
         "NUMBER"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version and exit", NULL},
        {NULL},
    };
    static const GOptionEntry proxy[] = {
        HANDED_ON("listen", "Additional address for QMP clients", "ADDR"),
        HANDED_ON("agent-listen", "Additional address for clients of the agent's protocol", "ADDR"),
        HANDED_ON("state-dir", "Record freezes here", "DIR"),
        HANDED_ON("freeze-lease", "Thaw a freeze after so many seconds, if nobody has",
                  "SECONDS|off"),
        HANDED_ON_ALONE("freeze-join", "Let a second freeze join the first"),
        HANDED_ON("limit", "Set a limit", "NAME=NUMBER"),
        HANDED_ON("agent-cache", "Repeat an answer until it is so old", "COMMAND=SECONDS"),
        HANDED_ON("metrics", "Serve metrics to Prometheus here: GET /metrics", "ADDR"),
        HANDED_ON("name", "Name of the virtual machine; QEMU's -name by default", "NAME"),
        HANDED_ON("log-level", "error, warning, message (default), info or debug", "LEVEL"),
        {NULL},
    };
    GOptionGroup *group = g_option_group_new("proxy", NULL, NULL, options, NULL);

    g_option_group_add_entries(group, own);
    g_option_group_add_entries(group, proxy);
    g_option_context_set_main_group(context, group);
}

static gboolean parse(Options *options, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new("[--] QEMU [QEMU'S OPTIONS]");

    g_option_context_set_summary(context,
                                 "Starts QEMU as its command line says, with -chardev qga_proxy "
                                 "as the guest agent's channel.");
    g_option_context_set_description(context, "The options of the proxy are described in "
                                              "qga-proxyd(8).");
    g_option_context_set_strict_posix(context, TRUE);
    add_entries(context, options);
    return g_option_context_parse_strv(context, argv, error);
}

/* Returns: (transfer full): a command line like ours, for a link that is an emulator */
static char **line_of_link(const char *name, char **arguments, GError **error)
{
    const char *options = g_getenv(OPTIONS_VARIABLE);
    GPtrArray *line = g_ptr_array_new();
    g_auto(GStrv) words = NULL;

    g_ptr_array_add(line, g_strdup("qga-qemu"));
    if (options && options[0] != '\0' && !g_shell_parse_argv(options, NULL, &words, error)) {
        g_prefix_error(error, OPTIONS_VARIABLE ": ");
        g_ptr_array_free(line, TRUE);
        return NULL;
    }
    for (guint i = 0; words && words[i]; i++)
        g_ptr_array_add(line, g_strdup(words[i]));
    g_ptr_array_add(line, g_strdup("--"));
    g_ptr_array_add(line, g_strdup(name + strlen(LINK_PREFIX)));
    for (; *arguments; arguments++)
        g_ptr_array_add(line, g_strdup(*arguments));
    g_ptr_array_add(line, NULL);
    return (char **)g_ptr_array_free(line, FALSE);
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Beside this program, wherever that is; else where programs are. Returns: (nullable) */
static char *find_proxyd(void)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *folder = self ? g_path_get_dirname(self) : NULL;
    g_autofree char *beside = folder ? g_build_filename(folder, "qga-proxyd", NULL) : NULL;

    if (beside && g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
        return g_steal_pointer(&beside);
    return g_find_program_in_path("qga-proxyd");
}

static char *read_file(const char *path, GError **error)
{
    char *text;

    return g_file_get_contents(path, &text, NULL, error) ? text : NULL;
}

static gboolean run(const Options *options, char **qemu, GError **error)
{
    g_autofree char *directory = launch_choose_directory();
    g_autofree char *proxyd = find_proxyd();
    int next_fd = STDERR_FILENO + 1;
    const PlanRequest request = {
        .qemu = (const char *const *)qemu,
        .options = (const char *const *)options->proxy->pdata,
        .recording = options->recording,
        .named = options->named,
        .listening = options->listening,
        .monitors = (guint)MAX(options->monitors, 0),
        .directory = directory,
        .proxyd = proxyd ? proxyd : "qga-proxyd",
        .read_file = read_file,
        .take_fd = launch_take_fd,
        .data = &next_fd,
    };
    g_autoptr(Plan) plan = plan_new(&request, error);
    g_autofree char *text = NULL;

    if (!plan)
        return FALSE;
    if (options->print) {
        text = plan_to_text(plan);
        fputs(text, stdout);
        return TRUE;
    }
    for (guint i = 0; i < plan->remarks->len; i++)
        fprintf(stderr, "qga-qemu: %s\n", (char *)plan->remarks->pdata[i]);
    return launch(plan, directory, error);
}

int main(int argc, char **argv)
{
    g_autofree char *name = g_path_get_basename(argv[0]);
    g_autoptr(GPtrArray) proxy = g_ptr_array_new_with_free_func(g_free);
    Options options = {.proxy = proxy};
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) line =
        g_str_has_prefix(name, EMULATOR) ? line_of_link(name, argv + 1, &error) : g_strdupv(argv);
    char **qemu;
    gboolean ok;

    if (!line || !parse(&options, &line, &error)) {
        fprintf(stderr, "qga-qemu: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        puts("qga-qemu " QGA_PROXY_VERSION);
        return EXIT_SUCCESS;
    }
    qemu = line + 1;
    if (*qemu && g_str_equal(*qemu, "--"))
        qemu++;
    if (!*qemu) {
        fputs("qga-qemu: no QEMU was given to start: qga-qemu qemu-system-x86_64 …\n", stderr);
        return EXIT_FAILURE;
    }
    g_ptr_array_add(proxy, NULL);
    ok = run(&options, qemu, &error);
    if (error)
        fprintf(stderr, "qga-qemu: %s\n", error->message);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
