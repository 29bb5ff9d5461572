/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "file-io.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a call of the C library takes at a time. */
enum { CALL_BYTES = 1 << 30 };

/* Who may use a new file is what its folder says. Others may read and write it meanwhile. */
int file_io_open(const char *path, int flags)
{
    g_autofree wchar_t *wide = g_utf8_to_utf16(path, -1, NULL, NULL, NULL);

    if (wide == NULL) {
        errno = EINVAL;
        return -1;
    }
    return _wopen(wide, flags | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
}

gssize file_io_read(int fd, void *buffer, gsize size)
{
    return _read(fd, buffer, (unsigned int)MIN(size, CALL_BYTES));
}

gssize file_io_write(int fd, const void *data, gsize len)
{
    return _write(fd, data, (unsigned int)MIN(len, CALL_BYTES));
}

gint64 file_io_left(int fd)
{
    const gint64 at = _lseeki64(fd, 0, SEEK_CUR);
    struct _stat64 file;

    if (at < 0 || _fstat64(fd, &file) != 0 || (file.st_mode & _S_IFMT) != _S_IFREG)
        return -1;
    return MAX(file.st_size - at, 0);
}

gint64 file_io_seek(int fd, gint64 offset, int origin)
{
    return _lseeki64(fd, offset, origin);
}
