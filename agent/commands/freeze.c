/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze: guest-fsfreeze-status, -freeze, -freeze-list, -thaw.
 *
 *   THAWED     to PREPARING: a freeze is asked for, its hook is started
 *   PREPARING  to FROZEN: the hook succeeded, and something was frozen
 *              to FINISHING: the hook succeeded, but nothing was frozen, or not all that should be
 *              to THAWED: the hook failed
 *   FROZEN     to FINISHING: a thaw is asked for, the time is up, or the agent ends
 *   FINISHING  to THAWED: the thaw hook has ended
 *
 * While a hook runs the agent does not wait with its hands in its lap: it still reads captured
 * output, and ends when told to. A thaw hook follows every
 * freeze hook that succeeded, also where nothing was frozen: a database that was told to stop is
 * told to go on.
 */

#include "freeze.h"

#include <string.h>

#include "common/qmp-error.h"
#include "helper.h"
#include "mounts.h"

typedef enum {
    STATE_THAWED,
    STATE_PREPARING,
    STATE_FROZEN,
    STATE_FINISHING,
} FreezerState;

struct Freezer {
    Commands *commands;
    char *hook; /* (nullable) */
    guint timeout_ms;
    guint lease_ms; /* the host's own, in its place; 0: none */
    guint timer;
    FreezerState state;
    guint frozen;     /* how many filesystems it froze itself, for the log */
    gboolean expired; /* the last freeze ended by its time, and no thaw was told yet */
    Call *call;       /* (nullable): who waits for the hook */
    Call *stop;       /* (nullable): while PREPARING: a thaw; it ends the freeze before it is one */
    GStrv wanted;     /* (nullable): while PREPARING: which to freeze; NULL: all */
    GError *failure;  /* (nullable): while FINISHING: what call will be told */
    void (*released)(gpointer user);
    gpointer released_user;
};

/* Bounds FITHAW, which is repeated until it fails, against a kernel that never says so. */
enum { THAW_ATTEMPTS = 64 };

/* ---- Filesystems ----------------------------------------------------------------------------- */

static GPtrArray *read_mounts(const Freezer *freezer, GError **error)
{
    System *system = freezer->commands->system;
    g_autofree char *text = system->read_mounts(system, error);

    return text != NULL ? mounts_parse(text) : NULL;
}

static gboolean is_wanted(const Freezer *freezer, const Mount *mount)
{
    if (freezer->wanted == NULL)
        return TRUE;
    for (guint i = 0; freezer->wanted[i] != NULL; i++) {
        if (mount_has_directory(mount, freezer->wanted[i]))
            return TRUE;
    }
    return FALSE;
}

/* By the first directory that still shows it; one that shows nowhere cannot be reached by its
 * writers. */
static SystemFreeze freeze_mount(System *system, const Mount *mount, GError **error)
{
    SystemFreeze result = SYSTEM_FREEZE_HIDDEN;

    for (guint i = 0; i < mount->directories->len && result == SYSTEM_FREEZE_HIDDEN; i++)
        result = system->freeze(system, mount->directories->pdata[i], mount->device, error);
    return result;
}

/* In reverse: what is mounted later may be kept in a file of what was mounted before. */
static gboolean freeze_all(const Freezer *freezer, const GPtrArray *mounts, guint *ret_count,
                           GError **error)
{
    guint count = 0;

    for (guint i = mounts->len; i > 0; i--) {
        const Mount *mount = mounts->pdata[i - 1];
        SystemFreeze result;

        if (!is_wanted(freezer, mount))
            continue;
        result = freeze_mount(freezer->commands->system, mount, error);
        if (result == SYSTEM_FREEZE_FAILED)
            return FALSE;
        count += result == SYSTEM_FREEZE_DONE;
    }
    *ret_count = count;
    return TRUE;
}

/* All that is mounted, whoever froze it: an agent that was killed left no list of what it froze. */
static gboolean thaw_mount(System *system, const Mount *mount)
{
    gboolean thawed = FALSE;

    for (guint i = 0; i < mount->directories->len; i++) {
        for (guint attempt = 0; attempt < THAW_ATTEMPTS; attempt++) {
            if (!system->thaw(system, mount->directories->pdata[i], mount->device))
                break;
            thawed = TRUE;
        }
    }
    return thawed;
}

static guint thaw_all(const Freezer *freezer, const GPtrArray *mounts)
{
    guint count = 0;

    for (guint i = 0; i < mounts->len; i++)
        count += thaw_mount(freezer->commands->system, mounts->pdata[i]);
    return count;
}

/* ---- State ----------------------------------------------------------------------------------- */

static void set_frozen(Freezer *freezer, gboolean frozen)
{
    Commands *commands = freezer->commands;

    commands->policy->frozen = frozen;
    commands->system->set_frozen(commands->system, frozen);
}

static void finish(Freezer *freezer)
{
    Call *call = g_steal_pointer(&freezer->call);
    Call *stop = g_steal_pointer(&freezer->stop);
    g_autoptr(GError) failure = g_steal_pointer(&freezer->failure);

    freezer->state = STATE_THAWED;
    g_clear_pointer(&freezer->wanted, g_strfreev);
    if (call != NULL)
        call_finish(call, failure);
    else if (failure != NULL)
        g_warning("%s", failure->message);
    if (stop != NULL) {
        json_write_int64(call_result(stop), 0);
        call_finish(stop, NULL);
    }
    if (freezer->released != NULL)
        freezer->released(freezer->released_user);
}

static gboolean check_hook(const SystemExit *result, GError **error)
{
    return helper_check(result, "execute fsfreeze hook", error);
}

static void on_thaw_hook(gpointer user, const SystemExit *result)
{
    Freezer *freezer = user;

    /* What went wrong first is what the caller is told. */
    check_hook(result, freezer->failure == NULL ? &freezer->failure : NULL);
    finish(freezer);
}

static void run_hook(Freezer *freezer, const char *argument, SystemDone done)
{
    System *system = freezer->commands->system;
    const char *const argv[] = {freezer->hook, argument, NULL};

    if (freezer->hook != NULL)
        system->run(system, &(SystemProgram){.argv = argv}, done, freezer);
    else
        done(freezer, &(SystemExit){.output = ""});
}

/* Everything is thawed, or never was frozen; @failure: (transfer full) (nullable). */
static void begin_finishing(Freezer *freezer, GError *failure)
{
    g_clear_handle_id(&freezer->timer, g_source_remove);
    freezer->state = STATE_FINISHING;
    freezer->failure = failure;
    run_hook(freezer, "thaw", on_thaw_hook);
}

static guint thaw_mounts(Freezer *freezer, const GPtrArray *mounts)
{
    guint count = thaw_all(freezer, mounts);

    set_frozen(freezer, FALSE);
    g_debug("froze %u filesystems, thawed %u", freezer->frozen, count);
    freezer->frozen = 0;
    state_unmark_frozen(freezer->commands->state);
    if (freezer->commands->thawed != NULL)
        freezer->commands->thawed(freezer->commands->thawed_user);
    return count;
}

/* Returns: FALSE where nothing is known of the mounts: then everything stays as it is. */
static gboolean thaw(Freezer *freezer, guint *ret_count, GError **error)
{
    g_autoptr(GPtrArray) mounts = read_mounts(freezer, error);

    if (mounts == NULL)
        return FALSE;
    *ret_count = thaw_mounts(freezer, mounts);
    return TRUE;
}

static gboolean on_time_up(gpointer user_data)
{
    Freezer *freezer = user_data;
    guint count;

    if (!thaw(freezer, &count, NULL))
        return G_SOURCE_CONTINUE;
    freezer->expired = TRUE;
    freezer->timer = 0;
    begin_finishing(freezer, NULL);
    return G_SOURCE_REMOVE;
}

static void arm(Freezer *freezer)
{
    guint ms = freezer->lease_ms > 0 ? freezer->lease_ms : freezer->timeout_ms;

    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (ms > 0)
        freezer->timer = g_timeout_add(ms, on_time_up, freezer);
}

void freezer_set_lease(Freezer *freezer, guint seconds)
{
    freezer->lease_ms = seconds * 1000;
    if (freezer->state == STATE_FROZEN)
        arm(freezer);
}

void freezer_forget_lease(Freezer *freezer)
{
    freezer->lease_ms = 0;
}

static void enter_frozen(Freezer *freezer)
{
    freezer->state = STATE_FROZEN;
    freezer->expired = FALSE;
    arm(freezer);
}

/* ---- Freeze ---------------------------------------------------------------------------------- */

/* Returns: how many were frozen; none, with *error, where one could not be. */
static guint freeze_now(Freezer *freezer, GError **error)
{
    State *state = freezer->commands->state;
    g_autoptr(GPtrArray) mounts = read_mounts(freezer, error);
    guint count = 0;

    if (mounts == NULL || !state_mark_frozen(state, error))
        return 0;
    g_debug("freezes");
    set_frozen(freezer, TRUE); /* nothing is logged from here to the thaw, which tells how many */
    if (freeze_all(freezer, mounts, &count, error) && count > 0) {
        freezer->frozen = count;
        return count;
    }
    thaw_mounts(freezer, mounts);
    return 0;
}

static void on_freeze_hook(gpointer user, const SystemExit *result)
{
    Freezer *freezer = user;
    GError *error = NULL;
    guint count;

    if (!check_hook(result, &freezer->failure)) {
        finish(freezer);
        return;
    }
    if (freezer->released != NULL) { /* the agent is about to end */
        qmp_error_set(&error, "the agent is shutting down");
        begin_finishing(freezer, error);
        return;
    }
    if (freezer->stop != NULL) {
        qmp_error_set(&error, "a thaw came before filesystems were frozen");
        begin_finishing(freezer, error);
        return;
    }
    count = freeze_now(freezer, &error);
    if (error == NULL)
        json_write_int64(call_result(freezer->call), count);
    if (count == 0) {
        begin_finishing(freezer, error);
        return;
    }
    enter_frozen(freezer);
    g_clear_pointer(&freezer->wanted, g_strfreev);
    call_finish(g_steal_pointer(&freezer->call), NULL);
}

static gboolean begin_freeze(Freezer *freezer, GArray *wanted, Call *call, GError **error)
{
    if (freezer->state != STATE_THAWED || freezer->released != NULL) {
        qmp_error_set(error, "a former freeze is not over yet");
        return FALSE;
    }
    if (wanted != NULL)
        freezer->wanted = g_strdupv((GStrv)(gpointer)wanted->data);
    freezer->call = call;
    freezer->state = STATE_PREPARING;
    call_defer(call);
    run_hook(freezer, "freeze", on_freeze_hook);
    return TRUE;
}

gboolean guest_fsfreeze_freeze(Commands *commands, Call *call, GError **error)
{
    return begin_freeze(commands->freezer, NULL, call, error);
}

gboolean guest_fsfreeze_freeze_list(Commands *commands,
                                    const GuestFsfreezeFreezeListArguments *args, Call *call,
                                    GError **error)
{
    return begin_freeze(commands->freezer, args->mountpoints, call, error);
}

/* ---- Thaw and status ------------------------------------------------------------------------- */

gboolean guest_fsfreeze_thaw(Commands *commands, Call *call, GError **error)
{
    Freezer *freezer = commands->freezer;
    guint count;

    if (freezer->expired || freezer->state == STATE_FINISHING) {
        freezer->expired = FALSE;
        qmp_error_set(error, "the agent itself has ended the freeze: no thaw came in time");
        return FALSE;
    }
    if (freezer->state == STATE_PREPARING && freezer->stop != NULL) {
        qmp_error_set(error, "the freeze is being ended already");
        return FALSE;
    }
    if (freezer->state == STATE_PREPARING) {
        freezer->stop = call;
        call_defer(call);
        return TRUE;
    }
    if (!thaw(freezer, &count, error))
        return FALSE;
    json_write_int64(call_result(call), count);
    freezer->call = call;
    call_defer(call);
    begin_finishing(freezer, NULL);
    return TRUE;
}

gboolean guest_fsfreeze_status(Commands *commands, Call *call, GError **error)
{
    gboolean frozen = commands->freezer->state == STATE_FROZEN;

    json_write_string(call_result(call), frozen ? "frozen" : "thawed");
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

Freezer *freezer_new(Commands *commands, const char *hook, guint timeout_ms)
{
    Freezer *freezer = g_new(Freezer, 1);

    *freezer = (Freezer){.commands = commands, .hook = g_strdup(hook), .timeout_ms = timeout_ms};
    if (state_is_marked_frozen(commands->state)) {
        set_frozen(freezer, TRUE);
        enter_frozen(freezer);
    }
    return freezer;
}

void freezer_release(Freezer *freezer, void (*done)(gpointer user), gpointer user)
{
    guint count;

    freezer->released = done;
    freezer->released_user = user;
    if (freezer->state == STATE_FROZEN && thaw(freezer, &count, NULL))
        begin_finishing(freezer, NULL);
    else if (freezer->state == STATE_THAWED || freezer->state == STATE_FROZEN)
        done(user);
}

void freezer_free(Freezer *freezer)
{
    if (freezer == NULL)
        return;
    g_clear_handle_id(&freezer->timer, g_source_remove);
    g_clear_pointer(&freezer->wanted, g_strfreev);
    g_clear_error(&freezer->failure);
    g_free(freezer->hook);
    g_free(freezer);
}
