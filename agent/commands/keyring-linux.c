/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The home is entered with the user's rights, each step from a directory that is open already, and
 * no link is followed. */

#include "keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/qmp-error.h"
#include "common/retry.h"
#include "identity-linux.h"

#define DIRECTORY_NAME ".ssh"
#define FILE_NAME      "authorized_keys"
#define NEW_FILE_NAME  ".authorized_keys.qga"

struct Keyring {
    SystemUser user;
    char *path;    /* of the file, for errors */
    int directory; /* -1: there is none */
    Identity identity;
};

static gboolean fail(const Keyring *keyring, const char *what, GError **error)
{
    qmp_error_set(error, "failed to %s '%s': %s", what, keyring->path, g_strerror(errno));
    return FALSE;
}

/* ---- Directory ------------------------------------------------------------------------------- */

void keyring_close(Keyring *keyring)
{
    identity_drop(&keyring->identity);
    if (keyring->directory >= 0)
        close(keyring->directory);
    g_free(keyring->user.home);
    g_free(keyring->path);
    g_free(keyring);
}

/* Whoever else can write there could put keys there anyway, and others than the user's own are not
 * for us to touch. */
static gboolean is_own_directory(const Keyring *keyring, int fd)
{
    struct stat found;

    if (fstat(fd, &found) != 0)
        return FALSE;
    if (found.st_uid == keyring->user.uid)
        return TRUE;
    errno = EPERM;
    return FALSE;
}

/* Returns: the directory, or -1 with errno; *ret_verb: what was tried then */
static int open_directory(const Keyring *keyring, gboolean create, const char **ret_verb)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    int home = open(keyring->user.home, flags); /* its own path is root's, links and all */
    int fd, failure;

    *ret_verb = home < 0 && create ? "create" : "open";
    if (home < 0)
        return -1;
    fd = openat(home, DIRECTORY_NAME, flags | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT && create) {
        *ret_verb = "create";
        if (mkdirat(home, DIRECTORY_NAME, 0700) == 0)
            fd = openat(home, DIRECTORY_NAME, flags | O_NOFOLLOW);
    }
    if (fd >= 0 && !is_own_directory(keyring, fd)) {
        failure = errno;
        close(fd);
        fd = -1;
        errno = failure;
    }
    failure = errno;
    close(home);
    errno = failure;
    return fd;
}

Keyring *keyring_open(System *system, const char *username, gboolean create, GError **error)
{
    g_autoptr(Keyring) keyring = g_new(Keyring, 1);
    const char *verb;

    *keyring = (Keyring){.directory = -1};
    if (!system->find_user(system, username, &keyring->user)) {
        qmp_error_set(error, "failed to lookup user '%.256s': %s", username,
                      errno != 0 ? g_strerror(errno) : "no such user");
        return NULL;
    }
    keyring->path = g_build_filename(keyring->user.home, DIRECTORY_NAME, FILE_NAME, NULL);
    if (!identity_take(&keyring->identity, keyring->user.uid, keyring->user.gid)) {
        qmp_error_set(error, "failed to set effective user ID for user '%.256s': %s", username,
                      g_strerror(errno));
        return NULL;
    }
    keyring->directory = open_directory(keyring, create, &verb);
    if (keyring->directory >= 0 || (errno == ENOENT && !create))
        return g_steal_pointer(&keyring);
    qmp_error_set(error, "failed to %s directory '%s/" DIRECTORY_NAME "': %s", verb,
                  keyring->user.home, g_strerror(errno));
    return NULL;
}

/* ---- File ------------------------------------------------------------------------------------ */

/* A regular file with one name, the user's own, and not too large. */
static gboolean check_file(const Keyring *keyring, int fd)
{
    struct stat found;

    if (fstat(fd, &found) != 0)
        return FALSE;
    if (!S_ISREG(found.st_mode) || found.st_nlink != 1 || found.st_uid != keyring->user.uid) {
        errno = EPERM;
        return FALSE;
    }
    if (found.st_size > LIMIT_SSH_KEYS_BYTES) {
        errno = EFBIG;
        return FALSE;
    }
    return TRUE;
}

/* Returns: FALSE with errno */
static gboolean read_all(int fd, GString *text)
{
    char buffer[4096];
    gssize got;

    while ((got = TEMP_FAILURE_RETRY(read(fd, buffer, sizeof(buffer)))) > 0) {
        if (text->len + (gsize)got > LIMIT_SSH_KEYS_BYTES) {
            errno = EFBIG;
            return FALSE;
        }
        g_string_append_len(text, buffer, got);
    }
    return got == 0;
}

/* Returns: (transfer full) (nullable): what is in the file; NULL with errno */
static GString *read_file(const Keyring *keyring)
{
    g_autoptr(GString) text = g_string_new(NULL);
    gboolean ok;
    int fd, failure;

    errno = ENOENT;
    if (keyring->directory < 0)
        return NULL;
    fd = openat(keyring->directory, FILE_NAME,
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ok = check_file(keyring, fd) && read_all(fd, text);
    failure = errno;
    close(fd);
    errno = failure;
    return ok ? g_steal_pointer(&text) : NULL;
}

GString *keyring_read(Keyring *keyring, gboolean needed, GError **error)
{
    GString *text = read_file(keyring);

    if (text == NULL && errno == ENOENT && !needed)
        return g_string_new(NULL);
    if (text == NULL)
        fail(keyring, "read", error);
    return text;
}

static gboolean write_all(int fd, const GString *text)
{
    gsize written = 0;

    while (written < text->len) {
        gssize done = TEMP_FAILURE_RETRY(write(fd, text->str + written, text->len - written));

        if (done < 0)
            return FALSE;
        written += (gsize)done;
    }
    return fsync(fd) == 0;
}

gboolean keyring_write(Keyring *keyring, const GString *text, GError **error)
{
    const int directory = keyring->directory;
    gboolean ok;
    int fd, failure;

    if (text->len > LIMIT_SSH_KEYS_BYTES) {
        errno = EFBIG;
        return fail(keyring, "write", error);
    }
    unlinkat(directory, NEW_FILE_NAME, 0); /* of an agent that was killed */
    fd = openat(directory, NEW_FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                0600);
    if (fd < 0)
        return fail(keyring, "write", error);
    ok = fchmod(fd, 0600) == 0 && write_all(fd, text) &&
         renameat(directory, NEW_FILE_NAME, directory, FILE_NAME) == 0;
    failure = errno;
    close(fd);
    if (!ok) {
        unlinkat(directory, NEW_FILE_NAME, 0);
        errno = failure;
        return fail(keyring, "write", error);
    }
    return TRUE;
}
