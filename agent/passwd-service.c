/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/passwd.h"

#include <errno.h>
#include <pwd.h>

gboolean passwd_find(System *system, const char *name, SystemUser *ret)
{
    const struct passwd *found;

    errno = 0;
    found = getpwnam(name);
    if (found == NULL) {
        if (errno == ENOENT ||
            errno == ESRCH) /* what some of those services say of unknown names */
            errno = 0;
        return FALSE;
    }
    *ret = (SystemUser){found->pw_uid, found->pw_gid, g_strdup(found->pw_dir)};
    return TRUE;
}
