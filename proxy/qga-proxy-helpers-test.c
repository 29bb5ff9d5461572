/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The commands that are asked for often: what they ask of the guest, how they read what it returns,
 * honest or not, and that nothing stays open in it, whenever they end.
 */

#include "qga-proxy-fixture.h"

#include <string.h>

/* ---- Fixture --------------------------------------------------------------------------------- */

static void note_error(Embed *embed, const GError *error)
{
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        embed_tell(embed, "cancelled");
        return;
    }
    g_assert_true(error->domain == QGA_PROXY_ERROR);
    switch (error->code) {
    case QGA_PROXY_ERROR_COMMAND_FAILED: embed_tell(embed, "failed"); break;
    case QGA_PROXY_ERROR_REPLY: embed_tell(embed, "reply"); break;
    case QGA_PROXY_ERROR_LIMIT: embed_tell(embed, "limit"); break;
    case QGA_PROXY_ERROR_ARGUMENTS: embed_tell(embed, "arguments"); break;
    case QGA_PROXY_ERROR_NO_ANSWER: embed_tell(embed, "no-answer"); break;
    case QGA_PROXY_ERROR_STATE: embed_tell(embed, "state"); break;
    default: embed_tell(embed, "error-%d", error->code);
    }
}

static void note_bytes(Embed *embed, GBytes *bytes)
{
    g_autofree char *text =
        g_strndup(g_bytes_get_data(bytes, NULL), MIN(g_bytes_get_size(bytes), 8));

    embed_tell(embed, "%s/%" G_GSIZE_FORMAT, text ? text : "", g_bytes_get_size(bytes));
}

/* ---- Life ------------------------------------------------------------------------------------ */

static void on_ping(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (qga_proxy_ping_finish(QGA_PROXY(source), result, &error))
        embed_tell(data, "pong");
    else
        note_error(data, error);
}

static void test_ping(Embed *embed, gconstpointer unused)
{
    qga_proxy_ping_async(embed->proxy, NULL, on_ping, embed);
    embed_answer_agent(embed, "{\"execute\":\"guest-ping\"}", "{}");
    qga_proxy_ping_async(embed->proxy, NULL, on_ping, embed);
    embed_refuse_agent(embed, "{\"execute\":\"guest-ping\"}", "GenericError");
    embed_expect_told(embed, "pong failed");
}

static void on_info(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autofree char *version = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes =
        qga_proxy_get_info_finish(QGA_PROXY(source), result, &version, &error);

    g_assert_no_error(error);
    g_assert_nonnull(strstr(g_bytes_get_data(bytes, NULL), "supported_commands"));
    embed_tell(data, "%s", version);
}

static void test_info(Embed *embed, gconstpointer unused)
{
    qga_proxy_get_info_async(embed->proxy, NULL, on_info, embed);
    embed_settle(embed);
    embed_expect_told(embed, "7.2.22");
}

static void on_waited(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (qga_proxy_wait_ready_finish(QGA_PROXY(source), result, &error))
        embed_tell(data, "ready");
    else
        note_error(data, error);
}

static gboolean is_told(Embed *embed)
{
    return embed->told->len > 0;
}

/* Begun before there is anybody. */
static void test_wait_ready(Embed *embed, gconstpointer unused)
{
    qga_proxy_wait_ready_async(embed->proxy, 100, NULL, on_waited, embed);
    embed_settle(embed);
    embed_expect_told(embed, "");
    embed_start(embed);
    embed_settle(embed);
    qga_proxy_wait_ready_async(embed->proxy, 0, NULL, on_waited, embed);
    embed_settle(embed);
    embed_expect_told(embed, "ready ready");
    peer_close(&embed->agent);
    embed_settle(embed);
    qga_proxy_wait_ready_async(embed->proxy, 1, NULL, on_waited, embed);
    embed_wait(embed, is_told);
    embed_expect_told(embed, "failed");
}

/* ---- Freezes --------------------------------------------------------------------------------- */

static void on_frozen(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 count = qga_proxy_freeze_finish(QGA_PROXY(source), result, &error);

    if (error)
        note_error(data, error);
    embed_tell(data, "froze-%d", (int)count);
}

static void on_thawed(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    gint64 count = qga_proxy_thaw_finish(QGA_PROXY(source), result, &error);

    if (error)
        note_error(data, error);
    embed_tell(data, "thawed-%d", (int)count);
}

static void on_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    gboolean frozen = FALSE;

    g_assert_true(qga_proxy_get_frozen_finish(QGA_PROXY(source), result, &frozen, &error));
    g_assert_no_error(error);
    embed_tell(data, frozen ? "frozen" : "not-frozen");
}

static void test_freeze(Embed *embed, gconstpointer unused)
{
    static const char *const mountpoints[] = {"/", "/home \"x\"", NULL};

    qga_proxy_get_frozen_async(embed->proxy, NULL, on_asked, embed);
    embed_settle(embed);
    qga_proxy_freeze_async(embed->proxy, NULL, NULL, on_frozen, embed);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-freeze\"}", "3");
    embed->frozen = TRUE;
    qga_proxy_get_frozen_async(embed->proxy, NULL, on_asked, embed);
    embed_settle(embed);
    qga_proxy_thaw_async(embed->proxy, NULL, on_thawed, embed);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-thaw\"}", "3");
    embed->frozen = FALSE;
    qga_proxy_freeze_async(embed->proxy, mountpoints, NULL, on_frozen, embed);
    embed_answer_agent(embed,
                       "{\"execute\":\"guest-fsfreeze-freeze-list\",\"arguments\":"
                       "{\"mountpoints\":[\"/\",\"/home \\\"x\\\"\"]}}",
                       "2");
    embed_expect_told(embed, "not-frozen froze-3 frozen thawed-3 froze-2");
}

/* The agent thawed it by itself: whoever has frozen it is told. */
static void test_freeze_ended(Embed *embed, gconstpointer unused)
{
    qga_proxy_freeze_async(embed->proxy, NULL, NULL, on_frozen, embed);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-freeze\"}", "3");
    qga_proxy_get_frozen_async(embed->proxy, NULL, on_asked, embed);
    embed_settle(embed);
    qga_proxy_thaw_async(embed->proxy, NULL, on_thawed, embed);
    embed_settle(embed);
    embed_expect_told(embed, "froze-3 not-frozen failed thawed--1");
    embed_expect_nothing(embed);
}

/* ---- Programs -------------------------------------------------------------------------------- */

static void on_ended(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) out = NULL;
    g_autoptr(GBytes) err = NULL;
    gboolean truncated;
    int status, number;

    if (!qga_proxy_exec_finish(QGA_PROXY(source), result, &status, &number, &out, &err, &truncated,
                               &error)) {
        note_error(data, error);
        return;
    }
    embed_tell(data, "ended-%d-%d-%d", status, number, truncated);
    note_bytes(data, out);
    note_bytes(data, err);
}

static void run(Embed *embed, guint timeout_seconds, GCancellable *cancellable)
{
    static const char *const arguments[] = {"/bin/sh", "-c", "x", NULL};
    static const char *const environment[] = {"A=\"b\"", NULL};
    g_autoptr(GBytes) input = g_bytes_new_static("in", 2);

    qga_proxy_exec_async(embed->proxy, arguments, environment, input, timeout_seconds, cancellable,
                         on_ended, embed);
}

#define EXEC                                                                           \
    "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/sh\",\"arg\":[\"-c\"," \
    "\"x\"],\"env\":[\"A=\\\"b\\\"\"],\"input-data\":\"aW4=\",\"capture-output\":true}}"
#define EXEC_STATUS "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":7}}"

static void test_exec(Embed *embed, gconstpointer unused)
{
    run(embed, 0, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    for (guint i = 0; i < 3; i++)
        embed_answer_agent(embed, EXEC_STATUS, "{\"exited\": false}");
    embed_answer_agent(embed, EXEC_STATUS,
                       "{\"exited\": true, \"exitcode\": 3, \"out-data\": \"b3V0AHg=\", "
                       "\"err-truncated\": true}");
    embed_expect_told(embed, "ended-3-0-1 out/5 /0");
    run(embed, 0, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    embed_answer_agent(embed, EXEC_STATUS,
                       "{\"exited\": true, \"signal\": 9, \"err-data\": \"ZXJy\"}");
    embed_expect_told(embed, "ended--1-9-0 /0 err/3");
}

static void test_exec_fails(Embed *embed, gconstpointer unused)
{
    run(embed, 0, NULL);
    embed_refuse_agent(embed, EXEC, "GenericError");
    run(embed, 0, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": \"7\"}");
    run(embed, 0, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    embed_refuse_agent(embed, EXEC_STATUS, "GenericError");
    run(embed, 0, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    embed_answer_agent(embed, EXEC_STATUS, "[]");
    embed_expect_told(embed, "failed reply failed reply");
}

static void test_exec_too_long(Embed *embed, gconstpointer unused)
{
    run(embed, 1, NULL);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    while (embed->told->len == 0)
        embed_answer_agent(embed, EXEC_STATUS, "{\"exited\": false}");
    embed_expect_told(embed, "no-answer");
}

/* In the pause, too, and then nothing is asked any more. */
static void test_exec_cancelled(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    run(embed, 0, cancellable);
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    g_cancellable_cancel(cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "cancelled");
    embed_expect_nothing(embed);
}

/* ---- Files ----------------------------------------------------------------------------------- */

#define OPEN(mode)                                                                               \
    "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"/a \\\"b\\\"\",\"mode\":\"" mode \
    "\"}}"
#define READ  "{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":5,\"count\":387072}}"
#define CLOSE "{\"execute\":\"guest-file-close\",\"arguments\":{\"handle\":5}}"
#define WRITE(text) \
    "{\"execute\":\"guest-file-write\",\"arguments\":{\"handle\":5,\"buf-b64\":\"" text "\"}}"

static void on_read(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = qga_proxy_read_file_finish(QGA_PROXY(source), result, &error);

    if (bytes)
        note_bytes(data, bytes);
    else
        note_error(data, error);
}

static void on_written(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GError) error = NULL;

    if (qga_proxy_write_file_finish(QGA_PROXY(source), result, &error))
        embed_tell(data, "written");
    else
        note_error(data, error);
}

static void start_reading(Embed *embed, GCancellable *cancellable)
{
    qga_proxy_read_file_async(embed->proxy, "/a \"b\"", 6, cancellable, on_read, embed);
    embed_answer_agent(embed, OPEN("r"), "5");
}

static void start_writing(Embed *embed, const char *text, GCancellable *cancellable)
{
    g_autoptr(GBytes) contents = g_bytes_new(text, strlen(text));

    qga_proxy_write_file_async(embed->proxy, "/a \"b\"", contents, cancellable, on_written, embed);
    embed_answer_agent(embed, OPEN("w"), "5");
}

static void test_read(Embed *embed, gconstpointer unused)
{
    start_reading(embed, NULL);
    embed_answer_agent(embed, READ, "{\"count\": 3, \"buf-b64\": \"YWJj\", \"eof\": false}");
    embed_answer_agent(embed, READ, "{\"count\": 3, \"buf-b64\": \"ZGVm\", \"eof\": true}");
    embed_expect_told(embed, "");
    embed_answer_agent(embed, CLOSE, "{}");
    embed_expect_told(embed, "abcdef/6");
    start_reading(embed, NULL);
    embed_answer_agent(embed, READ, "{\"count\": 0, \"buf-b64\": \"\", \"eof\": true}");
    embed_answer_agent(embed, CLOSE, "{}");
    embed_expect_told(embed, "/0");
}

/* It is closed all the same, and the first failure is the one that is told. */
static void test_read_fails(Embed *embed, gconstpointer unused)
{
    static const struct {
        const char *answer; /* (nullable): NULL for an error */
        const char *told;
    } cases[] = {
        {NULL, "failed"},
        {"{\"count\": 7, \"buf-b64\": \"YWJjZGVmZw==\", \"eof\": true}", "limit"},
        {"{\"count\": 3}", "reply"},
        {"7", "reply"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        start_reading(embed, NULL);
        if (cases[i].answer)
            embed_answer_agent(embed, READ, cases[i].answer);
        else
            embed_refuse_agent(embed, READ, "GenericError");
        embed_expect_told(embed, "");
        embed_refuse_agent(embed, CLOSE, "CommandNotFound");
        embed_expect_told(embed, cases[i].told);
    }
    qga_proxy_read_file_async(embed->proxy, "/a \"b\"", 6, NULL, on_read, embed);
    embed_refuse_agent(embed, OPEN("r"), "GenericError");
    embed_expect_told(embed, "failed");
    qga_proxy_read_file_async(embed->proxy, "\xff", 6, NULL, on_read, embed);
    embed_settle(embed);
    embed_expect_told(embed, "arguments");
}

/* An agent that writes less is given the rest. */
static void test_write(Embed *embed, gconstpointer unused)
{
    start_writing(embed, "abcdef", NULL);
    embed_answer_agent(embed, WRITE("YWJjZGVm"), "{\"count\": 2, \"eof\": false}");
    embed_answer_agent(embed, WRITE("Y2RlZg=="), "{\"count\": 4, \"eof\": false}");
    embed_expect_told(embed, "");
    embed_answer_agent(embed, CLOSE, "{}");
    embed_expect_told(embed, "written");
    start_writing(embed, "", NULL);
    embed_answer_agent(embed, CLOSE, "{}");
    embed_expect_told(embed, "written");
}

static void test_write_fails(Embed *embed, gconstpointer unused)
{
    static const char *const answers[] = {"{\"count\": 0}", "{\"count\": 7}", "{\"count\": -1}",
                                          "{}"};

    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        start_writing(embed, "abcdef", NULL);
        embed_answer_agent(embed, WRITE("YWJjZGVm"), answers[i]);
        embed_answer_agent(embed, CLOSE, "{}");
        embed_expect_told(embed, "reply");
    }
    /* what was written is written only once it is closed */
    start_writing(embed, "abcdef", NULL);
    embed_answer_agent(embed, WRITE("YWJjZGVm"), "{\"count\": 6}");
    embed_refuse_agent(embed, CLOSE, "GenericError");
    embed_expect_told(embed, "failed");
}

/* Whoever has cancelled is told at once; what was opened, or may be, is closed. */
static void test_file_cancelled(Embed *embed, gconstpointer unused)
{
    for (guint at = 0; at < 3; at++) {
        g_autoptr(GCancellable) cancellable = g_cancellable_new();
        g_autoptr(GBytes) contents = g_bytes_new_static("abcdef", 6);
        g_autofree char *id = NULL;
        g_autofree char *answer = NULL;

        qga_proxy_write_file_async(embed->proxy, "/a \"b\"", contents, cancellable, on_written,
                                   embed);
        if (at > 0)
            embed_answer_agent(embed, OPEN("w"), "5");
        if (at > 1)
            embed_answer_agent(embed, WRITE("YWJjZGVm"), "{\"count\": 3}");
        embed_settle(embed);
        id = embed_expect_agent(embed, at == 0   ? OPEN("w")
                                       : at == 1 ? WRITE("YWJjZGVm")
                                                 : WRITE("ZGVm"));
        g_cancellable_cancel(cancellable);
        embed_settle(embed);
        embed_expect_told(embed, "cancelled");
        answer =
            g_strdup_printf("{\"return\": %s, \"id\": %s}\n", at == 0 ? "5" : "{\"count\": 3}", id);
        peer_send(&embed->agent, answer);
        embed_answer_agent(embed, CLOSE, "{}");
        embed_expect_told(embed, "");
        embed_expect_nothing(embed);
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

/* Each is told, once, when the proxy is stopped under it. */
static void test_stopped(Embed *embed, gconstpointer unused)
{
    g_autoptr(GBytes) contents = g_bytes_new_static("abcdef", 6);

    qga_proxy_ping_async(embed->proxy, NULL, on_ping, embed);
    run(embed, 0, NULL);
    qga_proxy_read_file_async(embed->proxy, "/a", 6, NULL, on_read, embed);
    qga_proxy_write_file_async(embed->proxy, "/a", contents, NULL, on_written, embed);
    embed_answer_agent(embed, "{\"execute\":\"guest-ping\"}", "{}");
    embed_answer_agent(embed, EXEC, "{\"pid\": 7}");
    {
        g_autofree char *id = g_queue_pop_head(&embed->for_agent);

        g_assert_nonnull(strstr(id, "guest-file-open"));
    }
    embed_expect_told(embed, "pong");
    qga_proxy_stop(embed->proxy);
    while (embed->told->len < 3)
        g_main_context_iteration(embed->context, TRUE);
    g_ptr_array_set_size(embed->told, 0);
    embed_settle(embed);
}

int main(int argc, char **argv)
{
#define ADD(path, test) \
    g_test_add("/qga-proxy-helpers/" path, Embed, NULL, embed_set_up_met, test, embed_tear_down)
    g_test_init(&argc, &argv, NULL);
    ADD("ping", test_ping);
    ADD("info", test_info);
    g_test_add("/qga-proxy-helpers/wait-ready", Embed, NULL, embed_set_up, test_wait_ready,
               embed_tear_down);
    ADD("freeze", test_freeze);
    ADD("freeze-ended", test_freeze_ended);
    ADD("exec", test_exec);
    ADD("exec-fails", test_exec_fails);
    ADD("exec-too-long", test_exec_too_long);
    ADD("exec-cancelled", test_exec_cancelled);
    ADD("read", test_read);
    ADD("read-fails", test_read_fails);
    ADD("write", test_write);
    ADD("write-fails", test_write_fails);
    ADD("file-cancelled", test_file_cancelled);
    ADD("stopped", test_stopped);
    return g_test_run();
}
