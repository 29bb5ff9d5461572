/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "stack.h"

#include "disk-address.h"
#include "sysfs.h"

enum { DEPTH_UNKNOWN = G_MAXUINT };

typedef struct {
    System *system;
    const GPtrArray *mounts;
    GArray *depths;
} Stack;

static guint depth_of(Stack *stack, guint i);

static guint above(Stack *stack, guint i)
{
    return depth_of(stack, i) + 1;
}

/* @path: of a file on one of them, or on none, as a tmpfs. Returns: FALSE where it is not found */
static gboolean is_on(Stack *stack, const char *path, guint *depth)
{
    SystemPlace place;

    if (!stack->system->locate(stack->system, path, &place))
        return FALSE;
    for (guint i = 0; i < stack->mounts->len; i++) {
        if (mount_holds(stack->mounts->pdata[i], &place))
            *depth = MAX(*depth, above(stack, i));
    }
    return TRUE;
}

/* Returns: FALSE where nobody knows what it is on */
static gboolean is_below(Stack *stack, const char *bottom, guint *depth)
{
    g_autofree char *file = NULL;

    if (!disk_is_virtual(bottom))
        return TRUE;
    file = sysfs_read(stack->system, bottom, "loop/backing_file");
    return file != NULL && is_on(stack, file, depth);
}

static gboolean find_depth(Stack *stack, const Mount *mount, guint *depth)
{
    g_autofree char *syspath =
        mount->device != 0 ? disk_of_number(stack->system, mount->device) : NULL;
    g_autoptr(GPtrArray) bottoms = NULL;
    gboolean known;

    if (syspath == NULL)
        return FALSE;
    if (!disk_is_virtual(syspath))
        return TRUE; /* a disk, or a partition of one, as most are */
    bottoms = disk_bottoms(stack->system, syspath);
    known = bottoms->len > 0;
    for (guint i = 0; known && i < bottoms->len; i++)
        known = is_below(stack, bottoms->pdata[i], depth);
    return known;
}

static guint depth_of(Stack *stack, guint i)
{
    guint *depth = &g_array_index(stack->depths, guint, i);
    guint found = 0;

    if (*depth != DEPTH_UNKNOWN)
        return *depth;
    *depth = 0; /* for whoever comes back here: nothing lives on itself */
    if (!find_depth(stack, stack->mounts->pdata[i], &found)) {
        for (guint before = 0; before < i; before++)
            found = MAX(found, above(stack, before));
    }
    *depth = found;
    return found;
}

GArray *stack_depths(System *system, const GPtrArray *mounts)
{
    GArray *depths = g_array_sized_new(FALSE, FALSE, sizeof(guint), mounts->len);
    Stack stack = {system, mounts, depths};
    guint unknown = DEPTH_UNKNOWN;

    for (guint i = 0; i < mounts->len; i++)
        g_array_append_val(depths, unknown);
    for (guint i = 0; i < mounts->len; i++)
        depth_of(&stack, i);
    return depths;
}
