/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who may connect to a path, from the first moment on, and that of two servers at one path one has
 * it.
 */

#include "socket-path.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/sockets.h"

enum { OPENINGS = 3000, MEETINGS = 300, RACES = 1000, RIVALS = 2 };

typedef struct {
    int refused; /* atomic: times that the path was there */
    int in;      /* atomic: times that it let in */
} Knocks;

typedef struct {
    guint descriptors;
    mode_t umask;
    char *folder;
    Address address;
    SocketName name;
    SocketPath path;
    int fd; /* that listens, or -1 */

    SocketName knocked; /* where somebody knocks who may not come in */
    Knocks *knocks;     /* shared with him */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    *fixture = (Fixture){.descriptors = sockets_open_descriptors(), .umask = umask(022), .fd = -1};
    fixture->folder = g_dir_make_tmp("socket-path-test-XXXXXX", &error);
    g_assert_no_error(error);
    fixture->address.path = g_build_filename(fixture->folder, "socket", NULL);
    g_assert_true(socket_name_from_address(&fixture->address, &fixture->name, &error));
}

static void set_owner(Fixture *fixture, const char *user, const char *group)
{
    g_free(fixture->address.user);
    g_free(fixture->address.group);
    fixture->address.user = g_strdup(user);
    fixture->address.group = g_strdup(group);
}

static void drop(Fixture *fixture)
{
    socket_path_clear(&fixture->path);
    if (fixture->fd >= 0)
        close(fixture->fd);
    fixture->fd = -1;
}

static void tear_down(Fixture *fixture, gconstpointer unused)
{
    drop(fixture);
    umask(fixture->umask);
    g_assert_no_errno(g_rmdir(fixture->folder)); /* no path is left in it */
    set_owner(fixture, NULL, NULL);
    g_free(fixture->address.path);
    g_free(fixture->folder);
    g_assert_cmpuint(sockets_open_descriptors(), ==, fixture->descriptors);
}

static void open_path(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    drop(fixture);
    fixture->fd = socket_path_listen(&fixture->path, &fixture->address, &fixture->name, &error);
    g_assert_no_error(error);
    g_assert_cmpint(fixture->fd, >=, 0);
}

static void assert_fails(Fixture *fixture, GIOErrorEnum code, const char *message)
{
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(socket_path_listen(&fixture->path, &fixture->address, &fixture->name, &error),
                    <, 0);
    g_assert_error(error, G_IO_ERROR, (gint)code);
    g_assert_cmpstr(error->message, ==, message);
    g_assert_null(fixture->path.path);
}

static struct stat look(const Fixture *fixture)
{
    struct stat status;

    g_assert_no_errno(lstat(fixture->address.path, &status));
    return status;
}

/* ---- Rights ---------------------------------------------------------------------------------- */

/* Exactly what was said, whatever the umask, which is the process's and stays. */
static void test_mode(Fixture *fixture, gconstpointer unused)
{
    static const mode_t modes[] = {0600, 0660, 0606, 0777, 0001};

    umask(027);
    open_path(fixture);
    g_assert_cmpuint(look(fixture).st_mode, ==, S_IFSOCK | 0750);
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        fixture->address.mode = modes[i];
        open_path(fixture);
        g_assert_cmpuint(look(fixture).st_mode, ==, S_IFSOCK | modes[i]);
    }
    g_assert_cmpuint(umask(022), ==, 027);
}

static void open_owned(Fixture *fixture, const char *user, const char *group, mode_t mode)
{
    set_owner(fixture, user, group);
    fixture->address.mode = mode;
    open_path(fixture);
}

static void assert_owned(const Fixture *fixture, uid_t user, gid_t group, mode_t mode)
{
    struct stat status = look(fixture);

    g_assert_cmpuint(status.st_uid, ==, user);
    g_assert_cmpuint(status.st_gid, ==, group);
    g_assert_cmpuint(status.st_mode, ==, S_IFSOCK | mode);
}

/* By number and by name; where no mode is said, whoever is named may connect and nobody else. */
static void test_owner(Fixture *fixture, gconstpointer unused)
{
    const struct passwd *known = getpwnam("daemon");

    if (geteuid() != 0 || !known) {
        g_test_skip("only root gives a path away, and to one that is known");
        return;
    }
    open_owned(fixture, "12345", NULL, 0);
    assert_owned(fixture, 12345, getegid(), 0600);
    open_owned(fixture, NULL, "54321", 0);
    assert_owned(fixture, 0, 54321, 0660);
    open_owned(fixture, "12345", "54321", 0606);
    assert_owned(fixture, 12345, 54321, 0606);
    open_owned(fixture, "daemon", "daemon", 0640);
    assert_owned(fixture, known->pw_uid, known->pw_gid, 0640);
    close(sockets_connect_unix(fixture->address.path));
}

/* Said before anything is touched, a stale path included. */
static void test_unknown(Fixture *fixture, gconstpointer unused)
{
    close(sockets_listen_unix(fixture->address.path, 1));
    set_owner(fixture, "no-such-user", NULL);
    assert_fails(fixture, G_IO_ERROR_NOT_FOUND, "there is no user 'no-such-user'");
    set_owner(fixture, NULL, "no-such-group");
    assert_fails(fixture, G_IO_ERROR_NOT_FOUND, "there is no group 'no-such-group'");
    g_assert_true(S_ISSOCK(look(fixture).st_mode));
    g_assert_no_errno(unlink(fixture->address.path));
}

/* Runs @work in another process, of a user and a group without rights.
 * Returns: its number */
static pid_t work_as(uid_t user, gid_t group, void (*work)(Fixture *fixture), Fixture *fixture)
{
    pid_t pid;

    g_assert_no_errno(chmod(fixture->folder, 0777));
    pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        g_assert_no_errno(setgroups(0, NULL));
        g_assert_no_errno(setgid(group));
        g_assert_no_errno(setuid(user));
        g_assert_no_errno(prctl(PR_SET_PDEATHSIG, SIGKILL)); /* or it would outlive a failure */
        work(fixture);
        _exit(0);
    }
    return pid;
}

static gboolean skips_without_root(void)
{
    if (geteuid() != 0)
        g_test_skip("only root can become somebody else");
    return geteuid() != 0;
}

static void give_away(Fixture *fixture)
{
    set_owner(fixture, "0", NULL);
    assert_fails(fixture, G_IO_ERROR_PERMISSION_DENIED,
                 "it cannot be given to '0:': Operation not permitted");
}

/* Who may not give it away leaves no path behind. */
static void test_forbidden(Fixture *fixture, gconstpointer unused)
{
    int status;
    pid_t pid;

    if (skips_without_root())
        return;
    pid = work_as(65534, 65534, give_away, fixture);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

static void knock(Fixture *fixture)
{
    for (;;) {
        int fd = socket_open(AF_UNIX);

        if (connect(fd, &fixture->knocked.any, fixture->knocked.len) == 0)
            g_atomic_int_inc(&fixture->knocks->in);
        else if (errno != ENOENT)
            g_atomic_int_inc(&fixture->knocks->refused);
        close(fd);
    }
}

/* The name of the path before it is the path: GLib's chance begins anew each time. */
static void foretell_name(Fixture *fixture)
{
    Address address = {.kind = ADDRESS_UNIX};
    g_autofree char *name = NULL;

    g_random_set_seed(0);
    name = g_strdup_printf("%s.%06x", fixture->address.path, g_random_int() & 0xffffff);
    address.path = name;
    g_assert_true(socket_name_from_address(&address, &fixture->knocked, NULL));
}

/* @user and @group may not connect; they try all the time, while the path is made again and again.
 */
static void assert_never_open(Fixture *fixture, uid_t user, gid_t group)
{
    pid_t pid;

    foretell_name(fixture);
    *fixture->knocks = (Knocks){0};
    pid = work_as(user, group, knock, fixture);
    for (guint i = 0; i < OPENINGS || g_atomic_int_get(&fixture->knocks->refused) < MEETINGS; i++) {
        g_random_set_seed(0);
        open_path(fixture);
        g_assert_cmpint(g_atomic_int_get(&fixture->knocks->in), ==, 0);
    }
    g_assert_no_errno(kill(pid, SIGKILL));
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

/* Not even while it is made: neither by what the umask would leave to others, nor by what it would
 * leave to the owner whom it has at first. */
static void test_never_open(Fixture *fixture, gconstpointer unused)
{
    if (skips_without_root())
        return;
    fixture->knocks = mmap(NULL, sizeof *fixture->knocks, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(fixture->knocks != MAP_FAILED);
    umask(0);
    fixture->address.mode = 0600;
    assert_never_open(fixture, 65534, 65534);
    fixture->address.mode = 0660;
    set_owner(fixture, NULL, "54321");
    assert_never_open(fixture, 65534, getegid());
    g_assert_no_errno(munmap(fixture->knocks, sizeof *fixture->knocks));
}

/* ---- Two servers ------------------------------------------------------------------------- */

/* A socket of another kind is nobody to talk to, and still somebody's. */
static void test_other_kind(Fixture *fixture, gconstpointer unused)
{
    int other = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_assert_no_errno(bind(other, &fixture->name.any, fixture->name.len));
    assert_fails(fixture, G_IO_ERROR_FAILED, "Protocol wrong type for socket");
    g_assert_true(S_ISSOCK(look(fixture).st_mode));
    close(other);
    g_assert_no_errno(unlink(fixture->address.path));
}

/* It is the link that is in the way, not what it leads to. */
static void test_link(Fixture *fixture, gconstpointer unused)
{
    g_autofree char *target = g_build_filename(fixture->folder, "target", NULL);

    close(sockets_listen_unix(target, 1));
    g_assert_no_errno(symlink(target, fixture->address.path));
    assert_fails(fixture, G_IO_ERROR_EXISTS, "there is something else than a socket");
    g_assert_no_errno(unlink(fixture->address.path));
    g_assert_no_errno(unlink(target));
}

typedef struct {
    const Fixture *fixture;
    int *begin; /* atomic */
    SocketPath path;
    int fd;
} Rival;

static gpointer compete(gpointer data)
{
    Rival *rival = data;

    while (!g_atomic_int_get(rival->begin))
        ;
    rival->fd =
        socket_path_listen(&rival->path, &rival->fixture->address, &rival->fixture->name, NULL);
    return NULL;
}

/* Returns: whether a client that is still there is among those that wait to be accepted. Rivals
 * that asked whether somebody is here have closed their connection. */
static gboolean is_reached(int listening)
{
    gboolean reached = FALSE;
    char byte;
    int fd;

    while ((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        reached |= recv(fd, &byte, sizeof byte, MSG_DONTWAIT) < 0;
        close(fd);
    }
    return reached;
}

/* Two at one stale path: one has it, and is who answers there; the other knows that it has not. */
static void race(Fixture *fixture)
{
    GThread *threads[RIVALS];
    Rival rivals[RIVALS];
    int begin = 0;
    guint winners = 0;
    int client;

    close(sockets_listen_unix(fixture->address.path, 1));
    for (guint i = 0; i < RIVALS; i++) {
        rivals[i] = (Rival){.fixture = fixture, .begin = &begin, .fd = -1};
        threads[i] = g_thread_new("rival", compete, &rivals[i]);
    }
    g_atomic_int_set(&begin, 1);
    for (guint i = 0; i < RIVALS; i++)
        g_thread_join(threads[i]);
    client = sockets_connect_unix(fixture->address.path);
    for (guint i = 0; i < RIVALS; i++) {
        if (rivals[i].fd < 0)
            continue;
        winners++;
        g_assert_true(is_reached(rivals[i].fd));
        socket_path_clear(&rivals[i].path);
        close(rivals[i].fd);
    }
    close(client);
    g_assert_cmpuint(winners, ==, 1);
}

static void test_race(Fixture *fixture, gconstpointer unused)
{
    for (guint i = 0; i < RACES; i++)
        race(fixture);
}

#define ADD(path, function) g_test_add(path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("/socket-path/mode", test_mode);
    ADD("/socket-path/owner", test_owner);
    ADD("/socket-path/unknown", test_unknown);
    ADD("/socket-path/forbidden", test_forbidden);
    ADD("/socket-path/never-open", test_never_open);
    ADD("/socket-path/other-kind", test_other_kind);
    ADD("/socket-path/link", test_link);
    ADD("/socket-path/race", test_race);
    return g_test_run();
}
