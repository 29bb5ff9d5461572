/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * file-stream: a large read whose reply is sent while the file is still read.
 *
 * Owns which reads are answered so, and what becomes of one that fails on the way.
 */

#pragma once

#include "agent/dispatch.h"

typedef enum {
    FILE_STREAM_UNFIT, /* nothing was read or sent: another way has to be taken */
    FILE_STREAM_DONE,
    FILE_STREAM_FAILED, /* with @error; the position is what it was */
} FileStreamResult;

/**
 * file_stream:
 * @call: alone
 */
FileStreamResult file_stream(int fd, gsize count, Call *call, GError **error);
