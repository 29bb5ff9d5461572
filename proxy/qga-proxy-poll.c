/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "io-poll.h"
#include "qga-proxy-private.h"

gboolean qga_proxy_poll_context(GMainContext *context, const int *fds, guint n_fds)
{
    g_return_val_if_fail(n_fds <= IO_POLL_FDS, FALSE);
    g_return_val_if_fail(fds || n_fds == 0, FALSE);

    return io_poll_take(context ? context : g_main_context_default(), fds, n_fds);
}
