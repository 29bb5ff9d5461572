/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libqga-proxy: guest agent commands on QEMU's QMP server, for many clients.
 *
 * This is the only header of the library.
 */

#pragma once

#include <gio/gunixfdlist.h>
#include <glib-object.h>

G_BEGIN_DECLS

#ifndef QGA_PROXY_API
#define QGA_PROXY_API __attribute__((visibility("default"))) extern
#endif

/**
 * QGA_PROXY_ERROR:
 *
 * Domain of the errors of this library.
 */
#define QGA_PROXY_ERROR (qga_proxy_error_quark())

/**
 * qga_proxy_error_quark:
 *
 * What %QGA_PROXY_ERROR stands for.
 *
 * Returns: the domain of the errors of this library
 */
QGA_PROXY_API GQuark qga_proxy_error_quark(void);

#define QGA_TYPE_PROXY_ERROR (qga_proxy_error_get_type())
QGA_PROXY_API GType qga_proxy_error_get_type(void);

/**
 * QgaProxyError:
 * @QGA_PROXY_ERROR_ADDRESS: an address is not written as QEMU writes them
 * @QGA_PROXY_ERROR_SOCKET: a socket cannot be made or bound
 * @QGA_PROXY_ERROR_STATE: the call does not belong here: the proxy was started, or stopped
 * @QGA_PROXY_ERROR_LIMIT: there is no such limit, or the value is out of its range
 * @QGA_PROXY_ERROR_FILE: a file or directory is not there, or not usable
 * @QGA_PROXY_ERROR_CACHE: the answers of a command cannot be kept, or not for so long
 *
 * What can be wrong, in the domain %QGA_PROXY_ERROR.
 */
typedef enum {
    QGA_PROXY_ERROR_ADDRESS,
    QGA_PROXY_ERROR_SOCKET,
    QGA_PROXY_ERROR_STATE,
    QGA_PROXY_ERROR_LIMIT,
    QGA_PROXY_ERROR_FILE,
    QGA_PROXY_ERROR_CACHE,
} QgaProxyError;

#define QGA_TYPE_PROXY (qga_proxy_get_type())
QGA_PROXY_API G_DECLARE_FINAL_TYPE(QgaProxy, qga_proxy, QGA, PROXY, GObject)

/**
 * qga_proxy_new:
 * @monitor: address of QEMU's QMP socket, as QEMU writes it: `unix:/run/vm.qmp`,
 *   `tcp:localhost:4445`, with `,server=on` if QEMU connects to us
 * @agent: (nullable): address of the chardev that QEMU's guest agent port is connected to; %NULL
 * for none
 * @error: of domain %QGA_PROXY_ERROR
 *
 * Makes the proxy of one virtual machine. It lives in the thread-default #GMainContext of the
 * caller, must be used from that thread alone, and does nothing before qga_proxy_start().
 *
 * Returns: (transfer full): the proxy, or %NULL
 */
QGA_PROXY_API QgaProxy *qga_proxy_new(const char *monitor, const char *agent, GError **error);

/**
 * qga_proxy_save:
 * @descriptors: duplicates of all that @self has open are appended to it
 *
 * Saves @self as it is, in the middle of messages and with commands under way, for
 * qga_proxy_new_successor() in another process or in this one after `execve(2)`. Nobody who is
 * connected notices: not QEMU, not the agent, no client.
 *
 * Saving changes nothing. But one of the two may go on from here: as soon as there is a successor,
 * @self must not run any more, and must not be stopped or freed either, which would remove the
 * paths of its sockets. Its process ends, or becomes another program.
 *
 * Returns: (transfer full): of type `a{sv}`, to be handed on together with the descriptors, in
 *   their order; %NULL, with @error set to one of code %QGA_PROXY_ERROR_STATE, where @self does not
 *   run, or not for long any more since QEMU has gone, or where there are too few descriptors for a
 *   second of each
 */
QGA_PROXY_API GVariant *qga_proxy_save(QgaProxy *self, GUnixFDList *descriptors, GError **error);

/**
 * qga_proxy_new_successor:
 * @monitor: as for qga_proxy_new()
 * @agent: (nullable): as for qga_proxy_new()
 * @state: what qga_proxy_save() has returned
 * @descriptors: those that belong to it
 * @error: of domain %QGA_PROXY_ERROR
 *
 * Makes a proxy that carries on for one that was saved. It must be set up in the same way: the same
 * monitors in the same order, the same agent, the same listeners; one that is missing is closed,
 * with all who came that way. It takes over with qga_proxy_start().
 *
 * Returns: (transfer full): the proxy, or %NULL, with @error set to one of code
 *   %QGA_PROXY_ERROR_STATE where @state is of another make
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_successor(const char *monitor, const char *agent,
                                                GVariant *state, GUnixFDList *descriptors,
                                                GError **error);

/**
 * qga_proxy_add_listener:
 * @address: where QMP clients connect: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT`,
 * `vsock:CID:PORT`, or `fd:N` for a descriptor that listens already
 *
 * Options may stand behind the address, separated by commas:
 *
 * - `wait=on`: qga_proxy_start() does not turn to QEMU before the first client from here is
 *   connected, so that a QEMU that waits for its monitor (`-qmp …,server=on`) waits for that
 * client. Without effect once that has happened.
 * - `server=off`: the client is connected to, one at a time, instead of being listened for; `fd:N`
 *   is a connected client then. It is tried until it was reached once.
 * - `reconnect=SECONDS`, with that: tried again after so many seconds, also when the client was
 * lost
 * - `pretty=on`: what is sent to these clients is indented
 * - `mode=OCTAL`, `user=NAME|UID`, `group=NAME|GID`, behind a path: who may connect. An owner
 * without a mode connects alone (600, or 660 with a group), else the umask decides.
 *
 * May be called before and after qga_proxy_start(). Clients may connect from now on; they are
 * greeted when QEMU is connected. A descriptor is taken over, unless this fails. Names of hosts,
 * users and groups are looked up within the call.
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_listener(QgaProxy *self, const char *address, GError **error);

/**
 * qga_proxy_add_agent_listener:
 * @address: where clients come from that speak the guest agent's own protocol
 *
 * Each finds what looks like an agent's channel of its own: no greeting, its syncs are answered,
 * its commands go to the agent like everybody's, and where no agent is there it hears nothing.
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_agent_listener(QgaProxy *self, const char *address,
                                                    GError **error);

/**
 * qga_proxy_add_monitor:
 * @monitor: address of another QMP socket of the same QEMU
 *
 * Clients are spread over the monitors and keep to theirs. With monitors of their own they wait for
 * one another less, as QEMU reads each slowly.
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_monitor(QgaProxy *self, const char *monitor, GError **error);

/**
 * qga_proxy_set_persist:
 * @persist: whether clients stay when QEMU goes
 *
 * Without it, which is the default, all clients are closed when QEMU closes its monitor, and the
 * proxy stops. With it they are answered with errors until QEMU is there again.
 */
QGA_PROXY_API void qga_proxy_set_persist(QgaProxy *self, gboolean persist);

/**
 * qga_proxy_set_freeze_lease:
 * @seconds: after which a freeze of the guest's filesystems is thawed that nobody has thawed or
 *   renewed; 0 for never
 *
 * The default is 300.
 */
QGA_PROXY_API void qga_proxy_set_freeze_lease(QgaProxy *self, guint seconds);

/**
 * qga_proxy_set_freeze_join:
 * @join: whether a client that asks for what is frozen already joins that, instead of being refused
 *
 * A freeze that was joined ends with the last who holds it: the thaws before are answered with 0.
 * Its lease begins anew with each who joins. The default is %FALSE, which is what an agent does by
 * itself.
 */
QGA_PROXY_API void qga_proxy_set_freeze_join(QgaProxy *self, gboolean join);

/**
 * qga_proxy_set_state_directory:
 * @directory: for files that outlive this process
 * @name: of the virtual machine, unique among those that use the directory
 *
 * With it, a freeze is put on record before it is sent, and a proxy that finds one on record when
 * it is started thaws the guest. To be called before qga_proxy_start().
 *
 * Returns: %FALSE, with @error set to one of code %QGA_PROXY_ERROR_FILE, where there is no such
 *   directory
 */
QGA_PROXY_API gboolean qga_proxy_set_state_directory(QgaProxy *self, const char *directory,
                                                     const char *name, GError **error);

/**
 * qga_proxy_set_limit:
 * @limit: `NAME=NUMBER`, with `K`, `M` or `G` behind it for powers of 1024; the names are those of
 *   the member `limits` of what qga_proxy_dup_status() returns
 *
 * Sets a limit to another value than its default, for clients that come from now on.
 *
 * Returns: %FALSE, with @error set to one of code %QGA_PROXY_ERROR_LIMIT, where there is none of
 *   that name, or it has another range
 */
QGA_PROXY_API gboolean qga_proxy_set_limit(QgaProxy *self, const char *limit, GError **error);

/**
 * qga_proxy_set_agent_cache:
 * @answer: `COMMAND=SECONDS`: how old an answer of that guest command may be that is given again to
 *   who asks the same; off for all by default
 *
 * Only for commands that tell of the guest and change nothing, as `guest-get-osinfo`. What is kept
 * is forgotten when the guest, its agent or the way to it has changed, and when a command was sent
 * that may have changed something.
 *
 * Returns: %FALSE, with @error set to one of code %QGA_PROXY_ERROR_CACHE, where answers of that
 *   command cannot be kept, or not for so long
 */
QGA_PROXY_API gboolean qga_proxy_set_agent_cache(QgaProxy *self, const char *answer,
                                                 GError **error);

/**
 * qga_proxy_list_limits:
 *
 * For people: what qga_proxy_set_limit() can set.
 *
 * Returns: (transfer full) (array zero-terminated=1): a line for each limit: its name, its default,
 *   and what it bounds
 */
QGA_PROXY_API char **qga_proxy_list_limits(void);

/**
 * qga_proxy_start:
 *
 * Connects to QEMU and to the agent's channel, now or as soon as they are there. Where an address
 * of clients says `wait=on`, its first client is waited for before that.
 */
QGA_PROXY_API void qga_proxy_start(QgaProxy *self);

/**
 * qga_proxy_stop:
 *
 * Closes everything: what is pending is answered with an error as far as its client still reads.
 * The signal #QgaProxy::closed does not follow. Safe from within a handler of that signal.
 */
QGA_PROXY_API void qga_proxy_stop(QgaProxy *self);

/**
 * qga_proxy_dup_trouble:
 *
 * For people, while they wait.
 *
 * Returns: (transfer full) (nullable): why QEMU's monitor, or one of several, could not be
 * connected to when it was tried last; %NULL where all are connected, or the first attempt is under
 * way
 */
QGA_PROXY_API char *qga_proxy_dup_trouble(QgaProxy *self);

/**
 * qga_proxy_dup_status:
 *
 * How the proxy stands: QEMU, the agent, clients, freezes, limits.
 *
 * Returns: (transfer full): what the command `qga-proxy-status` returns, as JSON text
 */
QGA_PROXY_API char *qga_proxy_dup_status(QgaProxy *self);

/**
 * qga_proxy_dup_metrics:
 * @vm: (nullable): name of the virtual machine, which each sample has in a label `vm` then
 *
 * Tells what qga_proxy_dup_status() tells in the text format of Prometheus, version 0.0.4. The
 * number of lines does not grow with the number of clients.
 *
 * Returns: (transfer full): that text; empty once the proxy has stopped
 */
QGA_PROXY_API char *qga_proxy_dup_metrics(QgaProxy *self, const char *vm);

/**
 * QgaProxyConnectionFunc:
 * @fd: a connection that was made, which does not block, and is the callee's to close
 * @peer: who it is, for the log
 * @user_data: as it was given to qga_proxy_add_service()
 *
 * Must not stop or free the proxy.
 */
typedef void (*QgaProxyConnectionFunc)(int fd, const char *peer, gpointer user_data);

/**
 * qga_proxy_add_service:
 * @address: where to listen, as for qga_proxy_add_listener(), with options for a path alone
 * @func: is called with each connection
 * @user_data: for @func
 * @destroy: (nullable): is called with @user_data when the proxy stops, or listens no more, or
 * where this fails
 *
 * For what a program serves beside the proxy, at an address of the same form and in the same main
 * loop, such as qga_proxy_dup_metrics().
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_service(QgaProxy *self, const char *address,
                                             QgaProxyConnectionFunc func, gpointer user_data,
                                             GDestroyNotify destroy, GError **error);

G_END_DECLS
