/* SPDX-License-Identifier: GPL-2.0-or-later */

/* info: guest-ping, guest-info. */

#include "agent/dispatch.h"

gboolean guest_ping(Commands *commands, Call *call, GError **error)
{
    return TRUE;
}

/* Just these three members: hosts refuse an entry that has a fourth. */
static void write_command(JsonWrite *write, const Policy *policy, const GuestCommand *command)
{
    json_write_begin_object(write);
    json_write_member_boolean(write, "enabled", policy_permits(policy, command));
    json_write_member_string(write, "name", command->name);
    json_write_member_boolean(write, "success-response", (command->flags & GUEST_FLAG_SILENT) == 0);
    json_write_end_object(write);
}

gboolean guest_info(Commands *commands, Call *call, GError **error)
{
    JsonWrite *write = call_result(call);

    json_write_begin_object(write);
    json_write_member_string(write, "version", QGA_PROXY_VERSION);
    json_write_key(write, "supported_commands");
    json_write_begin_array(write);
    for (guint i = 0; i < GUEST_SCHEMA_COMMANDS; i++) {
        if (guest_handler_find(&guest_schema_commands[i]) != NULL)
            write_command(write, commands->policy, &guest_schema_commands[i]);
    }
    json_write_end_array(write);
    json_write_end_object(write);
    return TRUE;
}
