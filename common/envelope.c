/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "envelope.h"

#include "limits.h"
#include "qmp-error.h"

#include <string.h>

/* ---- Commands -------------------------------------------------------------------------------- */

typedef struct {
    JsonSpan execute, exec_oob, arguments, id;
    JsonSpan timeout, timeout_key;
    JsonSpan stranger; /* the key of the first member that does not belong */
} Members;

static Members sort_members(JsonSpan message, EnvelopeExtras extras)
{
    Members members = {0};
    JsonWalk walk = json_read_walk(message);
    JsonSpan key, value;

    while (json_read_member(&walk, &key, &value)) {
        if (json_read_is(key, "execute")) {
            members.execute = value;
        } else if (json_read_is(key, "exec-oob") && (extras & ENVELOPE_OOB_KNOWN)) {
            members.exec_oob = value;
        } else if (json_read_is(key, "arguments")) {
            members.arguments = value;
        } else if (json_read_is(key, "id")) {
            members.id = value;
        } else if (json_read_is(key, "qga-proxy-timeout") && (extras & ENVELOPE_TIMEOUT_KNOWN)) {
            members.timeout_key = key;
            members.timeout = value;
        } else if (!members.stranger.text) {
            members.stranger = key;
        }
    }
    return members;
}

char *envelope_quotable(JsonSpan string)
{
    char *text = json_read_string(string);

    if (strlen(text) > LIMIT_COMMAND_NAME)
        *g_utf8_find_prev_char(text, text + LIMIT_COMMAND_NAME + 1) = '\0';
    return text;
}

static gboolean names_guest_command(JsonSpan name)
{
    g_autofree char *text = NULL;

    if (json_read_kind(name) != JSON_KIND_STRING)
        return FALSE;
    text = envelope_quotable(name);
    return g_str_has_prefix(text, "guest-");
}

/* To any other command it is what any other member is: a stranger, if it is the first. */
static void disown_timeout(Members *members, JsonSpan name)
{
    if (!members->timeout.text || names_guest_command(name))
        return;
    if (!members->stranger.text || members->timeout_key.text < members->stranger.text)
        members->stranger = members->timeout_key;
}

static gboolean read_timeout(JsonSpan value, guint *ret_seconds, GError **error)
{
    gint64 seconds;

    if (!value.text)
        return TRUE;
    if (!json_read_int64(value, &seconds) || seconds < 1 || seconds > LIMIT_SESSION_TIMEOUT) {
        qmp_error_set(error, "QMP input member 'qga-proxy-timeout' must be an integer from 1 to %u",
                      LIMIT_SESSION_TIMEOUT);
        return FALSE;
    }
    *ret_seconds = (guint)seconds;
    return TRUE;
}

gboolean envelope_find_command(JsonSpan message, EnvelopeExtras extras, EnvelopeCommand *ret,
                               GError **error)
{
    Members members;
    JsonSpan name;
    const char *member;

    *ret = (EnvelopeCommand){0};
    if (json_read_kind(message) != JSON_KIND_OBJECT) {
        qmp_error_set(error, "QMP input must be a JSON object");
        return FALSE;
    }
    members = sort_members(message, extras);
    name = members.exec_oob.text ? members.exec_oob : members.execute;
    disown_timeout(&members, name);
    ret->id = members.id;
    ret->oob = members.exec_oob.text != NULL;

    if (members.stranger.text) {
        g_autofree char *stranger = envelope_quotable(members.stranger);

        qmp_error_set(error, "QMP input member '%s' is unexpected", stranger);
        return FALSE;
    }
    if (members.execute.text && members.exec_oob.text) {
        qmp_error_set(error, "QMP input member 'execute' clashes with 'exec-oob'");
        return FALSE;
    }
    member = members.exec_oob.text ? "exec-oob" : "execute";
    if (json_read_kind(name) == JSON_KIND_NONE) {
        qmp_error_set(error, "QMP input lacks member 'execute'");
        return FALSE;
    }
    if (json_read_kind(name) != JSON_KIND_STRING) {
        qmp_error_set(error, "QMP input member '%s' must be a string", member);
        return FALSE;
    }
    if (members.arguments.text && json_read_kind(members.arguments) != JSON_KIND_OBJECT) {
        qmp_error_set(error, "QMP input member 'arguments' must be an object");
        return FALSE;
    }
    if (!read_timeout(members.timeout, &ret->timeout, error))
        return FALSE;

    ret->called = name;
    ret->arguments = members.arguments;
    return TRUE;
}

gboolean envelope_read_command(JsonSpan message, EnvelopeExtras extras, EnvelopeCommand *ret,
                               GError **error)
{
    if (!envelope_find_command(message, extras, ret, error))
        return FALSE;
    ret->name = envelope_quotable(ret->called);
    return TRUE;
}

void envelope_command_clear(EnvelopeCommand *command)
{
    g_clear_pointer(&command->name, g_free);
}

/* ---- Replies --------------------------------------------------------------------------------- */

const EnvelopeReply envelope_empty_return = {.kind = ENVELOPE_RETURN, .value = {"{}", 2}};

/* Which members each kind has, beside the one that it is known by. */
static const struct {
    const char *member;
    EnvelopeKind kind;
    JsonKind value;
    gboolean may_have_id;
    gboolean is_event;
} kinds[] = {
    {"return", ENVELOPE_RETURN, JSON_KIND_NONE, TRUE, FALSE},
    {"error", ENVELOPE_ERROR, JSON_KIND_OBJECT, TRUE, FALSE},
    {"event", ENVELOPE_EVENT, JSON_KIND_STRING, FALSE, TRUE},
    {"QMP", ENVELOPE_GREETING, JSON_KIND_OBJECT, FALSE, FALSE},
};

static gint find_kind(JsonSpan key)
{
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (json_read_is(key, kinds[i].member))
            return (gint)i;
    return -1;
}

/* A success that was begun, and then failed, is an error: see message_break(). */
static gboolean is_break(gint before, gint found)
{
    return kinds[before].kind == ENVELOPE_RETURN && kinds[found].kind == ENVELOPE_ERROR;
}

static gboolean is_error_object(JsonSpan error)
{
    JsonWalk walk = json_read_walk(error);
    JsonSpan key, value;
    guint members = 0;

    while (json_read_member(&walk, &key, &value)) {
        if (!json_read_is(key, "class") && !json_read_is(key, "desc"))
            return FALSE;
        if (json_read_kind(value) != JSON_KIND_STRING)
            return FALSE;
        members++;
    }
    return members == 2;
}

gboolean envelope_read_reply_past(JsonSpan message, JsonSpan known, EnvelopeReply *ret)
{
    EnvelopeReply reply = {0};
    gint kind = -1;
    gboolean has_timestamp = FALSE;
    JsonWalk walk;
    JsonSpan key, value;

    if (json_read_kind(message) != JSON_KIND_OBJECT)
        return FALSE;
    walk = json_read_walk_past(message, known);
    while (json_read_member(&walk, &key, &value)) {
        gint found = find_kind(key);

        if (found >= 0 && kind >= 0 && !is_break(kind, found))
            return FALSE;
        if (found >= 0) {
            kind = found;
            reply.value = value;
        } else if (json_read_is(key, "id")) {
            reply.id = value;
        } else if (json_read_is(key, "data")) {
            reply.data = value;
        } else if (json_read_is(key, "timestamp")) {
            has_timestamp = TRUE;
        } else {
            return FALSE;
        }
    }

    if (kind < 0 || (reply.id.text && !kinds[kind].may_have_id) ||
        has_timestamp != kinds[kind].is_event || (reply.data.text && !kinds[kind].is_event))
        return FALSE;
    if (kinds[kind].value != JSON_KIND_NONE && json_read_kind(reply.value) != kinds[kind].value)
        return FALSE;
    if (kinds[kind].kind == ENVELOPE_ERROR && !is_error_object(reply.value))
        return FALSE;
    reply.kind = kinds[kind].kind;
    reply.known = known;
    *ret = reply;
    return TRUE;
}

gboolean envelope_read_reply(JsonSpan message, EnvelopeReply *ret)
{
    return envelope_read_reply_past(message, JSON_SPAN_NONE, ret);
}

GError *envelope_error(const EnvelopeReply *reply, gsize max_desc)
{
    g_autofree char *class = json_read_string(json_read_get(reply->value, "class"));
    g_autofree char *desc = json_read_string(json_read_get(reply->value, "desc"));

    if (strlen(desc) > max_desc)
        *g_utf8_find_prev_char(desc, desc + max_desc + 1) = '\0';
    return g_error_new_literal(QMP_ERROR, (gint)qmp_error_from_class(class), desc);
}
