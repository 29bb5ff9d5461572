/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * metrics: serves what the proxy tells to Prometheus.
 *
 * Owns finding the module that does so (metrics-http.c) and loading it. It is a module for the sake
 * of those who do not use it: libmicrohttpd brings a TLS library with it, and an idle daemon that
 * is linked with both has 7.5 MB resident, of which 1.0 MB is its own, instead of 4.9 and 0.6.
 */

#pragma once

#include "proxy/qga-proxy.h"

G_BEGIN_DECLS

/**
 * MetricsServe:
 * @vm: (nullable): name of the virtual machine
 *
 * What the module has under the name METRICS_SYMBOL: from now on and as long as @proxy is not
 * stopped, GET /metrics is answered at @address.
 */
typedef gboolean (*MetricsServe)(QgaProxy *proxy, const char *address, const char *vm,
                                 GError **error);

#define METRICS_SYMBOL "metrics_http_serve"

/* The same, by that module. @error: also where this daemon was built without it */
gboolean metrics_serve(QgaProxy *proxy, const char *address, const char *vm,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
