/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "store.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdmessage.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far more than those that a process has open besides. */
enum { MANY = 40 };

typedef struct {
    char *folder, *path;
    Store store;
    GSocket *service;
    GSocketAddress *address;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    fixture->folder = g_dir_make_tmp("qga-store-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->folder, "notify", NULL);
    g_assert_true(store_open(&fixture->store, fixture->path));
    fixture->service = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_DATAGRAM, 0, NULL);
    fixture->address = g_unix_socket_address_new(fixture->path);
    g_assert_nonnull(fixture->service);
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    store_close(&fixture->store);
    g_object_unref(fixture->service);
    g_object_unref(fixture->address);
    g_unlink(fixture->path);
    g_rmdir(fixture->folder);
    g_free(fixture->path);
    g_free(fixture->folder);
}

/* Returns: what tells the file of @fd from all others */
static guint64 file_of(int fd)
{
    struct stat file;

    return fstat(fd, &file) == 0 ? file.st_ino : 0;
}

/* ---- What the service does ------------------------------------------------------------------- */

/* @fd: (transfer full): or -1 */
static void tell(Fixture *fixture, const char *text, int fd)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&fd, fd >= 0 ? 1 : 0);
    g_autoptr(GSocketControlMessage) rights = g_unix_fd_message_new_with_fd_list(fds);
    GOutputVector part = {text, strlen(text)};
    g_autoptr(GError) error = NULL;

    g_socket_send_message(fixture->service, fixture->address, &part, 1, &rights, fd >= 0 ? 1 : 0, 0,
                          NULL, &error);
    g_assert_no_error(error);
}

static gboolean receive(Fixture *fixture)
{
    gboolean ready = FALSE;

    g_assert_true(store_receive(&fixture->store, &ready));
    return ready;
}

/* Returns: the file that is to be kept, once that is received */
static guint64 tell_file(Fixture *fixture, guint number)
{
    g_autofree char *text = g_strdup_printf("FDSTORE=1\nFDNAME=file-%u", number);
    int fd = memfd_create("kept", MFD_CLOEXEC);
    guint64 file = file_of(fd);

    g_assert_cmpint(fd, >=, 0);
    tell(fixture, text, fd);
    return file;
}

static guint64 keep_file(Fixture *fixture, guint number)
{
    guint64 file = tell_file(fixture, number);

    receive(fixture);
    return file;
}

/* ---- What the next service finds ------------------------------------------------------------- */

/* Of file-0, file-1 and so on, 0 for each that is not there. */
static gboolean finds(const guint64 *files, guint n_files)
{
    g_auto(GStrv) names = g_strsplit(g_getenv("LISTEN_FDNAMES"), ":", -1);
    const guint n = g_strv_length(names);

    for (guint i = 0; i < n; i++) {
        guint number = (guint)atoi(names[i] + strlen("file-"));

        if (number >= n_files || file_of(3 + (int)i) != files[number] ||
            fcntl(3 + (int)i, F_GETFD) != 0)
            return FALSE;
    }
    for (guint i = 0; i < n_files; i++) {
        g_autofree char *name = g_strdup_printf("file-%u", i);

        if (g_strv_contains((const char *const *)names, name) != (files[i] != 0))
            return FALSE;
    }
    return atoi(g_getenv("LISTEN_FDS")) == (int)n && atoi(g_getenv("LISTEN_PID")) == getpid();
}

static void check_passed(Fixture *fixture, const guint64 *files, guint n_files)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        store_pass_on(&fixture->store);
        _exit(finds(files, n_files) ? 0 : 1);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* Returns: how many were allowed */
static rlim_t allow_no_more(void)
{
    struct rlimit limit;
    rlim_t allowed;
    int next = dup(STDIN_FILENO); /* the lowest that is free */

    close(next);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    allowed = limit.rlim_cur;
    limit.rlim_cur = (rlim_t)next;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    return allowed;
}

static void allow(rlim_t number)
{
    struct rlimit limit;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &limit), ==, 0);
    limit.rlim_cur = number;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &limit), ==, 0);
}

static void test_told(Fixture *fixture, gconstpointer unused)
{
    guint64 files[3] = {0};

    tell(fixture, "READY=1", -1);
    g_assert_true(receive(fixture));
    g_assert_false(store_has_any(&fixture->store));
    for (guint i = 0; i < G_N_ELEMENTS(files); i++)
        files[i] = keep_file(fixture, i);
    files[1] = keep_file(fixture, 1);
    tell(fixture, "FDSTOREREMOVE=1\nFDNAME=file-0", -1);
    g_assert_false(receive(fixture));
    files[0] = 0;
    check_passed(fixture, files, G_N_ELEMENTS(files));
    store_drop(&fixture->store);
    g_assert_false(store_has_any(&fixture->store));
}

/* In any order, and with not one descriptor more than those that are kept. */
static void test_pass_on_many(Fixture *fixture, gconstpointer unused)
{
    guint64 files[MANY];
    rlim_t allowed;

    for (guint i = 0; i < MANY; i++)
        files[i] = keep_file(fixture, i);
    for (guint i = 0; i < MANY; i += 3)
        files[i] = keep_file(fixture, i);
    allowed = allow_no_more();
    check_passed(fixture, files, MANY);
    allow(allowed);
}

/* What cannot be received is not kept, and who had the name before is not taken for it; what
 * replaces another always can. */
static void test_no_room(Fixture *fixture, gconstpointer unused)
{
    guint64 files[2] = {keep_file(fixture, 0)};
    rlim_t allowed;

    files[0] = tell_file(fixture, 0);
    tell_file(fixture, 1);
    allowed = allow_no_more();
    receive(fixture);
    receive(fixture);
    check_passed(fixture, files, G_N_ELEMENTS(files));
    allow(allowed);
    files[0] = 0;
    tell(fixture, "FDSTORE=1\nFDNAME=file-0", -1);
    receive(fixture);
    check_passed(fixture, files, G_N_ELEMENTS(files));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/store/told", Fixture, NULL, set_up, test_told, tear_down);
    g_test_add("/store/pass-on-many", Fixture, NULL, set_up, test_pass_on_many, tear_down);
    g_test_add("/store/no-room", Fixture, NULL, set_up, test_no_room, tear_down);
    return g_test_run();
}
