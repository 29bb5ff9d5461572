/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a QMP client can cost, and how it ends: bounded while it lasts, nothing afterwards.
 */

#include "client.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "support/fake-qemu.h"
#include "support/peer.h"
#include "support/world.h"

/* In the place of the core: counts, and answers the oldest command when told to. */
typedef struct {
    World world;
    Peer peer;
    Charge memory;
    Client *client; /* NULL once it has gone */
    IoTimer *reaper;
    GString *reply; /* (nullable): the value that each command is answered with at once */
    GQueue asked;   /* of GINT_TO_POINTER(oob): those that wait */
    guint requests;
    guint gone;
    char *why;
} Desk;

static void answer(Desk *desk, gboolean oob, const char *value)
{
    EnvelopeReply reply = {.kind = ENVELOPE_RETURN, .value = {value, strlen(value)}};

    client_reply(desk->client, oob, JSON_SPAN_NONE, &reply);
}

static void on_request(gpointer owner, Client *client, const EnvelopeCommand *command)
{
    Desk *desk = owner;

    desk->requests++;
    if (desk->reply)
        answer(desk, command->oob, desk->reply->str);
    else
        g_queue_push_tail(&desk->asked, GINT_TO_POINTER(command->oob));
}

static void on_gone(gpointer owner, Client *client, const char *why)
{
    Desk *desk = owner;

    desk->gone++;
    desk->why = g_strdup(why);
    io_timer_set(desk->reaper, 0);
}

static void reap(gpointer owner, gint64 unused_now)
{
    Desk *desk = owner;

    g_clear_pointer(&desk->client, client_free);
}

static void desk_ask(Desk *desk, const char *text)
{
    peer_send(&desk->peer, text);
    world_settle(&desk->world);
}

static void desk_open(Desk *desk, gsize memory)
{
    static const ClientOps ops = {on_request, on_gone};
    g_autofree char *handshake = NULL;

    *desk = (Desk){0};
    g_queue_init(&desk->asked);
    charge_init(&desk->memory, NULL, memory);
    world_init(&desk->world);
    desk->reaper = io_timer_new(desk->world.loop, reap, desk);
    desk->client = client_new(desk->world.loop, peer_init_pair(&desk->peer, SOCK_STREAM),
                              "the client", &ops, desk, &desk->memory);
    client_greet(desk->client, JSON_SPAN_LITERAL(FAKE_QEMU_VERSION), TRUE);
    desk_ask(desk, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}");
    handshake = peer_take(&desk->peer);
}

/* Asserts that nothing it held is held any more. */
static void desk_close(Desk *desk)
{
    client_free(desk->client);
    io_timer_free(desk->reaper);
    charge_clear(&desk->memory);
    g_queue_clear(&desk->asked);
    if (desk->reply)
        g_string_free(desk->reply, TRUE);
    peer_clear(&desk->peer);
    world_clear(&desk->world);
    g_free(desk->why);
}

static void answer_oldest(Desk *desk)
{
    answer(desk, GPOINTER_TO_INT(g_queue_pop_head(&desk->asked)), "{}");
    world_settle(&desk->world);
}

static guint count_lines(Peer *peer)
{
    g_autofree char *text = peer_take(peer);
    guint lines = 0;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

/* ---- Reading ahead --------------------------------------------------------------------------- */

/* One is under way and so many wait; what comes behind stays in the socket, exec-oob included,
 * until there is room. All are answered in the end. */
static void test_read_ahead(void)
{
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    for (guint i = 0; i < 1 + LIMIT_CLIENT_QUEUED; i++)
        desk_ask(&desk, "{\"execute\":\"a\"}");
    desk_ask(&desk, "{\"exec-oob\":\"x\"}{\"execute\":\"a\"}");
    g_assert_cmpuint(desk.requests, ==, 1);
    answer_oldest(&desk);
    g_assert_cmpuint(desk.requests, ==, 3);
    for (guint i = 0; i < 1 + LIMIT_CLIENT_QUEUED + 1; i++)
        answer_oldest(&desk);
    g_assert_cmpuint(desk.requests, ==, LIMIT_CLIENT_QUEUED + 3);
    g_assert_cmpuint(count_lines(&desk.peer), ==, LIMIT_CLIENT_QUEUED + 3);
    g_assert_cmpuint(desk.gone, ==, 0);
    desk_close(&desk);
}

/* Rubbish that waits for its turn counts as well. */
static void test_faults_ahead(void)
{
    g_autoptr(GString) faults = g_string_new("{\"execute\":\"a\"}");
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    for (guint i = 0; i < 3 * LIMIT_CLIENT_QUEUED; i++)
        g_string_append(faults, "]");
    desk_ask(&desk, faults->str);
    desk_ask(&desk, "{\"exec-oob\":\"x\"}");
    g_assert_cmpuint(desk.requests, ==, 1);
    answer_oldest(&desk);
    g_assert_cmpuint(desk.requests, ==, 2);
    answer_oldest(&desk);
    g_assert_cmpuint(count_lines(&desk.peer), ==, 2 + 3 * LIMIT_CLIENT_QUEUED);
    desk_close(&desk);
}

static void test_oob_under_way(void)
{
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    for (guint i = 0; i < LIMIT_CLIENT_QUEUED + 3; i++)
        desk_ask(&desk, "{\"exec-oob\":\"x\"}");
    g_assert_cmpuint(desk.requests, ==, LIMIT_CLIENT_QUEUED);
    while (desk.asked.length > 0)
        answer_oldest(&desk);
    g_assert_cmpuint(desk.requests, ==, LIMIT_CLIENT_QUEUED + 3);
    desk_close(&desk);
}

/* What is shared is taken by others; what is the client's own does not do. */
static void test_no_memory(void)
{
    g_autofree char *large = g_strnfill(3 * LIMIT_CLIENT_OWN_BYTES, 'x');
    g_autofree char *request = g_strdup_printf("{\"execute\":\"%s", large);
    Desk desk;

    desk_open(&desk, 16384);
    desk_ask(&desk, request);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_nonnull(strstr(desk.why, "no room"));
    g_assert_cmpuint(desk.memory.peak, <=, 16384);
    desk_close(&desk);
}

static void test_no_memory_ahead(void)
{
    g_autofree char *large = g_strnfill(LIMIT_CLIENT_OWN_BYTES / 3, 'x');
    g_autofree char *request = g_strdup_printf("{\"execute\":\"a\",\"id\":\"%s\"}", large);
    Desk desk;

    desk_open(&desk, 16384);
    for (guint i = 0; i < 6 && desk.gone == 0; i++)
        desk_ask(&desk, request);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "no room for what it sends ahead");
    desk_close(&desk);
}

/* ---- Slow readers ---------------------------------------------------------------------------- */

/* It asks and asks, and reads nothing: its commands are left alone from the high mark on, until it
 * reads again; then none is lost. */
static void test_slow_reader(void)
{
    enum { COMMANDS = 200, SIZE = 16 * 1024 };
    Desk desk;
    guint taken, read = 0;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    desk.reply = g_string_new("\"");
    for (guint i = 0; i < SIZE; i++)
        g_string_append_c(desk.reply, 'x');
    g_string_append_c(desk.reply, '"');
    for (guint i = 0; i < COMMANDS; i++)
        desk_ask(&desk, "{\"execute\":\"a\"}");
    taken = desk.requests;
    g_assert_cmpuint(taken, <, COMMANDS);
    g_assert_cmpuint(desk.memory.peak, >=, LIMIT_OUTPUT_HIGH);
    g_assert_cmpuint(desk.memory.peak, <, LIMIT_OUTPUT_HIGH + 4 * SIZE);

    while (read < COMMANDS) {
        guint lines = count_lines(&desk.peer);

        g_assert_cmpuint(lines, >, 0);
        read += lines;
        world_settle(&desk.world);
    }
    g_assert_cmpuint(read, ==, COMMANDS);
    g_assert_cmpuint(desk.requests, ==, COMMANDS);
    g_assert_cmpuint(desk.memory.used, <, 8192);
    g_assert_cmpuint(desk.gone, ==, 0);
    desk_close(&desk);
}

/* Events do not wait to be asked for: at the hard limit the client is dropped, not the event. */
static void test_dropped(void)
{
    g_autofree char *text = g_strnfill(4 * 1024 * 1024, ' ');
    g_autoptr(GBytes) event = g_bytes_new_static(text, strlen(text));
    guint events = 0;
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    while (desk.gone == 0) {
        client_event(desk.client, event);
        g_assert_cmpuint(++events, <, 100);
    }
    client_event(desk.client, event);
    g_assert_cmpuint(events, >=, LIMIT_OUTPUT_HARD / strlen(text));
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "it does not read its events");
    g_assert_cmpuint(desk.memory.peak, <=, LIMIT_OUTPUT_HARD + 8192);
    world_settle(&desk.world);
    desk_close(&desk);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* It sends no more but still reads: everything is answered, then the connection closes. */
static void test_half_close(void)
{
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    peer_send(&desk.peer, "{\"execute\":\"a\"}{\"execute\":\"a\"}{\"exec-oob\":\"x\"}");
    peer_shut(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 0);
    while (desk.asked.length > 0) {
        g_assert_cmpuint(desk.gone, ==, 0);
        answer_oldest(&desk);
    }
    g_assert_cmpuint(desk.requests, ==, 3);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "finished");
    g_assert_cmpuint(count_lines(&desk.peer), ==, 3);
    peer_expect_end(&desk.peer);
    desk_close(&desk);
}

/* It is gone with a command under way and others behind it: those are not carried out. */
static void test_close(void)
{
    Desk desk;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    peer_send(&desk.peer, "{\"execute\":\"a\"}{\"execute\":\"a\"}");
    world_settle(&desk.world);
    peer_close(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpuint(desk.requests, ==, 1);
    desk_close(&desk);
}

/* What is left for it is still read; what it sends is not. */
static void test_finish(void)
{
    Desk desk;
    guint lines = 0;

    desk_open(&desk, LIMIT_PROXY_BYTES);
    desk.reply = g_string_new("\"");
    for (guint i = 0; i < 1024 * 1024; i++)
        g_string_append_c(desk.reply, 'x');
    g_string_append_c(desk.reply, '"');
    desk_ask(&desk, "{\"execute\":\"a\"}");
    client_finish(desk.client);
    desk_ask(&desk, "{\"execute\":\"a\"}");
    g_assert_cmpuint(desk.gone, ==, 0);
    for (guint i = 0; i < 100 && desk.gone == 0; i++) {
        lines += count_lines(&desk.peer);
        world_settle(&desk.world);
    }
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpuint(desk.requests, ==, 1);
    g_assert_cmpuint(lines + count_lines(&desk.peer), ==, 1);
    desk_close(&desk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client-limits/read-ahead", test_read_ahead);
    g_test_add_func("/client-limits/faults-ahead", test_faults_ahead);
    g_test_add_func("/client-limits/oob-under-way", test_oob_under_way);
    g_test_add_func("/client-limits/no-memory", test_no_memory);
    g_test_add_func("/client-limits/no-memory-ahead", test_no_memory_ahead);
    g_test_add_func("/client-limits/slow-reader", test_slow_reader);
    g_test_add_func("/client-limits/dropped", test_dropped);
    g_test_add_func("/client-limits/half-close", test_half_close);
    g_test_add_func("/client-limits/close", test_close);
    g_test_add_func("/client-limits/finish", test_finish);
    return g_test_run();
}
