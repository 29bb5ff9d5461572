/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "helper.h"

#include "common/qmp-error.h"

gboolean helper_check(const SystemExit *result, const char *purpose, GError **error)
{
    const char *words = result->error != NULL ? result->error->message : result->output;

    if (result->error == NULL && result->status == 0)
        return TRUE;
    if (*words != '\0')
        qmp_error_set(error, "child process has failed to %s: %s", purpose, words);
    else
        qmp_error_set(error, "child process has failed to %s, exit status %d", purpose,
                      result->status);
    return FALSE;
}
