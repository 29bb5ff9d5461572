/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "agent-read.h"

#include "common/json-run.h"
#include "common/json-write.h"
#include "common/limits.h"
#include "common/scratch.h"

#include <string.h>

/* Around the digits, which stand in one place from the first piece on: how many bytes they are is
 * written in front of them when all have come. */
enum { HEAD_BYTES = 64, TAIL_BYTES = 32 };

struct AgentRead {
    gint64 handle;
    gint64 asked; /* bytes of the file */
    gint64 slice; /* of them at once: who left the read may have had another limit */
    gint64 got;
    gboolean eof;
    Buffer text; /* room for the head, the digits, room for the tail */
    gsize digits;
};

/* ---- What is asked --------------------------------------------------------------------------- */

static gboolean find_handle(const Pending *command, gint64 *ret)
{
    return json_read_int64(json_read_get(pending_arguments(command), "handle"), ret);
}

/* Another member is wrong, and left to the agent to complain of. */
static gboolean has_members(const Pending *command, guint count)
{
    JsonWalk walk = json_read_walk(pending_arguments(command));
    JsonSpan unused_key, unused_value;

    while (count > 0 && json_read_member(&walk, &unused_key, &unused_value))
        count--;
    return count == 0 && !json_read_member(&walk, &unused_key, &unused_value);
}

AgentRead *agent_read_new(const Pending *command)
{
    gint64 handle, count;
    AgentRead *read;

    if (!pending_has_flag(command, GUEST_FLAG_BULK) ||
        !g_str_equal(command->name, "guest-file-read") || !has_members(command, 2) ||
        !find_handle(command, &handle) ||
        !json_read_int64(json_read_get(pending_arguments(command), "count"), &count) ||
        count <= LIMIT_FILE_SLICE_BYTES || count > LIMIT_FILE_READ_BYTES)
        return NULL;
    read = g_new(AgentRead, 1);
    *read = (AgentRead){.handle = handle, .asked = count, .slice = LIMIT_FILE_SLICE_BYTES};
    return read;
}

void agent_read_free(AgentRead *read)
{
    if (!read)
        return;
    buffer_clear(&read->text);
    g_free(read);
}

static gint64 piece(const AgentRead *read)
{
    return MIN(read->asked - read->got, read->slice);
}

void agent_read_write(const AgentRead *read, GString *text)
{
    JsonWrite write;

    json_write_init(&write, text);
    json_write_begin_object(&write);
    json_write_member_int64(&write, "handle", read->handle);
    json_write_member_int64(&write, "count", piece(read));
    json_write_end_object(&write);
}

gboolean agent_read_find_file(const Pending *command, gint64 *ret_handle)
{
    return g_str_has_prefix(command->name, "guest-file-") && find_handle(command, ret_handle);
}

/* ---- What comes ------------------------------------------------------------------------------ */

/* Room for all that may come is had at once, when the first piece was not all: what is not used of
 * it costs nothing, and to grow would. */
static void append(AgentRead *read, JsonSpan digits)
{
    if (!read->text.text)
        buffer_resize(&read->text, HEAD_BYTES + (gsize)(read->asked + 2) / 3 * 4 + TAIL_BYTES);
    memcpy(read->text.text + HEAD_BYTES + read->digits, digits.text, digits.len);
    read->digits += digits.len;
}

/* Of the text between the quotes nothing is looked at but that it may stand there as it is. */
static gboolean find_digits(const EnvelopeReply *reply, JsonSpan string, JsonSpan *ret)
{
    if (json_read_kind(string) != JSON_KIND_STRING)
        return FALSE;
    *ret = (JsonSpan){string.text + 1, string.len - 2};
    return string.text == reply->known.text ||
           json_run(ret->text, ret->text + ret->len, '"') == ret->text + ret->len;
}

typedef struct {
    JsonSpan digits;
    gint64 count;
    gboolean eof;
} Piece;

static gboolean find_piece(const EnvelopeReply *reply, Piece *ret)
{
    JsonWalk walk = json_read_walk_past(reply->value, reply->known);
    JsonSpan key, value;
    guint found = 0;

    while (json_read_member(&walk, &key, &value)) {
        if (json_read_is(key, "count"))
            found += json_read_int64(value, &ret->count);
        else if (json_read_is(key, "buf-b64"))
            found += find_digits(reply, value, &ret->digits);
        else if (json_read_is(key, "eof"))
            found += json_read_boolean(value, &ret->eof);
    }
    return found == 3;
}

AgentReadState agent_read_take(AgentRead *read, const EnvelopeReply *reply, BufferLarge large)
{
    gint64 asked = piece(read);
    gboolean last;
    Piece came;

    if (reply->kind == ENVELOPE_ERROR)
        return AGENT_READ_ANSWERED;
    if (!find_piece(reply, &came) || came.count < 0 || came.count > asked ||
        came.digits.len != (gsize)(came.count + 2) / 3 * 4)
        return AGENT_READ_WRONG;
    last = came.eof || came.count < asked || read->got + came.count == read->asked;
    if (last && read->got == 0)
        return AGENT_READ_ANSWERED;
    if (!read->text.text)
        read->text.large = large;
    append(read, came.digits);
    read->got += came.count;
    read->eof = came.eof;
    return last ? AGENT_READ_WHOLE : AGENT_READ_ON;
}

GBytes *agent_read_finish(AgentRead *read)
{
    g_autoptr(Scratch) head = scratch_new();
    const char *tail = read->eof ? "\", \"eof\": true}" : "\", \"eof\": false}";
    char *text = read->text.text + HEAD_BYTES;
    gsize len;

    g_string_printf(head, "{\"count\": %" G_GINT64_FORMAT ", \"buf-b64\": \"", read->got);
    memcpy(text - head->len, head->str, head->len);
    memcpy(text + read->digits, tail, strlen(tail));
    len = head->len + read->digits + strlen(tail);
    buffer_resize(&read->text, HEAD_BYTES - head->len + len);
    return buffer_to_bytes(&read->text, HEAD_BYTES - head->len, len);
}

/* ---- To a successor -------------------------------------------------------------------------- */

void agent_read_save(const AgentRead *read, Saved *to)
{
    saved_put_int(to, "slice", read->slice);
    saved_put_int(to, "handle", read->handle);
    saved_put_int(to, "asked", read->asked);
    saved_put_int(to, "got", read->got);
    if (read->got > 0)
        saved_put_bytes(to, "digits", read->text.text + HEAD_BYTES, read->digits);
}

AgentRead *agent_read_restore(Saved *from)
{
    g_autoptr(GBytes) digits = saved_get_bytes(from, "digits");
    gint64 slice = saved_get_int(from, "slice");
    AgentRead *read;
    JsonSpan span;

    if (slice == 0)
        return NULL;
    read = g_new(AgentRead, 1);
    *read = (AgentRead){
        .handle = saved_get_int(from, "handle"),
        .asked = saved_get_int(from, "asked"),
        .slice = slice,
        .got = saved_get_int(from, "got"),
    };
    if (!digits)
        return read;
    span.text = g_bytes_get_data(digits, &span.len);
    append(read, span);
    return read;
}
