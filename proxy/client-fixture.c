/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "client-fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "support/sockets.h"

/* What a command leaves behind that was handed out and waits for its answer. */
typedef struct {
    char *name;
    gboolean oob;
    char *id; /* (nullable) */
} Asked;

static void asked_free(Asked *asked)
{
    g_free(asked->name);
    g_free(asked->id);
    g_free(asked);
}

static void answer(Desk *desk, Asked *asked)
{
    g_autofree char *name = g_strdup_printf("\"%s\"", asked->name);
    const char *value = desk->value ? desk->value : name;
    EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {value, strlen(value)}};
    JsonSpan id = {asked->id, asked->id ? strlen(asked->id) : 0};

    client_reply(desk->client, asked->oob, id, &reply);
    asked_free(asked);
}

static void read_fd(Desk *desk, const char *name, int fd)
{
    g_autofree char *text = sockets_read_all(fd);

    g_string_append_printf(desk->came, "%s:%s ", name, text);
}

static void on_request(gpointer owner, Client *client, const EnvelopeCommand *command, int fd)
{
    Desk *desk = owner;
    Asked *asked = g_new(Asked, 1);

    *asked = (Asked){g_strdup(command->name), command->oob, NULL};
    if (command->id.text)
        asked->id = g_strndup(command->id.text, command->id.len);
    desk->requests++;
    if (fd >= 0)
        read_fd(desk, command->name, fd);
    if (desk->eager)
        answer(desk, asked);
    else
        g_queue_push_tail(&desk->asked, asked);
}

static void on_gone(gpointer owner, Client *client, const char *why)
{
    Desk *desk = owner;

    desk->gone++;
    desk->why = g_strdup(why);
    io_timer_set(desk->reaper, 0);
}

/* As in the core, it is freed at the next turn. */
static void reap(gpointer owner, gint64 unused_now)
{
    Desk *desk = owner;

    g_clear_pointer(&desk->client, client_free);
}

static void open_with(Desk *desk, int type, gsize memory, gboolean kept)
{
    static const ClientOps ops = {on_request, on_gone};

    *desk = (Desk){0};
    g_queue_init(&desk->asked);
    bounds_init(&desk->bounds);
    desk->common.bounds = &desk->bounds;
    desk->came = g_string_new(NULL);
    charge_init(&desk->common.memory, NULL, memory);
    world_init(&desk->world);
    if (kept) {
        desk->common.journal = journal_new(NULL);
        g_assert_nonnull(desk->common.journal);
    }
    desk->reaper = io_timer_new(desk->world.loop, reap, desk);
    desk->client = client_new(desk->world.loop, peer_init_pair(&desk->peer, type), "the client",
                              ANSWERS_QMP, &ops, desk, &desk->common);
}

void desk_open(Desk *desk, int type)
{
    open_with(desk, type, LIMIT_PROXY_BYTES, FALSE);
}

void desk_greet(Desk *desk, gboolean oob)
{
    client_greet(desk->client, JSON_SPAN_LITERAL(FAKE_QEMU_VERSION), oob);
    world_settle(&desk->world);
}

void desk_ask(Desk *desk, const char *text)
{
    peer_send(&desk->peer, text);
    world_settle(&desk->world);
}

static void negotiate(Desk *desk, gboolean oob)
{
    desk_greet(desk, TRUE);
    desk_ask(desk, oob ? NEGOTIATE_OOB : NEGOTIATE);
    peer_expect(&desk->peer, GREETING("\"oob\"") DONE);
}

void desk_open_negotiated(Desk *desk, gboolean oob, gsize memory)
{
    open_with(desk, SOCK_STREAM, memory, FALSE);
    negotiate(desk, oob);
}

void desk_open_kept(Desk *desk, gboolean oob)
{
    open_with(desk, SOCK_STREAM, LIMIT_PROXY_BYTES, TRUE);
    negotiate(desk, oob);
}

void desk_close(Desk *desk)
{
    client_free(desk->client);
    io_timer_free(desk->reaper);
    charge_clear(&desk->common.memory);
    journal_free(desk->common.journal);
    g_string_free(desk->came, TRUE);
    g_queue_clear_full(&desk->asked, (GDestroyNotify)asked_free);
    peer_clear(&desk->peer);
    world_clear(&desk->world);
    g_free(desk->value);
    g_free(desk->why);
}

void desk_assert_asked(const Desk *desk, const char *names)
{
    g_autoptr(GString) found = g_string_new(NULL);

    for (GList *at = desk->asked.head; at; at = at->next)
        g_string_append_printf(found, "%s%s", found->len > 0 ? " " : "", ((Asked *)at->data)->name);
    g_assert_cmpstr(found->str, ==, names);
}

void desk_answer(Desk *desk, const char *name)
{
    for (GList *at = desk->asked.head; at; at = at->next) {
        Asked *asked = at->data;

        if (name && !g_str_equal(asked->name, name))
            continue;
        g_queue_delete_link(&desk->asked, at);
        answer(desk, asked);
        world_settle(&desk->world);
        return;
    }
    g_error("%s was not handed out", name ? name : "nothing");
}
