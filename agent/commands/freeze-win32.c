/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze-win32: guest-fsfreeze-status, -freeze, -freeze-list, -thaw of Windows.
 *
 *   THAWED     to PREPARING: a freeze is asked for; a thread begins
 *   PREPARING  to FROZEN: all is frozen
 *              to FINISHING: the same, but a thaw was asked for meanwhile
 *              to THAWED: it could not be done, or there was nothing to freeze
 *   FROZEN     to FINISHING: a thaw is asked for, the time is up, or the agent ends
 *              to THAWED: Windows has ended it
 *   FINISHING  to THAWED: the thread has ended
 *
 * The thread freezes, waits and thaws, so that everything that Windows counts to it is done by one.
 * It is the main loop that changes the state.
 */

#include "freeze.h"

#include "agent/system-win32.h"
#include "common/qmp-error.h"

typedef enum {
    STATE_THAWED,
    STATE_PREPARING,
    STATE_FROZEN,
    STATE_FINISHING,
} FreezerState;

struct Freezer {
    Commands *commands;
    guint timeout_ms;
    guint lease_ms; /* in its place; 0: none */
    guint timer;
    FreezerState state;
    HANDLE thaw;        /* set: the thread is to thaw */
    GStrv wanted;       /* (nullable): for the thread */
    guint frozen;       /* how many are */
    gboolean expired;   /* the last freeze ended without a thaw, and none was told so yet */
    Call *freezing;     /* (nullable): who waits for all to be frozen */
    GPtrArray *thawing; /* of Call: who waits for the end */
    void (*released)(gpointer user);
    gpointer released_user;
};

/* What the thread tells the main loop. */
typedef struct {
    Freezer *freezer;
    guint count;
    GError *error; /* (nullable) */
} News;

static void set_frozen(Freezer *freezer, gboolean frozen)
{
    Commands *commands = freezer->commands;

    commands->policy->frozen = frozen;
    commands->system->set_frozen(commands->system, frozen);
    if (!frozen && commands->thawed != NULL)
        commands->thawed(commands->thawed_user);
}

static void answer(Call *call, guint count, const GError *error)
{
    if (error == NULL)
        json_write_int64(call_result(call), count);
    call_finish(call, error);
}

/* A thaw that came while the freeze was prepared has ended it. */
static void answer_freeze(Freezer *freezer, guint count, const GError *reason)
{
    Call *call = g_steal_pointer(&freezer->freezing);
    g_autoptr(GError) error = reason != NULL ? g_error_copy(reason) : NULL;

    if (call == NULL)
        return;
    if (error == NULL && freezer->thawing->len > 0)
        qmp_error_set(&error, "the guest was thawed before it was frozen");
    answer(call, count, error);
}

static void answer_thaws(Freezer *freezer, guint count, const GError *error)
{
    g_autoptr(GPtrArray) thawing = g_steal_pointer(&freezer->thawing);

    freezer->thawing = g_ptr_array_new();
    for (guint i = 0; i < thawing->len; i++)
        answer(thawing->pdata[i], count, error);
}

/* ---- The thread's news ----------------------------------------------------------------------- */

static gboolean on_time_up(gpointer user_data)
{
    Freezer *freezer = user_data;

    freezer->timer = 0;
    freezer->expired = TRUE;
    freezer->state = STATE_FINISHING;
    SetEvent(freezer->thaw);
    return G_SOURCE_REMOVE;
}

/* Windows ends what lasts longer than 10 s in any case. */
static void arm(Freezer *freezer)
{
    guint limit_ms = freezer->lease_ms > 0 ? freezer->lease_ms : freezer->timeout_ms;

    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (limit_ms > 0)
        freezer->timer = g_timeout_add(limit_ms, on_time_up, freezer);
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

static gboolean on_frozen(gpointer user_data)
{
    g_autofree News *news = user_data;
    Freezer *freezer = news->freezer;

    freezer->frozen = news->count;
    if (news->count > 0) {
        gboolean is_over = freezer->thawing->len > 0 || freezer->released != NULL;

        freezer->state = is_over ? STATE_FINISHING : STATE_FROZEN;
        freezer->expired = FALSE;
        set_frozen(freezer, TRUE);
        if (!is_over)
            arm(freezer);
    }
    answer_freeze(freezer, news->count, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean on_ended(gpointer user_data)
{
    g_autofree News *news = user_data;
    g_autoptr(GError) error = news->error;
    Freezer *freezer = news->freezer;
    gboolean was_frozen = freezer->state == STATE_FROZEN || freezer->state == STATE_FINISHING;

    g_clear_handle_id(&freezer->timer, g_source_remove);
    g_clear_pointer(&freezer->wanted, g_strfreev);
    if (freezer->state == STATE_FROZEN)
        freezer->expired = TRUE;
    freezer->state = STATE_THAWED;
    if (was_frozen)
        set_frozen(freezer, FALSE);
    if (was_frozen && error != NULL)
        g_warning("the freeze has ended: %s", error->message);
    answer_freeze(freezer, 0, error);
    answer_thaws(freezer, was_frozen ? freezer->frozen : 0, was_frozen ? error : NULL);
    if (freezer->released != NULL)
        freezer->released(freezer->released_user);
    return G_SOURCE_REMOVE;
}

static void tell(Freezer *freezer, GSourceFunc func, guint count, GError *error)
{
    News *news = g_new(News, 1);

    *news = (News){freezer, count, error};
    g_idle_add_full(G_PRIORITY_DEFAULT, func, news, NULL);
}

static void tell_frozen(gpointer user, guint count)
{
    tell(user, on_frozen, count, NULL);
}

static gpointer run(gpointer data)
{
    Freezer *freezer = data;
    const SystemWin32 *win32 = freezer->commands->system->win32;
    GError *error = NULL;

    if (!win32->hold((const char *const *)freezer->wanted, freezer->thaw, tell_frozen, freezer,
                     &error) &&
        error == NULL)
        qmp_error_set(&error, "fsfreeze failed");
    tell(freezer, on_ended, 0, error);
    return NULL;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static gboolean begin_freeze(Freezer *freezer, GArray *wanted, Call *call, GError **error)
{
    if (freezer->state != STATE_THAWED || freezer->released != NULL) {
        qmp_error_set(error, "a former freeze is not over yet");
        return FALSE;
    }
    if (wanted != NULL)
        freezer->wanted = g_strdupv((GStrv)(gpointer)wanted->data);
    freezer->freezing = call;
    freezer->state = STATE_PREPARING;
    freezer->frozen = 0;
    ResetEvent(freezer->thaw);
    call_defer(call);
    g_thread_unref(g_thread_new("freeze", run, freezer));
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

gboolean guest_fsfreeze_thaw(Commands *commands, Call *call, GError **error)
{
    Freezer *freezer = commands->freezer;

    if (freezer->expired && freezer->state != STATE_PREPARING) {
        freezer->expired = FALSE;
        freezer->frozen = 0; /* for whoever else asks before the thread has ended */
        qmp_error_set(error, "couldn't hold writes: fsfreeze is limited up to 10 seconds");
        return FALSE;
    }
    if (freezer->state == STATE_THAWED) {
        json_write_int64(call_result(call), 0);
        return TRUE;
    }
    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (freezer->state == STATE_FROZEN)
        freezer->state = STATE_FINISHING;
    g_ptr_array_add(freezer->thawing, call);
    call_defer(call);
    SetEvent(freezer->thaw);
    return TRUE;
}

gboolean guest_fsfreeze_status(Commands *commands, Call *call, GError **error)
{
    gboolean frozen = commands->freezer->state == STATE_FROZEN;

    json_write_string(call_result(call), frozen ? "frozen" : "thawed");
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

/* Nothing is left frozen by an agent that has died: Windows thaws after 10 s. And there is no hook:
 * writers are told by the service. */
Freezer *freezer_new(Commands *commands, const FreezerOptions *options)
{
    Freezer *freezer = g_new(Freezer, 1);

    *freezer = (Freezer){
        .commands = commands,
        .timeout_ms = options->timeout_ms,
        .thawing = g_ptr_array_new(),
        .thaw = CreateEventW(NULL, TRUE, FALSE, NULL),
    };
    g_assert(freezer->thaw != NULL);
    return freezer;
}

void freezer_release(Freezer *freezer, void (*done)(gpointer user), gpointer user)
{
    freezer->released = done;
    freezer->released_user = user;
    if (freezer->state == STATE_THAWED) {
        done(user);
        return;
    }
    if (freezer->state == STATE_FROZEN)
        freezer->state = STATE_FINISHING;
    SetEvent(freezer->thaw);
}

/* Only once the thread has ended, or with the process. */
void freezer_free(Freezer *freezer)
{
    if (freezer == NULL)
        return;
    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (freezer->state == STATE_THAWED) {
        CloseHandle(freezer->thaw);
        g_ptr_array_unref(freezer->thawing);
        g_free(freezer);
    }
}
