/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A process that is killed is played by a journal that is left as it is, and opened again from what
 * was kept of it. */

#include "journal.h"

#include "common/saved.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    GPtrArray *names; /* of char * */
    GArray *fds;      /* of int: what was kept, as duplicates */
} Store;

static void forget(Store *store, guint i)
{
    close(g_array_index(store->fds, int, i));
    g_array_remove_index(store->fds, i);
    g_ptr_array_remove_index(store->names, i);
}

static void keep(gpointer owner, const char *name, int fd)
{
    Store *store = owner;
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    for (guint i = store->names->len; i > 0; i--)
        if (g_str_equal(store->names->pdata[i - 1], name))
            forget(store, i - 1);
    if (copy < 0)
        return;
    g_ptr_array_add(store->names, g_strdup(name));
    g_array_append_val(store->fds, copy);
}

static void store_init(Store *store)
{
    store->names = g_ptr_array_new_with_free_func(g_free);
    store->fds = g_array_new(FALSE, FALSE, sizeof(int));
}

static void store_clear(Store *store)
{
    while (store->names->len > 0)
        forget(store, 0);
    g_ptr_array_unref(store->names);
    g_array_unref(store->fds);
}

static Journal *start(Store *store)
{
    g_autoptr(GError) error = NULL;
    Journal *journal = journal_new(&error);

    g_assert_no_error(error);
    journal_set_keep(journal, keep, store);
    return journal;
}

/* What the next process makes of it. The former one's is left behind, as when it is killed. */
static Journal *recover(Store *store)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autofree int *fds = g_new(int, store->fds->len);
    Journal *journal;

    for (guint i = 0; i < store->names->len; i++) {
        g_ptr_array_add(names, store->names->pdata[i]);
        fds[i] = fcntl(g_array_index(store->fds, int, i), F_DUPFD_CLOEXEC, 0);
    }
    g_ptr_array_add(names, NULL);
    journal = journal_reopen((const char *const *)names->pdata, fds, &error);
    g_assert_no_error(error);
    journal_set_keep(journal, keep, store);
    return journal;
}

static GVariant *record(const char *text)
{
    Saved saved = G_VARIANT_DICT_INIT(NULL);

    saved_put_text(&saved, "text", text);
    return g_variant_dict_end(&saved);
}

static void collect(guint slot, GVariant *value, gpointer data)
{
    g_autofree char *text = NULL;
    Saved saved;

    g_variant_dict_init(&saved, value);
    text = saved_get_text(&saved, "text");
    g_variant_dict_clear(&saved);
    g_string_append_printf(data, "%u %.20s\n", slot, text);
}

static void check_records(Journal *journal, const char *wanted)
{
    g_autoptr(GString) found = g_string_new(NULL);

    journal_foreach(journal, collect, found);
    g_assert_cmpstr(found->str, ==, wanted);
}

/* The last record of each slot is there, however often and in whatever size it was replaced. */
static void test_records(void)
{
    g_autofree char *large = g_strnfill(300000, 'x');
    Store store;
    Journal *first, *second;
    guint a, b, c;

    store_init(&store);
    first = start(&store);
    a = journal_add(first, -1);
    b = journal_add(first, -1);
    c = journal_add(first, -1);
    journal_note(first, a, record("one"));
    journal_note(first, b, record(large));
    for (guint i = 0; i < 1000; i++)
        journal_note(first, c, record(i % 2 ? "odd" : large));
    journal_note(first, a, record("two"));
    second = recover(&store);
    check_records(second, "1 two\n2 xxxxxxxxxxxxxxxxxxxx\n3 odd\n");
    journal_claim(second, a);
    journal_tidy(second);
    check_records(second, "1 two\n");
    g_assert_cmpuint(journal_add(second, -1), ==, c);
    journal_set_keep(first, NULL, NULL);
    journal_free(first);
    journal_free(second);
    g_assert_cmpuint(store.names->len, ==, 0);
    store_clear(&store);
}

typedef struct {
    Store store;
    Journal *journal;
    IoLoop *loop;
    JournalIo io;
    int peer;
} Connection;

static void set_up(Connection *connection)
{
    int pair[2];

    store_init(&connection->store);
    connection->journal = start(&connection->store);
    connection->loop = io_loop_get(NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    connection->peer = pair[1];
    connection->io = (JournalIo){
        .journal = connection->journal,
        .slot = journal_add(connection->journal, pair[0]),
        .io = io_new(connection->loop, pair[0], NULL, NULL),
    };
    io_accept_fds(connection->io.io);
    journal_note(connection->journal, connection->io.slot, record("idle"));
}

static void tear_down(Connection *connection)
{
    journal_set_keep(connection->journal, NULL, NULL);
    journal_stream.close(&connection->io);
    journal_free(connection->journal);
    io_loop_unref(connection->loop);
    close(connection->peer);
    store_clear(&connection->store);
}

static void check_rest_of(Store *store, guint slot, guint64 read, guint64 written,
                          const char *input, guint64 more)
{
    Journal *next = recover(store);
    g_autoptr(GBytes) found = NULL;
    int fd = journal_take_fd(next, slot);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_cmpuint(journal_take_rest(next, slot, read, written, &found), ==, more);
    if (input)
        g_assert_cmpmem(g_bytes_get_data(found, NULL), g_bytes_get_size(found), input,
                        strlen(input));
    else
        g_assert_null(found);
    journal_set_keep(next, NULL, NULL);
    journal_free(next);
}

static void check_rest(Connection *connection, guint64 read, guint64 written, const char *input,
                       guint64 more)
{
    check_rest_of(&connection->store, connection->io.slot, read, written, input, more);
}

/* Bytes that were read are found, up to the moment when a record has them. */
static void test_read(void)
{
    Connection connection;
    char buffer[100];

    set_up(&connection);
    g_assert_cmpint(write(connection.peer, "a longer text", 13), ==, 13);
    g_assert_cmpint(journal_stream.read(&connection.io, buffer, sizeof buffer, NULL), ==, 13);
    journal_note(connection.journal, connection.io.slot, record("13 bytes"));
    g_assert_cmpint(write(connection.peer, "short", 5), ==, 5);
    g_assert_cmpint(journal_stream.read(&connection.io, buffer, sizeof buffer, NULL), ==, 5);
    g_assert_cmpmem(buffer, 5, "short", 5);
    check_rest(&connection, 13, 0, "short", 0);
    tear_down(&connection);
}

/* What another had read when a former process was killed, and nobody came for, is not taken for the
 * rest of what is read next. */
static void test_read_by_another(void)
{
    static const char secret[] = "a secret of somebody else";
    Connection connection;
    char buffer[100];
    Journal *next;
    JournalIo io;
    int pair[2];

    set_up(&connection);
    journal_note(connection.journal, connection.io.slot, NULL);
    g_assert_cmpint(write(connection.peer, secret, strlen(secret)), ==, strlen(secret));
    g_assert_cmpint(journal_stream.read(&connection.io, buffer, sizeof buffer, NULL), ==,
                    strlen(secret));
    next = recover(&connection.store);
    journal_tidy(next);

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    io = (JournalIo){
        .journal = next,
        .slot = journal_add(next, pair[0]),
        .io = io_new(connection.loop, pair[0], NULL, NULL),
    };
    io_accept_fds(io.io);
    journal_note(next, io.slot, record("idle"));
    g_assert_cmpint(write(pair[1], "short", 5), ==, 5);
    g_assert_cmpint(journal_stream.read(&io, buffer, sizeof buffer, NULL), ==, 5);
    check_rest_of(&connection.store, io.slot, 0, 0, "short", 0);
    journal_set_keep(next, NULL, NULL);
    journal_stream.close(&io);
    journal_free(next);
    close(pair[1]);
    tear_down(&connection);
}

/* A record that has them, and whose commit was the last that was done. */
static void test_read_and_noted(void)
{
    Connection connection;
    char buffer[100];

    set_up(&connection);
    g_assert_cmpint(write(connection.peer, "text", 4), ==, 4);
    g_assert_cmpint(journal_stream.read(&connection.io, buffer, sizeof buffer, NULL), ==, 4);
    check_rest(&connection, 4, 0, NULL, 0);
    tear_down(&connection);
}

/* What was written is counted, where the socket took but a part of it too. */
static void test_written(void)
{
    g_autofree char *large = g_strnfill(1024 * 1024, 'y');
    const QueuePiece pieces[] = {{"head ", 5}, {large, 1024 * 1024}};
    Connection connection;
    guint64 sum = 0;
    gssize wrote;

    set_up(&connection);
    g_assert_cmpint(journal_stream.write(&connection.io, pieces, 1, NULL), ==, 5);
    check_rest(&connection, 0, 0, NULL, 5);
    tear_down(&connection);

    set_up(&connection);
    while ((wrote = journal_stream.write(&connection.io, pieces, 2, NULL)) > 0)
        sum += (guint64)wrote;
    g_assert_cmpint(wrote, ==, STREAM_IO_AGAIN);
    g_assert_cmpuint(sum, >, 0);
    g_assert_cmpuint(sum, ==, connection.io.written);
    check_rest(&connection, 0, 0, NULL, sum);
    tear_down(&connection);
}

static void test_foreign(void)
{
    const char *const none[] = {"kept-1", NULL};
    g_autoptr(GError) error = NULL;
    int pair[2];

    g_assert_cmpint(pipe(pair), ==, 0);
    g_assert_null(journal_reopen(none, pair, &error));
    g_assert_nonnull(error);
    g_assert_cmpint(fcntl(pair[0], F_GETFD), ==, -1);
    close(pair[1]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/journal/records", test_records);
    g_test_add_func("/journal/read", test_read);
    g_test_add_func("/journal/read-by-another", test_read_by_another);
    g_test_add_func("/journal/read-and-noted", test_read_and_noted);
    g_test_add_func("/journal/written", test_written);
    g_test_add_func("/journal/foreign", test_foreign);
    return g_test_run();
}
