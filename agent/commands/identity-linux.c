/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "identity-linux.h"

#include <errno.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where there are two, the older one has 16 bits for a group. */
#ifdef SYS_setgroups32
enum { SET_GROUPS = SYS_setgroups32 };
#else
enum { SET_GROUPS = SYS_setgroups };
#endif

/* Not setgroups(), which has all threads follow: one may be within a trim for minutes. */
static gboolean set_groups(const gid_t *groups, gsize count)
{
    return syscall(SET_GROUPS, count, groups) == 0;
}

static GArray *own_groups(void)
{
    int count = getgroups(0, NULL);
    GArray *groups = g_array_sized_new(FALSE, FALSE, sizeof(gid_t), (guint)MAX(count, 1));

    g_array_set_size(groups, (guint)MAX(count, 0));
    if (count > 0 && getgroups(count, (gid_t *)(gpointer)groups->data) != count)
        g_array_set_size(groups, 0);
    return groups;
}

/* These two tell what was, not whether they worked: asking for nobody changes nothing. */
static gboolean set_file_ids(uid_t uid, gid_t gid)
{
    setfsgid(gid);
    setfsuid(uid);
    return setfsgid((gid_t)-1) == (int)gid && setfsuid((uid_t)-1) == (int)uid;
}

gboolean identity_take(Identity *identity, uid_t uid, gid_t gid)
{
    *identity = (Identity){FALSE, NULL};
    if (geteuid() != 0 || uid == 0)
        return TRUE;
    identity->groups = own_groups();
    identity->taken = set_groups(&gid, 1) && set_file_ids(uid, gid);
    if (!identity->taken) {
        identity->taken = TRUE; /* half of it, maybe */
        identity_drop(identity);
        errno = EPERM;
        return FALSE;
    }
    return TRUE;
}

void identity_drop(Identity *identity)
{
    int failure = errno;

    if (!identity->taken)
        return;
    setfsuid(geteuid());
    setfsgid(getegid());
    set_groups((const gid_t *)(gpointer)identity->groups->data, identity->groups->len);
    g_array_unref(identity->groups);
    *identity = (Identity){FALSE, NULL};
    errno = failure;
}
