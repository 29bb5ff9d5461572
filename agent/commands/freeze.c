/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * freeze: guest-fsfreeze-freeze, -freeze-list, and what else of a freeze is the same everywhere:
 * how it is asked for, how long it may last, how its end is told.
 *
 * Leaves -thaw, -status and the way from one state to the next to each system, whose file shows it.
 */

#include "freeze-private.h"

#include "common/qmp-error.h"

/* ---- What is told ---------------------------------------------------------------------------- */

void freezer_set_frozen(Freezer *freezer, gboolean frozen)
{
    Commands *commands = freezer->commands;

    commands->policy->frozen = frozen;
    commands->system->set_frozen(commands->system, frozen);
}

void freezer_tell_thawed(Freezer *freezer)
{
    Commands *commands = freezer->commands;

    if (commands->thawed != NULL)
        commands->thawed(commands->thawed_user);
}

void freezer_answer(Call *call, guint count, const GError *error)
{
    if (error == NULL)
        json_write_int64(call_result(call), count);
    call_finish(call, error);
}

/* Whoever is answered may ask for the next. */
void freezer_answer_thaws(Freezer *freezer, guint count, const GError *error)
{
    g_autoptr(GPtrArray) thawing = g_steal_pointer(&freezer->thawing);

    freezer->thawing = g_ptr_array_new();
    for (guint i = 0; i < thawing->len; i++)
        freezer_answer(thawing->pdata[i], count, error);
}

/* ---- Time ------------------------------------------------------------------------------------ */

static gboolean on_time_up(gpointer user_data)
{
    Freezer *freezer = user_data;

    freezer->timer = 0;
    freezer_own_expire(freezer);
    return G_SOURCE_REMOVE;
}

void freezer_arm(Freezer *freezer)
{
    guint ms = freezer->lease_ms > 0 ? freezer->lease_ms : freezer->options.timeout_ms;

    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (ms > 0)
        freezer->timer = g_timeout_add(ms, on_time_up, freezer);
}

void freezer_set_lease(Freezer *freezer, guint seconds)
{
    freezer->lease_ms = seconds * 1000;
    if (freezer->state == FREEZER_FREEZING || freezer->state == FREEZER_FROZEN)
        freezer_arm(freezer);
}

void freezer_forget_lease(Freezer *freezer)
{
    freezer->lease_ms = 0;
}

/* ---- Freeze ---------------------------------------------------------------------------------- */

static gboolean begin_freeze(Freezer *freezer, GArray *wanted, Call *call, GError **error)
{
    if (freezer->state != FREEZER_THAWED || freezer->released != NULL) {
        qmp_error_set(error, "a former freeze is not over yet");
        return FALSE;
    }
    if (wanted != NULL)
        freezer->wanted = g_strdupv((GStrv)(gpointer)wanted->data);
    freezer->freezing = call;
    freezer->frozen = 0;
    freezer->state = FREEZER_PREPARING;
    call_defer(call);
    freezer_own_prepare(freezer);
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

/* ---- Life ------------------------------------------------------------------------------------ */

Freezer *freezer_new(Commands *commands, const FreezerOptions *options)
{
    Freezer *freezer = g_new(Freezer, 1);

    *freezer = (Freezer){
        .commands = commands,
        .options = *options,
        .thawing = g_ptr_array_new(),
    };
    freezer->options.hook = g_strdup(options->hook);
    freezer->options.excluded = g_strdupv(options->excluded);
    freezer_own_init(freezer);
    return freezer;
}

void freezer_release(Freezer *freezer, void (*done)(gpointer user), gpointer user)
{
    freezer->released = done;
    freezer->released_user = user;
    if (freezer->state == FREEZER_THAWED)
        done(user);
    else
        freezer_own_stop(freezer);
}

void freezer_free(Freezer *freezer)
{
    if (freezer == NULL)
        return;
    g_clear_handle_id(&freezer->timer, g_source_remove);
    if (!freezer_own_clear(freezer))
        return;
    g_ptr_array_unref(freezer->thawing);
    g_strfreev(freezer->wanted);
    g_free((char *)freezer->options.hook);
    g_strfreev(freezer->options.excluded);
    g_free(freezer);
}
