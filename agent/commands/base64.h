/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * base64: data that comes within JSON.
 *
 * Owns decoding, as lenient as qemu-ga's: line ends are skipped, and what is left of four
 * characters at the end counts for nothing. Encoding is json_write_base64()'s.
 */

#pragma once

#include "common/json-read.h"

/**
 * base64_decode:
 * @string: a JSON string
 * @ret_len: number of bytes
 *
 * Returns: (transfer full): the bytes, or NULL with @error
 */
guint8 *base64_decode(JsonSpan string, gsize *ret_len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
