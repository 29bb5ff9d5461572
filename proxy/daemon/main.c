/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * qga-proxyd: the proxy of one virtual machine as a daemon.
 *
 * Owns the command line, signals and the log. Leaves metrics to metrics.h. Everything else is the
 * library's, through its public header.
 */

#include "keeper.h"
#include "metrics.h"
#include "proxy/qga-proxy.h"
#include "service.h"
#include "successor.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* QEMU opens its sockets within less of its start. */
enum { TROUBLE_SECONDS = 2 };

typedef struct {
    char **monitors;
    char *agent;
    char **listeners;
    char **agent_listeners;
    char *name;
    char *log_level;
    char *state_directory;
    char *freeze_lease;
    char *metrics;
    char **limits;
    char **cached;
    gboolean freeze_join;
    gboolean persist;
    gboolean fd_store;
    gboolean keep;
    gboolean version;
} Options;

static void options_clear(Options *options)
{
    g_strfreev(options->monitors);
    g_strfreev(options->listeners);
    g_strfreev(options->agent_listeners);
    g_strfreev(options->limits);
    g_strfreev(options->cached);
    g_free(options->state_directory);
    g_free(options->freeze_lease);
    g_free(options->metrics);
    g_free(options->agent);
    g_free(options->name);
    g_free(options->log_level);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* ---- Log ------------------------------------------------------------------------------------- */

typedef struct {
    GLogLevelFlags up_to; /* the least important level that is shown */
    const char *name;     /* (nullable): of the virtual machine, in front of each line */
} Log;

static const struct {
    const char *name;
    GLogLevelFlags level;
} log_levels[] = {
    {"error", G_LOG_LEVEL_CRITICAL},  {"warning", G_LOG_LEVEL_WARNING},
    {"message", G_LOG_LEVEL_MESSAGE}, {"info", G_LOG_LEVEL_INFO},
    {"debug", G_LOG_LEVEL_DEBUG},
};

static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                  gpointer user_data)
{
    const Log *log = user_data;

    if ((level & G_LOG_LEVEL_MASK) > log->up_to)
        return G_LOG_WRITER_HANDLED;
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE"))
            fprintf(stderr, "qga-proxyd%s%s: %s\n", log->name ? " " : "",
                    log->name ? log->name : "", (const char *)fields[i].value);
    return G_LOG_WRITER_HANDLED;
}

static gboolean read_log_level(const char *name, GLogLevelFlags *ret_level, GError **error)
{
    for (guint i = 0; i < G_N_ELEMENTS(log_levels); i++)
        if (g_strcmp0(name, log_levels[i].name) == 0) {
            *ret_level = log_levels[i].level;
            return TRUE;
        }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--log-level: '%s' is none of error, warning, message, info, debug", name);
    return FALSE;
}

/* ---- Command line ---------------------------------------------------------------------------- */

/* Returns: (transfer full): what --help says behind the options */
static char *describe(void)
{
    g_auto(GStrv) limits = qga_proxy_list_limits();
    g_autofree char *lines = g_strjoinv("\n  ", limits);

    return g_strconcat(
        "ADDR is unix:PATH, unix:@NAME, tcp:HOST:PORT, vsock:CID:PORT or fd:N, and behind it:\n"
        "  ,server=on|off        listen, as --listen does, or connect, as the others do\n"
        "  ,reconnect=SECONDS    after what is connected to was lost or refused\n"
        "Behind --listen also:\n"
        "  ,wait=on              QEMU is not connected to before the first client is there\n"
        "  ,pretty=on            indent what is sent\n"
        "  ,mode=OCTAL ,user=NAME|UID ,group=NAME|GID    who may connect to a path\n\n"
        "Limits and their defaults; K, M or G behind a number stands for powers of 1024:\n  ",
        lines, NULL);
}

static gboolean parse_options(int *argc, char ***argv, Options *options, GError **error)
{
    const GOptionEntry entries[] = {
        {"qmp", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->monitors,
         "QEMU's QMP socket; several monitors of one QEMU may be given", "ADDR"},
        {"agent", 0, 0, G_OPTION_ARG_STRING, &options->agent, "Chardev of the guest agent's port",
         "ADDR"},
        {"listen", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->listeners,
         "Where QMP clients come from; may be given several times", "ADDR"},
        {"agent-listen", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->agent_listeners,
         "Where clients of the agent's own protocol come from", "ADDR"},
        {"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_directory,
         "Where a freeze is put on record, to be thawed after a crash", "DIR"},
        {"freeze-lease", 0, 0, G_OPTION_ARG_STRING, &options->freeze_lease,
         "When a freeze that nobody has thawed is; 300 by default", "SECONDS|off"},
        {"freeze-join", 0, 0, G_OPTION_ARG_NONE, &options->freeze_join,
         "Let a second freeze join the first, instead of refusing it", NULL},
        {"persist", 0, 0, G_OPTION_ARG_NONE, &options->persist,
         "Keep clients when QEMU goes, until it is there again", NULL},
        {"fd-store", 0, 0, G_OPTION_ARG_NONE, &options->fd_store,
         "When ended, leave all connections with the service manager, for the next one", NULL},
        {"keep", 0, 0, G_OPTION_ARG_NONE, &options->keep,
         "Keep connections with the service manager, for the next one if this one is killed", NULL},
        {"limit", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->limits,
         "Set a limit; may be given several times", "NAME=NUMBER"},
        {"agent-cache", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->cached,
         "How old an answer of a guest command may be that is given again", "COMMAND=SECONDS"},
        {"metrics", 0, 0, G_OPTION_ARG_STRING, &options->metrics,
         "Where Prometheus asks for GET /metrics, by HTTP", "ADDR"},
        {"name", 0, 0, G_OPTION_ARG_STRING, &options->name,
         "Name of the virtual machine, for the log and for metrics", "NAME"},
        {"log-level", 0, 0, G_OPTION_ARG_STRING, &options->log_level,
         "error, warning, message (default), info or debug", "LEVEL"},
        {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Print the version and exit", NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autofree char *description = describe();

    g_option_context_set_summary(
        context,
        "Serves QEMU's own QMP commands and the guest agent's on one QMP server, to many clients.");
    g_option_context_set_description(context, description);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "'%s' belongs to no option",
                    (*argv)[1]);
        return FALSE;
    }
    if (options->version)
        return TRUE;
    if (!options->monitors || (!options->listeners && !options->agent_listeners)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--qmp and --listen are needed: where QEMU is, and where clients connect");
        return FALSE;
    }
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Without a name, its monitor tells one machine from another. */
static gboolean set_freezes(QgaProxy *proxy, const Options *options, GError **error)
{
    const char *name = options->name ? options->name : options->monitors[0];
    guint64 seconds = 0;

    if (options->freeze_lease && !g_str_equal(options->freeze_lease, "off") &&
        (!g_ascii_string_to_unsigned(options->freeze_lease, 10, 1, G_MAXINT32, &seconds, NULL))) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--freeze-lease: '%s' is neither a number of seconds nor off",
                    options->freeze_lease);
        return FALSE;
    }
    if (options->freeze_lease)
        qga_proxy_set_freeze_lease(proxy, (guint)seconds);
    qga_proxy_set_freeze_join(proxy, options->freeze_join);
    return !options->state_directory ||
           qga_proxy_set_state_directory(proxy, options->state_directory, name, error);
}

/* For one that was killed, if there was one. */
static QgaProxy *new_alone(const Options *options, GError **error)
{
    g_auto(Kept) kept = {NULL};
    g_autoptr(GError) trouble = NULL;
    QgaProxy *proxy = NULL;

    kept_find(&kept);
    if (kept.names)
        proxy = qga_proxy_new_recovered(options->monitors[0], options->agent,
                                        (const char *const *)kept.names->pdata, kept.descriptors,
                                        &trouble);
    if (proxy) {
        g_warning("the former daemon was killed: carrying on with its clients");
        return proxy;
    }
    if (trouble)
        g_warning("the clients of the former daemon are lost: %s", trouble->message);
    kept_drop(&kept);
    return qga_proxy_new(options->monitors[0], options->agent, error);
}

static QgaProxy *new_proxy(const Options *options, GError **error)
{
    g_auto(Estate) estate = {NULL};

    if (!successor_inherit(&estate, error))
        return NULL;
    if (!estate.state)
        return new_alone(options, error);
    return qga_proxy_new_successor(options->monitors[0], options->agent, estate.state,
                                   estate.descriptors, error);
}

static QgaProxy *start(const Options *options, GError **error)
{
    g_autoptr(QgaProxy) proxy = new_proxy(options, error);

    if (!proxy)
        return NULL;
    for (char **monitor = options->monitors + 1; *monitor; monitor++)
        if (!qga_proxy_add_monitor(proxy, *monitor, error))
            return NULL;
    if (options->keep && service_is_managed() && !keeper_start(proxy, error))
        return NULL;
    qga_proxy_set_persist(proxy, options->persist);
    if (!set_freezes(proxy, options, error))
        return NULL;
    for (char **limit = options->limits; limit && *limit; limit++)
        if (!qga_proxy_set_limit(proxy, *limit, error))
            return NULL;
    for (char **cached = options->cached; cached && *cached; cached++)
        if (!qga_proxy_set_agent_cache(proxy, *cached, error)) {
            g_prefix_error(error, "--agent-cache: ");
            return NULL;
        }
    /* Before those that show others that it is there. */
    if (options->metrics && !metrics_serve(proxy, options->metrics, options->name, error))
        return NULL;
    for (char **listener = options->agent_listeners; listener && *listener; listener++)
        if (!qga_proxy_add_agent_listener(proxy, *listener, error))
            return NULL;
    for (char **listener = options->listeners; listener && *listener; listener++)
        if (!qga_proxy_add_listener(proxy, *listener, error))
            return NULL;
    qga_proxy_start(proxy);
    return g_steal_pointer(&proxy);
}

/* The soft limit is low for the sake of programs that use select(2); a client costs a descriptor,
 * and some more where it passes them on. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* What a signal ends or changes. */
typedef struct {
    GMainLoop *loop;
    QgaProxy *proxy;
    char *program; /* (nullable): path of what this process runs, where it can be told */
    char **argv;
    gboolean upgrading;
    gboolean keeps;
} Daemon;

static void daemon_clear(Daemon *daemon)
{
    g_clear_object(&daemon->proxy);
    g_clear_pointer(&daemon->loop, g_main_loop_unref);
    g_free(daemon->program);
    g_strfreev(daemon->argv);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Daemon, daemon_clear)

/* By its name and not by its file, which an upgrade replaces. */
static char *find_program(const char *name)
{
    if (strchr(name, '/'))
        return g_canonicalize_filename(name, NULL);
    return g_find_program_in_path(name);
}

static void on_tried(GObject *trial, GAsyncResult *result, gpointer data)
{
    Daemon *daemon = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) trouble = NULL;

    daemon->upgrading = FALSE;
    if (!g_main_loop_is_running(daemon->loop)) /* QEMU has gone meanwhile */
        return;
    if (g_subprocess_wait_check_finish(G_SUBPROCESS(trial), result, &error)) {
        if (daemon->keeps)
            keeper_end(daemon->proxy);
        successor_exec(daemon->proxy, daemon->program, daemon->argv, &error);
        if (daemon->keeps && !keeper_start(daemon->proxy, &trouble))
            g_warning("%s", trouble->message);
    }
    g_warning("no upgrade, and all goes on: %s", error->message);
}

/* What does not even start, for want of a library, must not be found out when it is too late. */
static void upgrade(Daemon *daemon)
{
    const char *program = daemon->program ? daemon->program : daemon->argv[0];
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) trial = NULL;

    if (daemon->upgrading)
        return;
    trial = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                             &error, program, "--version", NULL);
    daemon->upgrading = trial != NULL;
    if (trial)
        g_subprocess_wait_check_async(trial, NULL, on_tried, daemon);
    else
        g_warning("no upgrade, and all goes on: %s", error->message);
}

static gboolean on_signal(int fd, GIOCondition unused_condition, gpointer data)
{
    Daemon *daemon = data;
    struct signalfd_siginfo signal_read;

    if (read(fd, &signal_read, sizeof signal_read) != sizeof signal_read)
        return G_SOURCE_CONTINUE;
    if (signal_read.ssi_signo == SIGUSR2)
        upgrade(daemon);
    else
        g_main_loop_quit(daemon->loop);
    return G_SOURCE_CONTINUE;
}

/* In all threads, which come later, none of them has an effect of its own: it stays with the
 * process until it is read, if need be by a successor, for which a handler would have to be there
 * at once.
 *
 * Returns: a descriptor that they are read from, or -1 */
static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* It may be that QEMU is yet to be started, or that its address is mistyped; nobody is greeted
 * meanwhile, so that nobody could ask. */
static gboolean tell_trouble(gpointer proxy)
{
    g_autofree char *trouble = qga_proxy_dup_trouble(proxy);

    if (trouble)
        g_message("%s; tried on", trouble);
    return G_SOURCE_REMOVE;
}

static void on_closed(QgaProxy *proxy, gpointer data)
{
    Daemon *daemon = data;

    g_message("QEMU has gone");
    g_clear_object(&daemon->proxy);
    g_main_loop_quit(daemon->loop);
}

static void end(Daemon *daemon, gboolean leave)
{
    g_autoptr(GError) error = NULL;

    if (!daemon->proxy)
        return;
    if (leave && daemon->keeps)
        keeper_end(daemon->proxy);
    if (leave && successor_leave(daemon->proxy, &error)) {
        daemon->proxy = NULL; /* goes on in another process; freed here, it would take its paths */
        return;
    }
    if (error)
        g_warning("connections are closed: %s", error->message);
    qga_proxy_stop(daemon->proxy);
}

int main(int argc, char **argv)
{
    g_auto(Daemon) daemon = {.program = find_program(argv[0]), .argv = g_strdupv(argv)};
    g_auto(Options) options = {0};
    Log log = {.up_to = G_LOG_LEVEL_MESSAGE};
    g_autoptr(GError) error = NULL;
    int signals;

    if (!parse_options(&argc, &argv, &options, &error) ||
        (options.log_level && !read_log_level(options.log_level, &log.up_to, &error))) {
        fprintf(stderr, "qga-proxyd: %s\n", error->message);
        return EXIT_FAILURE;
    }
    if (options.version) {
        puts("qga-proxyd " QGA_PROXY_VERSION);
        return EXIT_SUCCESS;
    }
    signals = open_signals();
    if (signals < 0) {
        perror("qga-proxyd: signalfd");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN); /* of a log that nobody reads any more */
    allow_descriptors();
    log.name = options.name;
    g_log_set_writer_func(write_log, &log, NULL);

    daemon.loop = g_main_loop_new(NULL, FALSE);
    daemon.proxy = start(&options, &error);
    if (!daemon.proxy) {
        fprintf(stderr, "qga-proxyd: %s\n", error->message);
        return EXIT_FAILURE;
    }
    daemon.keeps = options.keep && service_is_managed();
    g_unix_fd_add(signals, G_IO_IN, on_signal, &daemon);
    g_timeout_add_seconds(TROUBLE_SECONDS, tell_trouble, daemon.proxy);
    g_signal_connect(daemon.proxy, "closed", G_CALLBACK(on_closed), &daemon);
    service_notify("READY=1");
    g_main_loop_run(daemon.loop);
    end(&daemon, options.fd_store && service_is_managed());
    return EXIT_SUCCESS;
}
