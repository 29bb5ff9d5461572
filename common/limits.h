/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every limit on what a peer can make us do or remember: its value, and why it is that.
 *
 * GLib aborts when memory runs out, so nothing that a peer drives may grow without first being held
 * against one of these. A limit is enforced where its name is used. Those in proxy/bounds.c are
 * defaults that can be changed, and are enforced where that member of Bounds is read. Whoever meets
 * a limit answers with an error that names the culprit, or closes that one peer.
 */

#pragma once

/* ---- JSON text (json-scan.c) ----------------------------------------------------------------- */

/* QEMU and its guest agent accept 1024 open brackets and refuse 1025; a proxy that is stricter
 * would refuse what QEMU takes, one that is laxer would pass on what QEMU refuses. */
#define LIMIT_JSON_NESTING 1024

/* QEMU's bound on tokens of one message. Bounds the work of everything that walks a scanned
 * message. */
#define LIMIT_JSON_TOKENS (2u * 1024 * 1024)

/* QEMU's bound on the text of one message, and so the largest that any peer of the field can mean.
 * It is the ceiling; the limits below are what each kind of peer is given of it. */
#define LIMIT_JSON_BYTES (64u * 1024 * 1024)

/* Objects with more members than this find duplicate keys by hash, not by looking at each other
 * key. Every request of the field has fewer than 16 members in any one object. */
#define LIMIT_JSON_KEYS_LINEAR 16

/* Largest result that an embedder gets as a tree of json-glib, which needs 1.25 GB for 12 MB of
 * "{},": a hundred times as much, and the guest may have sent it. query-qmp-schema is 207 kB. */
#define LIMIT_NODE_BYTES (1u * 1024 * 1024)

/* ---- Messages (stream owners) ---------------------------------------------------------------- */

/* Largest command towards QEMU, which reads about 0.25 MB/s, one byte per turn of its main loop,
 * and serves nobody else on that monitor meanwhile: 1 MiB is 4 s. */
#define LIMIT_QMP_REQUEST_BYTES (1u * 1024 * 1024)

/* Largest request of a client of the proxy: a guest-file-write of 48 MiB is 64 MiB of base64 and
 * its envelope. */
#define LIMIT_CLIENT_REQUEST_BYTES LIMIT_JSON_BYTES

/* Largest message from QEMU. query-qmp-schema is 207 kB; the rest is room for what is not known
 * yet. QEMU is trusted more than the others, yet a bound keeps a confused one from taking the
 * host's memory. */
#define LIMIT_QMP_REPLY_BYTES LIMIT_JSON_BYTES

/* Largest reply of the agent to a command that reads file data or captured output: 48 MiB of file
 * are 64 MiB of base64, two captured streams of 16 MiB are 43 MiB. */
#define LIMIT_AGENT_BULK_REPLY_BYTES (65u * 1024 * 1024)

/* Largest reply of the agent to anything else: the greatest ones seen, guest-get-fsinfo and
 * guest-get-disks on hosts with hundreds of disks, stay below 300 kB. */
#define LIMIT_AGENT_REPLY_BYTES (1u * 1024 * 1024)

/* Raw bytes that a guest-file-read asks the agent for at once; a client's for more of them is sent
 * in pieces. One has the channel for half a millisecond, and for 2 to 3 in an emulated guest. It is
 * a multiple of three, so that the base64 of one goes behind that of another, and its reply fits
 * 512 KiB, memory that the C library has at hand. */
#define LIMIT_FILE_SLICE_BYTES (378u * 1024)
#define LIMIT_FILE_SLICE_REPLY (512u * 1024)

/* Longest command name that is looked up or repeated in an error; QEMU's longest is 38 bytes. */
#define LIMIT_COMMAND_NAME 256

/* Longest desc of an agent's error that is passed on; the rest of an honest one is a path and
 * strerror. */
#define LIMIT_AGENT_ERROR_DESC (16u * 1024)

/* ---- Connections (proxy/) -------------------------------------------------------------------- */

/* Connections of one listener that are accepted in one turn: a flood of them keeps the clients that
 * are there waiting for about a millisecond. */
#define LIMIT_ACCEPTS_PER_TURN 64

/* Clients of one proxy, each of which costs one descriptor and under 1 KiB, and how many of them,
 * on unix sockets, may be of one user, so that no user can keep the others out. */
#define LIMIT_CLIENTS          2048
#define LIMIT_CLIENTS_PER_USER 1024

/* Seconds from the greeting to qmp_capabilities. Programs take milliseconds, people at a terminal
 * some ten seconds. */
#define LIMIT_NEGOTIATION_SECONDS 120

/* Seconds of silence after which a TCP peer is asked by the kernel whether it is there. Four
 * unanswered questions, a quarter of this apart, end the connection: a host that vanished is
 * noticed after twice this time. */
#define LIMIT_KEEPALIVE_SECONDS 60

/* Commands of one client that are parsed and wait for their turn. Above it the client's input is
 * not read, which pushes back through its socket. QEMU's own queue has the same length. */
#define LIMIT_CLIENT_QUEUED 8

/* Names for file descriptors that one client may hold in QEMU, where libvirt uses one for each
 * network device and each migration, and bytes of one of them. */
#define LIMIT_CLIENT_FD_NAMES 256
#define LIMIT_FD_NAME         256

/* In-band commands under way on one monitor. QEMU stops reading at 8 and would hold exec-oob back
 * as well. */
#define LIMIT_MONITOR_IN_FLIGHT 7

/* Unsent output of one client: above the high mark its commands are not read, below the low mark
 * they are again, at the hard limit it is closed. The hard limit leaves room for one largest reply
 * beside it. */
#define LIMIT_OUTPUT_HIGH     (256u * 1024)
#define LIMIT_OUTPUT_LOW_PART 4 /* the low mark is this part of the high one */
#define LIMIT_OUTPUT_LOW      (LIMIT_OUTPUT_HIGH / LIMIT_OUTPUT_LOW_PART)
#define LIMIT_OUTPUT_HARD     (LIMIT_AGENT_BULK_REPLY_BYTES + 16u * 1024 * 1024)

/* Unsent commands to one monitor: those in flight, each of the largest size, and a few out of band.
 */
#define LIMIT_UPSTREAM_OUTPUT (16u * 1024 * 1024)

/* Pause between two attempts to connect to QEMU or to the agent's channel, in milliseconds: doubled
 * from the first to the last. QEMU opens its sockets within some ten of them; a failed attempt
 * costs 20 µs. */
#define LIMIT_RECONNECT_FIRST_MS 20
#define LIMIT_RECONNECT_LAST_MS  1000

/* Memory of one client: a largest request being read, with 16 MiB for the names in it at most, its
 * copy on the way, and unsent output. */
#define LIMIT_CLIENT_BYTES (256u * 1024 * 1024)

/* What each client may hold of it in any case, whatever the others hold: requests and replies of
 * the usual size pass even while some peers hold all that is shared. 1000 clients: 64 MiB. */
#define LIMIT_CLIENT_OWN_BYTES (64u * 1024)

/* Memory that all clients of one proxy may hold in requests and unsent output together. */
#define LIMIT_PROXY_BYTES (512u * 1024 * 1024)

/* One client's turn: it ends after so many messages, or after so many microseconds, but not before
 * its first message; the client comes again behind the others. 32 statuses take 0.8 ms. */
#define LIMIT_TURN_MESSAGES 32
#define LIMIT_TURN_US       20

/* Bytes that one endpoint may read before the others get their turn. */
#define LIMIT_READ_BUDGET (256u * 1024)

/* Bytes of one client, waiting to be taken or to be read, above which it does not outlive a proxy
 * that is killed: each change of it would write all of that down again. */
#define LIMIT_KEPT_CLIENT_BYTES (256u * 1024)

/* An id, as JSON, of which a copy is kept that no account pays for: of a client's last sync while
 * no agent is there, and of a command under way in case the proxy is killed. One that is longer is
 * not kept. */
#define LIMIT_KEPT_ID_BYTES 4096

/* Milliseconds that clients get to read what is left for them when QEMU has gone. */
#define LIMIT_LINGER_MS 2000

/* Clients that qga-proxy-status lists, at some 250 bytes each: 64 kB. */
#define LIMIT_STATUS_CONNECTIONS 256

/* Milliseconds between the ends of the monitor and of the agent's channel that make them one event,
 * the end of QEMU: it closes both within some ten of them. */
#define LIMIT_PARTING_MS 1000

/* Metrics: connections at once, each of which takes a turn of the main loop of 0.1 ms; bytes of
 * memory of each, in which its request has to fit, where Prometheus's has 300; seconds from its
 * first moment to its last, where Prometheus gives up after 10. */
#define LIMIT_METRICS_CONNECTIONS   8
#define LIMIT_METRICS_REQUEST_BYTES 8192
#define LIMIT_METRICS_SECONDS       10

/* ---- Agent lane (proxy/agent-lane.c) --------------------------------------------------------- */

/* Commands of all clients that wait for the agent. Past it a command is refused: at the 3 s that a
 * slow agent takes per command, 256 are 13 minutes. */
#define LIMIT_AGENT_QUEUED 256

/* Commands under way to an agent that takes several, whatever it offers. Ten dashboards and a
 * backup fit; as many wait for it on its side as ours offers. Names of capabilities that are looked
 * at. */
#define LIMIT_AGENT_IN_FLIGHT    16
#define LIMIT_AGENT_CAPABILITIES 64

/* Seconds that a freeze lasts longer in the guest than here, where it is thawed from here if
 * anybody is: a tenth of its lease, and no less than a sync and a thaw may take. */
#define LIMIT_FREEZE_LEASE_PART 10
#define LIMIT_FREEZE_LEASE_MORE 5

/* Commands of one agent that are looked at; upstream has 44. */
#define LIMIT_AGENT_COMMANDS 512

/* How long one sync is waited for before the next, in milliseconds: doubled from the first to the
 * last. An emulated guest answers in under 5 ms when its agent runs. A port that tells when it
 * opens is probed then, without waiting; of a serial line nobody tells, so that the last is how
 * late an agent is found there: within a second of its start. What nobody reads piles up no further
 * than the socket's buffer. */
#define LIMIT_SYNC_FIRST_MS 250
#define LIMIT_SYNC_LAST_MS  800

/* Unanswered probes after which commands are refused at once, instead of waiting for the next
 * one: 5.55 s. */
#define LIMIT_SYNC_HOPE 8

/* Milliseconds that the first of several channels to an agent has to answer, when another has and
 * none did before. An agent that is there answers the first sync, within LIMIT_SYNC_FIRST_MS. */
#define LIMIT_CHANNEL_WAIT_MS 250

/* Milliseconds between two looks at a migration in its last phase, which takes 300 where nothing
 * else is said. */
#define LIMIT_MIGRATION_LOOK_MS 100

/* Seconds that a command waits for a sync before it is refused, unsent. libvirt gives a sync 5 s
 * too. */
#define LIMIT_SECONDS_UNSYNCED 5

/* Seconds after which an agent that says nothing to the question whether it is still the same is
 * asked again, while that leaves half of what may be under way to others: on a serial line the
 * question is lost where nobody reads, and an agent is found within a second of its start. */
#define LIMIT_SECONDS_UNHEARD 1

/* Time for one command, by its class in the schema, in seconds, where its asker has not said
 * otherwise. Quick ones touch memory; slow ones touch disks or wait for helpers; a freeze waits for
 * the guest's writers and its hooks (killing it at the host leaves the guest frozen, so it is
 * long); thaw must be known to have failed soon, to be tried again. */
#define LIMIT_SECONDS_QUICK    10
#define LIMIT_SECONDS_SLOW     60
#define LIMIT_SECONDS_FREEZE   600
#define LIMIT_SECONDS_THAW     30
#define LIMIT_SECONDS_SHUTDOWN 60

/* Answers of the agent that are given again, where that was asked for, and what they may take
 * together: of the 17 commands that are shared, each with few arguments if any, the greatest
 * answers seen stay below 300 kB. Longest time that they may be given again, in seconds: a day. */
#define LIMIT_AGENT_CACHE_ANSWERS 64
#define LIMIT_AGENT_CACHE_BYTES   (4u * 1024 * 1024)
#define LIMIT_AGENT_CACHE_SECONDS 86400

/* ---- Freezes (proxy/freeze.c) ---------------------------------------------------------------- */

/* Seconds after which a freeze is thawed that nobody has thawed or renewed. A snapshot takes less
 * than one; KubeVirt's safety timer has the same length. */
#define LIMIT_FREEZE_LEASE_SECONDS 300

/* Longest lease that can be asked for: a day. */
#define LIMIT_FREEZE_LEASE_LONGEST 86400

/* Milliseconds between two rounds of thaw and status, while the guest does not say that it is
 * thawed. */
#define LIMIT_THAW_PAUSE_MS 1000

/* Longest time, in seconds, that qga-proxy-wait-agent may be given: a day. */
#define LIMIT_WAIT_SECONDS 86400

/* Longest time, in seconds, that anybody may give a guest command: a day. */
#define LIMIT_SESSION_TIMEOUT 86400

/* ---- Agent (agent/) -------------------------------------------------------------------------- */

/* Pause between two attempts to open the channel's device, in milliseconds: doubled from the first
 * to the last. One that went away may be back at once (a driver is loaded again) or never. Enforced
 * by agent/channel-posix.c and agent/channel-win32.c. */
#define LIMIT_REOPEN_FIRST_MS 100
#define LIMIT_REOPEN_LAST_MS  5000

/* Raw bytes of one guest-file-read. 48 MiB of data are the 64 MiB of base64 that a token may have.
 */
#define LIMIT_FILE_READ_BYTES (48u * 1024 * 1024)

/* Raw bytes of a guest-file-read that is sent while the file is still read: all that is above one
 * common read, of which the whole reply is 1.4 MiB. And of a piece of it, a multiple of three: its
 * base64, 120 KiB with what stands in front, fits one allocation of 128 KiB. Pieces of twice that
 * are no faster, and the agent's peak is 1 MiB higher. */
#define LIMIT_FILE_WHOLE_BYTES (1u * 1024 * 1024)
#define LIMIT_FILE_PIECE_BYTES (90u * 1024)

/* Open handles. Upstream has none; a host that leaks handles would take the agent's last
 * descriptor, and with it the freeze and the shutdown that it is there for. */
#define LIMIT_FILE_HANDLES 512

/* Captured bytes of each output stream of a guest-exec; the rest is read and thrown away, and
 * flagged. */
#define LIMIT_EXEC_CAPTURE_BYTES (16u * 1024 * 1024)

/* Milliseconds from a program's start in which a question for its status waits for its end. Most
 * programs end within a few; and who asks in vain asks again, at once, which takes the processor
 * that the program is to start on, or later than it would have to. Commands behind such a question
 * wait as long where there is one at a time, but for once in a program's life. */
#define LIMIT_EXEC_HOLD_MS 5

/* Started programs whose end was not yet asked for. Each may hold 32 MiB of output. For one more
 * the oldest that has ended is forgotten; where all still run it is refused. */
#define LIMIT_EXEC_RECORDS 256

/* Commands that a host may have under way with the capability pipeline: one of each client of a
 * busy proxy. And all that may be, with those whose host has gone or begun anew: each has a thread
 * at most. What is served while filesystems are frozen is quick, or is the thaw, and not counted.
 */
#define LIMIT_AGENT_PIPELINE 16
#define LIMIT_AGENT_CALLS    (2 * LIMIT_AGENT_PIPELINE)

/* Unsent replies above which the agent reads no further request: one largest reply fits at any
 * time. */
#define LIMIT_AGENT_OUTPUT_HIGH (1u * 1024 * 1024)

/* Output of a hook or helper program that is kept for an error's text. */
#define LIMIT_HELPER_OUTPUT (4u * 1024)

/* Milliseconds that a helper program is given: chpasswd waits up to 15 s for the lock of the
 * password file. Half of what the proxy gives a slow command, so that its host still hears why it
 * failed. */
#define LIMIT_HELPER_MS 30000

/* Seconds that a hook may take where the configuration does not say. A database that writes its
 * buffers out takes minutes; half of what the proxy gives a freeze, so that its failure is told,
 * not guessed. */
#define LIMIT_HOOK_SECONDS 300

/* Filesystems that are frozen side by side: each is a thread that waits. With eight, eight take as
 * long as one; guests of more than 64 disks are rare. */
#define LIMIT_WORK_THREADS 64

/* Seconds that a thread without a job is kept: the next one comes within a few, if any, and needs
 * none made. */
#define LIMIT_IDLE_THREAD_SECONDS 15

/* A file of the kernel or of the administrator that a command reads whole: /proc/net/route of
 * 100000 routes, os-release, utmp. Past it the command fails, rather than take the guest's memory.
 */
#define LIMIT_TEXT_FILE_BYTES (16u * 1024 * 1024)

/* Bytes of one file in /sys that are read. A page, 4 KiB here and 64 KiB elsewhere, is the most
 * that the kernel puts into one; what udev knows of a device takes some 2 KiB. */
#define LIMIT_SYSFS_BYTES (64u * 1024)

/* Disks below one device, counted along every way that leads to them, and how deep volumes lie on
 * volumes. The kernel stacks 8 deep and no further than that. */
#define LIMIT_DISK_SLAVES 256
#define LIMIT_DISK_DEPTH  16

/* Bytes of a user's file of SSH keys. A key has 100 to 800, so that this is above a thousand of
 * them. */
#define LIMIT_SSH_KEYS_BYTES (1u * 1024 * 1024)
