/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The channel over a named pipe, which looks to it like a port: what it does when the other side
 * comes, speaks, is slow, and goes, and when Windows tells of that. Ports of a driver Wine has not.
 */

#include "agent/channel.h"

#include <string.h>
#include <windows.h>

#include "agent/fixture-device-win32.h"
#include "common/limits.h"

#define PIPE "\\\\.\\pipe\\qga-channel-test"

typedef struct {
    HANDLE host;
    Channel *channel;
    Stream stream;
    gboolean open;
    guint connections;
    GString *said; /* messages, a blank behind each */
} Fixture;

static const JsonScanLimits scan_limits = {1 << 20, 1 << 16, 64};
static const QueueLimits queue_limits = {1 << 16, 1 << 20, 1 << 24};

static HANDLE make_pipe(void)
{
    HANDLE pipe = CreateNamedPipeW(L"" PIPE, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE | PIPE_WAIT, 1,
                                   4096, 4096, 0, NULL);

    g_assert_true(pipe != INVALID_HANDLE_VALUE);
    return pipe;
}

static void on_opened(gpointer user)
{
    Fixture *fixture = user;

    stream_init(&fixture->stream, &channel_io, fixture->channel, &scan_limits, &queue_limits, NULL);
    fixture->open = TRUE;
    fixture->connections++;
}

static void disconnect(Fixture *fixture)
{
    if (fixture->open)
        stream_clear(&fixture->stream);
    fixture->open = FALSE;
}

static gboolean on_ready(gpointer user)
{
    Fixture *fixture = user;
    JsonSpan message;
    StreamResult next;

    if (!stream_flush(&fixture->stream, NULL) || !stream_fill(&fixture->stream, NULL)) {
        disconnect(fixture);
        return TRUE;
    }
    do {
        next = stream_next(&fixture->stream, &message);
        if (next == STREAM_MESSAGE) {
            g_string_append_len(fixture->said, message.text, (gssize)message.len);
            g_string_append_c(fixture->said, ' ');
        }
    } while (next == STREAM_MESSAGE || next == STREAM_FAULT); /* which is what was said half */
    if (next == STREAM_END)
        disconnect(fixture);
    return TRUE;
}

static void on_left(gpointer user)
{
    Fixture *fixture = user;

    while (fixture->open)
        on_ready(fixture);
}

static const ChannelCallbacks callbacks = {on_opened, on_ready, on_left};

static void open_channel(Fixture *fixture)
{
    GError *error = NULL;

    fixture->channel = channel_new(&(ChannelAddress){.method = CHANNEL_VIRTIO_SERIAL, .path = PIPE},
                                   &callbacks, fixture, &error);
    g_assert_no_error(error);
}

static void set_up(Fixture *fixture, gconstpointer data)
{
    fixture->said = g_string_new(NULL);
    fixture->host = make_pipe();
    open_channel(fixture);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    disconnect(fixture);
    channel_free(fixture->channel);
    if (fixture->host != NULL)
        CloseHandle(fixture->host);
    g_string_free(fixture->said, TRUE);
}

static void await_connections(Fixture *fixture, guint count)
{
    while (fixture->connections < count)
        g_main_context_iteration(NULL, TRUE);
}

static void await_said(Fixture *fixture, const char *expected)
{
    while (fixture->said->len < strlen(expected))
        g_main_context_iteration(NULL, TRUE);
    g_assert_cmpstr(fixture->said->str, ==, expected);
    g_string_truncate(fixture->said, 0);
}

static void say(const Fixture *fixture, const char *text)
{
    DWORD written;

    g_assert_true(WriteFile(fixture->host, text, (DWORD)strlen(text), &written, NULL));
}

static void test_messages(Fixture *fixture, gconstpointer data)
{
    char buffer[64];
    DWORD got;

    await_connections(fixture, 1);
    say(fixture, "{\"a\":1}{\"b\"");
    await_said(fixture, "{\"a\":1} ");
    say(fixture, ":2}\n");
    await_said(fixture, "{\"b\":2} ");
    g_assert_true(stream_send(&fixture->stream, "{\"return\": {}}\n", 15));
    g_assert_true(stream_flush(&fixture->stream, NULL));
    g_assert_true(ReadFile(fixture->host, buffer, sizeof(buffer), &got, NULL));
    g_assert_cmpmem(buffer, got, "{\"return\": {}}\n", 15);
}

/* More than the pipe and the buffer hold waits in the queue until the host reads. */
static void test_slow_host(Fixture *fixture, gconstpointer data)
{
    enum { BYTES = 1 << 20 };
    g_autofree char *sent = g_malloc(BYTES);
    g_autofree char *received = g_malloc(BYTES);
    gsize total = 0;

    for (gsize i = 0; i < BYTES; i++)
        sent[i] = (char)(i % 251);
    await_connections(fixture, 1);
    g_assert_true(stream_send(&fixture->stream, sent, BYTES));
    g_assert_true(stream_flush(&fixture->stream, NULL));
    while (total < BYTES) {
        DWORD waiting = 0, got = 0;

        g_assert_true(PeekNamedPipe(fixture->host, NULL, 0, NULL, &waiting, NULL));
        if (waiting > 0)
            g_assert_true(ReadFile(fixture->host, received + total, waiting, &got, NULL));
        else
            g_main_context_iteration(NULL, TRUE);
        total += got;
    }
    g_assert_cmpmem(received, total, sent, BYTES);
}

/* It is opened again, and nothing of the former host's is left. */
static void test_comes_back(Fixture *fixture, gconstpointer data)
{
    await_connections(fixture, 1);
    say(fixture, "{\"half\":");
    CloseHandle(fixture->host);
    while (fixture->open)
        g_main_context_iteration(NULL, TRUE);
    fixture->host = make_pipe();
    await_connections(fixture, 2);
    say(fixture, "{\"c\":3}");
    await_said(fixture, "{\"c\":3} ");
}

/* ---- What Windows tells ---------------------------------------------------------------------- */

static void await_closed(Fixture *fixture)
{
    while (fixture->open)
        g_main_context_iteration(NULL, TRUE);
}

/* The driver tells that the host has gone, and come: the port itself stays open. What the former
 * one has half said is forgotten. */
static void test_host_goes_and_comes(Fixture *fixture, gconstpointer data)
{
    await_connections(fixture, 1);
    say(fixture, "{\"a\":1}{\"half\":");
    await_said(fixture, "{\"a\":1} ");
    fixture_device_status(FALSE);
    await_closed(fixture);
    fixture_device_status(TRUE);
    await_connections(fixture, 2);
    say(fixture, "{\"b\":2}");
    await_said(fixture, "{\"b\":2} ");
    fixture_device_status(TRUE); /* a second time */
    say(fixture, "{\"c\":3}");
    await_said(fixture, "{\"c\":3} ");
    g_assert_cmpuint(fixture->connections, ==, 2);
}

/* What it had said before it went is heard. */
static void test_host_goes_after_speaking(Fixture *fixture, gconstpointer data)
{
    await_connections(fixture, 1);
    say(fixture, "{\"a\":1}");
    fixture_device_status(FALSE);
    await_said(fixture, "{\"a\":1} ");
}

/* Windows ends what is cancelled when the driver lets go of it. So that a test can say when that
 * is, the agent's calls come here; the first of two is that of its read. */
static struct {
    gboolean hold;
    guint calls;
    HANDLE file;
    LPOVERLAPPED write;
} cancel;

static BOOL cancel_now(HANDLE file, LPOVERLAPPED state)
{
    __typeof__(&CancelIoEx) windows =
        (gpointer)GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "CancelIoEx");

    return windows(file, state);
}

static BOOL WINAPI on_cancel(HANDLE file, LPOVERLAPPED state)
{
    if (!cancel.hold || cancel.calls++ != 1)
        return cancel_now(file, state);
    cancel.file = file;
    cancel.write = state;
    return TRUE;
}

__typeof__(&CancelIoEx) __imp_CancelIoEx = on_cancel;

/* Reads until @end has come. */
static void await_heard(const Fixture *fixture, const char *end)
{
    const gint64 deadline = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    g_autoptr(GString) heard = g_string_new(NULL);

    while (!g_str_has_suffix(heard->str, end)) {
        DWORD waiting = 0, got = 0;
        char buffer[4096];

        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        g_assert_true(PeekNamedPipe(fixture->host, NULL, 0, NULL, &waiting, NULL));
        if (waiting > 0)
            g_assert_true(ReadFile(fixture->host, buffer, sizeof(buffer), &got, NULL));
        else
            g_main_context_iteration(NULL, FALSE);
        g_string_append_len(heard, buffer, got);
    }
}

/* A reply was under way when the host went. Whether its write ends before the next one comes or
 * after, how it ended is not told of that one's replies. */
static void check_reply_under_way(Fixture *fixture, gboolean ends_before)
{
    g_autofree char *reply = g_strnfill(1 << 20, 'x');

    await_connections(fixture, 1);
    g_assert_true(stream_send(&fixture->stream, reply, strlen(reply)));
    g_assert_true(stream_flush(&fixture->stream, NULL));
    cancel.calls = 0;
    cancel.hold = TRUE;
    fixture_device_status(FALSE);
    cancel.hold = FALSE;
    await_closed(fixture);
    g_assert_nonnull(cancel.write);
    if (ends_before) {
        cancel_now(cancel.file, cancel.write);
        while (g_main_context_iteration(NULL, FALSE))
            continue;
    }
    fixture_device_status(TRUE);
    await_connections(fixture, 2);
    if (!ends_before)
        cancel_now(cancel.file, cancel.write);
    say(fixture, "{\"b\":2}");
    await_said(fixture, "{\"b\":2} ");
    g_assert_true(stream_send(&fixture->stream, "{\"return\": {}}\n", 15));
    g_assert_true(stream_flush(&fixture->stream, NULL));
    await_heard(fixture, "{\"return\": {}}\n");
    g_assert_cmpuint(fixture->connections, ==, 2);
}

static void test_reply_ends_before(Fixture *fixture, gconstpointer data)
{
    check_reply_under_way(fixture, TRUE);
}

static void test_reply_ends_after(Fixture *fixture, gconstpointer data)
{
    check_reply_under_way(fixture, FALSE);
}

static gboolean is_closed(const Fixture *fixture)
{
    return !PeekNamedPipe(fixture->host, NULL, 0, NULL, NULL, NULL);
}

/* A port that is to go is let go of before Windows is answered, or it could not go; and it is taken
 * again when it is back. */
static void test_device_goes(Fixture *fixture, gconstpointer data)
{
    await_connections(fixture, 1);
    say(fixture, "{\"half\":");
    g_assert_false(is_closed(fixture));
    fixture_device_goes();
    g_assert_true(is_closed(fixture));
    CloseHandle(fixture->host);
    fixture->host = NULL;
    await_closed(fixture);
    fixture->host = make_pipe();
    fixture_device_came();
    await_connections(fixture, 2);
    say(fixture, "{\"b\":2}");
    await_said(fixture, "{\"b\":2} ");
}

/* The same where no host has it open: that it goes is no connection's end. */
static void test_unused_device_goes(Fixture *fixture, gconstpointer data)
{
    await_connections(fixture, 1);
    fixture_device_status(FALSE);
    await_closed(fixture);
    fixture_device_goes();
    g_assert_true(is_closed(fixture));
    fixture_device_status(FALSE); /* of nothing */
    CloseHandle(fixture->host);
    fixture->host = make_pipe();
    fixture_device_came();
    await_connections(fixture, 2);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* A device that is not there yet is waited for, any other trouble told at once. */
static void test_opening(void)
{
    Fixture fixture = {.said = g_string_new(NULL)};
    g_autoptr(GError) error = NULL;

    open_channel(&fixture);
    fixture.host = make_pipe();
    await_connections(&fixture, 1);
    tear_down(&fixture, NULL);
    g_assert_null(
        channel_new(&(ChannelAddress){.method = CHANNEL_ISA_SERIAL, .path = "C:\\windows\\win.ini"},
                    &callbacks, &fixture, &error));
    g_assert_nonnull(strstr(error->message, "error opening channel C:\\windows\\win.ini"));
    g_clear_error(&error);
    g_assert_null(channel_new(&(ChannelAddress){.method = CHANNEL_UNIX_LISTEN, .path = "x"},
                              &callbacks, &fixture, &error));
    g_assert_nonnull(error);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL | G_LOG_FATAL_MASK); /* it warns that it waits */
    g_test_add("/channel/messages", Fixture, NULL, set_up, test_messages, tear_down);
    g_test_add("/channel/slow-host", Fixture, NULL, set_up, test_slow_host, tear_down);
    g_test_add("/channel/comes-back", Fixture, NULL, set_up, test_comes_back, tear_down);
    g_test_add("/channel/host-goes-and-comes", Fixture, NULL, set_up, test_host_goes_and_comes,
               tear_down);
    g_test_add("/channel/host-goes-after-speaking", Fixture, NULL, set_up,
               test_host_goes_after_speaking, tear_down);
    g_test_add("/channel/reply-ends-before", Fixture, NULL, set_up, test_reply_ends_before,
               tear_down);
    g_test_add("/channel/reply-ends-after", Fixture, NULL, set_up, test_reply_ends_after,
               tear_down);
    g_test_add("/channel/device-goes", Fixture, NULL, set_up, test_device_goes, tear_down);
    g_test_add("/channel/unused-device-goes", Fixture, NULL, set_up, test_unused_device_goes,
               tear_down);
    g_test_add_func("/channel/opening", test_opening);
    return g_test_run();
}
