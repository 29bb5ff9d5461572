/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "fd-marks.h"

#include <glib/gstdio.h>

typedef struct {
    guint64 at;
    int fd;
} Mark;

void fd_marks_init(FdMarks *marks)
{
    g_queue_init(&marks->marks);
}

void fd_marks_add(FdMarks *marks, guint64 at, int fd)
{
    Mark *mark = g_new(Mark, 1);

    *mark = (Mark){at, fd};
    g_queue_push_tail(&marks->marks, mark);
}

int fd_marks_take(FdMarks *marks, guint64 end, guint64 *dropped)
{
    const Mark *first;
    int fd = -1;

    while ((first = g_queue_peek_head(&marks->marks)) && first->at < end) {
        g_autofree Mark *mark = g_queue_pop_head(&marks->marks);

        if (fd >= 0) {
            (*dropped)++;
            g_close(fd, NULL);
        }
        fd = mark->fd;
    }
    return fd;
}
