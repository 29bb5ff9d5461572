/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What an embedder may do from within whatever it is called with: stop the proxy, drop its last
 * reference, run the main loop, ask for something else. And what it may not: call in another thread
 * than the one that runs the proxy's context, which is caught.
 */

#include "qga-proxy-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/sockets.h"

/* ---- What is done from within ---------------------------------------------------------------- */

static void do_stop(Embed *embed)
{
    qga_proxy_stop(embed->proxy);
}

static void do_drop(Embed *embed)
{
    g_clear_object(&embed->proxy);
}

static void do_stop_and_drop(Embed *embed)
{
    QgaProxy *proxy = g_steal_pointer(&embed->proxy);

    qga_proxy_stop(proxy);
    g_object_unref(proxy);
}

static void do_turn(Embed *embed)
{
    while (g_main_context_iteration(embed->context, FALSE))
        ;
}

static void do_stop_and_turn(Embed *embed)
{
    qga_proxy_stop(embed->proxy);
    do_turn(embed);
}

static void do_drop_and_turn(Embed *embed)
{
    g_clear_object(&embed->proxy);
    do_turn(embed);
}

static void on_asked(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, NULL);
}

static void do_ask(Embed *embed)
{
    static const char *const commands[] = {"query-name", "guest-x", "qga-proxy-status"};

    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        qga_proxy_execute_async(embed->proxy, commands[i], NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                                on_asked, NULL);
}

static void do_ask_and_drop(Embed *embed)
{
    do_ask(embed);
    g_clear_object(&embed->proxy);
}

static void do_replace(Embed *embed)
{
    qga_proxy_set_gate(embed->proxy, NULL, NULL, NULL);
    qga_proxy_set_audit(embed->proxy, NULL, NULL, NULL);
}

static const struct {
    const char *name;
    void (*act)(Embed *embed);
} acts[] = {
    {"stop", do_stop},
    {"drop", do_drop},
    {"stop-and-drop", do_stop_and_drop},
    {"turn", do_turn},
    {"stop-and-turn", do_stop_and_turn},
    {"drop-and-turn", do_drop_and_turn},
    {"ask", do_ask},
    {"ask-and-drop", do_ask_and_drop},
    {"replace", do_replace},
};

/* The one of the test; done once. */
static void (*act)(Embed *embed);

static void act_once(Embed *embed)
{
    void (*once)(Embed * embed) = act;

    act = NULL;
    embed_tell(embed, "called");
    if (once)
        once(embed);
}

/* ---- From within what ------------------------------------------------------------------------ */

static gboolean gate(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                     const char *command, const char *arguments, gpointer data, GError **error)
{
    act_once(data);
    return TRUE;
}

static void send_commands(Embed *embed)
{
    Peer client;

    embed_connect(embed, &client);
    embed_send(embed, &client,
               "{\"execute\":\"qga-proxy-status\"}{\"execute\":\"query-x\"}"
               "{\"execute\":\"guest-x\"}{\"execute\":\"qga-proxy-status\"}");
    peer_clear(&client);
}

static void in_gate(Embed *embed)
{
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    send_commands(embed);
}

/* Where a client's next command is taken because its last was answered, deep within the core. */
static void in_gate_behind_an_answer(Embed *embed)
{
    g_autofree char *id = NULL;
    Peer client;

    embed_connect(embed, &client);
    embed_send(embed, &client,
               "{\"execute\":\"qga-proxy-wait-agent\",\"arguments\":{\"states\":[\"frozen\"]}}"
               "{\"execute\":\"qga-proxy-status\"}");
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    qga_proxy_execute_async(embed->proxy, "guest-fsfreeze-freeze", NULL, 0, QGA_PROXY_EXECUTE_NONE,
                            NULL, on_asked, NULL);
    embed_answer_agent(embed, "{\"execute\":\"guest-fsfreeze-freeze\"}", "1");
    peer_clear(&client);
}

static void audit(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                  const char *command, const char *error_class, const char *error_text,
                  gint64 microseconds, gpointer data)
{
    act_once(data);
}

static void in_audit(Embed *embed)
{
    qga_proxy_set_audit(embed->proxy, audit, embed, NULL);
    send_commands(embed);
}

static void on_event(QgaProxy *self, const char *name, const char *data, gint64 timestamp,
                     Embed *embed)
{
    act_once(embed);
}

static void in_event(Embed *embed)
{
    g_signal_connect(embed->proxy, "event", G_CALLBACK(on_event), embed);
    for (guint i = 0; i < 3; i++)
        peer_send(&embed->qemu, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                                "\"event\": \"NIC_X\"}\r\n");
    embed_settle(embed);
}

static void on_notify(QgaProxy *self, GParamSpec *pspec, Embed *embed)
{
    act_once(embed);
}

static void in_notify(Embed *embed)
{
    g_signal_connect(embed->proxy, "notify", G_CALLBACK(on_notify), embed);
    peer_close(&embed->agent);
    embed_settle(embed);
}

static void on_answered(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, NULL);

    act_once(data);
}

static void in_answer(Embed *embed)
{
    for (guint i = 0; i < 3; i++)
        qga_proxy_execute_async(embed->proxy, "query-name", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                                on_answered, embed);
    embed_settle(embed);
    peer_send(&embed->qemu, "{\"return\": 1}\r\n");
    embed_settle(embed);
    if (!embed->qemu.ended)
        peer_send(&embed->qemu, "{\"return\": 2}\r\n{\"return\": 3}\r\n");
    embed_settle(embed);
}

static void on_closed(QgaProxy *self, Embed *embed)
{
    act_once(embed);
}

static void in_closed(Embed *embed)
{
    g_signal_connect(embed->proxy, "closed", G_CALLBACK(on_closed), embed);
    embed_close_qemu(embed);
    embed_settle(embed);
}

static void on_connection(int fd, const char *peer, gpointer data)
{
    close(fd);
    act_once(data);
}

static void in_service(Embed *embed)
{
    g_autofree char *path = g_build_filename(embed->folder, "service", NULL);
    g_autofree char *address = g_strconcat("unix:", path, NULL);
    int fds[2];

    g_assert_true(qga_proxy_add_service(embed->proxy, address, on_connection, embed, NULL, NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = sockets_connect_unix(path);
    embed_settle(embed);
    for (gsize i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
}

static void on_destroyed(gpointer data)
{
    act_once(data);
}

static void in_destroy(Embed *embed)
{
    g_autofree char *path = g_build_filename(embed->folder, "service", NULL);
    g_autofree char *address = g_strconcat("unix:", path, NULL);

    g_assert_true(
        qga_proxy_add_service(embed->proxy, address, on_connection, embed, on_destroyed, NULL));
    qga_proxy_stop(embed->proxy);
    embed_settle(embed);
}

static void in_gates_destroy(Embed *embed)
{
    qga_proxy_set_gate(embed->proxy, gate, embed, on_destroyed);
    qga_proxy_set_gate(embed->proxy, NULL, NULL, NULL);
    embed_settle(embed);
}

static const struct {
    const char *name;
    void (*bring_about)(Embed *embed);
} places[] = {
    {"gate", in_gate},       {"gate-behind-an-answer", in_gate_behind_an_answer},
    {"audit", in_audit},     {"event", in_event},
    {"notify", in_notify},   {"answer", in_answer},
    {"closed", in_closed},   {"service", in_service},
    {"destroy", in_destroy}, {"gates-destroy", in_gates_destroy},
};

/* Nothing is left behind, and nothing is used that is gone: that is up to the fixture, and to the
 * sanitizers. */
static void test_within(Embed *embed, gconstpointer data)
{
    gsize number = GPOINTER_TO_SIZE(data);

    act = acts[number % G_N_ELEMENTS(acts)].act;
    places[number / G_N_ELEMENTS(acts)].bring_about(embed);
    embed_settle(embed);
    g_assert_cmpuint(embed->told->len, >, 0);
    g_assert_null(act);
    if (embed->proxy)
        qga_proxy_stop(embed->proxy);
    else if (acts[number % G_N_ELEMENTS(acts)].act == do_ask_and_drop)
        embed_close_qemu(embed); /* it stays until that is answered */
    embed_expect_end(embed);
}

/* ---- What it means there --------------------------------------------------------------------- */

/* Nobody is asked again, and the client is answered. */
static void test_stopped_in_gate(Embed *embed, gconstpointer unused)
{
    g_autofree char *status = NULL;
    Peer client;

    embed_connect(embed, &client);
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    act = do_stop;
    embed_send(embed, &client, "{\"execute\":\"query-x\",\"id\":1}{\"execute\":\"query-x\"}");
    embed_expect_told(embed, "called");
    peer_expect_next(&client,
                     "{\"id\": 1, \"error\": {\"class\": \"GenericError\", "
                     "\"desc\": \"The proxy ended\"}}\r\n",
                     NULL);
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_cmpstr(status, ==, "{}");
    peer_clear(&client);
    embed_expect_nothing(embed);
}

static void note_event(QgaProxy *self, const char *name, const char *data, gint64 timestamp,
                       Embed *embed)
{
    embed_tell(embed, "%s", name);
}

/* A handler that waits for something has it, though it is not over itself. */
static void wait_in_event(QgaProxy *self, const char *name, const char *data, gint64 timestamp,
                          Embed *embed)
{
    if (!g_str_equal(name, "NIC_X"))
        return;
    qga_proxy_execute_async(self, "qga-proxy-status", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                            on_answered, embed);
    while (embed->told->len < 3)
        g_main_context_iteration(embed->context, TRUE);
    embed_tell(embed, "done");
}

static void test_nested_wait(Embed *embed, gconstpointer unused)
{
    g_signal_connect(embed->proxy, "event", G_CALLBACK(note_event), embed);
    g_signal_connect(embed->proxy, "event", G_CALLBACK(wait_in_event), embed);
    act = NULL;
    peer_send(&embed->qemu, "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                            "\"event\": \"NIC_X\"}\r\n"
                            "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, "
                            "\"event\": \"NIC_Y\"}\r\n");
    embed_settle(embed);
    embed_expect_told(embed, "NIC_X NIC_Y called done");
}

/* ---- Threads --------------------------------------------------------------------------------- */

static guint criticals; /* of the right kind; any other ends the test */

static GLogWriterOutput write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                  gpointer unused)
{
    for (gsize i = 0; i < n_fields; i++)
        if (g_str_equal(fields[i].key, "MESSAGE") && (level & G_LOG_LEVEL_CRITICAL) &&
            strstr(fields[i].value, "called in another thread")) {
            criticals++;
            return G_LOG_WRITER_HANDLED;
        }
    return g_log_writer_default(level, fields, n_fields, NULL);
}

static gpointer call_elsewhere(gpointer data)
{
    Embed *embed = data;
    g_autofree char *status = NULL;
    g_autoptr(GError) error = NULL;

    qga_proxy_stop(embed->proxy);
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_null(status);
    g_assert_false(qga_proxy_add_listener(embed->proxy, embed->socket_address, &error));
    g_assert_no_error(error);
    qga_proxy_set_gate(embed->proxy, NULL, NULL, NULL);
    qga_proxy_execute_async(embed->proxy, "query-name", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                            on_asked, NULL);
    g_assert_cmpuint(criticals, ==, 5);
    return NULL;
}

static void test_thread(Embed *embed, gconstpointer unused)
{
    g_autofree char *status = NULL;

    criticals = 0;
    g_thread_join(g_thread_new("elsewhere", call_elsewhere, embed));
    status = qga_proxy_dup_status(embed->proxy);
    g_assert_cmpstr(status, !=, "{}");
    embed_expect_nothing(embed);
}

static gpointer drop_elsewhere(gpointer data)
{
    Embed *embed = data;

    g_clear_object(&embed->proxy);
    g_assert_cmpuint(criticals, ==, 1);
    return NULL;
}

/* Its end comes where it belongs. */
static void test_dropped_elsewhere(Embed *embed, gconstpointer unused)
{
    criticals = 0;
    g_thread_join(g_thread_new("elsewhere", drop_elsewhere, embed));
    embed_expect_end(embed);
}

static gpointer run_elsewhere(gpointer data)
{
    Embed *embed = data;

    g_main_context_push_thread_default(embed->context);
    embed_start(embed);
    qga_proxy_stop(embed->proxy);
    g_main_context_pop_thread_default(embed->context);
    return NULL;
}

/* Set up here, run there. */
static void test_handed_over(Embed *embed, gconstpointer unused)
{
    g_main_context_pop_thread_default(embed->context);
    g_thread_join(g_thread_new("elsewhere", run_elsewhere, embed));
    g_main_context_push_thread_default(embed->context);
}

static void count_call(GObject *unused, GAsyncResult *unused_result, gpointer calls)
{
    ++*(guint *)calls;
}

/* The program runs the context no more. A proxy that goes leaves nothing behind, not even the
 * context that it had to itself; but one that owes an answer waits for the context, and is gone
 * when that was run. */
static void test_context_given_up(Embed *embed, gconstpointer unused)
{
    for (guint asked = 0; asked < 2; asked++) {
        guint descriptors = sockets_open_descriptors();
        g_autoptr(GMainContext) context = g_main_context_new();
        g_autoptr(GError) error = NULL;
        QgaProxy *proxy;
        guint calls = 0;

        g_main_context_push_thread_default(context);
        proxy = qga_proxy_new(embed->monitor_address, embed->channel_address, &error);
        g_assert_no_error(error);
        g_assert_true(qga_proxy_add_listener(proxy, embed->socket_address, &error));
        qga_proxy_start(proxy);
        if (asked)
            qga_proxy_execute_async(proxy, "query-name", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                                    count_call, &calls);
        g_main_context_pop_thread_default(context);
        if (!asked)
            g_clear_pointer(&context, g_main_context_unref);

        g_object_add_weak_pointer(G_OBJECT(proxy), (gpointer *)&proxy);
        qga_proxy_stop(proxy);
        g_object_unref(proxy);
        g_assert_cmpuint(calls, ==, 0);
        while (asked && g_main_context_iteration(context, FALSE))
            ;
        g_assert_cmpuint(calls, ==, asked);
        g_assert_null(proxy);
        g_clear_pointer(&context, g_main_context_unref);
        g_assert_cmpuint(sockets_open_descriptors(), ==, descriptors);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_writer_func(write_log, NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(places) * G_N_ELEMENTS(acts); i++) {
        g_autofree char *path =
            g_strdup_printf("/qga-proxy-reentry/%s/%s", places[i / G_N_ELEMENTS(acts)].name,
                            acts[i % G_N_ELEMENTS(acts)].name);

        g_test_add(path, Embed, GSIZE_TO_POINTER(i), embed_set_up_met, test_within,
                   embed_tear_down);
    }
#define ADD(path, set_up, test) \
    g_test_add("/qga-proxy-reentry/" path, Embed, NULL, set_up, test, embed_tear_down)
    ADD("stopped-in-gate", embed_set_up_met, test_stopped_in_gate);
    ADD("nested-wait", embed_set_up_met, test_nested_wait);
    ADD("thread", embed_set_up_met, test_thread);
    ADD("dropped-elsewhere", embed_set_up_met, test_dropped_elsewhere);
    ADD("handed-over", embed_set_up, test_handed_over);
    ADD("context-given-up", embed_set_up, test_context_given_up);
    return g_test_run();
}
