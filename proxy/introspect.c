/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "introspect.h"

#include "common/envelope.h"
#include "common/guest-schema/guest-schema.h"
#include "common/guest-schema/introspection.h"
#include "common/json-write.h"
#include "common/limits.h"

#include <string.h>

/* The type of no arguments and of no result, as the tables of introspection.h know it. */
#define EMPTY "qga.empty"

/* What our entries refer to and QEMU's schema may have: it tells of a builtin type only where it
 * uses it. */
static const struct {
    const char *name;
    const char *entry;
} shared[] = {
    {"any", "{\"name\": \"any\", \"json-type\": \"value\", \"meta-type\": \"builtin\"}"},
    {"bool", "{\"name\": \"bool\", \"json-type\": \"boolean\", \"meta-type\": \"builtin\"}"},
    {"int", "{\"name\": \"int\", \"json-type\": \"int\", \"meta-type\": \"builtin\"}"},
    {"number", "{\"name\": \"number\", \"json-type\": \"number\", \"meta-type\": \"builtin\"}"},
    {"str", "{\"name\": \"str\", \"json-type\": \"string\", \"meta-type\": \"builtin\"}"},
    {EMPTY, "{\"name\": \"" EMPTY "\", \"members\": [], \"meta-type\": \"object\"}"},
};

void introspect_init(Introspect *introspect)
{
    *introspect = (Introspect){.guest_commands = g_ptr_array_new_with_free_func(g_free)};
}

void introspect_clear(Introspect *introspect)
{
    introspect_forget_qemu(introspect);
    g_clear_pointer(&introspect->guest_commands, g_ptr_array_unref);
    g_clear_pointer(&introspect->agent_version, g_free);
}

/* ---- The agent ------------------------------------------------------------------------------- */

void introspect_forget_agent(Introspect *introspect)
{
    g_ptr_array_set_size(introspect->guest_commands, 0);
    g_clear_pointer(&introspect->agent_version, g_free);
    introspect->restricted = FALSE;
    introspect->capable = FALSE;
    introspect->commands.whole = FALSE;
    introspect->schema.whole = FALSE;
}

static gboolean is_guest_command(const char *name)
{
    return name && g_str_has_prefix(name, "guest-") && strlen(name) <= LIMIT_COMMAND_NAME;
}

static gboolean is_for_the_channel(const char *name)
{
    const GuestCommand *known = guest_schema_find(name);

    return known && (known->flags & GUEST_FLAG_CHANNEL);
}

void introspect_read_guest_info(Introspect *introspect, JsonSpan info)
{
    JsonWalk walk = json_read_walk(json_read_get(info, "supported_commands"));
    JsonSpan version = json_read_get(info, "version");
    JsonSpan command;

    introspect_forget_agent(introspect);
    if (json_read_kind(version) == JSON_KIND_STRING)
        introspect->agent_version = envelope_quotable(version);
    for (guint i = 0; i < LIMIT_AGENT_COMMANDS && json_read_element(&walk, &command); i++) {
        g_autofree char *name = json_read_string(json_read_get(command, "name"));
        gboolean enabled;

        if (!is_guest_command(name) ||
            !json_read_boolean(json_read_get(command, "enabled"), &enabled))
            continue;
        if (!enabled)
            introspect->restricted = TRUE;
        else if (is_for_the_channel(name))
            introspect->capable = TRUE;
        else if (!g_ptr_array_find_with_equal_func(introspect->guest_commands, name, g_str_equal,
                                                   NULL))
            g_ptr_array_add(introspect->guest_commands, g_steal_pointer(&name));
    }
}

/* ---- Entries --------------------------------------------------------------------------------- */

static void write_name(JsonWrite *write, const char *name)
{
    json_write_begin_object(write);
    json_write_member_string(write, "name", name);
    json_write_end_object(write);
}

static void write_text(JsonWrite *write, const char *entries)
{
    json_write_span(write, (JsonSpan){entries, strlen(entries)});
}

/* A command that the schema does not know may return anything. It may take arguments too, but QAPI
 * has no word for that: they are an object of known members. */
static void write_stranger(JsonWrite *write, const char *name)
{
    json_write_begin_object(write);
    json_write_member_string(write, "name", name);
    json_write_member_string(write, "ret-type", "any");
    json_write_member_string(write, "meta-type", "command");
    json_write_member_string(write, "arg-type", EMPTY);
    json_write_end_object(write);
}

static void write_guest_command(JsonWrite *write, const char *name)
{
    const GuestCommand *known = guest_schema_find(name);

    if (known)
        write_text(write, guest_introspection[known - guest_schema_commands].entries);
    else
        write_stranger(write, name);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

static IntrospectList *list_of(Introspect *introspect, const char *question)
{
    return g_str_equal(question, "query-commands") ? &introspect->commands : &introspect->schema;
}

static void forget_list(IntrospectList *list)
{
    g_clear_pointer(&list->text, g_bytes_unref);
    *list = (IntrospectList){NULL};
}

void introspect_forget_qemu(Introspect *introspect)
{
    forget_list(&introspect->commands);
    forget_list(&introspect->schema);
}

static void write_commands(JsonWrite *write, JsonSpan list)
{
    JsonWalk walk = json_read_walk(list);
    JsonSpan command;

    while (json_read_element(&walk, &command))
        json_write_span(write, command);
    for (const Introspection *own = proxy_introspection; own->name; own++)
        write_name(write, own->name);
}

static void write_schema(JsonWrite *write, JsonSpan list)
{
    JsonWalk walk = json_read_walk(list);
    gboolean has[G_N_ELEMENTS(shared)] = {FALSE};
    JsonSpan entry;

    while (json_read_element(&walk, &entry)) {
        JsonSpan name = json_read_get(entry, "name");

        for (gsize i = 0; i < G_N_ELEMENTS(shared); i++)
            has[i] |= json_read_is(name, shared[i].name);
        json_write_span(write, entry);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(shared); i++)
        if (!has[i])
            write_text(write, shared[i].entry);
    for (const Introspection *own = proxy_introspection; own->name; own++)
        write_text(write, own->entries);
    for (const Introspection *own = proxy_event_introspection; own->name; own++)
        write_text(write, own->entries);
}

void introspect_learn(Introspect *introspect, const char *question, JsonSpan list)
{
    IntrospectList *known = list_of(introspect, question);
    GString *text;
    JsonWrite write;

    if (known->text)
        return;
    text = g_string_sized_new(list.len);
    json_write_init(&write, text);
    json_write_begin_array(&write);
    if (known == &introspect->schema)
        write_schema(&write, list);
    else
        write_commands(&write, list);
    known->fixed = text->len;
    known->text = g_string_free_to_bytes(text);
}

/* The former text may be on its way to somebody. */
static void make_whole(const Introspect *introspect, IntrospectList *list)
{
    GString *text = g_string_new_len(g_bytes_get_data(list->text, NULL), (gssize)list->fixed);
    JsonWrite write = {.out = text, .comma = TRUE}; /* the proxy's own commands stand before */

    for (guint i = 0; i < introspect->guest_commands->len; i++) {
        const char *name = g_ptr_array_index(introspect->guest_commands, i);

        (list == &introspect->schema ? write_guest_command : write_name)(&write, name);
    }
    json_write_end_array(&write);
    g_bytes_unref(list->text);
    list->text = g_string_free_to_bytes(text);
    list->whole = TRUE;
}

GBytes *introspect_answer(Introspect *introspect, const char *question)
{
    IntrospectList *list = list_of(introspect, question);

    if (list->text && !list->whole)
        make_whole(introspect, list);
    return list->text;
}

/* ---- To a successor -------------------------------------------------------------------------- */

void introspect_save(const Introspect *introspect, Saved *to)
{
    SavedList *list = saved_list_new();

    for (guint i = 0; i < introspect->guest_commands->len; i++) {
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_text(&item, "name", introspect->guest_commands->pdata[i]);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "guest-commands", list);
    saved_put_text(to, "agent-version", introspect->agent_version);
    saved_put_int(to, "restricted", introspect->restricted);
}

static void restore_command(Saved *item, gpointer commands)
{
    char *name = saved_get_text(item, "name");

    if (name)
        g_ptr_array_add(commands, name);
}

void introspect_restore(Introspect *introspect, Saved *from)
{
    introspect_forget_agent(introspect);
    saved_foreach(from, "guest-commands", restore_command, introspect->guest_commands);
    introspect->agent_version = saved_get_text(from, "agent-version");
    introspect->restricted = saved_get_int(from, "restricted") != 0;
}
