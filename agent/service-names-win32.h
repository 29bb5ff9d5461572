/* SPDX-License-Identifier: GPL-2.0-or-later */

/* service-names: what Windows calls the agent: qemu-ga's names, so that one takes the other's
 * place.
 */

#pragma once

#define SERVICE_NAME    "QEMU-GA"
#define SERVICE_TITLE   "QEMU Guest Agent"
#define SERVICE_PURPOSE "Answers the host that runs this virtual machine."

/* In the event log. */
#define SYSTEM_LOG_SOURCE "qemu-ga"
