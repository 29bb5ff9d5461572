/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/run.h"

#include "common/limits.h"
#include "common/qmp-error.h"

typedef struct {
    Process *process;
    guint timer;
    guint timeout_ms;
    SystemDone done;
    gpointer user;
} Run;

static void finish_run(Run *run, const GError *error)
{
    SystemExit result = {
        .error = error,
        .overdue = error != NULL,
        .status = (int)process_status(run->process),
        .output = process_out(run->process)->data->str,
    };

    g_clear_handle_id(&run->timer, g_source_remove);
    run->done(run->user, &result);
    process_free(run->process);
    g_free(run);
}

static void on_run_end(Process *process, gpointer user)
{
    finish_run(user, NULL);
}

/* Its end is not waited for: a driver that hangs holds even a killed program. */
static gboolean on_run_time_up(gpointer user_data)
{
    Run *run = user_data;
    g_autoptr(GError) error = NULL;

    run->timer = 0;
    process_kill(run->process);
    qmp_error_set(&error, "killed, since it had not ended after %.15g s", run->timeout_ms / 1000.0);
    finish_run(run, error);
    return G_SOURCE_REMOVE;
}

void run_program(System *system, const SystemProgram *program, SystemDone done, gpointer user)
{
    g_autoptr(GError) error = NULL;
    Run *run = g_new(Run, 1);
    ProcessSpec spec = {
        .argv = program->argv,
        .capture = PROCESS_CAPTURE_MERGED,
        .capture_limit = LIMIT_HELPER_OUTPUT,
        .input = program->input,
        .input_len = program->input_len,
        .new_session = TRUE,
        .ended = on_run_end,
        .user = run,
    };

    *run = (Run){.timeout_ms = program->timeout_ms, .done = done, .user = user};
    run->process = process_spawn(&spec, &error); /* freed, with @run, by finish_run() */
    if (run->process == NULL) {
        g_free(run);
        done(user, &(SystemExit){.error = error, .output = ""});
        return;
    }
    if (run->timeout_ms > 0)
        run->timer = g_timeout_add(run->timeout_ms, on_run_time_up, run);
}
