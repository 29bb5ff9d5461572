/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libqga-proxy: guest agent commands on QEMU's QMP server, for many clients.
 *
 * This is the only header of the library.
 *
 * A proxy belongs to the GMainContext that was the thread's default when it was made. While a
 * thread runs that context, or has pushed it, no other thread may call a function of the proxy: it
 * is told so by a critical message, and nothing happens. Before, and in between, any one thread
 * may: a proxy can be set up in one thread and its context then be run in another.
 *
 * Every function may be called from within every callback and signal handler of the proxy but one,
 * qga_proxy_stop() among them, and its last reference may be dropped there.
 */

#pragma once

#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib-object.h>
#include <json-glib/json-glib.h>

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
 * @QGA_PROXY_ERROR_ARGUMENTS: the arguments of a command are no JSON object, or cannot be written
 *   as one
 * @QGA_PROXY_ERROR_COMMAND_NOT_FOUND: there is no such command, or it is disabled, as most are
 *   while the guest is frozen
 * @QGA_PROXY_ERROR_COMMAND_FAILED: the command was carried out, and answered with an error
 * @QGA_PROXY_ERROR_NOT_SENT: the command could not be sent, and was not carried out
 * @QGA_PROXY_ERROR_NO_ANSWER: the command was sent and not answered; whether it was carried out
 *   nobody knows
 * @QGA_PROXY_ERROR_REPLY: what the command was answered is not what its kind of answer is
 *
 * What can be wrong, in the domain %QGA_PROXY_ERROR.
 *
 * Errors that have to do with a file or a program in the guest are
 * %QGA_PROXY_ERROR_COMMAND_FAILED, in the words of the guest agent.
 */
typedef enum {
    QGA_PROXY_ERROR_ADDRESS,
    QGA_PROXY_ERROR_SOCKET,
    QGA_PROXY_ERROR_STATE,
    QGA_PROXY_ERROR_LIMIT,
    QGA_PROXY_ERROR_FILE,
    QGA_PROXY_ERROR_CACHE,
    QGA_PROXY_ERROR_ARGUMENTS,
    QGA_PROXY_ERROR_COMMAND_NOT_FOUND,
    QGA_PROXY_ERROR_COMMAND_FAILED,
    QGA_PROXY_ERROR_NOT_SENT,
    QGA_PROXY_ERROR_NO_ANSWER,
    QGA_PROXY_ERROR_REPLY,
} QgaProxyError;

#define QGA_TYPE_PROXY (qga_proxy_get_type())
QGA_PROXY_API G_DECLARE_FINAL_TYPE(QgaProxy, qga_proxy, QGA, PROXY, GObject)

/**
 * qga_proxy_new:
 * @monitor: address of QEMU's QMP socket, as QEMU writes it: `unix:/run/vm.qmp`,
 *   `tcp:localhost:4445`, with `,server=on` if QEMU connects to us
 * @agent: (nullable): address of the chardev that QEMU's guest agent port is connected to; %NULL
 * for none
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Makes the proxy of one virtual machine. It lives in the thread-default #GMainContext of the
 * caller, must be used from that thread alone, and does nothing before qga_proxy_start().
 *
 * Returns: (transfer full): the proxy, or %NULL
 */
QGA_PROXY_API QgaProxy *qga_proxy_new(const char *monitor, const char *agent, GError **error);

#define QGA_TYPE_PROXY_CONFIG (qga_proxy_config_get_type())
QGA_PROXY_API G_DECLARE_FINAL_TYPE(QgaProxyConfig, qga_proxy_config, QGA, PROXY_CONFIG, GObject)

/**
 * qga_proxy_config_new:
 *
 * Makes a description of a proxy, whose properties are to be set.
 *
 * Returns: (transfer full): the description
 */
QGA_PROXY_API QgaProxyConfig *qga_proxy_config_new(void);

/**
 * qga_proxy_new_for_config:
 * @config: what the proxy is to be like; read within the call, and as good for another one
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Makes a proxy of which everything is said at once. It lives in the thread-default #GMainContext
 * of the caller, and does nothing before qga_proxy_start(), but that clients may connect.
 *
 * Addresses may name descriptors that the caller has open, as `fd:N`. They are the proxy's from
 * here on, which closes them; where this fails, those are closed that were taken over by then.
 *
 * Returns: (transfer full): the proxy, or %NULL
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_for_config(QgaProxyConfig *config, GError **error);

/**
 * qga_proxy_save:
 * @self: a proxy
 * @descriptors: duplicates of all that @self has open are appended to it
 * @error: return location for an error of domain %QGA_PROXY_ERROR
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
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Makes a proxy that carries on for one that was saved. It must be set up in the same way: the same
 * monitors in the same order, the same agents, the same listeners; one that is missing is closed,
 * with all who came that way. It takes over with qga_proxy_start().
 *
 * Returns: (transfer full): the proxy, or %NULL, with @error set to one of code
 *   %QGA_PROXY_ERROR_STATE where @state is of another make
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_successor(const char *monitor, const char *agent,
                                                GVariant *state, GUnixFDList *descriptors,
                                                GError **error);

/**
 * QgaProxyKeepFunc:
 * @name: of what is kept
 * @fd: what is to be kept under @name, as a duplicate; -1 where it is to be kept no more
 * @user_data: as it was given to qga_proxy_set_keep()
 *
 * Keeps a descriptor where it outlives this process, as `FDSTORE=1` of `sd_notify(3)` does. Here
 * alone no function of the proxy may be called.
 */
typedef void (*QgaProxyKeepFunc)(const char *name, int fd, gpointer user_data);

/**
 * qga_proxy_set_keep:
 * @self: a proxy that lets nobody in yet
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): is called with each
 *   descriptor that is to be kept; %NULL to keep nothing any more
 * @user_data: for @func
 * @destroy: (nullable): is called with @user_data when another function is set, or the proxy is
 *   gone
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * From now on, what it takes to serve the clients on is kept outside this process all the time, so
 * that qga_proxy_new_recovered() can when it is killed. `SIGPIPE` is to be ignored.
 *
 * Returns: %FALSE, with @error set to one of code %QGA_PROXY_ERROR_STATE, where that cannot be
 */
QGA_PROXY_API gboolean qga_proxy_set_keep(QgaProxy *self, QgaProxyKeepFunc func, gpointer user_data,
                                          GDestroyNotify destroy, GError **error);

/**
 * qga_proxy_new_recovered:
 * @monitor: as for qga_proxy_new()
 * @agent: (nullable): as for qga_proxy_new()
 * @names: (array zero-terminated=1): of all that was kept
 * @descriptors: what was kept under these names, in the same order
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Makes a proxy that carries on for one whose process was killed. It must be set up in the same
 * way, after qga_proxy_set_keep(). The clients stay connected: they are served as soon as QEMU is
 * connected anew, and what they had under way fails, with an unknown outcome. So do the freezes of
 * filesystems that are on record: see qga_proxy_set_state_directory().
 *
 * Returns: (transfer full): the proxy, or %NULL, with @error set to one of code
 *   %QGA_PROXY_ERROR_STATE where that was kept by one of another make
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_recovered(const char *monitor, const char *agent,
                                                const char *const *names, GUnixFDList *descriptors,
                                                GError **error);

/**
 * qga_proxy_add_listener:
 * @self: a proxy
 * @address: where QMP clients connect: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT`,
 * `vsock:CID:PORT`, or `fd:N` for a descriptor that listens already
 * @error: return location for an error of domain %QGA_PROXY_ERROR
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
 * qga_proxy_remove_listener:
 * @self: a proxy
 * @address: as it was given to qga_proxy_add_listener() or qga_proxy_add_agent_listener(), with or
 *   without options; of several that are the same, the first
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Lets nobody in any more at that address; the path of a socket is gone. Clients who came from
 * there stay.
 *
 * Returns: %FALSE, with @error set, where nobody is let in there, or it is the address of the
 *   agent's own channel
 */
QGA_PROXY_API gboolean qga_proxy_remove_listener(QgaProxy *self, const char *address,
                                                 GError **error);

/**
 * qga_proxy_add_client:
 * @self: a proxy
 * @fd: a connected stream socket; the proxy's from here on, which closes it, unless this fails
 * @peer: (nullable): who it is, for the log, the status, and %QgaProxyGateFunc; %NULL for the
 *   number of the descriptor
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Serves a client that was accepted by the caller, as if it had come from a listener.
 *
 * Returns: %FALSE, with @error set, where @fd is no such socket, where there are as many clients as
 *   there may be, or where the proxy has stopped
 */
QGA_PROXY_API gboolean qga_proxy_add_client(QgaProxy *self, int fd, const char *peer,
                                            GError **error);

/**
 * qga_proxy_add_agent_client:
 * @self: a proxy
 * @fd: as for qga_proxy_add_client()
 * @peer: (nullable): the same
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * The same with a client that speaks the guest agent's own protocol.
 *
 * Returns: %FALSE, with @error set, as qga_proxy_add_client()
 */
QGA_PROXY_API gboolean qga_proxy_add_agent_client(QgaProxy *self, int fd, const char *peer,
                                                  GError **error);

/**
 * qga_proxy_add_agent_listener:
 * @self: a proxy
 * @address: where clients come from that speak the guest agent's own protocol
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Each finds what looks like an agent's channel of its own: no greeting, its syncs are answered,
 * its commands go to the agent like everybody's, and where no agent is there it hears nothing.
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_agent_listener(QgaProxy *self, const char *address,
                                                    GError **error);

/**
 * qga_proxy_add_agent:
 * @self: not started yet
 * @agent: address of the chardev of a further port for the guest agent
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Commands go to the first of them whose agent answers, and to another when that one is not there
 * any more and another is. A freeze is the guest's, whichever agent has done it.
 *
 * What was said of agents before, as by qga_proxy_set_agent_cache(), does not hold for this one.
 *
 * Returns: %TRUE if it is used
 */
QGA_PROXY_API gboolean qga_proxy_add_agent(QgaProxy *self, const char *agent, GError **error);

/**
 * qga_proxy_add_monitor:
 * @self: a proxy
 * @monitor: address of another QMP socket of the same QEMU
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Clients are spread over the monitors and keep to theirs. With monitors of their own they wait for
 * one another less, as QEMU reads each slowly.
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_monitor(QgaProxy *self, const char *monitor, GError **error);

/**
 * qga_proxy_set_persist:
 * @self: a proxy
 * @persist: whether clients stay when QEMU goes
 *
 * Without it, which is the default, all clients are closed when QEMU closes its monitor, and the
 * proxy stops. With it they are answered with errors until QEMU is there again.
 */
QGA_PROXY_API void qga_proxy_set_persist(QgaProxy *self, gboolean persist);

/**
 * qga_proxy_set_freeze_lease:
 * @self: a proxy
 * @seconds: after which a freeze of the guest's filesystems is thawed that nobody has thawed or
 *   renewed; 0 for never
 *
 * The default is 300.
 */
QGA_PROXY_API void qga_proxy_set_freeze_lease(QgaProxy *self, guint seconds);

/**
 * qga_proxy_set_freeze_join:
 * @self: a proxy
 * @join: whether a client that asks for what is frozen already joins that, instead of being refused
 *
 * A freeze that was joined ends with the last who holds it: the thaws before are answered with 0.
 * Its lease begins anew with each who joins. The default is %FALSE, which is what an agent does by
 * itself.
 */
QGA_PROXY_API void qga_proxy_set_freeze_join(QgaProxy *self, gboolean join);

/**
 * qga_proxy_set_state_directory:
 * @self: a proxy
 * @directory: for files that outlive this process
 * @name: of the virtual machine, unique among those that use the directory
 * @error: return location for an error of domain %QGA_PROXY_ERROR
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
 * @self: a proxy
 * @limit: `NAME=NUMBER`, with `K`, `M` or `G` behind it for powers of 1024; the names are those of
 *   the member `limits` of what qga_proxy_dup_status() returns
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Sets a limit to another value than its default, for clients that come from now on.
 *
 * Returns: %FALSE, with @error set to one of code %QGA_PROXY_ERROR_LIMIT, where there is none of
 *   that name, or it has another range
 */
QGA_PROXY_API gboolean qga_proxy_set_limit(QgaProxy *self, const char *limit, GError **error);

/**
 * qga_proxy_set_agent_cache:
 * @self: a proxy
 * @answer: `COMMAND=SECONDS`: how old an answer of that guest command may be that is given again to
 *   who asks the same; off for all by default
 * @error: return location for an error of domain %QGA_PROXY_ERROR
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
 * qga_proxy_poll_context:
 * @context: (nullable): a context on which proxies will live, and to which nothing is attached yet;
 *   %NULL for the default one
 * @fds: (array length=n_fds) (nullable): descriptors that the caller will have polled there for
 *   input as long as @context is in use, and keeps open so long
 * @n_fds: how many there are, at most 2
 *
 * Lets @context find out what is ready in one system call instead of two, which are then two of
 * nine less for a guest-ping. For a program that owns @context: its poll function is set. Where
 * other descriptors are polled there, it waits as before.
 *
 * Returns: %FALSE where that cannot be, and nothing has changed: a process has one such context
 */
QGA_PROXY_API gboolean qga_proxy_poll_context(GMainContext *context, const int *fds, guint n_fds);

/**
 * qga_proxy_start:
 * @self: a proxy
 *
 * Connects to QEMU and to the agent's channel, now or as soon as they are there. Where an address
 * of clients says `wait=on`, its first client is waited for before that.
 */
QGA_PROXY_API void qga_proxy_start(QgaProxy *self);

/**
 * qga_proxy_stop:
 * @self: a proxy
 *
 * Closes everything: what is pending is answered with an error as far as its client still reads,
 * and so is what was asked by qga_proxy_execute_async(), in a turn of the main loop. The signal
 * #QgaProxy::closed does not follow.
 *
 * Called from within a #QgaProxyGateFunc or a #QgaProxyConnectionFunc, it takes effect at the next
 * turn of the main loop, and no function is called any more until then.
 *
 * Where the main context is not run any more, connections are closed all the same; but who waits
 * for qga_proxy_execute_async() hears of it only when it is, and so long it keeps the proxy.
 */
QGA_PROXY_API void qga_proxy_stop(QgaProxy *self);

/**
 * qga_proxy_dup_trouble:
 * @self: a proxy
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
 * @self: a proxy
 *
 * How the proxy stands: QEMU, the agent, clients, freezes, limits.
 *
 * Returns: (transfer full): what the command `qga-proxy-status` returns, as JSON text
 */
QGA_PROXY_API char *qga_proxy_dup_status(QgaProxy *self);

/**
 * qga_proxy_dup_metrics:
 * @self: a proxy
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
 * Is called with each connection that was made.
 */
typedef void (*QgaProxyConnectionFunc)(int fd, const char *peer, gpointer user_data);

/**
 * qga_proxy_add_service:
 * @self: a proxy
 * @address: where to listen, as for qga_proxy_add_listener(), with options for a path alone
 * @func: is called with each connection
 * @user_data: for @func
 * @destroy: (nullable): is called with @user_data when the proxy stops, or listens no more, or
 * where this fails
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * For what a program serves beside the proxy, at an address of the same form and in the same main
 * loop, such as qga_proxy_dup_metrics().
 *
 * Returns: %FALSE, with @error set, where the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_service(QgaProxy *self, const char *address,
                                             QgaProxyConnectionFunc func, gpointer user_data,
                                             GDestroyNotify destroy, GError **error);

/**
 * QgaProxyGateFunc:
 * @self: the proxy
 * @peer: who asks: where it came from
 * @user: the user id of the process at the other end of a unix socket; -1 where it is not known
 * @process: the id of that process; -1 where it is not known
 * @command: what it asks for
 * @arguments: (nullable): the arguments as JSON text, as they were written
 * @user_data: as it was given to qga_proxy_set_gate()
 * @error: return location for an error: its message is what the client is told, as an error of
 *   class `GenericError`
 *
 * Decides whether a client's command is carried out. The client waits meanwhile, and so does
 * everybody else.
 *
 * Returns: %TRUE to let it pass; %FALSE, with @error set, to refuse it
 */
typedef gboolean (*QgaProxyGateFunc)(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                                     const char *command, const char *arguments, gpointer user_data,
                                     GError **error);

/**
 * qga_proxy_set_gate:
 * @self: a proxy
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): is called before each
 *   command of a client; %NULL to let all pass
 * @user_data: for @func
 * @destroy: (nullable): is called with @user_data when another function is set, or the proxy is
 *   gone
 *
 * Puts a gate in front of the commands of all clients, those of the agent's own protocol among
 * them. What concerns a connection alone does not come by there: `qmp_capabilities`, and the syncs
 * of the agent's protocol. Neither do commands that the caller asks for itself.
 */
QGA_PROXY_API void qga_proxy_set_gate(QgaProxy *self, QgaProxyGateFunc func, gpointer user_data,
                                      GDestroyNotify destroy);

/**
 * QgaProxyAuditFunc:
 * @self: the proxy
 * @peer: who has asked, as for #QgaProxyGateFunc; of a command by qga_proxy_execute_async(), what
 *   #QgaProxyConfig:program says
 * @user: as for #QgaProxyGateFunc
 * @process: the same
 * @command: what it asked for
 * @error_class: (nullable): the class of the error that was the answer, as QMP has it; %NULL for
 *   success
 * @error_text: (nullable): its text
 * @microseconds: from when the command was read until it was answered
 * @user_data: as it was given to qga_proxy_set_audit()
 *
 * Is told of a command that was answered.
 */
typedef void (*QgaProxyAuditFunc)(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                                  const char *command, const char *error_class,
                                  const char *error_text, gint64 microseconds, gpointer user_data);

/**
 * qga_proxy_set_audit:
 * @self: a proxy
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): is called when a
 *   command was answered, in a later turn of the main loop; %NULL for nobody
 * @user_data: for @func
 * @destroy: (nullable): is called with @user_data when another function is set, or the proxy is
 *   gone
 *
 * Tells of each command that comes from now on, of clients and of the caller itself, in the order
 * in which they were answered: those that were refused, and those whose client had left, among
 * them.
 */
QGA_PROXY_API void qga_proxy_set_audit(QgaProxy *self, QgaProxyAuditFunc func, gpointer user_data,
                                       GDestroyNotify destroy);

/**
 * QgaProxyExecuteFlags:
 * @QGA_PROXY_EXECUTE_NONE: like the commands of clients
 * @QGA_PROXY_EXECUTE_AHEAD: a command for the guest agent goes before all that wait for it, but not
 *   before thaws
 *
 * How a command is carried out.
 */
typedef enum {
    QGA_PROXY_EXECUTE_NONE = 0,
    QGA_PROXY_EXECUTE_AHEAD = 1 << 0,
} QgaProxyExecuteFlags;

/**
 * qga_proxy_execute_async:
 * @self: a proxy
 * @command: `guest-…` for the guest agent, `qga-proxy-…` for the proxy, anything else for QEMU
 * @arguments: (nullable): a JSON object as text; %NULL for none
 * @timeout_seconds: after which it fails with %QGA_PROXY_ERROR_NO_ANSWER; 0 for as long as the
 *   proxy gives such a command, which is for ever in QEMU's case
 * @flags: how it is carried out
 * @cancellable: (nullable): a cancelled command is not sent any more; if it was, the answer is
 *   dropped
 * @callback: (scope async) (closure user_data): is called when it was answered, in a later turn of
 *   the main loop, and always once
 * @user_data: for @callback
 *
 * Carries out a command for the caller, beside those of clients and by the same rules, without a
 * socket. A freeze that is asked for like this belongs to the caller.
 *
 * The proxy stays as long as this takes, even if its last other reference is dropped.
 */
QGA_PROXY_API void qga_proxy_execute_async(QgaProxy *self, const char *command,
                                           const char *arguments, guint timeout_seconds,
                                           QgaProxyExecuteFlags flags, GCancellable *cancellable,
                                           GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_execute_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error: of domain %QGA_PROXY_ERROR, or %G_IO_ERROR_CANCELLED
 *
 * Ends qga_proxy_execute_async().
 *
 * Returns: (transfer full): what the command returned, as JSON text, which may be any value; a NUL
 *   byte stands behind it. %NULL, with @error set, where it failed
 */
QGA_PROXY_API GBytes *qga_proxy_execute_finish(QgaProxy *self, GAsyncResult *result,
                                               GError **error);

/**
 * qga_proxy_execute_finish_node:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error: as for qga_proxy_execute_finish(), and of code
 *   %QGA_PROXY_ERROR_LIMIT where the result is too large for a tree: over 1 MiB
 *
 * The same as qga_proxy_execute_finish(), as a tree. Whole numbers over 2⁶³ and strings with NUL
 * characters are not what they were; the text has them.
 *
 * Returns: (transfer full): what the command returned; %NULL with @error set
 */
QGA_PROXY_API JsonNode *qga_proxy_execute_finish_node(QgaProxy *self, GAsyncResult *result,
                                                      GError **error);

/**
 * qga_proxy_ping_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when the agent has answered
 * @user_data: for @callback
 *
 * Asks the guest agent for a sign of life.
 */
QGA_PROXY_API void qga_proxy_ping_async(QgaProxy *self, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_ping_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends qga_proxy_ping_async().
 *
 * Returns: %TRUE if it has answered; %FALSE with @error set
 */
QGA_PROXY_API gboolean qga_proxy_ping_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_get_info_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when the agent has answered
 * @user_data: for @callback
 *
 * Asks the guest agent which it is, and what it can do.
 */
QGA_PROXY_API void qga_proxy_get_info_async(QgaProxy *self, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_get_info_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_version: (out) (optional) (transfer full): of the agent
 * @error: return location for an error
 *
 * Ends qga_proxy_get_info_async().
 *
 * Returns: (transfer full): what `guest-info` returns, as JSON text; %NULL with @error set
 */
QGA_PROXY_API GBytes *qga_proxy_get_info_finish(QgaProxy *self, GAsyncResult *result,
                                                char **ret_version, GError **error);

/**
 * qga_proxy_freeze_async:
 * @self: a proxy
 * @mountpoints: (nullable) (array zero-terminated=1): of the filesystems to be frozen; %NULL for
 *   all
 * @cancellable: (nullable): as for qga_proxy_execute_async(); the guest may be frozen all the same,
 *   until qga_proxy_thaw_async() or until the freeze's lease ends
 * @callback: (scope async) (closure user_data): is called when it is done
 * @user_data: for @callback
 *
 * Freezes filesystems of the guest.
 */
QGA_PROXY_API void qga_proxy_freeze_async(QgaProxy *self, const char *const *mountpoints,
                                          GCancellable *cancellable, GAsyncReadyCallback callback,
                                          gpointer user_data);

/**
 * qga_proxy_freeze_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends qga_proxy_freeze_async().
 *
 * Returns: how many filesystems were frozen; -1 with @error set
 */
QGA_PROXY_API gint64 qga_proxy_freeze_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_thaw_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when it is done
 * @user_data: for @callback
 *
 * Thaws the guest's filesystems.
 */
QGA_PROXY_API void qga_proxy_thaw_async(QgaProxy *self, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_thaw_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error; of code %QGA_PROXY_ERROR_COMMAND_FAILED where the freeze
 *   had ended before, so that what was done meanwhile is not consistent
 *
 * Ends qga_proxy_thaw_async().
 *
 * Returns: how many filesystems were thawed; -1 with @error set
 */
QGA_PROXY_API gint64 qga_proxy_thaw_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_get_frozen_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when the agent has answered
 * @user_data: for @callback
 *
 * Asks the guest agent whether filesystems are frozen. What the proxy itself knows of that is in
 * qga_proxy_dup_status().
 */
QGA_PROXY_API void qga_proxy_get_frozen_async(QgaProxy *self, GCancellable *cancellable,
                                              GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_get_frozen_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_frozen: (out) (optional): whether they are
 * @error: return location for an error
 *
 * Ends qga_proxy_get_frozen_async().
 *
 * Returns: %TRUE if the agent has answered; %FALSE with @error set
 */
QGA_PROXY_API gboolean qga_proxy_get_frozen_finish(QgaProxy *self, GAsyncResult *result,
                                                   gboolean *ret_frozen, GError **error);

/**
 * qga_proxy_wait_ready_async:
 * @self: a proxy
 * @timeout_seconds: how long it is waited
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when the agent answers
 * @user_data: for @callback
 *
 * Waits until the guest agent answers, which may be now.
 */
QGA_PROXY_API void qga_proxy_wait_ready_async(QgaProxy *self, guint timeout_seconds,
                                              GCancellable *cancellable,
                                              GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_wait_ready_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends qga_proxy_wait_ready_async().
 *
 * Returns: %TRUE if it does; %FALSE with @error set, also when the time was over
 */
QGA_PROXY_API gboolean qga_proxy_wait_ready_finish(QgaProxy *self, GAsyncResult *result,
                                                   GError **error);

/**
 * qga_proxy_exec_async:
 * @self: a proxy
 * @arguments: (array zero-terminated=1): a program in the guest, and its arguments
 * @environment: (nullable) (array zero-terminated=1): `NAME=VALUE`, all of it; %NULL for the
 *   agent's
 * @input: (nullable): its standard input; %NULL for none
 * @timeout_seconds: how long the end of the program is waited for; 0 for ever
 * @cancellable: (nullable): as for qga_proxy_execute_async(); a program that was started runs on
 * @callback: (scope async) (closure user_data): is called when the program has ended
 * @user_data: for @callback
 *
 * Runs a program in the guest and waits for its end, which it asks for after ever longer pauses, of
 * up to a second.
 */
QGA_PROXY_API void qga_proxy_exec_async(QgaProxy *self, const char *const *arguments,
                                        const char *const *environment, GBytes *input,
                                        guint timeout_seconds, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_exec_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_status: (out) (optional): its exit status, or -1 where a signal has ended it
 * @ret_signal: (out) (optional): that signal, or 0
 * @ret_stdout: (out) (optional) (transfer full): what it wrote to its standard output
 * @ret_stderr: (out) (optional) (transfer full): what it wrote to its standard error
 * @ret_truncated: (out) (optional): whether the agent kept not all of these
 * @error: return location for an error
 *
 * Ends qga_proxy_exec_async().
 *
 * Returns: %TRUE if the program has ended, however it did; %FALSE with @error set, of code
 *   %QGA_PROXY_ERROR_NO_ANSWER where it may be running still
 */
QGA_PROXY_API gboolean qga_proxy_exec_finish(QgaProxy *self, GAsyncResult *result, int *ret_status,
                                             int *ret_signal, GBytes **ret_stdout,
                                             GBytes **ret_stderr, gboolean *ret_truncated,
                                             GError **error);

/**
 * qga_proxy_read_file_async:
 * @self: a proxy
 * @path: of a file in the guest
 * @max_bytes: it may have; a longer one is not read
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): is called when it was read
 * @user_data: for @callback
 *
 * Reads a file in the guest, in pieces, so that others have their turn. It is closed there in any
 * case, after a cancellation too.
 */
QGA_PROXY_API void qga_proxy_read_file_async(QgaProxy *self, const char *path, gsize max_bytes,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_read_file_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error; of code %QGA_PROXY_ERROR_LIMIT where the file is too long
 *
 * Ends qga_proxy_read_file_async().
 *
 * Returns: (transfer full): what is in the file; %NULL with @error set
 */
QGA_PROXY_API GBytes *qga_proxy_read_file_finish(QgaProxy *self, GAsyncResult *result,
                                                 GError **error);

/**
 * qga_proxy_write_file_async:
 * @self: a proxy
 * @path: of a file in the guest
 * @contents: what is to be in it
 * @cancellable: (nullable): as for qga_proxy_execute_async(); a part may have been written
 * @callback: (scope async) (closure user_data): is called when it was written
 * @user_data: for @callback
 *
 * Writes a file in the guest, in pieces, so that others have their turn. What was in it before is
 * gone. It is closed there in any case, after a cancellation too.
 */
QGA_PROXY_API void qga_proxy_write_file_async(QgaProxy *self, const char *path, GBytes *contents,
                                              GCancellable *cancellable,
                                              GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_write_file_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends qga_proxy_write_file_async().
 *
 * Returns: %TRUE if all of it was written and the file closed; %FALSE with @error set
 */
QGA_PROXY_API gboolean qga_proxy_write_file_finish(QgaProxy *self, GAsyncResult *result,
                                                   GError **error);

G_END_DECLS
