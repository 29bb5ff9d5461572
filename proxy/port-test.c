/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whether the agent's port is open, from what QEMU 7.2 really answers, and from what it answers
 * about the neighbours of that port.
 */

#include "port.h"

#include <string.h>

static JsonSpan span(const char *text)
{
    return (JsonSpan){text, strlen(text)};
}

static void init(Port *port, const char *agent)
{
    const AddressDefaults defaults = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(Address) address = address_parse(agent, &defaults, &error);

    g_assert_no_error(error);
    port_init(port, address);
}

static void read_chardev(Port *port, const char *filename, gboolean open)
{
    g_autofree char *text = g_strdup_printf(
        "[{\"frontend-open\": true, \"filename\": \"vc\", \"label\": \"parallel0\"},"
        " {\"frontend-open\": %s, \"filename\": \"%s\", \"label\": \"qga0\"}]",
        open ? "true" : "false", filename);

    port_read_chardevs(port, span(text));
}

static void test_finds_chardev(void)
{
    static const struct {
        const char *agent, *filename;
        gboolean found;
    } cases[] = {
        {"unix:/run/qga", "unix:/run/qga,server=on", TRUE},
        {"unix:/run/qga", "unix:/run/qga", TRUE},
        {"unix:/run/qga", "disconnected:unix:/run/qga,server=on", TRUE},
        {"unix:/run/vm1", "unix:/run/vm10,server=on", FALSE},
        {"unix:/run/vm1", "unix:/var/run/vm1,server=on", FALSE},
        {"unix:/run/vm1", "unix:/run/vm1.d/qga", FALSE},
        {"tcp:localhost:4445", "tcp:127.0.0.1:4445,server=on <-> 127.0.0.1:50312", TRUE},
        {"tcp:localhost:4445", "disconnected:tcp:127.0.0.1:4445,server=on", TRUE},
        {"tcp:localhost:4445", "tcp:127.0.0.1:50312 <-> 127.0.0.1:4445", TRUE},
        {"tcp:localhost:4445", "tcp:127.0.0.1:44450 <-> 127.0.0.1:4445", TRUE},
        {"tcp:localhost:4445", "tcp:127.0.0.1:44450,server=on <-> 127.0.0.1:50312", FALSE},
        {"fd:7", "unix:/run/qga,server=on", FALSE},
        {"unix:/run/qga,server=on", "unix:", TRUE},
        {"unix:/run/qga,server=on", "disconnected:unix:/run/qga", TRUE},
        {"unix:/run/qga", "unix:", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Port port;

        g_test_message("%s in %s", cases[i].agent, cases[i].filename);
        init(&port, cases[i].agent);
        g_assert_cmpint(port.state, ==, PORT_UNKNOWN);
        g_assert_false(port_must_ask(&port));
        read_chardev(&port, cases[i].filename, TRUE);
        g_assert_cmpint(port.state, ==, cases[i].found ? PORT_OPEN : PORT_UNKNOWN);
        g_assert_cmpint(port_must_ask(&port), ==, cases[i].found);
        read_chardev(&port, cases[i].filename, FALSE);
        g_assert_cmpint(port.state, ==, cases[i].found ? PORT_CLOSED : PORT_UNKNOWN);
        port_clear(&port);
    }
}

/* Answers that are absent (an error came) or of another shape tell nothing, and break nothing. */
static void test_odd_answers(void)
{
    static const char *const answers[] = {
        "{}",
        "[]",
        "[1, null, {}]",
        "[{\"filename\": 5, \"frontend-open\": true}]",
        "\"text\"",
        "null",
        "[{\"filename\": \"unix:/run/qga\", \"frontend-open\": 1}]",
    };
    Port port;

    init(&port, "unix:/run/qga");
    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        port_read_chardevs(&port, span(answers[i]));
        port_read_devices(&port, PORT_NAMED, span(answers[i]));
        port_read_event(&port, span(answers[i]));
        g_assert_null(port_next_candidate(&port));
    }
    port_read_chardevs(&port, JSON_SPAN_NONE);
    port_read_devices(&port, PORT_NAMED, JSON_SPAN_NONE);
    port_read_candidate(&port, JSON_SPAN_NONE);
    g_assert_cmpint(port.state, ==, PORT_UNKNOWN);
    port_clear(&port);
}

static void read_two_ports(Port *port)
{
    read_chardev(port, "unix:/run/qga,server=on", FALSE);
    port_read_devices(port, PORT_NAMED,
                      span("[{\"name\": \"vs0\", \"type\": \"child<virtio-serial-pci>\"},"
                           " {\"name\": \"spice\", \"type\": \"child<virtserialport>\"},"
                           " {\"name\": \"port0\", \"type\": \"child<virtserialport>\"},"
                           " {\"name\": \"later\", \"type\": \"child<virtserialport>\"},"
                           " {\"name\": \"type\", \"type\": \"string\"}]"));
}

/* Each port is asked for its chardev until it is the agent's; from then on its events tell. */
static void test_finds_device(void)
{
    Port port;

    init(&port, "unix:/run/qga");
    read_two_ports(&port);
    g_assert_true(port_must_ask(&port));
    g_assert_cmpstr(port_next_candidate(&port), ==, "/machine/peripheral/spice");
    port_read_candidate(&port, span("\"spicechannel\""));
    g_assert_cmpstr(port_next_candidate(&port), ==, "/machine/peripheral/port0");
    port_read_candidate(&port, span("\"qga0\""));
    g_assert_null(port_next_candidate(&port));
    g_assert_false(port_must_ask(&port));
    g_assert_cmpint(port.state, ==, PORT_CLOSED);

    g_assert_false(port_read_event(&port, span("{\"open\": true, \"id\": \"spice\"}")));
    g_assert_false(port_read_event(&port, span("{\"open\": 1, \"id\": \"port0\"}")));
    g_assert_cmpint(port.state, ==, PORT_CLOSED);
    g_assert_true(port_read_event(&port, span("{\"open\": true, \"id\": \"port0\"}")));
    g_assert_cmpint(port.state, ==, PORT_OPEN);
    g_assert_true(port_read_event(&port, span("{\"open\": false, \"id\": \"port0\"}")));
    g_assert_cmpint(port.state, ==, PORT_CLOSED);
    port_clear(&port);
}

/* The wiki's own command line has a port without id: no event is about it, and query-chardev must
 * do. */
static void test_without_id(void)
{
    Port port;

    init(&port, "unix:/run/qga");
    read_two_ports(&port);
    port_read_devices(&port, PORT_UNNAMED,
                      span("[{\"name\": \"device[1]\", \"type\": \"child<virtserialport>\"}]"));
    for (guint i = 0; i < 3; i++) {
        g_assert_nonnull(port_next_candidate(&port));
        port_read_candidate(&port, JSON_SPAN_NONE);
    }
    g_assert_cmpstr(port_next_candidate(&port), ==, "/machine/peripheral-anon/device[1]");
    port_read_candidate(&port, span("\"qga0\""));
    g_assert_null(port_next_candidate(&port));
    g_assert_true(port_must_ask(&port));
    g_assert_false(port_read_event(&port, span("{\"open\": true, \"id\": \"port0\"}")));
    port_restart(&port);
    g_assert_false(port_must_ask(&port));
    port_clear(&port);
}

/* No port has the chardev: it is a serial line's, which is always open. Until that is known, it is
 * asked. */
static void test_serial_line(void)
{
    Port port;

    init(&port, "unix:/run/qga");
    read_two_ports(&port);
    while (port_next_candidate(&port)) {
        g_assert_true(port_must_ask(&port));
        port_read_candidate(&port, JSON_SPAN_NONE);
    }
    g_assert_false(port_must_ask(&port));
    port_clear(&port);
}

static void test_restart(void)
{
    Port port;

    init(&port, "unix:/run/qga");
    read_two_ports(&port);
    port_read_candidate(&port, span("\"qga0\""));
    port_restart(&port);
    g_assert_cmpint(port.state, ==, PORT_UNKNOWN);
    g_assert_null(port_next_candidate(&port));
    g_assert_false(port_must_ask(&port));
    g_assert_false(port_read_event(&port, span("{\"open\": true, \"id\": \"spice\"}")));

    read_two_ports(&port);
    g_assert_cmpstr(port_next_candidate(&port), ==, "/machine/peripheral/spice");
    port_clear(&port);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/port/finds-chardev", test_finds_chardev);
    g_test_add_func("/port/odd-answers", test_odd_answers);
    g_test_add_func("/port/finds-device", test_finds_device);
    g_test_add_func("/port/without-id", test_without_id);
    g_test_add_func("/port/serial-line", test_serial_line);
    g_test_add_func("/port/restart", test_restart);
    return g_test_run();
}
