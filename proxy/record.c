/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

struct Record {
    GMainContext *context;
    char *directory;
    char *path;
    char *found;       /* (nullable) */
    GThreadPool *pool; /* of one thread, so that jobs are done in their order */
    gboolean *gone;
};

/* What is to be done, and then what became of it. */
typedef struct {
    char *text; /* (nullable): NULL to erase */
    RecordDone done;
    gpointer owner;
    gboolean *gone; /* shared: the record was freed; read and set in the context's thread alone */
    GError *error;
} Job;

static void job_free(Job *job)
{
    g_clear_error(&job->error);
    g_atomic_rc_box_release(job->gone);
    g_free(job->text);
    g_free(job);
}

static void push(Record *record, const char *text, RecordDone done, gpointer owner)
{
    Job *job = g_new(Job, 1);

    *job = (Job){g_strdup(text), done, owner, g_atomic_rc_box_acquire(record->gone), NULL};
    g_thread_pool_push(record->pool, job, NULL);
}

/* In the context's thread. */
static gboolean answer(gpointer data)
{
    Job *job = data;

    if (!*job->gone)
        job->done(job->owner, job->error);
    return G_SOURCE_REMOVE;
}

/* ---- In the pool's thread -------------------------------------------------------------------- */

static gboolean check(gboolean done, const char *path, GError **error)
{
    int saved_errno = errno;

    if (!done)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved_errno), "'%s': %s", path,
                    g_strerror(saved_errno));
    return done;
}

static gboolean fill(int fd, const char *text)
{
    gssize written = 0;

    for (const char *at = text; *at; at += written) {
        written = write(fd, at, strlen(at));
        if (written < 0)
            return FALSE;
    }
    return fsync(fd) == 0;
}

static gboolean sync_directory(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gboolean done = check(fd >= 0 && fsync(fd) == 0, path, error);

    if (fd >= 0)
        close(fd);
    return done;
}

/* In place: that it is there counts, and not what is in it. Beside a file to be renamed, whoever is
 * killed meanwhile would leave one that nobody removes. */
static gboolean put(const Record *record, const char *text, GError **error)
{
    int fd = open(record->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    gboolean done;

    if (!check(fd >= 0, record->path, error))
        return FALSE;
    done = check(fill(fd, text), record->path, error) && sync_directory(record->directory, error);
    close(fd);
    if (!done)
        g_unlink(record->path);
    return done;
}

/* An erasure that is lost with the power costs a thaw of what is thawed. */
static void work(gpointer data, gpointer user_data)
{
    Job *job = data;
    const Record *record = user_data;
    g_autoptr(GSource) source = NULL;

    if (!job->text) {
        g_unlink(record->path);
        job_free(job);
        return;
    }
    (void)!put(record, job->text, &job->error);
    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, answer, job, (GDestroyNotify)job_free);
    g_source_attach(source, record->context);
}

/* ---- All ------------------------------------------------------------------------------------- */

/* A slash would lead elsewhere, and a dot in front hide it. */
static char *file_name(const char *name)
{
    g_autofree char *escaped = g_uri_escape_string(name, NULL, FALSE);

    return g_strconcat("vm-", escaped, ".frozen", NULL);
}

Record *record_new(GMainContext *context, const char *directory, const char *name, GError **error)
{
    g_autofree char *file = file_name(name);
    Record *record;

    if (!g_file_test(directory, G_FILE_TEST_IS_DIR)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY, "'%s' is no directory", directory);
        return NULL;
    }
    record = g_new0(Record, 1);
    record->context = g_main_context_ref(context ? context : g_main_context_default());
    record->directory = g_strdup(directory);
    record->path = g_build_filename(directory, file, NULL);
    record->gone = g_atomic_rc_box_new0(gboolean);
    record->pool = g_thread_pool_new(work, record, 1, FALSE, NULL);
    if (!g_file_get_contents(record->path, &record->found, NULL, NULL))
        record->found = g_file_test(record->path, G_FILE_TEST_EXISTS) ? g_strdup("") : NULL;
    return record;
}

void record_free(Record *record)
{
    if (!record)
        return;
    *record->gone = TRUE;
    g_thread_pool_free(record->pool, FALSE, TRUE);
    g_atomic_rc_box_release(record->gone);
    g_main_context_unref(record->context);
    g_free(record->directory);
    g_free(record->path);
    g_free(record->found);
    g_free(record);
}

const char *record_found(const Record *record)
{
    return record->found;
}

void record_write(Record *record, const char *text, RecordDone done, gpointer owner)
{
    push(record, text, done, owner);
}

void record_erase(Record *record)
{
    push(record, NULL, NULL, NULL);
}
