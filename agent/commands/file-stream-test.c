/* SPDX-License-Identifier: GPL-2.0-or-later */

/* A large read is answered with the same bytes as if it were read whole; and where that cannot be,
 * with what no host takes for a result. */

#include "agent/fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"

enum { LARGE = 3 * LIMIT_FILE_WHOLE_BYTES, START = 10 };

typedef struct {
    CommandFixture base;
    char *path;
    guint8 *content;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autofree char *open = NULL;

    fixture_init(&fixture->base, NULL);
    fixture->path = g_build_filename(fixture->base.directory, "file", NULL);
    fixture->content = g_malloc(LARGE);
    for (gsize i = 0; i < LARGE; i++)
        fixture->content[i] = (guint8)(i * 7 + i / 1000);
    g_file_set_contents(fixture->path, (const char *)fixture->content, LARGE, NULL);
    open = g_strdup_printf("{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"%s\"}}",
                           fixture->path);
    fixture_check(&fixture->base, open, "{\"return\": 1000}");
    fixture_check(&fixture->base,
                  "{\"execute\": \"guest-file-seek\", \"arguments\": {\"handle\": 1000, "
                  "\"offset\": 10, \"whence\": 0}}",
                  "{\"return\": {\"position\": 10, \"eof\": false}}");
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    fixture_clear(&fixture->base);
    g_free(fixture->path);
    g_free(fixture->content);
}

/* Has @len bytes from @from as a reply's data. */
static char *got(const Fixture *fixture, gsize from, gsize len, const char *eof)
{
    g_autofree char *base64 = g_base64_encode(fixture->content + from, len);

    return g_strdup_printf("{\"return\": {\"count\": %" G_GSIZE_FORMAT ", \"buf-b64\": \"%s\", "
                           "\"eof\": %s}, \"id\": 5}",
                           len, base64, eof);
}

static char *request_to_read(gsize count)
{
    return g_strdup_printf("{\"execute\": \"guest-file-read\", \"arguments\": {\"handle\": 1000, "
                           "\"count\": %" G_GSIZE_FORMAT "}, \"id\": 5}",
                           count);
}

static void check_read(Fixture *fixture, gsize count, const char *expected)
{
    g_autofree char *request = request_to_read(count);

    fixture_check(&fixture->base, request, expected);
}

static void begin_to_read(Fixture *fixture, gsize count)
{
    g_autofree char *request = request_to_read(count);

    dispatch_request(&fixture->base.dispatch, (JsonSpan){request, strlen(request)});
}

static void finish(Fixture *fixture)
{
    while (dispatch_is_working(&fixture->base.dispatch))
        g_main_context_iteration(NULL, TRUE);
}

static void check_count(Fixture *fixture, gsize count)
{
    const gsize len = MIN(count, LARGE - START);
    g_autofree char *expected = got(fixture, START, len, len < count ? "true" : "false");

    check_read(fixture, count, expected);
    g_assert_true((fixture->base.parts > 0) == (count > LIMIT_FILE_WHOLE_BYTES));
    if (len < LARGE - START) {
        g_autofree char *next = got(fixture, START + len, 1, "false");

        check_read(fixture, 1, next);
    }
}

/* The counts around each border, of what is sent at once, of pieces, and of the file. */
static void test_counts(Fixture *fixture, gconstpointer data)
{
    check_count(fixture, GPOINTER_TO_SIZE(data));
}

/* Nobody who is answered beside it is to wait for the disk that it is read from. */
static void test_beside_others(Fixture *fixture, gconstpointer data)
{
    g_autofree char *expected = got(fixture, START, LARGE - START, "false");

    fixture->base.commands.capabilities = 1u << GUEST_CAPABILITY_PIPELINE;
    begin_to_read(fixture, LARGE - START);
    finish(fixture);
    g_assert_cmpuint(fixture->base.parts, ==, 0);
    g_assert_cmpstr(g_strchomp(fixture->base.replies->str), ==, expected);
}

/* What waits for a host that does not read is one piece, however long the file. */
static void test_held(Fixture *fixture, gconstpointer data)
{
    g_autofree char *expected = got(fixture, START, LARGE - START, "false");
    gsize len = 0;

    fixture->base.hold_parts = TRUE;
    begin_to_read(fixture, LARGE - START);
    while (dispatch_is_busy(&fixture->base.dispatch)) {
        g_main_context_iteration(NULL, TRUE);
        while (dispatch_pull(&fixture->base.dispatch)) {
            g_assert_cmpuint(fixture->base.replies->len - len, <=,
                             LIMIT_FILE_PIECE_BYTES / 3 * 4 + 100);
            len = fixture->base.replies->len;
        }
    }
    g_assert_cmpstr(g_strchomp(fixture->base.replies->str), ==, expected);
}

/* The count was sent, and cannot be kept. */
static void test_shrinks(Fixture *fixture, gconstpointer data)
{
    static const char end[] = "\"}, \"error\": {\"class\": \"GenericError\", \"desc\": \"failed to "
                              "read file: it has become "
                              "shorter meanwhile\"}, \"id\": 5}\n";
    g_autofree char *whole = got(fixture, START, LARGE - START, "false");
    g_autofree char *rest = got(fixture, START, LARGE / 2 - START, "true");
    const char *digits = strstr(whole, "b64\": \"") + strlen("b64\": \"");
    const GString *reply = fixture->base.replies;
    gsize begun;

    fixture->base.hold_parts = TRUE;
    begin_to_read(fixture, LARGE - START);
    while (fixture->base.parts == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpint(truncate(fixture->path, LARGE / 2), ==, 0);
    fixture->base.hold_parts = FALSE;
    dispatch_pull(&fixture->base.dispatch);
    finish(fixture);

    g_assert_true(g_str_has_suffix(reply->str, end));
    begun = reply->len - strlen(end) - 1;
    g_assert_cmpmem(reply->str, begun, whole, begun);
    g_assert_cmpuint((whole + begun - digits) % 4, ==, 0);
    g_assert_cmpint(reply->str[begun], ==, 'A'); /* one digit too many to be base64 */

    /* Nothing is lost to a host that asks again. */
    g_string_truncate(fixture->base.replies, 0);
    check_read(fixture, LARGE, rest);
}

/* It ends for nobody, holds no thread, and loses nothing. */
static void test_left(Fixture *fixture, gconstpointer data)
{
    g_autofree char *expected = got(fixture, START, 2, "false");

    fixture->base.hold_parts = TRUE;
    begin_to_read(fixture, LARGE);
    while (fixture->base.parts == 0)
        g_main_context_iteration(NULL, TRUE);
    dispatch_reset(&fixture->base.dispatch);
    g_assert_false(dispatch_pull(&fixture->base.dispatch));
    finish(fixture);
    g_assert_cmpstr(fixture->base.replies->str, ==, "");
    check_read(fixture, 2, expected);
}

int main(int argc, char **argv)
{
    static const gsize counts[] = {
        LIMIT_FILE_WHOLE_BYTES,
        LIMIT_FILE_WHOLE_BYTES + 1,
        12 * LIMIT_FILE_PIECE_BYTES - 1,
        12 * LIMIT_FILE_PIECE_BYTES,
        12 * LIMIT_FILE_PIECE_BYTES + 1,
        LARGE - START - 1,
        LARGE - START,
        LARGE - START + 1,
        LIMIT_FILE_READ_BYTES,
    };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *name = g_strdup_printf("/file-stream/counts/%" G_GSIZE_FORMAT, counts[i]);

        g_test_add(name, Fixture, GSIZE_TO_POINTER(counts[i]), set_up, test_counts, tear_down);
    }
#define ADD(name, function) \
    g_test_add("/file-stream/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("beside-others", test_beside_others);
    ADD("held", test_held);
    ADD("shrinks", test_shrinks);
    ADD("left", test_left);
#undef ADD
    return g_test_run();
}
