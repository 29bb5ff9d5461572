/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The shape of what qga-proxy-status returns, with and without an agent, with and without trouble.
 */

#include "status.h"

#include <string.h>

static void assert_written(const Status *status, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);

    status_write(status, out);
    g_assert_true(g_str_has_prefix(out->str, expected));
    g_assert_true(g_str_has_prefix(out->str + strlen(expected), ", \"limits\": {\"clients\": "));
    g_assert_true(g_str_has_suffix(out->str, "}}"));
}

static void test_shape(void)
{
    Bounds bounds;

    bounds_init(&bounds);
    assert_written(&(Status){.qemu_connected = TRUE,
                             .monitors = 2,
                             .monitors_connected = 1,
                             .qemu_stale_replies = 9,
                             .clients = 2,
                             .refused = 1,
                             .memory = 4096,
                             .fd_names = 7,
                             .fds_dropped = 8,
                             .bounds = &bounds},
                   "{\"version\": \"" QGA_PROXY_VERSION
                   "\", \"qemu\": {\"connected\": true, \"monitors\": 2, \"monitors-connected\": "
                   "1, \"stale-replies\": 9}, "
                   "\"clients\": 2, \"memory\": 4096, \"refused-clients\": 1, "
                   "\"descriptor-names\": 7, \"dropped-descriptors\": 8");
    assert_written(
        &(Status){
            .qemu_trouble = "cannot connect to \"unix:/x\"",
            .agent_state = "ready",
            .agent_version = "7.2.22",
            .bounds = &bounds,
            .agent = {.commands = 1,
                      .coalesced = 7,
                      .cache_hits = 8,
                      .dropped = 2,
                      .faults = 3,
                      .timeouts = 4,
                      .syncs = 5,
                      .queued = 6},
        },
        "{\"version\": \"" QGA_PROXY_VERSION "\", "
        "\"qemu\": {\"connected\": false, \"monitors\": 0, \"monitors-connected\": 0, \"trouble\": "
        "\"cannot connect to \\\"unix:/x\\\"\", "
        "\"stale-replies\": 0}, "
        "\"agent\": {\"state\": \"ready\", \"version\": \"7.2.22\", \"queued\": 6, "
        "\"commands\": 1, \"dropped\": 2, \"faults\": 3, \"timeouts\": 4, "
        "\"syncs\": 5, \"coalesced\": 7, \"cache-hits\": 8}, "
        "\"clients\": 0, \"memory\": 0, \"refused-clients\": 0, \"descriptor-names\": 0, "
        "\"dropped-descriptors\": 0");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/shape", test_shape);
    return g_test_run();
}
