/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * qga-proxyd: the proxies of one or more virtual machines as a daemon.
 *
 * Owns the process: signals, upgrades, and when it ends. Leaves what it was told to options.h, and
 * each machine to machine.h. Everything else is the library's, through its public header.
 */

#include "log.h"
#include "machine.h"
#include "options.h"
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

/* What a signal ends or changes. */
typedef struct {
    GMainLoop *loop;
    Machine *machines;
    guint count;   /* of machines */
    char *program; /* (nullable): path of what this process runs, where it can be told */
    char **argv;
    gboolean upgrading;
    gboolean keeps;
} Daemon;

static void daemon_clear(Daemon *daemon)
{
    for (guint i = 0; i < daemon->count; i++)
        g_clear_object(&daemon->machines[i].proxy);
    g_free(daemon->machines);
    g_clear_pointer(&daemon->loop, g_main_loop_unref);
    g_free(daemon->program);
    g_strfreev(daemon->argv);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Daemon, daemon_clear)

/* ---- Machines -------------------------------------------------------------------------------- */

/* It may be that QEMU is yet to be started, or that its address is mistyped; nobody is greeted
 * meanwhile, so that nobody could ask. */
static gboolean tell_trouble(gpointer data)
{
    const Daemon *daemon = data;

    for (guint i = 0; i < daemon->count; i++) {
        const Machine *machine = &daemon->machines[i];
        g_autofree char *trouble = machine->proxy ? qga_proxy_dup_trouble(machine->proxy) : NULL;

        if (trouble)
            log_machine(G_LOG_LEVEL_MESSAGE, machine->options->name, "%s; tried on", trouble);
    }
    return G_SOURCE_REMOVE;
}

static void on_closed(QgaProxy *proxy, gpointer data)
{
    Daemon *daemon = data;
    guint left = 0;

    for (guint i = 0; i < daemon->count; i++) {
        Machine *machine = &daemon->machines[i];

        if (machine->proxy == proxy) {
            log_machine(G_LOG_LEVEL_MESSAGE, machine->options->name, "QEMU has gone");
            g_clear_object(&machine->proxy);
        }
        left += machine->proxy != NULL;
    }
    if (left == 0)
        g_main_loop_quit(daemon->loop);
}

static gboolean is_served(const Daemon *daemon, const char *name)
{
    for (guint i = 0; i < daemon->count; i++)
        if (g_str_equal(machine_name(&daemon->machines[i]), name))
            return TRUE;
    return FALSE;
}

/* Of machines that the file has no more. */
static void drop_strangers(const Daemon *daemon, const Estate *estate, Kept *kept)
{
    for (guint i = 0; estate->parts && i < estate->parts->len; i++) {
        const Part *part = estate->parts->pdata[i];

        if (!is_served(daemon, part->name))
            log_machine(G_LOG_LEVEL_WARNING, part->name,
                        "is served no more: its connections are closed");
    }
    kept_drop(kept);
}

/* At the first start a mistake is told, and nothing is served. Later, when others are connected, a
 * machine that cannot be served any more is one thing, and all the others another. */
static gboolean start_machines(Daemon *daemon, GError **error)
{
    g_auto(Estate) estate = {NULL};
    g_auto(Kept) kept = {NULL};
    gboolean carries_on;
    guint started = 0;

    if (!successor_inherit(&estate, error))
        return FALSE;
    if (!estate.parts)
        kept_find(&kept);
    carries_on = estate.parts || g_hash_table_size(kept.stored) > 0;
    for (guint i = 0; i < daemon->count; i++) {
        Machine *machine = &daemon->machines[i];

        g_clear_error(error);
        if (machine_start(machine, &estate, &kept, daemon->keeps, error)) {
            g_signal_connect(machine->proxy, "closed", G_CALLBACK(on_closed), daemon);
            started++;
        } else if (carries_on && daemon->count > 1) {
            g_warning("%s", (*error)->message);
        } else {
            return FALSE;
        }
    }
    if (started > 0)
        g_clear_error(error);
    drop_strangers(daemon, &estate, &kept);
    return started > 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

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

/* By its name and not by its file, which an upgrade replaces. */
static char *find_program(const char *name)
{
    if (strchr(name, '/'))
        return g_canonicalize_filename(name, NULL);
    return g_find_program_in_path(name);
}

static gboolean save(Daemon *daemon, Machine *machine, Estate *estate, GError **error)
{
    if (daemon->keeps)
        keeper_end(machine->proxy);
    return estate_add(estate, machine_name(machine), machine->proxy, error);
}

/* Returns only where that fails, and then all goes on. */
static void become_successor(Daemon *daemon, GError **error)
{
    g_auto(Estate) estate = {NULL};
    gboolean saved = TRUE;

    for (guint i = 0; saved && i < daemon->count; i++)
        if (daemon->machines[i].proxy)
            saved = save(daemon, &daemon->machines[i], &estate, error);
    if (saved)
        successor_exec(&estate, daemon->program, daemon->argv, error);
    for (guint i = 0; daemon->keeps && i < daemon->count; i++) {
        Machine *machine = &daemon->machines[i];
        g_autoptr(GError) trouble = NULL;

        if (machine->proxy && !keeper_start(machine->proxy, machine_name(machine), &trouble))
            log_machine(G_LOG_LEVEL_WARNING, machine->options->name, "%s", trouble->message);
    }
}

static void on_tried(GObject *trial, GAsyncResult *result, gpointer data)
{
    Daemon *daemon = data;
    g_autoptr(GError) error = NULL;

    daemon->upgrading = FALSE;
    if (!g_main_loop_is_running(daemon->loop)) /* QEMU has gone meanwhile */
        return;
    if (g_subprocess_wait_check_finish(G_SUBPROCESS(trial), result, &error))
        become_successor(daemon, &error);
    g_warning("no upgrade, and all goes on: %s", error->message);
}

/* What does not even start, for want of a library or for a mistake in its file, must not be found
 * out when it is too late. */
static void upgrade(Daemon *daemon)
{
    char *program = daemon->program ? daemon->program : daemon->argv[0];
    g_autoptr(GPtrArray) command = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) trial = NULL;

    if (daemon->upgrading)
        return;
    g_ptr_array_add(command, program);
    for (char **argument = daemon->argv + 1; *argument; argument++)
        g_ptr_array_add(command, *argument);
    g_ptr_array_add(command, (gpointer) "--version");
    g_ptr_array_add(command, NULL);
    trial = g_subprocess_newv((const char *const *)command->pdata,
                              G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
                              &error);
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

/* What cannot be left, and all where nothing can, is closed. */
static void end(Daemon *daemon, gboolean leave)
{
    g_auto(Estate) estate = {NULL};
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < daemon->count; i++) {
        Machine *machine = &daemon->machines[i];

        if (!machine->proxy)
            continue;
        if (leave && save(daemon, machine, &estate, &error))
            continue;
        if (error)
            log_machine(G_LOG_LEVEL_WARNING, machine->options->name, "connections are closed: %s",
                        error->message);
        g_clear_error(&error);
        qga_proxy_stop(machine->proxy);
        g_clear_object(&machine->proxy);
    }
    if (!estate.parts)
        return;
    leave = successor_leave(&estate, &error);
    if (error)
        g_warning("connections are closed: %s", error->message);
    for (guint i = 0; i < daemon->count; i++) {
        Machine *machine = &daemon->machines[i];

        if (machine->proxy && !leave)
            qga_proxy_stop(machine->proxy);
        else
            machine->proxy =
                NULL; /* goes on in another process; freed here, it would take its paths */
    }
}

static int give_up(const GError *error)
{
    fprintf(stderr, "qga-proxyd: %s\n", error->message);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    g_auto(Options) options = {0}; /* outlives the daemon, whose machines look there */
    g_auto(Daemon) daemon = {.program = find_program(argv[0]), .argv = g_strdupv(argv)};
    const MachineOptions *only = NULL;
    g_autoptr(GError) error = NULL;
    int signals;

    if (options_parse(&options, &argc, &argv, &error) && options.machines->len == 1)
        only = options.machines->pdata[0];
    if (error || !log_start(options.log_level, only ? only->name : NULL, &error))
        return give_up(error);
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

    qga_proxy_poll_context(NULL, &signals, 1);
    daemon.loop = g_main_loop_new(NULL, FALSE);
    daemon.keeps = options.keep && service_is_managed();
    daemon.count = options.machines->len;
    daemon.machines = g_new0(Machine, daemon.count);
    for (guint i = 0; i < daemon.count; i++)
        daemon.machines[i].options = options.machines->pdata[i];
    if (!start_machines(&daemon, &error))
        return give_up(error);
    g_unix_fd_add(signals, G_IO_IN, on_signal, &daemon);
    g_timeout_add_seconds(TROUBLE_SECONDS, tell_trouble, &daemon);
    service_notify("READY=1");
    g_main_loop_run(daemon.loop);
    end(&daemon, options.fd_store && service_is_managed());
    return EXIT_SUCCESS;
}
