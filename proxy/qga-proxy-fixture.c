/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "qga-proxy-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/sockets.h"

#define DEADLINE_SECONDS 20

/* ---- What is answered here ------------------------------------------------------------------- */

/* Returns: (transfer full) (nullable): the first object that came, without what stands before it;
 * there is no brace in a string here */
static char *take_object(Peer *peer)
{
    GString *got = peer->got;
    const char *start = strchr(got->str, '{');
    guint depth = 0;

    for (const char *at = start; at && *at; at++) {
        depth += *at == '{';
        depth -= *at == '}';
        if (depth == 0) {
            char *object = g_strndup(start, (gsize)(at + 1 - start));

            g_string_erase(got, 0, at + 1 - got->str);
            return object;
        }
    }
    return NULL;
}

static char *between(const char *text, const char *front, const char *ends)
{
    const char *at = strstr(text, front);

    g_assert_nonnull(at);
    at += strlen(front);
    return g_strndup(at, strcspn(at, ends));
}

static gboolean is(const char *object, const char *command)
{
    g_autofree char *name = between(object, "\":\"", "\"");

    return g_str_equal(name, command);
}

/* Returns: (transfer full) (nullable): NULL for the test to answer it */
static char *qemu_answers(const Embed *embed, const char *object)
{
    if (is(object, "qmp_capabilities")) {
        g_autofree char *id = between(object, "\"id\":", "}");

        return g_strdup_printf("{\"return\": {}, \"id\": %s}\r\n", id);
    }
    if (is(object, "query-status"))
        return g_strdup("{\"return\": {\"running\": true, \"status\": \"running\"}}\r\n");
    if (is(object, "query-chardev"))
        return g_strdup_printf("{\"return\": [{\"frontend-open\": true, \"filename\": "
                               "\"unix:%s,server=on\", \"label\": \"qga0\"}]}\r\n",
                               embed->channel);
    if (is(object, "qom-get"))
        return g_strdup("{\"return\": \"qga0\"}\r\n");
    if (!is(object, "qom-list"))
        return NULL;
    return g_strdup(strstr(object, "anon") ? "{\"return\": []}\r\n"
                                           : "{\"return\": [{\"name\": \"port0\", \"type\": "
                                             "\"child<virtserialport>\"}]}\r\n");
}

static char *agent_answers(const Embed *embed, const char *object)
{
    g_autofree char *id = NULL;

    if (is(object, "guest-sync-delimited")) {
        id = between(object, "{\"id\":", "}");
        return g_strdup_printf("\xff{\"return\": %s}\n", id);
    }
    id = between(object, ",\"id\":", "}");
    if (is(object, "guest-info"))
        return g_strdup_printf("{\"return\": {\"version\": \"7.2.22\", \"supported_commands\": ["
                               "{\"enabled\": true, \"name\": \"guest-ping\", "
                               "\"success-response\": true}]}, \"id\": %s}\n",
                               id);
    if (is(object, "guest-fsfreeze-status"))
        return g_strdup_printf("{\"return\": \"%s\", \"id\": %s}\n",
                               embed->frozen ? "frozen" : "thawed", id);
    return NULL;
}

static gboolean serve(Embed *embed, Peer *peer, GQueue *kept,
                      char *(*answers)(const Embed *embed, const char *object))
{
    gboolean busy = FALSE;
    char *object;

    if (peer->fd < 0 || peer->ended)
        return FALSE;
    while (peer_read(peer))
        busy = TRUE;
    while ((object = take_object(peer))) {
        g_autofree char *answer = answers(embed, object);

        busy = TRUE;
        if (answer) {
            peer_send(peer, answer);
            g_free(object);
        } else {
            g_queue_push_tail(kept, object);
        }
    }
    return busy;
}

/* ---- Turns ----------------------------------------------------------------------------------- */

void embed_settle(Embed *embed)
{
    gboolean busy;

    do {
        busy = FALSE;
        while (g_main_context_iteration(embed->context, FALSE))
            ;
        busy |= serve(embed, &embed->qemu, &embed->for_qemu, qemu_answers);
        busy |= serve(embed, &embed->agent, &embed->for_agent, agent_answers);
    } while (busy);
}

static gboolean on_deadline(gpointer unused)
{
    g_error("nothing happened within %d s", DEADLINE_SECONDS);
    return G_SOURCE_REMOVE;
}

static gboolean on_tick(gpointer unused)
{
    return G_SOURCE_CONTINUE;
}

static GSource *add(Embed *embed, GSource *source, GSourceFunc func)
{
    g_source_set_callback(source, func, NULL, NULL);
    g_source_attach(source, embed->context);
    return source;
}

void embed_wait(Embed *embed, gboolean (*is_so)(Embed *embed))
{
    g_autoptr(GSource) deadline =
        add(embed, g_timeout_source_new_seconds(DEADLINE_SECONDS), on_deadline);
    g_autoptr(GSource) tick = add(embed, g_timeout_source_new(5), on_tick);

    for (embed_settle(embed); !is_so(embed); embed_settle(embed))
        g_main_context_iteration(embed->context, TRUE);
    g_source_destroy(deadline);
    g_source_destroy(tick);
}

/* ---- Life ------------------------------------------------------------------------------------ */

void embed_set_up(Embed *embed, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    *embed = (Embed){.listening = {-1, -1}, .qemu = {.fd = -1}, .agent = {.fd = -1}};
    g_queue_init(&embed->for_qemu);
    g_queue_init(&embed->for_agent);
    embed->told = g_ptr_array_new_with_free_func(g_free);
    /* GLib's own, once in a process: of the default context, and of the thread that tasks may need
     */
    g_main_context_default();
    g_type_ensure(G_TYPE_TASK);
    embed->descriptors = sockets_open_descriptors();
    embed->folder = g_dir_make_tmp("qga-proxy-test-XXXXXX", &error);
    g_assert_no_error(error);
    embed->monitor = g_build_filename(embed->folder, "monitor", NULL);
    embed->channel = g_build_filename(embed->folder, "channel", NULL);
    embed->socket = g_build_filename(embed->folder, "proxy", NULL);
    embed->monitor_address = g_strconcat("unix:", embed->monitor, NULL);
    embed->channel_address = g_strconcat("unix:", embed->channel, NULL);
    embed->socket_address = g_strconcat("unix:", embed->socket, NULL);
    embed->context = g_main_context_new();
    g_main_context_push_thread_default(embed->context);
    embed->proxy = qga_proxy_new(embed->monitor_address, embed->channel_address, &error);
    g_assert_no_error(error);
}

static gboolean is_ready(Embed *embed)
{
    g_autofree char *state = NULL;
    gboolean connected;

    g_object_get(embed->proxy, "agent-state", &state, "qemu-connected", &connected, NULL);
    return connected && g_strcmp0(state, "ready") == 0;
}

void embed_start(Embed *embed)
{
    embed->listening[0] = sockets_listen_unix(embed->monitor, 1);
    embed->listening[1] = sockets_listen_unix(embed->channel, 1);
    qga_proxy_start(embed->proxy);
    embed_settle(embed);
    peer_init(&embed->qemu, accept(embed->listening[0], NULL, NULL));
    peer_init(&embed->agent, accept(embed->listening[1], NULL, NULL));
    peer_send(&embed->qemu,
              "{\"QMP\": {\"version\": {\"qemu\": {}}, \"capabilities\": [\"oob\"]}}\r\n");
    embed_wait(embed, is_ready);
}

void embed_set_up_met(Embed *embed, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    embed_set_up(embed, unused);
    g_assert_true(qga_proxy_add_listener(embed->proxy, embed->socket_address, &error));
    g_assert_no_error(error);
    embed_start(embed);
}

static void remove_socket(char *path)
{
    g_unlink(path);
    g_free(path);
}

void embed_tear_down(Embed *embed, gconstpointer unused)
{
    if (embed->proxy)
        g_assert_finalize_object(g_steal_pointer(&embed->proxy));
    g_main_context_pop_thread_default(embed->context);
    g_main_context_unref(embed->context);
    for (gsize i = 0; i < G_N_ELEMENTS(embed->listening); i++)
        if (embed->listening[i] >= 0)
            close(embed->listening[i]);
    if (embed->qemu.got)
        peer_clear(&embed->qemu);
    if (embed->agent.got)
        peer_clear(&embed->agent);
    g_assert_cmpuint(sockets_open_descriptors(), ==, embed->descriptors);
    remove_socket(embed->monitor);
    remove_socket(embed->channel);
    g_assert_cmpint(g_access(embed->socket, F_OK), !=, 0);
    g_free(embed->socket);
    g_assert_no_errno(g_rmdir(embed->folder));
    g_free(embed->folder);
    g_free(embed->monitor_address);
    g_free(embed->channel_address);
    g_free(embed->socket_address);
    g_queue_clear_full(&embed->for_qemu, g_free);
    g_queue_clear_full(&embed->for_agent, g_free);
    g_ptr_array_unref(embed->told);
}

/* ---- QEMU and the guest ---------------------------------------------------------------------- */

void embed_close_qemu(Embed *embed)
{
    peer_close(&embed->qemu);
}

void embed_expect_qemu(Embed *embed, const char *command)
{
    g_autofree char *came = NULL;

    embed_settle(embed);
    came = g_queue_pop_head(&embed->for_qemu);
    g_assert_cmpstr(came, ==, command);
    g_assert_cmpuint(embed->for_qemu.length, ==, 0);
}

void embed_answer_qemu(Embed *embed, const char *command, const char *reply)
{
    embed_expect_qemu(embed, command);
    peer_send(&embed->qemu, reply);
    peer_send(&embed->qemu, "\r\n");
    embed_settle(embed);
}

static gboolean is_agent_asked(Embed *embed)
{
    return embed->for_agent.length > 0;
}

char *embed_expect_agent(Embed *embed, const char *command)
{
    g_autofree char *came = NULL;
    char *id;

    embed_wait(embed, is_agent_asked);
    came = g_queue_pop_head(&embed->for_agent);
    id = strstr(came, ",\"id\":");
    g_assert_nonnull(id);
    *id = '\0';
    g_assert_cmpint(strncmp(came, command, strlen(command) - 1), ==, 0);
    g_assert_cmpuint(strlen(came), ==, strlen(command) - 1);
    return g_strndup(id + strlen(",\"id\":"), strcspn(id + strlen(",\"id\":"), "}"));
}

void embed_answer_agent(Embed *embed, const char *command, const char *value)
{
    g_autofree char *id = embed_expect_agent(embed, command);
    g_autofree char *text = g_strdup_printf("{\"return\": %s, \"id\": %s}\n", value, id);

    peer_send(&embed->agent, text);
    embed_settle(embed);
}

void embed_refuse_agent(Embed *embed, const char *command, const char *error_class)
{
    g_autofree char *id = embed_expect_agent(embed, command);
    g_autofree char *text = g_strdup_printf(
        "{\"error\": {\"class\": \"%s\", \"desc\": \"refused\"}, \"id\": %s}\n", error_class, id);

    peer_send(&embed->agent, text);
    embed_settle(embed);
}

void embed_expect_end(Embed *embed)
{
    embed_settle(embed);
    g_string_truncate(embed->qemu.got, 0); /* line ends */
    g_string_truncate(embed->agent.got, 0);
    if (embed->qemu.fd >= 0)
        peer_expect_end(&embed->qemu);
    if (embed->agent.fd >= 0)
        peer_expect_end(&embed->agent);
}

void embed_expect_nothing(Embed *embed)
{
    embed_settle(embed);
    g_assert_cmpuint(embed->for_qemu.length, ==, 0);
    g_assert_cmpuint(embed->for_agent.length, ==, 0);
}

/* ---- Clients --------------------------------------------------------------------------------- */

void embed_connect(Embed *embed, Peer *client)
{
    g_autofree char *handshake = NULL;

    peer_init(client, sockets_connect_unix(embed->socket));
    embed_send(embed, client, "{\"execute\":\"qmp_capabilities\"}");
    handshake = peer_take(client);
    g_assert_true(g_str_has_suffix(handshake, "\r\n{\"return\": {}}\r\n"));
}

void embed_send(Embed *embed, Peer *client, const char *text)
{
    peer_send(client, text);
    embed_settle(embed);
}

/* ---- What happens ---------------------------------------------------------------------------- */

void embed_tell(Embed *embed, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(embed->told, g_strdup_vprintf(format, args));
    va_end(args);
}

void embed_expect_told(Embed *embed, const char *told)
{
    g_autofree char *all = NULL;

    g_ptr_array_add(embed->told, NULL);
    all = g_strjoinv(" ", (char **)embed->told->pdata);
    g_ptr_array_set_size(embed->told, 0);
    g_assert_cmpstr(all, ==, told);
}
