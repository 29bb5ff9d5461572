/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The first descriptor that a manager passes. */
enum { FIRST_FD = 3 };

gboolean service_is_managed(void)
{
    return g_getenv("NOTIFY_SOCKET") != NULL;
}

/* ---- Telling --------------------------------------------------------------------------------- */

static gboolean read_address(struct sockaddr_un *name, socklen_t *ret_len)
{
    const char *path = g_getenv("NOTIFY_SOCKET");
    gsize len = path ? strlen(path) : 0;

    if (len < 2 || len >= sizeof name->sun_path)
        return FALSE;
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(name->sun_path, path, len);
    if (path[0] == '@')
        name->sun_path[0] = '\0';
    *ret_len = (socklen_t)(G_STRUCT_OFFSET(struct sockaddr_un, sun_path) + len);
    return TRUE;
}

/* @fd: or -1. Returns: 0 or errno */
static int send_state(const char *state, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct sockaddr_un name;
    struct iovec text = {(char *)state, strlen(state)};
    struct msghdr message = {.msg_name = &name, .msg_iov = &text, .msg_iovlen = 1};
    int number = 0;
    int notify;

    if (!read_address(&name, &message.msg_namelen))
        return ENOENT;
    if (fd >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify < 0 || sendmsg(notify, &message, MSG_NOSIGNAL) < 0)
        number = errno;
    if (notify >= 0)
        close(notify);
    return number;
}

void service_notify(const char *state)
{
    if (service_is_managed())
        send_state(state, -1);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

gboolean service_store(const char *name, int fd, GError **error)
{
    g_autofree char *state = g_strdup_printf("FDSTORE=1\nFDNAME=%s", name);
    int number = send_state(state, fd);

    if (number != 0)
        g_set_error(error, G_IO_ERROR, (gint)g_io_error_from_errno(number),
                    "the service manager does not keep descriptors: %s", g_strerror(number));
    return number == 0;
}

/* As long as the manager has it too, whoever is at its other end never sees that we close it. */
void service_remove_stored(const char *name)
{
    g_autofree char *state = g_strdup_printf("FDSTOREREMOVE=1\nFDNAME=%s", name);

    send_state(state, -1);
}

static gboolean is_for_us(void)
{
    const char *pid = g_getenv("LISTEN_PID");
    guint64 number;

    return pid && g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT, &number, NULL) &&
           (pid_t)number == getpid();
}

/* What comes from before this program was started stays open over execve(2), and all that is opened
 * since does not: that may be where one is missing that the manager has named. */
static gboolean is_passed(int fd)
{
    int flags = fcntl(fd, F_GETFD);

    return flags >= 0 && !(flags & FD_CLOEXEC);
}

static void close_stored(gpointer fd)
{
    close(GPOINTER_TO_INT(fd));
}

GHashTable *service_take_stored(const char *prefix, gboolean stays)
{
    const char *listed = g_getenv("LISTEN_FDNAMES");
    g_auto(GStrv) names = listed && is_for_us() ? g_strsplit(listed, ":", -1) : NULL;
    GHashTable *taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_stored);

    for (int i = 0; names && names[i]; i++) {
        int fd = FIRST_FD + i;

        if (!g_str_has_prefix(names[i], prefix) || !is_passed(fd))
            continue;
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (!stays)
            service_remove_stored(names[i]);
        if (g_hash_table_contains(taken, names[i])) /* of an earlier service */
            close(fd);
        else
            g_hash_table_insert(taken, g_strdup(names[i]), GINT_TO_POINTER(fd));
    }
    return taken;
}
