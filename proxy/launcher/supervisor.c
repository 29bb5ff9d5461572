/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "supervisor.h"

#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

enum {
    /* A daemon that ended by itself has seen QEMU close its monitor, most often because it ends. */
    PAUSE_MS = 1000,
    /* For the last bytes to clients, when QEMU has ended. */
    PARTING_MS = 1000,
    /* So many in a row that end by themselves before they serve may die of what they were left. */
    EARLY_MAX = 3,
    /* A daemon that does not heed SIGTERM is killed. */
    KILL_MS = 5000,
};

typedef struct {
    const Supervisor *own;
    pid_t worker; /* 0 while there is none */
    int signals;
    Store store;
    gboolean ready;  /* the daemon that there is serves */
    guint early;     /* daemons in a row that ended before that */
    int log;         /* (nullable) -1: what the daemon says, where QEMU leaves its terminal */
    int log_to;      /* the other end, for the daemon */
    gboolean served; /* the daemon was ready once */
    gboolean qemu_ended;
    gboolean parting; /* the daemon was told to end */
    gint64 due_us;    /* when a daemon is started, or the one there is is ended; -1 for never */
} State;

/* Sockets, and what the daemon has put on record. */
void supervisor_clean(const char *directory)
{
    GDir *dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        unlink(path);
    }
    if (dir)
        g_dir_close(dir);
    rmdir(directory);
}

/* ---- What this process has open -------------------------------------------------------------- */

static gboolean is_kept(const Supervisor *own, int fd)
{
    if (fd == STDERR_FILENO || fd == own->lifeline || fd == own->ready)
        return TRUE;
    for (guint i = 0; i < own->plan->taken->len; i++)
        if (g_array_index(own->plan->taken, int, i) == fd)
            return TRUE;
    return FALSE;
}

/* Else QEMU's sockets would listen, and its caller's pipes be open, for longer than QEMU is there.
 */
static void close_others(const Supervisor *own)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;
    int null;

    while (dir && (name = g_dir_read_name(dir))) {
        int fd = atoi(name);

        if (!is_kept(own, fd))
            g_array_append_val(fds, fd);
    }
    if (dir)
        g_dir_close(dir);
    for (guint i = 0; i < fds->len; i++)
        close(g_array_index(fds, int, i));
    null = open("/dev/null", O_RDWR); /* is 0 */
    dup2(null, STDOUT_FILENO);
}

/* A client that is kept costs one here too, and the daemon takes as many as the hard limit allows.
 * QEMU, which is another process, keeps the limit it was given. */
static void allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR2);
    /* It goes with QEMU, and with nobody else. */
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static char *notify_path(const Supervisor *own)
{
    return g_build_filename(own->directory, "notify", NULL);
}

/* ---- The daemon ------------------------------------------------------------------------------ */

static void become_worker(State *state)
{
    const Supervisor *own = state->own;
    g_autofree char *path = notify_path(own);
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setenv("NOTIFY_SOCKET", path, TRUE);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (state->log_to >= 0)
        dup2(state->log_to, STDERR_FILENO);
    for (guint i = 0; i < own->plan->taken->len; i++)
        fcntl(g_array_index(own->plan->taken, int, i), F_SETFD, 0);
    /* These, where they are kept, are among what is passed on. */
    if (store_has_any(&state->store))
        store_pass_on(&state->store);
    execv(own->plan->proxy[0], own->plan->proxy);
    perror(own->plan->proxy[0]);
    _exit(127);
}

static void start_worker(State *state)
{
    state->due_us = -1;
    state->ready = FALSE;
    state->worker = fork();
    if (state->worker == 0)
        become_worker(state);
    if (state->worker < 0) {
        state->worker = 0;
        state->due_us = g_get_monotonic_time() + PAUSE_MS * 1000;
    }
}

/* From now on this process holds nothing of its caller's, who may be waiting for the end of it. */
static void leave_terminal(State *state)
{
    if (state->log < 0)
        return;
    dup2(STDIN_FILENO, STDERR_FILENO);
    openlog("qga-qemu", LOG_PID, LOG_DAEMON);
}

static void on_notify(State *state)
{
    gboolean ready = FALSE;

    while (store_receive(&state->store, &ready))
        continue;
    state->ready |= ready;
    if (state->served || !ready)
        return;
    state->served = TRUE;
    if (write(state->own->ready, "r", 1) == 1)
        close(state->own->ready);
    leave_terminal(state);
}

/* Nobody but others sends these. */
static gboolean was_ended(int status)
{
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM);
}

static void on_lost(State *state, int status)
{
    gboolean well = state->ready || was_ended(status);

    state->early = well ? 0 : state->early + 1;
    if (state->early >= EARLY_MAX)
        store_drop(&state->store);
    state->due_us = g_get_monotonic_time() + (well && WIFSIGNALED(status) ? 0 : PAUSE_MS * 1000);
}

static void reap_worker(State *state)
{
    int status;

    if (state->worker <= 0 || waitpid(state->worker, &status, WNOHANG) != state->worker)
        return;
    state->worker = 0;
    on_notify(state); /* what it has told before it ended counts */
    if (!state->served || state->qemu_ended)
        return;
    on_lost(state, status);
}

static void on_signal(State *state)
{
    struct signalfd_siginfo info;

    while (read(state->signals, &info, sizeof info) == sizeof info)
        if (info.ssi_signo == SIGUSR2 && state->worker > 0)
            kill(state->worker, SIGUSR2);
    reap_worker(state);
}

static void on_log(State *state)
{
    char text[1024];
    gssize len = read(state->log, text, sizeof text - 1);

    if (len <= 0)
        return;
    text[len] = '\0';
    if (state->served)
        syslog(LOG_NOTICE, "%s", text);
    else
        fputs(text, stderr);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static void on_qemu_ended(State *state)
{
    state->qemu_ended = TRUE;
    state->due_us = g_get_monotonic_time() + PARTING_MS * 1000;
}

static void on_due(State *state)
{
    if (!state->qemu_ended) {
        start_worker(state);
        return;
    }
    /* One that waits for a client, so that it never was with QEMU, does not notice by itself. */
    kill(state->worker, state->parting ? SIGKILL : SIGTERM);
    state->parting = TRUE;
    state->due_us = g_get_monotonic_time() + KILL_MS * 1000;
}

static int time_left_ms(const State *state)
{
    gint64 left = (state->due_us - g_get_monotonic_time() + 999) / 1000;

    return state->due_us < 0 ? -1 : (int)CLAMP(left, 0, G_MAXINT);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void turn(State *state)
{
    struct pollfd fds[] = {
        {.fd = state->signals, .events = POLLIN},
        {.fd = state->store.socket, .events = POLLIN},
        {.fd = state->log, .events = POLLIN},
        {.fd = state->qemu_ended ? -1 : state->own->lifeline, .events = POLLIN},
    };
    int ready = poll(fds, G_N_ELEMENTS(fds), time_left_ms(state));

    if (ready == 0)
        on_due(state);
    if (ready <= 0)
        return;
    if (fds[1].revents)
        on_notify(state);
    if (fds[2].revents)
        on_log(state);
    if (fds[3].revents)
        on_qemu_ended(state);
    if (fds[0].revents)
        on_signal(state);
}

static void open_log(State *state)
{
    int log[2];

    state->log = state->log_to = -1;
    if (!state->own->plan->daemonize || pipe2(log, O_CLOEXEC) < 0)
        return;
    fcntl(log[0], F_SETFL, O_NONBLOCK);
    state->log = log[0];
    state->log_to = log[1];
}

void supervisor_run(const Supervisor *own)
{
    State state = {.own = own, .due_us = -1};
    g_autofree char *path = notify_path(own);

    close_others(own);
    allow_descriptors();
    prctl(PR_SET_NAME, "qga-qemu");
    state.signals = open_signals();
    if (!store_open(&state.store, path)) {
        perror("qga-qemu: the supervisor's socket");
        return;
    }
    open_log(&state);
    start_worker(&state);
    while (state.worker > 0 || (state.served && !state.qemu_ended))
        turn(&state);
    if (state.log >= 0)
        on_log(&state);
    store_close(&state.store);
    supervisor_clean(own->directory);
}
