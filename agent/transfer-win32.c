/* SPDX-License-Identifier: GPL-2.0-or-later */

#include "agent/transfer-win32.h"

#include <string.h>

void transfer_init(Transfer *transfer, HANDLE file, gsize size)
{
    *transfer = (Transfer){
        .file = file,
        .state.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL),
        .buffer = g_malloc(size),
        .size = size,
    };
    g_assert(transfer->state.hEvent != NULL);
}

void transfer_clear(Transfer *transfer)
{
    DWORD ignored;

    if (transfer->buffer == NULL)
        return;
    if (transfer->pending) {
        CancelIoEx(transfer->file, &transfer->state);
        GetOverlappedResult(transfer->file, &transfer->state, &ignored, TRUE);
    }
    CloseHandle(transfer->state.hEvent);
    g_free(transfer->buffer);
    *transfer = (Transfer){0};
}

/* One that succeeds at once tells its result by the event like any other. */
static void begun(Transfer *transfer, BOOL ok)
{
    DWORD error = ok ? ERROR_SUCCESS : GetLastError();

    transfer->pending = ok || error == ERROR_IO_PENDING;
    transfer->error = transfer->pending ? ERROR_SUCCESS : error;
    if (!transfer->pending)
        SetEvent(transfer->state.hEvent);
}

void transfer_read(Transfer *transfer, gsize size)
{
    g_assert(!transfer->pending);
    transfer->at = transfer->len = 0;
    ResetEvent(transfer->state.hEvent);
    begun(transfer, ReadFile(transfer->file, transfer->buffer, (DWORD)MIN(size, transfer->size),
                             NULL, &transfer->state));
}

static void write_rest(Transfer *transfer)
{
    ResetEvent(transfer->state.hEvent);
    begun(transfer, WriteFile(transfer->file, transfer->buffer + transfer->at,
                              (DWORD)(transfer->len - transfer->at), NULL, &transfer->state));
}

gsize transfer_write(Transfer *transfer, const void *data, gsize len)
{
    g_assert(!transfer->pending);
    transfer->at = 0;
    transfer->len = MIN(len, transfer->size);
    memcpy(transfer->buffer, data, transfer->len);
    write_rest(transfer);
    return transfer->len;
}

/* @done: bytes that the system has moved */
static void ended(Transfer *transfer, gboolean is_write, DWORD done)
{
    if (!is_write) {
        transfer->len = done;
        return;
    }
    transfer->at += done;
    if (transfer->at < transfer->len)
        write_rest(transfer);
}

gboolean transfer_settle(Transfer *transfer)
{
    gboolean is_write = transfer->len > 0; /* a read begins with an empty buffer */
    DWORD done = 0;

    while (transfer->pending && HasOverlappedIoCompleted(&transfer->state)) {
        transfer->pending = FALSE;
        if (GetOverlappedResult(transfer->file, &transfer->state, &done, FALSE))
            ended(transfer, is_write, done);
        else
            transfer->error = GetLastError();
    }
    if (!transfer->pending)
        ResetEvent(transfer->state.hEvent); /* or whoever polls it would never sleep */
    return !transfer->pending;
}

gsize transfer_left(const Transfer *transfer)
{
    return transfer->len - transfer->at;
}

gsize transfer_take(Transfer *transfer, void *data, gsize len)
{
    gsize taken = MIN(len, transfer_left(transfer));

    memcpy(data, transfer->buffer + transfer->at, taken);
    transfer->at += taken;
    return taken;
}

/* ---- Watching a handle ----------------------------------------------------------------------- */

typedef struct {
    GSource source;
    GPollFD poll;
} HandleSource;

static gboolean source_check(GSource *source)
{
    return ((HandleSource *)source)->poll.revents != 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    return callback(user_data);
}

static GSourceFuncs source_funcs = {NULL, source_check, source_dispatch, NULL};

guint handle_watch_add(HANDLE handle, GSourceFunc func, gpointer user)
{
    GSource *source = g_source_new(&source_funcs, sizeof(HandleSource));
    GPollFD *poll = &((HandleSource *)source)->poll;
    guint id;

    *poll = (GPollFD){.fd = (gintptr)handle, .events = G_IO_IN};
    g_source_add_poll(source, poll);
    g_source_set_callback(source, func, user, NULL);
    id = g_source_attach(source, NULL);
    g_source_unref(source);
    return id;
}
