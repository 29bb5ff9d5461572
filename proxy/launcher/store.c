/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of sd_listen_fds(3). */
enum { FIRST_FD = 3 };

/* A datagram has a few short lines. */
enum { TEXT = 1024 };

typedef struct {
    char *name;
    int fd;
} Stored;

static void stored_clear(gpointer data)
{
    Stored *stored = data;

    g_free(stored->name);
    close(stored->fd);
}

gboolean store_open(Store *store, const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    store->stored = g_array_new(FALSE, FALSE, sizeof(Stored));
    g_array_set_clear_func(store->stored, stored_clear);
    store->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    g_strlcpy(name.sun_path, path, sizeof name.sun_path);
    return store->socket >= 0 && bind(store->socket, (struct sockaddr *)&name, sizeof name) == 0;
}

void store_close(Store *store)
{
    close(store->socket);
    g_array_unref(store->stored);
}

gboolean store_has_any(const Store *store)
{
    return store->stored->len > 0;
}

void store_drop(Store *store)
{
    g_array_set_size(store->stored, 0);
}

/* ---- Telling --------------------------------------------------------------------------------- */

static void forget(Store *store, const char *name)
{
    for (guint i = store->stored->len; i > 0; i--)
        if (strcmp(g_array_index(store->stored, Stored, i - 1).name, name) == 0)
            g_array_remove_index_fast(store->stored, i - 1);
}

/* @fd: (transfer full) */
static void keep(Store *store, const char *name, int fd)
{
    Stored stored = {g_strdup(name), fd};

    g_array_append_val(store->stored, stored);
}

/* Takes the datagram away. Returns: (transfer full): the one that came with it, or -1 where none
 * did, or there was no room for it */
static int take_fd(const Store *store)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    gssize len = recvmsg(store->socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = len >= 0 ? CMSG_FIRSTHDR(&message) : NULL;
    int fd = -1;

    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

/* Returns: (nullable): what stands behind @key */
static const char *find_line(char **lines, const char *key)
{
    for (; *lines; lines++)
        if (g_str_has_prefix(*lines, key))
            return *lines + strlen(key);
    return NULL;
}

/* What has had the name goes before its descriptor is received: there is room for what replaces it
 * where there is for nothing else, and what is not received is not mistaken for what was there. */
gboolean store_receive(Store *store, gboolean *ret_ready)
{
    char text[TEXT + 1];
    gssize len = recv(store->socket, text, TEXT, MSG_PEEK);
    g_auto(GStrv) lines = NULL;
    const char *name;
    gboolean keeps;
    int fd;

    if (len < 0)
        return FALSE;
    text[len] = '\0';
    lines = g_strsplit(text, "\n", -1);
    name = find_line(lines, "FDNAME=");
    keeps = name && find_line(lines, "FDSTORE=1");
    if (find_line(lines, "READY=1"))
        *ret_ready = TRUE;
    if (keeps || (name && find_line(lines, "FDSTOREREMOVE=1")))
        forget(store, name);
    fd = take_fd(store);
    if (keeps && fd >= 0)
        keep(store, name, fd);
    else if (fd >= 0)
        close(fd);
    return TRUE;
}

/* ---- Passing on ------------------------------------------------------------------------------ */

static int compare_fds(gconstpointer a, gconstpointer b)
{
    const Stored *first = a, *second = b;

    return first->fd - second->fd;
}

/* Returns: FALSE where that is not possible */
static gboolean put(int fd, int wanted)
{
    return fd == wanted ? fcntl(fd, F_SETFD, 0) == 0 : dup2(fd, wanted) == wanted;
}

/* The lowest first: each goes down, or stays, so that none is where one before it goes, and no
 * further descriptors are needed, of which there may be none. */
void store_pass_on(Store *store)
{
    g_autoptr(GString) names = g_string_new(NULL);
    g_autofree char *pid = g_strdup_printf("%d", getpid());
    g_autofree char *count = NULL;
    int n = 0;

    g_array_sort(store->stored, compare_fds);
    for (guint i = 0; i < store->stored->len; i++) {
        const Stored *stored = &g_array_index(store->stored, Stored, i);

        if (put(stored->fd, FIRST_FD + n))
            g_string_append_printf(names, "%s%s", n++ > 0 ? ":" : "", stored->name);
    }
    count = g_strdup_printf("%d", n);
    setenv("LISTEN_PID", pid, TRUE);
    setenv("LISTEN_FDS", count, TRUE);
    setenv("LISTEN_FDNAMES", names->str, TRUE);
}
