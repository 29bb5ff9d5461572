/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Theory of operation. The end of a child is learnt by SIGCHLD, read from a signalfd: that needs no
 * thread, unlike GLib's child watch, and no pidfd, which guests older than Linux 5.3 lack. The
 * status is fetched without reaping (WNOWAIT). Pipes are read, and the input is written, as long as
 * anybody holds them; they are no part of having ended.
 */

#include "agent/process-private.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/poller.h"
#include "common/limits.h"
#include "common/qmp-error.h"

#ifndef SYS_close_range
#define SYS_close_range (-1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* What one turn reads of one pipe, so that a program that never stops printing stops nobody else.
 */
enum { READ_BYTES = 64 * 1024 };

/* Turns that a dead child's pipe is given to hand over what is in it: the largest pipe holds 1 MiB.
 */
enum { DRAIN_TURNS = 16 };

typedef struct {
    int fd; /* ours; -1: closed */
    guint source;
    ProcessOutput *output; /* what it has read */
} Reader;

typedef struct {
    int fd; /* ours; -1: closed */
    guint source;
    char *data;
    gsize len;
    gsize written;
} Writer;

struct Process {
    ProcessCommon common;
    pid_t pid;
    int status;
    Reader out;
    Reader err;
    Writer in;
    gboolean leads; /* a process group */
};

/* All children: SIGCHLD does not tell reliably which one it is about. Bounded by who starts them.
 */
static GPtrArray *children;

/* None of the functions that are called recurses. But else GLib takes the descriptor out of its
 * poll for the length of each call, which costs two writes to an eventfd and a read. */
static guint watch(int fd, GIOCondition condition, GUnixFDSourceFunc func, gpointer user)
{
    g_autoptr(GSource) source = g_unix_fd_source_new(fd, condition);

    g_source_set_callback(source, G_SOURCE_FUNC(func), user, NULL);
    g_source_set_can_recurse(source, TRUE);
    return g_source_attach(source, NULL);
}

/* ---- Pipes ----------------------------------------------------------------------------------- */

static void reader_close(Reader *reader)
{
    g_clear_handle_id(&reader->source, g_source_remove);
    if (reader->fd >= 0)
        close(reader->fd);
    reader->fd = -1;
    process_output_end(reader->output);
}

/* Returns: whether there may be more */
static gboolean reader_read(Reader *reader)
{
    /* Off the stack: the agent has one thread. Its room is not static: the linker would put it
     * before variables that each start touches, which then are on a page of their own. */
    static char *buffer;
    gssize got;

    if (reader->fd < 0)
        return FALSE;
    if (buffer == NULL)
        buffer = g_malloc(READ_BYTES);
    got = read(reader->fd, buffer, READ_BYTES);
    if (got > 0)
        process_output_take(reader->output, buffer, (gsize)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        reader_close(reader);
    return got > 0;
}

static void writer_close(Writer *writer)
{
    g_clear_handle_id(&writer->source, g_source_remove);
    if (writer->fd >= 0)
        close(writer->fd);
    writer->fd = -1;
    g_clear_pointer(&writer->data, g_free);
}

static void writer_write(Writer *writer)
{
    gssize done = write(writer->fd, writer->data + writer->written, writer->len - writer->written);

    if (done < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (done >= 0)
        writer->written += (gsize)done;
    if (done < 0 || writer->written == writer->len)
        writer_close(writer); /* a reader that wants no more, or all is written */
}

/* ---- End ------------------------------------------------------------------------------------- */

static gboolean is_over(const Process *process)
{
    return process->common.freed && process->common.ended && process->out.fd < 0 &&
           process->err.fd < 0 && process->in.fd < 0;
}

/* Gives the child's id back. */
static void reap(const Process *process)
{
    siginfo_t ignored;

    waitid(P_PID, (id_t)process->pid, &ignored, WEXITED | WNOHANG);
}

static void close_pipes(Process *process)
{
    reader_close(&process->out);
    reader_close(&process->err);
    writer_close(&process->in);
}

static void destroy(Process *process)
{
    g_ptr_array_remove_fast(children, process);
    close_pipes(process);
    process_common_clear(&process->common);
    g_free(process);
}

static void read_and_see(Process *process, Reader *reader)
{
    reader_read(reader);
    if (is_over(process))
        destroy(process);
}

static gboolean on_out(gint fd, GIOCondition condition, gpointer user_data)
{
    read_and_see(user_data, &((Process *)user_data)->out);
    return G_SOURCE_CONTINUE; /* a closed reader has removed its source */
}

static gboolean on_err(gint fd, GIOCondition condition, gpointer user_data)
{
    read_and_see(user_data, &((Process *)user_data)->err);
    return G_SOURCE_CONTINUE;
}

static gboolean on_in(gint fd, GIOCondition condition, gpointer user_data)
{
    Process *process = user_data;

    writer_write(&process->in);
    if (is_over(process))
        destroy(process);
    return G_SOURCE_CONTINUE;
}

static void drain(Reader *reader)
{
    for (guint i = 0; i < DRAIN_TURNS && reader_read(reader); i++)
        continue;
}

/* @process may be gone afterwards. */
static void child_ended(Process *process, const siginfo_t *info)
{
    process->common.ended = TRUE;
    process->status = info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
    drain(&process->out);
    drain(&process->err);
    if (process->common.freed) {
        reap(process);
        if (is_over(process))
            destroy(process);
    } else if (process->common.on_end != NULL) {
        process->common.on_end(process, process->common.user);
    }
}

typedef struct {
    Process *process;
    siginfo_t end;
} Ended;

static gboolean on_sigchld(gint fd, GIOCondition condition, gpointer user_data)
{
    g_autoptr(GArray) ended = g_array_new(FALSE, FALSE, sizeof(Ended));
    struct signalfd_siginfo ignored;

    if (read(fd, &ignored, sizeof(ignored)) < 0) /* one stands for all that have ended */
        return G_SOURCE_CONTINUE;
    /* Callbacks free and start others; one that has ended is freed by its own alone. */
    for (guint i = 0; i < children->len; i++) {
        Ended child = {.process = children->pdata[i]};

        if (!child.process->common.ended &&
            waitid(P_PID, (id_t)child.process->pid, &child.end, WEXITED | WNOWAIT | WNOHANG) == 0 &&
            child.end.si_pid != 0)
            g_array_append_val(ended, child);
    }
    for (guint i = 0; i < ended->len; i++)
        child_ended(g_array_index(ended, Ended, i).process, &g_array_index(ended, Ended, i).end);
    return G_SOURCE_CONTINUE;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* Linux 5.11; the C library and its headers may be older than the kernel, or it than they. */
static gboolean close_all_on_exec(void)
{
    return syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

/* What close_all_on_exec() does, one by one. */
static void close_each_on_exec(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;

    while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
        int fd = (int)g_ascii_strtoll(name, NULL, 10);

        if (fd > STDERR_FILENO)
            fcntl(fd, F_SETFD, FD_CLOEXEC);
    }
}

/* All that the agent opens is close-on-exec; what its own starter left open becomes so here. */
static void keep_descriptors(void)
{
    if (!close_all_on_exec())
        close_each_on_exec();
}

void process_init(void)
{
    sigset_t set;
    int fd;

    if (children != NULL)
        return;
    keep_descriptors();
    children = g_ptr_array_new();
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* Whoever started us may have ignored it, which we inherit: then children are reaped unseen. */
    signal(SIGCHLD, SIG_DFL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    g_assert(fd >= 0);
    watch(fd, G_IO_IN, on_sigchld, NULL);
    poller_keep(fd);
}

/* The ends that the child gets: as its descriptors 0, 1, 2. */
typedef struct {
    int fds[3];
    gboolean shared[3]; /* with other children */
} ChildEnds;

static void child_ends_clear(ChildEnds *ends)
{
    for (guint i = 0; i < 3; i++) {
        if (ends->fds[i] >= 0 && !ends->shared[i])
            close(ends->fds[i]);
    }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ChildEnds, child_ends_clear)

static gboolean fail_errno(const char *what, int code, GError **error)
{
    qmp_error_set(error, "%s: %s", what, g_strerror(code));
    return FALSE;
}

/* Only our end does not block: the child's is its own affair. */
static gboolean make_pipe(guint ours, int *ret_ours, int *ret_theirs, GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return fail_errno("failed to create a pipe", errno, error);
    fcntl(fds[ours], F_SETFL, O_NONBLOCK);
    *ret_ours = fds[ours];
    *ret_theirs = fds[1 - ours];
    return TRUE;
}

/* Returns: -1 with errno; else one that stays open, for the next child */
static int open_null(gboolean for_input)
{
    static int kept[2] = {-1, -1};
    int *fd = &kept[for_input];

    if (*fd < 0)
        *fd = open("/dev/null", (for_input ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
    return *fd;
}

static gboolean open_ends(Process *process, const ProcessSpec *spec, ChildEnds *ends,
                          GError **error)
{
    gboolean merged = (spec->capture & PROCESS_CAPTURE_MERGED) != 0;

    if (spec->input != NULL && !make_pipe(1, &process->in.fd, &ends->fds[0], error))
        return FALSE;
    if ((spec->capture & (PROCESS_CAPTURE_OUT | PROCESS_CAPTURE_MERGED)) != 0 &&
        !make_pipe(0, &process->out.fd, &ends->fds[1], error))
        return FALSE;
    if ((spec->capture & PROCESS_CAPTURE_ERR) != 0 &&
        !make_pipe(0, &process->err.fd, &ends->fds[2], error))
        return FALSE;
    if (merged)
        ends->fds[2] = fcntl(ends->fds[1], F_DUPFD_CLOEXEC, 0);
    for (guint i = 0; i < 3; i++) {
        if (ends->fds[i] < 0) {
            ends->fds[i] = open_null(i == 0);
            ends->shared[i] = TRUE;
        }
        if (ends->fds[i] < 0)
            return fail_errno("failed to open a program's input or output", errno, error);
    }
    return TRUE;
}

static int spawn_at(Process *process, const ProcessSpec *spec, const char *path,
                    const char *const *argv, const ChildEnds *ends)
{
    char *const *env = spec->env != NULL ? (char *const *)spec->env : environ;
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int code;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, flags | (spec->new_session ? POSIX_SPAWN_SETSID : 0));
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++)
        posix_spawn_file_actions_adddup2(&actions, ends->fds[i], i);
    code = posix_spawn(&process->pid, path, &actions, &attributes, (char *const *)argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return code;
}

/* A script without #! is for the shell, as with execvp(). */
static int spawn_candidate(Process *process, const ProcessSpec *spec, const char *path,
                           const ChildEnds *ends)
{
    int code = spawn_at(process, spec, path, spec->argv, ends);
    g_autoptr(GPtrArray) argv = NULL;

    if (code != ENOEXEC)
        return code;
    argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "/bin/sh");
    g_ptr_array_add(argv, (gpointer)path);
    for (guint i = 1; spec->argv[0] != NULL && spec->argv[i] != NULL; i++)
        g_ptr_array_add(argv, (gpointer)spec->argv[i]);
    g_ptr_array_add(argv, NULL);
    return spawn_at(process, spec, "/bin/sh", (const char *const *)argv->pdata, ends);
}

static int spawn_along_path(Process *process, const ProcessSpec *spec, const ChildEnds *ends)
{
    const char *name = spec->argv[0];
    const char *path =
        spec->env != NULL ? g_environ_getenv((char **)(gpointer)spec->env, "PATH") : NULL;
    g_auto(GStrv) directories = NULL;
    int code = ENOENT;

    if (strchr(name, '/') != NULL)
        return spawn_candidate(process, spec, name, ends);
    if (path == NULL)
        path = g_getenv("PATH");
    directories = g_strsplit(path != NULL ? path : "/bin:/usr/bin:.", ":", -1);
    for (guint i = 0; directories[i] != NULL && *name != '\0'; i++) {
        const char *directory = *directories[i] != '\0' ? directories[i] : ".";
        g_autofree char *candidate = g_build_filename(directory, name, NULL);
        int found = spawn_candidate(process, spec, candidate, ends);

        if (found == 0)
            return 0;
        /* One that may not be run is worth telling, where no other is found. */
        if (found != ENOENT && found != ENOTDIR)
            code = found;
    }
    return code;
}

static void start_io(Process *process, const ProcessSpec *spec)
{
    process->common.out.open = process->out.fd >= 0;
    process->common.err.open = process->err.fd >= 0;
    if (process->out.fd >= 0)
        process->out.source =
            watch(process->out.fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_out, process);
    if (process->err.fd >= 0)
        process->err.source =
            watch(process->err.fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_err, process);
    if (process->in.fd >= 0) {
        process->in.data = g_memdup2(spec->input, spec->input_len);
        process->in.len = spec->input_len;
        process->in.source = watch(process->in.fd, G_IO_OUT | G_IO_HUP | G_IO_ERR, on_in, process);
    }
}

Process *process_spawn(const ProcessSpec *spec, GError **error)
{
    g_auto(ChildEnds) ends = {.fds = {-1, -1, -1}};
    Process *process = g_new(Process, 1);
    int code;

    process_init();
    *process = (Process){
        .out = {.fd = -1, .output = &process->common.out},
        .err = {.fd = -1, .output = &process->common.err},
        .in = {.fd = -1},
        .leads = spec->new_session,
    };
    process_common_init(&process->common, spec);
    if (!open_ends(process, spec, &ends, error)) {
        destroy(process);
        return NULL;
    }
    code = spawn_along_path(process, spec, &ends);
    if (code != 0) {
        qmp_error_set(error, "Failed to execute child process “%.4096s” (%s)", spec->argv[0],
                      g_strerror(code));
        destroy(process);
        return NULL;
    }
    start_io(process, spec);
    g_ptr_array_add(children, process);
    return process;
}

/* The id is its own until it is reaped, and that is after it has ended. */
void process_kill(Process *process)
{
    if (!process->common.ended)
        kill(process->leads ? -process->pid : process->pid, SIGKILL);
}

/* Programs that ended, and are wanted by nobody, but left others behind that hold their pipes. */
static guint count_lingering(void)
{
    guint count = 0;

    for (guint i = 0; i < children->len; i++) {
        const Process *process = children->pdata[i];

        count += process->common.freed && process->common.ended;
    }
    return count;
}

void process_free(Process *process)
{
    if (process == NULL)
        return;
    process->common.freed = TRUE;
    process_output_forget(&process->common.out);
    process_output_forget(&process->common.err);
    if (process->common.ended) {
        reap(process);
        if (count_lingering() > LIMIT_EXEC_RECORDS)
            close_pipes(process);
    }
    if (is_over(process))
        destroy(process);
}

gint64 process_id(const Process *process)
{
    return process->pid;
}

gint64 process_status(const Process *process)
{
    return process->status;
}
