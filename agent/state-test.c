/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Handles are never given out twice, and a freeze is remembered, across agents of one directory. */

#include "agent/state.h"

#include <glib/gstdio.h>

#include "agent/places.h"

typedef struct {
    char *directory;
    State state;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->directory = g_dir_make_tmp("qga-XXXXXX", NULL);
    g_assert_nonnull(fixture->directory);
    state_init(&fixture->state, fixture->directory);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    g_remove(fixture->state.path);
    g_remove(fixture->state.mark);
    state_clear(&fixture->state);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->directory);
}

/* The agent ends, however, and another one begins. */
static void restart(Fixture *fixture)
{
    state_clear(&fixture->state);
    state_init(&fixture->state, fixture->directory);
}

static gint64 next(Fixture *fixture)
{
    GError *error = NULL;
    gint64 handle = 0;

    if (!state_next_handle(&fixture->state, &handle, &error))
        g_assert_no_error(error);
    return handle;
}

static void test_numbers(Fixture *fixture, gconstpointer data)
{
    gint64 last = 999;

    for (guint run = 0; run < 3; run++) {
        gint64 first = next(fixture);

        g_assert_cmpint(first, >, last);
        last = first;
        for (guint i = 0; i < 3000; i++)
            g_assert_cmpint(next(fixture), ==, ++last);
        restart(fixture);
    }
}

static void test_starts_at_1000(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    g_assert_true(state_check(&fixture->state, &error));
    restart(fixture);
    g_assert_cmpint(next(fixture), ==, 1000);
}

/* A start changes nothing, and so has nothing to wait for. */
static void test_check_leaves_no_trace(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GDir) directory = NULL;

    g_assert_true(state_check(&fixture->state, NULL));
    directory = g_dir_open(fixture->directory, 0, NULL);
    g_assert_null(g_dir_read_name(directory));
}

static void test_counter_of_former_agent(Fixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->state.path, "[global]\nfd_counter=1234\n", -1, NULL);
    restart(fixture);
    g_assert_cmpint(next(fixture), ==, 1234);
}

static void test_nonsense(Fixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->state.path, "[global]\nfd_counter=-5\n", -1, NULL);
    restart(fixture);
    g_assert_cmpint(next(fixture), ==, 1000);
    g_file_set_contents(fixture->state.path, "what", -1, NULL);
    restart(fixture);
    g_assert_cmpint(next(fixture), ==, 1000);
}

/* qemu-ga reads the counter as 32 bits. */
static void test_wraps(Fixture *fixture, gconstpointer data)
{
    g_file_set_contents(fixture->state.path, "[global]\nfd_counter=2147483640\n", -1, NULL);
    restart(fixture);
    g_assert_cmpint(next(fixture), ==, 1000);
    g_assert_cmpint(next(fixture), ==, 1001);
}

static void test_unwritable(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    State state;
    gint64 handle;

    state_init(&state, "/nonexistent");
    g_assert_false(state_check(&state, NULL));
    g_assert_false(state_next_handle(&state, &handle, &error));
    g_assert_true(g_str_has_prefix(error->message, "failed to commit persistent state to disk"));
    g_assert_false(state_mark_frozen(state.mark, FALSE, NULL));
    state_clear(&state);
}

/* The system says of it that all is allowed, and that there is no room. */
static void test_directory_of_no_files(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    State state;

    if (!g_file_test("/proc/self", G_FILE_TEST_IS_DIR)) {
        g_test_skip("this system has no such directory");
        return;
    }
    state_init(&state, "/proc");
    g_assert_false(state_check(&state, &error));
    g_assert_true(g_str_has_prefix(error->message, "failed to create '/proc/qga.state."));
    state_clear(&state);
}

static void test_mark(Fixture *fixture, gconstpointer data)
{
    GError *error = NULL;

    g_assert_false(state_is_marked_frozen(&fixture->state));
    g_assert_true(state_mark_frozen(fixture->state.mark, FALSE, &error));
    restart(fixture);
    g_assert_true(state_is_marked_frozen(&fixture->state));
    g_assert_true(state_unmark_frozen(fixture->state.mark, NULL));
    g_assert_true(state_unmark_frozen(fixture->state.mark, NULL));
    g_assert_false(state_is_marked_frozen(&fixture->state));
}

static void test_mark_tells_more(Fixture *fixture, gconstpointer data)
{
    const char *mark = fixture->state.mark;

    g_assert_true(state_mark_frozen(mark, TRUE, NULL));
    g_assert_true(state_is_marked_expedited(&fixture->state));
    g_assert_true(state_mark_frozen(mark, FALSE, NULL));
    g_assert_true(state_is_marked_frozen(&fixture->state));
    g_assert_false(state_is_marked_expedited(&fixture->state));
    g_assert_true(g_file_set_contents(mark, "", 0, NULL)); /* qemu-ga's */
    g_assert_true(state_is_marked_frozen(&fixture->state));
    g_assert_false(state_is_marked_expedited(&fixture->state));
    g_assert_true(state_check(&fixture->state, NULL));
    g_assert_true(state_is_marked_frozen(&fixture->state));
}

/* It says nothing, and is taken away. */
static void test_mark_of_former_boot(Fixture *fixture, gconstpointer data)
{
    const char *mark = fixture->state.mark;

    if (places.boot_id == NULL) {
        g_test_skip("this system does not tell one boot from another");
        return;
    }
    g_assert_true(g_file_set_contents(mark, "boot=another\nrcu_expedited\n", -1, NULL));
    g_assert_false(state_is_marked_frozen(&fixture->state));
    g_assert_false(state_is_marked_expedited(&fixture->state));
    g_assert_true(state_check(&fixture->state, NULL));
    g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add(name, Fixture, NULL, set_up, function, tear_down)
    ADD("/state/numbers", test_numbers);
    ADD("/state/starts-at-1000", test_starts_at_1000);
    ADD("/state/check-leaves-no-trace", test_check_leaves_no_trace);
    ADD("/state/counter-of-former-agent", test_counter_of_former_agent);
    ADD("/state/nonsense", test_nonsense);
    ADD("/state/wraps", test_wraps);
    ADD("/state/unwritable", test_unwritable);
    ADD("/state/directory-of-no-files", test_directory_of_no_files);
    ADD("/state/mark", test_mark);
    ADD("/state/mark-tells-more", test_mark_tells_more);
    ADD("/state/mark-of-former-boot", test_mark_of_former_boot);
#undef ADD
    return g_test_run();
}
