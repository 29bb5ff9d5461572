/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/nvme_ioctl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/clock.h"
#include "agent/log.h"
#include "agent/passwd.h"
#include "agent/run.h"
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

static gboolean is_hidden(int fd, dev_t device)
{
    struct stat at;

    return device != 0 && fstat(fd, &at) == 0 && at.st_dev != device;
}

static SystemOpen open_mount(System *system, const char *directory, dev_t device, int *ret_fd)
{
    /* O_NONBLOCK: a bind mount's root may be a FIFO. */
    int fd = open(directory, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return SYSTEM_OPEN_FAILED;
    if (is_hidden(fd, device)) {
        close(fd);
        return SYSTEM_OPEN_HIDDEN;
    }
    *ret_fd = fd;
    return SYSTEM_OPEN_DONE;
}

static void close_mount(System *system, int fd)
{
    close(fd);
}

/* What it cannot write, a freeze will tell. */
static void sync_mount(System *system, int fd)
{
    if (syncfs(fd) != 0 && errno != ENOSYS) /* before Linux 2.6.39 */
        g_debug("syncfs: %s", g_strerror(errno));
}

static SystemFreeze freeze(System *system, int fd)
{
    if (ioctl(fd, FIFREEZE, 0) == 0)
        return SYSTEM_FREEZE_DONE;
    switch (errno) {
    case EBUSY: return SYSTEM_FREEZE_BUSY;
    case EOPNOTSUPP: return SYSTEM_FREEZE_UNABLE;
    default: return SYSTEM_FREEZE_FAILED;
    }
}

static gboolean thaw(System *system, int fd)
{
    return ioctl(fd, FITHAW, 0) == 0;
}

static gboolean trim(System *system, int fd, guint64 *minimum, guint64 *ret_trimmed)
{
    struct fstrim_range range = {.len = G_MAXUINT64, .minlen = *minimum};

    if (ioctl(fd, FITRIM, &range) != 0)
        return FALSE;
    *minimum = range.minlen;
    *ret_trimmed = range.len;
    return TRUE;
}

/* The number of the mount comes with a file's handle, whose size is asked for: Linux 2.6.39. */
static int find_mount(const char *path)
{
    struct file_handle handle = {.handle_bytes = 0};
    int mount = -1;

    name_to_handle_at(AT_FDCWD, path, &handle, &mount, AT_SYMLINK_FOLLOW);
    return mount;
}

static gboolean locate(System *system, const char *path, SystemPlace *ret)
{
    struct stat at;

    if (stat(path, &at) != 0)
        return FALSE;
    /* What is on a device of its own is known by that. */
    *ret = (SystemPlace){at.st_dev, major(at.st_dev) == 0 ? find_mount(path) : -1};
    return TRUE;
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

/*
 * By the system call, which musl's functions of these names are not. Where it is refused, or
 * whoever set the agent up has said how it is to be scheduled, it stays as it is.
 */
static gboolean reschedule(int from, int to)
{
    const struct sched_param param = {.sched_priority = to == SCHED_OTHER ? 0 : 1};

    return syscall(SYS_sched_getscheduler, 0) == from &&
           syscall(SYS_sched_setscheduler, 0, to, &param) == 0;
}

enum { HURRIED = SCHED_RR | SCHED_RESET_ON_FORK };

static void hurry(System *system, gboolean hurry)
{
    if (hurry)
        reschedule(SCHED_OTHER, HURRIED);
    else
        reschedule(HURRIED, SCHED_OTHER);
}

/* A thread that was to see to it itself would have to be scheduled first: beside a writer that took
 * 5 ms in an emulated guest. */
static GThread *start_thread(System *system, const char *name, GThreadFunc run, gpointer data)
{
    const gboolean is_hurried = reschedule(HURRIED, SCHED_RR);
    GThread *thread = g_thread_try_new(name, run, data, NULL);

    if (is_hurried)
        reschedule(SCHED_RR, HURRIED);
    return thread;
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
        .open_mount = open_mount,
        .close_mount = close_mount,
        .sync = sync_mount,
        .freeze = freeze,
        .thaw = thaw,
        .trim = trim,
        .locate = locate,
        .run = run_program,
        .measure = measure,
        .read_nvme_smart = read_nvme_smart,
        .find_user = passwd_find,
        .find_tool = find_tool,
        .read_file = read_file,
        .write_file = write_file,
        .set_clock = clock_set,
        .has_rtc = clock_has_rtc,
        .read_rtc = clock_read_rtc,
        .write_rtc = clock_write_rtc,
        .hurry = hurry,
        .start_thread = start_thread,
        .set_frozen = set_frozen,
    };

    return &system;
}
