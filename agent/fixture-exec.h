/* SPDX-License-Identifier: GPL-2.0-or-later */

/* fixture-exec: programs that a fixture's agent is asked to run. */

#pragma once

#include "agent/fixture.h"

/* @arguments: members of guest-exec's, in JSON
 * Returns: the pid; asserts that there is one */
gint64 fixture_exec_start(CommandFixture *fixture, const char *arguments);

/* Returns: (transfer full): what guest-exec-status says, without its line end */
char *fixture_exec_status(CommandFixture *fixture, gint64 pid);

/* Returns: (transfer full): the status that tells its end */
char *fixture_exec_finish(CommandFixture *fixture, gint64 pid);

/* Asserts that @arguments are run, and end as @expected: members of the status. */
void fixture_exec_check(CommandFixture *fixture, const char *arguments, const char *expected);
void fixture_exec_check_error(CommandFixture *fixture, const char *arguments, const char *words);

/* What a status has of output, in base64. */
#define FIXTURE_EXEC_OUT(data) "\"out-data\": \"" data "\", \"out-truncated\": false"
#define FIXTURE_EXEC_ERR(data) "\"err-data\": \"" data "\", \"err-truncated\": false"
