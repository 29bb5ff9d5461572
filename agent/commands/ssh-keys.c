/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * ssh-keys: guest-ssh-get-authorized-keys, -add-authorized-keys, -remove-authorized-keys.
 *
 * The home belongs to somebody who may be no friend of the guest's owner, so that nothing in it is
 * believed: it is entered with that user's rights, each step from a directory that is open already,
 * and no link is followed. A new file takes the old one's place in one step: a full disk loses no
 * key.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/dispatch.h"
#include "common/limits.h"
#include "common/qmp-error.h"
#include "common/retry.h"
#include "identity-linux.h"

#define DIRECTORY_NAME ".ssh"
#define FILE_NAME      "authorized_keys"
#define NEW_FILE_NAME  ".authorized_keys.qga"

typedef struct {
    SystemUser user;
    char *path;    /* of the file, for errors */
    int directory; /* -1: there is none */
    Identity identity;
} Keyring;

static gboolean fail(const Keyring *keyring, const char *what, GError **error)
{
    qmp_error_set(error, "failed to %s '%s': %s", what, keyring->path, g_strerror(errno));
    return FALSE;
}

/* ---- Directory ------------------------------------------------------------------------------- */

static void keyring_close(Keyring *keyring)
{
    identity_drop(&keyring->identity);
    if (keyring->directory >= 0)
        close(keyring->directory);
    g_free(keyring->user.home);
    g_free(keyring->path);
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

/* Returns: FALSE with @error. To be closed in either case. */
static gboolean keyring_open(Keyring *keyring, System *system, const char *username,
                             gboolean create, GError **error)
{
    const char *verb;

    *keyring = (Keyring){.directory = -1};
    if (!system->find_user(system, username, &keyring->user)) {
        qmp_error_set(error, "failed to lookup user '%.256s': %s", username,
                      errno != 0 ? g_strerror(errno) : "no such user");
        return FALSE;
    }
    keyring->path = g_build_filename(keyring->user.home, DIRECTORY_NAME, FILE_NAME, NULL);
    if (!identity_take(&keyring->identity, keyring->user.uid, keyring->user.gid)) {
        qmp_error_set(error, "failed to set effective user ID for user '%.256s': %s", username,
                      g_strerror(errno));
        return FALSE;
    }
    keyring->directory = open_directory(keyring, create, &verb);
    if (keyring->directory >= 0 || (errno == ENOENT && !create))
        return TRUE;
    qmp_error_set(error, "failed to %s directory '%s/" DIRECTORY_NAME "': %s", verb,
                  keyring->user.home, g_strerror(errno));
    return FALSE;
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

/* What is there, or nothing. Returns: (transfer full) (nullable): NULL with @error */
static GString *read_file_if_any(const Keyring *keyring, GError **error)
{
    GString *text = read_file(keyring);

    if (text == NULL && errno == ENOENT)
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

static gboolean write_file(const Keyring *keyring, const GString *text, GError **error)
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

/* ---- Lines ----------------------------------------------------------------------------------- */

typedef struct {
    const char *text;
    gsize len;
} Line;

/* @at: where the next one begins; none left: FALSE */
static gboolean next_line(const GString *text, gsize *at, Line *ret)
{
    const char *start = text->str + *at, *end;

    if (*at >= text->len)
        return FALSE;
    end = memchr(start, '\n', text->len - *at);
    *ret = (Line){start, end != NULL ? (gsize)(end - start) : text->len - *at};
    *at += ret->len + 1;
    return TRUE;
}

static gboolean is_comment(Line line)
{
    while (line.len > 0 && g_ascii_isspace(*line.text))
        line = (Line){line.text + 1, line.len - 1};
    return line.len == 0 || *line.text == '#';
}

/* Returns: (transfer full): set of GBytes */
static GHashTable *set_of_keys(const GArray *keys)
{
    GHashTable *set = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                            (GDestroyNotify)(gpointer)g_bytes_unref, NULL);

    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);

        g_hash_table_add(set, g_bytes_new_static(key, strlen(key)));
    }
    return set;
}

static gboolean has_line(GHashTable *set, Line line)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(line.text, line.len);

    return g_hash_table_contains(set, bytes);
}

/* What would be read back as something else than this one key. */
static gboolean check_keys(const GArray *keys, GError **error)
{
    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);

        if (strpbrk(key, "\n\r") != NULL || is_comment((Line){key, strlen(key)})) {
            qmp_error_set(error, "invalid OpenSSH public key: '%.4096s'", key);
            return FALSE;
        }
    }
    return TRUE;
}

/* ---- Commands -------------------------------------------------------------------------------- */

static void write_keys(JsonWrite *write, const GString *text)
{
    gsize at = 0;
    Line line;

    json_write_begin_object(write);
    json_write_key(write, "keys");
    json_write_begin_array(write);
    while (next_line(text, &at, &line)) {
        if (!is_comment(line))
            json_write_string_len(write, line.text, line.len);
    }
    json_write_end_array(write);
    json_write_end_object(write);
}

gboolean guest_ssh_get_authorized_keys(Commands *commands,
                                       const GuestSshGetAuthorizedKeysArguments *args, Call *call,
                                       GError **error)
{
    g_autoptr(GString) text = NULL;
    Keyring keyring;
    gboolean ok = keyring_open(&keyring, commands->system, args->username, FALSE, error);

    if (ok) {
        text = read_file(&keyring);
        ok = text != NULL || fail(&keyring, "read", error);
    }
    if (ok)
        write_keys(call_result(call), text);
    keyring_close(&keyring);
    return ok;
}

/* Those that are there already, here or in @keys before, are not added again. */
static void add_keys(GString *text, const GArray *keys)
{
    g_autoptr(GHashTable) missing = set_of_keys(keys);
    gsize at = 0;
    Line line;

    while (next_line(text, &at, &line)) {
        g_autoptr(GBytes) bytes = g_bytes_new_static(line.text, line.len);

        g_hash_table_remove(missing, bytes);
    }
    if (text->len > 0 && text->str[text->len - 1] != '\n')
        g_string_append_c(text, '\n');
    for (guint i = 0; i < keys->len; i++) {
        const char *key = g_array_index(keys, char *, i);
        g_autoptr(GBytes) bytes = g_bytes_new_static(key, strlen(key));

        if (g_hash_table_remove(missing, bytes))
            g_string_append_printf(text, "%s\n", key);
    }
}

gboolean guest_ssh_add_authorized_keys(Commands *commands,
                                       const GuestSshAddAuthorizedKeysArguments *args, Call *call,
                                       GError **error)
{
    g_autoptr(GString) text = NULL;
    Keyring keyring;
    gboolean ok;

    if (!check_keys(args->keys, error))
        return FALSE;
    ok = keyring_open(&keyring, commands->system, args->username, TRUE, error);
    if (ok) {
        text = args->reset ? g_string_new(NULL) : read_file_if_any(&keyring, error);
        ok = text != NULL;
    }
    if (ok) {
        add_keys(text, args->keys);
        ok = write_file(&keyring, text, error);
    }
    keyring_close(&keyring);
    return ok;
}

/* Returns: (transfer full): all other lines, comments too */
static GString *remove_keys(const GString *text, const GArray *keys)
{
    g_autoptr(GHashTable) unwanted = set_of_keys(keys);
    GString *rest = g_string_new(NULL);
    gsize at = 0;
    Line line;

    while (next_line(text, &at, &line)) {
        if (has_line(unwanted, line))
            continue;
        g_string_append_len(rest, line.text, (gssize)line.len);
        g_string_append_c(rest, '\n');
    }
    return rest;
}

gboolean guest_ssh_remove_authorized_keys(Commands *commands,
                                          const GuestSshRemoveAuthorizedKeysArguments *args,
                                          Call *call, GError **error)
{
    g_autoptr(GString) text = NULL;
    g_autoptr(GString) rest = NULL;
    Keyring keyring;
    gboolean ok;

    if (!check_keys(args->keys, error))
        return FALSE;
    ok = keyring_open(&keyring, commands->system, args->username, FALSE, error);
    if (ok) {
        text = read_file_if_any(&keyring, error);
        ok = text != NULL;
    }
    if (ok && text->len > 0) {
        rest = remove_keys(text, args->keys);
        ok = g_string_equal(text, rest) || write_file(&keyring, rest, error);
    }
    keyring_close(&keyring);
    return ok;
}
