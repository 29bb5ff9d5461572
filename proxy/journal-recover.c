/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * journal-recover: the journal of a process that was killed, opened anew.
 *
 * Owns finding out what that process came to do, from its records and from what is beside them, and
 * giving out what was kept. Leaves writing to journal.c, which goes on in the same file.
 */

#include "journal-private.h"

#include <gio/gio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static GVariant *read_record(const Journal *journal, guint slot)
{
    const guint64 at = journal->head->slots[slot].record;
    const guint64 *head = (const guint64 *)((const char *)journal->head + at);
    GBytes *bytes;
    GVariant *record;

    if (at < HEAD_SIZE || at > journal->size - RECORD_HEAD ||
        head[0] > journal->size - RECORD_HEAD - at || head[1] >= CLASSES)
        return NULL;
    bytes = g_bytes_new(head + 2, head[0]);
    record = g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, FALSE));
    g_bytes_unref(bytes);
    return record;
}

/* ---- Opening it ------------------------------------------------------------------------------ */

/* Where the last write was cut short, the rest is in the pipe still. */
static void settle_sending(Journal *journal, int outbox)
{
    Head *head = journal->head;
    int left = 0;

    if (head->sending_slot > 0 && head->sending_slot < SLOTS && outbox >= 0 &&
        ioctl(outbox, FIONREAD, &left) == 0 && (guint64)left <= head->sending_len)
        head->slots[head->sending_slot].written =
            head->sending_base + head->sending_len - (guint64)left;
    journal_commit(&head->sending_slot, 0);
}

static void find_used(Journal *journal)
{
    journal->end = HEAD_SIZE;
    for (guint slot = 1; slot < SLOTS; slot++) {
        Slot *place = &journal->head->slots[slot];
        g_autoptr(GVariant) record = place->record ? read_record(journal, slot) : NULL;

        if (record) {
            place->class = ((guint64 *)((char *)journal->head + place->record))[1];
            journal->end = MAX(journal->end, place->record + ((gsize)1 << place->class));
        } else {
            place->record = 0;
        }
        journal->kept[slot] = journal->fds[slot] + 1;
        journal->used[slot] = record || journal->kept[slot];
        journal->unclaimed[slot] = journal->used[slot];
        if (journal->used[slot])
            journal->next = slot + 1;
    }
    for (guint slot = 1; slot < journal->next; slot++)
        if (!journal->used[slot])
            g_array_append_val(journal->free_slots, slot);
}

/* Returns: -1 where there is none of that name */
static int find(const char *const *names, int *fds, const char *name)
{
    for (guint i = 0; names[i]; i++)
        if (g_str_equal(names[i], name)) {
            int fd = fds[i];

            fds[i] = -1;
            return fd;
        }
    return -1;
}

static void take_kept(Journal *journal, const char *const *names, int *fds)
{
    journal->fds = g_new(int, SLOTS);
    for (guint slot = 0; slot < SLOTS; slot++)
        journal->fds[slot] = -1;
    for (guint i = 0; names[i]; i++) {
        guint64 slot;

        if (!g_str_has_prefix(names[i], "kept-") ||
            !g_ascii_string_to_unsigned(names[i] + strlen("kept-"), 10, 1, SLOTS - 1, &slot,
                                        NULL) ||
            journal->fds[slot] >= 0)
            continue;
        journal->fds[slot] = fds[i];
        fds[i] = -1;
    }
}

static Journal *reopen(int fd, GError **error)
{
    Journal *journal;
    struct stat file;

    if (fd < 0 || fstat(fd, &file) < 0 || file.st_size < (off_t)HEAD_SIZE) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "there is no journal");
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    journal = journal_make(fd, error);
    if (!journal)
        return NULL;
    journal->size = (gsize)file.st_size;
    journal->landed = LANDING; /* how much of it nobody knows */
    if (journal->head->magic == MAGIC)
        return journal;
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                        "it is a journal of another make");
    journal_free(journal);
    return NULL;
}

Journal *journal_reopen(const char *const *names, const int *fds, GError **error)
{
    const guint n = g_strv_length((char **)names);
    g_autofree int *left = g_memdup2(fds, n * sizeof *fds);
    Journal *journal = reopen(find(names, left, "journal"), error);
    int outbox = find(names, left, "outbox");

    if (journal) {
        settle_sending(journal, outbox);
        take_kept(journal, names, left);
        find_used(journal);
    }
    if (outbox >= 0)
        close(outbox);
    for (guint i = 0; i < n; i++)
        if (left[i] >= 0)
            close(left[i]);
    return journal;
}

/* ---- Giving out what was kept ---------------------------------------------------------------- */

void journal_foreach(Journal *journal, void (*func)(guint slot, GVariant *record, gpointer data),
                     gpointer data)
{
    for (guint slot = 1; slot < journal->next; slot++) {
        g_autoptr(GVariant) record = journal->used[slot] ? read_record(journal, slot) : NULL;

        if (record)
            func(slot, record, data);
    }
}

int journal_take_fd(Journal *journal, guint slot)
{
    int fd = slot < SLOTS && journal->fds ? journal->fds[slot] : -1;

    if (fd >= 0)
        journal->fds[slot] = -1;
    return fd;
}

guint64 journal_take_rest(Journal *journal, guint slot, guint64 read, guint64 written,
                          GBytes **ret_input)
{
    Head *head = journal->head;
    gsize len = LANDING;

    *ret_input = NULL;
    if (head->landing_slot == slot && head->landing_base == read) {
        while (len > 0 && head->landing[len - 1] == '\0')
            len--;
        if (len > 0)
            *ret_input = g_bytes_new(head->landing, len);
    }
    return head->slots[slot].written > written ? head->slots[slot].written - written : 0;
}

void journal_claim(Journal *journal, guint slot)
{
    journal->unclaimed[slot] = FALSE;
}

/* Records first: killed in between, there must be none whose descriptors are gone. */
void journal_tidy(Journal *journal)
{
    for (guint slot = 1; slot < journal->next; slot++)
        if (journal->unclaimed[slot])
            journal_empty(journal, slot);
    for (guint slot = 1; slot < journal->next; slot++) {
        int fd = journal_take_fd(journal, slot);

        if (fd >= 0)
            close(fd);
        if (journal->unclaimed[slot])
            journal_remove(journal, slot);
        journal->unclaimed[slot] = FALSE;
    }
    g_clear_pointer(&journal->fds, g_free);
}
