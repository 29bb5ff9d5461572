/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * transfer: one read or write of a handle that was opened for overlapped I/O, and its buffer.
 *
 * Owns the buffer and the event, which must both stay where they are as long as the system works
 * with them. Leaves the handle to its owner, who must clear all transfers on it first.
 */

#pragma once

#include <glib.h>
#include <windows.h>

typedef struct {
    HANDLE file;
    OVERLAPPED state; /* its hEvent is set when transfer_settle() has something to tell */
    gboolean pending;
    DWORD error; /* how the last one failed; 0: it did not */
    char *buffer;
    gsize size; /* of the buffer */
    gsize at;   /* bytes of the buffer that are done with */
    gsize len;  /* bytes in it: that were read, or are to be written */
} Transfer;

void transfer_init(Transfer *transfer, HANDLE file, gsize size);
/* Cancels what is under way, and waits until the system has let go of the buffer. */
void transfer_clear(Transfer *transfer);

/* Reads at most @size bytes into the buffer, which must be done with and have room for them. How it
 * went is told by transfer_settle(). */
void transfer_read(Transfer *transfer, gsize size);

/**
 * transfer_write:
 * Returns: how many bytes were taken into the buffer, which must be done with
 */
gsize transfer_write(Transfer *transfer, const void *data, gsize len);

/**
 * transfer_settle:
 *
 * Looks whether what is under way has ended. A write that ended early goes on with the rest.
 *
 * Returns: whether nothing is under way
 */
gboolean transfer_settle(Transfer *transfer);

/* Bytes that were read and not taken yet. */
gsize transfer_left(const Transfer *transfer);
/* Returns: how many were taken */
gsize transfer_take(Transfer *transfer, void *data, gsize len);

/**
 * handle_watch_add:
 *
 * Calls @func in the default main context whenever @handle is signalled.
 *
 * Returns: the id of the source
 */
guint handle_watch_add(HANDLE handle, GSourceFunc func, gpointer user);
