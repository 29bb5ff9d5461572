/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* retry: a system call that a signal has interrupted is made again. glibc has a word for that,
 * which musl lacks. */

#pragma once

#include <errno.h>

#ifndef TEMP_FAILURE_RETRY
#define TEMP_FAILURE_RETRY(call)                 \
    ({                                           \
        __typeof__(call) result_;                \
                                                 \
        do                                       \
            result_ = (call);                    \
        while (result_ == -1 && errno == EINTR); \
        result_;                                 \
    })
#endif
