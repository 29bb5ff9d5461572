#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent as a process: options, exit statuses, signals, the background, inherited sockets, its logs.

Usage: program-test.py QGA-AGENT. Nothing is frozen, suspended or shut down here."""

import contextlib
import fcntl
import json
import os
import pty
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tty
import unittest
from pathlib import Path

AGENT = str(Path(sys.argv.pop(1)).resolve())  # tests have it start elsewhere, too
TIMEOUT = 20
NOBODY = 65534  # a user's number, and a group's

# In a file that is none of the agent's: it would be answered by {"return": {}}.
PRECIOUS = '{"execute": "guest-ping"}\n'


def wait_for(condition, what):
    """Waits for what no descriptor tells of; fails rather than go on too early."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.01)


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT)
        self.lines = sock.makefile("rb")

    @classmethod
    def connect(cls, path):
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(str(path))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    def ask(self, name, **arguments):
        self.sock.sendall(json.dumps({"execute": name, "arguments": arguments}).encode())
        return json.loads(self.lines.readline())

    def close(self):
        self.lines.close()
        self.sock.close()


class Program(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="qga-")))
        self.socket = self.directory / "socket"

    def run_agent(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([AGENT, *map(str, arguments)], capture_output=True, text=True,
                              timeout=TIMEOUT, check=False, **options)

    def start(self, *arguments, method="unix-listen", path=None, **options):
        """One in the foreground; it is ended with the test."""
        process = subprocess.Popen(
            [AGENT, "-m", method, "-p", path or self.socket, "-t", self.directory, *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stderr.close()

    def connect(self):
        client = None

        def try_to_connect():
            nonlocal client
            try:
                client = Client.connect(self.socket)
            except (FileNotFoundError, ConnectionRefusedError):  # a former one's is gone, or this does not listen yet
                return False
            return True

        wait_for(try_to_connect, "the agent")
        self.addCleanup(client.close)
        return client


class Options(Program):
    def test_informative_ones(self):
        for option, words in (("-V", "QEMU Guest Agent"), ("-h", "--fsfreeze-hook"),
                              ("-D", "[general]\ndaemon=false\n"), ("-bhelp", "guest-ping\n")):
            done = self.run_agent(option)
            self.assertEqual(done.returncode, 0)
            self.assertIn(words, done.stdout)
            self.assertEqual(done.stderr, "")

    def test_bad_ones(self):
        for arguments in (["--nonsense"], ["-m", "pigeon"], ["-m", "unix-listen"],
                          ["-c", "/nonexistent"],
                          ["-m", "unix-listen", "-p", "/nonexistent/socket", "-t", self.directory],
                          ["-m", "unix-listen", "-p", self.socket, "-t", "/nonexistent"],
                          ["-m", "unix-listen", "-p", self.socket, "-t", self.directory,
                           "-l", "/nonexistent/log"],
                          ["-m", "isa-serial", "-p", "/dev/null", "-t", self.directory]):
            done = self.run_agent(*arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""), arguments)
            self.assertNotEqual(done.stderr, "")

    def test_lists(self):
        self.start("-b", "guest-exec")
        refused = self.connect().ask("guest-exec", path="true")["error"]
        self.assertEqual(refused, {
            "class": "CommandNotFound",
            "desc": "Command guest-exec has been disabled: the command is not allowed: block-rpcs names it"})

    def test_classes(self):
        """The mode decides whether an open reads or writes; no refused one has touched the file."""
        precious = self.directory / "precious"
        precious.write_text("precious")
        self.start("-b", "@exec,@file-write")
        client = self.connect()
        for name, arguments in (("guest-exec", {"path": "true"}),
                                ("guest-file-open", {"path": str(precious), "mode": "w"}),
                                ("guest-file-open", {"path": str(precious), "mode": "r+"})):
            refused = client.ask(name, **arguments)["error"]
            self.assertEqual(refused["class"], "CommandNotFound")
            self.assertIn(f"{name} has been disabled: the command is not allowed: block-rpcs has @", refused["desc"])
        handle = client.ask("guest-file-open", path=str(precious))["return"]
        self.assertEqual(client.ask("guest-file-read", handle=handle)["return"]["buf-b64"], "cHJlY2lvdXM=")
        enabled = {command["name"] for command in client.ask("guest-info")["return"]["supported_commands"]
                   if command["enabled"]}
        self.assertTrue({"guest-file-open", "guest-shutdown"} <= enabled)
        self.assertFalse({"guest-exec", "guest-exec-status", "guest-file-write"} & enabled)

    def test_unknown_class_is_refused_at_start(self):
        config = self.directory / "config"
        config.write_text("[general]\nallow-rpcs=@audit,@nonsense\n")
        for arguments, place in ((["-b", "guest-exec,@nonsense"], "block-rpcs: "),
                                 (["-c", config], f"{config}: allow-rpcs: ")):
            done = self.run_agent(*arguments)
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(f"{place}there is no class '@nonsense' of commands; there are @audit, ", done.stderr)

    def test_lists_of_commands_and_classes(self):
        """Scripts make a list to block of the one, in which a class would block more than its name says."""
        names = self.run_agent("-b?").stdout.split("\n")[:-1]
        self.assertNotIn("@", "".join(names))
        classes = dict(line.split(":") for line in self.run_agent("-b@help").stdout.splitlines())
        self.assertEqual(list(classes), ["@audit", "@file-read", "@file-write", "@fs", "@exec", "@power", "@user",
                                         "@config"])
        self.assertEqual(classes["@exec"].split(), ["guest-exec", "guest-exec-status"])
        everywhere = {"guest-capabilities", "guest-sync", "guest-sync-delimited", "guest-ping", "guest-info"}
        self.assertEqual(set(" ".join(classes.values()).split()), set(names) - everywhere)


class Life(Program):
    def test_signals(self):
        for number in signal.SIGTERM, signal.SIGINT:
            process = self.start()
            self.connect().sock.sendall(b'{"execute": ')
            process.send_signal(number)
            self.assertEqual(process.wait(TIMEOUT), 0)

    def test_signal_while_it_starts(self):
        """It is minded when that is over. Until then a FIFO holds it up that nobody has opened yet."""
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        process = self.start("-l", fifo)
        status = Path(f"/proc/{process.pid}/status")
        wait_for(lambda: int(re.search(r"SigBlk:\s*(\w+)", status.read_text())[1], 16) >> signal.SIGTERM - 1 & 1,
                 "the signal to be minded")
        process.terminate()
        with open(fifo, "rb"):
            self.assertEqual(process.wait(TIMEOUT), 0)

    def test_signal_while_peer_does_not_listen(self):
        process = self.start()
        client = self.connect()
        client.sock.setblocking(False)
        # Once it takes no more for a while, it waits for its own replies to be read.
        while select.select([], [client.sock], [], 0.5)[1]:
            client.sock.send(b'{"execute": "guest-info"}' * 100)
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT), 0)

    def test_handles_differ_after_restart(self):
        handles = []
        for _ in range(3):
            process = self.start()
            handles.append(self.connect().ask("guest-file-open", path="/dev/null")["return"])
            process.kill()
            process.wait()
        self.assertGreaterEqual(handles[0], 1000)
        self.assertEqual(len(set(handles)), 3)

    def test_large_replies_side_by_side(self):
        """Each of the commands that were promised room is answered, whatever the others have to be told."""
        large = self.directory / "large"
        large.touch()
        os.truncate(large, 48 << 20)
        self.start()
        client = self.connect()
        handles = [client.ask("guest-file-open", path=str(large))["return"] for _ in range(5)]
        client.sock.sendall(b'{"execute": "guest-capabilities", "arguments": {"enable": ["pipeline"]}, "id": 0}')
        self.assertEqual(json.loads(client.lines.readline())["return"]["enabled"], ["pipeline"])
        client.sock.sendall(b"".join(json.dumps({
            "execute": "guest-file-read", "arguments": {"handle": handle, "count": 48 << 20}, "id": handle,
        }).encode() for handle in handles))
        replies = [json.loads(client.lines.readline()) for _ in handles]
        self.assertEqual([reply["return"]["count"] for reply in replies], [48 << 20] * 5)
        self.assertEqual({reply["id"] for reply in replies}, set(handles))

    @unittest.skipUnless(os.geteuid() == 0, "needs another user: root has as many threads as it likes")
    def test_no_thread_to_be_had(self):
        """What else runs on one is answered nevertheless, whichever protocol holds."""
        large = self.directory / "large"
        large.write_bytes(bytes(3 << 20))
        os.chown(self.directory, NOBODY, NOBODY)
        program = os.open(AGENT, os.O_PATH)  # which may be where nobody else gets to
        self.addCleanup(os.close, program)
        self.start(executable=f"/proc/self/fd/{program}", pass_fds=[program], user=NOBODY,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (1, 1)))
        client = self.connect()
        handle = client.ask("guest-file-open", path=str(large))["return"]
        self.assertEqual(client.ask("guest-file-read", handle=handle, count=2000000)["return"]["count"], 2000000)
        client.sock.sendall(b'{"execute": "guest-capabilities", "arguments": {"enable": ["pipeline"]}, "id": 0}')
        self.assertEqual(json.loads(client.lines.readline())["return"]["enabled"], ["pipeline"])
        for count in 10, 1 << 20:
            client.sock.sendall(json.dumps({"execute": "guest-file-read", "id": count,
                                            "arguments": {"handle": handle, "count": count}}).encode())
            reply = json.loads(client.lines.readline())
            self.assertEqual((reply["id"], reply["return"]["count"]), (count, count))

    def test_stale_socket(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(self.socket))
        self.start()
        self.assertEqual(self.connect().ask("guest-ping"), {"return": {}})

    def test_path_that_is_no_socket_is_left_alone(self):
        self.socket.write_text("precious")
        self.assertEqual(self.start().wait(TIMEOUT), 1)
        self.assertEqual(self.socket.read_text(), "precious")

    def run_program(self, client, path, *arg):
        """Returns what guest-exec-status says in the end."""
        pid = client.ask("guest-exec", path=path, arg=arg, **{"capture-output": True})["return"]["pid"]
        status = {"exited": False}

        def has_ended():
            nonlocal status
            status = client.ask("guest-exec-status", pid=pid)["return"]
            return status["exited"]

        wait_for(has_ended, "the end of a program")
        return status

    def test_ignored_sigchld(self):
        """A starter that does not care how its children end passes that on to them."""
        self.start(preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(self.run_program(self.connect(), "true"), {"exited": True, "exitcode": 0})

    def test_descriptor_left_open(self):
        """What the starter did not close the agent keeps, but hands on to nobody."""
        with open(os.devnull, encoding="ascii") as null:
            left = fcntl.fcntl(null, fcntl.F_DUPFD, 100)
        self.addCleanup(os.close, left)
        process = self.start(pass_fds=[left])
        client = self.connect()
        self.assertTrue(os.path.exists(f"/proc/{process.pid}/fd/{left}"))
        self.assertEqual(self.run_program(client, "test", "-e", f"/proc/self/fd/{left}")["exitcode"], 1)

    def test_closed_standard_streams(self):
        """What is opened first must not become a standard stream, into which others write."""
        process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh", AGENT, "-m", "unix-listen", "-p",
             self.socket, "-t", self.directory], stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        self.assertEqual(self.run_program(self.connect(), "echo", "x")["out-data"], "eAo=")


class Background(Program):
    def setUp(self):
        super().setUp()
        self.pidfile = self.directory / "pid"

    def daemonize(self, path, pidfile=None, log=None, statedir=None, **options):
        return self.run_agent("-d", "-m", "unix-listen", "-p", path, "-t", statedir or self.directory,
                              "-f", pidfile or self.pidfile, "-l", log or self.directory / "log",
                              **options)

    def start_daemon(self, **options):
        """Returns a descriptor of the process, which is ended with the test."""
        done = self.daemonize(self.socket, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        pid = int(self.pidfile.read_text())
        descriptor = os.pidfd_open(pid)
        self.addCleanup(os.close, descriptor)
        self.addCleanup(self.end_daemon, descriptor)
        return descriptor

    def end_daemon(self, descriptor, number=signal.SIGTERM):
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, number)
        self.assertTrue(select.select([descriptor], [], [], TIMEOUT)[0])

    def test_daemon(self):
        self.start_daemon()
        # It is ready by now: no waiting here.
        client = Client.connect(self.socket)
        self.addCleanup(client.close)
        self.assertEqual(client.ask("guest-ping"), {"return": {}})
        pid = int(self.pidfile.read_text())
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        self.assertEqual(os.getsid(pid), pid)
        self.assertEqual(self.pidfile.stat().st_mode & 0o777, 0o600)

        second = self.daemonize(self.directory / "other")
        self.assertEqual(second.returncode, 1)
        self.assertIn("Cannot lock pid file: Resource temporarily unavailable", second.stderr)
        self.assertEqual(client.ask("guest-ping"), {"return": {}})

    def test_daemon_that_cannot_start(self):
        for path, log in ("/nonexistent/socket", None), (self.socket, "/nonexistent/log"):
            done = self.daemonize(path, log=log)
            self.assertEqual(done.returncode, 1)
            self.assertIn("/nonexistent/", done.stderr)
            self.assertFalse(self.pidfile.exists())

    def test_relative_state_directory(self):
        """It is where the background runs that counts, for what is read there as for what is written."""
        handles = []
        for _ in range(2):
            daemon = self.start_daemon(statedir=os.path.relpath(self.directory, "/"), cwd=self.directory)
            client = Client.connect(self.socket)
            handles.append(client.ask("guest-file-open", path="/dev/null")["return"])
            client.close()
            self.end_daemon(daemon)
        self.assertNotEqual(*handles)
        self.assertTrue((self.directory / "qga.state").exists())

    def test_pid_file_goes_with_the_agent(self):
        """Also one that is told relative to where the agent was started, and one left behind by a killed one."""
        for number in signal.SIGKILL, signal.SIGTERM, signal.SIGINT:
            daemon = self.start_daemon(pidfile="pid", cwd=self.directory)
            self.assertTrue(self.pidfile.exists())
            self.end_daemon(daemon, number)
            self.assertEqual(self.pidfile.exists(), number == signal.SIGKILL)

    def test_pid_file_that_is_no_file_stays(self):
        """It could be /dev/null."""
        os.mkfifo(self.pidfile)
        done = self.daemonize(self.socket)
        self.assertEqual((done.returncode, done.stderr), (1, "Cannot lock pid file: Invalid argument\n"))
        self.assertTrue(self.pidfile.is_fifo())

    def test_pid_file_of_another_stays(self):
        daemon = self.start_daemon()
        self.pidfile.unlink()
        self.pidfile.write_text("precious")
        self.end_daemon(daemon)
        self.assertEqual(self.pidfile.read_text(), "precious")


class Connections(Program):
    """What the program's own loop makes of them: it serves its channel past GLib's where it can."""

    PING = b'{"execute": "guest-ping"}'
    PONG = b'{"return": {}}\n'

    def read_all(self, client):
        """Up to the end of the connection."""
        return client.lines.read()

    def test_end_right_behind(self):
        """The end of what is sent may come with it, before it is read, or later."""
        self.start()
        for i in range(50):
            client = self.connect()
            client.sock.sendall(self.PING * 2)
            if i % 2:
                self.assertEqual(client.lines.readline(), self.PONG)
            client.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(self.read_all(client), self.PONG * (2 - i % 2))
            client.close()
            client = self.connect()
            client.sock.sendall(self.PING)
            client.close()

    def test_cuts(self):
        self.start()
        client = self.connect()
        for cut in range(len(self.PING)):
            for piece in self.PING[:cut], self.PING[cut:]:
                client.sock.sendall(piece)
            self.assertEqual(client.lines.readline(), self.PONG)
            client.sock.sendall(self.PING[:cut])
            self.assertEqual(select.select([client.sock], [], [], 0.01)[0], [])
            client.sock.sendall(self.PING[cut:] + self.PING)
            self.assertEqual(client.lines.readline() + client.lines.readline(), self.PONG * 2)

    def test_signal_beside_a_flood(self):
        process = self.start()
        client = self.connect()
        client.sock.setblocking(False)
        asked = 0
        with contextlib.suppress(ConnectionError):
            while True:
                readable, writable, _ = select.select([client.sock], [client.sock], [])
                if writable:
                    client.sock.send(self.PING * 10)
                    asked += 1
                if readable and not client.sock.recv(1 << 16):
                    break
                if asked == 1000:
                    process.terminate()
        self.assertGreaterEqual(asked, 1000)
        self.assertEqual(process.wait(TIMEOUT), 0)

    def test_program_beside_pings(self):
        """Its end is noticed, and so is what it says on the way."""
        self.start()
        client = self.connect()
        pid = client.ask("guest-exec", path="sh", arg=["-c", "echo a; sleep 0.1; echo b; exit 3"],
                         **{"capture-output": True})["return"]["pid"]

        def has_ended():
            nonlocal status
            for _ in range(10):
                self.assertEqual(client.ask("guest-ping"), {"return": {}})
            status = client.ask("guest-exec-status", pid=pid)["return"]
            return status["exited"]

        status = {}
        wait_for(has_ended, "the end of a program")
        self.assertEqual(status, {"exited": True, "exitcode": 3, "out-data": "YQpiCg==", "out-truncated": False})


class Activation(Program):
    def activate(self, count, kind=socket.SOCK_STREAM):
        """As a service manager does: listening sockets from descriptor 3 on."""
        listeners = [socket.socket(socket.AF_UNIX, kind) for _ in range(count)]
        for i, listener in enumerate(listeners):
            listener.bind(f"{self.socket}{i or ''}")
            listener.listen()
        script = "import os, sys\n" \
                 "for i, fd in enumerate(map(int, sys.argv[1].split(','))): os.dup2(fd, 100 + i)\n" \
                 f"for i in range({count}): os.dup2(100 + i, 3 + i)\n" \
                 f"os.environ.update(LISTEN_FDS='{count}', LISTEN_PID=str(os.getpid()))\n" \
                 "os.execv(sys.argv[2], sys.argv[2:])\n"
        numbers = [listener.fileno() for listener in listeners]
        process = subprocess.Popen(
            [sys.executable, "-c", script, ",".join(map(str, numbers)), AGENT, "-t", self.directory],
            pass_fds=numbers, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        for listener in listeners:
            listener.close()
        return process

    def test_one_socket(self):
        self.activate(1)
        client = self.connect()
        self.assertEqual(client.ask("guest-ping"), {"return": {}})
        client.close()
        self.assertEqual(self.connect().ask("guest-ping"), {"return": {}})

    def test_packets(self):
        """A read gives one of them, whatever else is there."""
        self.activate(1, socket.SOCK_SEQPACKET)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(TIMEOUT)
            client.connect(str(self.socket))
            for _ in range(20):
                for _ in range(3):
                    client.send(b'{"execute": "guest-ping"}')
                answers = b""
                while answers.count(b"\n") < 3:
                    answers += client.recv(4096)

    def test_two_sockets(self):
        process = self.activate(2)
        self.assertEqual(process.wait(TIMEOUT), 1)
        self.assertIn("only supports listening on one socket", process.stderr.read())


class Devices(Program):
    """A pseudo terminal stands for the device; that nobody is there any more is an end, not an error."""

    def open_terminal(self, link):
        ours, theirs = pty.openpty()
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(theirs))
        os.set_blocking(ours, False)
        return ours, theirs

    def check_ping(self, ours):
        """Asks until there is an answer: the agent may have to find the device, and make it raw."""
        received = b""

        def is_answered():
            nonlocal received
            os.write(ours, b'{"execute": "guest-ping"}\n')
            if select.select([ours], [], [], 0.2)[0]:
                received += os.read(ours, 65536)
            return b'{"return": {}}\n' in received

        wait_for(is_answered, "the answer to a ping")

    def check_device(self, method):
        link = self.directory / "device"
        process = self.start(method=method, path=link)  # it is not there yet
        for _ in range(2):
            ours, theirs = self.open_terminal(link)
            if method == "virtio-serial":  # a port has no line discipline that the agent would set
                tty.setraw(theirs)
            self.check_ping(ours)
            os.close(theirs)
            link.unlink()
            os.close(ours)
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT), 0)

    def make_strangers(self):
        """What may stand in a device's place, each with what is said of it."""
        file, fifo = self.directory / "file", self.directory / "fifo"
        file.write_text(PRECIOUS)
        os.mkfifo(fifo)
        listener = self.enterContext(socket.socket(socket.AF_UNIX))
        listener.bind(str(self.socket))
        listener.listen()
        return {file: "not a character device", fifo: "not a character device",
                self.socket: "not a character device", self.directory: "Is a directory",
                Path("/dev/null"): "(Operation not permitted|Inappropriate ioctl for device|Not a tty)"}

    def test_what_is_no_device_is_refused(self):
        """At once, by its name, and before a byte of it is read or written."""
        strangers = self.make_strangers()
        for method in "virtio-serial", "isa-serial":
            for path, words in strangers.items():
                with self.subTest(method=method, path=path):
                    done = self.run_agent("-m", method, "-p", path, "-t", self.directory)
                    self.assertEqual(done.returncode, 1)
                    self.assertRegex(done.stderr, f"^error opening channel {path}: {words}\n$")
                    self.assertEqual((self.directory / "file").read_text(), PRECIOUS)

    def test_file_in_place_of_device(self):
        """With -r it is waited for as for anything else that is wrong with a path, and not touched meanwhile."""
        link = self.directory / "device"
        link.write_text(PRECIOUS)
        process = self.start("-r", "-v", method="virtio-serial", path=link)
        for _ in range(3):  # at the start and in two more attempts
            while "not a character device" not in (line := process.stderr.readline()):
                self.assertNotEqual(line, "")
        self.assertEqual(link.read_text(), PRECIOUS)
        ours, theirs = self.open_terminal(link)
        tty.setraw(theirs)
        self.check_ping(ours)
        os.close(theirs)
        os.close(ours)

    def test_isa_serial(self):
        self.check_device("isa-serial")

    def test_virtio_serial(self):
        self.check_device("virtio-serial")


class Log(Program):
    def ask_something(self, *options):
        """Returns the lines of the log, without their times, of an agent that lives for a few commands."""
        log = self.directory / "log"
        log.unlink(missing_ok=True)
        process = self.start("-l", log, *options)
        client = self.connect()
        client.ask("guest-ping")
        client.ask("guest-nonsense")
        client.ask("guest-file-open", path="/dev/null")
        client.close()
        client = self.connect()
        client.ask("guest-file-close", handle="none")
        client.ask("guest-sync", id=7)
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertEqual(process.stderr.read(), "")
        lines = [line.partition(": ") for line in log.read_text().splitlines()]
        for seconds, _, _ in lines:
            self.assertRegex(seconds, r"^\d+\.\d{6}$")
        return [line for _, _, line in lines]

    def test_verbose(self):
        lines = self.ask_something("-v")
        self.assertRegex(lines.pop(0), r"^debug: qga-agent [\d.]+ starts$")
        self.assertEqual(lines, [
            "debug: a connection begins", "debug: guest-ping is called",
            "debug: guest-file-open is called", "debug: the connection ends",
            "debug: a connection begins", "debug: guest-sync is called",
            "debug: told to end", "debug: the connection ends", "debug: qga-agent ends"])

    def test_not_verbose(self):
        self.assertEqual(self.ask_something(), [])

    def test_no_secrets(self):
        log = self.directory / "log"
        process = self.start("-v", "-l", log)
        client = self.connect()
        client.ask("guest-exec", path="true", arg=["hunter2"], env=["PASSWORD=hunter2"])
        client.ask("guest-file-open", path="/nonexistent/hunter2")
        client.ask("guest-sync", id="hunter2")
        client.sock.sendall(b"hunter2")
        client.sock.shutdown(socket.SHUT_RDWR)
        process.terminate()
        self.assertEqual(process.wait(TIMEOUT), 0)
        self.assertNotIn("hunter2", log.read_text())


if __name__ == "__main__":
    unittest.main()
