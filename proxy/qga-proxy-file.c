/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A file in the guest, read or written as a whole.
 *
 * The agent keeps an open file until it is told to close it, and there is a limit to how many it
 * has. So what was opened is closed, whatever happens; and where the caller does not wait any more,
 * this goes on without it until that is done.
 */

#include "qga-proxy-private.h"

#include "common/json-read.h"
#include "common/json-write.h"
#include "common/limits.h"

#include <string.h>

/* Bytes in one command: more of them would be asked for in such pieces anyway. Others have their
 * turn between two. */
enum { PIECE = LIMIT_FILE_SLICE_BYTES };

typedef struct Transfer Transfer;

struct Transfer {
    QgaProxy *proxy;    /* (owned) */
    GTask *task;        /* (owned) (nullable): NULL once it was cancelled */
    GSource *cancelled; /* (nullable) */
    gint64 handle;
    void (*go_on)(Transfer *transfer); /* with the next piece */
    GError *error;                     /* (nullable): what has ended it */

    GByteArray *got; /* (nullable): reading */
    gsize max;
    GBytes *contents; /* (nullable): writing */
    gsize done;       /* of these */
};

static void transfer_free(Transfer *transfer)
{
    if (transfer->cancelled)
        g_source_destroy(transfer->cancelled);
    g_clear_pointer(&transfer->cancelled, g_source_unref);
    g_clear_object(&transfer->task);
    g_clear_error(&transfer->error);
    g_clear_pointer(&transfer->got, g_byte_array_unref);
    g_clear_pointer(&transfer->contents, g_bytes_unref);
    g_object_unref(transfer->proxy);
    g_free(transfer);
}

/* ---- Its end --------------------------------------------------------------------------------- */

/* The transfer is over before anybody hears of it, so that nothing is left when it does. */
static void finish(Transfer *transfer)
{
    g_autoptr(GTask) task = g_steal_pointer(&transfer->task);
    GError *error = g_steal_pointer(&transfer->error);
    GByteArray *got = g_steal_pointer(&transfer->got);

    transfer_free(transfer);
    if (task && error)
        g_task_return_error(task, g_steal_pointer(&error));
    else if (task && got)
        g_task_return_pointer(task, g_byte_array_free_to_bytes(g_steal_pointer(&got)),
                              (GDestroyNotify)g_bytes_unref);
    else if (task)
        g_task_return_boolean(task, TRUE);
    g_clear_error(&error);
    g_clear_pointer(&got, g_byte_array_unref);
}

static gboolean on_cancelled(GCancellable *cancellable, gpointer data)
{
    Transfer *transfer = data;
    g_autoptr(GTask) task = g_steal_pointer(&transfer->task);

    g_clear_pointer(&transfer->cancelled, g_source_unref);
    g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
    return G_SOURCE_REMOVE;
}

/* ---- Steps ----------------------------------------------------------------------------------- */

/* Never cancelled: who knows whether it was carried out has its answer. */
static void step(Transfer *transfer, const char *command, const char *arguments,
                 GAsyncReadyCallback next)
{
    qga_proxy_execute_async(transfer->proxy, command, arguments, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                            next, transfer);
}

/* Returns: FALSE where it has failed; the first error is the one that counts */
static gboolean take(Transfer *transfer, GAsyncResult *result, GBytes **ret_bytes,
                     JsonSpan *ret_value)
{
    GError *error = NULL;

    *ret_bytes = qga_proxy_execute_finish(transfer->proxy, result, &error);
    if (*ret_bytes) {
        *ret_value = execute_value(*ret_bytes);
        return TRUE;
    }
    if (transfer->error)
        g_error_free(error);
    else
        transfer->error = error;
    return FALSE;
}

static void on_closed(GObject *unused, GAsyncResult *result, gpointer data)
{
    Transfer *transfer = data;
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan value;

    take(transfer, result, &bytes, &value);
    finish(transfer);
}

static void close_file(Transfer *transfer)
{
    g_autofree char *arguments =
        g_strdup_printf("{\"handle\": %" G_GINT64_FORMAT "}", transfer->handle);

    step(transfer, "guest-file-close", arguments, on_closed);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* @piece: (transfer full): what came. Returns: whether it was fine */
static gboolean keep_piece(Transfer *transfer, char *piece)
{
    g_autofree char *text = piece;
    gsize len = 0;

    if (text && *text) /* of no length, g_base64_decode_inplace() complains */
        g_base64_decode_inplace(text, &len);
    if (len > PIECE) {
        transfer->error = execute_misfit("guest-file-read");
    } else if (len > transfer->max - transfer->got->len) {
        g_set_error(&transfer->error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_LIMIT,
                    "The file has more than %" G_GSIZE_FORMAT " bytes", transfer->max);
    } else {
        g_byte_array_append(transfer->got, (const guint8 *)text, (guint)len);
    }
    return !transfer->error;
}

static void on_read(GObject *unused, GAsyncResult *result, gpointer data)
{
    Transfer *transfer = data;
    g_autoptr(GBytes) bytes = NULL;
    gboolean over;
    JsonSpan value;
    gint64 count;

    if (!take(transfer, result, &bytes, &value)) {
        close_file(transfer);
        return;
    }
    if (!json_read_boolean(json_read_get(value, "eof"), &over) ||
        !json_read_int64(json_read_get(value, "count"), &count)) {
        transfer->error = execute_misfit("guest-file-read");
        close_file(transfer);
        return;
    }
    /* An agent says that it is at the end with the last piece, or with one of nothing behind it. */
    if (!keep_piece(transfer, json_read_string(json_read_get(value, "buf-b64"))) || over ||
        count <= 0)
        close_file(transfer);
    else
        transfer->go_on(transfer);
}

static void read_piece(Transfer *transfer)
{
    g_autofree char *arguments = g_strdup_printf(
        "{\"handle\": %" G_GINT64_FORMAT ", \"count\": %d}", transfer->handle, PIECE);

    if (transfer->task)
        step(transfer, "guest-file-read", arguments, on_read);
    else
        close_file(transfer);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void on_written(GObject *unused, GAsyncResult *result, gpointer data)
{
    Transfer *transfer = data;
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan value;
    gint64 count;

    if (!take(transfer, result, &bytes, &value)) {
        close_file(transfer);
    } else if (!json_read_int64(json_read_get(value, "count"), &count) || count <= 0 ||
               (guint64)count > g_bytes_get_size(transfer->contents) - transfer->done) {
        transfer->error = execute_misfit("guest-file-write");
        close_file(transfer);
    } else {
        transfer->done += (gsize)count;
        transfer->go_on(transfer);
    }
}

static void write_piece(Transfer *transfer)
{
    gsize size;
    const char *data = g_bytes_get_data(transfer->contents, &size);
    g_autoptr(GString) arguments = NULL;
    JsonWrite write;

    if (!transfer->task || transfer->done == size) {
        close_file(transfer);
        return;
    }
    arguments = g_string_new(NULL);
    json_write_init(&write, arguments);
    json_write_begin_object(&write);
    json_write_member_int64(&write, "handle", transfer->handle);
    json_write_key(&write, "buf-b64");
    json_write_base64(&write, data + transfer->done, MIN(size - transfer->done, PIECE));
    json_write_end_object(&write);
    step(transfer, "guest-file-write", arguments->str, on_written);
}

/* ---- Its start ------------------------------------------------------------------------------- */

static void on_opened(GObject *unused, GAsyncResult *result, gpointer data)
{
    Transfer *transfer = data;
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan value;

    if (!take(transfer, result, &bytes, &value)) {
        finish(transfer);
    } else if (!json_read_int64(value, &transfer->handle)) {
        transfer->error = execute_misfit("guest-file-open");
        finish(transfer);
    } else {
        transfer->go_on(transfer);
    }
}

static void open_file(Transfer *transfer, const char *path, const char *mode)
{
    g_autoptr(GString) arguments = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, arguments);
    json_write_begin_object(&write);
    json_write_member_string(&write, "path", path);
    json_write_member_string(&write, "mode", mode);
    json_write_end_object(&write);
    step(transfer, "guest-file-open", arguments->str, on_opened);
}

/* Returns: (nullable): NULL where that is the end of it */
static Transfer *transfer_new(GTask *task, const char *path)
{
    QgaProxy *self = g_task_get_source_object(task);
    GCancellable *cancellable = g_task_get_cancellable(task);
    Transfer *transfer;

    if (!g_utf8_validate(path, -1, NULL)) {
        g_task_return_new_error(task, QGA_PROXY_ERROR, QGA_PROXY_ERROR_ARGUMENTS,
                                "The path is not UTF-8, and JSON cannot write it");
        g_object_unref(task);
        return NULL;
    }
    if (g_task_return_error_if_cancelled(task)) {
        g_object_unref(task);
        return NULL;
    }
    transfer = g_new(Transfer, 1);
    *transfer = (Transfer){.proxy = g_object_ref(self), .task = task};
    if (cancellable) {
        transfer->cancelled = g_cancellable_source_new(cancellable);
        g_source_set_callback(transfer->cancelled, G_SOURCE_FUNC(on_cancelled), transfer, NULL);
        g_source_attach(transfer->cancelled, self->border->context);
    }
    return transfer;
}

void qga_proxy_read_file_async(QgaProxy *self, const char *path, gsize max_bytes,
                               GCancellable *cancellable, GAsyncReadyCallback callback,
                               gpointer user_data)
{
    GTask *task;
    Transfer *transfer;

    g_return_if_fail(QGA_IS_PROXY(self));
    g_return_if_fail(path != NULL);
    return_if_elsewhere(self);

    task = g_task_new(self, cancellable, callback, user_data);
    g_task_set_source_tag(task, qga_proxy_read_file_async);
    transfer = transfer_new(task, path);
    if (!transfer)
        return;
    transfer->go_on = read_piece;
    transfer->got = g_byte_array_new();
    transfer->max = MIN(max_bytes, G_MAXUINT / 2); /* what an array can have */
    open_file(transfer, path, "r");
}

GBytes *qga_proxy_read_file_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), NULL);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_read_file_async), NULL);

    return g_task_propagate_pointer(G_TASK(result), error);
}

void qga_proxy_write_file_async(QgaProxy *self, const char *path, GBytes *contents,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer user_data)
{
    GTask *task;
    Transfer *transfer;

    g_return_if_fail(QGA_IS_PROXY(self));
    g_return_if_fail(path != NULL && contents != NULL);
    return_if_elsewhere(self);

    task = g_task_new(self, cancellable, callback, user_data);
    g_task_set_source_tag(task, qga_proxy_write_file_async);
    transfer = transfer_new(task, path);
    if (!transfer)
        return;
    transfer->go_on = write_piece;
    transfer->contents = g_bytes_ref(contents);
    open_file(transfer, path, "w");
}

gboolean qga_proxy_write_file_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_write_file_async), FALSE);

    return g_task_propagate_boolean(G_TASK(result), error);
}
