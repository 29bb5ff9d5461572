/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/service.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/poller.h"
#include "common/qmp-error.h"
#include "common/retry.h"

/* By the protocol of the service manager. */
enum { FIRST_SOCKET = 3 };

/* Both belong to the process, like what they are about. */
static int ready_pipe = -1;
static struct {
    char *path; /* (nullable): no file is ours */
    int fd;
} pidfile;

static gboolean fail(const char *what, GError **error)
{
    qmp_error_set(error, "%s: %s", what, g_strerror(errno));
    return FALSE;
}

char **service_command_line(char **argv)
{
    return g_strdupv(argv);
}

void service_secure_standard_streams(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* ---- Signals --------------------------------------------------------------------------------- */

typedef struct {
    void (*stop)(gpointer user);
    gpointer user;
} Watch;

static gboolean on_signal(gint fd, GIOCondition condition, gpointer user_data)
{
    const Watch *watch = user_data;
    struct signalfd_siginfo info;

    while (read(fd, &info, sizeof(info)) > 0)
        continue;
    watch->stop(watch->user);
    return G_SOURCE_CONTINUE;
}

void service_watch_signals(void (*stop)(gpointer user), gpointer user)
{
    Watch *watch = g_new(Watch, 1);
    sigset_t set;
    int fd;

    *watch = (Watch){stop, user};
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of the call */
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    g_assert(fd >= 0);
    g_unix_fd_add_full(G_PRIORITY_HIGH, fd, G_IO_IN, on_signal, watch, g_free);
    poller_keep(fd);
    poller_run_alone(); /* this is the program itself */
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static gint64 read_number(const char *variable)
{
    const char *text = g_getenv(variable);

    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
}

/* Returns: how many sockets there are, from descriptor FIRST_SOCKET on */
static guint count_inherited(void)
{
    gint64 count = read_number("LISTEN_FDS");

    if (read_number("LISTEN_PID") != getpid() || count < 1 || count > G_MAXUINT16)
        return 0;
    for (int fd = FIRST_SOCKET; fd < FIRST_SOCKET + count; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    /* They are not for the programs that we start. */
    g_unsetenv("LISTEN_PID");
    g_unsetenv("LISTEN_FDS");
    g_unsetenv("LISTEN_FDNAMES");
    return (guint)count;
}

ServiceChannel service_inherited_channel(ChannelAddress *ret, GError **error)
{
    guint count = count_inherited();
    int domain;
    socklen_t len = sizeof(domain);

    if (count == 0)
        return SERVICE_CHANNEL_NONE;
    if (count > 1) {
        qmp_error_set(error, "qga-agent only supports listening on one socket");
        return SERVICE_CHANNEL_UNFIT;
    }
    if (getsockopt(FIRST_SOCKET, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 ||
        (domain != AF_UNIX && domain != AF_VSOCK)) {
        qmp_error_set(error, "the inherited socket is neither a unix nor a vsock one");
        return SERVICE_CHANNEL_UNFIT;
    }
    *ret = (ChannelAddress){
        .method = domain == AF_UNIX ? CHANNEL_UNIX_LISTEN : CHANNEL_VSOCK_LISTEN,
        .listen_fd = FIRST_SOCKET,
    };
    return SERVICE_CHANNEL_INHERITED;
}

/* ---- Background ------------------------------------------------------------------------------ */

/* Returns never: in the process that was started. */
static void wait_for_child(int fd)
{
    char status;

    _exit(TEMP_FAILURE_RETRY(read(fd, &status, 1)) == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

gboolean service_detach(GError **error)
{
    int fds[2];
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail("failed to create a pipe", error);
    pid = fork();
    if (pid < 0)
        return fail("failed to fork", error);
    if (pid > 0) {
        close(fds[1]);
        wait_for_child(fds[0]);
    }
    close(fds[0]);
    ready_pipe = fds[1];
    umask(S_IRWXG | S_IRWXO);
    if (setsid() < 0 || chdir("/") != 0)
        return fail("failed to daemonize", error);
    return TRUE;
}

void service_ready(void)
{
    int null;

    if (ready_pipe < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    close(null);
    if (write(ready_pipe, "", 1) != 1)
        g_message("who started the agent did not wait for it");
    close(ready_pipe);
    ready_pipe = -1;
}

/* ---- Pid file -------------------------------------------------------------------------------- */

/* Whether the file is still to be found where it was opened. */
static gboolean is_at(const char *path, int fd)
{
    struct stat there, here;

    return stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
           there.st_ino == here.st_ino;
}

/* Nothing else: at the end it is removed, which /dev/null must not be. */
static gboolean lock_regular(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat found;

    if (fstat(fd, &found) != 0)
        return FALSE;
    if (!S_ISREG(found.st_mode)) {
        errno = EINVAL;
        return FALSE;
    }
    return fcntl(fd, F_SETLK, &lock) == 0;
}

/* Returns: -1, with *error */
static int open_locked(const char *path, GError **error)
{
    for (;;) {
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0) {
            fail("Cannot open pid file", error);
            return -1;
        }
        if (!lock_regular(fd)) {
            fail("Cannot lock pid file", error);
            close(fd);
            return -1;
        }
        if (is_at(path, fd))
            return fd;
        close(fd); /* a former agent has removed it since, as its last deed */
    }
}

gboolean service_lock_pidfile(const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%d\n", getpid());
    int fd = open_locked(path, error);

    if (fd < 0)
        return FALSE;
    pidfile.path = g_strdup(path);
    pidfile.fd = fd; /* stays open, or the lock would go */
    if (ftruncate(fd, 0) != 0 || write(fd, text, strlen(text)) != (gssize)strlen(text))
        return fail("Failed to write pid file", error);
    return TRUE;
}

void service_remove_pidfile(void)
{
    if (pidfile.path == NULL)
        return;
    if (is_at(pidfile.path, pidfile.fd) && unlink(pidfile.path) != 0)
        g_warning("cannot remove '%s': %s", pidfile.path, g_strerror(errno));
    close(pidfile.fd);
    g_clear_pointer(&pidfile.path, g_free);
}

/* The exit status is all that anybody waits for. One in the background has its standard error
 * still: see service_ready(). */
void service_end(const GError *error)
{
}

gboolean service_manage(const char *action, const char *const *argv, GError **error)
{
    qmp_error_set(error, "the service manager of this system takes files, not calls");
    return FALSE;
}
