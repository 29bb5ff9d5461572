/* SPDX-License-Identifier: GPL-2.0-or-later */

/* sync: guest-sync, guest-sync-delimited. */

#include "agent/dispatch.h"

gboolean guest_sync(Commands *commands, const GuestSyncArguments *args, Call *call, GError **error)
{
    call_begin_anew(call);
    json_write_int64(call_result(call), args->id);
    return TRUE;
}

gboolean guest_sync_delimited(Commands *commands, const GuestSyncDelimitedArguments *args,
                              Call *call, GError **error)
{
    call_begin_anew(call);
    call_delimit(call);
    json_write_int64(call_result(call), args->id);
    return TRUE;
}
