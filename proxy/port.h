/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * port: does anything in the guest listen on the agent's channel?
 *
 * Owns finding that out from QEMU. What is written to a channel whose guest end is closed is kept,
 * and carried out at the next boot, so nothing but a sync may go there.
 *
 * A virtserialport with an id tells by VSERPORT_CHANGE. One without id tells nothing, and
 * query-chardev is asked before each command. An isa-serial line has no such state and is always
 * open. A pure state machine: it says what to ask, and reads what was answered.
 */

#pragma once

#include "common/address.h"
#include "common/json-read.h"
#include "common/saved.h"

G_BEGIN_DECLS

typedef enum {
    PORT_UNKNOWN, /* QEMU does not say: the sync alone must tell */
    PORT_CLOSED,
    PORT_OPEN,
} PortState;

/* Where QOM keeps devices with an id, and those without. */
#define PORT_NAMED   "/machine/peripheral"
#define PORT_UNNAMED "/machine/peripheral-anon"

typedef struct {
    PortState state;
    char *needle;         /* what the chardev's description contains */
    gboolean comes_to_us; /* QEMU connects to the agent's address */
    char *chardev;        /* (nullable): its label, once found */
    char *device;         /* (nullable): id of the port, once found: it tells by events */
    gboolean mute;        /* the port was found, and has no id */
    gboolean searched;    /* all ports were looked at */
    GQueue candidates;    /* of char *: QOM paths of ports that were not looked at yet */
} Port;

void port_init(Port *port, const Address *agent);
void port_clear(Port *port);

/* QEMU is another one from here on: nothing is known. */
void port_restart(Port *port);

/* Whether each command must be preceded by a look at query-chardev. */
gboolean port_must_ask(const Port *port);

/* Reads what query-chardev returned. Where QEMU connects to a path, its chardev is found as long as
 * it is the only one that does. */
void port_read_chardevs(Port *port, JsonSpan chardevs);

/* Reads what qom-list of @folder, PORT_NAMED or PORT_UNNAMED, returned. */
void port_read_devices(Port *port, const char *folder, JsonSpan devices);

/**
 * port_next_candidate:
 *
 * Returns: (nullable): QOM path of a port whose `chardev` property is to be asked for next; NULL
 * ends the search, and a chardev that no port has is then a line that is always open
 */
const char *port_next_candidate(Port *port);

/* Reads what that was: absent if there was none. */
void port_read_candidate(Port *port, JsonSpan chardev);

/* Reads the data of a VSERPORT_CHANGE. Returns: whether it was about this port. */
gboolean port_read_event(Port *port, JsonSpan data);

/* What was found, for one whose QEMU goes on. */
void port_save(const Port *port, Saved *to);
void port_restore(Port *port, Saved *from);

G_END_DECLS
