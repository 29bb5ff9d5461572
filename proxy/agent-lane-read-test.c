/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A large guest-file-read that goes to the agent in pieces: its client gets what one command would
 * have brought, others have their turn between two pieces, and wherever it breaks off it is
 * answered once.
 */

#include "agent-lane-fixture.h"

#include <string.h>

#include "common/limits.h"

#define SLICE LIMIT_FILE_SLICE_BYTES
#define WRONG \
    "guest-file-read: The guest agent's answer to guest-file-read is not what it was asked for\n"
#define HANDLE_GONE "The handle is not known"

/* ---- The agent, and its file ----------------------------------------------------------------- */

static char *arguments_of(gint64 handle, gsize count)
{
    return g_strdup_printf("{\"handle\":%" G_GINT64_FORMAT ",\"count\":%" G_GSIZE_FORMAT "}",
                           handle, count);
}

static void submit_read(LaneFixture *fixture, gint64 handle, gsize count)
{
    g_autofree char *arguments = arguments_of(handle, count);

    lane_submit_with(fixture, "guest-file-read", arguments);
}

/* Returns: (transfer full): its id; asserts that nothing but a read of so much was sent */
static char *take_read(LaneFixture *fixture, gint64 handle, gsize count)
{
    g_autofree char *arguments = arguments_of(handle, count);
    g_autofree char *text =
        g_strdup_printf("{\"execute\":\"guest-file-read\",\"arguments\":%s}", arguments);

    world_settle(&fixture->world);
    return fake_agent_take(&fixture->agent, text);
}

/* What an agent says of @len bytes at @from of the file, whose bytes are all different. */
static char *part(gsize from, gsize len, gboolean eof)
{
    g_autofree guchar *bytes = g_malloc(len + 1);
    g_autofree char *digits = NULL;

    for (gsize i = 0; i < len; i++)
        bytes[i] = (guchar)((from + i) * 2654435761u >> 13);
    digits = g_base64_encode(bytes, len);
    return g_strdup_printf("{\"count\": %" G_GSIZE_FORMAT ", \"buf-b64\": \"%s\", \"eof\": %s}",
                           len, digits, eof ? "true" : "false");
}

static void answer(LaneFixture *fixture, const char *id, const char *value)
{
    fake_agent_return_large(&fixture->agent, &fixture->world, id, value);
}

static void answer_part(LaneFixture *fixture, const char *id, gsize from, gsize len, gboolean eof)
{
    g_autofree char *value = part(from, len, eof);

    answer(fixture, id, value);
}

static void serve_part(LaneFixture *fixture, gsize asked, gsize from, gsize len, gboolean eof)
{
    g_autofree char *id = take_read(fixture, 1000, asked);

    answer_part(fixture, id, from, len, eof);
}

static void fail(LaneFixture *fixture, const char *id, const char *desc)
{
    g_autofree char *text = g_strdup_printf(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"%s\"}, \"id\": %s}\n", desc, id);

    peer_send(&fixture->agent, text);
    world_settle(&fixture->world);
}

/* The client was told of so much, and all of it is right. */
static void assert_read(LaneFixture *fixture, gsize len, gboolean eof)
{
    g_autofree char *value = part(0, len, eof);
    g_autofree char *expected = g_strdup_printf("guest-file-read %s\n", value);

    world_settle(&fixture->world);
    g_assert_cmpuint(fixture->log->len, ==, strlen(expected));
    g_assert_true(g_str_equal(fixture->log->str, expected));
    g_string_truncate(fixture->log, 0);
}

static void nothing_comes(LaneFixture *fixture)
{
    world_settle(&fixture->world);
    peer_expect(&fixture->agent, "");
}

/* One piece is there, the next one was not asked for yet: somebody else's ping is under way.
 * Returns: (transfer full): its id */
static char *begin_and_rest(LaneFixture *fixture, gsize count)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, count);
    id = take_read(fixture, 1000, SLICE);
    lane_submit(fixture, "guest-ping");
    answer_part(fixture, id, 0, SLICE, FALSE);
    return lane_take(fixture, "guest-ping");
}

/* ---- What the client gets -------------------------------------------------------------------- */

/* However long the file is, beside what was asked for: in the middle of a piece, at its end, one
 * byte away from it. */
static void test_lengths(LaneFixture *fixture, gconstpointer unused)
{
    static const gsize asked[] = {SLICE + 1, 2 * SLICE - 1, 2 * SLICE, 2 * SLICE + 2};
    static const gsize there[] = {SLICE,         SLICE + 1,     2 * SLICE - 1, 2 * SLICE,
                                  2 * SLICE + 1, 2 * SLICE + 2, 3 * SLICE};

    for (gsize i = 0; i < G_N_ELEMENTS(asked) * G_N_ELEMENTS(there); i++) {
        gsize want = asked[i % G_N_ELEMENTS(asked)], len = there[i / G_N_ELEMENTS(asked)];
        gsize at = 0, piece, came;

        submit_read(fixture, 1000, want);
        do {
            piece = MIN(SLICE, want - at);
            came = MIN(piece, len - at);
            serve_part(fixture, piece, at, came, came < piece);
            at += came;
        } while (came == piece && at < want);
        assert_read(fixture, at, came < piece);
        nothing_comes(fixture);
    }
}

/* What is in the first piece alone is passed on as any other answer is. */
static void test_short(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, LIMIT_FILE_READ_BYTES);
    id = take_read(fixture, 1000, SLICE);
    answer(fixture, id, "{'eof':true,'count':1,'more':[1],'buf-b64':'AA=='}");
    lane_assert_log(fixture, "guest-file-read {\"eof\": true, \"count\": 1, \"more\": [1], "
                             "\"buf-b64\": \"AA==\"}\n");
}

/* What goes in one piece, or is the agent's to refuse, goes as it came. */
static void test_as_it_came(LaneFixture *fixture, gconstpointer unused)
{
    static const char *const cases[] = {
        "{\"handle\":1000}",
        "{\"handle\":1000,\"count\":1}",
        "{\"handle\":1000,\"count\":387072}", /* LIMIT_FILE_SLICE_BYTES */
        "{\"handle\":1000,\"count\":50331649}",
        "{\"handle\":1000,\"count\":-387073}",
        "{\"handle\":1000,\"count\":1e6}",
        "{\"handle\":\"1000\",\"count\":1000000}",
        "{\"handle\":1000,\"count\":1000000,\"more\":1}",
        "{\"count\":1000000,\"offset\":1}",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"execute\":\"guest-file-read\",\"arguments\":%s}", cases[i]);

        lane_submit_with(fixture, "guest-file-read", cases[i]);
        fake_agent_serve(&fixture->agent, &fixture->world, text, "{}");
        lane_assert_log(fixture, "guest-file-read {}\n");
    }
}

static void test_error(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *first = NULL;
    g_autofree char *second = NULL;

    submit_read(fixture, 1000, 3 * SLICE);
    first = take_read(fixture, 1000, SLICE);
    fail(fixture, first, HANDLE_GONE);
    lane_assert_log(fixture, "guest-file-read: " HANDLE_GONE "\n");
    submit_read(fixture, 1000, 3 * SLICE);
    serve_part(fixture, SLICE, 0, SLICE, FALSE);
    second = take_read(fixture, 1000, SLICE);
    fail(fixture, second, HANDLE_GONE);
    lane_assert_log(fixture, "guest-file-read: " HANDLE_GONE "\n");
    nothing_comes(fixture);
}

/* Nothing is put together of what an honest agent does not say. */
static void test_wrong(LaneFixture *fixture, gconstpointer unused)
{
    static const char *const cases[] = {
        "[]",
        "7",
        "{}",
        "{\"count\": 3, \"buf-b64\": \"AAAA\"}",
        "{\"count\": 3, \"eof\": false}",
        "{\"buf-b64\": \"AAAA\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"AAA\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"AAAAA\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"AA\\\\A\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"AA\\u0041\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"\xC3\xA4\xC3\xA4\", \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": [1,2], \"eof\": false}",
        "{\"count\": 3, \"buf-b64\": \"AAAA\", \"eof\": 0}",
        "{\"count\": 3.0, \"buf-b64\": \"AAAA\", \"eof\": false}",
        "{\"count\": -3, \"buf-b64\": \"\", \"eof\": false}",
        "{\"count\": 9223372036854775807, \"buf-b64\": \"\", \"eof\": false}",
        "{\"count\": 387073, \"buf-b64\": \"AAAA\", \"eof\": false}",
    };

    for (gsize i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        g_autofree char *id = NULL;

        submit_read(fixture, 1000, 3 * SLICE);
        if (i % 2)
            serve_part(fixture, SLICE, 0, SLICE, FALSE);
        id = take_read(fixture, 1000, SLICE);
        answer(fixture, id, cases[i / 2]);
        lane_assert_log(fixture, WRONG);
        nothing_comes(fixture);
    }
    lane_submit(fixture, "guest-ping");
    lane_take_and_answer(fixture, "guest-ping", "{}");
    lane_assert_log(fixture, "guest-ping {}\n");
}

/* ---- Others between two pieces --------------------------------------------------------------- */

/* All that waited when a piece came have their turn before the next one. */
static void test_turns(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, 3 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    lane_submit(fixture, "guest-get-users");
    lane_submit(fixture, "guest-get-time");
    answer_part(fixture, id, 0, SLICE, FALSE);
    lane_take_and_answer(fixture, "guest-get-users", "1");
    lane_submit(fixture, "guest-get-osinfo");
    lane_take_and_answer(fixture, "guest-get-time", "2");
    serve_part(fixture, SLICE, SLICE, SLICE, FALSE);
    lane_take_and_answer(fixture, "guest-get-osinfo", "3");
    lane_assert_log(fixture, "guest-get-users 1\nguest-get-time 2\nguest-get-osinfo 3\n");
    serve_part(fixture, SLICE, 2 * SLICE, 5, TRUE);
    assert_read(fixture, 2 * SLICE + 5, TRUE);
}

/* Who uses the same file waits until all of it is read, and so does another large read; any other
 * file is free. */
static void test_files(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, 2 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    lane_submit_with(fixture, "guest-file-close", "{\"handle\":1000}");
    submit_read(fixture, 2000, SLICE + 1);
    lane_submit_with(fixture, "guest-file-flush", "{\"handle\":2000}");
    answer_part(fixture, id, 0, SLICE, FALSE);
    fake_agent_serve(&fixture->agent, &fixture->world,
                     "{\"execute\":\"guest-file-flush\",\"arguments\":{\"handle\":2000}}", "1");
    lane_assert_log(fixture, "guest-file-flush 1\n");
    serve_part(fixture, SLICE, SLICE, 0, TRUE);
    assert_read(fixture, SLICE, TRUE);
    fake_agent_serve(&fixture->agent, &fixture->world,
                     "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":1000}}", "2");
    lane_assert_log(fixture, "guest-file-close 2\n");
    g_free(take_read(fixture, 2000, SLICE));
}

/* An agent refuses to read while filesystems are frozen: what had begun before goes on after. */
static void test_frozen(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, 2 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    lane_submit(fixture, "guest-fsfreeze-freeze");
    answer_part(fixture, id, 0, SLICE, FALSE);
    agent_lane_set_frozen(fixture->lane, TRUE);
    lane_take_and_answer(fixture, "guest-fsfreeze-freeze", "1");
    nothing_comes(fixture);
    lane_submit(fixture, "guest-fsfreeze-thaw");
    lane_take_and_answer(fixture, "guest-fsfreeze-thaw", "1");
    agent_lane_set_frozen(fixture->lane, FALSE);
    lane_submit(fixture, "guest-ping");
    lane_assert_log(fixture, "guest-fsfreeze-freeze 1\nguest-fsfreeze-thaw 1\n");
    serve_part(fixture, SLICE, SLICE, SLICE, FALSE);
    assert_read(fixture, 2 * SLICE, FALSE);
    lane_take_and_answer(fixture, "guest-ping", "2");
    lane_assert_log(fixture, "guest-ping 2\n");
}

/* A thaw that does not come: the client's time is over all the same. How long the freeze took is
 * not counted, nor a pause of the machine. */
static void test_never_thawed(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *freeze = NULL;
    g_autofree char *id = NULL;

    fixture->bounds.slow_seconds = 3;
    submit_read(fixture, 1000, 2 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    lane_submit(fixture, "guest-fsfreeze-freeze");
    answer_part(fixture, id, 0, SLICE, FALSE);
    freeze = lane_take(fixture, "guest-fsfreeze-freeze");
    world_pass_ms(&fixture->world, 5000);
    agent_lane_set_frozen(fixture->lane, TRUE);
    answer(fixture, freeze, "1");
    world_pass_ms(&fixture->world, 2000);
    agent_lane_set_paused(fixture->lane, TRUE);
    world_pass_ms(&fixture->world, 5000);
    agent_lane_set_paused(fixture->lane, FALSE);
    world_pass_ms(&fixture->world, 900);
    lane_assert_log(fixture, "guest-fsfreeze-freeze 1\n");
    world_pass_ms(&fixture->world, 200);
    lane_assert_log(fixture, "guest-file-read: The guest's filesystems are frozen, and the time "
                             "limit is over; guest-file-read " OUTCOME);
    nothing_comes(fixture);
}

/* Its time is that of its pieces; what others take between them is not counted. */
static void test_time(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = NULL;
    g_autofree char *id = NULL;

    fixture->bounds.slow_seconds = 3;
    fixture->bounds.quick_seconds = 1000;
    submit_read(fixture, 1000, 2 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    lane_submit(fixture, "guest-ping");
    world_pass_ms(&fixture->world, 1000);
    answer_part(fixture, id, 0, SLICE, FALSE);
    ping = lane_take(fixture, "guest-ping");
    world_pass_ms(&fixture->world, 5000);
    answer(fixture, ping, "1");
    g_free(take_read(fixture, 1000, SLICE));
    world_pass_ms(&fixture->world, 1900);
    lane_assert_log(fixture, "guest-ping 1\n");
    world_pass_ms(&fixture->world, 200);
    lane_assert_log(fixture, "guest-file-read: The guest agent did not answer within 3 s; "
                             "guest-file-read " OUTCOME);
}

/* ---- Ends ------------------------------------------------------------------------------------ */

static void close_port(LaneFixture *fixture)
{
    agent_lane_set_port(fixture->lane, PORT_CLOSED, FALSE);
}

static void start_guest(LaneFixture *fixture)
{
    agent_lane_guest_started(fixture->lane, "The guest was reset");
}

static void lose_guest(LaneFixture *fixture)
{
    agent_lane_guest_lost(fixture->lane, "The guest has crashed");
}

static void abandon(LaneFixture *fixture)
{
    agent_lane_abandon(fixture->lane, "QEMU has ended");
}

static void send_rubbish(LaneFixture *fixture)
{
    peer_send(&fixture->agent, "}\n");
}

/* Whatever takes the agent away between two pieces, or makes another of it, ends the read, once;
 * the handle may be somebody else's file there. */
static void test_losses(LaneFixture *fixture, gconstpointer data)
{
    static void (*const losses[])(LaneFixture * fixture) = {
        close_port, start_guest, lose_guest, abandon, send_rubbish,
    };
    static const char *const words[] = {
        "The guest agent closed its port",
        "The guest was reset",
        "The guest has crashed",
        "QEMU has ended",
        "The guest agent sent something that is no reply",
    };
    gsize i = GPOINTER_TO_SIZE(data);
    g_autofree char *told = g_strdup_printf("guest-ping: %s; guest-ping " OUTCOME
                                            "guest-file-read: %s; guest-file-read " OUTCOME,
                                            words[i], words[i]);

    g_free(begin_and_rest(fixture, 2 * SLICE));
    losses[i](fixture);
    lane_assert_log(fixture, told);
}

/* A sync in between says nothing of that. */
static void test_sync(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = begin_and_rest(fixture, 2 * SLICE);

    agent_lane_set_paused(fixture->lane, TRUE);
    answer(fixture, ping, "1");
    agent_lane_probe(fixture->lane);
    agent_lane_set_paused(fixture->lane, FALSE);
    fake_agent_sync(&fixture->agent, &fixture->world);
    lane_assert_log(fixture, "guest-ping 1\nsynced\n");
    serve_part(fixture, SLICE, SLICE, 1, TRUE);
    assert_read(fixture, SLICE + 1, TRUE);
}

/* What waits is not sent while nobody knows who listens in the guest: it may be another boot of it
 * by now, where the handle is another file. */
static void test_blind(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *id = NULL;

    submit_read(fixture, 1000, 2 * SLICE);
    id = take_read(fixture, 1000, SLICE);
    agent_lane_set_blind(fixture->lane, TRUE);
    answer_part(fixture, id, 0, SLICE, FALSE);
    lane_assert_log(fixture, "guest-file-read: QEMU's monitor was lost; guest-file-read " OUTCOME);
    nothing_comes(fixture);
}

/* Nobody reads on for a client that has left; the next one has its turn. */
static void test_client_leaves(LaneFixture *fixture, gconstpointer unused)
{
    g_autofree char *ping = begin_and_rest(fixture, 2 * SLICE);
    PendingLeaver leaver = {fixture, "it"};

    agent_lane_foreach(fixture->lane, pending_leave, &leaver);
    answer(fixture, ping, "1");
    nothing_comes(fixture);
    g_string_truncate(fixture->log, 0);
    submit_read(fixture, 1000, SLICE + 1);
    serve_part(fixture, SLICE, 0, SLICE, FALSE);
    serve_part(fixture, 1, SLICE, 1, FALSE);
    assert_read(fixture, SLICE + 1, FALSE);
}

/* The channel that is used from here on leads to another agent, perhaps. */
static void test_take_over(LaneFixture *fixture, gconstpointer unused)
{
    LaneFixture other;

    lane_set_up_ready(&other, NULL);
    g_free(begin_and_rest(fixture, 2 * SLICE));
    agent_lane_take_over(other.lane, fixture->lane);
    lane_assert_log(fixture, "guest-file-read: Another channel of the guest agent is used; "
                             "guest-file-read " OUTCOME);
    lane_tear_down(&other, NULL);
    g_string_truncate(fixture->log, 0);
}

#define ADD(name, func) \
    g_test_add("/agent-lane-read/" name, LaneFixture, NULL, lane_set_up_ready, func, lane_tear_down)
#define ADD_LOSS(name, number)                                                                     \
    g_test_add("/agent-lane-read/" name, LaneFixture, GSIZE_TO_POINTER(number), lane_set_up_ready, \
               test_losses, lane_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("lengths", test_lengths);
    ADD("short", test_short);
    ADD("as-it-came", test_as_it_came);
    ADD("error", test_error);
    ADD("wrong", test_wrong);
    ADD("turns", test_turns);
    ADD("files", test_files);
    ADD("frozen", test_frozen);
    ADD("never-thawed", test_never_thawed);
    ADD("time", test_time);
    ADD_LOSS("port-closes", 0);
    ADD_LOSS("guest-starts", 1);
    ADD_LOSS("guest-lost", 2);
    ADD_LOSS("abandoned", 3);
    ADD_LOSS("rubbish", 4);
    ADD("sync", test_sync);
    ADD("blind", test_blind);
    ADD("client-leaves", test_client_leaves);
    ADD("take-over", test_take_over);
    return g_test_run();
}
