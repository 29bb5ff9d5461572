/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Results as trees.
 *
 * What comes here was scanned: it is JSON of bounded depth. But json-glib's tree of it may be a
 * hundred times as large as the text, and the guest may have made that up.
 */

#include "qga-proxy-private.h"

#include "common/limits.h"

JsonNode *qga_proxy_execute_finish_node(QgaProxy *self, GAsyncResult *result, GError **error)
{
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(self, result, error);
    g_autoptr(JsonNode) node = NULL;
    GError *cause = NULL;

    if (!bytes)
        return NULL;
    if (g_bytes_get_size(bytes) > LIMIT_NODE_BYTES) {
        g_set_error(error, QGA_PROXY_ERROR, QGA_PROXY_ERROR_LIMIT,
                    "The result has %" G_GSIZE_FORMAT " bytes, at most %u are made a tree",
                    g_bytes_get_size(bytes), LIMIT_NODE_BYTES);
        return NULL;
    }
    node = json_from_string(g_bytes_get_data(bytes, NULL), &cause);
    if (cause)
        border_pass_on(cause, QGA_PROXY_ERROR_REPLY, error);
    return g_steal_pointer(&node);
}
