/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "common/qmp-error.h"

/* ---- Devices --------------------------------------------------------------------------------- */

/* Why a path is refused beside all that errno tells: a file is there, a FIFO, a socket, a disk.
 * What it holds is not for us, and what we answer would be written into it. */
enum { NOT_A_DEVICE = -1 };

static gboolean is_character_device(int fd)
{
    struct stat found;

    return fstat(fd, &found) == 0 && S_ISCHR(found.st_mode);
}

/* Bytes pass unchanged; the speed is set, not added to what it was, and carrier is not asked for.
 */
static gboolean make_raw(int fd)
{
    struct termios line;

    if (tcgetattr(fd, &line) != 0)
        return FALSE;
    cfmakeraw(&line);
    line.c_cflag |= CLOCAL | CREAD;
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    cfsetspeed(&line, B38400);
    return tcsetattr(fd, TCSANOW, &line) == 0 && tcflush(fd, TCIFLUSH) == 0;
}

/* Looks first, then touches. Returns: 0, or why this is no channel */
static int set_up(int fd, gboolean serial)
{
    if (!is_character_device(fd))
        return NOT_A_DEVICE;
    return !serial || make_raw(fd) ? 0 : errno;
}

/* A socket says ENXIO, as a device does whose driver is still to come. */
static int explain_open(const char *path, int code)
{
    struct stat found;

    return code == ENXIO && stat(path, &found) == 0 && S_ISSOCK(found.st_mode) ? NOT_A_DEVICE
                                                                               : code;
}

int endpoint_open_device(const char *path, gboolean serial, gboolean *ret_missing, GError **error)
{
    int fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int code = fd >= 0 ? set_up(fd, serial) : explain_open(path, errno);

    if (code == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    *ret_missing = code == ENOENT || code == ENXIO || code == ENODEV;
    qmp_error_set(error, "error opening channel %s: %s", path,
                  code == NOT_A_DEVICE ? "not a character device" : g_strerror(code));
    return -1;
}

/* ---- Sockets --------------------------------------------------------------------------------- */

static int listen_at(const struct sockaddr *address, socklen_t len)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, address, len) == 0 && listen(fd, 1) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int endpoint_listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat old;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    /* Left behind by a former agent: sockets do not go with who made them. */
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode))
        unlink(path);
    return listen_at((const struct sockaddr *)&address, sizeof(address));
}

int endpoint_listen_vsock(const char *path)
{
    struct sockaddr_vm address = {.svm_family = AF_VSOCK};
    char rest;

    if (sscanf(path, "%u:%u%c", &address.svm_cid, &address.svm_port, &rest) != 2) {
        errno = EINVAL;
        return -1;
    }
    return listen_at((const struct sockaddr *)&address, sizeof(address));
}

gboolean endpoint_is_hung_up(int fd)
{
    struct pollfd look = {.fd = fd};

    return poll(&look, 1, 0) == 1 && (look.revents & POLLHUP) != 0;
}

static int socket_option(int fd, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

gboolean endpoint_is_read_whole(int fd)
{
    return socket_option(fd, SO_DOMAIN) == AF_UNIX && socket_option(fd, SO_TYPE) == SOCK_STREAM;
}
