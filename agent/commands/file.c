/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * file: guest-file-open, -close, -read, -write, -seek, -flush.
 *
 * Straight system calls, not stdio: what was read from a pipe before it ran dry is never lost, and
 * nothing that was written is held back. What hosts see is stdio's all the same: a read is short
 * only at the end of the file or where it would have to wait, and one that met the end says so
 * at once.
 */

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "file-io.h"

/* Everything that the longest path can be is repeated in an error, and no more. */
#define ERROR_PATH "%.4096s"

/* First allocation of a read; most files are smaller than what is asked for. */
enum { READ_START = 64 * 1024 };

typedef struct {
    gint64 handle;
    int fd;
} File;

struct Files {
    GHashTable *open; /* of File, by handle */
};

static void file_free(gpointer data)
{
    File *file = data;

    if (file->fd >= 0)
        close(file->fd);
    g_free(file);
}

Files *files_new(void)
{
    Files *files = g_new(Files, 1);

    files->open = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, file_free);
    return files;
}

void files_free(Files *files)
{
    if (files == NULL)
        return;
    g_hash_table_unref(files->open);
    g_free(files);
}

static File *find(const Files *files, gint64 handle, GError **error)
{
    File *file = g_hash_table_lookup(files->open, &handle);

    if (file == NULL)
        qmp_error_set(error, "handle '%" G_GINT64_FORMAT "' has not been found", handle);
    return file;
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

gboolean guest_file_open(Commands *commands, const GuestFileOpenArguments *args, Call *call,
                         GError **error)
{
    Files *files = commands->files;
    gint64 handle;
    File *file;
    int flags, fd;

    if (!read_mode(args->mode, &flags, error) || !check_use(commands->policy, flags, error))
        return FALSE;
    if (g_hash_table_size(files->open) >= LIMIT_FILE_HANDLES) {
        qmp_error_set(error, "too many open files: there may be %d", LIMIT_FILE_HANDLES);
        return FALSE;
    }
    fd = file_io_open(args->path, flags);
    if (fd < 0) {
        qmp_error_set(error, "failed to open file '" ERROR_PATH "' (mode: '%s'): %s", args->path,
                      args->mode, g_strerror(errno));
        return FALSE;
    }
    if (!state_next_handle(commands->state, &handle, error)) {
        close(fd);
        return FALSE;
    }
    file = g_new(File, 1);
    *file = (File){.handle = handle, .fd = fd};
    g_hash_table_insert(files->open, &file->handle, file);
    json_write_int64(call_result(call), handle);
    return TRUE;
}

gboolean guest_file_close(Commands *commands, const GuestFileCloseArguments *args, Call *call,
                          GError **error)
{
    File *file = find(commands->files, args->handle, error);
    int fd;

    if (file == NULL)
        return FALSE;
    fd = file->fd;
    file->fd = -1; /* closed even where close() fails */
    g_hash_table_remove(commands->files->open, &args->handle);
    return close(fd) == 0 || fail("close handle", error);
}

/* ---- Read and write -------------------------------------------------------------------------- */

/*
 * Returns: FALSE where nothing could be read; *ret_data is to be freed in either case. What came
 * before a failure is handed out, and the failure met again by the next call.
 */
static gboolean read_bytes(const File *file, gsize count, char **ret_data, gsize *ret_len,
                           gboolean *ret_eof)
{
    gsize size = MIN(count, READ_START);
    char *data = g_malloc(MAX(size, 1));
    gsize len = 0;
    gssize got = 1;

    while (len < count && got > 0) {
        if (len == size) {
            size = MIN(size * 2, count);
            data = g_realloc(data, size);
        }
        got = file_io_read(file->fd, data + len, size - len);
        if (got > 0)
            len += (gsize)got;
    }
    *ret_data = data;
    *ret_len = len;
    *ret_eof = got == 0;
    return len > 0 || got >= 0;
}

gboolean guest_file_read(Commands *commands, const GuestFileReadArguments *args, Call *call,
                         GError **error)
{
    const File *file = find(commands->files, args->handle, error);
    JsonWrite *write = call_result(call);
    g_autofree char *data = NULL;
    gboolean eof;
    gsize len;

    if (file == NULL)
        return FALSE;
    if (args->count < 0 || args->count > LIMIT_FILE_READ_BYTES)
        return fail_count(args->count, error);
    if (!read_bytes(file, (gsize)args->count, &data, &len, &eof))
        return fail("read file", error);
    json_write_begin_object(write);
    json_write_member_int64(write, "count", (gint64)len);
    json_write_key(write, "buf-b64");
    json_write_base64(write, data, len);
    json_write_member_boolean(write, "eof", eof);
    json_write_end_object(write);
    return TRUE;
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
    const File *file = find(commands->files, args->handle, error);
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
    const File *file = find(commands->files, args->handle, error);
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
    return find(commands->files, args->handle, error) != NULL;
}
