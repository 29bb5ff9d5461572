/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "freeze-job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

#define KERNEL        "/sys/kernel"
#define RCU_EXPEDITED "rcu_expedited"

/*
 * What waits to be written, of the whole system, is written before a freeze where it is more than
 * this, since writers wait for what the freeze itself writes: at 50 MB/s for 80 ms. For less they
 * wait no longer than for the sync, which has every disk flush its cache once more.
 */
enum { DIRTY_KIB = 4 * 1024 };

/* ---- Grace periods --------------------------------------------------------------------------- */

/* Where somebody else has it on, it stays on. Returns: -1 where it is not to be touched */
static int open_switch(System *system)
{
    int fd = sysfs_open(system, KERNEL, RCU_EXPEDITED, O_RDWR);
    char value = '\0';

    if (fd >= 0 && (pread(fd, &value, 1, 0) != 1 || value != '0')) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void set_switch(FreezeJob *job, const char *value)
{
    if (job->rcu_switch >= 0 && pwrite(job->rcu_switch, value, 1, 0) != 1)
        g_ptr_array_add(job->notes,
                        g_strdup_printf("cannot write %s to " KERNEL "/" RCU_EXPEDITED ": %s",
                                        value, g_strerror(errno)));
}

static void close_switch(FreezeJob *job)
{
    if (job->rcu_switch >= 0)
        close(job->rcu_switch);
    job->rcu_switch = -1;
}

void freeze_job_stop_expediting(System *system)
{
    sysfs_write(system, KERNEL, RCU_EXPEDITED, "0");
}

/* ---- Life ------------------------------------------------------------------------------------ */

FreezeJob *freeze_job_new(System *system, CrewSpare *spare, const char *mark, char **paths,
                          char **excluded)
{
    FreezeJob *job = g_new(FreezeJob, 1);

    *job = (FreezeJob){
        .system = system,
        .mark = g_strdup(mark),
        .rcu_switch = -1,
        .wanted = {.paths = g_strdupv(paths), .excluded = g_strdupv(excluded)},
        .crew = crew_spare_take(spare, system),
        .notes = g_ptr_array_new_with_free_func(g_free),
    };
    return job;
}

static void destroy(FreezeJob *job)
{
    g_strfreev(job->wanted.paths);
    g_strfreev(job->wanted.excluded);
    g_clear_pointer(&job->filesystems, g_ptr_array_unref);
    g_clear_error(&job->error);
    g_ptr_array_unref(job->notes);
    crew_free(job->crew);
    close_switch(job);
    g_free(job->mark);
    g_free(job);
}

void freeze_job_free(FreezeJob *job, CrewSpare *spare)
{
    if (job->running > 0) {
        job->owner = NULL;
        return;
    }
    crew_spare_put(spare, g_steal_pointer(&job->crew));
    destroy(job);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void on_thread_end(gpointer data)
{
    FreezeJob *job = data;

    if (--job->running > 0)
        return;
    if (job->owner != NULL)
        job->done(job->owner);
    else
        destroy(job);
}

void freeze_job_start(FreezeJob *job, WorkStep step, void (*done)(gpointer owner), guint wait_us)
{
    g_assert(job->running == 0);
    job->done = done;
    job->running = 1;
    crew_start(job->crew, step, on_thread_end, job, wait_us);
}

gboolean freeze_job_is_busy(const FreezeJob *job)
{
    return job->running > 0;
}

static void relieve(gpointer data)
{
    FreezeJob *job = data;

    filesystems_relieve(job->filesystems, job->crew);
}

void freeze_job_cancel(FreezeJob *job)
{
    if (!g_atomic_int_compare_and_exchange(&job->cancelled, FALSE, TRUE))
        return;
    job->running++;
    crew_start(job->crew, relieve, on_thread_end, job, 0);
}

/* ---- What is not written yet ----------------------------------------------------------------- */

static guint64 read_kib(const char *meminfo, const char *name)
{
    const char *at = strstr(meminfo, name);

    return at != NULL ? g_ascii_strtoull(at + strlen(name), NULL, 10) : 0;
}

/* Also where nothing tells. */
static gboolean is_much_dirty(System *system)
{
    g_autofree char *text = sysfs_read(system, "/proc", "meminfo");

    return text == NULL || read_kib(text, "\nDirty:") + read_kib(text, "\nWriteback:") > DIRTY_KIB;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

void freeze_job_prepare(gpointer data)
{
    FreezeJob *job = data;

    job->filesystems = filesystems_open(job->system, &job->wanted, job->notes, &job->error);
    if (job->filesystems == NULL)
        job->filesystems = g_ptr_array_new(); /* that much is known */
    if (job->filesystems->len == 0)
        return;
    if (job->expedite)
        job->rcu_switch = open_switch(job->system);
    if (state_mark_frozen(job->mark, job->rcu_switch >= 0, &job->error) &&
        is_much_dirty(job->system))
        filesystems_sync(job->filesystems, job->crew);
}

void freeze_job_freeze(gpointer data)
{
    FreezeJob *job = data;

    set_switch(job, "1");
    job->count = filesystems_freeze(job->filesystems, job->crew, &job->cancelled, &job->error);
    set_switch(job, "0");
    close_switch(job);
}

void freeze_job_look(gpointer data)
{
    FreezeJob *job = data;

    job->frozen = filesystems_are_frozen(job->filesystems);
}

/* An agent that was killed left no list of what it froze; then all there are may be. Returns: FALSE
 * where nothing is known of the mounts either */
static gboolean find_frozen(FreezeJob *job)
{
    static const FilesystemsWanted all = {.skip_unopenable = TRUE};

    if (job->filesystems == NULL)
        job->filesystems = filesystems_open(job->system, &all, NULL, &job->error);
    return job->filesystems != NULL;
}

void freeze_job_thaw(gpointer data)
{
    FreezeJob *job = data;
    g_autoptr(GError) unmark = NULL;

    if (!find_frozen(job))
        return;
    job->count = filesystems_thaw(job->filesystems, job->crew, &job->error);
    if (!state_unmark_frozen(job->mark, &unmark))
        g_ptr_array_add(job->notes, g_strdup(unmark->message));
}
