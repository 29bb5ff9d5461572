/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "file-io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/retry.h"

static int open_or_create(const char *path, int flags)
{
    const mode_t everybody = 0666;
    int fd = open(path, flags & ~O_CREAT);

    if (fd >= 0 || errno != ENOENT || (flags & O_CREAT) == 0)
        return fd;
    fd = open(path, flags | O_EXCL, 0);
    /* Somebody else was faster, or it is a symbolic link to what does not exist yet. */
    if (fd < 0 && errno == EEXIST)
        return open(path, flags, everybody);
    if (fd >= 0 && fchmod(fd, everybody) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int file_io_open(const char *path, int flags)
{
    return open_or_create(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

gssize file_io_read(int fd, void *buffer, gsize size)
{
    return TEMP_FAILURE_RETRY(read(fd, buffer, size));
}

gssize file_io_write(int fd, const void *data, gsize len)
{
    return TEMP_FAILURE_RETRY(write(fd, data, len));
}

gint64 file_io_left(int fd)
{
    const gint64 at = lseek(fd, 0, SEEK_CUR);
    struct stat file;

    if (at < 0 || fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return -1;
    return MAX(file.st_size - at, 0);
}

gint64 file_io_seek(int fd, gint64 offset, int origin)
{
    return lseek(fd, offset, origin);
}
