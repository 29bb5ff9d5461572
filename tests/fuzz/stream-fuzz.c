/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A connection whose peer sends any bytes, in pieces of any size, and reads as slowly as it likes,
 * while the endpoint echoes each message and now and then pauses.
 *
 * The first byte of the input sets the sizes of reads and writes, the next ones say what happens
 * between two turns; the rest is what the peer sends.
 *
 * Held: messages and faults are those of the scanner over the same bytes in one piece; what is
 * echoed comes out whole and in order; and in the end the charge is zero.
 */

#include "common/stream.h"
#include "support/fake-io.h"
#include "support/scan-log.h"
#include "fuzz.h"

enum { SCRIPT_BYTES = 8 };

typedef struct {
    const guint8 *script;
    guint turn;
    FakeIo io;
    Charge charge;
    Stream stream;
    GString *log;
    GString *echoed;
} Run;

static void take_messages(Run *run)
{
    JsonSpan message;
    StreamResult result;

    while ((result = stream_next(&run->stream, &message)) == STREAM_MESSAGE ||
           result == STREAM_FAULT) {
        if (result == STREAM_FAULT) {
            g_autofree char *text = stream_fault_text(&run->stream);

            g_assert_true(g_str_is_ascii(text));
            g_string_append_printf(run->log, "! %s\n",
                                   scan_log_fault_name(stream_fault(&run->stream)));
            continue;
        }
        g_string_append(run->log, "= ");
        g_string_append_len(run->log, message.text, (gssize)message.len);
        g_string_append_c(run->log, '\n');
        if (stream_send(&run->stream, message.text, message.len))
            g_string_append_len(run->echoed, message.text, (gssize)message.len);
    }
}

/* One turn: what the script says, then read, look and write as an endpoint does. */
static void turn(Run *run)
{
    guint8 order = run->script[run->turn++ % SCRIPT_BYTES];
    g_autoptr(GError) error = NULL;
    gboolean ok;

    stream_pause(&run->stream, order % 5 == 0);
    g_assert_cmpint(run->io.want_read, ==, order % 5 != 0 && !run->stream.ended);
    run->io.room = order % 3 == 0 ? 0 : order;
    ok = stream_fill(&run->stream, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    take_messages(run);
    ok = stream_flush(&run->stream, &error);
    g_assert_no_error(error);
    g_assert_true(ok);
    g_assert_cmpint(run->io.want_write, ==, queue_length(&run->stream.queue) > 0);
    g_assert_cmpuint(run->charge.used, >=, queue_length(&run->stream.queue));
}

static void drain(Run *run)
{
    g_autoptr(GError) error = NULL;

    run->io.room = G_MAXSSIZE;
    g_assert_true(stream_flush(&run->stream, &error));
    g_assert_cmpmem(run->io.output->str, run->io.output->len, run->echoed->str, run->echoed->len);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    const QueueLimits queue_limits = {.low = 100, .high = 500, .hard = 3000};
    Run run = {.script = data + 1};

    if (size <= 1 + SCRIPT_BYTES)
        return 0;
    run.log = g_string_new(NULL);
    run.echoed = g_string_new(NULL);
    fake_io_init(&run.io);
    run.io.read_max = 1 + data[0] % 32;
    run.io.write_max = 1 + data[0] / 32;
    charge_init(&run.charge, NULL, G_MAXSIZE);
    stream_init(&run.stream, &fake_io_ops, &run.io, &fuzz_limits, &queue_limits, &run.charge);

    data += 1 + SCRIPT_BYTES;
    size -= 1 + SCRIPT_BYTES;
    fake_io_put(&run.io, (const char *)data, size);
    run.io.input_end = TRUE;
    while (!run.stream.ended)
        turn(&run);
    drain(&run);

    g_autofree char *expected = cut_nowhere(
        &scan_log_subject, &(ScanLogSetup){.limits = fuzz_limits}, (const char *)data, size);
    if (g_str_has_suffix(expected, "more\n"))
        expected[strlen(expected) - strlen("more\n")] = '\0';
    g_assert_cmpstr(run.log->str, ==, expected);
    stream_clear(&run.stream);
    charge_clear(&run.charge);
    fake_io_clear(&run.io);
    g_string_free(run.log, TRUE);
    g_string_free(run.echoed, TRUE);
    return 0;
}
