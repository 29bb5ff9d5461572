/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "message.h"

#include "append.h"
#include "json-write.h"
#include "qmp-error.h"

void message_open(GString *out)
{
    append_literal(out, "{\"return\": ");
}

void message_close(GString *out, MessageDialect dialect, JsonSpan id)
{
    JsonWrite write;

    json_write_init(&write, out);
    if (id.text) {
        append_literal(out, ", \"id\": ");
        json_write_value(&write, id);
    }
    if (dialect == MESSAGE_QMP)
        append_literal(out, "}\r\n");
    else
        append_literal(out, "}\n");
}

void message_return(GString *out, MessageDialect dialect, JsonSpan value, JsonSpan id)
{
    message_open(out);
    append_bytes(out, value.text, value.len);
    message_close(out, dialect, id);
}

void message_error_span(GString *out, MessageDialect dialect, JsonSpan error, JsonSpan id)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    if (id.text) {
        json_write_key(&write, "id");
        json_write_value(&write, id);
    }
    json_write_key(&write, "error");
    json_write_span(&write, error);
    message_close(out, dialect, JSON_SPAN_NONE);
}

static void write_error(GString *out, const GError *error)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    json_write_member_string(&write, "class", qmp_error_class(error));
    json_write_member_string(&write, "desc", error->message);
    json_write_end_object(&write);
}

void message_error(GString *out, MessageDialect dialect, const GError *error, JsonSpan id)
{
    g_autoptr(GString) object = g_string_new(NULL);

    write_error(object, error);
    message_error_span(out, dialect, (JsonSpan){object->str, object->len}, id);
}

void message_break(GString *out, MessageDialect dialect, const GError *error, JsonSpan id)
{
    g_string_append(out, ", \"error\": ");
    write_error(out, error);
    message_close(out, dialect, id);
}

void message_event(GString *out, const char *name, JsonSpan data, gint64 now_us)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    json_write_key(&write, "timestamp");
    json_write_begin_object(&write);
    json_write_member_int64(&write, "seconds", now_us / G_USEC_PER_SEC);
    json_write_member_int64(&write, "microseconds", now_us % G_USEC_PER_SEC);
    json_write_end_object(&write);
    json_write_member_string(&write, "event", name);
    if (data.text) {
        json_write_key(&write, "data");
        json_write_span(&write, data);
    }
    message_close(out, MESSAGE_QMP, JSON_SPAN_NONE);
}

void message_greeting(GString *out, JsonSpan version, gboolean oob)
{
    JsonWrite write;

    json_write_init(&write, out);
    json_write_begin_object(&write);
    json_write_key(&write, "QMP");
    json_write_begin_object(&write);
    json_write_key(&write, "version");
    json_write_span(&write, version);
    json_write_key(&write, "capabilities");
    json_write_begin_array(&write);
    if (oob)
        json_write_string(&write, "oob");
    json_write_end_array(&write);
    json_write_end_object(&write);
    message_close(out, MESSAGE_QMP, JSON_SPAN_NONE);
}

static gboolean is_empty(JsonSpan object)
{
    JsonWalk walk = json_read_walk(object);
    JsonSpan key, value;

    return !json_read_member(&walk, &key, &value);
}

void message_command(GString *out, const char *name, gboolean oob, JsonSpan arguments, JsonSpan id)
{
    JsonWrite write;

    g_string_append(out, oob ? "{\"exec-oob\":" : "{\"execute\":");
    json_write_init(&write, out);
    json_write_string(&write, name);
    if (arguments.text && !is_empty(arguments)) {
        g_string_append(out, ",\"arguments\":");
        json_read_compact(arguments, out);
    }
    if (id.text) {
        g_string_append(out, ",\"id\":");
        json_read_compact(id, out);
    }
    g_string_append_c(out, '}');
}
