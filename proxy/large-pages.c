/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * 64 MiB are 16,384 page faults in pages of 4 KiB, and these were a third of what a large reply
 * cost. malloc() would give no large pages, since what it maps does not begin with one.
 */

#include "large-pages.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The kernel's, where its small ones are 4 KiB; where they are others, little is lost. A mapping
 * that did not begin with one had up to 511 small ones at its ends: a fifth of the time of a reply
 * of 64 MiB, in a virtual machine where each fault takes 20 µs. */
#define LARGE_PAGE ((gsize)2 << 20)

/* 48 MiB of a file are 64 MiB of base64 with an envelope around it: no large page for the rest. */
#define LARGE_PAGES_END ((gsize)64 << 20)

static gsize whole(gsize size, gsize page)
{
    return (size + page - 1) / page * page;
}

static gsize mapped(gsize size)
{
    return whole(size, (gsize)sysconf(_SC_PAGESIZE));
}

static void advise(char *text, gsize size)
{
    madvise(text, size, MADV_HUGEPAGE);
    if (size > LARGE_PAGES_END)
        madvise(text + LARGE_PAGES_END, size - LARGE_PAGES_END, MADV_NOHUGEPAGE);
}

static void unmap(char *from, char *to)
{
    if (from < to)
        munmap(from, (gsize)(to - from));
}

/* Returns: a mapping that begins with a large page, where one fits */
static char *map(gsize size)
{
    gsize slack = size < LARGE_PAGE ? 0 : LARGE_PAGE;
    gsize room = mapped(size) + slack;
    char *all = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *text = slack ? (char *)whole((gsize)all, LARGE_PAGE) : all;

    if (all == MAP_FAILED)
        g_error("no memory for %" G_GSIZE_FORMAT " bytes", size);
    unmap(all, text);
    unmap(text + mapped(size), all + room);
    advise(text, size);
    return text;
}

/* What is there is moved by its pages. With two kinds of them it is two mappings, of which the
 * kernel moves one: but few messages are so long, and none of them grows more than once. */
static char *grow(char *text, gsize from, gsize to)
{
    char *moved = map(to);

    if (from > LARGE_PAGES_END) {
        memcpy(moved, text, from);
        munmap(text, from);
        return moved;
    }
    if (mremap(text, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == MAP_FAILED)
        g_error("no memory for %" G_GSIZE_FORMAT " bytes", to);
    advise(moved, to);
    return moved;
}

gpointer large_pages(gpointer text, gsize from, gsize to)
{
    if (!text)
        return map(to);
    if (to > from)
        return grow(text, from, to);
    unmap((char *)text + mapped(to), (char *)text + mapped(from));
    return to == 0 ? NULL : text;
}
