/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The shape of what qga-proxy-status returns, with and without an agent, with and without trouble.
 */

#include "status.h"

static void assert_written(const Status *status, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);

    status_write(status, out);
    g_assert_cmpstr(out->str, ==, expected);
}

static void test_shape(void)
{
    assert_written(&(Status){.qemu_connected = TRUE, .clients = 2, .memory = 4096},
                   "{\"version\": \"" QGA_PROXY_VERSION "\", \"qemu\": {\"connected\": true}, "
                   "\"clients\": 2, \"memory\": 4096}");
    assert_written(
        &(Status){
            .qemu_trouble = "cannot connect to \"unix:/x\"",
            .agent_state = "ready",
            .agent_version = "7.2.22",
            .agent =
                {.commands = 1, .dropped = 2, .faults = 3, .timeouts = 4, .syncs = 5, .queued = 6},
        },
        "{\"version\": \"" QGA_PROXY_VERSION "\", "
        "\"qemu\": {\"connected\": false, \"trouble\": \"cannot connect to \\\"unix:/x\\\"\"}, "
        "\"agent\": {\"state\": \"ready\", \"version\": \"7.2.22\", \"queued\": 6, "
        "\"commands\": 1, \"dropped\": 2, \"faults\": 3, \"timeouts\": 4, \"syncs\": 5}, "
        "\"clients\": 0, \"memory\": 0}");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/status/shape", test_shape);
    return g_test_run();
}
