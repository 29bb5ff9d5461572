/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * metrics: what qga-proxy-status returns, in the text format of Prometheus, version 0.0.4.
 *
 * Owns names, labels and types. There is no series for a single client, so that their number is
 * bounded whoever comes. Leaves the values to status.h, and serving them to whoever asks.
 */

#pragma once

#include "status.h"

G_BEGIN_DECLS

/**
 * metrics_write:
 * @vm: (nullable): name of the virtual machine, for the label of that name that each series has
 *   then; of any bytes
 */
void metrics_write(const Status *status, const char *vm, GString *out);

G_END_DECLS
