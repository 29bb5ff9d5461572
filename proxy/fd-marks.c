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

static int pop(FdMarks *marks)
{
    g_autofree Mark *mark = g_queue_pop_head(&marks->marks);

    return mark->fd;
}

void fd_marks_drop(int fd, guint64 *dropped)
{
    if (fd < 0)
        return;
    (*dropped)++;
    g_close(fd, NULL);
}

void fd_marks_keep_last(FdMarks *marks, guint64 *dropped)
{
    while (marks->marks.length > 1)
        fd_marks_drop(pop(marks), dropped);
}

int fd_marks_take(FdMarks *marks, guint64 end, guint64 *dropped)
{
    const Mark *first;
    int fd = -1;

    while ((first = g_queue_peek_head(&marks->marks)) && first->at < end) {
        fd_marks_drop(fd, dropped);
        fd = pop(marks);
    }
    return fd;
}

void fd_marks_save(const FdMarks *marks, Handover *handover, Saved *to)
{
    SavedList *list = saved_list_new();

    for (const GList *at = marks->marks.head; at; at = at->next) {
        const Mark *mark = at->data;
        Saved item = G_VARIANT_DICT_INIT(NULL);

        saved_put_int(&item, "at", (gint64)mark->at);
        handover_put_fd(handover, &item, "fd", mark->fd);
        saved_list_add(list, &item);
    }
    saved_put_list(to, "marks", list);
}

static void restore_mark(const HandoverPart *item, gpointer data)
{
    FdMarks *marks = data;
    int fd = handover_get_fd(item, "fd");

    if (fd >= 0)
        fd_marks_add(marks, (guint64)saved_get_int(item->from, "at"), fd);
}

void fd_marks_restore(FdMarks *marks, const HandoverPart *part)
{
    handover_foreach(part, "marks", restore_mark, marks);
}
