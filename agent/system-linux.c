/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/passwd.h"
#include "common/limits.h"
#include "common/qmp-error.h"

static char *read_mounts(System *system, GError **error)
{
    g_autoptr(GError) reason = NULL;
    char *text = NULL;

    if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, &reason)) {
        qmp_error_set(error, "%s", reason->message);
        return NULL;
    }
    return text;
}

/* O_NONBLOCK: a bind mount's root may be a FIFO. */
static int open_mount(const char *directory)
{
    return open(directory, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static gboolean is_hidden(int fd, dev_t device)
{
    struct stat at;

    return device != 0 && fstat(fd, &at) == 0 && at.st_dev != device;
}

static SystemFreeze freeze(System *system, const char *directory, dev_t device, GError **error)
{
    int fd = open_mount(directory);
    SystemFreeze result = SYSTEM_FREEZE_DONE;

    if (fd < 0) {
        qmp_error_set(error, "failed to open %s: %s", directory, g_strerror(errno));
        return SYSTEM_FREEZE_FAILED;
    }
    if (is_hidden(fd, device)) {
        result = SYSTEM_FREEZE_HIDDEN;
    } else if (ioctl(fd, FIFREEZE, 0) != 0) {
        if (errno == EOPNOTSUPP || errno == EBUSY) {
            result = SYSTEM_FREEZE_SKIPPED;
        } else {
            qmp_error_set(error, "failed to freeze %s: %s", directory, g_strerror(errno));
            result = SYSTEM_FREEZE_FAILED;
        }
    }
    close(fd);
    return result;
}

static gboolean thaw(System *system, const char *directory, dev_t device)
{
    int fd = open_mount(directory);
    gboolean thawed;

    if (fd < 0)
        return FALSE;
    thawed = !is_hidden(fd, device) && ioctl(fd, FITHAW, 0) == 0;
    close(fd);
    return thawed;
}

/* By its path: what it takes to open it is more than is needed, and O_PATH is no help before Linux
 * 3.12. */
static gboolean measure(System *system, const char *directory, dev_t device, SystemUsage *ret)
{
    struct statvfs found;
    struct stat at;

    if (stat(directory, &at) != 0 || (device != 0 && at.st_dev != device) ||
        statvfs(directory, &found) != 0)
        return FALSE;
    ret->used = (guint64)found.f_frsize * (found.f_blocks - found.f_bfree);
    ret->total = ret->used + (guint64)found.f_frsize * found.f_bavail;
    ret->total_privileged = (guint64)found.f_frsize * found.f_blocks;
    return TRUE;
}

static SystemTrim trim(System *system, const char *directory, dev_t device, guint64 *minimum,
                       guint64 *ret_trimmed, GError **error)
{
    struct fstrim_range range = {.len = G_MAXUINT64, .minlen = *minimum};
    int fd = open_mount(directory);
    SystemTrim result = SYSTEM_TRIM_DONE;

    if (fd < 0) {
        qmp_error_set(error, "failed to open: %s", g_strerror(errno));
        return SYSTEM_TRIM_FAILED;
    }
    if (is_hidden(fd, device)) {
        result = SYSTEM_TRIM_HIDDEN;
    } else if (ioctl(fd, FITRIM, &range) != 0) {
        result = SYSTEM_TRIM_FAILED;
        if (errno == ENOTTY || errno == EOPNOTSUPP)
            qmp_error_set(error, "trim not supported");
        else
            qmp_error_set(error, "failed to trim: %s", g_strerror(errno));
    }
    *minimum = range.minlen;
    *ret_trimmed = range.len;
    close(fd);
    return result;
}

static gboolean read_nvme_smart(System *system, const char *node,
                                guint8 ret[SYSTEM_NVME_SMART_BYTES])
{
    enum { GET_LOG_PAGE = 0x02, PAGE_HEALTH = 0x02, ALL_NAMESPACES = -1 };
    guint8 page[SYSTEM_NVME_SMART_BYTES];
    struct nvme_admin_cmd command = {
        .opcode = GET_LOG_PAGE,
        .nsid = (guint32)ALL_NAMESPACES,
        .addr = (guint64)(gsize)page,
        .data_len = SYSTEM_NVME_SMART_BYTES,
        .cdw10 = (SYSTEM_NVME_SMART_BYTES / 4 - 1) << 16 | PAGE_HEALTH,
    };
    int fd = open(node, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    gboolean ok = fd >= 0 && ioctl(fd, NVME_IOCTL_ADMIN_CMD, &command) == 0;

    if (fd >= 0)
        close(fd);
    if (ok)
        memcpy(ret, page, sizeof(page));
    return ok;
}

typedef struct {
    Process *process;
    guint timer;
    guint timeout_ms;
    SystemDone done;
    gpointer user;
} Run;

static void finish_run(Run *run, const GError *error)
{
    SystemExit result = {
        .error = error,
        .status = process_status(run->process),
        .output = process_out(run->process)->data->str,
    };

    g_clear_handle_id(&run->timer, g_source_remove);
    run->done(run->user, &result);
    process_free(run->process);
    g_free(run);
}

static void on_run_end(Process *process, gpointer user)
{
    finish_run(user, NULL);
}

/* Its end is not waited for: a driver that hangs holds even a killed program. */
static gboolean on_run_time_up(gpointer user_data)
{
    Run *run = user_data;
    g_autoptr(GError) error = NULL;

    run->timer = 0;
    process_kill(run->process);
    qmp_error_set(&error, "killed, since it had not ended after %.15g s", run->timeout_ms / 1000.0);
    finish_run(run, error);
    return G_SOURCE_REMOVE;
}

static void run_program(System *system, const SystemProgram *program, SystemDone done,
                        gpointer user)
{
    g_autoptr(GError) error = NULL;
    Run *run = g_new(Run, 1);
    ProcessSpec spec = {
        .argv = program->argv,
        .capture = PROCESS_CAPTURE_MERGED,
        .capture_limit = LIMIT_HELPER_OUTPUT,
        .input = program->input,
        .input_len = program->input_len,
        .new_session = TRUE,
        .ended = on_run_end,
        .user = run,
    };

    *run = (Run){.timeout_ms = program->timeout_ms, .done = done, .user = user};
    run->process = process_spawn(&spec, &error); /* freed, with @run, by finish_run() */
    if (run->process == NULL) {
        g_free(run);
        done(user, &(SystemExit){.error = error, .output = ""});
        return;
    }
    if (run->timeout_ms > 0)
        run->timer = g_timeout_add(run->timeout_ms, on_run_time_up, run);
}

/* Not along PATH: under an init system it may lack these, and distributions differ in where they
 * are. */
static char *find_tool(System *system, const char *name)
{
    static const char *const directories[] = {"/sbin", "/usr/sbin", "/bin", "/usr/bin"};

    for (guint i = 0; i < G_N_ELEMENTS(directories); i++) {
        g_autofree char *path = g_build_filename(directories[i], name, NULL);

        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            return g_steal_pointer(&path);
    }
    return g_find_program_in_path(name); /* NixOS has it nowhere else */
}

static char *read_file(System *system, const char *path)
{
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

static gboolean write_file(System *system, const char *path, const char *text, GError **error)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    gssize len = (gssize)strlen(text);
    gboolean ok = fd >= 0 && write(fd, text, (gsize)len) == len;

    if (!ok)
        qmp_error_set(error, "failed to write '%s' to %s: %s", text, path, g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static void set_frozen(System *system, gboolean frozen)
{
    log_set_frozen(frozen);
}

System *system_get(void)
{
    static System system = {
        .root = "",
        .read_mounts = read_mounts,
        .freeze = freeze,
        .thaw = thaw,
        .run = run_program,
        .measure = measure,
        .trim = trim,
        .read_nvme_smart = read_nvme_smart,
        .find_user = passwd_find,
        .find_tool = find_tool,
        .read_file = read_file,
        .write_file = write_file,
        .set_clock = clock_set,
        .has_rtc = clock_has_rtc,
        .read_rtc = clock_read_rtc,
        .write_rtc = clock_write_rtc,
        .set_frozen = set_frozen,
    };

    return &system;
}
