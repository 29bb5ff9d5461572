/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The shape of what qga-proxy-status returns, with and without an agent, with and without trouble,
 * with and without its clients. That the schema says the same is proven in tests/integration.
 */

#include "status.h"

#include <string.h>

#define CLIENTS_NONE                                                                   \
    "\"clients\": 0, \"memory\": 0, \"refused-clients\": 0, \"descriptor-names\": 0, " \
    "\"dropped-descriptors\": 0, "                                                     \
    "\"traffic\": {\"accepted\": 0, \"commands\": 0, \"bytes-in\": 0, \"bytes-out\": 0}"

static char *write_status(const Status *status)
{
    GString *out = g_string_new(NULL);

    status_write(status, out);
    return g_string_free(out, FALSE);
}

/* Up to the latency, behind which come the limits. */
static void assert_written(const Status *status, const char *expected)
{
    g_autofree char *out = write_status(status);

    g_assert_true(g_str_has_prefix(out, expected));
    g_assert_true(g_str_has_prefix(out + strlen(expected), ", \"latency\": {\"bounds\": [100, "));
    g_assert_nonnull(strstr(out, "]}}]}, \"limits\": {\"clients\": "));
    g_assert_true(g_str_has_suffix(out, "}}"));
}

static void test_qemu(void)
{
    const MonitorStats monitors[] = {
        {.state = "ready",
         .users = 1,
         .commands = 2,
         .oob = 3,
         .in_flight = 4,
         .waiting = 5,
         .stale_replies = 6},
        {.state = "greeting", .stale_replies = 3},
    };
    Bounds bounds;

    bounds_init(&bounds);
    assert_written(&(Status){.qemu_connected = TRUE,
                             .monitors = monitors,
                             .n_monitors = 2,
                             .monitors_connected = 1,
                             .clients = 2,
                             .accepted = 10,
                             .refused = 1,
                             .commands = 11,
                             .bytes_in = 12,
                             .bytes_out = 13,
                             .memory = 4096,
                             .fd_names = 7,
                             .fds_dropped = 8,
                             .bounds = &bounds},
                   "{\"version\": \"" QGA_PROXY_VERSION
                   "\", \"qemu\": {\"connected\": true, \"monitors\": 2, \"monitors-connected\": "
                   "1, \"stale-replies\": 9}, "
                   "\"monitors\": [{\"state\": \"ready\", \"users\": 1, \"commands\": 2, "
                   "\"out-of-band\": 3, \"in-flight\": 4, \"waiting\": 5, \"stale-replies\": 6}, "
                   "{\"state\": \"greeting\", \"users\": 0, \"commands\": 0, \"out-of-band\": 0, "
                   "\"in-flight\": 0, \"waiting\": 0, \"stale-replies\": 3}], "
                   "\"clients\": 2, \"memory\": 4096, \"refused-clients\": 1, "
                   "\"descriptor-names\": 7, \"dropped-descriptors\": 8, "
                   "\"traffic\": {\"accepted\": 10, \"commands\": 11, \"bytes-in\": 12, "
                   "\"bytes-out\": 13}");
}

static void test_agent(void)
{
    Bounds bounds;

    bounds_init(&bounds);
    assert_written(&(Status){.qemu_trouble = "cannot connect to \"unix:/x\"",
                             .agent_state = "ready",
                             .agent_version = "7.2.22",
                             .agent_channel = 1,
                             .agent_channels = 2,
                             .bounds = &bounds,
                             .agent = {.commands = 1,
                                       .coalesced = 11,
                                       .cache_hits = 12,
                                       .dropped = 2,
                                       .unasked = 7,
                                       .faults = 3,
                                       .oversized = 8,
                                       .timeouts = 4,
                                       .syncs = 5,
                                       .queued = 6,
                                       .bytes_in = 9,
                                       .bytes_out = 10},
                             .agent_running = JSON_SPAN_LITERAL("[\"guest-ping\"]"),
                             .freeze = JSON_SPAN_LITERAL("{\"state\": \"thawed\"}")},
                   "{\"version\": \"" QGA_PROXY_VERSION "\", "
                   "\"qemu\": {\"connected\": false, \"monitors\": 0, \"monitors-connected\": 0, "
                   "\"trouble\": \"cannot connect to \\\"unix:/x\\\"\", \"stale-replies\": 0}, "
                   "\"monitors\": [], "
                   "\"agent\": {\"state\": \"ready\", \"version\": \"7.2.22\", "
                   "\"channel\": 1, \"channels\": 2, \"depth\": 0, "
                   "\"running\": [\"guest-ping\"], \"queued\": 6, \"commands\": 1, "
                   "\"dropped\": 2, \"unasked\": 7, \"faults\": 3, "
                   "\"oversized\": 8, \"timeouts\": 4, \"syncs\": 5, \"coalesced\": 11, "
                   "\"cache-hits\": 12, \"bytes-in\": 9, "
                   "\"bytes-out\": 10}, \"freeze\": {\"state\": \"thawed\"}, " CLIENTS_NONE);
}

/* What is not known of one is absent; those that are not listed are counted. */
static void test_connections(void)
{
    const ConnectionStats connections[] = {
        {.peer = "unix:\"x\" uid 0 pid 7",
         .user = 0,
         .process = 7,
         .protocol = "qmp",
         .state = "commanding",
         .oob = TRUE,
         .monitor = 0,
         .commands = 1,
         .bytes_in = 2,
         .bytes_out = 3,
         .queued = 4,
         .busy = TRUE,
         .seconds = 5},
        {.peer = "tcp:[::1]:1",
         .user = -1,
         .process = -1,
         .protocol = "agent",
         .state = "held",
         .monitor = -1},
    };
    Bounds bounds;
    Status status = {.clients = 5, .connections = connections, .n_connections = 2};
    g_autofree char *out = NULL;

    bounds_init(&bounds);
    status.bounds = &bounds;
    out = write_status(&status);
    g_assert_nonnull(strstr(
        out, ", \"connections\": [{\"peer\": \"unix:\\\"x\\\" uid 0 pid 7\", \"uid\": 0, "
             "\"pid\": 7, \"protocol\": \"qmp\", \"state\": \"commanding\", \"oob\": true, "
             "\"monitor\": 0, \"commands\": 1, \"bytes-in\": 2, \"bytes-out\": 3, \"queued\": 4, "
             "\"busy\": true, \"seconds\": 5}, {\"peer\": \"tcp:[::1]:1\", \"protocol\": "
             "\"agent\", \"state\": \"held\", \"oob\": false, \"commands\": 0, \"bytes-in\": 0, "
             "\"bytes-out\": 0, \"queued\": 0, \"busy\": false, \"seconds\": 0}], "
             "\"connections-left-out\": 3, \"latency\": "));
}

/* Each lane by its name; the agent's where there is one. */
static void test_latency(void)
{
    MonitorStats monitors[2] = {{.state = "ready"}, {.state = "ready"}};
    Latency latency[STATUS_CLASSES] = {0};
    Bounds bounds;
    Status status = {.monitors = monitors, .n_monitors = 2, .bounds = &bounds};
    g_autofree char *qemu = NULL;
    g_autofree char *both = NULL;

    bounds_init(&bounds);
    histogram_record(&monitors[0].latency.taken, 300 * G_USEC_PER_SEC);
    histogram_record(&monitors[1].latency.taken, 300 * G_USEC_PER_SEC + 1);
    qemu = write_status(&status);
    g_assert_nonnull(strstr(
        qemu, "300000000], \"lanes\": [{\"lane\": \"qemu\", \"taken\": {\"count\": 2, \"sum\": "
              "600000001, \"buckets\": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]}, "
              "\"sent\": {\"count\": 0, \"sum\": 0, \"buckets\": [0, "));
    g_assert_null(strstr(qemu, "\"quick\""));
    histogram_record(&latency[GUEST_CLASS_THAW].sent, 1);
    status.agent_latency = latency;
    both = write_status(&status);
    g_assert_nonnull(strstr(both, "}}, {\"lane\": \"quick\", \"taken\": {\"count\": 0, "));
    g_assert_nonnull(strstr(both, "\"sent\": {\"count\": 1, \"sum\": 1, \"buckets\": [1, 1, "));
}

/* Some clients read lines of at most 64 KiB. */
static void test_length(void)
{
    MonitorStats monitor = {.state = "negotiating"};
    Latency latency[STATUS_CLASSES];
    Bounds bounds;
    Status status = {.monitors = &monitor, .n_monitors = 1, .agent_state = "syncing"};
    g_autofree char *out = NULL;

    memset(&bounds, 0x7f, sizeof bounds);
    memset(&latency, 0x07, sizeof latency);
    status.bounds = &bounds;
    status.agent_latency = latency;
    out = write_status(&status);
    g_assert_cmpuint(strlen(out), <, 8192);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/qemu", test_qemu);
    g_test_add_func("/status/agent", test_agent);
    g_test_add_func("/status/connections", test_connections);
    g_test_add_func("/status/latency", test_latency);
    g_test_add_func("/status/length", test_length);
    return g_test_run();
}
