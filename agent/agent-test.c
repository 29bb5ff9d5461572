/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The whole agent on a socket of its own, with clients that come, go, say half of it, and do not
 * listen.
 *
 * Clients are plain descriptors in the same thread: the main loop runs while they wait.
 */

#include "agent/agent.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/limits.h"

typedef struct {
    char *directory;
    char *path;
    Policy policy;
    State state;
    Agent *agent;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data)
{
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    ChannelAddress address = {.method = CHANNEL_UNIX_LISTEN, .listen_fd = -1};
    GError *error = NULL;

    signal(SIGPIPE, SIG_IGN);
    fixture->directory = g_dir_make_tmp("qga-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "socket", NULL);
    policy_init(&fixture->policy, none, none);
    state_init(&fixture->state, fixture->directory);
    fixture->agent =
        agent_new(&(AgentOptions){.policy = &fixture->policy, .state = &fixture->state});
    address.path = fixture->path;
    if (!agent_open(fixture->agent, &address, &error))
        g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data)
{
    agent_free(fixture->agent);
    g_remove(fixture->path);
    g_remove(fixture->state.path);
    state_clear(&fixture->state);
    policy_clear(&fixture->policy);
    g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
    g_free(fixture->directory);
    g_free(fixture->path);
}

static int connect_client(Fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    g_strlcpy(address.sun_path, fixture->path, sizeof(address.sun_path));
    g_assert_cmpint(connect(fd, (const struct sockaddr *)&address, sizeof(address)), ==, 0);
    return fd;
}

static void run_idle(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

static void say(int fd, const char *text)
{
    gsize len = strlen(text);

    while (len > 0) {
        gssize done = write(fd, text, len);

        if (done < 0) {
            g_assert_cmpint(errno, ==, EAGAIN);
            g_main_context_iteration(NULL, TRUE);
            continue;
        }
        text += done;
        len -= (gsize)done;
    }
}

/* Returns: what is answered, up to the line end number @lines, or the end of the connection */
static GString *hear(int fd, guint lines)
{
    GString *text = g_string_new(NULL);
    char byte;

    while (lines > 0) {
        gssize got = read(fd, &byte, 1);

        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        if (got < 0) {
            g_main_context_iteration(NULL, FALSE);
            continue;
        }
        g_string_append_c(text, byte);
        lines -= byte == '\n';
    }
    return text;
}

static void check(int fd, guint lines, const char *expected)
{
    g_autoptr(GString) text = hear(fd, lines);

    g_assert_cmpstr(text->str, ==, expected);
}

#define PING "{\"execute\": \"guest-ping\"}"
#define PONG "{\"return\": {}}\n"

static void check_ping(int fd)
{
    say(fd, PING);
    check(fd, 1, PONG);
}

static void test_requests(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);

    say(fd, PING PING "\n" PING "{\"execute\"");
    check(fd, 3, PONG PONG PONG);
    say(fd, ": \"guest-sync\", \"arguments\": {\"id\": 8}, \"id\": \"x\"}");
    check(fd, 1, "{\"return\": 8, \"id\": \"x\"}\n");
    close(fd);
}

/* The handshake of a host that finds half a request in the channel. */
static void test_resynchronisation(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);
    g_autoptr(GString) reply = NULL;

    say(fd, "{\"execute\": \"guest-sh"
            "\xFF"
            "{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": 9}}");
    reply = hear(fd, 2);
    g_assert_true(g_str_has_prefix(
        reply->str, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, "));
    g_assert_true(g_str_has_suffix(reply->str, "}}\n\xFF{\"return\": 9}\n"));
    close(fd);
}

/* What one client left half said is no part of what the next one says. */
static void test_clients_are_apart(Fixture *fixture, gconstpointer data)
{
    int first = connect_client(fixture);
    int second;

    say(first, "{\"execute\": \"guest-pi");
    run_idle();
    close(first);
    second = connect_client(fixture);
    check_ping(second);
    close(second);
}

static void test_second_client_waits(Fixture *fixture, gconstpointer data)
{
    int first = connect_client(fixture);
    int second = connect_client(fixture);

    say(second, PING);
    check_ping(first);
    check_ping(first);
    close(first);
    check(second, 1, PONG);
    close(second);
}

/* A reply that nobody read makes the connection end with an error, and the agent go on. */
static void test_client_leaves_with_reply_unread(Fixture *fixture, gconstpointer data)
{
    for (guint i = 0; i < 20; i++) {
        int fd = connect_client(fixture);

        say(fd, PING PING PING);
        run_idle();
        close(fd);
    }
    for (guint i = 0; i < 20; i++) {
        int fd = connect_client(fixture);

        check_ping(fd);
        close(fd);
    }
}

/* One that sends no more still gets what it asked for, and then the end. */
static void test_half_closed(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);

    say(fd, PING PING);
    shutdown(fd, SHUT_WR);
    check(fd, 3, PONG PONG);
    close(fd);
    fd = connect_client(fixture);
    check_ping(fd);
    close(fd);
}

/* A client that asks and does not listen is not read any further, costs a bounded amount, and no
 * time. */
static void test_client_that_does_not_listen(Fixture *fixture, gconstpointer data)
{
    g_autofree char *id = g_strnfill(1000, 'i');
    g_autofree char *request = g_strdup_printf("{\"execute\": \"guest-ping\", \"id\": \"%s\"}", id);
    g_autofree char *reply = g_strdup_printf("{\"return\": {}, \"id\": \"%s\"}\n", id);
    const gsize len = strlen(request);
    int fd = connect_client(fixture);
    guint asked = 0;
    gsize part = 0;

    /* Whole requests until neither the agent reads nor the socket takes any. */
    for (;;) {
        gssize done = write(fd, request + part, len - part);

        if (done > 0) {
            part = (part + (gsize)done) % len;
            asked += part == 0;
        } else if (!g_main_context_iteration(NULL, FALSE)) {
            break;
        }
    }
    g_assert_cmpuint(asked, >, LIMIT_AGENT_OUTPUT_HIGH / strlen(reply));
    g_assert_cmpuint(asked, <, 16 * LIMIT_AGENT_OUTPUT_HIGH / strlen(reply));
    g_assert_false(g_main_context_pending(NULL)); /* it sleeps */

    for (guint i = 0; i < asked; i++)
        check(fd, 1, reply);
    if (part > 0) {
        say(fd, request + part);
        check(fd, 1, reply);
    }
    check_ping(fd);
    close(fd);
}

static void test_nonsense(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);
    g_autoptr(GString) reply = NULL;

    say(fd, "nope\n" PING "\n");
    reply = hear(fd, 2);
    g_assert_true(g_str_has_prefix(reply->str, "{\"error\": {\"class\": \"GenericError\","));
    g_assert_true(g_str_has_suffix(reply->str, "}}\n" PONG));
    close(fd);
}

static void test_handles_outlive_clients(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);

    say(fd, "{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"/dev/null\"}}");
    check(fd, 1, "{\"return\": 1000}\n");
    close(fd);
    fd = connect_client(fixture);
    say(fd, "{\"execute\": \"guest-file-close\", \"arguments\": {\"handle\": 1000}}");
    check(fd, 1, PONG);
    close(fd);
}

/* Faster than by lines. */
static void check_long(int fd, const char *expected)
{
    const gsize size = strlen(expected);
    g_autofree char *text = g_malloc(size);
    gsize len = 0;

    while (len < size) {
        gssize got = read(fd, text + len, size - len);

        g_assert_true(got > 0 || (got < 0 && errno == EAGAIN));
        if (got < 0)
            g_main_context_iteration(NULL, FALSE);
        len += (gsize)MAX(got, 0);
    }
    g_assert_cmpmem(text, len, expected, size);
}

/* One that goes in the middle of a large reply ends it, and leaves nothing of it to the next. */
static void test_client_leaves_large_reply(Fixture *fixture, gconstpointer data)
{
    enum { LARGE = 8 << 20 };
    g_autofree char *path = g_build_filename(fixture->directory, "file", NULL);
    g_autofree char *content = g_strnfill(LARGE, 'x');
    g_autofree char *base64 = g_base64_encode((const guchar *)content, LARGE);
    g_autofree char *open = g_strdup_printf(
        "{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"%s\"}}", path);
    g_autofree char *ask = g_strdup_printf("{\"execute\": \"guest-file-read\", \"arguments\": "
                                           "{\"handle\": 1000, \"count\": %d}}",
                                           LARGE);
    g_autofree char *reply = g_strdup_printf(
        "{\"return\": {\"count\": %d, \"buf-b64\": \"%s\", \"eof\": false}}\n", LARGE, base64);
    int fd = connect_client(fixture);

    g_file_set_contents(path, content, LARGE, NULL);
    say(fd, open);
    check(fd, 1, "{\"return\": 1000}\n");
    say(fd, ask);
    while (recv(fd, &(char){0}, 1, MSG_PEEK) < 0)
        g_main_context_iteration(NULL, FALSE);
    close(fd);
    fd = connect_client(fixture);
    check_ping(fd);
    say(fd, ask);
    check_long(fd, reply);
    while (agent_is_working(fixture->agent))
        g_main_context_iteration(NULL, TRUE);
    close(fd);
    g_remove(path);
}

static void raise_flag(gpointer user)
{
    *(gboolean *)user = TRUE;
}

static void test_quit(Fixture *fixture, gconstpointer data)
{
    int fd = connect_client(fixture);
    gboolean quit = FALSE;

    say(fd, "{\"execute\": ");
    run_idle();
    agent_quit(fixture->agent, raise_flag, &quit);
    g_assert_true(quit);
    close(fd);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/agent/" name, Fixture, NULL, set_up, function, tear_down)
    ADD("requests", test_requests);
    ADD("resynchronisation", test_resynchronisation);
    ADD("clients-are-apart", test_clients_are_apart);
    ADD("second-client-waits", test_second_client_waits);
    ADD("client-leaves-with-reply-unread", test_client_leaves_with_reply_unread);
    ADD("half-closed", test_half_closed);
    ADD("client-that-does-not-listen", test_client_that_does_not_listen);
    ADD("nonsense", test_nonsense);
    ADD("handles-outlive-clients", test_handles_outlive_clients);
    ADD("client-leaves-large-reply", test_client_leaves_large_reply);
    ADD("quit", test_quit);
#undef ADD
    return g_test_run();
}
