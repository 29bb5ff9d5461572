/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze-linux: how filesystems are frozen and thawed on Linux; guest-fsfreeze-thaw, -status.
 *
 *   THAWED     to PREPARING: a freeze is asked for, its hook is started
 *              to THAWING: a thaw is asked for, though nothing is known to be frozen
 *   PREPARING  to SYNCING: the hook succeeded
 *              to FINISHING: it was killed, and so could undo nothing
 *              to THAWED: it failed
 *   SYNCING    to FREEZING: all is opened and written out
 *   FREEZING   to FROZEN: at least one was frozen, and none failed
 *   SYNCING, FREEZING, FROZEN
 *              to THAWING: a thaw is asked for, the time is up, the agent ends, or it has failed
 *   THAWING    to FINISHING: all is thawed
 *   FINISHING  to THAWED: the thaw hook has ended
 *
 * Hooks are programs, and what the kernel takes its time for is a step of a FreezeJob, on a thread:
 * neither is waited for. What is asked for while a step is under way is remembered in @ending, and
 * done when the step has ended. A thaw hook follows every freeze hook that has not undone its work
 * itself, also where nothing was frozen: a database that was told to stop is told to go on.
 */

#include "common/qmp-error.h"
#include "freeze-job.h"
#include "freeze-private.h"
#include "helper.h"

struct FreezerOwn {
    FreezeJob *job;          /* (nullable): from SYNCING to FINISHING */
    FreezeJob *finished_job; /* (nullable): the last one, to be cleaned up */
    guint cleanup;           /* the source that does that; 0: there is none */
    CrewSpare spare;
    gboolean ending;   /* it is to be thawed as soon as that has ended */
    guint thawed;      /* how many were thawed in the end */
    GPtrArray *asking; /* of Call: who asked whether it still is frozen */
    GError *failure;   /* (nullable): what went wrong first */
};

/*
 * Microseconds that the main loop waits for a step of a freeze or thaw where nobody else can be
 * answered meanwhile. A filesystem at rest takes 3 to 6 ms in an emulated guest, and the two turns
 * of the loop that this saves for each step half of one. What else the loop has to do, ends and
 * leases of whole seconds, waits no longer than that for it.
 */
enum { STEP_WAIT_US = 20000 };

/* ---- Parts ----------------------------------------------------------------------------------- */

/* Of the finished job, if there is one. */
static void clean_up(Freezer *freezer)
{
    System *system = freezer->commands->system;

    if (freezer->own->finished_job == NULL)
        return;
    g_clear_handle_id(&freezer->own->cleanup, g_source_remove);
    system->hurry(system, FALSE);
    freeze_job_free(g_steal_pointer(&freezer->own->finished_job), &freezer->own->spare);
}

static gboolean on_cleanup(gpointer user_data)
{
    Freezer *freezer = user_data;

    freezer->own->cleanup = 0;
    clean_up(freezer);
    return G_SOURCE_REMOVE;
}

/*
 * It is cleaned up once the answer is sent, and before the next request is looked for: from an
 * agent that had stopped hurrying the answer came up to 3 ms later beside a writer. What a job had
 * open is closed then, too.
 */
static void finish_job(Freezer *freezer)
{
    clean_up(freezer);
    freezer->own->finished_job = g_steal_pointer(&freezer->own->job);
    if (freezer->own->finished_job != NULL)
        freezer->own->cleanup = g_idle_add_full(G_PRIORITY_HIGH, on_cleanup, freezer, NULL);
}

/* @call: (nullable): who waits for it */
static void start(Freezer *freezer, WorkStep step, void (*done)(gpointer owner), const Call *call)
{
    freeze_job_start(freezer->own->job, step, done,
                     call != NULL && call_is_alone(call) ? STEP_WAIT_US : 0);
}

/* From here until all is thawed those who write wait for the agent, and it for nobody else. */
static void make_job(Freezer *freezer)
{
    const FreezerOptions *options = &freezer->options;
    FreezeJob *job;

    clean_up(freezer);
    job = freeze_job_new(freezer->commands->system, &freezer->own->spare,
                         freezer->commands->state->mark, freezer->wanted, options->excluded);
    job->owner = freezer;
    job->expedite = options->expedite;
    job->wanted.skip_unopenable = options->skip_unopenable;
    freezer->own->job = job;
    g_clear_pointer(&freezer->wanted, g_strfreev);
    job->system->hurry(job->system, TRUE);
}

/* What went wrong first is what the caller is told. @failure: (transfer full) */
static void fail(Freezer *freezer, GError *failure)
{
    if (freezer->own->failure == NULL)
        freezer->own->failure = failure;
    else
        g_error_free(failure);
}

static void fail_saying(Freezer *freezer, const char *words)
{
    GError *failure = NULL;

    qmp_error_set(&failure, "%s", words);
    fail(freezer, failure);
}

static void log_notes(FreezeJob *job)
{
    for (guint i = 0; i < job->notes->len; i++)
        g_warning("%s", (const char *)job->notes->pdata[i]);
    g_ptr_array_set_size(job->notes, 0);
}

/* ---- Hooks ----------------------------------------------------------------------------------- */

static void run_hook(Freezer *freezer, const char *argument, SystemDone done)
{
    System *system = freezer->commands->system;
    const char *const argv[] = {freezer->options.hook, argument, NULL};

    if (freezer->options.hook != NULL)
        system->run(system,
                    &(SystemProgram){.argv = argv, .timeout_ms = freezer->options.hook_limit_ms},
                    done, freezer);
    else
        done(freezer, &(SystemExit){.output = ""});
}

static gboolean check_hook(Freezer *freezer, const SystemExit *result)
{
    GError *failure = NULL;

    if (helper_check(result, "execute fsfreeze hook", &failure))
        return TRUE;
    fail(freezer, failure);
    return FALSE;
}

/* ---- End of it ------------------------------------------------------------------------------- */

static void answer_thaw(Freezer *freezer, Call *call, guint count, const GError *failure)
{
    g_autoptr(GError) expired = NULL;

    if (freezer->expired) {
        freezer->expired = FALSE;
        qmp_error_set(&expired, "the agent itself has ended the freeze: no thaw came in time");
        failure = expired;
    }
    freezer_answer(call, count, failure);
}

/* All is over before anybody is told: whoever is may freeze again. */
static void finish(Freezer *freezer)
{
    Call *freezing = g_steal_pointer(&freezer->freezing);
    g_autoptr(GPtrArray) thawing = g_steal_pointer(&freezer->thawing);
    g_autoptr(GError) failure = g_steal_pointer(&freezer->own->failure);
    guint count = freezer->own->thawed;

    finish_job(freezer);
    freezer->thawing = g_ptr_array_new();
    freezer->state = FREEZER_THAWED;
    freezer->own->ending = FALSE;
    g_clear_pointer(&freezer->wanted, g_strfreev);
    if (failure != NULL && freezing == NULL && thawing->len == 0)
        g_warning("%s", failure->message);
    if (freezing != NULL)
        freezer_answer(freezing, 0, failure);
    for (guint i = 0; i < thawing->len; i++)
        answer_thaw(freezer, thawing->pdata[i], i == 0 ? count : 0,
                    i == 0 && freezing == NULL ? failure : NULL);
    if (freezer->released != NULL)
        freezer->released(freezer->released_user);
}

static void on_thaw_hook(gpointer user, const SystemExit *result)
{
    Freezer *freezer = user;

    check_hook(freezer, result);
    finish(freezer);
}

static void begin_finishing(Freezer *freezer)
{
    freezer->state = FREEZER_FINISHING;
    run_hook(freezer, "thaw", on_thaw_hook);
}

/* ---- Thaw ------------------------------------------------------------------------------------ */

/* Nothing is known of the mounts: all stays as it is, to be tried again. */
static void fail_thaw(Freezer *freezer)
{
    g_autoptr(GError) error = g_steal_pointer(&freezer->own->job->error);

    freezer->expired = FALSE;
    freezer->own->ending = FALSE;
    if (freezer->commands->policy->frozen) {
        freezer->state = FREEZER_FROZEN;
        if (freezer->timer == 0)
            freezer_arm(freezer);
    } else {
        freezer->state = FREEZER_THAWED;
        finish_job(freezer);
    }
    freezer_answer_thaws(freezer, 0, error);
    if (freezer->released != NULL)
        freezer->released(freezer->released_user);
}

static void on_thawed(gpointer owner)
{
    Freezer *freezer = owner;
    FreezeJob *job = freezer->own->job;

    if (job->filesystems == NULL) {
        fail_thaw(freezer);
        return;
    }
    g_clear_handle_id(&freezer->timer, g_source_remove);
    freezer->own->thawed = job->count;
    if (freezer->commands->policy->frozen) {
        freezer_set_frozen(freezer, FALSE);
        g_debug("froze %u filesystems, thawed %u", freezer->frozen, job->count);
    }
    freezer->frozen = 0;
    log_notes(job);
    if (job->error != NULL)
        fail(freezer, g_steal_pointer(&job->error));
    freezer_tell_thawed(freezer);
    begin_finishing(freezer);
}

static void begin_thaw(Freezer *freezer)
{
    if (freezer->own->job == NULL)
        make_job(freezer);
    freezer->state = FREEZER_THAWING;
    start(freezer, freeze_job_thaw, on_thawed,
          freezer->thawing->len > 0 ? freezer->thawing->pdata[0] : NULL);
}

/* Whatever is under way ends in a guest that is thawed, and @why is told to who had asked for it.
 */
static void end(Freezer *freezer, const char *why)
{
    switch (freezer->state) {
    case FREEZER_FREEZING: freeze_job_cancel(freezer->own->job); G_GNUC_FALLTHROUGH;
    case FREEZER_PREPARING:
    case FREEZER_SYNCING:
        freezer->own->ending = TRUE;
        fail_saying(freezer, why);
        break;
    case FREEZER_FROZEN:
        if (freeze_job_is_busy(freezer->own->job))
            freezer->own->ending = TRUE;
        else
            begin_thaw(freezer);
        break;
    case FREEZER_THAWED:
    case FREEZER_THAWING:
    case FREEZER_FINISHING: break;
    }
}

void freezer_own_expire(Freezer *freezer)
{
    /* One that was never told to be frozen is told that it is not. */
    freezer->expired = freezer->state == FREEZER_FROZEN;
    end(freezer, "the agent itself has ended the freeze: it was not complete in time");
}

void freezer_own_stop(Freezer *freezer)
{
    end(freezer, "the agent is shutting down");
}

/* ---- Freeze ---------------------------------------------------------------------------------- */

/* Returns: whether the step that has just ended is the last one */
static gboolean is_over(Freezer *freezer, gboolean empty)
{
    FreezeJob *job = freezer->own->job;

    if (job->error != NULL)
        fail(freezer, g_steal_pointer(&job->error));
    if (freezer->own->failure == NULL && !empty)
        return FALSE;
    begin_thaw(freezer);
    return TRUE;
}

static void on_frozen(gpointer owner)
{
    Freezer *freezer = owner;

    freezer->frozen = freezer->own->job->count;
    if (is_over(freezer, freezer->own->job->count == 0))
        return;
    freezer->state = FREEZER_FROZEN;
    freezer_answer(g_steal_pointer(&freezer->freezing), freezer->frozen, NULL);
}

static void on_prepared(gpointer owner)
{
    Freezer *freezer = owner;

    log_notes(freezer->own->job);
    if (is_over(freezer, freezer->own->job->filesystems->len == 0))
        return;
    g_debug("freezes");
    /* Nothing is logged from here to the thaw, which tells how many. */
    freezer_set_frozen(freezer, TRUE);
    freezer->state = FREEZER_FREEZING;
    freezer->expired = FALSE;
    freezer_arm(freezer);
    start(freezer, freeze_job_freeze, on_frozen, freezer->freezing);
}

/* One that failed has undone what it did, as with qemu-ga; one that was killed could not. */
static void on_freeze_hook(gpointer user, const SystemExit *result)
{
    Freezer *freezer = user;

    if (!check_hook(freezer, result) && result->status >= 0 && !result->overdue) {
        finish(freezer);
    } else if (freezer->own->failure != NULL) {
        begin_finishing(freezer);
    } else {
        make_job(freezer);
        freezer->state = FREEZER_SYNCING;
        start(freezer, freeze_job_prepare, on_prepared, freezer->freezing);
    }
}

void freezer_own_prepare(Freezer *freezer)
{
    freezer->own->thawed = 0;
    run_hook(freezer, "freeze", on_freeze_hook);
}

/* ---- Thaw and status ------------------------------------------------------------------------- */

gboolean guest_fsfreeze_thaw(Commands *commands, Call *call, GError **error)
{
    Freezer *freezer = commands->freezer;

    call_defer(call);
    if (freezer->state == FREEZER_THAWED && freezer->expired) {
        answer_thaw(freezer, call, 0, NULL);
        return TRUE;
    }
    g_ptr_array_add(freezer->thawing, call);
    if (freezer->state == FREEZER_THAWED)
        begin_thaw(freezer);
    else
        end(freezer, "the guest was thawed before it was frozen");
    return TRUE;
}

static void answer_status(Call *call, gboolean frozen)
{
    json_write_string(call_result(call), frozen ? "frozen" : "thawed");
}

static void on_looked(gpointer owner)
{
    Freezer *freezer = owner;
    g_autoptr(GPtrArray) asking = g_steal_pointer(&freezer->own->asking);
    gboolean frozen = freezer->own->job->frozen;

    freezer->own->asking = g_ptr_array_new();
    if (freezer->own->ending)
        begin_thaw(freezer);
    for (guint i = 0; i < asking->len; i++) {
        answer_status(asking->pdata[i], frozen);
        call_finish(asking->pdata[i], NULL);
    }
}

gboolean guest_fsfreeze_status(Commands *commands, Call *call, GError **error)
{
    Freezer *freezer = commands->freezer;

    if (freezer->state != FREEZER_FROZEN || freezer->own->job->filesystems == NULL) {
        answer_status(call, commands->policy->frozen);
        return TRUE;
    }
    call_defer(call);
    g_ptr_array_add(freezer->own->asking, call);
    if (!freeze_job_is_busy(freezer->own->job))
        start(freezer, freeze_job_look, on_looked, call);
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void take_over(Freezer *freezer)
{
    Commands *commands = freezer->commands;

    if (!state_is_marked_frozen(commands->state))
        return;
    if (state_is_marked_expedited(commands->state))
        freeze_job_stop_expediting(commands->system);
    make_job(freezer);
    freezer_set_frozen(freezer, TRUE);
    freezer->state = FREEZER_FROZEN;
    freezer_arm(freezer);
}

void freezer_own_init(Freezer *freezer)
{
    freezer->own = g_new0(FreezerOwn, 1);
    freezer->own->asking = g_ptr_array_new();
    take_over(freezer);
}

gboolean freezer_own_clear(Freezer *freezer)
{
    FreezerOwn *own = freezer->own;

    finish_job(freezer);
    clean_up(freezer);
    crew_spare_clear(&own->spare);
    g_ptr_array_unref(own->asking);
    g_clear_error(&own->failure);
    g_free(own);
    return TRUE;
}
