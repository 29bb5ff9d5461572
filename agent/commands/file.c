/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * file: guest-file-open, -close, -read, -write, -seek, -flush.
 *
 * Straight system calls, not stdio: what was read from a pipe before it ran dry is never lost, and
 * nothing that was written is held back. What hosts see is stdio's all the same: a read is short
 * only at the end of the file or where it would have to wait, and one that met the end says so
 * at once.
 *
 * All of it runs on threads: 48 MiB take their time, and a file server that has gone takes for
 * ever. What is done by one handle is done whole, one after the other.
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "common/base64-encode.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "file-io.h"
#include "file-stream.h"

/* Everything that the longest path can be is repeated in an error, and no more. */
#define ERROR_PATH "%.4096s"

/* First allocation of a read: most files are smaller than what is asked for. And room for what
 * stands before the data in a reply. */
enum { READ_START = 64 * 1024, HEAD_ROOM = 64 };

typedef struct {
    gint64 handle;
    GMutex lock;         /* who holds it uses the descriptor */
    int fd;              /* -1: closed */
    gboolean has_failed; /* while it was being sent: it is read whole from then on */
} File;

struct Files {
    GMutex lock;      /* for what follows */
    GHashTable *open; /* of File, by handle */
    guint opening;    /* how many more there are about to be */
};

static void file_clear(gpointer data)
{
    File *file = data;

    if (file->fd >= 0)
        close(file->fd);
    g_mutex_clear(&file->lock);
}

static void file_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, file_clear);
}

static File *file_new(gint64 handle, int fd)
{
    File *file = g_atomic_rc_box_new0(File);

    file->handle = handle;
    file->fd = fd;
    g_mutex_init(&file->lock);
    return file;
}

Files *files_new(void)
{
    Files *files = g_new0(Files, 1);

    g_mutex_init(&files->lock);
    files->open = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, file_unref);
    return files;
}

void files_free(Files *files)
{
    if (files == NULL)
        return;
    g_hash_table_unref(files->open);
    g_mutex_clear(&files->lock);
    g_free(files);
}

static void let_go(File *file)
{
    g_mutex_unlock(&file->lock);
    file_unref(file);
}

typedef File TakenFile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TakenFile, let_go)

static File *find(Files *files, gint64 handle)
{
    File *file;

    g_mutex_lock(&files->lock);
    file = g_hash_table_lookup(files->open, &handle);
    if (file != NULL)
        g_atomic_rc_box_acquire(file);
    g_mutex_unlock(&files->lock);
    return file;
}

/* Returns: (transfer full) (nullable): the file, which nobody else uses until let_go() */
static File *take(Files *files, gint64 handle, GError **error)
{
    File *file = find(files, handle);

    if (file != NULL)
        g_mutex_lock(&file->lock);
    if (file != NULL && file->fd >= 0)
        return file;
    g_clear_pointer(&file, let_go); /* it was being closed */
    qmp_error_set(error, "handle '%" G_GINT64_FORMAT "' has not been found", handle);
    return NULL;
}

static gboolean fail(const char *what, GError **error)
{
    qmp_error_set(error, "failed to %s: %s", what, g_strerror(errno));
    return FALSE;
}

static gboolean fail_count(gint64 count, GError **error)
{
    qmp_error_set(error, "value '%" G_GINT64_FORMAT "' is invalid for argument count", count);
    return FALSE;
}

/* ---- Open and close -------------------------------------------------------------------------- */

/* Exactly the words that fopen() and qemu-ga know. */
static gboolean read_mode(const char *mode, int *ret_flags, GError **error)
{
    static const struct {
        const char *words[4];
        int flags;
    } modes[] = {
        {{"r", "rb"}, O_RDONLY},
        {{"w", "wb"}, O_WRONLY | O_CREAT | O_TRUNC},
        {{"a", "ab"}, O_WRONLY | O_CREAT | O_APPEND},
        {{"r+", "rb+", "r+b"}, O_RDWR},
        {{"w+", "wb+", "w+b"}, O_RDWR | O_CREAT | O_TRUNC},
        {{"a+", "ab+", "a+b"}, O_RDWR | O_CREAT | O_APPEND},
    };

    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (g_strv_contains(modes[i].words, mode)) {
            *ret_flags = modes[i].flags;
            return TRUE;
        }
    }
    qmp_error_set(error, "invalid file open mode '%.64s'", mode);
    return FALSE;
}

/* The mode decides what the file is opened for, and so which class of commands this is one of. */
static gboolean check_use(const Policy *policy, int flags, GError **error)
{
    const int access = flags & O_ACCMODE;
    guint privileges = 0;

    if (access != O_WRONLY)
        privileges |= GUEST_PRIVILEGE_FILE_READ;
    if (access != O_RDONLY)
        privileges |= GUEST_PRIVILEGE_FILE_WRITE;
    return policy_check_use(policy, guest_schema_find("guest-file-open"), privileges, error);
}

/* Those that are being opened count: the limit holds however many are at once. */
static gboolean begin_opening(Files *files, GError **error)
{
    gboolean ok;

    g_mutex_lock(&files->lock);
    ok = g_hash_table_size(files->open) + files->opening < LIMIT_FILE_HANDLES;
    files->opening += ok;
    g_mutex_unlock(&files->lock);
    if (!ok)
        qmp_error_set(error, "too many open files: there may be %d", LIMIT_FILE_HANDLES);
    return ok;
}

/* @fd: -1 where it was not opened; else the state is asked for its handle, which may have to wait
 * for a thaw, as others that open do then. */
static gboolean end_opening(Files *files, State *state, int fd, gint64 *ret_handle, GError **error)
{
    File *file = NULL;

    g_mutex_lock(&files->lock);
    files->opening--;
    if (fd >= 0 && state_next_handle(state, ret_handle, error)) {
        file = file_new(*ret_handle, fd);
        g_hash_table_insert(files->open, &file->handle, file);
    }
    g_mutex_unlock(&files->lock);
    return file != NULL;
}

gboolean guest_file_open(Commands *commands, const GuestFileOpenArguments *args, Call *call,
                         GError **error)
{
    Files *files = commands->files;
    gint64 handle;
    int flags, fd;

    if (!read_mode(args->mode, &flags, error) || !check_use(commands->policy, flags, error) ||
        !begin_opening(files, error))
        return FALSE;
    fd = file_io_open(args->path, flags);
    if (fd < 0)
        qmp_error_set(error, "failed to open file '" ERROR_PATH "' (mode: '%s'): %s", args->path,
                      args->mode, g_strerror(errno));
    if (!end_opening(files, commands->state, fd, &handle, error)) {
        if (fd >= 0)
            close(fd);
        return FALSE;
    }
    json_write_int64(call_result(call), handle);
    return TRUE;
}

gboolean guest_file_close(Commands *commands, const GuestFileCloseArguments *args, Call *call,
                          GError **error)
{
    Files *files = commands->files;
    g_autoptr(TakenFile) file = take(files, args->handle, error);
    int fd;

    if (file == NULL)
        return FALSE;
    g_mutex_lock(&files->lock);
    g_hash_table_remove(files->open, &args->handle);
    g_mutex_unlock(&files->lock);
    fd = file->fd;
    file->fd = -1; /* closed even where close() fails */
    return close(fd) == 0 || fail("close handle", error);
}

/* ---- Read and write -------------------------------------------------------------------------- */

/*
 * To what is @from bytes into @out, of which that is all that changes.
 *
 * @expected: how many there are, as far as anybody knows
 * Returns: FALSE where nothing could be read. What came before a failure is handed out, and the
 * failure met again by the next call.
 */
static gboolean read_bytes(const File *file, gsize count, gsize expected, GString *out, gsize from,
                           gsize *ret_len, gboolean *ret_eof)
{
    gsize size = MIN(count, MAX(expected, READ_START));
    gsize len = 0;
    gssize got = 1;

    g_string_set_size(out, from + size);
    while (len < count && got > 0) {
        if (len == size) {
            size = MIN(size * 2, count);
            g_string_set_size(out, from + size);
        }
        got = file_io_read(file->fd, out->str + from + len, size - len);
        if (got > 0)
            len += (gsize)got;
    }
    *ret_len = len;
    *ret_eof = got == 0;
    return len > 0 || got >= 0;
}

static void begin_data(JsonWrite *write, gsize count)
{
    json_write_begin_object(write);
    json_write_member_int64(write, "count", (gint64)count);
    json_write_key(write, "buf-b64");
    json_write_begin_base64(write);
}

/*
 * Reads to where the data become digits: at 48 MiB a buffer of their own is a matter of memory, and
 * a third of the time is page faults. Where that is depends on how many they are. Those of which
 * the file says so are read to their place, since moving them would take a third as long as the
 * digits do in a guest that is emulated.
 */
static gboolean read_whole(const File *file, gsize count, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);
    GString *out = write->out;
    const JsonWrite empty = *write;
    const gsize begin = out->len;
    const gsize expected = (gsize)CLAMP(file_io_left(file->fd), 0, (gint64)count);
    gsize head, place, from, len;
    gboolean eof;

    begin_data(write, expected);
    head = out->len;
    place = head + base64_encoded_len(expected) - expected;
    from = MAX(place, begin + HEAD_ROOM);
    if (!read_bytes(file, count, expected, out, from, &len, &eof))
        return fail("read file", error);
    if (len != expected || from != place) {
        const gsize size = base64_encoded_len(len);

        g_string_set_size(out, MAX(from + len, begin + HEAD_ROOM + size));
        g_string_truncate(out, begin);
        *write = empty;
        begin_data(write, len);
        g_assert(out->len < begin + HEAD_ROOM); /* nothing of the data is overwritten yet */
        place = out->len + size - len;
        memmove(out->str + place, out->str + from, len);
        head = out->len;
    }
    out->len = head; /* not by a function, which would put its NUL there */
    json_write_more_base64(write, out->str + place, len);
    json_write_end_base64(write);
    json_write_member_boolean(write, "eof", eof);
    json_write_end_object(write);
    return TRUE;
}

gboolean guest_file_read(Commands *commands, const GuestFileReadArguments *args, Call *call,
                         GError **error)
{
    g_autoptr(TakenFile) file = take(commands->files, args->handle, error);
    gsize count;

    if (file == NULL)
        return FALSE;
    if (args->count < 0 || args->count > LIMIT_FILE_READ_BYTES)
        return fail_count(args->count, error);
    count = (gsize)args->count;
    if (!file->has_failed && call_is_alone(call)) {
        switch (file_stream(file->fd, count, call, error)) {
        case FILE_STREAM_UNFIT: break;
        case FILE_STREAM_DONE: return TRUE;
        case FILE_STREAM_FAILED: file->has_failed = TRUE; return FALSE;
        }
    }
    return read_whole(file, count, call, error);
}

/* A full pipe makes it short; any other failure is one, since hosts do not look at the count. */
static gboolean write_bytes(const File *file, const guint8 *data, gsize len, gsize *ret_written)
{
    gsize written = 0;

    while (written < len) {
        gssize done = file_io_write(file->fd, data + written, len - written);

        if (done < 0 && errno == EAGAIN && written > 0)
            break;
        if (done < 0)
            return FALSE;
        written += (gsize)done;
    }
    *ret_written = written;
    return TRUE;
}

gboolean guest_file_write(Commands *commands, const GuestFileWriteArguments *args, Call *call,
                          GError **error)
{
    g_autoptr(TakenFile) file = take(commands->files, args->handle, error);
    JsonWrite *write = call_result(call);
    g_autofree guint8 *data = NULL;
    gsize len, written;

    if (file == NULL)
        return FALSE;
    data = base64_decode(args->buf_b64, &len, error);
    if (data == NULL)
        return FALSE;
    if (args->has_count && (args->count < 0 || (guint64)args->count > len))
        return fail_count(args->count, error);
    if (!write_bytes(file, data, args->has_count ? (gsize)args->count : len, &written))
        return fail("write to file", error);
    json_write_begin_object(write);
    json_write_member_int64(write, "count", (gint64)written);
    json_write_member_boolean(write, "eof", FALSE);
    json_write_end_object(write);
    return TRUE;
}

/* ---- Seek and flush -------------------------------------------------------------------------- */

static gboolean read_whence(const GuestAlternate *whence, int *ret_origin, GError **error)
{
    static const int origins[] = {
        [GUEST_FILE_ORIGIN_SET] = SEEK_SET,
        [GUEST_FILE_ORIGIN_CUR] = SEEK_CUR,
        [GUEST_FILE_ORIGIN_END] = SEEK_END,
    };

    /* The numbers are in the order of the names. */
    if (whence->value < 0 || whence->value >= (gint64)G_N_ELEMENTS(origins)) {
        qmp_error_set(error, "invalid whence code %" G_GINT64_FORMAT, whence->value);
        return FALSE;
    }
    *ret_origin = origins[whence->value];
    return TRUE;
}

gboolean guest_file_seek(Commands *commands, const GuestFileSeekArguments *args, Call *call,
                         GError **error)
{
    g_autoptr(TakenFile) file = take(commands->files, args->handle, error);
    JsonWrite *write = call_result(call);
    gint64 position;
    int origin;

    if (file == NULL || !read_whence(&args->whence, &origin, error))
        return FALSE;
    position = file_io_seek(file->fd, args->offset, origin);
    if (position < 0)
        return fail("seek file", error);
    json_write_begin_object(write);
    json_write_member_int64(write, "position", position);
    json_write_member_boolean(write, "eof", FALSE);
    json_write_end_object(write);
    return TRUE;
}

/* Nothing is held back in the agent. */
gboolean guest_file_flush(Commands *commands, const GuestFileFlushArguments *args, Call *call,
                          GError **error)
{
    g_autoptr(TakenFile) file = take(commands->files, args->handle, error);

    return file != NULL;
}
