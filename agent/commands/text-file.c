/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "text-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/limits.h"
#include "common/qmp-error.h"

/* First allocation; most files are smaller. */
enum { READ_START = 4096 };

static char *path_of(const System *system, const char *path)
{
    return g_strconcat(system->root, path, NULL);
}

static gboolean fail(const char *path, int number, GError **error)
{
    qmp_error_set(error, "open(\"%s\"): %s", path, g_strerror(number));
    return FALSE;
}

/* A file of the kernel has no size before it is read. */
static gboolean read_all(int fd, const char *path, GByteArray *data, GError **error)
{
    guint used = 0;

    for (;;) {
        gssize n;

        g_byte_array_set_size(data, MAX(2 * used, READ_START));
        n = read(fd, data->data + used, data->len - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(path, errno, error);
        if (n == 0)
            break;
        used += (guint)n;
        if (used > LIMIT_TEXT_FILE_BYTES) {
            qmp_error_set(error, "%s is larger than %u bytes", path, LIMIT_TEXT_FILE_BYTES);
            return FALSE;
        }
    }
    g_byte_array_set_size(data, used);
    return TRUE;
}

static gboolean read_regular(int fd, const char *path, GByteArray *data, GError **error)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return fail(path, errno, error);
    if (!S_ISREG(status.st_mode)) {
        qmp_error_set(error, "%s is not a regular file", path);
        return FALSE;
    }
    return read_all(fd, path, data, error);
}

char *text_file_read(const System *system, const char *path, gsize *ret_len, GError **error)
{
    g_autofree char *file = path_of(system, path);
    g_autoptr(GByteArray) data = g_byte_array_new();
    int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    gboolean ok;

    if (fd < 0) {
        fail(path, errno, error);
        return NULL;
    }
    ok = read_regular(fd, path, data, error);
    close(fd);
    if (!ok)
        return NULL;
    if (ret_len != NULL)
        *ret_len = data->len;
    g_byte_array_append(data, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&data), FALSE);
}

char *text_next_line(char **at)
{
    char *line = *at;

    if (*line == '\0')
        return NULL;
    *at += strcspn(line, "\n");
    if (**at != '\0')
        *(*at)++ = '\0';
    return line;
}

guint text_split(char *line, char **ret_words, guint max)
{
    static const char blanks[] = " \t";
    guint n = 0;

    for (line += strspn(line, blanks); *line != '\0' && n < max; n++) {
        ret_words[n] = line;
        line += strcspn(line, blanks);
        if (*line != '\0')
            *line++ = '\0';
        line += strspn(line, blanks);
    }
    return n;
}

gboolean text_read_number(const char *word, guint base, guint64 *ret_value)
{
    return g_ascii_string_to_unsigned(word, base, 0, G_MAXUINT64, ret_value, NULL);
}
