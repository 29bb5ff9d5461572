/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "freeze-words.h"

#include "common/json-write.h"

/* What was asked for is told to nobody. */
static const char *const reasons[] = {
    [THAW_LEASE] = "lease",     [THAW_OWNER_LEFT] = "owner-left", [THAW_DOUBT] = "doubt",
    [THAW_RESTART] = "restart", [THAW_GUEST] = "guest",
};

/* For the sentence "the freeze had ended before: …" */
static const char *const reason_texts[] = {
    [THAW_ASKED] = "somebody else thawed it",
    [THAW_LEASE] = "its lease ended",
    [THAW_OWNER_LEFT] = "its owner left",
    [THAW_DOUBT] = "the guest agent had not answered, so that it was thawed",
    [THAW_RESTART] = "the proxy was started anew",
    [THAW_GUEST] = "the guest was reset or thawed itself",
};

char *freeze_time_text(gint64 at_us)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at_us / G_USEC_PER_SEC);

    return g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
}

gint64 freeze_lease_left(const Freeze *freeze)
{
    gint64 left_us = freeze->until_us - io_loop_now(freeze->loop);

    if (freeze->state != FREEZE_FROZEN || freeze->until_us == 0)
        return -1;
    return MAX(left_us + G_USEC_PER_SEC - 1, 0) / G_USEC_PER_SEC;
}

const char *freeze_state_name(const Freeze *freeze)
{
    static const char *const names[] = {
        [FREEZE_THAWED] = "thawed",
        [FREEZE_FREEZING] = "freezing",
        [FREEZE_FROZEN] = "frozen",
        [FREEZE_THAWING] = "thawing",
    };

    return names[freeze->state];
}

static void write_state(const Freeze *freeze, JsonWrite *write)
{
    json_write_member_string(write, "state", freeze_state_name(freeze));
    if (freeze->state == FREEZE_THAWED)
        return;
    if (freeze->by)
        json_write_member_string(write, "by", freeze->by);
    if (freeze->since_us > 0) {
        g_autofree char *since = freeze_time_text(freeze->since_us);

        json_write_member_string(write, "since", since);
    }
    if (holds_count(&freeze->holds) > 1)
        json_write_member_uint64(write, "holders", holds_count(&freeze->holds));
    if (freeze_lease_left(freeze) >= 0)
        json_write_member_int64(write, "lease", freeze_lease_left(freeze));
}

void freeze_write_status(const Freeze *freeze, JsonWrite *write)
{
    json_write_begin_object(write);
    write_state(freeze, write);
    json_write_member_uint64(write, "thaws", freeze->thaws);
    json_write_end_object(write);
}

char *freeze_words_event(const Freeze *freeze, ThawReason reason)
{
    GString *data = g_string_new(NULL);
    JsonWrite write;

    json_write_init(&write, data);
    json_write_begin_object(&write);
    write_state(freeze, &write);
    json_write_member_string(&write, "reason", reasons[reason]);
    json_write_end_object(&write);
    return g_string_free(data, FALSE);
}

char *freeze_words_ended(const Freeze *freeze, ThawReason reason)
{
    g_autofree char *now = freeze_time_text(g_get_real_time());

    return g_strdup_printf("The freeze by %s had ended before, at %s: %s",
                           freeze->by ? freeze->by : FREEZE_STRANGER, now, reason_texts[reason]);
}

char *freeze_words_refusal(const Freeze *freeze, const char *command)
{
    g_autofree char *since = freeze_time_text(freeze->since_us);

    return g_strdup_printf("Command %s has been disabled: the guest is %s by %s since %s", command,
                           freeze_state_name(freeze), freeze->by ? freeze->by : FREEZE_STRANGER,
                           since);
}
