/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper.h"

#include "common/limits.h"
#include "common/qmp-error.h"

void helper_run(System *system, const char *const *argv, SystemDone done, gpointer user)
{
    system->run(system, &(SystemProgram){.argv = argv, .timeout_ms = LIMIT_HELPER_MS}, done, user);
}

gboolean helper_check(const SystemExit *result, const char *purpose, GError **error)
{
    const char *words = result->output;

    if (result->error == NULL && result->status == 0)
        return TRUE;
    if (result->error != NULL)
        qmp_error_set(error, "child process has failed to %s: %s%s%s", purpose,
                      result->error->message, *words != '\0' ? ": " : "", words);
    else if (*words != '\0')
        qmp_error_set(error, "child process has failed to %s: %s", purpose, words);
    else
        qmp_error_set(error, "child process has failed to %s, exit status %d", purpose,
                      result->status);
    return FALSE;
}
