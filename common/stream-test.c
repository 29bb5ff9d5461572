/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A connection from the endpoint's side, over a fake one in memory (support/fake-io.h): messages in
 * whatever pieces they come, faults, ends, back-pressure both ways, and what all of it costs.
 */

#include "stream.h"

#include <string.h>

#include "limits.h"
#include "support/cut.h"
#include "support/fake-io.h"
#include "support/scan-log.h"

static const QueueLimits queue_limits = {.low = 1000, .high = 2000, .hard = 1024 * 1024};

typedef struct {
    FakeIo io;
    Charge charge;
    Stream stream;
} Fixture;

static void set_up_limited(Fixture *fixture, const JsonScanLimits *limits, gsize charge)
{
    fake_io_init(&fixture->io);
    charge_init(&fixture->charge, NULL, charge);
    stream_init(&fixture->stream, &fake_io_ops, &fixture->io, limits, &queue_limits,
                &fixture->charge);
}

static void set_up(Fixture *fixture)
{
    set_up_limited(fixture, &scan_log_limits, G_MAXSIZE);
}

/* Closed once, and nothing is owed. */
static void tear_down(Fixture *fixture)
{
    g_assert_cmpuint(fixture->io.closed, ==, 0);
    stream_clear(&fixture->stream);
    g_assert_cmpuint(fixture->io.closed, ==, 1);
    g_assert_cmpuint(fixture->charge.used, ==, 0);
    charge_clear(&fixture->charge);
    fake_io_clear(&fixture->io);
}

static void fill(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = stream_fill(&fixture->stream, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void flush(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = stream_flush(&fixture->stream, &error);

    g_assert_no_error(error);
    g_assert_true(ok);
}

static void put(Fixture *fixture, const char *text)
{
    fake_io_put(&fixture->io, text, strlen(text));
}

/* As scan-log.h writes it. */
static StreamResult log_one(Fixture *fixture, GString *log)
{
    JsonSpan message = JSON_SPAN_NONE;
    StreamResult result = stream_next(&fixture->stream, &message);

    if (result == STREAM_MESSAGE)
        g_string_append_printf(log, "= %.*s\n", (int)message.len, message.text);
    if (result == STREAM_FAULT) {
        g_autofree char *text = stream_fault_text(&fixture->stream);

        g_assert_true(g_str_has_prefix(text, "JSON "));
        g_string_append_printf(log, "! %s\n", scan_log_fault_name(stream_fault(&fixture->stream)));
    }
    return result;
}

/* Reads while there is input. */
static StreamResult log_all(Fixture *fixture, GString *log)
{
    StreamResult result;

    do {
        fill(fixture);
        while ((result = log_one(fixture, log)) == STREAM_MESSAGE || result == STREAM_FAULT)
            ;
    } while (result == STREAM_IDLE && fixture->io.input->len > 0);
    return result;
}

static void assert_log(Fixture *fixture, const char *expected, StreamResult last)
{
    g_autoptr(GString) log = g_string_new(NULL);

    g_assert_cmpint(log_all(fixture, log), ==, last);
    g_assert_cmpstr(log->str, ==, expected);
}

/* ---- input ----------------------------------------------------------------------------------- */

static gpointer begin(gconstpointer setup)
{
    Fixture *fixture = g_new0(Fixture, 1);

    set_up(fixture);
    fixture->io.read_max = *(const gsize *)setup;
    return fixture;
}

static void feed(gpointer data, const char *bytes, gsize len, GString *log)
{
    Fixture *fixture = data;

    fake_io_put(&fixture->io, bytes, len);
    g_assert_cmpint(log_all(fixture, log), ==, STREAM_IDLE);
}

static void finish(gpointer data, GString *log)
{
    Fixture *fixture = data;

    fixture->io.input_end = TRUE;
    g_assert_cmpint(log_all(fixture, log), ==, STREAM_END);
    tear_down(fixture);
    g_free(fixture);
}

static const CutSubject subject = {begin, feed, finish};

static void test_cuts(void)
{
    static const char input[] =
        "{\"execute\":\"qmp_capabilities\"}\r\n \t{'a':[1,2,{\"b\":\"}\\\"\\u00e9\"}]}{}"
        "[1 2]{\"c\":3}@ oops }\n{\"d\":\"\xc3\xa9\"}{\"e\":\xff\xff{\"f\":1}{\"g\":1,\"g\":2}\n"
        "\"text\" 12 null\n{\"half\":";
    static const char expected[] =
        "= {\"execute\":\"qmp_capabilities\"}\n= {'a':[1,2,{\"b\":\"}\\\"\\u00e9\"}]}\n= {}\n"
        "! syntax\n= {\"c\":3}\n! lexical\n= {\"d\":\"\xc3\xa9\"}\n! reset\n= {\"f\":1}\n! "
        "duplicate\n"
        "= \"text\"\n= 12\n= null\n";
    static const gsize read_sizes[] = {0, 1, 7};

    for (gsize i = 0; i < G_N_ELEMENTS(read_sizes); i++) {
        g_autofree char *log = cut_everywhere(&subject, &read_sizes[i], input, sizeof(input) - 1);

        g_assert_cmpstr(log, ==, expected);
    }
}

static void test_idle(void)
{
    Fixture fixture;

    set_up(&fixture);
    g_assert_true(fixture.io.want_read);
    g_assert_false(fixture.io.want_write);
    assert_log(&fixture, "", STREAM_IDLE);
    put(&fixture, "{\"a\":");
    assert_log(&fixture, "", STREAM_IDLE);
    put(&fixture, "1}{\"b\":");
    assert_log(&fixture, "= {\"a\":1}\n", STREAM_IDLE);
    tear_down(&fixture);
}

/* What was sent before the end is still handed out; then, and not before, it is the end, for good.
 */
static void test_end(void)
{
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);

    set_up(&fixture);
    put(&fixture, "{}[]{\"half\":");
    fixture.io.input_end = TRUE;
    fixture.io.read_max = 6;
    assert_log(&fixture, "= {}\n= []\n", STREAM_IDLE);
    fill(&fixture);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_END);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_END);
    g_assert_cmpstr(log->str, ==, "");
    g_assert_false(fixture.io.want_read);
    tear_down(&fixture);
}

/* An end with messages still in the buffer comes behind them. */
static void test_end_after_messages(void)
{
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);

    set_up(&fixture);
    put(&fixture, "{}{}");
    fixture.io.input_end = TRUE;
    fill(&fixture);
    fill(&fixture);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_MESSAGE);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_MESSAGE);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_END);
    tear_down(&fixture);
}

static void test_read_fails(void)
{
    Fixture fixture;
    g_autoptr(GError) error = NULL;

    set_up(&fixture);
    fixture.io.broken = TRUE;
    g_assert_false(stream_fill(&fixture.stream, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
    tear_down(&fixture);
}

/* No turn reads more than its budget, whatever there is, and a message of many budgets still comes.
 */
static void test_budget(void)
{
    Fixture fixture;
    gsize len = 4 * LIMIT_READ_BUDGET;
    g_autoptr(GString) message = g_string_sized_new(len);
    JsonSpan found = JSON_SPAN_NONE;

    g_string_append_c(message, '"');
    while (message->len < len)
        g_string_append(message, "0123456789abcdef");
    g_string_append_c(message, '"');
    set_up(&fixture);
    fake_io_put(&fixture.io, message->str, message->len);
    while (stream_next(&fixture.stream, &found) == STREAM_IDLE) {
        gsize before = fixture.io.input->len;

        fill(&fixture);
        g_assert_cmpuint(before - fixture.io.input->len, <=, LIMIT_READ_BUDGET);
        g_assert_cmpuint(before, >, 0);
    }
    g_assert_cmpmem(found.text, found.len, message->str, message->len);
    g_assert_cmpuint(fixture.io.largest_read, <=, LIMIT_READ_BUDGET);
    tear_down(&fixture);
}

/* What is buffered is charged; behind the last message, large or small, next to nothing is kept. */
static void test_input_is_charged(void)
{
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);
    g_autofree char *large = g_strnfill(300000, ' ');

    large[0] = '[';
    set_up(&fixture);
    put(&fixture, large);
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    g_assert_cmpuint(fixture.charge.used, >=, 300000);
    put(&fixture, "]{}");
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    g_assert_true(g_str_has_suffix(log->str, " ]\n= {}\n"));
    g_assert_cmpuint(fixture.charge.used, <, 1024);
    tear_down(&fixture);
}

static void test_no_room_for_input(void)
{
    Fixture fixture;
    g_autofree char *large = g_strnfill(300000, ' ');
    g_autoptr(GError) error = NULL;
    JsonSpan message;

    large[0] = '[';
    set_up_limited(&fixture, &scan_log_limits, 100000);
    put(&fixture, large);
    while (stream_fill(&fixture.stream, &error))
        g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_IDLE);
    g_assert_nonnull(error);
    g_assert_cmpuint(fixture.charge.used, <=, 100000);
    g_assert_cmpuint(fixture.charge.peak, >=, 50000);
    tear_down(&fixture);
}

/* A message over the limit, a broken one, whitespace: endless, and yet nothing piles up. */
static void test_endless_input(void)
{
    static const char *const openings[] = {"{\"a\":\"", "[1 2 \"", "@", "\xff", " "};
    const JsonScanLimits limits = {.bytes = 4096, .tokens = 100, .nesting = 8};
    g_autofree char *more = g_strnfill(5000, ' ');

    for (gsize i = 0; i < G_N_ELEMENTS(openings); i++) {
        Fixture fixture;
        g_autoptr(GString) log = g_string_new(NULL);

        set_up_limited(&fixture, &limits, 128 * 1024);
        put(&fixture, openings[i]);
        for (guint round = 0; round < 2000; round++) {
            put(&fixture, more);
            g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
        }
        g_assert_cmpuint(strlen(log->str), <, 16);
        tear_down(&fixture);
    }
}

/* What comes beside the bytes is placed by their count, however they come. */
static void test_counts(void)
{
    static const char *const text = "{} \n[1]}  {\"a\"";
    static const gsize taken_after[] = {2, 7, 8, 10};

    for (gsize size = 1; size <= strlen(text); size++) {
        Fixture fixture;
        JsonSpan message;
        gsize n = 0;

        set_up(&fixture);
        fixture.io.read_max = size;
        put(&fixture, text);
        while (fixture.io.input->len > 0) {
            fill(&fixture);
            g_assert_cmpuint(stream_bytes_read(&fixture.stream), ==,
                             strlen(text) - fixture.io.input->len);
            while (stream_next(&fixture.stream, &message) != STREAM_IDLE)
                g_assert_cmpuint(stream_bytes_taken(&fixture.stream), ==, taken_after[n++]);
        }
        g_assert_cmpuint(n, ==, 3);
        g_assert_cmpuint(stream_bytes_taken(&fixture.stream), ==, taken_after[n]);
        stream_discard_input(&fixture.stream);
        g_assert_cmpuint(stream_bytes_taken(&fixture.stream), ==, strlen(text));
        tear_down(&fixture);
    }
}

static void test_discard_input(void)
{
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);

    set_up(&fixture);
    put(&fixture, "{\"a\":1}{\"b\":2}{\"half\":[\"");
    fill(&fixture);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_MESSAGE);
    stream_discard_input(&fixture.stream);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_IDLE);
    put(&fixture, "{\"c\":3}");
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    g_assert_cmpstr(log->str, ==, "= {\"a\":1}\n= {\"c\":3}\n");
    put(&fixture, "[1 2 [");
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    stream_discard_input(&fixture.stream);
    put(&fixture, "{\"d\":4}");
    assert_log(&fixture, "= {\"d\":4}\n", STREAM_IDLE);
    tear_down(&fixture);
}

/* Known of the message that has it, and of no other. */
static void test_long_string(void)
{
    g_autofree char *content = g_strnfill(JSON_SCAN_LONG, 'A');
    g_autofree char *input = g_strdup_printf("[\"%s\"][2]", content);
    Fixture fixture;
    JsonSpan message, found;

    set_up_limited(&fixture, &JSON_SCAN_LIMITS(LIMIT_JSON_BYTES), G_MAXSIZE);
    put(&fixture, input);
    while (stream_next(&fixture.stream, &message) == STREAM_IDLE)
        fill(&fixture);
    found = stream_long_string(&fixture.stream);
    g_assert_true(found.text == message.text + 1);
    g_assert_cmpuint(found.len, ==, message.len - 2);
    while (stream_next(&fixture.stream, &message) == STREAM_IDLE)
        fill(&fixture);
    g_assert_cmpuint(message.len, ==, 3);
    g_assert_null(stream_long_string(&fixture.stream).text);
    tear_down(&fixture);
}

/* What was stolen stays, what stood behind it comes next, half messages too, and only that is
 * charged. */
static void test_steal(void)
{
    static const char input[] = "{\"a\":1}{\"return\":[2,3]}{\"b\":2}{\"half\":[\"";
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);
    g_autoptr(GBytes) stolen = NULL;
    JsonSpan message;
    guint64 taken;

    set_up(&fixture);
    put(&fixture, input);
    fill(&fixture);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_MESSAGE);
    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_MESSAGE);
    taken = stream_bytes_taken(&fixture.stream);
    stolen = stream_steal(&fixture.stream, (JsonSpan){message.text + 10, 5});
    g_assert_cmpuint(stream_bytes_taken(&fixture.stream), ==, taken);
    g_assert_cmpuint(stream_bytes_read(&fixture.stream), ==, strlen(input));
    g_assert_cmpuint(fixture.charge.used, ==, strlen(input) - taken);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_MESSAGE);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_IDLE);
    put(&fixture, "\"]}[1]");
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    g_assert_cmpstr(log->str, ==, "= {\"a\":1}\n= {\"b\":2}\n= {\"half\":[\"\"]}\n= [1]\n");
    g_assert_cmpmem(g_bytes_get_data(stolen, NULL), g_bytes_get_size(stolen), "[2,3]", 5);
    tear_down(&fixture);
}

/* What a peer puts before what it is asked for is not kept with it. */
static void test_steal_behind_much(void)
{
    enum { MUCH = 1 << 20, PART = 16 << 10 };
    Fixture fixture;
    g_autofree char *padding = g_strnfill(MUCH, ' ');
    g_autofree char *digits = g_strnfill(PART - 2, '7');
    g_autofree char *part = g_strdup_printf("\"%s\"", digits);
    g_autofree char *input = g_strdup_printf("{%s\"return\": %s}", padding, part);
    g_autoptr(GBytes) stolen = NULL;
    StreamResult result = STREAM_IDLE;
    JsonSpan message;

    set_up(&fixture);
    for (const char *at = input; result == STREAM_IDLE;
         at += strlen(at) < PART ? strlen(at) : PART) {
        g_autofree char *piece = g_strndup(at, PART);

        put(&fixture, piece);
        fill(&fixture);
        result = stream_next(&fixture.stream, &message);
    }
    g_assert_cmpint(result, ==, STREAM_MESSAGE);
    stolen = stream_steal(&fixture.stream, (JsonSpan){message.text + message.len - 1 - PART, PART});
    g_assert_cmpmem(g_bytes_get_data(stolen, NULL), g_bytes_get_size(stolen), part, PART);
    /* It stands at the beginning of its allocation, which an odd number of bytes were before. */
    g_assert_cmpuint((gsize)g_bytes_get_data(stolen, NULL) % sizeof(gpointer), ==, 0);
    tear_down(&fixture);
}

/* Nothing behind it: the stream is idle, and holds nothing. */
static void test_steal_last(void)
{
    Fixture fixture;
    g_autoptr(GBytes) stolen = NULL;
    JsonSpan message;

    set_up(&fixture);
    put(&fixture, "[\"a\"]");
    fill(&fixture);
    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_MESSAGE);
    stolen = stream_steal(&fixture.stream, message);
    g_assert_cmpmem(g_bytes_get_data(stolen, NULL), g_bytes_get_size(stolen), "[\"a\"]", 5);
    g_assert_cmpuint(fixture.charge.used, ==, 0);
    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_IDLE);
    put(&fixture, "[\"b\"]");
    assert_log(&fixture, "= [\"b\"]\n", STREAM_IDLE);
    tear_down(&fixture);
}

static void test_pause(void)
{
    Fixture fixture;

    set_up(&fixture);
    stream_pause(&fixture.stream, TRUE);
    g_assert_false(fixture.io.want_read);
    g_assert_false(fixture.io.want_write);
    stream_pause(&fixture.stream, TRUE);
    g_assert_false(fixture.io.want_read);
    stream_pause(&fixture.stream, FALSE);
    g_assert_true(fixture.io.want_read);
    put(&fixture, "{}");
    assert_log(&fixture, "= {}\n", STREAM_IDLE);
    g_assert_true(fixture.io.want_read);
    tear_down(&fixture);
}

/* ---- output ---------------------------------------------------------------------------------- */

static void test_send(void)
{
    Fixture fixture;
    g_autoptr(GBytes) shared = g_bytes_new_static("shared\n", 7);

    set_up(&fixture);
    flush(&fixture);
    g_assert_cmpuint(fixture.io.writes, ==, 0);
    g_assert_true(stream_send(&fixture.stream, "one\n", 4));
    g_assert_true(stream_send_bytes(&fixture.stream, shared));
    g_assert_true(stream_send(&fixture.stream, "two\n", 4));
    flush(&fixture);
    g_assert_cmpstr(fixture.io.output->str, ==, "one\nshared\ntwo\n");
    g_assert_false(fixture.io.want_write);
    g_assert_true(fixture.io.want_read);
    g_assert_cmpuint(fixture.charge.used, ==, 0);
    tear_down(&fixture);
}

/* The kernel takes a little at a time, or nothing; all comes out in the end, and writing is wanted
 * till then. */
static void test_slow_peer(void)
{
    Fixture fixture;
    g_autoptr(GString) expected = g_string_new(NULL);

    set_up(&fixture);
    fixture.io.write_max = 3;
    for (guint i = 0; i < 300; i++) {
        g_autofree char *line = g_strdup_printf("message %u\n", i);
        g_autoptr(GBytes) bytes = g_bytes_new(line, strlen(line));

        g_string_append(expected, line);
        g_assert_true(i % 2 ? stream_send(&fixture.stream, line, strlen(line))
                            : stream_send_bytes(&fixture.stream, bytes));
    }
    for (gsize room = 0; fixture.io.output->len < expected->len; room = (room + 7) % 100) {
        fixture.io.room = room;
        flush(&fixture);
        g_assert_cmpint(fixture.io.want_write, ==, fixture.io.output->len < expected->len);
    }
    g_assert_cmpstr(fixture.io.output->str, ==, expected->str);
    g_assert_false(fixture.io.want_write);
    tear_down(&fixture);
}

static void test_output_bounds(void)
{
    Fixture fixture;
    g_autofree char *large = g_strnfill(queue_limits.hard, 'x');

    set_up_limited(&fixture, &scan_log_limits, 600 * 1024);
    g_assert_false(stream_send(&fixture.stream, large, queue_limits.hard));
    g_assert_true(stream_send(&fixture.stream, large, 500 * 1024));
    g_assert_false(stream_send(&fixture.stream, large, 200 * 1024));
    g_assert_cmpuint(queue_length(&fixture.stream.queue), ==, 500 * 1024);
    flush(&fixture);
    g_assert_true(stream_send(&fixture.stream, large, 200 * 1024));
    tear_down(&fixture);

    set_up(&fixture);
    g_assert_true(stream_send(&fixture.stream, large, queue_limits.hard));
    g_assert_false(stream_send(&fixture.stream, "x", 1));
    tear_down(&fixture);
}

static void test_write_fails(void)
{
    Fixture fixture;
    g_autoptr(GError) error = NULL;

    set_up(&fixture);
    g_assert_true(stream_send(&fixture.stream, "x", 1));
    fixture.io.broken = TRUE;
    g_assert_false(stream_flush(&fixture.stream, &error));
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
    tear_down(&fixture);
}

/* Whatever the peer takes, and whatever waits, the order is kept; what is taken whole is not
 * queued.
 */
static void test_send_now(void)
{
    static const char text[] = "message\n";
    const gsize len = sizeof(text) - 1;

    for (guint waits = 0; waits < 2; waits++) {
        for (gsize room = 0; room <= 2 * len; room++) {
            Fixture fixture;
            g_autoptr(GError) error = NULL;

            set_up(&fixture);
            if (waits)
                g_assert_true(stream_send(&fixture.stream, text, len));
            fixture.io.room = room;
            g_assert_true(stream_send_now(&fixture.stream, text, len, &error));
            g_assert_no_error(error);
            g_assert_cmpuint(fixture.io.output->len, ==, MIN(room, (1 + waits) * len));
            g_assert_cmpuint(stream_bytes_written(&fixture.stream), ==, fixture.io.output->len);
            g_assert_cmpint(fixture.io.want_write, ==, room < (1 + waits) * len);
            fixture.io.room = G_MAXSIZE;
            flush(&fixture);
            g_assert_cmpstr(fixture.io.output->str, ==, waits ? "message\nmessage\n" : text);
            g_assert_cmpuint(stream_bytes_written(&fixture.stream), ==, fixture.io.output->len);
            tear_down(&fixture);
        }
    }
}

static void test_send_now_fails(void)
{
    g_autofree char *large = g_strnfill(queue_limits.hard + 1, 'x');
    Fixture fixture;
    g_autoptr(GError) broken = NULL;
    g_autoptr(GError) no_room = NULL;

    set_up(&fixture);
    fixture.io.room = 0;
    g_assert_false(stream_send_now(&fixture.stream, large, queue_limits.hard + 1, &no_room));
    g_assert_error(no_room, STREAM_ERROR, STREAM_ERROR_NO_ROOM);
    fixture.io.broken = TRUE;
    g_assert_false(stream_send_now(&fixture.stream, "x", 1, &broken));
    g_assert_error(broken, G_FILE_ERROR, G_FILE_ERROR_IO);
    tear_down(&fixture);
}

/* Of what was read, whether there may be another message behind the one that was handed out. */
static void test_has_more(void)
{
    Fixture fixture;
    JsonSpan message;

    set_up(&fixture);
    put(&fixture, "{}\n[]\n");
    fill(&fixture);
    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_MESSAGE);
    g_assert_true(stream_has_more(&fixture.stream));
    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_MESSAGE);
    g_assert_false(stream_has_more(&fixture.stream));
    tear_down(&fixture);
}

/* A client that sent all its commands and shut its sending side still gets the answers. */
static void test_half_closed(void)
{
    Fixture fixture;
    g_autoptr(GString) log = g_string_new(NULL);

    set_up(&fixture);
    put(&fixture, "{}");
    fixture.io.input_end = TRUE;
    g_assert_cmpint(log_all(&fixture, log), ==, STREAM_IDLE);
    fill(&fixture);
    g_assert_cmpint(log_one(&fixture, log), ==, STREAM_END);
    g_assert_true(stream_send(&fixture.stream, "answer", 6));
    fixture.io.room = 2;
    flush(&fixture);
    g_assert_true(fixture.io.want_write);
    g_assert_false(fixture.io.want_read);
    fixture.io.room = 100;
    flush(&fixture);
    g_assert_cmpstr(fixture.io.output->str, ==, "answer");
    tear_down(&fixture);
}

/* Half a message in, half an answer out: the books close all the same. */
static void test_clear_in_the_middle(void)
{
    Fixture fixture;

    set_up(&fixture);
    put(&fixture, "{\"a\":{\"b\":1,\"c\":\"");
    fill(&fixture);
    g_assert_true(stream_send(&fixture.stream, "answer", 6));
    fixture.io.room = 3;
    flush(&fixture);
    tear_down(&fixture);
}

static void test_no_charge(void)
{
    FakeIo io;
    Stream stream;
    JsonSpan message;
    g_autoptr(GError) error = NULL;

    fake_io_init(&io);
    stream_init(&stream, &fake_io_ops, &io, &scan_log_limits, &queue_limits, NULL);
    fake_io_put(&io, "{}", 2);
    g_assert_true(stream_fill(&stream, &error));
    g_assert_cmpint(stream_next(&stream, &message), ==, STREAM_MESSAGE);
    g_assert_true(stream_send(&stream, "x", 1));
    stream_clear(&stream);
    fake_io_clear(&io);
}

/* ---- a successor ----------------------------------------------------------------------------- */

/* The connection is the same, all else is made anew. */
static void hand_over(Fixture *fixture)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) state = NULL;

    stream_save(&fixture->stream, &saved);
    state = g_variant_ref_sink(g_variant_dict_end(&saved));
    stream_clear(&fixture->stream);
    fixture->io.closed = 0;
    stream_init(&fixture->stream, &fake_io_ops, &fixture->io, &scan_log_limits, &queue_limits,
                &fixture->charge);
    g_variant_dict_init(&saved, state);
    g_assert_true(stream_restore(&fixture->stream, &saved));
    g_variant_dict_clear(&saved);
}

/* @at: before which step it is handed over; G_MAXUINT for each. Returns: (transfer full) */
static char *log_handed_over(const char *input, gsize piece, guint at)
{
    GString *log = g_string_new(NULL);
    Fixture fixture;
    guint step = 0;

    set_up(&fixture);
    put(&fixture, input);
    fixture.io.read_max = piece;
    while (fixture.io.input->len > 0) {
        StreamResult result = STREAM_MESSAGE;

        fill(&fixture);
        while (result == STREAM_MESSAGE || result == STREAM_FAULT) {
            if (at == step++ || at == G_MAXUINT)
                hand_over(&fixture);
            result = log_one(&fixture, log);
        }
    }
    tear_down(&fixture);
    return g_string_free(log, FALSE);
}

/* What is broken is skipped by the successor just as far, be it behind the fault or in front of it:
 * what stands in it must not become a command. */
static void test_handed_over(void)
{
    static const char *const inputs[] = {
        "{\"a\":1}{\"b\":2} 3 true\n[4]",
        "-{\"a\":1}\n{\"b\":2}",
        "[1,-[\"a\",{\"b\":2}]]\n{\"c\":3}",
        "?{\"a\":1} {\"b\":2}\n{\"c\":3}",
        "[\"a\n{\"b\":2}\n[3]",
        "[\"a\\\n{\"b\":2}\"]\n[3]",
        "{\"a\" 5,{\"b\":[2,\"}]\"]}}\n[3]",
        "{\"a\":1,\"a\":{\"b\":2}}[3]",
        "[1,,[2,'\\'']]'',[3]\n[4]",
        "[\"\\u12zz\\u00\",\"\xC3\xC3\xA9]\"][5]",
        "[\"\\ud800\\u0041]\",\"\xF0\x9F\x98\"][5]",
        "[\"\\x\",\"\\u0041\\u00e9\",\"\xE2\x82\xAC\",nul][6]",
        "}}{\"a\":1}]\n[2]",
        "{\"a\":\xFF\xFF{\"b\":2}\xFF",
        "\xFF{\"a\":tru,\"b\":[1]}\x01\x01[2]",
    };
    static const gsize pieces[] = {0, 1, 3};

    for (gsize i = 0; i < G_N_ELEMENTS(inputs); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(pieces); j++) {
            g_autofree char *expected = log_handed_over(inputs[i], pieces[j], G_MAXUINT - 1);
            g_autofree char *each = log_handed_over(inputs[i], pieces[j], G_MAXUINT);

            g_assert_cmpstr(each, ==, expected);
            for (guint at = 0; at < 100; at++) {
                g_autofree char *once = log_handed_over(inputs[i], pieces[j], at);

                g_assert_cmpstr(once, ==, expected);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream/handed-over", test_handed_over);
    g_test_add_func("/stream/cuts", test_cuts);
    g_test_add_func("/stream/idle", test_idle);
    g_test_add_func("/stream/end", test_end);
    g_test_add_func("/stream/end-after-messages", test_end_after_messages);
    g_test_add_func("/stream/read-fails", test_read_fails);
    g_test_add_func("/stream/budget", test_budget);
    g_test_add_func("/stream/input-is-charged", test_input_is_charged);
    g_test_add_func("/stream/no-room-for-input", test_no_room_for_input);
    g_test_add_func("/stream/endless-input", test_endless_input);
    g_test_add_func("/stream/counts", test_counts);
    g_test_add_func("/stream/discard-input", test_discard_input);
    g_test_add_func("/stream/long-string", test_long_string);
    g_test_add_func("/stream/steal", test_steal);
    g_test_add_func("/stream/steal-behind-much", test_steal_behind_much);
    g_test_add_func("/stream/steal-last", test_steal_last);
    g_test_add_func("/stream/pause", test_pause);
    g_test_add_func("/stream/send", test_send);
    g_test_add_func("/stream/slow-peer", test_slow_peer);
    g_test_add_func("/stream/output-bounds", test_output_bounds);
    g_test_add_func("/stream/write-fails", test_write_fails);
    g_test_add_func("/stream/send-now", test_send_now);
    g_test_add_func("/stream/send-now-fails", test_send_now_fails);
    g_test_add_func("/stream/has-more", test_has_more);
    g_test_add_func("/stream/half-closed", test_half_closed);
    g_test_add_func("/stream/clear-in-the-middle", test_clear_in_the_middle);
    g_test_add_func("/stream/no-charge", test_no_charge);
    return g_test_run();
}
