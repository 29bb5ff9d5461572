# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that take the library in: the examples, the blocks of the guide, and what one of them asks of the system."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from bare import Bare, NAME
from harness import Guest, Qmp, QmpError, Stream, check_filesystem
from harness.proxy import free_port
from staged import EXAMPLES, Staged, blocks


class Embedding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.staged = cls.enterClassContext(Staged())

    def start(self, *command, **options):
        process = self.staged.start(*command, **options)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def connect(self, address, process):
        """A client, as soon as the program listens."""
        return self.enterContext(Qmp.wait_connect(address, "a client", process=process)).negotiate()

    def addresses(self, qemu):
        return [f"unix:{qemu.qmp_path}", f"unix:{qemu.agent_path}"]

    def check_serves(self, *command):
        """That a program serves a machine until its QEMU ends."""
        with Bare() as qemu:
            path = str(qemu.directory / "clients.sock")
            process = self.start(*command, *self.addresses(qemu), f"unix:{path}")
            client = self.connect(path, process)
            self.assertEqual(client.command("query-name"), {"name": NAME})
            self.assertIn("qemu", client.command("qga-proxy-status"))
            qemu.process.kill()
            self.assertEqual(process.wait(30), 0)

    def need_python(self):
        python, obstacle = self.staged.python()
        return python or self.skipTest(obstacle)


class Guide(Embedding):
    """docs/embedding.md: each block compiles, and whole programs do what is said of them."""

    def test_c(self):
        programs = 0
        for number, block in enumerate(blocks("c"), 1):
            with self.subTest(number):
                whole = re.search(r"^int main\(", block, re.MULTILINE)
                program = self.staged.build(f"block{number}", block, *([] if whole else ["-c"]))
                if whole:
                    programs += 1
                    self.check_program(program, block)
        self.assertGreaterEqual(programs, 2)

    def check_program(self, program, block):
        if "/* serve " in block:
            self.check_serves(program)
            return
        self.assertIn("/* ask ", block)
        with Bare() as qemu:
            process = self.start(program, *self.addresses(qemu))
            self.assertEqual(json.loads(process.stdout.readline()), {"name": NAME})
            self.assertEqual(process.wait(30), 0)

    def test_python(self):
        python = self.need_python()
        found = blocks("python")
        self.assertTrue(found)
        for number, block in enumerate(found, 1):
            program = self.staged.folder / f"block{number}.py"
            program.write_text(block)
            compile(block, program, "exec")
            self.check_serves(python, program)


class Examples(Embedding):
    def build(self, name):
        return self.staged.build(name, (EXAMPLES / f"{name}.c").read_text())

    def test_minimal(self):
        self.assertLess(len((EXAMPLES / "minimal.c").read_text().splitlines()), 60)
        self.check_serves(self.build("minimal"))

    def test_gate(self):
        """What it does not allow is refused, in its words, and the guest's user who asked is named; the rest is
        done."""
        self.assertLess(len((EXAMPLES / "gate.c").read_text().splitlines()), 80)
        qemu = self.enterContext(Bare())
        monitor, agent = self.addresses(qemu)
        path = f"{qemu.directory}/gate.sock"
        gate = self.start(self.build("gate"), monitor, agent, f"unix:{path}")
        client = self.connect(path, gate)
        self.assertEqual(client.command("query-name"), {"name": NAME})
        self.expect_line(gate, f"uid {os.getuid()}: query-name")
        client.send_command("quit")
        self.assertEqual(client.read_reply(30)["error"]["desc"], "quit is not for clients of this machine")
        self.expect_line(gate, f"uid {os.getuid()}: quit: quit is not for clients of this machine")
        self.assertEqual(client.command("query-name"), {"name": NAME})

    def machine(self, folder, name):
        return self.enterContext(Bare(arguments=["-qmp", f"unix:{folder}/{name}.qmp,server=on,wait=off"]))

    def expect_line(self, process, line):
        self.assertEqual(process.stdout.readline(), line + "\n")

    def test_manager(self):
        """Machines that are there before it, that come, that end and that come back; and it ends without them."""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="qga-"))
        first = self.machine(folder, "first")
        manager = self.start(self.build("manager"), folder)
        self.expect_line(manager, "first is served")
        second = self.machine(folder, "second")
        self.expect_line(manager, "second is served")
        clients = [self.connect(f"{folder}/{name}.sock", manager) for name in ("first", "second")]
        for client in clients:
            self.assertEqual(client.command("query-name"), {"name": NAME})
        manager.send_signal(signal.SIGUSR1)
        lines = dict(manager.stdout.readline().split(": ", 1) for _ in clients)
        self.assertEqual({name: json.loads(status)["clients"] for name, status in lines.items()},
                         {"first": 1, "second": 1})
        second.kill()
        self.expect_line(manager, "second has ended")
        self.assertEqual(clients[0].command("query-name"), {"name": NAME})
        second.start()
        self.expect_line(manager, "second is served")
        self.assertEqual(self.connect(f"{folder}/second.sock", manager).command("query-name"), {"name": NAME})
        manager.send_signal(signal.SIGTERM)
        self.assertEqual(manager.wait(30), 0)
        self.assertEqual(sorted(path.name for path in Path(folder).glob("*.sock")), [])
        self.assertEqual(first.qmp.command("query-name"), {"name": NAME})


class ServeVm(Embedding):
    """examples/serve-vm.py, on a real guest."""

    def test_snapshot(self):
        """A command's output, a consistent base of each disk, and a port that is served all the while."""
        python = self.need_python()
        guest = self.enterContext(Guest())
        port = free_port()
        overlays = {device: str(guest.directory / f"{device}-overlay.qcow2") for device in ("ext4", "xfs")}
        snapshots = [word for device, path in overlays.items() for word in ("--snapshot", f"{device}={path}")]
        guest.wait_progress("ext4", 3)
        process = self.start(python, "-u", EXAMPLES / "serve-vm.py", *self.addresses_of(guest), "--port", port,
                             "--keep", *snapshots, "--run", "echo", "hello from the guest")
        lines = [process.stdout.readline().rstrip("\n") for _ in range(7)]
        self.assertEqual(lines, [
            "echo hello from the guest: status 0", "hello from the guest", "2 file systems are frozen",
            *(f"{device} goes on in {path}" for device, path in overlays.items()), "2 file systems are thawed",
            "QEMU is connected, the agent is ready, clients: 0"])
        self.assertEqual(self.connect(("localhost", port), process).command("guest-ping"), {})
        inserted = {block["device"]: block["inserted"] for block in guest.qmp.command("query-block")}
        for device, path in overlays.items():
            self.assertEqual(inserted[device]["file"], path)
        check_filesystem(guest.disks["ext4"], "ext4")
        guest.wait_progress("ext4", guest.progress("ext4"))
        guest.kill()
        self.assertEqual(process.wait(30), 0)

    def addresses_of(self, qemu):
        monitor, agent = self.addresses(qemu)
        return ["--qmp", monitor, "--agent", agent]

    def test_failures(self):
        """A wrong address, and a QEMU that ends before the agent was there: said, with a status."""
        python = self.need_python()
        command = [python, EXAMPLES / "serve-vm.py", "--port", free_port(), "--agent", "unix:/nobody"]
        process = self.start(*command, "--qmp", "nonsense", stderr=subprocess.PIPE)
        self.assertIn("'nonsense'", self.said(process))
        with Bare() as qemu:
            process = self.start(*command, "--qmp", f"unix:{qemu.qmp_path}", stderr=subprocess.PIPE)
            client = self.connect(("localhost", int(command[3])), process)
            self.assertEqual(client.command("query-name"), {"name": NAME})
            qemu.process.kill()
            self.assertTrue(self.said(process))

    def said(self, process):
        self.addCleanup(process.stderr.close)
        text = process.stderr.read()
        self.assertEqual(process.wait(30), 1, text)
        return text


# What the smallest embedder asks of the system, its start included.
CALLS = set("""
    execve arch_prctl brk mmap munmap mprotect madvise access openat read pread64 fstat newfstatat statfs getdents64
    lseek close set_tid_address set_robust_list rseq prlimit64 getrandom futex sysinfo sched_getaffinity getpid gettid
    clone clone3 rt_sigprocmask rt_sigaction exit exit_group eventfd2 poll ppoll epoll_create1 epoll_ctl epoll_wait
    fcntl write writev socket bind listen connect accept4 recvmsg sendmsg getsockname getsockopt setsockopt link unlink
    """.split())
# A call that is interrupted by another thread's is taken where it begins.
LINE = re.compile(r"\d+ +(\w+)\((.*)")


class Traced(Embedding):
    """The library forks not, prints not, waits not, and takes no signal."""

    def obstacle(self):
        if self.staged.sanitizers != "none":
            return "the sanitizers' own calls would be among the library's"
        if shutil.which("strace") is None:
            return "strace is not installed"
        attempt = subprocess.run(["strace", "-o", "/dev/null", "true"], stdin=subprocess.DEVNULL, capture_output=True,
                                 text=True, check=False)
        return f"no tracing here: {attempt.stderr.strip()}" if attempt.returncode else None

    def trace(self):
        """Name and arguments of each call of a minimal embedder that serves clients until its QEMU ends."""
        program = self.staged.build("minimal", (EXAMPLES / "minimal.c").read_text())
        log = self.staged.folder / "trace"
        with Bare() as qemu:
            path = str(qemu.directory / "clients.sock")
            process = self.start("strace", "-f", "-s", "0", "-o", log, program, *self.addresses(qemu), f"unix:{path}",
                                 stderr=subprocess.STDOUT)
            clients = [self.connect(path, process) for _ in range(3)]
            for client in clients:
                self.assertEqual(client.command("query-name"), {"name": NAME})
                self.assertRaises(QmpError, client.execute, "guest-ping")
                client.send(b'{"execute": "query-name"}{"execute": "query-st')
            clients[0].close()
            with contextlib.closing(Stream.connect(path, "one that says nothing")):
                self.assertEqual(clients[1].read_message(30)["return"], {"name": NAME})
            qemu.process.kill()
            self.assertEqual(process.wait(30), 0)
            self.assertEqual(process.stdout.read(), "")
        return [LINE.fullmatch(line).groups() for line in log.read_text().splitlines() if LINE.fullmatch(line)]

    def test_calls(self):
        if obstacle := self.obstacle():
            self.skipTest(obstacle)
        calls = self.trace()
        names = {name for name, _ in calls}
        self.assertLessEqual({"accept4", "recvmsg", "sendmsg", "epoll_wait"}, names)
        self.assertEqual(names - CALLS, set())
        self.assertEqual(list(breaches(calls)), [])

    def test_breaches_are_seen(self):
        """Each line of a trace that is to be found."""
        for line in ("7 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 8", "7 vfork() = 8",
                     '7 write(1, ""..., 3) = 3', "7 sendmsg(2, {msg_name=NULL}, 0) = 1", "7 dup2(5, 1) = 1",
                     "7 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 7", "7 accept4(6, NULL, NULL, SOCK_CLOEXEC) = 8",
                     "7 epoll_wait(3, [], 16, -1 <unfinished ...>", "7 nanosleep({tv_sec=1}, NULL) = 0",
                     "7 rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN}, NULL, 8) = 0"):
            name, arguments = LINE.fullmatch(line).groups()
            self.assertTrue(name not in CALLS or list(breaches([(name, arguments)])), line)


def breaches(calls):
    """Calls that are allowed, in a way that is not."""
    for name, arguments in calls:
        if name.startswith("clone") and "CLONE_THREAD" not in arguments:
            yield f"a process: {name}({arguments}"
        if name in ("write", "writev", "sendmsg") and re.match(r"[12],", arguments):
            yield f"printed: {name}({arguments}"
        if name in ("socket", "accept4") and "SOCK_NONBLOCK" not in arguments and "AF_NETLINK" not in arguments:
            yield f"may block: {name}({arguments}"
        if name == "epoll_wait" and not re.search(r", 0(\)| <unfinished)", arguments):
            yield f"waits: {name}({arguments}"
        if name == "rt_sigaction" and "SIGRT_" not in arguments and ", NULL, {" not in arguments:
            yield f"takes a signal: {name}({arguments}"
