/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "launch.h"

#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static gboolean fail(GError **error, const char *what)
{
    int number = errno;

    g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), "%s: %s", what,
                g_strerror(number));
    return FALSE;
}

char *launch_choose_directory(void)
{
    const char *runtime = g_getenv("XDG_RUNTIME_DIR");
    const char *parent = runtime && g_access(runtime, W_OK) == 0 ? runtime : g_get_tmp_dir();

    return g_strdup_printf("%s/qga-qemu-%d-%08x", parent, getpid(), g_random_int());
}

int launch_take_fd(gpointer next)
{
    int *fd = next;

    while (fcntl(*fd, F_GETFD) >= 0)
        ++*fd;
    return (*fd)++;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

static void set_inherited(int fd, gboolean inherited)
{
    fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC);
}

static int open_socket(const char *path, GError **error)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd;

    if (g_strlcpy(name.sun_path, path, sizeof name.sun_path) >= sizeof name.sun_path) {
        errno = ENAMETOOLONG;
        fail(error, path);
        return -1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 1) == 0)
        return fd;
    fail(error, path);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_file(const char *text, GError **error)
{
    int fd = memfd_create("qga-qemu-config", MFD_CLOEXEC);
    gsize len = strlen(text);

    if (fd >= 0 && write(fd, text, len) == (gssize)len)
        return fd;
    fail(error, "a file for -readconfig");
    if (fd >= 0)
        close(fd);
    return -1;
}

static gboolean open_descriptors(const Plan *plan, GError **error)
{
    for (guint i = 0; i < plan->descriptors->len; i++) {
        const PlanDescriptor *descriptor = plan->descriptors->pdata[i];
        int fd = descriptor->path ? open_socket(descriptor->path, error)
                                  : open_file(descriptor->text, error);

        if (fd < 0)
            return FALSE;
        if (fd == descriptor->fd) {
            set_inherited(fd, TRUE);
            continue;
        }
        if (dup2(fd, descriptor->fd) < 0)
            return fail(error, "a descriptor for QEMU");
        close(fd);
    }
    return TRUE;
}

static gboolean check_taken(const Plan *plan, GError **error)
{
    for (guint i = 0; i < plan->taken->len; i++) {
        int fd = g_array_index(plan->taken, int, i);

        if (fcntl(fd, F_GETFD) < 0) {
            g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                        "fd=%d: there is no such descriptor", fd);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- Processes ------------------------------------------------------------------------------- */

/* As a child of nobody: QEMU shall find no child that it does not know. */
static gboolean start_supervisor(const Supervisor *supervisor, GError **error)
{
    pid_t child = fork();

    if (child < 0)
        return fail(error, "fork");
    if (child == 0) {
        setsid(); /* a terminal's signals are QEMU's */
        if (fork() == 0)
            supervisor_run(supervisor);
        _exit(0);
    }
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return TRUE;
}

static gboolean is_ready(int fd)
{
    char byte;
    gssize got;

    do
        got = read(fd, &byte, 1);
    while (got < 0 && errno == EINTR);
    close(fd);
    return got == 1;
}

static gboolean become_qemu(const Plan *plan, GError **error)
{
    for (guint i = 0; i < plan->taken->len; i++)
        set_inherited(g_array_index(plan->taken, int, i), FALSE);
    execvp(plan->qemu[0], plan->qemu);
    return fail(error, plan->qemu[0]);
}

/* Before anything else is started, which would tell of its own end, too. */
static gboolean find_qemu(const Plan *plan, GError **error)
{
    const char *qemu = plan->qemu[0];
    g_autofree char *found = g_find_program_in_path(qemu);

    if (found != NULL)
        return TRUE;
    errno = strchr(qemu, '/') != NULL && access(qemu, F_OK) == 0 ? EACCES : ENOENT;
    return fail(error, qemu);
}

static gboolean launch_both(const Plan *plan, const char *directory, GError **error)
{
    int lifeline[2], ready[2];
    Supervisor supervisor = {.directory = directory, .plan = plan};

    if (!find_qemu(plan, error) || !open_descriptors(plan, error))
        return FALSE;
    if (pipe2(lifeline, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
        return fail(error, "pipe");
    supervisor.lifeline = lifeline[0];
    supervisor.ready = ready[1];
    if (!start_supervisor(&supervisor, error))
        return FALSE;
    close(lifeline[0]);
    close(ready[1]);
    if (!is_ready(ready[0]))
        return FALSE;
    set_inherited(lifeline[1], TRUE);
    return become_qemu(plan, error);
}

gboolean launch(const Plan *plan, const char *directory, GError **error)
{
    if (plan->through)
        return become_qemu(plan, error);
    if (!check_taken(plan, error))
        return FALSE;
    if (g_mkdir(directory, 0700) < 0)
        return fail(error, directory);
    if (launch_both(plan, directory, error))
        return TRUE;
    supervisor_clean(directory);
    return FALSE;
}
