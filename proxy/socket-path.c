/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "socket-path.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    /* One entry of a user or group; a group of thousands has as many names in it. */
    ENTRY_BYTES = 1024 * 1024,
    /* Other servers that may come in between while a stale path is replaced. */
    TRIES = 3,
};

static void fail_errno(GError **error, int number)
{
    g_set_error_literal(error, G_IO_ERROR, (gint)g_io_error_from_errno(number), g_strerror(number));
}

/* ---- Rights ---------------------------------------------------------------------------------- */

typedef struct {
    uid_t user;  /* -1, as chown(2) has it, for none that was said */
    gid_t group; /* likewise */
} Owner;

static void fail_name(GError **error, const char *what, const char *name, int number)
{
    if (number == 0)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "there is no %s '%s'", what, name);
    else
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number),
                    "%s '%s' cannot be looked up: %s", what, name, g_strerror(number));
}

static gboolean read_id(const char *name, id_t *ret_id)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(name, 10, 0, ADDRESS_ID_MAX, &number, NULL))
        return FALSE;
    *ret_id = (id_t)number;
    return TRUE;
}

static gboolean find_user(const char *name, uid_t *ret_user, GError **error)
{
    g_autofree char *space = NULL;
    struct passwd entry, *found = NULL;
    int number;

    if (read_id(name, ret_user))
        return TRUE;
    space = g_malloc(ENTRY_BYTES);
    number = getpwnam_r(name, &entry, space, ENTRY_BYTES, &found);
    if (!found) {
        fail_name(error, "user", name, number);
        return FALSE;
    }
    *ret_user = found->pw_uid;
    return TRUE;
}

static gboolean find_group(const char *name, gid_t *ret_group, GError **error)
{
    g_autofree char *space = NULL;
    struct group entry, *found = NULL;
    int number;

    if (read_id(name, ret_group))
        return TRUE;
    space = g_malloc(ENTRY_BYTES);
    number = getgrnam_r(name, &entry, space, ENTRY_BYTES, &found);
    if (!found) {
        fail_name(error, "group", name, number);
        return FALSE;
    }
    *ret_group = found->gr_gid;
    return TRUE;
}

static gboolean find_owner(const Address *address, Owner *ret_owner, GError **error)
{
    Owner owner = {.user = (uid_t)-1, .group = (gid_t)-1};

    if (address->user && !find_user(address->user, &owner.user, error))
        return FALSE;
    if (address->group && !find_group(address->group, &owner.group, error))
        return FALSE;
    *ret_owner = owner;
    return TRUE;
}

/* Whoever is named as an owner is meant to connect, and nobody else.
 * Returns: 0 for what the umask leaves */
static mode_t mode_of(const Address *address)
{
    if (address->mode != 0)
        return address->mode;
    if (address->group)
        return 0660;
    return address->user ? 0600 : 0;
}

/* Neither call follows a link that somebody has put in the path's place. */
static gboolean set_rights(const char *path, const Address *address, const Owner *owner,
                           GError **error)
{
    mode_t mode = mode_of(address);

    if (lchown(path, owner->user, owner->group) < 0) {
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno),
                    "it cannot be given to '%s:%s': %s", address->user ? address->user : "",
                    address->group ? address->group : "", g_strerror(errno));
        return FALSE;
    }
    if (fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) < 0) {
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(errno),
                    "its mode cannot be made %o: %s", mode, g_strerror(errno));
        return FALSE;
    }
    return TRUE;
}

/* Returns: (transfer full): another name in the same folder, as a rule one that tells whose it is
 */
static char *temporary_name(const char *path)
{
    guint32 random = g_random_int() & 0xffffff;
    g_autofree char *name = g_strdup_printf("%s.%06x", path, random);
    g_autofree char *folder = NULL;

    if (strlen(name) < sizeof((struct sockaddr_un *)NULL)->sun_path)
        return g_steal_pointer(&name);
    folder = g_path_get_dirname(path);
    return g_strdup_printf("%s/%06x", folder, random);
}

/* ---- Who is there ---------------------------------------------------------------------------- */

/* Returns: 0 where a server answers at @name, or errno */
static int ask(const SocketName *name)
{
    int fd = socket_open(name->any.sa_family);
    int number = 0;

    if (fd < 0)
        return errno;
    if (connect(fd, &name->any, name->len) < 0)
        number = errno;
    close(fd);
    return number;
}

static gboolean is_same(const char *path, const struct stat *known)
{
    struct stat status;

    return lstat(path, &status) == 0 && status.st_ino == known->st_ino &&
           status.st_dev == known->st_dev;
}

/* Of two servers that find the same stale path, the slower must not remove what the faster has just
 * put there: with a look and unlink(2) it does, once in some thousand times. So what is there is
 * taken aside, which only one of them does, looked at, and put back where it is not what was asked.
 * The first look keeps a live one from being taken without need.
 * @asked: whose inode is held open, so that its number is its own
 * Returns: 0, also where there is another now, or errno */
static int take_away(const char *path, const struct stat *asked)
{
    g_autofree char *aside = temporary_name(path);

    if (!is_same(path, asked))
        return 0;
    if (rename(path, aside) < 0)
        return errno == ENOENT ? 0 : errno;
    if (is_same(aside, asked))
        return unlink(aside) < 0 ? errno : 0;
    return renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE) < 0 ? errno : 0;
}

static gboolean check_stale(int held, const SocketName *name, struct stat *ret_asked,
                            GError **error)
{
    int number;

    if (fstat(held, ret_asked) == 0 && !S_ISSOCK(ret_asked->st_mode)) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_EXISTS, "there is something else than a socket");
        return FALSE;
    }
    number = ask(name);
    /* The queue of those to be accepted is full where it is EAGAIN. */
    if (number == 0 || number == EAGAIN)
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE, "it is in use by another server");
    else if (number != ECONNREFUSED && number != ENOENT)
        fail_errno(error, number);
    return number == ECONNREFUSED || number == ENOENT;
}

/* A server that was killed leaves its path behind, which nobody answers at and nobody can bind. */
static gboolean remove_stale(const char *path, const SocketName *name, GError **error)
{
    int held = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat asked = {0};
    gboolean stale;
    int number;

    if (held < 0 && errno == ENOENT)
        return TRUE;
    if (held < 0) {
        fail_errno(error, errno);
        return FALSE;
    }
    stale = check_stale(held, name, &asked, error);
    number = stale ? take_away(path, &asked) : 0;
    close(held);
    if (number != 0)
        fail_errno(error, number);
    return stale && number == 0;
}

/* ---- Taking the path ------------------------------------------------------------------------- */

/* What is at @path is never replaced: a hard link is made only where there is nothing. */
static gboolean publish(const char *temporary, const char *path, const SocketName *name,
                        GError **error)
{
    for (guint i = 0; link(temporary, path) < 0; i++) {
        if (errno != EEXIST || i == TRIES) {
            fail_errno(error, errno);
            return FALSE;
        }
        if (!remove_stale(path, name, error))
            return FALSE;
    }
    unlink(temporary);
    return TRUE;
}

/* Has @fd listen at @temporary, where nobody is looked for.
 * A path that gets other rights than the umask and our own user leave is made with none: bind(2)
 * takes the mode of the descriptor, less the umask, which is the process's and not ours to change.
 * Not to listen before the rights are right would not do: connect(2) looks at the rights first, and
 * afterwards for who listens; a client that tried all the time came in within 3000 times. */
static gboolean open_at(const char *temporary, int fd, const Address *address, const Owner *owner,
                        GError **error)
{
    const Address there = {.kind = ADDRESS_UNIX, .path = (char *)temporary};
    gboolean rights = mode_of(address) != 0;
    SocketName name;

    if (!socket_name_from_address(&there, &name, error))
        return FALSE;
    if ((rights && fchmod(fd, 0) < 0) || bind(fd, &name.any, name.len) < 0) {
        fail_errno(error, errno);
        return FALSE;
    }
    if ((!rights || set_rights(temporary, address, owner, error))) {
        if (listen(fd, SOMAXCONN) == 0)
            return TRUE;
        fail_errno(error, errno);
    }
    unlink(temporary);
    return FALSE;
}

/* The path appears when the socket listens already and has its rights: so no other server ever
 * takes ours for stale, which between bind(2) and listen(2) it would, and no client is refused. */
int socket_path_listen(SocketPath *path, const Address *address, const SocketName *name,
                       GError **error)
{
    g_autofree char *temporary = temporary_name(address->path);
    struct stat status = {0};
    Owner owner;
    int fd;

    if (!find_owner(address, &owner, error))
        return -1;
    fd = socket_open(AF_UNIX);
    if (fd < 0) {
        fail_errno(error, errno);
        return -1;
    }
    if (open_at(temporary, fd, address, &owner, error)) {
        if (lstat(temporary, &status) == 0 && publish(temporary, address->path, name, error)) {
            *path = (SocketPath){g_strdup(address->path), status};
            return fd;
        }
        unlink(temporary);
    }
    close(fd);
    return -1;
}

void socket_path_clear(SocketPath *path)
{
    if (path->path && is_same(path->path, &path->status))
        unlink(path->path);
    g_clear_pointer(&path->path, g_free);
}

void socket_path_save(const SocketPath *path, Saved *to)
{
    saved_put_text(to, "path", path->path);
    saved_put_int(to, "device", (gint64)path->status.st_dev);
    saved_put_int(to, "inode", (gint64)path->status.st_ino);
}

void socket_path_restore(SocketPath *path, Saved *from)
{
    path->path = saved_get_text(from, "path");
    path->status.st_dev = (dev_t)saved_get_int(from, "device");
    path->status.st_ino = (ino_t)saved_get_int(from, "inode");
}
