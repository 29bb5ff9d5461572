/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * journal-private: the journal's layout, for journal.c, which writes it, and journal-recover.c,
 * which reads what a former process wrote. Nobody else includes this.
 */

#pragma once

#include "journal.h"

G_BEGIN_DECLS

/* Of one proxy, at most; each that was never used costs nothing. */
enum { SLOTS = 65536 };

/* Bytes that are read at once: a command takes some hundred. As much goes into a pipe. */
enum { LANDING = 64 * 1024 };

/* Regions have sizes of powers of two. */
enum { CLASS_MIN = 8, CLASSES = 32, RECORD_HEAD = 16 };

/* How the file begins: with "1-qga-j1", on a machine that is little-endian. The digit at the end is
 * to change with the layout, and wherever core-handover.c's VERSION does: a record says no version
 * of its own, and would be misread by a process of another. */
#define MAGIC G_GUINT64_CONSTANT(0x316a2d6167712d31)

/* Only this process writes the file, and nothing is read of it but by another that comes when this
 * one is gone: the order in which it is written is all that matters. */
typedef struct {
    guint64 record; /* where it begins in the file; 0 for none */
    guint64 class;  /* the size of its region, as a power of two */
    guint64 written;
} Slot;

typedef struct {
    guint64 magic;
    guint64 landing_slot; /* 0, or whose bytes are there; its record was made at: */
    guint64 landing_base; /* bytes of the connection in front of them */
    guint64 sending_slot; /* 0, or whose bytes go through the pipe */
    guint64 sending_base; /* bytes of the connection that were written before */
    guint64 sending_len;  /* bytes that went into the pipe */
    Slot slots[SLOTS];
    char landing[LANDING];
} Head;

#define HEAD_SIZE (((gsize)sizeof(Head) + 4095) & ~(gsize)4095)

struct Journal {
    int fd;
    Head *head; /* of the mapping */
    gsize size; /* of the file */
    gsize end;  /* of what was ever a region */
    int outbox[2];
    gsize landed; /* bytes in head->landing */

    GArray *free[CLASSES]; /* of guint64: regions */
    guint8 used[SLOTS];
    int kept[SLOTS];         /* 0, or one more than the descriptor that is kept with it */
    guint8 unclaimed[SLOTS]; /* of a former process, and nobody's yet */
    guint next;              /* slots from here on were never used */
    GArray *free_slots;

    int *fds; /* (nullable): of a former process, by slot: -1 for none */
    JournalKeep keep;
    gpointer owner;
};

/* What comes before is in memory before: the compiler is kept from putting it off. */
void journal_commit(guint64 *place, guint64 value);

/* No record is in the slot any more. */
void journal_empty(Journal *journal, guint slot);

/* Of a file that is as long as the head, at least. @fd: (transfer full) */
Journal *journal_make(int fd, GError **error);

G_END_DECLS
