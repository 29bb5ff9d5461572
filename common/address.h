/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * address: endpoints, written as QEMU writes them.
 *
 *   unix:PATH  tcp:HOST:PORT  vsock:CID:PORT  fd:N
 *   behind it, in any order, the last of a kind counts:
 *   ,server[=on|off] ,noserver ,wait[=on|off] ,nowait ,reconnect=SECONDS ,nodelay
 *   ,pretty[=on|off] ,mode=OCTAL ,user=NAME|UID ,group=NAME|GID
 *
 * An IPv6 address stands in brackets, an abstract unix name behind '@'; an empty HOST or CID
 * listens on all there are. A comma that belongs to a name is written twice.
 *
 * Owns the syntax. Leaves sockets to proxy/listener.h and proxy/dial.h, and with them whether there
 * is such a host, user or descriptor.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum { ADDRESS_UNIX, ADDRESS_TCP, ADDRESS_VSOCK, ADDRESS_FD } AddressKind;

/* The kernel's name for "any context" */
#define ADDRESS_CID_ANY G_MAXUINT32

/* The largest number of a user or a group: the one above it is the kernel's for "none". */
#define ADDRESS_ID_MAX (G_MAXUINT32 - 1)

typedef struct {
    AddressKind kind;
    char *path;      /* unix; a leading '@' means the abstract name space */
    char *host;      /* tcp: without the brackets of an IPv6 address; "" for any */
    char *port;      /* tcp: number or service name */
    guint32 cid;     /* vsock */
    guint32 number;  /* vsock: port · fd: descriptor */
    gboolean server; /* listens, instead of connecting */
    gboolean wait;   /* QEMU's start waits for the first client; only with server */
    guint reconnect; /* seconds; 0 for not at all; never with server */
    gboolean pretty; /* replies are indented */
    guint mode;      /* of the path of a unix server; 0 for what the umask leaves */
    char *user;      /* (nullable): its owner, name or number */
    char *group;     /* (nullable): the same */
} Address;

/* What an address means that does not say: each option of the command line has its own. */
typedef struct {
    gboolean server;
    gboolean wait; /* where it is a server */
} AddressDefaults;

/**
 * address_parse:
 * @text: as above
 * @error: quotes @text and names the part that is wrong; of domain ADDRESS_ERROR
 */
Address *address_parse(const char *text, const AddressDefaults *defaults,
                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
Address *address_copy(const Address *address);
void address_free(Address *address);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Address, address_free)

/* Whether it is a unix socket that is seen in the file system. */
gboolean address_has_path(const Address *address);

/* Returns: (transfer full): the address without its options, for messages: "tcp:localhost:4444" */
char *address_to_string(const Address *address);

#define ADDRESS_ERROR (address_error_quark())
GQuark address_error_quark(void);

typedef enum { ADDRESS_ERROR_SYNTAX } AddressError;

G_END_DECLS
