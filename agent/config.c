/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/config.h"

#include <errno.h>
#include <getopt.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/places.h"
#include "agent/policy.h"
#include "common/limits.h"
#include "common/qmp-error.h"

#define GROUP "general"

/*
 * Seconds after which a freeze ends by itself. A host that lives thaws within seconds, at worst
 * minutes; after ten the guest's own services have long given up on their disks, and nobody will
 * come.
 */
enum { DEFAULT_FREEZE_TIMEOUT = 600 };

typedef enum {
    OPTION_STRING,
    OPTION_FLAG,
    OPTION_LIST,
    OPTION_NUMBER,
    OPTION_HOOK, /* a string that may be left out on the command line */
    OPTION_ACTION,
} OptionKind;

typedef struct {
    const char *name; /* on the command line */
    const char *key;  /* (nullable): in the file */
    OptionKind kind;
    char letter;
    gsize offset;
    ConfigAction action;
    const char *argument; /* for the help */
    const char *help;
    gboolean is_addition; /* to qemu-ga's: whoever compares both sees it only where it is used */
    const char *const *fallback; /* (nullable): for the help: what it is without, or may be */
} Option;

#define FIELD(field) offsetof(Config, field)

/* Of numbers. */
static const Config defaults = {
    .freeze_timeout = DEFAULT_FREEZE_TIMEOUT,
    .hook_timeout = LIMIT_HOOK_SECONDS,
};

/* Keys in the order in which they are dumped. */
static const Option options[] = {
    {"daemonize", "daemon", OPTION_FLAG, 'd', FIELD(daemonize), 0, NULL,
     "go into the background, once everything is ready"},
    {"method", "method", OPTION_STRING, 'm', FIELD(method), 0, "METHOD",
     "kind of channel, by default the first", .fallback = &places.methods},
    {"path", "path", OPTION_STRING, 'p', FIELD(path), 0, "PATH",
     "device or socket; for vsock-listen CID:PORT"},
    {"logfile", "logfile", OPTION_STRING, 'l', FIELD(logfile), 0, "PATH",
     "log to this file, not to standard error"},
    {"pidfile", "pidfile", OPTION_STRING, 'f', FIELD(pidfile), 0, "PATH",
     "with -d, hold this file locked", .fallback = &places.pidfile},
    {"fsfreeze-hook", "fsfreeze-hook", OPTION_HOOK, 'F', FIELD(hook), 0, "PATH",
     "run this before a freeze and after the thaw; no blank in -FPATH", .fallback = &places.hook},
    {"statedir", "statedir", OPTION_STRING, 't', FIELD(statedir), 0, "DIR",
     "keep files that outlive the agent here", .fallback = &places.state_directory},
    {"verbose", "verbose", OPTION_FLAG, 'v', FIELD(verbose), 0, NULL, "log routine activity, too"},
    {"retry-path", "retry-path", OPTION_FLAG, 'r', FIELD(retry_path), 0, NULL,
     "keep trying to open the path, whatever the error"},
    {"block-rpcs", "block-rpcs", OPTION_LIST, 'b', FIELD(blocked), 0, "LIST",
     "refuse these commands and @classes; \"help\" and \"@help\" list them"},
    {"allow-rpcs", "allow-rpcs", OPTION_LIST, 'a', FIELD(allowed), 0, "LIST",
     "refuse all commands and @classes but these"},
    {"freeze-timeout", "freeze-timeout", OPTION_NUMBER, 0, FIELD(freeze_timeout), 0, "SECONDS",
     "thaw when no host has done so for that long; 0: never (600)", TRUE},
    {"freeze-exclude", "freeze-exclude", OPTION_LIST, 0, FIELD(freeze_exclude), 0, "LIST",
     "never freeze filesystems with such a mount point, device or type", TRUE},
    {"freeze-skip-unopenable", "freeze-skip-unopenable", OPTION_FLAG, 0,
     FIELD(freeze_skip_unopenable), 0, NULL,
     "skip a filesystem that cannot be opened, and freeze the others", TRUE},
    {"freeze-no-expedite", "freeze-no-expedite", OPTION_FLAG, 0, FIELD(freeze_no_expedite), 0, NULL,
     "leave /sys/kernel/rcu_expedited alone, and freeze more slowly", TRUE},
    {"fsfreeze-hook-timeout", "fsfreeze-hook-timeout", OPTION_NUMBER, 0, FIELD(hook_timeout), 0,
     "SECONDS", "kill a hook that takes longer; 0: never (300)", TRUE},
    /* What block-rpcs was called before QEMU 8; to ignore it would let run what somebody has
       forbidden. */
    {"blacklist", "blacklist", OPTION_LIST, 0, FIELD(blocked), 0, NULL, NULL},
    {"config", NULL, OPTION_STRING, 'c', FIELD(file), 0, "PATH",
     "read this file; $QGA_CONF overrides the default", .fallback = &places.config_file},
    {"service", NULL, OPTION_STRING, 's', FIELD(service), 0, "COMMAND",
     "install or uninstall the service, with all other options given"},
    {"dump-conf", NULL, OPTION_ACTION, 'D', 0, CONFIG_DUMP, NULL,
     "print a configuration file equivalent to these options"},
    {"version", NULL, OPTION_ACTION, 'V', 0, CONFIG_VERSION, NULL, "print the version"},
    {"help", NULL, OPTION_ACTION, 'h', 0, CONFIG_HELP, NULL, "print this"},
};

static gpointer field_of(const Config *config, const Option *option)
{
    return (char *)config + option->offset;
}

static gboolean is_offered(const Option *option)
{
    return option->letter != 's' || places.has_services;
}

static void set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
}

static gboolean add_words(const Option *option, GPtrArray *words, const char *list, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);

    for (guint i = 0; parts[i] != NULL; i++) {
        /* Behind a comma a blank is natural, and must not unblock what it stands before. */
        if (*g_strstrip(parts[i]) == '\0')
            continue;
        if (!policy_check_word(parts[i], error)) {
            g_prefix_error(error, "%s: ", option->name);
            return FALSE;
        }
        g_ptr_array_add(words, g_strdup(parts[i]));
    }
    return TRUE;
}

static gboolean set_number(const Option *option, gint64 *field, const char *value, GError **error)
{
    guint64 number;

    /* Milliseconds of it still fit into 32 bits. */
    if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32 / 1000, &number, NULL)) {
        qmp_error_set(error, "'%s' is no value for %s", value, option->name);
        return FALSE;
    }
    *field = (gint64)number;
    return TRUE;
}

/* ---- File ------------------------------------------------------------------------------------ */

static gboolean load_key(Config *config, GKeyFile *file, const Option *option, GError **error)
{
    g_autofree char *value = NULL;
    GError *reason = NULL;

    if (option->key == NULL || !g_key_file_has_key(file, GROUP, option->key, NULL))
        return TRUE;
    if (option->kind == OPTION_FLAG) {
        *(gboolean *)field_of(config, option) =
            g_key_file_get_boolean(file, GROUP, option->key, &reason);
    } else {
        value = g_key_file_get_string(file, GROUP, option->key, &reason);
    }
    if (reason != NULL) {
        g_propagate_error(error, reason);
        return FALSE;
    }
    if (option->kind == OPTION_LIST)
        return add_words(option, *(GPtrArray **)field_of(config, option), value, error);
    if (option->kind == OPTION_NUMBER)
        return set_number(option, field_of(config, option), value, error);
    if (option->kind != OPTION_FLAG)
        set_string(field_of(config, option), value);
    return TRUE;
}

/* Mostly it is, and GLib would put that into words, whether or not anybody wants them: in UTF-8,
 * for which it loads a converter from the locale's charset. That is nine of the hundred page faults
 * of a start, each of which takes a guest microseconds. */
static gboolean is_missing(const char *path)
{
    return g_access(path, F_OK) != 0 && errno == ENOENT;
}

static gboolean load(Config *config, GError **error)
{
    g_autoptr(GKeyFile) file = NULL;
    g_autoptr(GError) reason = NULL;
    const char *path = config->file;
    g_autofree char *usual = NULL;

    if (path == NULL)
        path = g_getenv("QGA_CONF");
    if (path == NULL)
        path = usual = places_expand(places.config_file);
    if (config->file == NULL && is_missing(path))
        return TRUE;
    file = g_key_file_new();
    if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &reason)) {
        qmp_error_set(error, "error loading config from path %s: %s", path, reason->message);
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (!load_key(config, file, &options[i], error)) {
            g_prefix_error(error, "%s: ", path);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- Command line ---------------------------------------------------------------------------- */

/* One option that was given; the command line is read once, and applied after the file. */
typedef struct {
    const Option *option;
    const char *value;
} Given;

static int has_argument(const Option *option)
{
    if (option->kind == OPTION_HOOK)
        return optional_argument;
    return option->kind == OPTION_FLAG || option->kind == OPTION_ACTION ? no_argument
                                                                        : required_argument;
}

/* getopt's tables; its value for an option is that option's index behind what a char can be. */
enum { VALUE_BASE = 256 };

static void build_tables(GString *letters, GArray *names)
{
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        const Option *option = &options[i];
        struct option name = {option->name, has_argument(option), NULL, VALUE_BASE + (int)i};

        if (!is_offered(option))
            continue;
        g_array_append_val(names, name);
        if (option->letter == 0)
            continue;
        g_string_append_c(letters, option->letter);
        for (int colons = has_argument(option); colons > 0; colons--)
            g_string_append_c(letters, ':');
    }
}

static const Option *option_of(int value)
{
    if (value >= VALUE_BASE)
        return &options[value - VALUE_BASE];
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        if (options[i].letter == value)
            return &options[i];
    }
    return NULL;
}

/* Returns: (transfer full) (nullable): of Given */
static GArray *read_command_line(int argc, char **argv, GError **error)
{
    g_autoptr(GArray) names =
        g_array_sized_new(TRUE, TRUE, sizeof(struct option), G_N_ELEMENTS(options));
    g_autoptr(GString) letters = g_string_new(NULL);
    g_autoptr(GArray) given = g_array_new(FALSE, FALSE, sizeof(Given));
    int value;

    build_tables(letters, names);
    optind = 0; /* start over: a test reads more than one */
    while ((value = getopt_long(argc, argv, letters->str,
                                (const struct option *)(gpointer)names->data, NULL)) != -1) {
        Given one = {option_of(value), optarg};

        if (one.option == NULL) {
            qmp_error_set(error, "Unknown option, try '%s --help' for more information.", argv[0]);
            return NULL;
        }
        g_array_append_val(given, one);
    }
    if (optind < argc)
        g_message("'%s' and what follows it is ignored", argv[optind]);
    return g_steal_pointer(&given);
}

static gboolean apply(Config *config, const Given *given, GError **error)
{
    const Option *option = given->option;
    gpointer field = field_of(config, option);

    switch (option->kind) {
    case OPTION_STRING: set_string(field, given->value); break;
    case OPTION_HOOK:
        g_free(*(char **)field);
        *(char **)field = places_expand(given->value != NULL ? given->value : places.hook);
        break;
    case OPTION_FLAG: *(gboolean *)field = TRUE; break;
    case OPTION_NUMBER: return set_number(option, field, given->value, error);
    case OPTION_LIST:
        if (strcmp(given->value, "help") == 0 || strcmp(given->value, "?") == 0)
            config->action = CONFIG_LIST_COMMANDS;
        else if (strcmp(given->value, "@help") == 0 || strcmp(given->value, "@?") == 0)
            config->action = CONFIG_LIST_CLASSES;
        else
            return add_words(option, *(GPtrArray **)field, given->value, error);
        break;
    case OPTION_ACTION: config->action = option->action; break;
    }
    return TRUE;
}

static void note(Config *config, const Given *given)
{
    const Option *option = given->option;

    if (option->offset == FIELD(service) || option->offset == FIELD(daemonize))
        return;
    g_ptr_array_add(config->given, given->value != NULL
                                       ? g_strconcat("--", option->name, "=", given->value, NULL)
                                       : g_strconcat("--", option->name, NULL));
}

gboolean config_init(Config *ret, int argc, char **argv, GError **error)
{
    g_autoptr(GArray) given = NULL;

    *ret = defaults;
    ret->method = g_strdup("virtio-serial");
    ret->pidfile = places_expand(places.pidfile);
    ret->statedir = places_expand(places.state_directory);
    ret->blocked = g_ptr_array_new_with_free_func(g_free);
    ret->allowed = g_ptr_array_new_with_free_func(g_free);
    ret->freeze_exclude = g_ptr_array_new_with_free_func(g_free);
    ret->given = g_ptr_array_new_with_free_func(g_free);
    given = read_command_line(argc, argv, error);
    if (given == NULL)
        return FALSE;
    for (guint i = 0; i < given->len; i++) {
        const Given *one = &g_array_index(given, Given, i);

        if (one->option->offset == FIELD(file) && one->option->kind == OPTION_STRING)
            set_string(&ret->file, one->value);
    }
    if (!load(ret, error))
        return FALSE;
    for (guint i = 0; i < given->len; i++) {
        if (!apply(ret, &g_array_index(given, Given, i), error))
            return FALSE;
        note(ret, &g_array_index(given, Given, i));
    }
    g_ptr_array_add(ret->given, NULL);
    if (ret->service != NULL && ret->action == CONFIG_RUN)
        ret->action = CONFIG_SERVICE;
    return TRUE;
}

void config_clear(Config *config)
{
    g_clear_pointer(&config->file, g_free);
    g_clear_pointer(&config->method, g_free);
    g_clear_pointer(&config->path, g_free);
    g_clear_pointer(&config->logfile, g_free);
    g_clear_pointer(&config->pidfile, g_free);
    g_clear_pointer(&config->hook, g_free);
    g_clear_pointer(&config->statedir, g_free);
    g_clear_pointer(&config->service, g_free);
    g_clear_pointer(&config->given, g_ptr_array_unref);
    g_clear_pointer(&config->blocked, g_ptr_array_unref);
    g_clear_pointer(&config->allowed, g_ptr_array_unref);
    g_clear_pointer(&config->freeze_exclude, g_ptr_array_unref);
}

/* ---- Use ------------------------------------------------------------------------------------- */

gboolean config_channel(const Config *config, ChannelAddress *ret, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(places.channels); i++) {
        const PlacesChannel *channel = &places.channels[i];

        if (g_strcmp0(config->method, channel->name) != 0)
            continue;
        *ret = (ChannelAddress){
            .method = channel->method,
            .path = config->path != NULL ? config->path : channel->path,
            .listen_fd = -1,
            .retry = config->retry_path,
        };
        if (ret->path != NULL)
            return TRUE;
        qmp_error_set(error, "must specify a path for this channel");
        return FALSE;
    }
    qmp_error_set(error, "unsupported channel method/type: %s", config->method);
    return FALSE;
}

static char *join_words(const GPtrArray *words)
{
    GString *list = g_string_new(NULL);

    for (guint i = 0; i < words->len; i++)
        g_string_append_printf(list, "%s%s", i > 0 ? "," : "", (const char *)words->pdata[i]);
    return g_string_free(list, FALSE);
}

static void dump_option(const Config *config, const Option *option, GKeyFile *file)
{
    gpointer field = field_of(config, option);
    g_autofree char *list = NULL;

    switch (option->kind) {
    case OPTION_FLAG: g_key_file_set_boolean(file, GROUP, option->key, *(gboolean *)field); break;
    case OPTION_LIST:
        list = join_words(*(GPtrArray **)field);
        g_key_file_set_string(file, GROUP, option->key, list);
        break;
    case OPTION_NUMBER: g_key_file_set_int64(file, GROUP, option->key, *(gint64 *)field); break;
    default:
        if (*(char **)field != NULL)
            g_key_file_set_string(file, GROUP, option->key, *(char **)field);
        break;
    }
}

/* Whether it says what it says where nobody has said anything. */
static gboolean is_default(const Config *config, const Option *option)
{
    gpointer field = field_of(config, option);

    switch (option->kind) {
    case OPTION_FLAG: return !*(gboolean *)field;
    case OPTION_LIST: return (*(GPtrArray **)field)->len == 0;
    case OPTION_NUMBER: return *(gint64 *)field == *(gint64 *)field_of(&defaults, option);
    default: return *(char **)field == NULL;
    }
}

void config_dump(const Config *config, FILE *out)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *text = NULL;
    ChannelAddress address;

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        const Option *option = &options[i];

        if (option->key == NULL || option->help == NULL ||
            (option->is_addition && is_default(config, option)))
            continue;
        dump_option(config, option, file);
        if (option->offset == FIELD(path) && config->path == NULL &&
            config_channel(config, &address, NULL))
            g_key_file_set_string(file, GROUP, option->key, address.path);
    }
    text = g_key_file_to_data(file, NULL, NULL);
    fputs(text, out);
}

void config_print_help(const char *program, FILE *out)
{
    fprintf(out, "Usage: %s [OPTION]...\nAnswers the host that runs this guest.\n\n", program);
    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        const Option *option = &options[i];
        gboolean optional = option->kind == OPTION_HOOK;
        g_autofree char *name = NULL;

        if (option->help == NULL || !is_offered(option))
            continue;
        name = g_strdup_printf(
            "--%s%s%s%s%s", option->name, optional ? "[" : "", option->argument != NULL ? "=" : "",
            option->argument != NULL ? option->argument : "", optional ? "]" : "");
        fprintf(out, "  %c%c%c %-26s %s%s%s%s\n", option->letter != 0 ? '-' : ' ',
                option->letter != 0 ? option->letter : ' ', option->letter != 0 ? ',' : ' ', name,
                option->help, option->fallback != NULL ? " (" : "",
                option->fallback != NULL ? *option->fallback : "",
                option->fallback != NULL ? ")" : "");
    }
}
