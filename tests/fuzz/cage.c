/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

/* What the linker makes of the calls of the agent: --wrap. */
int __wrap_open64(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
void __wrap_log_account(const char *command);

static const char *cage;

void cage_enter(const char *directory)
{
    cage = directory;
}

/* Returns: (transfer full) (nullable) */
static char *lead(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);

    if (g_strv_contains((const char *const *)parts, ".."))
        return NULL;
    if (g_str_has_prefix(path, cage))
        return g_strdup(path);
    return g_build_filename(cage, "files", path, NULL);
}

int __wrap_open64(const char *path, int flags, ...)
{
    g_autofree char *real = lead(path);
    mode_t mode = 0;

    if (real == NULL) {
        errno = ENOENT;
        return -1;
    }
    if ((flags & O_CREAT) != 0) {
        va_list args;

        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return __real_open64(real, flags, mode);
}

void __wrap_log_account(const char *command)
{
}
