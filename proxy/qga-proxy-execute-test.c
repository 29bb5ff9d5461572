/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Commands of the embedder's own: that they take the way of their lane and come back once, in a
 * turn of their own, as what they are; and that nothing but their cancellation follows that.
 */

#include "qga-proxy-fixture.h"

#include <string.h>

/* ---- Fixture --------------------------------------------------------------------------------- */

static void note(Embed *embed, const GError *error)
{
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        embed_tell(embed, "cancelled");
        return;
    }
    g_assert_true(error->domain == QGA_PROXY_ERROR);
    embed_tell(embed, "error-%d", error->code);
    g_test_message("%s", error->message);
}

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    Embed *embed = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, &error);
    const char *text;

    if (!bytes) {
        note(embed, error);
        return;
    }
    text = g_bytes_get_data(bytes, NULL);
    g_assert_cmpuint(strlen(text), ==, g_bytes_get_size(bytes));
    embed_tell(embed, "%s", text);
}

static void ask(Embed *embed, const char *command, const char *arguments, GCancellable *cancellable)
{
    qga_proxy_execute_async(embed->proxy, command, arguments, 0, QGA_PROXY_EXECUTE_NONE,
                            cancellable, on_done, embed);
}

/* The code as on_done() notes it. */
static void expect_error(Embed *embed, QgaProxyError code)
{
    g_autofree char *text = g_strdup_printf("error-%d", code);

    embed_expect_told(embed, text);
}

/* ---- Lanes ----------------------------------------------------------------------------------- */

static void test_qemu(Embed *embed, gconstpointer unused)
{
    ask(embed, "query-name", NULL, NULL);
    embed_answer_qemu(embed, "{\"execute\":\"query-name\"}", "{\"return\": {\"name\": \"a\"}}");
    embed_expect_told(embed, "{\"name\": \"a\"}");
    ask(embed, "stop-x", "{\"a\": [1, 2]}", NULL);
    embed_answer_qemu(embed, "{\"execute\":\"stop-x\",\"arguments\":{\"a\":[1,2]}}",
                      "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no\"}}");
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_FAILED);
    ask(embed, "stop-x", NULL, NULL);
    embed_answer_qemu(embed, "{\"execute\":\"stop-x\"}",
                      "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}");
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_NOT_FOUND);
}

static void test_agent(Embed *embed, gconstpointer unused)
{
    ask(embed, "guest-x", "{\"a\": 1}", NULL);
    g_assert_cmpuint(embed->told->len, ==, 0);
    embed_answer_agent(embed, "{\"execute\":\"guest-x\",\"arguments\":{\"a\":1}}", "[\"v\"]");
    embed_expect_told(embed, "[\"v\"]");
    ask(embed, "guest-x", NULL, NULL);
    embed_refuse_agent(embed, "{\"execute\":\"guest-x\"}", "GenericError");
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_FAILED);
    ask(embed, "guest-x", NULL, NULL);
    embed_refuse_agent(embed, "{\"execute\":\"guest-x\"}", "CommandNotFound");
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_NOT_FOUND);
}

static void test_own(Embed *embed, gconstpointer unused)
{
    ask(embed, "qga-proxy-status", NULL, NULL);
    embed_settle(embed);
    g_assert_cmpuint(embed->told->len, ==, 1);
    g_assert_nonnull(strstr(embed->told->pdata[0], "\"clients\": 0"));
    g_ptr_array_set_size(embed->told, 0);
    ask(embed, "qga-proxy-x", NULL, NULL);
    ask(embed, "qga-proxy-freeze-renew", NULL, NULL);
    ask(embed, "qga-proxy-session-set", "{\"timeout\": 1}", NULL);
    embed_settle(embed);
    embed_expect_told(embed, "error-7 error-8 error-8");
}

/* The agent's commands are among them, as for a client; the next one is not asked of QEMU. */
static void test_merged(Embed *embed, gconstpointer unused)
{
    for (guint i = 0; i < 2; i++) {
        ask(embed, "query-commands", NULL, NULL);
        if (i == 0)
            embed_answer_qemu(embed, "{\"execute\":\"query-commands\"}",
                              "{\"return\": [{\"name\": \"stop\"}]}");
        embed_settle(embed);
        g_assert_cmpuint(embed->told->len, ==, 1);
        g_assert_nonnull(strstr(embed->told->pdata[0], "{\"name\": \"stop\"}"));
        g_assert_nonnull(strstr(embed->told->pdata[0], "{\"name\": \"guest-ping\"}"));
        g_ptr_array_set_size(embed->told, 0);
    }
    embed_expect_nothing(embed);
}

static void on_node(GObject *source, GAsyncResult *result, gpointer data)
{
    Embed *embed = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) node = qga_proxy_execute_finish_node(QGA_PROXY(source), result, &error);

    if (node)
        embed_tell(embed, "%" G_GINT64_FORMAT, json_node_get_int(node));
    else
        note(embed, error);
}

static void ask_for_node(Embed *embed, const char *reply)
{
    qga_proxy_execute_async(embed->proxy, "x", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL, on_node,
                            embed);
    embed_answer_qemu(embed, "{\"execute\":\"x\"}", reply);
}

static void test_node(Embed *embed, gconstpointer unused)
{
    g_autofree char *blanks = g_strnfill(1024 * 1024, 'x');
    g_autofree char *large = g_strdup_printf("{\"return\": \"%s\"}", blanks);

    ask_for_node(embed, "{\"return\": 17}");
    embed_expect_told(embed, "17");
    ask_for_node(embed, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}");
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_FAILED);
    qga_proxy_execute_async(embed->proxy, "x", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL, on_node,
                            embed);
    embed_expect_qemu(embed, "{\"execute\":\"x\"}");
    for (gsize at = 0, len = strlen(large); at < len; embed_settle(embed))
        at += peer_offer(&embed->qemu, large + at, len - at);
    peer_send(&embed->qemu, "\r\n");
    embed_settle(embed);
    expect_error(embed, QGA_PROXY_ERROR_LIMIT);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void test_not_sent(Embed *embed, gconstpointer unused)
{
    ask(embed, "query-name", NULL, NULL);
    ask(embed, "guest-ping", NULL, NULL);
    g_assert_cmpuint(embed->told->len, ==, 0); /* never from within */
    embed_settle(embed);
    embed_expect_told(embed, "error-9 error-9");
    qga_proxy_stop(embed->proxy);
    ask(embed, "query-name", NULL, NULL);
    embed_settle(embed);
    expect_error(embed, QGA_PROXY_ERROR_STATE);
}

static void test_bad_arguments(Embed *embed, gconstpointer unused)
{
    static const char *const cases[] = {
        "",   "[]", "1", "{\"a\": 1", "{\"a\": 1}, \"id\": {}", "{} {}", "{\"a\": 1, \"a\": 2}",
        "{'", "x",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        ask(embed, "guest-x", cases[i], NULL);
        embed_settle(embed);
        expect_error(embed, QGA_PROXY_ERROR_ARGUMENTS);
    }
    embed_expect_nothing(embed);
}

/* The channel was lost behind it. */
static void test_no_answer(Embed *embed, gconstpointer unused)
{
    g_autofree char *id = NULL;

    ask(embed, "guest-x", NULL, NULL);
    id = embed_expect_agent(embed, "{\"execute\":\"guest-x\"}");
    peer_close(&embed->agent);
    embed_settle(embed);
    expect_error(embed, QGA_PROXY_ERROR_NO_ANSWER);
}

static gboolean is_told(Embed *embed)
{
    return embed->told->len > 0;
}

/* QEMU has no time limits of its own; whoever waits has. What comes late is nobody's. */
static void test_time_limit(Embed *embed, gconstpointer unused)
{
    qga_proxy_execute_async(embed->proxy, "query-slow", NULL, 1, QGA_PROXY_EXECUTE_NONE, NULL,
                            on_done, embed);
    embed_wait(embed, is_told);
    expect_error(embed, QGA_PROXY_ERROR_NO_ANSWER);
    ask(embed, "query-name", NULL, NULL);
    embed_settle(embed);
    peer_send(&embed->qemu, "{\"return\": \"slow\"}\r\n{\"return\": \"name\"}\r\n");
    embed_settle(embed);
    embed_expect_told(embed, "\"name\"");
}

static void test_agents_time_limit(Embed *embed, gconstpointer unused)
{
    qga_proxy_execute_async(embed->proxy, "guest-slow", NULL, 1, QGA_PROXY_EXECUTE_NONE, NULL,
                            on_done, embed);
    embed_wait(embed, is_told);
    expect_error(embed, QGA_PROXY_ERROR_NO_ANSWER);
}

/* What is under way when it ends is answered, though nobody turns to the core any more. */
static void test_stopped(Embed *embed, gconstpointer unused)
{
    ask(embed, "query-name", NULL, NULL);
    ask(embed, "guest-x", NULL, NULL);
    ask(embed, "guest-y", NULL, NULL);
    ask(embed, "qga-proxy-wait-agent", "{\"states\": [\"gone\"], \"timeout\": 100}", NULL);
    embed_settle(embed);
    qga_proxy_stop(embed->proxy);
    g_assert_cmpuint(embed->told->len, ==, 0);
    embed_settle(embed);
    g_assert_cmpuint(embed->told->len, ==, 4);
    g_ptr_array_set_size(embed->told, 0);
}

/* ---- Cancellation ---------------------------------------------------------------------------- */

static void test_cancelled_before(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    g_cancellable_cancel(cancellable);
    ask(embed, "query-name", NULL, cancellable);
    ask(embed, "guest-x", NULL, cancellable);
    embed_expect_nothing(embed);
    embed_expect_told(embed, "cancelled cancelled");
}

/* One that waits is never sent, one that was sent has its answer dropped, and neither stands in the
 * way of the next. */
static void test_cancelled(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autofree char *id = NULL;
    g_autofree char *late = NULL;

    ask(embed, "guest-x", NULL, cancellable);
    ask(embed, "guest-y", NULL, cancellable);
    ask(embed, "guest-z", NULL, NULL);
    id = embed_expect_agent(embed, "{\"execute\":\"guest-x\"}");
    g_cancellable_cancel(cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "cancelled cancelled");
    late = g_strdup_printf("{\"return\": \"x\", \"id\": %s}\n", id);
    peer_send(&embed->agent, late);
    embed_answer_agent(embed, "{\"execute\":\"guest-z\"}", "\"z\"");
    embed_expect_told(embed, "\"z\"");
    embed_expect_nothing(embed);
}

static void test_cancelled_in_qemu(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    ask(embed, "query-x", NULL, cancellable);
    ask(embed, "query-y", NULL, NULL);
    embed_settle(embed);
    g_cancellable_cancel(cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "cancelled");
    peer_send(&embed->qemu, "{\"return\": \"x\"}\r\n{\"return\": \"y\"}\r\n");
    embed_settle(embed);
    embed_expect_told(embed, "\"y\"");
}

static void test_cancelled_wait(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    ask(embed, "qga-proxy-wait-agent", "{\"states\": [\"gone\"], \"timeout\": 100}", cancellable);
    embed_settle(embed);
    g_cancellable_cancel(cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "cancelled");
}

static void cancel_in(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, NULL);

    g_cancellable_cancel(data);
}

/* Answered already, but not yet told. */
static void test_cancelled_late(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    qga_proxy_execute_async(embed->proxy, "qga-proxy-status", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                            cancel_in, cancellable);
    ask(embed, "qga-proxy-status", NULL, cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "cancelled");
}

static gpointer cancel_elsewhere(gpointer data)
{
    g_cancellable_cancel(data);
    return NULL;
}

static void test_cancelled_elsewhere(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    ask(embed, "guest-x", NULL, cancellable);
    embed_settle(embed);
    g_thread_join(g_thread_new("cancel", cancel_elsewhere, cancellable));
    g_assert_cmpuint(embed->told->len, ==, 0);
    embed_wait(embed, is_told);
    embed_expect_told(embed, "cancelled");
}

/* ---- Order and owners ------------------------------------------------------------------------ */

/* In front of what waits, behind what was put there before and behind a thaw. */
static void test_ahead(Embed *embed, gconstpointer unused)
{
    static const char *const order[] = {"guest-first", "guest-fsfreeze-thaw", "guest-ahead-1",
                                        "guest-ahead-2", "guest-second"};

    ask(embed, "guest-first", NULL, NULL);
    ask(embed, "guest-second", NULL, NULL);
    for (guint i = 1; i <= 2; i++) {
        g_autofree char *name = g_strdup_printf("guest-ahead-%u", i);

        qga_proxy_execute_async(embed->proxy, name, NULL, 0, QGA_PROXY_EXECUTE_AHEAD, NULL, on_done,
                                embed);
    }
    ask(embed, "guest-fsfreeze-thaw", NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
        g_autofree char *command = g_strdup_printf("{\"execute\":\"%s\"}", order[i]);

        embed_answer_agent(embed, command, "0");
    }
    embed_expect_told(embed, "0 0 0 0 0");
}

/* A client is told by whom. */
static void test_freeze_owner(Embed *embed, gconstpointer unused)
{
    g_autofree char *status = NULL;

    ask(embed, "guest-fsfreeze-freeze", NULL, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-freeze\"}", "2");
    embed_expect_told(embed, "2");
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_nonnull(strstr(status, "\"by\": \"the-embedder\""));
    ask(embed, "guest-file-open", NULL, NULL); /* an agent that is frozen refuses it */
    embed_settle(embed);
    expect_error(embed, QGA_PROXY_ERROR_COMMAND_NOT_FOUND);
    ask(embed, "guest-fsfreeze-thaw", NULL, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-thaw\"}", "2");
    embed_expect_told(embed, "2");
}

/* Whoever has asked is not there any more: the answer is dropped, and the next one is another's. */
static void test_successor(Embed *embed, gconstpointer unused)
{
    g_autoptr(GUnixFDList) descriptors = g_unix_fd_list_new();
    g_autoptr(GVariant) state = NULL;
    g_autoptr(QgaProxy) former = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *id = NULL;
    g_autofree char *answer = NULL;

    embed_start(embed);
    ask(embed, "guest-x", NULL, NULL);
    ask(embed, "guest-waits", NULL, NULL);
    ask(embed, "query-x", NULL, NULL);
    id = embed_expect_agent(embed, "{\"execute\":\"guest-x\"}");
    embed_expect_qemu(embed, "{\"execute\":\"query-x\"}");
    state = qga_proxy_save(embed->proxy, descriptors, &error);
    g_assert_no_error(error);
    former = g_steal_pointer(&embed->proxy);
    embed->proxy = qga_proxy_new_successor(embed->monitor_address, embed->channel_address, state,
                                           descriptors, &error);
    g_assert_no_error(error);
    g_clear_object(&descriptors);
    qga_proxy_stop(former); /* it is in the same process, and has no paths */
    qga_proxy_start(embed->proxy);
    embed_settle(embed);
    embed_expect_told(embed, "error-10 error-10 error-9");
    answer = g_strdup_printf("{\"return\": \"x\", \"id\": %s}\n", id);
    peer_send(&embed->agent, answer);
    peer_send(&embed->qemu, "{\"return\": \"x\"}\r\n");
    ask(embed, "guest-y", NULL, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-y\"}", "\"y\"");
    ask(embed, "query-y", NULL, NULL);
    embed_answer_qemu(embed, "{\"execute\":\"query-y\"}", "{\"return\": \"z\"}");
    embed_expect_told(embed, "\"y\" \"z\"");
}

static void test_lasts(Embed *embed, gconstpointer unused)
{
    GWeakRef weak;

    ask(embed, "guest-x", NULL, NULL);
    g_weak_ref_init(&weak, embed->proxy);
    g_object_unref(g_steal_pointer(&embed->proxy));
    embed_answer_agent(embed, "{\"execute\":\"guest-x\"}", "1");
    embed_expect_told(embed, "1");
    g_assert_null(g_weak_ref_get(&weak));
    g_weak_ref_clear(&weak);
}

int main(int argc, char **argv)
{
#define ADD(path, test) \
    g_test_add("/qga-proxy-execute/" path, Embed, NULL, embed_set_up_met, test, embed_tear_down)
    g_test_init(&argc, &argv, NULL);
    g_set_prgname("the-embedder");
    ADD("qemu", test_qemu);
    ADD("agent", test_agent);
    ADD("own", test_own);
    ADD("merged", test_merged);
    ADD("node", test_node);
    g_test_add("/qga-proxy-execute/not-sent", Embed, NULL, embed_set_up, test_not_sent,
               embed_tear_down);
    ADD("bad-arguments", test_bad_arguments);
    ADD("no-answer", test_no_answer);
    ADD("time-limit", test_time_limit);
    ADD("agents-time-limit", test_agents_time_limit);
    ADD("stopped", test_stopped);
    ADD("cancelled-before", test_cancelled_before);
    ADD("cancelled", test_cancelled);
    ADD("cancelled-in-qemu", test_cancelled_in_qemu);
    ADD("cancelled-wait", test_cancelled_wait);
    ADD("cancelled-late", test_cancelled_late);
    ADD("cancelled-elsewhere", test_cancelled_elsewhere);
    ADD("ahead", test_ahead);
    ADD("freeze-owner", test_freeze_owner);
    g_test_add("/qga-proxy-execute/successor", Embed, NULL, embed_set_up, test_successor,
               embed_tear_down);
    ADD("lasts", test_lasts);
    return g_test_run();
}
