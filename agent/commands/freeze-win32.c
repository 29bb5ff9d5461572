/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze-win32: how volumes are frozen and thawed on Windows; guest-fsfreeze-thaw, -status.
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

#include "agent/system-win32.h"
#include "common/qmp-error.h"
#include "freeze-private.h"

struct FreezerOwn {
    HANDLE thaw; /* set: the thread is to thaw */
};

/* What the thread tells the main loop. */
typedef struct {
    Freezer *freezer;
    guint count;
    GError *error; /* (nullable) */
} News;

/* A thaw that came while the freeze was prepared has ended it. */
static void answer_freeze(Freezer *freezer, guint count, const GError *reason)
{
    Call *call = g_steal_pointer(&freezer->freezing);
    g_autoptr(GError) error = reason != NULL ? g_error_copy(reason) : NULL;

    if (call == NULL)
        return;
    if (error == NULL && freezer->thawing->len > 0)
        qmp_error_set(&error, "the guest was thawed before it was frozen");
    freezer_answer(call, count, error);
}

/* ---- The thread's news ----------------------------------------------------------------------- */

static gboolean on_frozen(gpointer user_data)
{
    g_autofree News *news = user_data;
    Freezer *freezer = news->freezer;

    freezer->frozen = news->count;
    if (news->count > 0) {
        gboolean is_over = freezer->thawing->len > 0 || freezer->released != NULL;

        freezer->state = is_over ? FREEZER_FINISHING : FREEZER_FROZEN;
        freezer->expired = FALSE;
        freezer_set_frozen(freezer, TRUE);
        if (!is_over)
            freezer_arm(freezer); /* Windows ends what lasts longer than 10 s in any case */
    }
    answer_freeze(freezer, news->count, NULL);
    return G_SOURCE_REMOVE;
}

static gboolean on_ended(gpointer user_data)
{
    g_autofree News *news = user_data;
    g_autoptr(GError) error = news->error;
    Freezer *freezer = news->freezer;
    gboolean was_frozen = freezer->state == FREEZER_FROZEN || freezer->state == FREEZER_FINISHING;

    g_clear_handle_id(&freezer->timer, g_source_remove);
    g_clear_pointer(&freezer->wanted, g_strfreev);
    if (freezer->state == FREEZER_FROZEN)
        freezer->expired = TRUE;
    freezer->state = FREEZER_THAWED;
    if (was_frozen) {
        freezer_set_frozen(freezer, FALSE);
        freezer_tell_thawed(freezer);
    }
    if (was_frozen && error != NULL)
        g_warning("the freeze has ended: %s", error->message);
    answer_freeze(freezer, 0, error);
    freezer_answer_thaws(freezer, was_frozen ? freezer->frozen : 0, was_frozen ? error : NULL);
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

    if (!win32->hold((const char *const *)freezer->wanted, freezer->own->thaw, tell_frozen, freezer,
                     &error) &&
        error == NULL)
        qmp_error_set(&error, "fsfreeze failed");
    tell(freezer, on_ended, 0, error);
    return NULL;
}

/* ---- Commands -------------------------------------------------------------------------------- */

void freezer_own_prepare(Freezer *freezer)
{
    ResetEvent(freezer->own->thaw);
    g_thread_unref(g_thread_new("freeze", run, freezer));
}

gboolean guest_fsfreeze_thaw(Commands *commands, Call *call, GError **error)
{
    Freezer *freezer = commands->freezer;

    if (freezer->expired && freezer->state != FREEZER_PREPARING) {
        freezer->expired = FALSE;
        freezer->frozen = 0; /* for whoever else asks before the thread has ended */
        qmp_error_set(error, "couldn't hold writes: fsfreeze is limited up to 10 seconds");
        return FALSE;
    }
    if (freezer->state == FREEZER_THAWED) {
        json_write_int64(call_result(call), 0);
        return TRUE;
    }
    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (freezer->state == FREEZER_FROZEN)
        freezer->state = FREEZER_FINISHING;
    g_ptr_array_add(freezer->thawing, call);
    call_defer(call);
    SetEvent(freezer->own->thaw);
    return TRUE;
}

gboolean guest_fsfreeze_status(Commands *commands, Call *call, GError **error)
{
    gboolean frozen = commands->freezer->state == FREEZER_FROZEN;

    json_write_string(call_result(call), frozen ? "frozen" : "thawed");
    return TRUE;
}

/* ---- Life ------------------------------------------------------------------------------------ */

void freezer_own_expire(Freezer *freezer)
{
    freezer->expired = TRUE;
    freezer->state = FREEZER_FINISHING;
    SetEvent(freezer->own->thaw);
}

void freezer_own_stop(Freezer *freezer)
{
    if (freezer->state == FREEZER_FROZEN)
        freezer->state = FREEZER_FINISHING;
    SetEvent(freezer->own->thaw);
}

/* Nothing is left frozen by an agent that has died: Windows thaws after 10 s. And there is no hook:
 * writers are told by the service. */
void freezer_own_init(Freezer *freezer)
{
    freezer->own = g_new(FreezerOwn, 1);
    freezer->own->thaw = CreateEventW(NULL, TRUE, FALSE, NULL);
    g_assert(freezer->own->thaw != NULL);
}

gboolean freezer_own_clear(Freezer *freezer)
{
    if (freezer->state != FREEZER_THAWED)
        return FALSE;
    CloseHandle(freezer->own->thaw);
    g_free(freezer->own);
    return TRUE;
}
