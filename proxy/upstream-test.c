/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Our side of QEMU's monitor, against a fake one: what goes up and how much at once, whose a reply
 * is, and what everybody is told when the connection is lost.
 */

#include "upstream.h"

#include <string.h>
#include <sys/socket.h>

#include "common/limits.h"
#include "support/fake-qemu.h"
#include "support/peer.h"
#include "support/sockets.h"
#include "support/world.h"

#define UNKNOWN  "QEMU closed the connection; the command's outcome is unknown"
#define NOT_SENT "QEMU closed the connection; the command was not sent"

typedef struct {
    World world;
    Bounds bounds;
    Peer qemu;
    Upstream *upstream;
    GString *log; /* of what the owner and the askers were told: a line for each */
} Fixture;

/* ---- The owner and the askers ---------------------------------------------------------------- */

static void on_ready(gpointer owner, JsonSpan version, gboolean oob)
{
    Fixture *fixture = owner;

    g_assert_cmpmem(version.text, version.len, FAKE_QEMU_VERSION, strlen(FAKE_QEMU_VERSION));
    g_string_append_printf(fixture->log, "ready%s\n", oob ? " oob" : "");
}

static void on_event(gpointer owner, JsonSpan message, const EnvelopeReply *event)
{
    Fixture *fixture = owner;

    g_string_append_printf(fixture->log, "event %.*s\n", (int)message.len, message.text);
}

static void on_gone(gpointer owner, const char *why)
{
    Fixture *fixture = owner;

    g_string_append_printf(fixture->log, "gone %s\n", why);
}

static void on_done(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Fixture *fixture = pending->owner;

    if (error)
        g_string_append_printf(fixture->log, "%s: %s\n", pending->name, error->message);
    else
        g_string_append_printf(fixture->log, "%s%s %.*s\n", pending->name,
                               reply->kind == ENVELOPE_ERROR ? "!" : "", (int)reply->value.len,
                               reply->value.text);
}

static void orphan(Pending *pending, gpointer unused)
{
    pending_orphan(pending);
}

/* All others leave, too. */
static void on_dropped(Pending *pending, const EnvelopeReply *reply, const GError *error)
{
    Fixture *fixture = pending->owner;

    upstream_foreach(fixture->upstream, orphan, NULL);
    upstream_drop_orphans(fixture->upstream);
    on_done(pending, reply, error);
}

static Pending *submit_command(Fixture *fixture, const char *message)
{
    g_auto(EnvelopeCommand) command = {0};
    g_autoptr(GError) error = NULL;
    Pending *pending;

    g_assert_true(envelope_read_command((JsonSpan){message, strlen(message)}, ENVELOPE_OOB_KNOWN,
                                        &command, &error));
    pending = pending_new(&command, NULL, on_done, fixture, fixture);
    upstream_submit(fixture->upstream, pending);
    return pending;
}

/* Names of one letter, each a command. */
static void submit_each(Fixture *fixture, const char *names)
{
    for (; *names; names++) {
        g_autofree char *message = g_strdup_printf("{\"execute\":\"%c\"}", *names);

        submit_command(fixture, message);
    }
}

static char *as_sent(const char *names)
{
    GString *text = g_string_new(NULL);

    for (; *names; names++)
        g_string_append_printf(text, "{\"execute\":\"%c\"}", *names);
    return g_string_free(text, FALSE);
}

static void assert_log(Fixture *fixture, const char *expected)
{
    world_settle(&fixture->world);
    g_assert_cmpstr(fixture->log->str, ==, expected);
    g_string_truncate(fixture->log, 0);
}

static void assert_sent(Fixture *fixture, const char *names)
{
    g_autofree char *text = as_sent(names);

    peer_expect(&fixture->qemu, text);
}

/* ---- Fixture --------------------------------------------------------------------------------- */

static void set_up(Fixture *fixture, gconstpointer unused)
{
    static const UpstreamOps ops = {on_ready, on_event, on_gone};
    Address address = {.kind = ADDRESS_FD};
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){.log = g_string_new(NULL)};
    world_init(&fixture->world);
    bounds_init(&fixture->bounds);
    address.number = (guint32)peer_init_pair(&fixture->qemu, SOCK_STREAM);
    fixture->upstream =
        upstream_new(fixture->world.loop, &address, &fixture->bounds, &ops, fixture, NULL, &error);
    g_assert_no_error(error);
    upstream_connect(fixture->upstream);
    world_settle(&fixture->world);
}

static void set_up_ready(Fixture *fixture, gconstpointer unused)
{
    set_up(fixture, unused);
    fake_qemu_negotiate(&fixture->qemu, &fixture->world, TRUE);
    assert_log(fixture, "ready oob\n");
    g_assert_true(upstream_is_ready(fixture->upstream));
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    upstream_free(fixture->upstream);
    peer_clear(&fixture->qemu);
    world_clear(&fixture->world);
    g_string_free(fixture->log, TRUE);
}

/* ---- The handshake --------------------------------------------------------------------------- */

/* Nothing is said before the greeting, and no command is taken before the handshake's answer. */
static void test_handshake(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    peer_expect(&fixture->qemu, "");
    submit_each(fixture, "a");
    assert_log(fixture, "a: QEMU's monitor is not connected; the command was not sent\n");
    fake_qemu_greet(&fixture->qemu, FALSE);
    world_settle(&fixture->world);
    id = fake_qemu_take_handshake(&fixture->qemu, FALSE);
    g_assert_false(upstream_is_ready(fixture->upstream));
    submit_each(fixture, "b");
    assert_log(fixture, "b: QEMU's monitor is not connected; the command was not sent\n");
    fake_qemu_answer_handshake(&fixture->qemu, id);
    assert_log(fixture, "ready\n");
    peer_expect(&fixture->qemu, "");
}

/* QEMU gives a former connection's replies to the next one, behind the greeting, or in front of it
 * where it was just about to write them. */
static void test_stale_replies(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    peer_send(&fixture->qemu, "{\"return\": {}}\r\n");
    fake_qemu_greet(&fixture->qemu, TRUE);
    peer_send(&fixture->qemu,
              "{\"return\": {}}\r\n{\"return\": [1]}\r\n{\"return\": 5, \"id\": 1}\r\n");
    world_settle(&fixture->world);
    id = fake_qemu_take_handshake(&fixture->qemu, TRUE);
    peer_send(&fixture->qemu,
              "{\"return\": {}}\r\n{\"return\": {}, \"id\": \"x\"}\r\n"
              "{\"error\": {\"class\": \"GenericError\", \"desc\": \"late\"}}\r\n"
              "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n");
    assert_log(fixture, "");
    g_assert_cmpuint(upstream_stats(fixture->upstream).stale_replies, ==, 8);
    fake_qemu_answer_handshake(&fixture->qemu, id);
    assert_log(fixture, "ready oob\n");
    submit_each(fixture, "a");
    peer_send(&fixture->qemu, "{\"return\": \"mine\"}\r\n");
    assert_log(fixture, "a \"mine\"\n");
}

/* Two connections never use the same fence. */
static void test_fence_differs(Fixture *fixture, gconstpointer unused)
{
    Fixture other;
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    fake_qemu_greet(&fixture->qemu, TRUE);
    world_settle(&fixture->world);
    first = fake_qemu_take_handshake(&fixture->qemu, TRUE);
    set_up(&other, NULL);
    fake_qemu_greet(&other.qemu, TRUE);
    world_settle(&other.world);
    second = fake_qemu_take_handshake(&other.qemu, TRUE);
    g_assert_cmpstr(first, !=, second);
    tear_down(&other, NULL);
}

/* The descriptor that it was given is no monitor, and there is no other. */
static void test_no_monitor(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *input, *told;
    } cases[] = {
        {"{\"return\": {}}\r\n", "gone QEMU closed the connection\n"},
        {"{\"QMP\": {\"capabilities\": []}}\r\n", "gone what answered is no QMP server\n"},
        {"{\"QMP\": {\"version\": 7}}\r\n", "gone what answered is no QMP server\n"},
        {"HTTP/1.1 400 Bad Request\r\n", "gone what came is no JSON\n"},
        {"[]", "gone a message came that is neither reply nor event\n"},
        {"", "gone QEMU closed the connection\n"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture each;

        g_test_message("'%s'", cases[i].input);
        set_up(&each, NULL);
        peer_send(&each.qemu, cases[i].input);
        peer_shut(&each.qemu);
        assert_log(&each, cases[i].told);
        peer_expect_end(&each.qemu);
        g_assert_false(upstream_is_ready(each.upstream));
        tear_down(&each, NULL);
    }
}

static void test_refused(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *refusal = NULL;

    fake_qemu_greet(&fixture->qemu, FALSE);
    world_settle(&fixture->world);
    id = fake_qemu_take_handshake(&fixture->qemu, FALSE);
    refusal = g_strdup_printf(
        "{\"id\": %s, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n", id);
    peer_send(&fixture->qemu, refusal);
    assert_log(fixture, "gone QEMU refused the handshake\n");
    peer_expect_end(&fixture->qemu);
}

/* ---- What goes up ---------------------------------------------------------------------------- */

/* A command of one letter that brings a descriptor, from which its name can be read. */
static void submit_carrying(Fixture *fixture, const char *name)
{
    EnvelopeCommand command = {.name = (char *)name};
    Pending *pending = pending_new(&command, NULL, on_done, fixture, fixture);

    pending->carries = TRUE;
    pending->fd = sockets_readable(name);
    upstream_submit(fixture->upstream, pending);
}

/* Each goes with its own, and only when QEMU has taken the one before; what is behind it keeps its
 * turn, and out-of-band commands do not care. */
static void test_carrying(Fixture *fixture, gconstpointer unused)
{
    submit_each(fixture, "a");
    submit_carrying(fixture, "b");
    submit_each(fixture, "c");
    submit_carrying(fixture, "d");
    submit_each(fixture, "e");
    peer_expect_next(&fixture->qemu, "{\"execute\":\"a\"}", NULL);
    peer_expect_next(&fixture->qemu, "{\"execute\":\"b\"}", "b");
    assert_sent(fixture, "c");
    submit_command(fixture, "{\"exec-oob\":\"z\"}");
    peer_expect(&fixture->qemu, "{\"exec-oob\":\"z\",\"id\":1}");
    peer_send(&fixture->qemu, "{\"return\": 1}\r\n");
    assert_log(fixture, "a 1\n");
    peer_expect(&fixture->qemu, "");
    peer_send(&fixture->qemu, "{\"return\": 2}\r\n");
    assert_log(fixture, "b 2\n");
    peer_expect_next(&fixture->qemu, "{\"execute\":\"d\"}", "d");
    assert_sent(fixture, "e");
    peer_send(&fixture->qemu, "{\"return\": 3}{\"return\": 4}{\"return\": 5}");
    assert_log(fixture, "c 3\nd 4\ne 5\n");
}

/* QEMU does not read: what is unsent goes first, then the descriptor with the first byte of its own
 * command, not with any before. */
static void test_carrying_behind(Fixture *fixture, gconstpointer unused)
{
    enum { SIZE = 900 * 1024 };
    g_autofree char *filler = g_strnfill(SIZE, 'x');
    g_autofree char *message =
        g_strdup_printf("{\"execute\":\"a\",\"arguments\":{\"x\":\"%s\"}}", filler);
    GString *came = fixture->qemu.got;

    submit_command(fixture, message);
    submit_carrying(fixture, "b");
    while (came->len < strlen(message)) {
        world_settle(&fixture->world);
        g_assert_true(peer_read_some(&fixture->qemu, strlen(message) - came->len));
    }
    g_assert_true(g_str_equal(came->str, message));
    g_string_truncate(came, 0);
    world_settle(&fixture->world);
    peer_expect_next(&fixture->qemu, "{\"execute\":\"b\"}", "b");
    peer_send(&fixture->qemu, "{\"return\": 1}{\"return\": 2}");
    assert_log(fixture, "a 1\nb 2\n");
}

/* Not sent, not needed any more: closed, as the end of the test sees. */
static void test_carrying_lost(Fixture *fixture, gconstpointer unused)
{
    submit_carrying(fixture, "a");
    submit_carrying(fixture, "b");
    peer_expect_next(&fixture->qemu, "{\"execute\":\"a\"}", "a");
    peer_close(&fixture->qemu);
    assert_log(fixture, "gone QEMU closed the connection\na: " UNKNOWN "\nb: " NOT_SENT "\n");
    submit_carrying(fixture, "c");
    assert_log(fixture, "c: QEMU's monitor is not connected; the command was not sent\n");
}

static void test_shortened(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *message, *sent;
    } cases[] = {
        {"{ \"execute\" : \"a\", \"id\": [1] }", "{\"execute\":\"a\"}"},
        {"{ \"execute\" : \"a\", \"arguments\": { } }", "{\"execute\":\"a\"}"},
        {"{\"id\":\"x\",\"arguments\":{ \"p\" : [ 1, 2.50 ],\r\n 'q' : \" \\u0020 \" "
         "},\"execute\":\"a\"}",
         "{\"execute\":\"a\",\"arguments\":{\"p\":[1,2.50],'q':\" \\u0020 \"}}"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        submit_command(fixture, cases[i].message);
        peer_expect(&fixture->qemu, cases[i].sent);
        peer_send(&fixture->qemu, "{\"return\": {}}\r\n");
        assert_log(fixture, "a {}\n");
    }
}

static void test_too_large(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *filler = g_strnfill(LIMIT_QMP_REQUEST_BYTES, 'x');
    g_autofree char *message =
        g_strdup_printf("{\"execute\":\"a\",\"arguments\":{\"p\":\"%s\"}}", filler);
    g_autofree char *expected =
        g_strdup_printf("a: Arguments of a have %u bytes, at most %u go to QEMU\n",
                        LIMIT_QMP_REQUEST_BYTES + 8, LIMIT_QMP_REQUEST_BYTES);

    submit_command(fixture, message);
    assert_log(fixture, expected);
    peer_expect(&fixture->qemu, "");
    submit_each(fixture, "b");
    assert_sent(fixture, "b");
}

/* So many at once that exec-oob still passes; the others in their turn, one for each reply. */
static void test_in_flight(Fixture *fixture, gconstpointer unused)
{
    G_STATIC_ASSERT(LIMIT_MONITOR_IN_FLIGHT == 7);

    submit_each(fixture, "abcdefghij");
    assert_sent(fixture, "abcdefg");
    peer_send(&fixture->qemu,
              "{\"return\": 1}\r\n{\"error\": {\"class\": \"X\", \"desc\": \"y\"}}\r\n");
    assert_log(fixture, "a 1\nb! {\"class\": \"X\", \"desc\": \"y\"}\n");
    assert_sent(fixture, "hi");
    submit_command(fixture, "{\"exec-oob\":\"z\",\"id\":\"theirs\"}");
    peer_expect(&fixture->qemu, "{\"exec-oob\":\"z\",\"id\":1}");
    peer_send(&fixture->qemu, "{\"return\": 3}{\"return\": 26, \"id\": 1}{\"return\": 4}");
    assert_log(fixture, "c 3\nz 26\nd 4\n");
    assert_sent(fixture, "j");
}

/* What overtakes may be answered in any order, failures as well. */
static void test_oob(Fixture *fixture, gconstpointer unused)
{
    for (char name[] = "x"; name[0] <= 'z'; name[0]++) {
        g_autofree char *message = g_strdup_printf("{\"exec-oob\":\"%s\"}", name);

        submit_command(fixture, message);
    }
    peer_expect(&fixture->qemu, "{\"exec-oob\":\"x\",\"id\":1}{\"exec-oob\":\"y\",\"id\":2}"
                                "{\"exec-oob\":\"z\",\"id\":3}");
    peer_send(&fixture->qemu, "{\"return\": 2, \"id\": 2}{\"id\": 3, \"error\": {\"class\": \"C\", "
                              "\"desc\": \"d\"}}{\"return\": 1, \"id\": 1}");
    assert_log(fixture, "y 2\nz! {\"class\": \"C\", \"desc\": \"d\"}\nx 1\n");
}

/* What nobody waits for any more is not sent, if it was not yet; what was sent keeps its place. */
static void test_orphans(Fixture *fixture, gconstpointer unused)
{
    Pending *sent = submit_command(fixture, "{\"execute\":\"a\"}");
    Pending *waiting;

    submit_each(fixture, "bcdefg");
    waiting = submit_command(fixture, "{\"execute\":\"h\"}");
    submit_each(fixture, "i");
    pending_orphan(sent);
    pending_orphan(waiting);
    assert_sent(fixture, "abcdefg");
    peer_send(&fixture->qemu, "{\"return\": 1}{\"return\": 2}");
    assert_log(fixture, "a 1\nb 2\nh: The client has left\n");
    assert_sent(fixture, "i");
}

/* Nor does it wait for its turn to go, which QEMU may be long in giving; whoever hears of it may
 * leave at once, and send no more. */
static void test_dropped(Fixture *fixture, gconstpointer unused)
{
    Pending *first, *last;

    submit_each(fixture, "abcdefg");
    first = submit_command(fixture, "{\"execute\":\"h\"}");
    submit_each(fixture, "i");
    last = submit_command(fixture, "{\"execute\":\"j\"}");
    first->done = on_dropped;
    pending_orphan(first);
    pending_orphan(last);
    upstream_drop_orphans(fixture->upstream);
    assert_log(fixture, "i: The client has left\nh: The client has left\n"
                        "j: The client has left\n");
    g_assert_cmpuint(upstream_stats(fixture->upstream).waiting, ==, 0);
    peer_send(&fixture->qemu, "{\"return\": 1}");
    assert_log(fixture, "a 1\n");
    assert_sent(fixture, "abcdefg");
}

static void test_events(Fixture *fixture, gconstpointer unused)
{
    submit_each(fixture, "a");
    peer_send(&fixture->qemu,
              "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n"
              "{\"return\": {}}\r\n");
    assert_log(fixture, "event {\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                        "\"event\": \"STOP\"}\na {}\n");
}

/* ---- How it ends ----------------------------------------------------------------------------- */

/* Whatever makes it impossible to tell whose the next reply is ends the connection. */
static void test_lost(Fixture *fixture, gconstpointer unused)
{
    static const struct {
        const char *input, *why;
    } cases[] = {
        {"", "QEMU closed the connection"},
        {"{\"return\": {", "QEMU closed the connection"},
        {"{\"return\": {}, \"id\": 2}", "a reply came that no command asked for"},
        {"{\"return\": {}, \"id\": \"1\"}", "a reply came that no command asked for"},
        {"{\"return\": {}, \"id\": 1}{\"return\": {}, \"id\": 1}",
         "a reply came that no command asked for"},
        {"{\"QMP\": {\"version\": {}, \"capabilities\": []}}",
         "a reply came that no command asked for"},
        {"{\"return\": {}, \"error\": {}}", "a message came that is neither reply nor event"},
        {"[]", "a message came that is neither reply nor event"},
        {"{\"return\": \x01", "what came is no JSON"},
        {"QEMU 7.2.22 monitor - type 'help' for more information\n(qemu) ", "what came is no JSON"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture each;
        g_autofree char *expected = NULL;
        gboolean oob_answered = g_str_has_prefix(cases[i].input, "{\"return\": {}, \"id\": 1}");

        g_test_message("'%s'", cases[i].input);
        set_up_ready(&each, NULL);
        submit_each(&each, "abcdefghi");
        submit_command(&each, "{\"exec-oob\":\"z\"}");
        world_settle(&each.world);
        peer_send(&each.qemu, cases[i].input);
        peer_shut(&each.qemu);
        expected = g_strdup_printf(
            "%sgone %s\na: " UNKNOWN "\nb: " UNKNOWN "\nc: " UNKNOWN "\nd: " UNKNOWN "\ne: " UNKNOWN
            "\nf: " UNKNOWN "\ng: " UNKNOWN "\n%sh: " NOT_SENT "\ni: " NOT_SENT "\n",
            oob_answered ? "z {}\n" : "", cases[i].why, oob_answered ? "" : "z: " UNKNOWN "\n");
        assert_log(&each, expected);
        g_assert_false(upstream_is_ready(each.upstream));
        submit_each(&each, "k");
        assert_log(&each, "k: QEMU's monitor is not connected; the command was not sent\n");
        tear_down(&each, NULL);
    }
}

static void test_nobody_asked(Fixture *fixture, gconstpointer unused)
{
    peer_send(&fixture->qemu, "{\"return\": {}}\r\n");
    assert_log(fixture, "gone a reply came that no command asked for\n");
}

/* The answer to quit is the last that QEMU says: it arrives together with the end. */
static void test_quit(Fixture *fixture, gconstpointer unused)
{
    submit_each(fixture, "q");
    assert_sent(fixture, "q");
    peer_send(&fixture->qemu,
              "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"SHUTDOWN\"}\r\n"
              "{\"return\": {}}\r\n");
    peer_close(&fixture->qemu);
    assert_log(fixture, "event {\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                        "\"event\": \"SHUTDOWN\"}\nq {}\ngone QEMU closed the connection\n");
}

static void test_freed(Fixture *fixture, gconstpointer unused)
{
    submit_each(fixture, "a");
    submit_command(fixture, "{\"exec-oob\":\"z\"}");
    upstream_free(g_steal_pointer(&fixture->upstream));
    assert_log(fixture, "a: " UNKNOWN "\nz: " UNKNOWN "\n");
}

int main(int argc, char **argv)
{
#define ADD(path, set_up, test) g_test_add(path, Fixture, NULL, set_up, test, tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("/upstream/handshake", set_up, test_handshake);
    ADD("/upstream/stale-replies", set_up, test_stale_replies);
    ADD("/upstream/fence-differs", set_up, test_fence_differs);
    ADD("/upstream/no-monitor", set_up, test_no_monitor);
    ADD("/upstream/refused", set_up, test_refused);
    ADD("/upstream/shortened", set_up_ready, test_shortened);
    ADD("/upstream/too-large", set_up_ready, test_too_large);
    ADD("/upstream/carrying", set_up_ready, test_carrying);
    ADD("/upstream/carrying/behind", set_up_ready, test_carrying_behind);
    ADD("/upstream/carrying/lost", set_up_ready, test_carrying_lost);
    ADD("/upstream/in-flight", set_up_ready, test_in_flight);
    ADD("/upstream/oob", set_up_ready, test_oob);
    ADD("/upstream/orphans", set_up_ready, test_orphans);
    ADD("/upstream/dropped", set_up_ready, test_dropped);
    ADD("/upstream/events", set_up_ready, test_events);
    ADD("/upstream/lost", set_up, test_lost);
    ADD("/upstream/nobody-asked", set_up_ready, test_nobody_asked);
    ADD("/upstream/quit", set_up_ready, test_quit);
    ADD("/upstream/freed", set_up_ready, test_freed);
    return g_test_run();
}
