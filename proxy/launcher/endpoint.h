/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * endpoint: a socket chardev of QEMU's, as an address of the proxy.
 *
 * Owns QEMU's keys and defaults: it connects unless it is told to be a server, and a server waits
 * for its first client unless it is told not to. Leaves the address itself to the daemon, which
 * takes QEMU's syntax.
 */

#pragma once

#include "option.h"

G_BEGIN_DECLS

typedef struct {
    char *address;  /* for --listen or --agent-listen */
    int fd;         /* an inherited descriptor that is in it, or -1 */
    gboolean waits; /* QEMU is to wait for a client */
} Endpoint;

typedef enum {
    ENDPOINT_SERVED,
    ENDPOINT_FOREIGN, /* what the proxy does not do: TLS, telnet, a terminal; *ret_why tells */
    ENDPOINT_WRONG,   /* a mistake; *error is set */
} EndpointKind;

/**
 * endpoint_read:
 * @option: of a chardev with the backend "socket"
 * @ret_why: (out) (transfer full): with ENDPOINT_FOREIGN
 */
EndpointKind endpoint_read(const Option *option, gboolean pretty, Endpoint *ret, char **ret_why,
                           GError **error);

/* The same of what stands behind -qmp: `tcp:localhost:4444,server`. */
EndpointKind endpoint_read_short(const char *text, gboolean pretty, Endpoint *ret, char **ret_why,
                                 GError **error);
void endpoint_clear(Endpoint *endpoint);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Endpoint, endpoint_clear)

G_END_DECLS
