/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* freeze-handover: what is known of a freeze, for the successor of a proxy, which may be of another
 * version: the names by which things are saved here stay, whatever they are called elsewhere. */

#include "freeze.h"

void freeze_save(const Freeze *freeze, Handover *handover, Saved *to)
{
    saved_put_int(to, "state", freeze->state);
    holds_save(&freeze->holds, "holds", handover, to);
    holds_save(&freeze->untold, "untold", handover, to);
    saved_put_int(to, "count", freeze->count);
    saved_put_int(to, "all", freeze->all);
    handover_put_queue(handover, to, "joining", &freeze->joining, FALSE);
    saved_put_text(to, "by", freeze->by);
    saved_put_int(to, "since", freeze->since_us);
    saved_put_int(to, "until", freeze->until_us);
    saved_put_int(to, "needs-sync", freeze->needs_sync);
    saved_put_int(to, "unseen", freeze->status_due);
    saved_put_int(to, "elsewhere", freeze->status_untrusted);
    saved_put_int(to, "owes", freeze->may_act_late);
    saved_put_int(to, "spoilt", freeze->overtaken);
    saved_put_int(to, "reason", freeze->reason);
    saved_put_int(to, "told", freeze->told);
    saved_put_text(to, "ended", freeze->ended);
    saved_put_int(to, "thaws", (gint64)freeze->thaws);
    if (freeze->unrecorded) {
        Saved held = G_VARIANT_DICT_INIT(NULL);

        handover_put_pending(handover, &held, freeze->unrecorded);
        saved_put_part(to, "held", &held);
    }
}

void freeze_restore(Freeze *freeze, const HandoverPart *part, const Pending *pending)
{
    Saved held;

    freeze->state = (FreezeState)saved_get_int(part->from, "state");
    holds_restore(&freeze->holds, "holds", part);
    holds_restore(&freeze->untold, "untold", part);
    freeze->count = saved_get_int(part->from, "count");
    freeze->all = saved_get_int(part->from, "all") != 0;
    handover_get_queue(part, "joining", &freeze->joining);
    g_free(freeze->by);
    freeze->by = saved_get_text(part->from, "by");
    freeze->since_us = saved_get_int(part->from, "since");
    freeze->until_us = saved_get_int(part->from, "until");
    freeze->needs_sync = saved_get_int(part->from, "needs-sync") != 0;
    freeze->status_due = saved_get_int(part->from, "unseen") != 0;
    freeze->status_untrusted = saved_get_int(part->from, "elsewhere") != 0;
    freeze->may_act_late = saved_get_int(part->from, "owes") != 0;
    freeze->overtaken = saved_get_int(part->from, "spoilt") != 0;
    freeze->reason = (ThawReason)saved_get_int(part->from, "reason");
    freeze->told = (ThawReason)saved_get_int(part->from, "told");
    freeze->ended = saved_get_text(part->from, "ended");
    freeze->thaws = (guint64)saved_get_int(part->from, "thaws");
    if (saved_get_part(part->from, "held", &held))
        freeze->unrecorded = handover_get_pending(&(HandoverPart){part->handover, &held});
    g_variant_dict_clear(&held);
    freeze->admitted = freeze->unrecorded ? freeze->unrecorded : pending;
}
