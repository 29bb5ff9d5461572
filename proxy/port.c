/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "port.h"

#include <string.h>

/* query-chardev describes a socket as "unix:/path,server=on" or "tcp:127.0.0.1:4445 <-> …", with
 * "disconnected:" in front while nobody is there. */
void port_init(Port *port, const Address *agent)
{
    *port = (Port){.state = PORT_UNKNOWN};
    g_queue_init(&port->candidates);
    if (agent->kind == ADDRESS_UNIX)
        port->needle = g_strdup_printf("unix:%s", agent->path);
    else if (agent->kind == ADDRESS_TCP)
        port->needle = g_strdup_printf(":%s", agent->port);
    port->comes_to_us = agent->server;
}

static void forget(Port *port)
{
    g_queue_clear_full(&port->candidates, g_free);
    g_clear_pointer(&port->chardev, g_free);
    g_clear_pointer(&port->device, g_free);
    port->state = PORT_UNKNOWN;
    port->mute = FALSE;
    port->searched = FALSE;
}

void port_clear(Port *port)
{
    forget(port);
    g_clear_pointer(&port->needle, g_free);
}

void port_restart(Port *port)
{
    forget(port);
}

gboolean port_must_ask(const Port *port)
{
    return port->chardev && !port->device && (port->mute || !port->searched);
}

/* The needle must be followed by the end of the address: /run/vm1 is not /run/vm10. A TCP
 * connection is described by both its ends, and either may be the one. */
static gboolean describes(const char *filename, const char *needle)
{
    gsize len = strlen(needle);

    for (const char *at = filename; (at = strstr(at, needle)); at += len)
        if (strchr(", ", at[len]))
            return TRUE;
    return FALSE;
}

static gboolean take_chardev(Port *port, JsonSpan chardev)
{
    gboolean open;

    if (!json_read_boolean(json_read_get(chardev, "frontend-open"), &open))
        return FALSE;
    g_free(port->chardev);
    port->chardev = json_read_string(json_read_get(chardev, "label"));
    port->state = open ? PORT_OPEN : PORT_CLOSED;
    return TRUE;
}

/* One that has connected to a path is described by its own end, which has no name. */
static gboolean is_nameless(const Port *port, const char *filename)
{
    return port->comes_to_us && g_str_equal(filename, "unix:");
}

void port_read_chardevs(Port *port, JsonSpan chardevs)
{
    JsonWalk walk = json_read_walk(chardevs);
    JsonSpan chardev, last;
    guint nameless = 0;

    while (port->needle && json_read_element(&walk, &chardev)) {
        g_autofree char *filename = json_read_string(json_read_get(chardev, "filename"));

        if (filename && describes(filename, port->needle) && take_chardev(port, chardev))
            return;
        if (filename && is_nameless(port, filename)) {
            nameless++;
            last = chardev;
        }
    }
    if (nameless == 1)
        (void)take_chardev(port, last);
}

void port_read_devices(Port *port, const char *folder, JsonSpan devices)
{
    JsonWalk walk = json_read_walk(devices);
    JsonSpan device;

    while (json_read_element(&walk, &device)) {
        g_autofree char *name = json_read_string(json_read_get(device, "name"));

        if (name && json_read_is(json_read_get(device, "type"), "child<virtserialport>"))
            g_queue_push_tail(&port->candidates, g_strdup_printf("%s/%s", folder, name));
    }
}

const char *port_next_candidate(Port *port)
{
    const char *next = g_queue_peek_head(&port->candidates);

    port->searched = port->device || port->mute || !next;
    return port->searched ? NULL : next;
}

void port_read_candidate(Port *port, JsonSpan chardev)
{
    g_autofree char *path = g_queue_pop_head(&port->candidates);

    if (!path || !port->chardev || !json_read_is(chardev, port->chardev))
        return;
    if (g_str_has_prefix(path, PORT_NAMED "/"))
        port->device = g_strdup(path + strlen(PORT_NAMED "/"));
    else
        port->mute = TRUE;
}

gboolean port_read_event(Port *port, JsonSpan data)
{
    gboolean open;

    if (!port->device || !json_read_is(json_read_get(data, "id"), port->device) ||
        !json_read_boolean(json_read_get(data, "open"), &open))
        return FALSE;
    port->state = open ? PORT_OPEN : PORT_CLOSED;
    return TRUE;
}

void port_save(const Port *port, Saved *to)
{
    saved_put_int(to, "state", port->state);
    saved_put_text(to, "chardev", port->chardev);
    saved_put_text(to, "device", port->device);
    saved_put_int(to, "mute", port->mute);
    saved_put_int(to, "searched", port->searched);
}

void port_restore(Port *port, Saved *from)
{
    port->state = (PortState)saved_get_int(from, "state");
    port->chardev = saved_get_text(from, "chardev");
    port->device = saved_get_text(from, "device");
    port->mute = saved_get_int(from, "mute") != 0;
    port->searched = saved_get_int(from, "searched") != 0;
}
