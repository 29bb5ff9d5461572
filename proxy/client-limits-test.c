/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a QMP client can cost, and how it ends: bounded while it lasts, nothing afterwards.
 */

#include "client-fixture.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"

static guint count_lines(Peer *peer)
{
    g_autofree char *text = peer_take(peer);
    guint lines = 0;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    return lines;
}

/* Each command is answered at once, with a string of so many bytes. */
static void answer_with(Desk *desk, gsize len)
{
    g_autofree char *text = g_strnfill(len, 'x');

    desk->eager = TRUE;
    desk->value = g_strdup_printf("\"%s\"", text);
}

/* ---- Reading ahead --------------------------------------------------------------------------- */

/* One is under way and so many wait; what comes behind stays in the socket, exec-oob included,
 * until there is room. All are answered in the end. */
static void test_read_ahead(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    for (guint i = 0; i < 1 + LIMIT_CLIENT_QUEUED; i++)
        desk_ask(&desk, "{\"execute\":\"a\"}");
    desk_ask(&desk, "{\"exec-oob\":\"x\"}{\"execute\":\"a\"}");
    g_assert_cmpuint(desk.requests, ==, 1);
    desk_answer(&desk, NULL);
    g_assert_cmpuint(desk.requests, ==, 3);
    for (guint i = 0; i < 1 + LIMIT_CLIENT_QUEUED + 1; i++)
        desk_answer(&desk, NULL);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    for (guint i = 0; i < 3 * LIMIT_CLIENT_QUEUED; i++)
        g_string_append(faults, "]");
    desk_ask(&desk, faults->str);
    desk_ask(&desk, "{\"exec-oob\":\"x\"}");
    g_assert_cmpuint(desk.requests, ==, 1);
    desk_answer(&desk, NULL);
    g_assert_cmpuint(desk.requests, ==, 2);
    desk_answer(&desk, NULL);
    g_assert_cmpuint(count_lines(&desk.peer), ==, 2 + 3 * LIMIT_CLIENT_QUEUED);
    desk_close(&desk);
}

/* However many are sent: one out of band is under way, beside one in-band; the others wait unread,
 * and all have their turn. */
static void test_oob_under_way(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    desk_ask(&desk, "{\"execute\":\"a\"}");
    for (guint i = 0; i < LIMIT_CLIENT_QUEUED + 3; i++)
        desk_ask(&desk, "{\"exec-oob\":\"x\"}");
    for (guint i = 0; i < LIMIT_CLIENT_QUEUED + 3; i++) {
        desk_assert_asked(&desk, "a x");
        desk_answer(&desk, "x");
    }
    desk_assert_asked(&desk, "a");
    g_assert_cmpuint(desk.requests, ==, LIMIT_CLIENT_QUEUED + 4);
    desk_close(&desk);
}

/* What is shared is taken by others; what is the client's own does not do. */
static void test_no_memory(void)
{
    g_autofree char *large = g_strnfill(3 * LIMIT_CLIENT_OWN_BYTES, 'x');
    g_autofree char *request = g_strdup_printf("{\"execute\":\"%s", large);
    Desk desk;

    desk_open_negotiated(&desk, TRUE, 16384);
    desk_ask(&desk, request);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_nonnull(strstr(desk.why, "no room"));
    g_assert_cmpuint(desk.common.memory.peak, <=, 16384);
    desk_close(&desk);
}

/* There is room for the bytes of what it sends, and not for the names in them. */
static void test_no_memory_for_names(void)
{
    enum { ROOM = 5 * LIMIT_CLIENT_OWN_BYTES };
    g_autoptr(GString) request = g_string_new("{\"execute\":\"a\",\"arguments\":{\"0\":0");
    Desk desk;

    for (guint i = 1; request->len < 3 * LIMIT_CLIENT_OWN_BYTES; i++)
        g_string_append_printf(request, ",\"%x\":0", i);
    desk_open_negotiated(&desk, TRUE, ROOM);
    desk_ask(&desk, request->str);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "no room for the names in its message");
    g_assert_cmpuint(desk.common.memory.peak, <=, ROOM);
    desk_close(&desk);
}

static void test_no_memory_ahead(void)
{
    g_autofree char *large = g_strnfill(LIMIT_CLIENT_OWN_BYTES / 3, 'x');
    g_autofree char *request = g_strdup_printf("{\"execute\":\"a\",\"id\":\"%s\"}", large);
    Desk desk;

    desk_open_negotiated(&desk, TRUE, 16384);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    answer_with(&desk, SIZE);
    for (guint i = 0; i < COMMANDS; i++)
        desk_ask(&desk, "{\"execute\":\"a\"}");
    taken = desk.requests;
    g_assert_cmpuint(taken, <, COMMANDS);
    g_assert_cmpuint(desk.common.memory.peak, >=, LIMIT_OUTPUT_HIGH);
    g_assert_cmpuint(desk.common.memory.peak, <, LIMIT_OUTPUT_HIGH + 4 * SIZE);

    while (read < COMMANDS) {
        guint lines = count_lines(&desk.peer);

        g_assert_cmpuint(lines, >, 0);
        read += lines;
        world_settle(&desk.world);
    }
    g_assert_cmpuint(read, ==, COMMANDS);
    g_assert_cmpuint(desk.requests, ==, COMMANDS);
    g_assert_cmpuint(desk.common.memory.used, <, 8192);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    while (desk.gone == 0) {
        client_event(desk.client, event);
        g_assert_cmpuint(++events, <, 100);
    }
    client_event(desk.client, event);
    g_assert_cmpuint(events, >=, LIMIT_OUTPUT_HARD / strlen(text));
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "it does not read its events");
    g_assert_cmpuint(desk.common.memory.peak, <=, LIMIT_OUTPUT_HARD + 8192);
    world_settle(&desk.world);
    desk_close(&desk);
}

/* Much at once, of commands or of rubbish: others get their turn in between, and all of it is
 * answered in the end. */
static void test_turns(void)
{
    static const char *const floods[] = {"{\"execute\":\"a\"}", "]"};
    enum { MUCH = 1000 };

    for (gsize i = 0; i < G_N_ELEMENTS(floods); i++) {
        g_autoptr(GString) flood = g_string_new(NULL);
        guint turns = 0;
        Desk desk;

        for (guint j = 0; j < MUCH; j++)
            g_string_append(flood, floods[i]);
        desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
        desk.eager = TRUE;
        peer_send(&desk.peer, flood->str);
        while (g_main_context_iteration(desk.world.context, FALSE))
            turns++;
        g_assert_cmpuint(turns, >=, MUCH / 32);
        g_assert_cmpuint(count_lines(&desk.peer), ==, MUCH);
        desk_close(&desk);
    }
}

/* ---- Negotiation ----------------------------------------------------------------------------- */

/* It is greeted and says nothing, or only what does not count: it gets so long, from its greeting.
 * Who has negotiated may be silent for ever. */
static void test_never_negotiates(void)
{
    Desk desk;

    desk_open(&desk, SOCK_STREAM);
    world_pass_ms(&desk.world, 2000 * LIMIT_NEGOTIATION_SECONDS);
    desk_greet(&desk, FALSE);
    desk_ask(&desk, "{\"execute\":\"query-name\"}");
    world_pass_ms(&desk.world, 1000 * LIMIT_NEGOTIATION_SECONDS - 10);
    g_assert_cmpuint(desk.gone, ==, 0);
    world_pass_ms(&desk.world, 20);
    g_assert_cmpuint(desk.gone, ==, 1);
    g_assert_cmpstr(desk.why, ==, "it did not negotiate in time");
    desk_close(&desk);

    desk_open_negotiated(&desk, FALSE, LIMIT_PROXY_BYTES);
    world_pass_ms(&desk.world, 2000 * LIMIT_NEGOTIATION_SECONDS);
    g_assert_cmpuint(desk.gone, ==, 0);
    desk_close(&desk);
}

static void test_negotiates_whenever(void)
{
    Desk desk;

    desk_open(&desk, SOCK_STREAM);
    desk.bounds.negotiation_seconds = 0;
    desk_greet(&desk, FALSE);
    world_pass_ms(&desk.world, 2000 * LIMIT_NEGOTIATION_SECONDS);
    g_assert_cmpuint(desk.gone, ==, 0);
    desk_close(&desk);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

/* It sends no more but still reads: everything is answered, then the connection closes. */
static void test_half_close(void)
{
    Desk desk;

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    peer_send(&desk.peer, "{\"execute\":\"a\"}{\"execute\":\"a\"}{\"exec-oob\":\"x\"}");
    peer_shut(&desk.peer);
    world_settle(&desk.world);
    g_assert_cmpuint(desk.gone, ==, 0);
    while (desk.asked.length > 0) {
        g_assert_cmpuint(desk.gone, ==, 0);
        desk_answer(&desk, NULL);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
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

    desk_open_negotiated(&desk, TRUE, LIMIT_PROXY_BYTES);
    answer_with(&desk, 1024 * 1024);
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

/* ---- In the journal -------------------------------------------------------------------------- */

static void count_record(guint slot, GVariant *record, gpointer count)
{
    ++*(guint *)count;
}

static void assert_kept(const Desk *desk, guint wanted)
{
    guint count = 0;

    journal_foreach(desk->common.journal, count_record, &count);
    g_assert_cmpuint(count, ==, wanted);
}

/* Nobody pays for the id that is kept of a command under way: where it is long the client does not
 * outlive the proxy, until it was answered. */
static void ask_with_id(gboolean oob, gsize len, guint wanted)
{
    g_autofree char *id = g_strnfill(len - strlen("\"\""), 'x');
    g_autofree char *command =
        g_strdup_printf("{\"%s\":\"a\",\"id\":\"%s\"}", oob ? "exec-oob" : "execute", id);
    Desk desk;

    desk_open_kept(&desk, TRUE);
    assert_kept(&desk, 1);
    desk_ask(&desk, command);
    desk_assert_asked(&desk, "a");
    assert_kept(&desk, wanted);
    desk_answer(&desk, "a");
    g_assert_cmpuint(count_lines(&desk.peer), ==, 1);
    assert_kept(&desk, 1);
    desk_close(&desk);
}

static void test_kept_ids(void)
{
    for (gboolean oob = FALSE; oob <= TRUE; oob++) {
        ask_with_id(oob, LIMIT_KEPT_ID_BYTES, 1);
        ask_with_id(oob, LIMIT_KEPT_ID_BYTES + 1, 0);
    }
}

/* What was read ahead counts as what is still to be taken, or each change would write it down. */
static void test_kept_ahead(void)
{
    g_autofree char *blank = g_strnfill(LIMIT_KEPT_CLIENT_BYTES / 2, ' ');
    g_autofree char *command = g_strdup_printf("{\"execute\":\"a\"%s}", blank);
    Desk desk;

    desk_open_kept(&desk, TRUE);
    desk_ask(&desk, "{\"execute\":\"a\"}");
    desk_ask(&desk, command);
    assert_kept(&desk, 1);
    desk_ask(&desk, command);
    assert_kept(&desk, 0);
    for (guint i = 0; i < 3; i++)
        desk_answer(&desk, "a");
    assert_kept(&desk, 1);
    desk_close(&desk);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client-limits/read-ahead", test_read_ahead);
    g_test_add_func("/client-limits/faults-ahead", test_faults_ahead);
    g_test_add_func("/client-limits/oob-under-way", test_oob_under_way);
    g_test_add_func("/client-limits/no-memory", test_no_memory);
    g_test_add_func("/client-limits/no-memory-for-names", test_no_memory_for_names);
    g_test_add_func("/client-limits/no-memory-ahead", test_no_memory_ahead);
    g_test_add_func("/client-limits/slow-reader", test_slow_reader);
    g_test_add_func("/client-limits/dropped", test_dropped);
    g_test_add_func("/client-limits/turns", test_turns);
    g_test_add_func("/client-limits/never-negotiates", test_never_negotiates);
    g_test_add_func("/client-limits/negotiates-whenever", test_negotiates_whenever);
    g_test_add_func("/client-limits/half-close", test_half_close);
    g_test_add_func("/client-limits/close", test_close);
    g_test_add_func("/client-limits/finish", test_finish);
    g_test_add_func("/client-limits/kept-ids", test_kept_ids);
    g_test_add_func("/client-limits/kept-ahead", test_kept_ahead);
    return g_test_run();
}
