/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * system: what commands ask of the operating system that a test must not do for real.
 *
 * Owns the calls. Leaves to the commands what is called, when, and what it means. Programs are
 * started with process.h and files opened by the commands themselves: those are harmless to test.
 */

#pragma once

#include <sys/types.h>
#include <time.h>

#include "agent/process.h"
#include "agent/state.h"

typedef enum {
    SYSTEM_OPEN_DONE,
    SYSTEM_OPEN_HIDDEN, /* another filesystem stands where this one was mounted */
    SYSTEM_OPEN_FAILED, /* errno tells why */
} SystemOpen;

typedef enum {
    SYSTEM_FREEZE_DONE,
    SYSTEM_FREEZE_BUSY,   /* it is frozen already */
    SYSTEM_FREEZE_UNABLE, /* of this kind none can be */
    SYSTEM_FREEZE_FAILED, /* errno tells why */
} SystemFreeze;

/* A helper program. */
typedef struct {
    const char *const *argv;
    const char *input; /* (nullable): what it reads on its standard input; copied */
    gsize input_len;
    /* After that long it is killed, with all in its process group, and is over. 0: never. Not
     * counted is the time that the guest sleeps. */
    guint timeout_ms;
} SystemProgram;

/* Where a file is. */
typedef struct {
    dev_t device; /* as stat() says */
    int mount;    /* its number in the table of mounts; -1 where nobody tells, or the device does */
} SystemPlace;

/* How a helper program fared. */
typedef struct {
    const GError *error; /* (nullable): it was not started, or its time was up */
    int status;          /* as process_status() */
    gboolean overdue;    /* its time was up: it was started, and killed */
    const char *output;  /* what it said, cut */
} SystemExit;

typedef void (*SystemDone)(gpointer user, const SystemExit *result);

/* Bytes of a filesystem. */
typedef struct {
    guint64 used;
    guint64 total;            /* used, and free for everybody */
    guint64 total_privileged; /* and free for root alone */
} SystemUsage;

/* One of the guest's users. */
typedef struct {
    guint32 uid; /* and gid: where users have numbers */
    guint32 gid;
    char *home;
} SystemUser;

enum { SYSTEM_NVME_SMART_BYTES = 512 };

typedef struct System System;

struct System {
    const struct SystemWin32 *win32; /* what only Windows has: system-win32.h; NULL elsewhere */
    /* Stands before every path in /sys, /proc, /etc and /run that is only read from or told a word:
     * empty, but for tests. */
    const char *root;
    /* Returns: (transfer full): the text of the kernel's table of mounts, as in proc(5), mountinfo
     */
    char *(*read_mounts)(System *system, GError **error);
    /**
     * A mounted filesystem, by a directory that shows it. This one and those that take its @ret_fd
     * may be called on any thread: the kernel takes its time, up to minutes.
     * @device: what must be there; 0 for any
     */
    SystemOpen (*open_mount)(System *system, const char *directory, dev_t device, int *ret_fd);
    void (*close_mount)(System *system, int fd);
    /* Writes out what is dirty. */
    void (*sync)(System *system, int fd);
    SystemFreeze (*freeze)(System *system, int fd);
    /* Returns: FALSE with errno, EINVAL where it was not frozen */
    gboolean (*thaw)(System *system, int fd);
    /* @minimum: the smallest free extent that counts, in bytes; on success what was made of it.
     * Returns: FALSE with errno */
    gboolean (*trim)(System *system, int fd, guint64 *minimum, guint64 *ret_trimmed);
    /* May be called on any thread. Returns: FALSE where there is no @path */
    gboolean (*locate)(System *system, const char *path, SystemPlace *ret);
    /* Starts a program; @done is called once, maybe at once. */
    void (*run)(System *system, const SystemProgram *program, SystemDone done, gpointer user);
    /* @device: as above. Returns: FALSE where the filesystem does not show there */
    gboolean (*measure)(System *system, const char *directory, dev_t device, SystemUsage *ret);
    /* @ret: health record of an NVMe disk. Returns: FALSE where @node gives none */
    gboolean (*read_nvme_smart)(System *system, const char *node,
                                guint8 ret[SYSTEM_NVME_SMART_BYTES]);
    /* @ret: its home is (transfer full). Returns: FALSE with errno, 0 where there is no such user
     */
    gboolean (*find_user)(System *system, const char *name, SystemUser *ret);
    /* Returns: (transfer full) (nullable): where a tool of the administrator is */
    char *(*find_tool)(System *system, const char *name);
    /* Of small files in /sys. */
    char *(*read_file)(System *system, const char *path);
    gboolean (*write_file)(System *system, const char *path, const char *text, GError **error);
    /* The clock that programs see, and the one that goes on while the machine is off: see clock.h.
     */
    gboolean (*set_clock)(System *system, gint64 seconds, gint64 microseconds, GError **error);
    gboolean (*has_rtc)(System *system);
    gboolean (*read_rtc)(System *system, struct tm *ret_time, GError **error);
    gboolean (*write_rtc)(System *system, const struct tm *time, GError **error);
    /* The calling thread comes before all others of the machine that are ordinary, or is one of
     * those again. The programs and threads it starts are ordinary. */
    void (*hurry)(System *system, gboolean hurry);
    /* But this one, and those that it starts in turn, hurry where the calling one does. Returns:
     * (transfer full) (nullable) */
    GThread *(*start_thread)(System *system, const char *name, GThreadFunc run, gpointer data);
    /* Filesystems become, or no longer are, unwritable: nobody may touch a log. */
    void (*set_frozen)(System *system, gboolean frozen);
};

/* The one that this agent runs on. */
System *system_get(void);
