/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "metrics.h"

#include "proxy/proxy-arguments.h"

#include <string.h>

#define PREFIX "qga_proxy_"

typedef struct {
    GString *out;
    char *vm;         /* (nullable) */
    const char *name; /* of what is being written, without the prefix */
} Text;

/* ---- Lines ----------------------------------------------------------------------------------- */

static void append_label(Text *text, char before, const char *name, const char *value)
{
    g_string_append_printf(text->out, "%c%s=\"", before, name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            g_string_append_c(text->out, '\\');
        if (*value == '\n')
            g_string_append(text->out, "\\n");
        else
            g_string_append_c(text->out, *value);
    }
    g_string_append_c(text->out, '"');
}

/* @labels: pairs, up to a NULL */
static void append_front(Text *text, const char *suffix, const char *const *labels)
{
    char before = '{';

    g_string_append_printf(text->out, PREFIX "%s%s", text->name, suffix);
    if (text->vm) {
        append_label(text, before, "vm", text->vm);
        before = ',';
    }
    for (; labels[0]; labels += 2) {
        append_label(text, before, labels[0], labels[1]);
        before = ',';
    }
    if (before == ',')
        g_string_append_c(text->out, '}');
    g_string_append_c(text->out, ' ');
}

static void put(Text *text, const char *const *labels, guint64 value)
{
    append_front(text, "", labels);
    g_string_append_printf(text->out, "%" G_GUINT64_FORMAT "\n", value);
}

static void begin(Text *text, const char *name, const char *type, const char *help)
{
    text->name = name;
    g_string_append_printf(text->out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
                           help, name, type);
}

#define NO_LABELS ((const char *const[]){NULL})

static void counter(Text *text, const char *name, guint64 value, const char *help)
{
    begin(text, name, "counter", help);
    put(text, NO_LABELS, value);
}

static void gauge(Text *text, const char *name, guint64 value, const char *help)
{
    begin(text, name, "gauge", help);
    put(text, NO_LABELS, value);
}

/* One of some states: 1 for that, 0 for the others. */
static void states(Text *text, const char *name, const char *const *choices, guint n,
                   const char *state, const char *help)
{
    begin(text, name, "gauge", help);
    for (guint i = 0; i < n; i++)
        put(text, (const char *const[]){"state", choices[i], NULL}, g_str_equal(choices[i], state));
}

/* ---- Histograms ------------------------------------------------------------------------------ */

/* Whatever the locale, and without the rounding of a double. */
static char *seconds(guint64 us)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT ".%06" G_GUINT64_FORMAT, us / G_USEC_PER_SEC,
                           us % G_USEC_PER_SEC);
}

static void put_bucket(Text *text, const Histogram *histogram, guint bound, const char *class)
{
    g_autofree char *le =
        bound < HISTOGRAM_BOUNDS ? seconds(histogram_bounds_us[bound]) : g_strdup("+Inf");
    const char *labels[] = {"le", le, class ? "class" : NULL, class, NULL};

    append_front(text, "_bucket", labels);
    g_string_append_printf(text->out, "%" G_GUINT64_FORMAT "\n", histogram_up_to(histogram, bound));
}

/* @class: (nullable) */
static void put_histogram(Text *text, const Histogram *histogram, const char *class)
{
    const char *labels[] = {class ? "class" : NULL, class, NULL};
    g_autofree char *sum = seconds(histogram->sum_us);

    for (guint i = 0; i <= HISTOGRAM_BOUNDS; i++)
        put_bucket(text, histogram, i, class);
    append_front(text, "_sum", labels);
    g_string_append_printf(text->out, "%s\n", sum);
    append_front(text, "_count", labels);
    g_string_append_printf(text->out, "%" G_GUINT64_FORMAT "\n",
                           histogram_up_to(histogram, HISTOGRAM_BOUNDS));
}

/* ---- What there is --------------------------------------------------------------------------- */

static void write_clients(Text *text, const Status *status)
{
    gauge(text, "clients", status->clients, "Connected clients.");
    counter(text, "accepted_clients_total", status->accepted, "Clients accepted so far.");
    counter(text, "refused_clients_total", status->refused,
            "Clients turned away because a limit was reached.");
    counter(text, "client_commands_total", status->commands, "Commands received from clients.");
    counter(text, "client_received_bytes_total", status->bytes_in, "Bytes received from clients.");
    counter(text, "client_sent_bytes_total", status->bytes_out, "Bytes sent to clients.");
    gauge(text, "memory_bytes", status->memory, "Memory held for clients.");
    gauge(text, "descriptor_names", status->fd_names,
          "Names of file descriptors that clients hold in QEMU.");
    counter(text, "dropped_descriptors_total", status->fds_dropped,
            "File descriptors that came with a command that takes none.");
}

typedef guint64 (*MonitorValue)(const MonitorStats *monitor);

static guint64 is_ready(const MonitorStats *monitor)
{
    return g_str_equal(monitor->state, "ready");
}

static guint64 users(const MonitorStats *monitor)
{
    return monitor->users;
}

static guint64 commands(const MonitorStats *monitor)
{
    return monitor->commands;
}

static guint64 out_of_band(const MonitorStats *monitor)
{
    return monitor->oob;
}

static guint64 in_flight(const MonitorStats *monitor)
{
    return monitor->in_flight;
}

static guint64 waiting(const MonitorStats *monitor)
{
    return monitor->waiting;
}

static guint64 stale_replies(const MonitorStats *monitor)
{
    return monitor->stale_replies;
}

static void write_monitors(Text *text, const Status *status)
{
    static const struct {
        const char *name, *type, *help;
        MonitorValue value;
    } families[] = {
        {"monitor_ready", "gauge", "Whether this monitor of QEMU can be used.", is_ready},
        {"monitor_users", "gauge", "Clients that use this monitor.", users},
        {"monitor_commands_total", "counter", "Commands sent to it.", commands},
        {"monitor_oob_commands_total", "counter", "Out-of-band commands among them.", out_of_band},
        {"monitor_in_flight", "gauge", "Commands sent and not answered yet.", in_flight},
        {"monitor_waiting", "gauge", "Commands waiting to be sent.", waiting},
        {"monitor_stale_replies_total", "counter", "Replies meant for a former connection.",
         stale_replies},
    };

    gauge(text, "qemu_connected", (guint64)status->qemu_connected,
          "Whether any monitor is connected.");
    for (gsize i = 0; i < G_N_ELEMENTS(families); i++) {
        begin(text, families[i].name, families[i].type, families[i].help);
        for (guint j = 0; j < status->n_monitors; j++) {
            g_autofree char *number = g_strdup_printf("%u", j);

            put(text, (const char *const[]){"monitor", number, NULL},
                families[i].value(&status->monitors[j]));
        }
    }
}

static void write_agent(Text *text, const Status *status)
{
    const AgentStats *agent = &status->agent;

    states(text, "agent_state", qga_proxy_agent_state_choices, QGA_PROXY_AGENT_STATE_BUSY + 1,
           status->agent_state, "State of the guest agent, one of them 1.");
    gauge(text, "agent_channel", status->agent_channel,
          "Which of its channels is in use, counted from 0.");
    gauge(text, "agent_queued", agent->queued, "Commands waiting for the agent.");
    counter(text, "agent_commands_total", agent->commands, "Commands sent to it.");
    counter(text, "agent_dropped_messages_total", agent->dropped,
            "Messages from it that answered nothing.");
    counter(text, "agent_unasked_replies_total", agent->unasked,
            "Late or forged replies among them.");
    counter(text, "agent_faults_total", agent->faults,
            "Times that it sent something that is not JSON.");
    counter(text, "agent_oversized_total", agent->oversized, "Messages from it above a limit.");
    counter(text, "agent_timeouts_total", agent->timeouts, "Commands not answered in time.");
    counter(text, "agent_syncs_total", agent->syncs, "Syncs sent to it.");
    counter(text, "agent_received_bytes_total", agent->bytes_in, "Bytes received from it.");
    counter(text, "agent_sent_bytes_total", agent->bytes_out, "Bytes sent to it.");
}

static void write_freeze(Text *text, const Status *status)
{
    static const char *const choices[] = {"thawed", "freezing", "frozen", "thawing"};

    states(text, "freeze_state", choices, G_N_ELEMENTS(choices), status->freeze_state,
           "State of the guest's filesystems, one of them 1.");
    if (status->freeze_lease >= 0)
        gauge(text, "freeze_lease_seconds", (guint64)status->freeze_lease,
              "Seconds until the proxy thaws them.");
    counter(text, "thaws_total", status->freeze_thaws, "Thaws by the proxy itself.");
}

static void write_latency(Text *text, const Status *status)
{
    Latency qemu = status_qemu_latency(status);

    begin(text, "qemu_command_seconds", "histogram",
          "Time from taking a client's command for QEMU to its answer.");
    put_histogram(text, &qemu.taken, NULL);
    begin(text, "qemu_answer_seconds", "histogram", "Time from sending it to its answer.");
    put_histogram(text, &qemu.sent, NULL);
    if (!status->agent_latency)
        return;
    begin(text, "agent_command_seconds", "histogram",
          "Time from taking a client's command for the agent to its answer.");
    for (guint i = 0; i < STATUS_CLASSES; i++)
        put_histogram(text, &status->agent_latency[i].taken, status_class_names[i]);
    begin(text, "agent_answer_seconds", "histogram", "Time from sending it to its answer.");
    for (guint i = 0; i < STATUS_CLASSES; i++)
        put_histogram(text, &status->agent_latency[i].sent, status_class_names[i]);
}

static void write_limits(Text *text, const Bounds *bounds)
{
    begin(text, "limit", "gauge", "A limit of the proxy, by its name.");
    for (const Bound *bound = bounds_table; bound->name; bound++)
        put(text, (const char *const[]){"name", bound->name, NULL}, bounds_get(bounds, bound));
}

void metrics_write(const Status *status, const char *vm, GString *out)
{
    Text text = {.out = out, .vm = vm ? g_utf8_make_valid(vm, -1) : NULL};

    begin(&text, "info", "gauge", "Which proxy this is.");
    put(&text, (const char *const[]){"version", QGA_PROXY_VERSION, NULL}, 1);
    write_monitors(&text, status);
    if (status->agent_state)
        write_agent(&text, status);
    if (status->freeze_state)
        write_freeze(&text, status);
    write_clients(&text, status);
    write_latency(&text, status);
    write_limits(&text, status->bounds);
    g_free(text.vm);
}
