/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A peer that stops in the middle of a message of many short names pays for what is kept of them,
 * which is more than their bytes, for as long as it is kept and no longer.
 */

#include "stream.h"

#include <string.h>

#include "support/fake-io.h"
#include "support/scan-log.h"

static const QueueLimits queue_limits = {.low = 1000, .high = 2000, .hard = 1024 * 1024};

/* So many that what is kept of them, with the opening of the object that they are in, is full; it
 * is 12 bytes for each, and 8 where they are found by hash. */
enum { NAMES = (1 << 17) - 1, NAMES_HELD = NAMES * 20 };

typedef struct {
    FakeIo io;
    Charge charge;
    Stream stream;
} Fixture;

static void open_stream(Fixture *fixture)
{
    stream_init(&fixture->stream, &fake_io_ops, &fixture->io, &scan_log_limits, &queue_limits,
                &fixture->charge);
}

static void set_up(Fixture *fixture, gsize room)
{
    fake_io_init(&fixture->io);
    charge_init(&fixture->charge, NULL, room);
    open_stream(fixture);
}

static void tear_down(Fixture *fixture)
{
    stream_clear(&fixture->stream);
    charge_clear(&fixture->charge);
    fake_io_clear(&fixture->io);
}

static void put(Fixture *fixture, const char *text)
{
    fake_io_put(&fixture->io, text, strlen(text));
}

/* {"0":0,"1":0 … */
static void put_names(Fixture *fixture)
{
    g_autoptr(GString) text = g_string_new("{\"0\":0");

    for (guint i = 1; i < NAMES; i++)
        g_string_append_printf(text, ",\"%x\":0", i);
    put(fixture, text->str);
}

/* Reads until there is more to tell than that nothing came. */
static StreamResult next(Fixture *fixture)
{
    StreamResult result = STREAM_IDLE;
    JsonSpan message;

    while (result == STREAM_IDLE && fixture->io.input->len > 0) {
        g_autoptr(GError) error = NULL;
        gboolean ok = stream_fill(&fixture->stream, &error);

        g_assert_no_error(error);
        g_assert_true(ok);
        result = stream_next(&fixture->stream, &message);
    }
    return result;
}

static gsize names_charged(const Fixture *fixture)
{
    return fixture->charge.used - fixture->stream.buffer.size;
}

static void set_up_among_names(Fixture *fixture)
{
    set_up(fixture, G_MAXSIZE);
    put_names(fixture);
    g_assert_cmpint(next(fixture), ==, STREAM_IDLE);
    g_assert_cmpuint(names_charged(fixture), >=, NAMES_HELD);
    g_assert_cmpuint(names_charged(fixture), <, NAMES_HELD + NAMES_HELD / 4);
}

/* Whole, or broken in one way or another. */
static void test_ends(void)
{
    static const struct {
        const char *text;
        StreamResult result;
    } ends[] = {
        {"}", STREAM_MESSAGE}, {",\"0\":0}", STREAM_FAULT}, {",,", STREAM_FAULT},
        {"@", STREAM_FAULT},   {"\xff", STREAM_FAULT},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
        Fixture fixture;

        set_up_among_names(&fixture);
        put(&fixture, ends[i].text);
        g_assert_cmpint(next(&fixture), ==, ends[i].result);
        g_assert_cmpuint(names_charged(&fixture), ==, 0);
        tear_down(&fixture);
    }
}

static void test_discarded(void)
{
    Fixture fixture;

    set_up_among_names(&fixture);
    stream_discard_input(&fixture.stream);
    g_assert_cmpuint(fixture.charge.used, ==, 0);
    tear_down(&fixture);
}

static void test_cleared(void)
{
    Fixture fixture;

    set_up_among_names(&fixture);
    tear_down(&fixture);
}

/* Most messages have few, and wait for the rest at no cost but that of their bytes. */
static void test_few(void)
{
    Fixture fixture;

    set_up(&fixture, G_MAXSIZE);
    put(&fixture, "{\"execute\":\"a\",\"arguments\":{\"b\":[{\"c\":");
    g_assert_cmpint(next(&fixture), ==, STREAM_IDLE);
    g_assert_cmpuint(names_charged(&fixture), ==, 0);
    tear_down(&fixture);
}

/* Room for the message's bytes, but not for the names in them. */
static void test_no_room(void)
{
    enum { ROOM = 3 << 20 };
    Fixture fixture;

    set_up(&fixture, ROOM);
    put_names(&fixture);
    g_assert_cmpint(next(&fixture), ==, STREAM_NO_ROOM);
    g_assert_cmpuint(fixture.charge.peak, <=, ROOM);
    tear_down(&fixture);
}

/* The successor looks at them again, and charges as much for them. */
static void test_handed_over(void)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);
    g_autoptr(GVariant) state = NULL;
    Fixture fixture;
    JsonSpan message;
    gsize charged;

    set_up_among_names(&fixture);
    charged = names_charged(&fixture);
    stream_save(&fixture.stream, &saved);
    state = g_variant_ref_sink(g_variant_dict_end(&saved));
    stream_clear(&fixture.stream);
    open_stream(&fixture);
    g_variant_dict_init(&saved, state);
    g_assert_true(stream_restore(&fixture.stream, &saved));
    g_variant_dict_clear(&saved);

    g_assert_cmpint(stream_next(&fixture.stream, &message), ==, STREAM_IDLE);
    g_assert_cmpuint(names_charged(&fixture), ==, charged);
    put(&fixture, "}");
    g_assert_cmpint(next(&fixture), ==, STREAM_MESSAGE);
    g_assert_cmpuint(names_charged(&fixture), ==, 0);
    tear_down(&fixture);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stream-names/ends", test_ends);
    g_test_add_func("/stream-names/discarded", test_discarded);
    g_test_add_func("/stream-names/cleared", test_cleared);
    g_test_add_func("/stream-names/few", test_few);
    g_test_add_func("/stream-names/no-room", test_no_room);
    g_test_add_func("/stream-names/handed-over", test_handed_over);
    return g_test_run();
}
