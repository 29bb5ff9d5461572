/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench-peer agent|qmp|echo PATH [COUNT]: an agent or a QEMU that does no more than the protocol
 * asks, or one that answers whatever it reads as if it had been a ping, without a look at it.
 *
 * Answers at once what the proxy has to know, and everything else with an empty object. Serves one
 * path, or COUNT of them with their number behind. guest-file-read is answered with as many bytes
 * as were asked for, from one text that is there already: what is measured is who carries it.
 *
 * It is told apart where a command ends by its brackets alone: whoever asks here is ours.
 */

#include "server.h"
#include "turn.h"

#include "common/json-read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 * 1024, LARGEST = 64 << 20 };

typedef struct {
    ServerEnd end;
    gsize len, looked;
    guint depth;
    gboolean quoted, escaped;
    char bytes[BUFFER];
} Visitor;

static gboolean is_agent;
static char *base64; /* LARGEST bytes of it */

static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, "
    "\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n";

static const struct {
    const char *name;
    const char *answer;
} known[] = {
    {"guest-info", "{\"version\": \"7.2.22\", \"supported_commands\": ["
                   "{\"enabled\": true, \"name\": \"guest-ping\", \"success-response\": true}, "
                   "{\"enabled\": true, \"name\": \"guest-file-read\", \"success-response\": true}"
                   "]}"},
    {"query-status", "{\"status\": \"running\", \"singlestep\": false, \"running\": true}"},
    {"query-chardev", "[]"},
    {"query-commands", "[{\"name\": \"query-name\"}, {\"name\": \"query-status\"}]"},
    {"query-qmp-schema", "[]"},
};

static void say(const Visitor *visitor, const char *text, gsize len)
{
    server_write(visitor->end.fd, text, len);
}

static void answer(const Visitor *visitor, JsonSpan id, const char *before, const char *value)
{
    g_autofree char *with_id =
        id.len ? g_strdup_printf(", \"id\": %.*s", (int)id.len, id.text) : g_strdup("");
    g_autofree char *text = g_strdup_printf("%s{\"return\": %s%s}\n", before, value, with_id);

    say(visitor, text, strlen(text));
}

static void answer_read(const Visitor *visitor, JsonSpan id, JsonSpan arguments)
{
    gint64 count = 4096;
    g_autofree char *before = NULL;
    g_autofree char *behind = NULL;
    gsize len;

    json_read_int64(json_read_get(arguments, "count"), &count);
    len = MIN((gsize)count / 3 * 4, (gsize)LARGEST);
    before = g_strdup_printf("{\"return\": {\"count\": %" G_GSIZE_FORMAT ", \"buf-b64\": \"",
                             len / 4 * 3);
    behind = id.len ? g_strdup_printf("\", \"eof\": false}, \"id\": %.*s}\n", (int)id.len, id.text)
                    : g_strdup("\", \"eof\": false}}\n");
    say(visitor, before, strlen(before));
    say(visitor, base64, len);
    say(visitor, behind, strlen(behind));
}

static void obey(const Visitor *visitor, const char *text, gsize len)
{
    const JsonSpan command = {text, len};
    JsonSpan name = json_read_get(command, "execute");
    JsonSpan arguments = json_read_get(command, "arguments");
    JsonSpan id = json_read_get(command, "id");

    if (json_read_is(name, "guest-file-read")) {
        answer_read(visitor, id, arguments);
        return;
    }
    if (json_read_is(name, "guest-sync-delimited") || json_read_is(name, "guest-sync")) {
        JsonSpan number = json_read_get(arguments, "id");
        g_autofree char *value = g_strndup(number.text, number.len);

        answer(visitor, id, json_read_is(name, "guest-sync") ? "" : "\xff", value);
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (json_read_is(name, known[i].name)) {
            answer(visitor, id, "", known[i].answer);
            return;
        }
    }
    answer(visitor, id, "", "{}");
}

/* Returns: whether a command ends with this byte */
static gboolean ends_with(Visitor *visitor, char byte)
{
    if (visitor->quoted) {
        visitor->quoted = visitor->escaped || byte != '"';
        visitor->escaped = !visitor->escaped && byte == '\\';
        return FALSE;
    }
    if (byte == '"')
        visitor->quoted = TRUE;
    else if (byte == '{' || byte == '[')
        visitor->depth++;
    else if ((byte == '}' || byte == ']') && visitor->depth > 0)
        return --visitor->depth == 0;
    return FALSE;
}

static void serve(ServerEnd *end)
{
    Visitor *visitor = (Visitor *)end;
    ssize_t count =
        recv(end->fd, visitor->bytes + visitor->len, sizeof visitor->bytes - visitor->len, 0);
    gsize start = 0;

    if (count <= 0) {
        close(end->fd);
        g_free(visitor);
        return;
    }
    visitor->len += (gsize)count;
    for (; visitor->looked < visitor->len; visitor->looked++) {
        if (visitor->depth == 0 && visitor->bytes[visitor->looked] != '{')
            start = visitor->looked + 1;
        if (!ends_with(visitor, visitor->bytes[visitor->looked]))
            continue;
        obey(visitor, visitor->bytes + start, visitor->looked + 1 - start);
        start = visitor->looked + 1;
    }
    visitor->len -= start;
    visitor->looked -= start;
    memmove(visitor->bytes, visitor->bytes + start, visitor->len);
}

static void echo(ServerEnd *end)
{
    static const char answer_text[] = "{\"return\": {}}\n";
    char bytes[BUFFER];

    if (recv(end->fd, bytes, sizeof bytes, 0) > 0) {
        server_write(end->fd, answer_text, sizeof answer_text - 1);
        return;
    }
    close(end->fd);
    g_free(end);
}

static void meet_for_echo(ServerEnd *door)
{
    ServerEnd *end = g_new(ServerEnd, 1);

    *end = (ServerEnd){accept4(door->fd, NULL, NULL, SOCK_CLOEXEC), echo};
    server_add(end);
}

static void meet(ServerEnd *door)
{
    Visitor *visitor = g_new(Visitor, 1);

    visitor->end = (ServerEnd){accept4(door->fd, NULL, NULL, SOCK_CLOEXEC), serve};
    visitor->len = visitor->looked = visitor->depth = 0;
    visitor->quoted = visitor->escaped = FALSE;
    server_add(&visitor->end);
    if (!is_agent)
        say(visitor, greeting, strlen(greeting));
}

int main(int argc, char **argv)
{
    guint count = argc > 3 ? (guint)strtoul(argv[3], NULL, 10) : 1;

    gboolean is_echo = argc > 1 && g_str_equal(argv[1], "echo");

    g_set_prgname("bench-peer");
    if (argc < 3)
        turn_fail("usage: bench-peer agent|qmp|echo PATH [COUNT]");
    is_agent = g_str_equal(argv[1], "agent");
    base64 = g_malloc(LARGEST);
    memset(base64, 'A', LARGEST);
    server_init();
    for (guint i = 0; i < count; i++) {
        g_autofree char *path = argc > 3 ? g_strdup_printf("%s%u", argv[2], i) : g_strdup(argv[2]);
        ServerEnd *door = g_new(ServerEnd, 1);

        *door = (ServerEnd){server_listen(path), is_echo ? meet_for_echo : meet};
        server_add(door);
    }
    server_ready();
    server_serve();
}
