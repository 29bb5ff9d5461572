/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "pending.h"

#include "common/qmp-error.h"

#include <glib/gstdio.h>
#include <string.h>

Pending *pending_new(const EnvelopeCommand *command, Charge *charge, PendingDone done,
                     gpointer owner, gpointer asker)
{
    gsize cost = sizeof(Pending) + command->id.len + command->arguments.len;
    Pending *pending;

    if (charge && !charge_take(charge, cost))
        return NULL;
    pending = g_new(Pending, 1);
    *pending = (Pending){
        .name = g_strdup(command->name),
        .oob = command->oob,
        .id = g_memdup2(command->id.text, command->id.len),
        .id_len = command->id.len,
        .arguments = g_memdup2(command->arguments.text, command->arguments.len),
        .arguments_len = command->arguments.len,
        .guest = guest_schema_find(command->name),
        .fd = -1,
        .seconds = command->timeout,
        .done = done,
        .owner = owner,
        .asker = asker,
        .charge = charge,
        .charged = charge ? cost : 0,
    };
    return pending;
}

Pending *pending_new_own(const char *name, const char *arguments, PendingDone done, gpointer owner)
{
    EnvelopeCommand command = {
        .name = (char *)name,
        .arguments = arguments ? (JsonSpan){arguments, strlen(arguments)} : JSON_SPAN_NONE,
    };

    return pending_new(&command, NULL, done, owner, NULL);
}

JsonSpan pending_id(const Pending *pending)
{
    return (JsonSpan){pending->id, pending->id_len};
}

JsonSpan pending_arguments(const Pending *pending)
{
    return (JsonSpan){pending->arguments, pending->arguments_len};
}

JsonSpan pending_plain_arguments(const Pending *pending)
{
    JsonWalk walk = json_read_walk(pending_arguments(pending));
    JsonSpan key, value;

    return json_read_member(&walk, &key, &value) ? pending_arguments(pending) : JSON_SPAN_NONE;
}

gboolean pending_asks_the_same(const Pending *pending, const Pending *other)
{
    JsonSpan a, b;

    if (pending->guest != other->guest || !pending_has_flag(pending, GUEST_FLAG_SHARED))
        return FALSE;
    a = pending_plain_arguments(pending);
    b = pending_plain_arguments(other);
    return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

GuestClass pending_class(const Pending *pending)
{
    return pending->guest ? pending->guest->time_class : GUEST_CLASS_SLOW;
}

gboolean pending_is_class(const Pending *pending, GuestClass time_class)
{
    return pending->guest && pending->guest->time_class == time_class;
}

gboolean pending_has_flag(const Pending *pending, GuestFlags flag)
{
    return pending->guest && (pending->guest->flags & flag);
}

gboolean pending_is_freeze_or_thaw(const Pending *pending)
{
    return pending_is_class(pending, GUEST_CLASS_FREEZE) ||
           pending_is_class(pending, GUEST_CLASS_THAW);
}

gboolean pending_is_urgent(const Pending *pending)
{
    return pending->urgent || pending_is_class(pending, GUEST_CLASS_THAW);
}

void pending_orphan(Pending *pending)
{
    pending->asker = NULL;
    pending->orphan = TRUE;
    g_clear_pointer(&pending->id, g_free);
    pending->id_len = 0;
    if (pending->charge)
        charge_give(pending->charge, pending->charged);
    pending->charge = NULL;
}

/* A client may have written anything into the name, but not another line into the log. */
void pending_leave(Pending *pending, gpointer data)
{
    const PendingLeaver *leaver = data;

    if (pending->asker != leaver->asker)
        return;
    if (pending->sent_us > 0) {
        g_autofree char *name = g_strescape(pending->name, NULL);

        g_info("%s has left while %s was under way, whose answer is dropped", leaver->name, name);
    }
    pending_orphan(pending);
}

void pending_record(const Pending *pending, Latency *latency, gint64 now_us)
{
    if (pending->taken_us <= 0)
        return;
    histogram_record(&latency->taken, now_us - pending->taken_us);
    histogram_record(&latency->sent, now_us - pending->sent_us);
}

void pending_close_fd(Pending *pending)
{
    if (pending->fd >= 0)
        g_close(pending->fd, NULL);
    pending->fd = -1;
}

void pending_drop_arguments(Pending *pending)
{
    g_clear_pointer(&pending->arguments, g_free);
    pending->arguments_len = 0;
}

static void pending_free(Pending *pending)
{
    pending_orphan(pending);
    pending_close_fd(pending);
    asker_free(pending->by);
    pending_drop_arguments(pending);
    g_free(pending->name);
    g_free(pending);
}

void pending_finish(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    pending->done(pending, reply, error);
    pending_free(pending);
}

void pending_fail(Pending *pending, const char *format, ...)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    error = g_error_new_literal(QMP_ERROR, QMP_ERROR_GENERIC_ERROR, text);
    pending_finish(pending, NULL, error);
}
