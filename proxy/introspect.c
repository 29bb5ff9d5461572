/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "introspect.h"

#include "common/json-write.h"
#include "common/limits.h"

#include <string.h>

void introspect_init(Introspect *introspect)
{
    *introspect = (Introspect){.guest_commands = g_ptr_array_new_with_free_func(g_free)};
}

void introspect_clear(Introspect *introspect)
{
    g_clear_pointer(&introspect->guest_commands, g_ptr_array_unref);
    g_clear_pointer(&introspect->agent_version, g_free);
}

void introspect_forget_agent(Introspect *introspect)
{
    g_ptr_array_set_size(introspect->guest_commands, 0);
    g_clear_pointer(&introspect->agent_version, g_free);
}

static gboolean is_guest_command(const char *name)
{
    return name && g_str_has_prefix(name, "guest-") && strlen(name) <= LIMIT_COMMAND_NAME;
}

void introspect_read_guest_info(Introspect *introspect, JsonSpan info)
{
    JsonWalk walk = json_read_walk(json_read_get(info, "supported_commands"));
    JsonSpan command;

    introspect_forget_agent(introspect);
    introspect->agent_version = json_read_string(json_read_get(info, "version"));
    while (json_read_element(&walk, &command) &&
           introspect->guest_commands->len < LIMIT_AGENT_COMMANDS) {
        g_autofree char *name = json_read_string(json_read_get(command, "name"));
        gboolean enabled;

        if (is_guest_command(name) &&
            json_read_boolean(json_read_get(command, "enabled"), &enabled) && enabled &&
            !g_ptr_array_find_with_equal_func(introspect->guest_commands, name, g_str_equal, NULL))
            g_ptr_array_add(introspect->guest_commands, g_steal_pointer(&name));
    }
}

static void write_name(JsonWrite *write, const char *name)
{
    json_write_begin_object(write);
    json_write_key(write, "name");
    json_write_string(write, name);
    json_write_end_object(write);
}

void introspect_merge_commands(const Introspect *introspect, JsonSpan commands,
                               const char *const *ours, GString *out)
{
    JsonWalk walk = json_read_walk(commands);
    JsonSpan command;
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_array(&write);
    while (json_read_element(&walk, &command))
        json_write_span(&write, command);
    for (guint i = 0; i < introspect->guest_commands->len; i++)
        write_name(&write, g_ptr_array_index(introspect->guest_commands, i));
    for (; *ours; ours++)
        write_name(&write, *ours);
    json_write_end_array(&write);
}
