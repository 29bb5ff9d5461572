/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is on record is on the disk when that is said, outlives who wrote it, and goes when it is
 * erased; jobs are done in their order.
 */

#include "record.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>

typedef struct {
    char *folder;
    Record *record;
    GString *log;
} Fixture;

static Record *open_record(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    Record *record = record_new(NULL, fixture->folder, "vm/1 ä", &error);

    g_assert_no_error(error);
    return record;
}

static void set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    fixture->folder = g_dir_make_tmp("record-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->log = g_string_new(NULL);
    fixture->record = open_record(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    record_free(fixture->record);
    g_assert_no_errno(g_rmdir(fixture->folder));
    g_free(fixture->folder);
    g_string_free(fixture->log, TRUE);
}

static void on_done(gpointer owner, const GError *error)
{
    Fixture *fixture = owner;

    g_string_append(fixture->log, error ? error->message : "done");
}

static void wait_done(const Fixture *fixture)
{
    while (fixture->log->len == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(fixture->log->str, ==, "done");
}

/* As a proxy that is started after another was killed. */
static void assert_found(const Fixture *fixture, const char *expected)
{
    Record *next = open_record(fixture);

    g_assert_cmpstr(record_found(next), ==, expected);
    record_free(next);
}

static void test_life(Fixture *fixture, gconstpointer unused)
{
    g_assert_null(record_found(fixture->record));
    record_write(fixture->record, "by whom\n", on_done, fixture);
    g_assert_cmpstr(fixture->log->str, ==, "");
    wait_done(fixture);
    assert_found(fixture, "by whom\n");
    record_erase(fixture->record);
    g_clear_pointer(&fixture->record, record_free);
    assert_found(fixture, NULL);
}

/* One after the other, also where nobody waits for them. */
static void test_order(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < 20; i++) {
        record_write(fixture->record, "x", on_done, fixture);
        record_erase(fixture->record);
    }
    record_write(fixture->record, "last", on_done, fixture);
    g_clear_pointer(&fixture->record, record_free);
    g_main_context_iteration(NULL, FALSE);
    g_assert_cmpstr(fixture->log->str, ==, ""); /* who is gone is not called back */
    assert_found(fixture, "last");
    fixture->record = open_record(fixture);
    record_erase(fixture->record);
}

static void test_no_directory(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(record_new(NULL, "/nonexistent", "vm", &error));
    g_assert_cmpstr(error->message, ==, "'/nonexistent' is no directory");
}

/* That there is one counts: who wrote it may have been killed in the middle. */
static void test_begun(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *path = g_build_filename(fixture->folder, "vm-vm%2F1%20%C3%A4.frozen", NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(path, "", 0, &error));
    assert_found(fixture, "");
    record_erase(fixture->record);
    g_clear_pointer(&fixture->record, record_free);
    assert_found(fixture, NULL);
}

/* While it is written there is no other file, which nobody would remove if the proxy were killed.
 */
static void test_alone(Fixture *fixture, gconstpointer unused)
{
    guint seen = 0;

    record_write(fixture->record, "x", on_done, fixture);
    while (fixture->log->len == 0) {
        g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
        const char *name;

        while ((name = g_dir_read_name(dir)) != NULL) {
            g_assert_cmpstr(name, ==, "vm-vm%2F1%20%C3%A4.frozen");
            seen++;
        }
        g_main_context_iteration(NULL, FALSE);
    }
    g_test_message("seen %u times", seen);
    record_erase(fixture->record);
}

/* What does not fit is not left there in part. */
static void test_full(Fixture *fixture, gconstpointer unused)
{
    struct rlimit before;

    signal(SIGXFSZ, SIG_IGN);
    g_assert_no_errno(getrlimit(RLIMIT_FSIZE, &before));
    g_assert_no_errno(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1, before.rlim_max}));
    record_write(fixture->record, "xyz", on_done, fixture);
    while (fixture->log->len == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_no_errno(setrlimit(RLIMIT_FSIZE, &before));
    g_assert_true(g_str_has_suffix(fixture->log->str, ".frozen': File too large"));
    assert_found(fixture, NULL);
}

/* The disk is full, or the directory gone: said, and the freeze is not sent then. */
static void test_cannot_write(Fixture *fixture, gconstpointer unused)
{
    g_assert_no_errno(g_rmdir(fixture->folder));
    record_write(fixture->record, "x", on_done, fixture);
    while (fixture->log->len == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(fixture->log->str, !=, "done");
    g_assert_no_errno(g_mkdir(fixture->folder, 0700));
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/record/life", test_life);
    ADD("/record/order", test_order);
    ADD("/record/no-directory", test_no_directory);
    ADD("/record/begun", test_begun);
    ADD("/record/alone", test_alone);
    ADD("/record/full", test_full);
    ADD("/record/cannot-write", test_cannot_write);
    return g_test_run();
}
