/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands that are asked for often, each with what it returns as C has it.
 */

#include "qga-proxy-private.h"

#include "common/json-read.h"
#include "common/json-write.h"

static void ask(QgaProxy *self, gpointer tag, const char *command, const char *arguments,
                GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(self, cancellable, callback, user_data);

    g_task_set_source_tag(task, tag);
    execute_start(task, command, arguments, 0, QGA_PROXY_EXECUTE_NONE);
}

/* Returns: (nullable): NULL with @error set */
static GBytes *take(GAsyncResult *result, JsonSpan *ret_value, GError **error)
{
    GBytes *bytes = g_task_propagate_pointer(G_TASK(result), error);

    if (bytes)
        *ret_value = execute_value(bytes);
    return bytes;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void qga_proxy_ping_async(QgaProxy *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    ask(self, qga_proxy_ping_async, "guest-ping", NULL, cancellable, callback, user_data);
}

gboolean qga_proxy_ping_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan unused;

    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_ping_async), FALSE);

    bytes = take(result, &unused, error);
    return bytes != NULL;
}

void qga_proxy_get_info_async(QgaProxy *self, GCancellable *cancellable,
                              GAsyncReadyCallback callback, gpointer user_data)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    ask(self, qga_proxy_get_info_async, "guest-info", NULL, cancellable, callback, user_data);
}

GBytes *qga_proxy_get_info_finish(QgaProxy *self, GAsyncResult *result, char **ret_version,
                                  GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *version = NULL;
    JsonSpan value;

    g_return_val_if_fail(g_task_is_valid(result, self), NULL);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_get_info_async), NULL);

    bytes = take(result, &value, error);
    if (!bytes)
        return NULL;
    version = json_read_string(json_read_get(value, "version"));
    if (!version) {
        g_propagate_error(error, execute_misfit("guest-info"));
        return NULL;
    }
    if (ret_version)
        *ret_version = g_steal_pointer(&version);
    return g_steal_pointer(&bytes);
}

void qga_proxy_wait_ready_async(QgaProxy *self, guint timeout_seconds, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    g_autofree char *arguments = g_strdup_printf("{\"timeout\": %u}", timeout_seconds);

    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    ask(self, qga_proxy_wait_ready_async, "qga-proxy-wait-agent", arguments, cancellable, callback,
        user_data);
}

gboolean qga_proxy_wait_ready_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan unused;

    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_wait_ready_async), FALSE);

    bytes = take(result, &unused, error);
    return bytes != NULL;
}

/* ---- Freezes --------------------------------------------------------------------------------- */

/* Returns: -1 with @error set */
static gint64 take_count(GAsyncResult *result, const char *command, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan value;
    gint64 count;

    bytes = take(result, &value, error);
    if (!bytes)
        return -1;
    if (json_read_int64(value, &count) && count >= 0)
        return count;
    g_propagate_error(error, execute_misfit(command));
    return -1;
}

static char *write_mountpoints(const char *const *mountpoints)
{
    GString *text = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, text);
    json_write_begin_object(&write);
    execute_write_list(&write, "mountpoints", mountpoints);
    json_write_end_object(&write);
    return g_string_free(text, FALSE);
}

void qga_proxy_freeze_async(QgaProxy *self, const char *const *mountpoints,
                            GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data)
{
    g_autofree char *arguments = NULL;

    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    if (mountpoints)
        arguments = write_mountpoints(mountpoints);
    ask(self, qga_proxy_freeze_async,
        mountpoints ? "guest-fsfreeze-freeze-list" : "guest-fsfreeze-freeze", arguments,
        cancellable, callback, user_data);
}

gint64 qga_proxy_freeze_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), -1);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_freeze_async), -1);

    return take_count(result, "guest-fsfreeze-freeze", error);
}

void qga_proxy_thaw_async(QgaProxy *self, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    ask(self, qga_proxy_thaw_async, "guest-fsfreeze-thaw", NULL, cancellable, callback, user_data);
}

gint64 qga_proxy_thaw_finish(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_return_val_if_fail(g_task_is_valid(result, self), -1);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_thaw_async), -1);

    return take_count(result, "guest-fsfreeze-thaw", error);
}

void qga_proxy_get_frozen_async(QgaProxy *self, GCancellable *cancellable,
                                GAsyncReadyCallback callback, gpointer user_data)
{
    g_return_if_fail(QGA_IS_PROXY(self));
    return_if_elsewhere(self);

    ask(self, qga_proxy_get_frozen_async, "guest-fsfreeze-status", NULL, cancellable, callback,
        user_data);
}

gboolean qga_proxy_get_frozen_finish(QgaProxy *self, GAsyncResult *result, gboolean *ret_frozen,
                                     GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    JsonSpan value;
    gboolean frozen;

    g_return_val_if_fail(g_task_is_valid(result, self), FALSE);
    g_return_val_if_fail(g_async_result_is_tagged(result, qga_proxy_get_frozen_async), FALSE);

    bytes = take(result, &value, error);
    if (!bytes)
        return FALSE;
    frozen = json_read_is(value, "frozen");
    if (!frozen && !json_read_is(value, "thawed")) {
        g_propagate_error(error, execute_misfit("guest-fsfreeze-status"));
        return FALSE;
    }
    if (ret_frozen)
        *ret_frozen = frozen;
    return TRUE;
}
