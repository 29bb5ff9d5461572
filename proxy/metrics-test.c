/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The text that Prometheus reads: each sample below its family, labels that no name can break out
 * of, and histograms that add up. What it says of a real proxy is in tests/integration.
 */

#include "metrics.h"

#include <string.h>

static char *write_text(const Status *status, const char *vm)
{
    GString *out = g_string_new(NULL);

    metrics_write(status, vm, out);
    return g_string_free(out, FALSE);
}

/* Returns: how often @line is a line of @text */
static guint count_lines(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint count = 0;

    for (guint i = 0; lines[i]; i++)
        count += g_str_equal(lines[i], line);
    return count;
}

static void assert_line(const char *text, const char *line)
{
    if (count_lines(text, line) != 1)
        g_error("'%s' is there %u times in\n%s", line, count_lines(text, line), text);
}

static void assert_absent(const char *text, const char *part)
{
    if (strstr(text, part))
        g_error("'%s' is in\n%s", part, text);
}

/* Returns: a status with a lane of each kind */
static Status full(Bounds *bounds, MonitorStats monitors[2], Latency latency[STATUS_CLASSES])
{
    bounds_init(bounds);
    monitors[0] = (MonitorStats){.state = "ready", .users = 3, .commands = 4, .oob = 1};
    monitors[1] = (MonitorStats){.state = "waiting", .in_flight = 5, .waiting = 6};
    monitors[1].stale_replies = 7;
    for (guint i = 0; i < 2; i++) {
        histogram_record(&monitors[i].latency.taken, 200);
        histogram_record(&monitors[i].latency.sent, 150);
    }
    histogram_record(&latency[GUEST_CLASS_FREEZE].taken, 400 * G_USEC_PER_SEC + 1);
    return (Status){
        .qemu_connected = TRUE,
        .monitors = monitors,
        .n_monitors = 2,
        .agent_state = "frozen",
        .agent = {.commands = 11,
                  .dropped = 12,
                  .unasked = 13,
                  .faults = 14,
                  .oversized = 15,
                  .timeouts = 16,
                  .syncs = 17,
                  .bytes_in = 18,
                  .bytes_out = 19,
                  .queued = 20},
        .agent_latency = latency,
        .freeze_state = "frozen",
        .freeze_lease = 21,
        .freeze_thaws = 22,
        .clients = 23,
        .accepted = 24,
        .refused = 25,
        .commands = 26,
        .bytes_in = 27,
        .bytes_out = 28,
        .memory = 29,
        .fd_names = 30,
        .fds_dropped = 31,
        .bounds = bounds,
    };
}

static void test_values(void)
{
    static const char *const lines[] = {
        "# TYPE qga_proxy_info gauge",
        "qga_proxy_qemu_connected 1",
        "# TYPE qga_proxy_monitor_commands_total counter",
        "qga_proxy_monitor_ready{monitor=\"0\"} 1",
        "qga_proxy_monitor_ready{monitor=\"1\"} 0",
        "qga_proxy_monitor_users{monitor=\"0\"} 3",
        "qga_proxy_monitor_commands_total{monitor=\"0\"} 4",
        "qga_proxy_monitor_oob_commands_total{monitor=\"0\"} 1",
        "qga_proxy_monitor_in_flight{monitor=\"1\"} 5",
        "qga_proxy_monitor_waiting{monitor=\"1\"} 6",
        "qga_proxy_monitor_stale_replies_total{monitor=\"1\"} 7",
        "qga_proxy_agent_state{state=\"frozen\"} 1",
        "qga_proxy_agent_state{state=\"ready\"} 0",
        "qga_proxy_agent_commands_total 11",
        "qga_proxy_agent_dropped_messages_total 12",
        "qga_proxy_agent_unasked_replies_total 13",
        "qga_proxy_agent_faults_total 14",
        "qga_proxy_agent_oversized_total 15",
        "qga_proxy_agent_timeouts_total 16",
        "qga_proxy_agent_syncs_total 17",
        "qga_proxy_agent_received_bytes_total 18",
        "qga_proxy_agent_sent_bytes_total 19",
        "qga_proxy_agent_queued 20",
        "qga_proxy_freeze_state{state=\"frozen\"} 1",
        "qga_proxy_freeze_state{state=\"thawed\"} 0",
        "qga_proxy_freeze_lease_seconds 21",
        "qga_proxy_thaws_total 22",
        "qga_proxy_clients 23",
        "qga_proxy_accepted_clients_total 24",
        "qga_proxy_refused_clients_total 25",
        "qga_proxy_client_commands_total 26",
        "qga_proxy_client_received_bytes_total 27",
        "qga_proxy_client_sent_bytes_total 28",
        "qga_proxy_memory_bytes 29",
        "qga_proxy_descriptor_names 30",
        "qga_proxy_dropped_descriptors_total 31",
        "qga_proxy_limit{name=\"clients\"} 2048",
    };
    Bounds bounds;
    MonitorStats monitors[2];
    Latency latency[STATUS_CLASSES] = {0};
    Status status = full(&bounds, monitors, latency);
    g_autofree char *text = NULL;

    text = write_text(&status, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_line(text, lines[i]);
    assert_line(text, "qga_proxy_info{version=\"" QGA_PROXY_VERSION "\"} 1");
    g_assert_true(g_str_has_suffix(text, "\n"));
}

/* Both monitors' together; what is longer than all bounds is in the last bucket alone. */
static void test_histograms(void)
{
    static const char *const lines[] = {
        "# TYPE qga_proxy_qemu_command_seconds histogram",
        "qga_proxy_qemu_command_seconds_bucket{le=\"0.000100\"} 0",
        "qga_proxy_qemu_command_seconds_bucket{le=\"0.000250\"} 2",
        "qga_proxy_qemu_command_seconds_bucket{le=\"300.000000\"} 2",
        "qga_proxy_qemu_command_seconds_bucket{le=\"+Inf\"} 2",
        "qga_proxy_qemu_command_seconds_sum 0.000400",
        "qga_proxy_qemu_command_seconds_count 2",
        "qga_proxy_qemu_answer_seconds_sum 0.000300",
        "qga_proxy_agent_command_seconds_bucket{le=\"300.000000\",class=\"freeze\"} 0",
        "qga_proxy_agent_command_seconds_bucket{le=\"+Inf\",class=\"freeze\"} 1",
        "qga_proxy_agent_command_seconds_sum{class=\"freeze\"} 400.000001",
        "qga_proxy_agent_command_seconds_count{class=\"freeze\"} 1",
        "qga_proxy_agent_command_seconds_count{class=\"thaw\"} 0",
        "qga_proxy_agent_answer_seconds_count{class=\"freeze\"} 0",
    };
    Bounds bounds;
    MonitorStats monitors[2];
    Latency latency[STATUS_CLASSES] = {0};
    Status status = full(&bounds, monitors, latency);
    g_autofree char *text = NULL;

    text = write_text(&status, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_line(text, lines[i]);
}

/* What is not there has no series. */
static void test_without_agent(void)
{
    Bounds bounds;
    Status status = {.bounds = &bounds, .freeze_lease = -1};
    g_autofree char *text = NULL;

    bounds_init(&bounds);
    text = write_text(&status, NULL);
    assert_line(text, "qga_proxy_qemu_connected 0");
    assert_absent(text, "agent_");
    assert_absent(text, "freeze_");
    assert_absent(text, "vm=");
    status.freeze_state = "thawed";
    status.agent_state = "offline";
    g_free(text);
    text = write_text(&status, NULL);
    assert_line(text, "qga_proxy_agent_state{state=\"offline\"} 1");
    assert_absent(text, "lease");
}

/* A name with anything in it is one label of each sample, and makes no line of its own. */
static void test_name(void)
{
    static const struct {
        const char *name, *label;
    } cases[] = {
        {"a", "a"},
        {"", ""},
        {"a\\b", "a\\\\b"},
        {"a\"b", "a\\\"b"},
        {"a\nqga_proxy_clients 7", "a\\nqga_proxy_clients 7"},
        {"\"} 1\n", "\\\"} 1\\n"},
        {"sp\xc3\xa4n", "sp\xc3\xa4n"},
        {"\xff", "\xef\xbf\xbd"},
    };
    Bounds bounds;
    MonitorStats monitors[2];
    Latency latency[STATUS_CLASSES] = {0};
    Status status = full(&bounds, monitors, latency);

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = write_text(&status, cases[i].name);
        g_autofree char *label = g_strdup_printf("{vm=\"%s\"", cases[i].label);
        g_autofree char *clients = g_strdup_printf("qga_proxy_clients%s} 23", label);
        g_autofree char *limit = g_strdup_printf("qga_proxy_limit%s,name=\"clients\"} 2048", label);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        assert_line(text, clients);
        assert_line(text, limit);
        for (guint j = 0; lines[j + 1]; j++)
            g_assert_true(lines[j][0] == '#' || strstr(lines[j], label));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/metrics/values", test_values);
    g_test_add_func("/metrics/histograms", test_histograms);
    g_test_add_func("/metrics/without-agent", test_without_agent);
    g_test_add_func("/metrics/name", test_name);
    return g_test_run();
}
