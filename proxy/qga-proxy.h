/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * libqga-proxy: guest agent commands on QEMU's QMP server, for many clients.
 *
 * This is the only header of the library.
 *
 * A proxy belongs to the GMainContext that was the thread-default one of the thread that made it.
 * While a thread runs that context, or has pushed it, only that thread may call functions of the
 * proxy; while none does, any one thread may. So a proxy can be set up in one thread and its
 * context then be run in another. A call in any other thread logs a critical message and does
 * nothing else.
 *
 * Every callback and signal handler of the proxy may call every function, qga_proxy_stop() among
 * them, and may drop the last reference to the proxy. The one exception is QgaProxyKeepFunc, which
 * may do neither.
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
 * The domain of this library's errors.
 */
#define QGA_PROXY_ERROR (qga_proxy_error_quark())

/**
 * qga_proxy_error_quark:
 *
 * Implements %QGA_PROXY_ERROR.
 *
 * Returns: the domain of this library's errors
 */
QGA_PROXY_API GQuark qga_proxy_error_quark(void);

#define QGA_TYPE_PROXY_ERROR (qga_proxy_error_get_type())
QGA_PROXY_API GType qga_proxy_error_get_type(void);

/**
 * QgaProxyError:
 * @QGA_PROXY_ERROR_ADDRESS: an address is not in QEMU's syntax, or not fit for this call
 * @QGA_PROXY_ERROR_SOCKET: a socket cannot be created or bound
 * @QGA_PROXY_ERROR_STATE: the call is not allowed now: the proxy was started, or has stopped
 * @QGA_PROXY_ERROR_LIMIT: there is no such limit, the value is out of its range, or something
 *   exceeds a limit
 * @QGA_PROXY_ERROR_FILE: a file or directory does not exist or is not usable
 * @QGA_PROXY_ERROR_CACHE: the answers of a command cannot be cached, or not for that long
 * @QGA_PROXY_ERROR_ARGUMENTS: the arguments of a command are not a JSON object, or cannot be
 *   written as one
 * @QGA_PROXY_ERROR_COMMAND_NOT_FOUND: there is no such command, or it is disabled, as most are
 *   while the guest is frozen
 * @QGA_PROXY_ERROR_COMMAND_FAILED: the command was carried out, and answered with an error
 * @QGA_PROXY_ERROR_NOT_SENT: the command could not be sent, and was not carried out
 * @QGA_PROXY_ERROR_NO_ANSWER: the command was sent and not answered; whether it was carried out is
 *   unknown
 * @QGA_PROXY_ERROR_REPLY: the answer is not of the kind that the command returns
 *
 * Errors of the domain %QGA_PROXY_ERROR.
 *
 * Errors concerning a file or a program in the guest are %QGA_PROXY_ERROR_COMMAND_FAILED, in the
 * words of the guest agent.
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
 * @monitor: address of QEMU's QMP socket, in QEMU's syntax: `unix:/run/vm.qmp`,
 *   `tcp:localhost:4445`, with `,server=on` if QEMU connects to the proxy
 * @agent: (nullable): address of the chardev that QEMU's guest agent port is connected to; %NULL
 *   for none
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Creates the proxy of one virtual machine. It does nothing before qga_proxy_start().
 *
 * It belongs to the caller's thread-default #GMainContext. While a thread runs that context, or has
 * pushed it, only that thread may use the proxy; while none does, any one thread may.
 *
 * Returns: (transfer full): the proxy, or %NULL
 */
QGA_PROXY_API QgaProxy *qga_proxy_new(const char *monitor, const char *agent, GError **error);

#define QGA_TYPE_PROXY_CONFIG (qga_proxy_config_get_type())
QGA_PROXY_API G_DECLARE_FINAL_TYPE(QgaProxyConfig, qga_proxy_config, QGA, PROXY_CONFIG, GObject)

/**
 * qga_proxy_config_new:
 *
 * Creates the configuration of a proxy, for the caller to set its properties.
 *
 * Returns: (transfer full): the configuration
 */
QGA_PROXY_API QgaProxyConfig *qga_proxy_config_new(void);

/**
 * qga_proxy_new_for_config:
 * @config: the configuration; read within the call, and reusable
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Creates a proxy from a complete configuration. It belongs to the caller's thread-default
 * #GMainContext, as with qga_proxy_new(). Clients may connect at once; apart from that it does
 * nothing before qga_proxy_start().
 *
 * Addresses may name open file descriptors of the caller, as `fd:N`. The proxy takes them over and
 * closes them; if this function fails, it closes those that were taken over by then.
 *
 * Returns: (transfer full): the proxy, or %NULL
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_for_config(QgaProxyConfig *config, GError **error);

/**
 * qga_proxy_save:
 * @self: a proxy
 * @descriptors: duplicates of all file descriptors that @self has open are appended to it
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Saves @self as it is, in the middle of messages and with commands under way, for
 * qga_proxy_new_successor() in another process or in this one after `execve(2)`. Nobody connected
 * notices: not QEMU, not the agent, no client.
 *
 * Saving changes nothing, but only one of the two may go on from here. As soon as there is a
 * successor, @self must not run any more. Nor must it be stopped or freed, which would remove the
 * paths of its sockets: let its process end, or become another program.
 *
 * Returns: (transfer full): the state, of type `a{sv}`, to be passed on together with the
 *   descriptors, in their order. %NULL, with @error set and of code %QGA_PROXY_ERROR_STATE, if
 *   @self is not running, if it is about to stop because QEMU has gone, if a #QgaProxyGateFunc or
 *   #QgaProxyConnectionFunc has not returned yet, or if there are too few file descriptors to
 *   duplicate them all
 */
QGA_PROXY_API GVariant *qga_proxy_save(QgaProxy *self, GUnixFDList *descriptors, GError **error);

/**
 * qga_proxy_new_successor:
 * @monitor: as for qga_proxy_new()
 * @agent: (nullable): as for qga_proxy_new()
 * @state: what qga_proxy_save() returned
 * @descriptors: the descriptors that belong to it
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Creates a proxy that carries on for one that was saved. Set it up in the same way: the same
 * monitors, the same agents, the same listeners. Each is identified by its address, whatever the
 * order. One that was added is used from then on. One that is missing is closed: a monitor with the
 * clients that used it, an agent's channel with the commands under way there, which fail, and a
 * listener alone: the clients that came through it stay. The proxy takes over with
 * qga_proxy_start().
 *
 * Returns: (transfer full): the proxy; or %NULL with @error set, of code %QGA_PROXY_ERROR_STATE if
 *   an incompatible version wrote @state
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_successor(const char *monitor, const char *agent,
                                                GVariant *state, GUnixFDList *descriptors,
                                                GError **error);

/**
 * QgaProxyKeepFunc:
 * @name: the name to keep it under
 * @fd: the file descriptor to keep a duplicate of; -1 to drop what is kept under @name
 * @user_data: the data given to qga_proxy_set_keep()
 *
 * Keeps a file descriptor where it outlives this process, as `FDSTORE=1` of `sd_notify(3)` does.
 *
 * Unlike every other callback, this one must not call any function of the proxy, nor drop the last
 * reference to it.
 */
typedef void (*QgaProxyKeepFunc)(const char *name, int fd, gpointer user_data);

/**
 * qga_proxy_set_keep:
 * @self: a proxy without listeners and clients so far
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): called with each file
 *   descriptor to be kept; %NULL to keep nothing any more
 * @user_data: data for @func
 * @destroy: (nullable): called with @user_data when another function is set, or when the proxy is
 *   gone
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Constantly keeps outside this process what it takes to go on serving the clients, so that
 * qga_proxy_new_recovered() can do so after the process was killed. The program must ignore
 * `SIGPIPE`.
 *
 * Returns: %TRUE on success; %FALSE with @error set, of code %QGA_PROXY_ERROR_STATE, if that is not
 *   possible
 */
QGA_PROXY_API gboolean qga_proxy_set_keep(QgaProxy *self, QgaProxyKeepFunc func, gpointer user_data,
                                          GDestroyNotify destroy, GError **error);

/**
 * qga_proxy_new_recovered:
 * @monitor: as for qga_proxy_new()
 * @agent: (nullable): as for qga_proxy_new()
 * @names: (array zero-terminated=1): the names of all that was kept
 * @descriptors: the descriptors kept under these names, in the same order
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Creates a proxy that carries on for one whose process was killed. Set it up in the same way,
 * after qga_proxy_set_keep(). The clients stay connected: they are served as soon as QEMU is
 * connected again, and their commands under way fail, with an unknown outcome. Freezes of
 * filesystems that are on record are thawed: see qga_proxy_set_state_directory().
 *
 * Returns: (transfer full): the proxy; or %NULL with @error set, of code %QGA_PROXY_ERROR_STATE if
 *   an incompatible version kept this
 */
QGA_PROXY_API QgaProxy *qga_proxy_new_recovered(const char *monitor, const char *agent,
                                                const char *const *names, GUnixFDList *descriptors,
                                                GError **error);

/**
 * qga_proxy_add_listener:
 * @self: a proxy
 * @address: where QMP clients connect: `unix:PATH`, `unix:@NAME`, `tcp:HOST:PORT`,
 *   `vsock:CID:PORT`, or `fd:N` for a file descriptor that is already listening
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Options may follow the address, separated by commas:
 *
 * - `wait=on`: qga_proxy_start() does not connect to QEMU before the first client of this address
 *   is connected, so a QEMU that waits for its monitor (`-qmp …,server=on`) waits for that client.
 *   Without effect once the proxy connects to QEMU.
 * - `server=off`: the proxy connects to one client at a time instead of listening; `fd:N` then is a
 *   connected client. It tries until it has reached the client once.
 * - `reconnect=SECONDS`, with `server=off`: it tries again after that many seconds, also when the
 *   client was lost.
 * - `pretty=on`: what is sent to these clients is indented.
 * - `mode=OCTAL`, `user=NAME|UID`, `group=NAME|GID`, after a path: who may connect. Without a mode
 *   only the owner may (600), or owner and group if a group is given (660); with none of the three
 *   the umask decides.
 *
 * May be called before and after qga_proxy_start(). Clients may connect from now on; they are
 * greeted when QEMU is connected. The proxy takes over a file descriptor, unless this fails. Names
 * of hosts, users and groups are looked up within the call.
 *
 * Returns: %TRUE on success; %FALSE with @error set if the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_listener(QgaProxy *self, const char *address, GError **error);

/**
 * qga_proxy_remove_listener:
 * @self: a proxy
 * @address: as given to qga_proxy_add_listener() or qga_proxy_add_agent_listener(), with or without
 *   options; of several that are the same, the first
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Stops accepting clients at that address, and removes the path of a socket. Clients that came from
 * there stay connected.
 *
 * Returns: %TRUE on success; %FALSE with @error set if there is no listener at that address, or it
 *   is the address of the agent's own channel
 */
QGA_PROXY_API gboolean qga_proxy_remove_listener(QgaProxy *self, const char *address,
                                                 GError **error);

/**
 * qga_proxy_add_client:
 * @self: a proxy
 * @fd: a connected stream socket; the proxy takes it over and closes it, unless this fails
 * @peer: (nullable): a name for the client in the log, in the status and for #QgaProxyGateFunc;
 *   %NULL for the number of the descriptor
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Serves a client accepted by the caller, as if it had come from a listener.
 *
 * Returns: %TRUE on success; %FALSE with @error set if @fd is no such socket, if the limit on
 *   clients is reached, if QEMU has gone, or if the proxy has stopped
 */
QGA_PROXY_API gboolean qga_proxy_add_client(QgaProxy *self, int fd, const char *peer,
                                            GError **error);

/**
 * qga_proxy_add_agent_client:
 * @self: a proxy
 * @fd: as for qga_proxy_add_client()
 * @peer: (nullable): as for qga_proxy_add_client()
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Like qga_proxy_add_client(), for a client that speaks the guest agent's own protocol.
 *
 * Returns: %TRUE on success; %FALSE with @error set, as for qga_proxy_add_client()
 */
QGA_PROXY_API gboolean qga_proxy_add_agent_client(QgaProxy *self, int fd, const char *peer,
                                                  GError **error);

/**
 * qga_proxy_add_agent_listener:
 * @self: a proxy
 * @address: where clients that speak the guest agent's own protocol connect, as for
 *   qga_proxy_add_listener()
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * To each client this looks like its own channel to an agent: there is no greeting, its syncs are
 * answered, its commands go to the agent like everybody's, and while no agent answers it hears
 * nothing.
 *
 * Returns: %TRUE on success; %FALSE with @error set if the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_agent_listener(QgaProxy *self, const char *address,
                                                    GError **error);

/**
 * qga_proxy_add_agent:
 * @self: a proxy that is not started yet
 * @agent: address of the chardev of a further port for the guest agent
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Commands go to the first channel whose agent answers, and to another one when that agent no
 * longer does and another does. A freeze is the guest's, whichever agent has done it.
 *
 * Earlier settings for agents, such as qga_proxy_set_agent_cache(), do not apply to this one.
 *
 * Returns: %TRUE if it was added; %FALSE with @error set otherwise
 */
QGA_PROXY_API gboolean qga_proxy_add_agent(QgaProxy *self, const char *agent, GError **error);

/**
 * qga_proxy_add_monitor:
 * @self: a proxy
 * @monitor: address of another QMP socket of the same QEMU
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Clients are spread over the monitors, and each stays with its own. With several monitors they
 * wait for one another less, as QEMU reads each one slowly.
 *
 * Returns: %TRUE on success; %FALSE with @error set if the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_monitor(QgaProxy *self, const char *monitor, GError **error);

/**
 * qga_proxy_set_persist:
 * @self: a proxy
 * @persist: whether clients stay connected when QEMU goes
 *
 * Without it, which is the default, the proxy closes all clients and stops when QEMU closes its
 * monitor. With it, clients get errors until QEMU is there again.
 */
QGA_PROXY_API void qga_proxy_set_persist(QgaProxy *self, gboolean persist);

/**
 * qga_proxy_set_freeze_lease:
 * @self: a proxy
 * @seconds: after how many seconds the proxy thaws a freeze of the guest's filesystems that nobody
 *   has thawed or renewed; 0 for never
 *
 * Sets the lease of freezes. The default is 300.
 */
QGA_PROXY_API void qga_proxy_set_freeze_lease(QgaProxy *self, guint seconds);

/**
 * qga_proxy_set_freeze_join:
 * @self: a proxy
 * @join: whether a client that asks for an existing freeze joins it, instead of being refused
 *
 * A freeze that was joined ends with the last client that holds it: earlier thaws return 0. Its
 * lease begins anew with each client that joins. The default is %FALSE, which is how an agent
 * behaves by itself.
 */
QGA_PROXY_API void qga_proxy_set_freeze_join(QgaProxy *self, gboolean join);

/**
 * qga_proxy_set_state_directory:
 * @self: a proxy
 * @directory: a directory for files that outlive this process
 * @name: the name of the virtual machine, unique among those that use the directory
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Makes the proxy put a freeze on record before it is sent, and thaw the guest if it finds a freeze
 * on record when it starts. To be called before qga_proxy_start().
 *
 * Returns: %TRUE on success; %FALSE with @error set, of code %QGA_PROXY_ERROR_FILE if there is no
 *   such directory
 */
QGA_PROXY_API gboolean qga_proxy_set_state_directory(QgaProxy *self, const char *directory,
                                                     const char *name, GError **error);

/**
 * qga_proxy_set_limit:
 * @self: a proxy
 * @limit: `NAME=NUMBER`, with an optional suffix `K`, `M` or `G` for powers of 1024; the names are
 *   those in the member `limits` of what qga_proxy_dup_status() returns
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Changes a limit from its default, for clients that connect from now on.
 *
 * Returns: %TRUE on success; %FALSE with @error set, of code %QGA_PROXY_ERROR_LIMIT if there is no
 *   limit of that name or the number is out of its range
 */
QGA_PROXY_API gboolean qga_proxy_set_limit(QgaProxy *self, const char *limit, GError **error);

/**
 * qga_proxy_set_agent_cache:
 * @self: a proxy
 * @answer: `COMMAND=SECONDS`: how old a cached answer to that guest command may be when the proxy
 *   returns it for the same question; off for all commands by default
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Caches answers of the guest agent. Only for commands that query the guest and change nothing,
 * such as `guest-get-osinfo`. Cached answers are dropped when the guest, its agent or the channel
 * to it has changed, and when a command was sent that may have changed something.
 *
 * Returns: %TRUE on success; %FALSE with @error set, of code %QGA_PROXY_ERROR_CACHE if answers of
 *   that command cannot be cached, or not for that long
 */
QGA_PROXY_API gboolean qga_proxy_set_agent_cache(QgaProxy *self, const char *answer,
                                                 GError **error);

/**
 * qga_proxy_list_limits:
 *
 * Describes, for people, what qga_proxy_set_limit() can set.
 *
 * Returns: (transfer full) (array zero-terminated=1): a line for each limit: its name, its default,
 *   and what it bounds
 */
QGA_PROXY_API char **qga_proxy_list_limits(void);

/**
 * qga_proxy_poll_context:
 * @context: (nullable): a context that proxies will belong to, and to which nothing is attached
 *   yet; %NULL for the default one
 * @fds: (array length=n_fds) (nullable): file descriptors that the caller will poll there for input
 *   while @context is in use, and keep open that long
 * @n_fds: how many there are, at most 2
 *
 * Lets @context find out what is ready with one system call instead of two; a guest-ping then needs
 * seven instead of nine. For a program that owns @context, since this sets its poll function. While
 * other descriptors are polled there, it waits as before.
 *
 * Returns: %TRUE on success; %FALSE if it is not possible, since a process has only one such
 *   context; nothing has changed then
 */
QGA_PROXY_API gboolean qga_proxy_poll_context(GMainContext *context, const int *fds, guint n_fds);

/**
 * qga_proxy_start:
 * @self: a proxy
 *
 * Connects to QEMU and to the agent's channel, now or as soon as they are there. If an address of
 * clients has `wait=on`, the proxy first waits for a client there.
 */
QGA_PROXY_API void qga_proxy_start(QgaProxy *self);

/**
 * qga_proxy_stop:
 * @self: a proxy
 *
 * Closes everything. Pending commands are answered with an error if their clients still read, and
 * so are those of qga_proxy_execute_async(), in a turn of the main loop. The signal
 * #QgaProxy::closed is not emitted.
 *
 * Called from within a #QgaProxyGateFunc or a #QgaProxyConnectionFunc, it takes effect at the next
 * turn of the main loop, and the proxy calls neither function again until then.
 *
 * Connections are closed even if the main context is no longer run. But the callback of a
 * qga_proxy_execute_async() is called only when the context runs, and until then the command keeps
 * a reference to the proxy.
 */
QGA_PROXY_API void qga_proxy_stop(QgaProxy *self);

/**
 * qga_proxy_dup_trouble:
 * @self: a proxy
 *
 * Says what keeps the proxy from QEMU, for people who wait.
 *
 * Returns: (transfer full) (nullable): why the last attempt to connect to QEMU's monitor, or to one
 *   of several, failed; %NULL if all are connected, or if the first attempt is under way
 */
QGA_PROXY_API char *qga_proxy_dup_trouble(QgaProxy *self);

/**
 * qga_proxy_dup_status:
 * @self: a proxy
 *
 * Returns the state of QEMU, the agent, clients, freezes and limits.
 *
 * Returns: (transfer full): what the command `qga-proxy-status` returns, as JSON text; `{}` once
 *   the proxy has stopped
 */
QGA_PROXY_API char *qga_proxy_dup_status(QgaProxy *self);

/**
 * qga_proxy_dup_metrics:
 * @self: a proxy
 * @vm: (nullable): name of the virtual machine, for a label `vm` of each sample
 *
 * Returns the content of qga_proxy_dup_status() in the text format of Prometheus, version 0.0.4.
 * The number of lines does not grow with the number of clients.
 *
 * Returns: (transfer full): that text; empty once the proxy has stopped
 */
QGA_PROXY_API char *qga_proxy_dup_metrics(QgaProxy *self, const char *vm);

/**
 * QgaProxyConnectionFunc:
 * @fd: the non-blocking socket of a new connection, for the callee to close
 * @peer: the name of the peer, for the log
 * @user_data: the data given to qga_proxy_add_service()
 *
 * Called with each new connection.
 */
typedef void (*QgaProxyConnectionFunc)(int fd, const char *peer, gpointer user_data);

/**
 * qga_proxy_add_service:
 * @self: a proxy
 * @address: where to listen, as for qga_proxy_add_listener(), but only with the options of a path
 * @func: called with each connection
 * @user_data: data for @func
 * @destroy: (nullable): called with @user_data when the proxy stops or no longer listens, or if
 *   this fails
 * @error: return location for an error of domain %QGA_PROXY_ERROR
 *
 * Listens for something that the program serves beside the proxy, such as qga_proxy_dup_metrics(),
 * with the same form of address and in the same main loop.
 *
 * Returns: %TRUE on success; %FALSE with @error set if the address is not usable
 */
QGA_PROXY_API gboolean qga_proxy_add_service(QgaProxy *self, const char *address,
                                             QgaProxyConnectionFunc func, gpointer user_data,
                                             GDestroyNotify destroy, GError **error);

/**
 * QgaProxyGateFunc:
 * @self: the proxy
 * @peer: the client, named by where it came from
 * @user: the user id of the process at the other end of a unix socket; -1 if unknown
 * @process: the id of that process; -1 if unknown
 * @command: the name of the command
 * @arguments: (nullable): its arguments as JSON text, as the client wrote them
 * @user_data: the data given to qga_proxy_set_gate()
 * @error: return location for an error; the client gets its message, as an error of class
 *   `GenericError`
 *
 * Decides whether a client's command is carried out. Meanwhile this client waits, and so do all
 * others.
 *
 * Returns: %TRUE to let it pass; %FALSE, with @error set, to refuse it
 */
typedef gboolean (*QgaProxyGateFunc)(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                                     const char *command, const char *arguments, gpointer user_data,
                                     GError **error);

/**
 * qga_proxy_set_gate:
 * @self: a proxy
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): called before each
 *   command of a client; %NULL to let all pass
 * @user_data: data for @func
 * @destroy: (nullable): called with @user_data when another function is set, or when the proxy is
 *   gone
 *
 * Puts a gate in front of the commands of all clients, including those of the agent's own protocol.
 * It is not asked about what concerns only a connection: `qmp_capabilities`, and the syncs of the
 * agent's protocol. Nor is it asked about the caller's own commands.
 */
QGA_PROXY_API void qga_proxy_set_gate(QgaProxy *self, QgaProxyGateFunc func, gpointer user_data,
                                      GDestroyNotify destroy);

/**
 * QgaProxyAuditFunc:
 * @self: the proxy
 * @peer: the client, as for #QgaProxyGateFunc; for a command by qga_proxy_execute_async(), the
 *   value of #QgaProxyConfig:program
 * @user: as for #QgaProxyGateFunc
 * @process: as for #QgaProxyGateFunc
 * @command: the name of the command
 * @error_class: (nullable): the QMP class of the error it was answered with; %NULL for success
 * @error_text: (nullable): the text of that error
 * @microseconds: the time from when the command was read until it was answered
 * @user_data: the data given to qga_proxy_set_audit()
 *
 * Called when a command was answered.
 */
typedef void (*QgaProxyAuditFunc)(QgaProxy *self, const char *peer, gint64 user, gint64 process,
                                  const char *command, const char *error_class,
                                  const char *error_text, gint64 microseconds, gpointer user_data);

/**
 * qga_proxy_set_audit:
 * @self: a proxy
 * @func: (nullable) (scope notified) (closure user_data) (destroy destroy): called when a command
 *   was answered, in a later turn of the main loop; %NULL for none
 * @user_data: data for @func
 * @destroy: (nullable): called with @user_data when another function is set, or when the proxy is
 *   gone
 *
 * Reports each command that comes from now on, of clients and of the caller itself, in the order in
 * which they are answered, including those that are refused and those whose client has left.
 */
QGA_PROXY_API void qga_proxy_set_audit(QgaProxy *self, QgaProxyAuditFunc func, gpointer user_data,
                                       GDestroyNotify destroy);

/**
 * QgaProxyExecuteFlags:
 * @QGA_PROXY_EXECUTE_NONE: like the commands of clients
 * @QGA_PROXY_EXECUTE_AHEAD: a command for the guest agent goes ahead of all that wait for it,
 *   except thaws
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
 * @timeout_seconds: the timeout, after which the command fails with %QGA_PROXY_ERROR_NO_ANSWER, or
 *   with %QGA_PROXY_ERROR_NOT_SENT if it was not sent; 0 for the proxy's own timeout for such a
 *   command, which is none for QEMU's
 * @flags: how it is carried out
 * @cancellable: (nullable): once cancelled, the command is no longer sent, or its answer is dropped
 * @callback: (scope async) (closure user_data): called once it is answered, in a later turn of the
 *   main loop, and always exactly once
 * @user_data: data for @callback
 *
 * Carries out a command for the caller, beside those of clients and by the same rules, without a
 * socket. A freeze requested in this way belongs to the caller.
 *
 * The command keeps the proxy alive until it is answered, even if the last other reference is
 * dropped.
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
 * Returns: (transfer full): what the command returned, as JSON text of any value; a NUL byte
 *   follows it. %NULL with @error set if it failed
 */
QGA_PROXY_API GBytes *qga_proxy_execute_finish(QgaProxy *self, GAsyncResult *result,
                                               GError **error);

/**
 * qga_proxy_execute_finish_node:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error: as for qga_proxy_execute_finish(), or of code
 *   %QGA_PROXY_ERROR_LIMIT if the result is too large for a tree: over 1 MiB
 *
 * Like qga_proxy_execute_finish(), but returns a tree. It does not preserve integers over 2⁶³ and
 * strings with NUL characters; the text does.
 *
 * Returns: (transfer full): what the command returned; %NULL with @error set if it failed
 */
QGA_PROXY_API JsonNode *qga_proxy_execute_finish_node(QgaProxy *self, GAsyncResult *result,
                                                      GError **error);

/**
 * qga_proxy_ping_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when the agent has answered
 * @user_data: data for @callback
 *
 * Asks whether the guest agent answers.
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
 * Returns: %TRUE if the agent has answered; %FALSE with @error set otherwise
 */
QGA_PROXY_API gboolean qga_proxy_ping_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_get_info_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when the agent has answered
 * @user_data: data for @callback
 *
 * Asks the guest agent for its version and its commands.
 */
QGA_PROXY_API void qga_proxy_get_info_async(QgaProxy *self, GCancellable *cancellable,
                                            GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_get_info_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_version: (out) (optional) (transfer full): the version of the agent
 * @error: return location for an error
 *
 * Ends qga_proxy_get_info_async().
 *
 * Returns: (transfer full): what `guest-info` returns, as JSON text; %NULL with @error set if it
 *   failed
 */
QGA_PROXY_API GBytes *qga_proxy_get_info_finish(QgaProxy *self, GAsyncResult *result,
                                                char **ret_version, GError **error);

/**
 * qga_proxy_freeze_async:
 * @self: a proxy
 * @mountpoints: (nullable) (array zero-terminated=1): mount points of the filesystems to freeze;
 *   %NULL for all
 * @cancellable: (nullable): as for qga_proxy_execute_async(); the guest may be frozen nevertheless,
 *   until qga_proxy_thaw_async() or until the lease of the freeze ends
 * @callback: (scope async) (closure user_data): called when it is done
 * @user_data: data for @callback
 *
 * Freezes the guest's filesystems.
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
 * Returns: how many filesystems were frozen; -1 with @error set if it failed
 */
QGA_PROXY_API gint64 qga_proxy_freeze_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_thaw_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when it is done
 * @user_data: data for @callback
 *
 * Thaws the guest's filesystems.
 */
QGA_PROXY_API void qga_proxy_thaw_async(QgaProxy *self, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_thaw_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error; of code %QGA_PROXY_ERROR_COMMAND_FAILED if the freeze had
 *   ended before, so that what was done meanwhile is not consistent
 *
 * Ends qga_proxy_thaw_async().
 *
 * Returns: how many filesystems were thawed; -1 with @error set if it failed
 */
QGA_PROXY_API gint64 qga_proxy_thaw_finish(QgaProxy *self, GAsyncResult *result, GError **error);

/**
 * qga_proxy_get_frozen_async:
 * @self: a proxy
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when the agent has answered
 * @user_data: data for @callback
 *
 * Asks the guest agent whether filesystems are frozen. What the proxy itself knows is in
 * qga_proxy_dup_status().
 */
QGA_PROXY_API void qga_proxy_get_frozen_async(QgaProxy *self, GCancellable *cancellable,
                                              GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_get_frozen_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_frozen: (out) (optional): whether filesystems are frozen
 * @error: return location for an error
 *
 * Ends qga_proxy_get_frozen_async().
 *
 * Returns: %TRUE if there was an answer; %FALSE with @error set otherwise
 */
QGA_PROXY_API gboolean qga_proxy_get_frozen_finish(QgaProxy *self, GAsyncResult *result,
                                                   gboolean *ret_frozen, GError **error);

/**
 * qga_proxy_wait_ready_async:
 * @self: a proxy
 * @timeout_seconds: how long to wait
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when the agent answers
 * @user_data: data for @callback
 *
 * Waits until the guest agent answers, which may be at once.
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
 * Returns: %TRUE if the agent answers; %FALSE with @error set otherwise, also after the timeout
 */
QGA_PROXY_API gboolean qga_proxy_wait_ready_finish(QgaProxy *self, GAsyncResult *result,
                                                   GError **error);

/**
 * qga_proxy_exec_async:
 * @self: a proxy
 * @arguments: (array zero-terminated=1): a program in the guest, and its arguments
 * @environment: (nullable) (array zero-terminated=1): its whole environment, as `NAME=VALUE`; %NULL
 *   for the agent's
 * @input: (nullable): its standard input; %NULL for none
 * @timeout_seconds: how long to wait for the end of the program; 0 for no limit
 * @cancellable: (nullable): as for qga_proxy_execute_async(); a program that was started continues
 * @callback: (scope async) (closure user_data): called when the program has ended
 * @user_data: data for @callback
 *
 * Runs a program in the guest and waits for its end, by asking for its status at growing intervals
 * of up to a second.
 */
QGA_PROXY_API void qga_proxy_exec_async(QgaProxy *self, const char *const *arguments,
                                        const char *const *environment, GBytes *input,
                                        guint timeout_seconds, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_exec_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @ret_status: (out) (optional): the exit status of the program, or -1 if a signal ended it
 * @ret_signal: (out) (optional): that signal, or 0
 * @ret_stdout: (out) (optional) (transfer full): what it wrote to its standard output
 * @ret_stderr: (out) (optional) (transfer full): what it wrote to its standard error
 * @ret_truncated: (out) (optional): whether the agent did not keep all of these
 * @error: return location for an error
 *
 * Ends qga_proxy_exec_async().
 *
 * Returns: %TRUE if the program has ended, in whatever way; %FALSE with @error set otherwise, of
 *   code %QGA_PROXY_ERROR_NO_ANSWER if it may still be running
 */
QGA_PROXY_API gboolean qga_proxy_exec_finish(QgaProxy *self, GAsyncResult *result, int *ret_status,
                                             int *ret_signal, GBytes **ret_stdout,
                                             GBytes **ret_stderr, gboolean *ret_truncated,
                                             GError **error);

/**
 * qga_proxy_read_file_async:
 * @self: a proxy
 * @path: the path of a file in the guest
 * @max_bytes: the maximum length of the file; reading a longer one fails
 * @cancellable: (nullable): as for qga_proxy_execute_async()
 * @callback: (scope async) (closure user_data): called when it was read
 * @user_data: data for @callback
 *
 * Reads a file in the guest, in pieces, so that others get their turn. It is closed there in any
 * case, even after a cancellation.
 */
QGA_PROXY_API void qga_proxy_read_file_async(QgaProxy *self, const char *path, gsize max_bytes,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer user_data);

/**
 * qga_proxy_read_file_finish:
 * @self: a proxy
 * @result: what the callback was given
 * @error: return location for an error; of code %QGA_PROXY_ERROR_LIMIT if the file is too long
 *
 * Ends qga_proxy_read_file_async().
 *
 * Returns: (transfer full): the contents of the file; %NULL with @error set if it failed
 */
QGA_PROXY_API GBytes *qga_proxy_read_file_finish(QgaProxy *self, GAsyncResult *result,
                                                 GError **error);

/**
 * qga_proxy_write_file_async:
 * @self: a proxy
 * @path: the path of a file in the guest
 * @contents: the new contents of the file
 * @cancellable: (nullable): as for qga_proxy_execute_async(); a part may have been written
 * @callback: (scope async) (closure user_data): called when it was written
 * @user_data: data for @callback
 *
 * Writes a file in the guest, in pieces, so that others get their turn. This replaces its former
 * contents. It is closed there in any case, even after a cancellation.
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
 * Returns: %TRUE if all of it was written and the file closed; %FALSE with @error set otherwise
 */
QGA_PROXY_API gboolean qga_proxy_write_file_finish(QgaProxy *self, GAsyncResult *result,
                                                   GError **error);

G_END_DECLS
