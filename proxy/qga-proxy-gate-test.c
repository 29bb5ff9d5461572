/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The embedder's gate and audit: who is told to them, what a refusal is, and that an audit leaves
 * out nobody.
 */

#include "qga-proxy-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Fixture --------------------------------------------------------------------------------- */

/* Lets pass what is not called so. */
static gboolean gate(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                     const char *command, const char *arguments, gpointer data, GError **error)
{
    Embed *embed = data;

    g_assert_true(self == embed->proxy);
    g_assert_true(g_str_has_prefix(peer, "unix:"));
    g_assert_cmpint(user, ==, getuid());
    g_assert_cmpint(process, ==, getpid());
    embed_tell(embed, "%s(%s)", command, arguments ? arguments : "");
    if (strstr(command, "mute"))
        return FALSE;
    if (!strstr(command, "bad"))
        return TRUE;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PERM, "not \"%s\" here", command);
    return FALSE;
}

static void audit(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                  const char *command, const char *error_class, const char *error_text,
                  gint64 microseconds, gpointer data)
{
    Embed *embed = data;

    g_assert_true(self == embed->proxy);
    g_assert_cmpint(microseconds, >=, 0);
    g_assert_cmpint(user, ==, getuid());
    g_assert_cmpint(process, ==, getpid());
    g_assert_true((error_class == NULL) == (error_text == NULL));
    embed_tell(embed, "%s:%s:%s", g_str_has_prefix(peer, "unix:") ? "client" : peer, command,
               error_class ? error_class : "ok");
}

static void note_destroyed(gpointer data)
{
    embed_tell(data, "destroyed");
}

/* ---- Gate ------------------------------------------------------------------------------------ */

static void test_gate(Embed *embed, gconstpointer unused)
{
    Peer client;

    qga_proxy_set_gate(embed->proxy, gate, embed, note_destroyed);
    embed_connect(embed, &client);
    embed_expect_told(embed, ""); /* negotiation is nobody's business */
    embed_send(embed, &client,
               "{\"execute\":\"guest-bad\",\"arguments\":{\"a\": 'x'},\"id\":1}"
               "{\"execute\":\"mute\"}{\"execute\":\"query-x\"}");
    peer_expect(&client, "{\"id\": 1, \"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"not \\\"guest-bad\\\" here\"}}\r\n"
                         "{\"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"The command is not allowed\"}}\r\n");
    embed_expect_told(embed, "guest-bad({\"a\": 'x'}) mute() query-x()");
    embed_answer_qemu(embed, "{\"execute\":\"query-x\"}", "{\"return\": 1}");
    peer_expect(&client, "{\"return\": 1}\r\n");
    embed_expect_nothing(embed);

    qga_proxy_set_gate(embed->proxy, NULL, NULL, NULL);
    embed_expect_told(embed, "destroyed");
    embed_send(embed, &client, "{\"execute\":\"bad\"}");
    embed_answer_qemu(embed, "{\"execute\":\"bad\"}", "{\"return\": 2}");
    peer_expect(&client, "{\"return\": 2}\r\n");
    peer_clear(&client);
}

/* Its syncs are answered, and its commands asked for. */
static void test_gate_agents_protocol(Embed *embed, gconstpointer unused)
{
    g_autofree char *address = g_strconcat("unix:", embed->folder, "/agent", NULL);
    g_autoptr(GError) error = NULL;
    Peer client;

    g_assert_true(qga_proxy_add_agent_client(embed->proxy, peer_init_pair(&client, SOCK_STREAM),
                                             address, &error));
    g_assert_no_error(error);
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    embed_send(embed, &client,
               "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":7}}{\"execute\":\"guest-bad\"}");
    peer_expect(&client, "{\"return\": 7}\n{\"error\": {\"class\": \"GenericError\", "
                         "\"desc\": \"not \\\"guest-bad\\\" here\"}}\n");
    embed_expect_told(embed, "guest-bad()");
    embed_expect_nothing(embed);
    peer_clear(&client);
}

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
    g_autoptr(GBytes) bytes = qga_proxy_execute_finish(QGA_PROXY(source), result, NULL);
}

static gboolean gate_that_goes(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                               const char *command, const char *arguments, gpointer data,
                               GError **error)
{
    qga_proxy_set_gate(self, NULL, NULL, NULL);
    embed_tell(data, "left");
    return TRUE;
}

/* What belongs to a function is given back when it has returned. */
static void test_gate_replaced_within(Embed *embed, gconstpointer unused)
{
    Peer client;

    embed_connect(embed, &client);
    qga_proxy_set_gate(embed->proxy, gate_that_goes, embed, note_destroyed);
    embed_send(embed, &client, "{\"execute\":\"qga-proxy-x\"}{\"execute\":\"qga-proxy-x\"}");
    embed_expect_told(embed, "left destroyed");
    peer_clear(&client);
}

/* The embedder itself is not asked. */
static void test_gate_own(Embed *embed, gconstpointer unused)
{
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    qga_proxy_execute_async(embed->proxy, "bad", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL, on_done,
                            NULL);
    embed_answer_qemu(embed, "{\"execute\":\"bad\"}", "{\"return\": 2}");
    embed_expect_told(embed, "");
}

/* ---- Audit ----------------------------------------------------------------------------------- */

static void test_audit(Embed *embed, gconstpointer unused)
{
    Peer client;

    qga_proxy_set_audit(embed->proxy, audit, embed, note_destroyed);
    embed_connect(embed, &client);
    embed_send(embed, &client, "{\"execute\":\"qga-proxy-x\"}{\"execute\":\"query-x\"}");
    embed_expect_told(embed, "client:qga-proxy-x:CommandNotFound");
    embed_answer_qemu(embed, "{\"execute\":\"query-x\"}", "{\"return\": 1}");
    embed_expect_told(embed, "client:query-x:ok");
    embed_send(embed, &client, "{\"execute\":\"query-y\"}{\"execute\":\"guest-x\"}");
    embed_answer_qemu(embed, "{\"execute\":\"query-y\"}",
                      "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no\"}}");
    embed_refuse_agent(embed, "{\"execute\":\"guest-x\"}", "GenericError");
    embed_expect_told(embed, "client:query-y:DeviceNotFound client:guest-x:GenericError");
    qga_proxy_execute_async(embed->proxy, "qga-proxy-status", NULL, 0, QGA_PROXY_EXECUTE_NONE, NULL,
                            on_done, NULL);
    embed_settle(embed);
    embed_expect_told(embed, "the-embedder:qga-proxy-status:ok");
    qga_proxy_set_audit(embed->proxy, NULL, NULL, NULL);
    embed_send(embed, &client, "{\"execute\":\"qga-proxy-x\"}");
    embed_expect_told(embed, "destroyed");
    peer_clear(&client);
}

/* What the gate refused, and what was answered when its client had left. */
static void test_audit_is_whole(Embed *embed, gconstpointer unused)
{
    g_autofree char *id = NULL;
    g_autofree char *answer = NULL;
    Peer client;

    embed_connect(embed, &client);
    qga_proxy_set_audit(embed->proxy, audit, embed, NULL);
    qga_proxy_set_gate(embed->proxy, gate, embed, NULL);
    embed_send(embed, &client, "{\"execute\":\"bad\"}{\"execute\":\"guest-shutdown-x\"}");
    embed_expect_told(embed, "bad() guest-shutdown-x() client:bad:GenericError");
    id = embed_expect_agent(embed, "{\"execute\":\"guest-shutdown-x\"}");
    peer_clear(&client);
    embed_settle(embed);
    embed_expect_told(embed, "");
    answer = g_strdup_printf("{\"return\": {}, \"id\": %s}\n", id);
    peer_send(&embed->agent, answer);
    embed_settle(embed);
    embed_expect_told(embed, "client:guest-shutdown-x:ok");
}

/* One that is withdrawn is over in the next turn, and not when its time is. */
static void test_audit_of_withdrawn(Embed *embed, gconstpointer unused)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();

    qga_proxy_set_audit(embed->proxy, audit, embed, NULL);
    qga_proxy_execute_async(embed->proxy, "qga-proxy-wait-agent",
                            "{\"states\": [\"gone\"], \"timeout\": 100}", 0, QGA_PROXY_EXECUTE_NONE,
                            cancellable, on_done, NULL);
    embed_settle(embed);
    embed_expect_told(embed, "");
    g_cancellable_cancel(cancellable);
    embed_settle(embed);
    embed_expect_told(embed, "the-embedder:qga-proxy-wait-agent:GenericError");
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void on_event(QgaProxy *self, const char *name, const char *data, gint64 timestamp,
                     Embed *embed)
{
    embed_tell(embed, "%s(%s)", name, data ? data : "");
    if (g_str_equal(name, "NIC_X"))
        g_assert_cmpint(timestamp, ==, 3 * G_USEC_PER_SEC + 4);
}

static void on_detailed(QgaProxy *self, const char *name, const char *data, gint64 timestamp,
                        Embed *embed)
{
    embed_tell(embed, "detailed-%s", name);
}

static void on_notify(QgaProxy *self, GParamSpec *pspec, Embed *embed)
{
    g_autofree char *state = NULL;
    gboolean connected;

    g_object_get(self, "agent-state", &state, "qemu-connected", &connected, NULL);
    embed_tell(embed, "%s-%s-%d", pspec->name, state, connected);
}

static void on_closed(QgaProxy *self, Embed *embed)
{
    embed_tell(embed, "closed");
}

/* In the order in which it happens, each with the state as it is then. */
static void test_events(Embed *embed, gconstpointer unused)
{
    g_signal_connect(embed->proxy, "event::NIC_X", G_CALLBACK(on_detailed), embed);
    peer_send(&embed->qemu, "{\"timestamp\": {\"seconds\": 3, \"microseconds\": 4}, "
                            "\"event\": \"NIC_Y\"}\r\n");
    embed_settle(embed);
    embed_expect_told(embed, "");
    g_signal_connect(embed->proxy, "event", G_CALLBACK(on_event), embed);
    g_signal_connect(embed->proxy, "notify", G_CALLBACK(on_notify), embed);
    g_signal_connect(embed->proxy, "closed", G_CALLBACK(on_closed), embed);
    peer_send(&embed->qemu,
              "{\"timestamp\": {\"seconds\": 3, \"microseconds\": 4}, \"event\": \"NIC_X\", "
              "\"data\": {\"a\": [1]}}\r\n{\"timestamp\": {\"seconds\": 3, \"microseconds\": 4}, "
              "\"event\": \"NIC_Y\"}\r\n");
    embed_settle(embed);
    embed_expect_told(embed, "detailed-NIC_X NIC_X({\"a\": [1]}) NIC_Y()");
    peer_close(&embed->agent);
    embed_settle(embed);
    embed_expect_told(embed, "GUEST_AGENT_STATE({\"state\": \"offline\"}) agent-state-offline-1");
    embed_close_qemu(embed);
    embed_settle(embed);
    embed_expect_told(embed, "qemu-connected-offline-0 closed");
}

int main(int argc, char **argv)
{
#define ADD(path, test) \
    g_test_add("/qga-proxy-gate/" path, Embed, NULL, embed_set_up_met, test, embed_tear_down)
    g_test_init(&argc, &argv, NULL);
    g_set_prgname("the-embedder");
    ADD("gate", test_gate);
    ADD("gate-agents-protocol", test_gate_agents_protocol);
    ADD("gate-replaced-within", test_gate_replaced_within);
    ADD("gate-own", test_gate_own);
    ADD("audit", test_audit);
    ADD("audit-is-whole", test_audit_is_whole);
    ADD("audit-of-withdrawn", test_audit_of_withdrawn);
    ADD("events", test_events);
    return g_test_run();
}
