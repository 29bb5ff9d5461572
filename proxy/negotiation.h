/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * negotiation: the arguments of qmp_capabilities.
 *
 * Owns what a client may ask for there, and QEMU's words for its mistakes. Leaves when it may be
 * asked to client.h. Pure.
 */

#pragma once

#include "common/json-read.h"

G_BEGIN_DECLS

/**
 * negotiation_read:
 * @arguments: an object, or absent
 * @ret_oob: whether it is asked for
 * @error: GenericError
 */
gboolean negotiation_read(JsonSpan arguments, gboolean oob_offered, gboolean *ret_oob,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
