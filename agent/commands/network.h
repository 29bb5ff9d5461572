/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * network: guest-network-get-interfaces, guest-network-get-route.
 *
 * Interfaces come and go while they are told of. So all that is told of them comes from one list
 * and one file: nothing is asked of an interface by its name, which may be gone by then.
 */

#pragma once

#include <ifaddrs.h>

#include "agent/dispatch.h"

/**
 * network_write_interfaces:
 * @list: (nullable): from getifaddrs()
 * @counters: text of /proc/net/dev, which is taken apart in place
 */
void network_write_interfaces(JsonWrite *write, const struct ifaddrs *list, char *counters);
