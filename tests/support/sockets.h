/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * sockets: the other end of what is under test, made by plain system calls.
 *
 * Every function asserts that it worked. Sockets block, and are closed on exec.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @path: a leading '@' means the abstract name space */
int sockets_listen_unix(const char *path, int backlog);
int sockets_connect_unix(const char *path);

/* @host: a number · @port: 0 for one that the kernel chooses */
int sockets_listen_tcp(const char *host, guint16 port, int backlog);

/* Listens not: whoever connects is refused, as long as it is open. */
int sockets_bind_tcp(const char *host, guint16 port);
int sockets_connect_tcp(const char *host, guint16 port);

/* Returns: a descriptor from which @text can be read, and then no more */
int sockets_readable(const char *text);

/* Reads all of it, and closes it. Returns: (transfer full) */
char *sockets_read_all(int fd);

/* Of @fd's own end. */
guint16 sockets_port(int fd);

/* Whether this host has the address at all. */
gboolean sockets_have(const char *host);

/* Descriptors that this process has open: what is equal before and after leaks none. */
guint sockets_open_descriptors(void);

/* From now on this process gets no further descriptor, until told to get them again. */
void sockets_forbid_descriptors(gboolean forbid);

G_END_DECLS
