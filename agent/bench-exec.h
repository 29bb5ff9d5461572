/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench-exec: programs that a bench's agent is asked to run. */

#pragma once

#include "agent/bench.h"

/* @arguments: members of guest-exec's, in JSON
 * Returns: the pid; asserts that there is one */
gint64 bench_exec_start(Bench *bench, const char *arguments);

/* Returns: (transfer full): what guest-exec-status says, without its line end */
char *bench_exec_status(Bench *bench, gint64 pid);

/* Returns: (transfer full): the status that tells its end */
char *bench_exec_finish(Bench *bench, gint64 pid);

/* Asserts that @arguments are run, and end as @expected: members of the status. */
void bench_exec_check(Bench *bench, const char *arguments, const char *expected);
void bench_exec_check_error(Bench *bench, const char *arguments, const char *words);

/* What a status has of output, in base64. */
#define BENCH_EXEC_OUT(data) "\"out-data\": \"" data "\", \"out-truncated\": false"
#define BENCH_EXEC_ERR(data) "\"err-data\": \"" data "\", \"err-truncated\": false"
