# SPDX-License-Identifier: GPL-2.0-or-later
"""The statically linked agents: alone in a folder, and on kernels as old as they claim to run on.

Nothing of this machine is asked about or touched. Where an agent runs natively its root is a folder with itself and
busybox, in namespaces of its own; it has no filesystem to freeze and no /sys. tests/tools/old-kernel takes system calls
away that came later; that the kernel is told to be older, which the C library looks at, is qemu-x86_64's part."""

import base64
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import test_agent
import test_agent_answers
import test_vsock
from harness import AgentChannel, AgentError, Image, program

GLIBC = "static/glibc/agent/qga-agent"
MUSL = "static/musl/agent/qga-agent"
OLD_KERNEL = "tests/tools/old-kernel"
MIB = 1 << 20

# The first process there: makes what the agent and its programs need, and becomes the agent.
FIRST = """
mount -t proc proc "$0/proc"
mount --bind /dev/null "$0/dev/null"
exec env -i LISTEN_FDS=1 LISTEN_PID=$$ PATH=/bin "$(command -v unshare)" --root "$0" /old-kernel "$@"
"""

FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/os-release": 'ID=alone\nPRETTY_NAME="Alone 1"\n',
    "dev/null": "",
    "hello": "hello",
}


CHPASSWD = """#!/bin/sh
cat > /fed
"""


def listen(directory):
    """A socket for the agent to inherit as descriptor 3, so that there is nothing to wait for."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{directory}/socket")
    listener.listen()
    return listener


@unittest.skipUnless(platform.machine() == "x86_64", "system calls are numbered by age on x86-64 alone")
class Agent:
    """What an agent is started with, and how it is met."""

    def make_directory(self):
        return Path(self.enterContext(tempfile.TemporaryDirectory(prefix="qga-")))

    def start(self, directory, command, *arguments):
        """Runs a shell command whose $0 is the directory and whose process becomes the agent."""
        with listen(directory) as listener:
            process = subprocess.Popen(
                [*self.prefix, "sh", "-ec", f"exec 3<&0 < /dev/null; {command}", directory, *arguments], stdin=listener)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def connect(self, directory):
        agent = self.enterContext(AgentChannel.connect(f"{directory}/socket", "the static agent"))
        agent.sync()
        return agent

    def run_program(self, agent, path, *arg, **options):
        pid = agent.execute("guest-exec", {"path": path, "arg": arg, "capture-output": True, **options})["pid"]
        while not (status := agent.execute("guest-exec-status", {"pid": pid}))["exited"]:
            pass
        return status


class Alone(Agent):
    """Subclasses say which agent, and which kernel."""

    prefix = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        prefix.append("--map-root-user")

    def setUp(self):
        busybox = Image.built().directory / "packages/busybox-static/bin/busybox"
        self.root = self.make_directory()
        for name in "bin", "dev", "etc", "proc", "root", "tmp":
            (self.root / name).mkdir()
        for name, text in FILES.items():
            (self.root / name).write_text(text)
        for name, file in {"agent": program(self.agent), "old-kernel": program(OLD_KERNEL), "bin/sh": busybox,
                           "bin/cat": busybox, "bin/false": busybox}.items():
            shutil.copy(file, self.root / name)
        (self.root / "bin/chpasswd").write_text(CHPASSWD)
        (self.root / "bin/chpasswd").chmod(0o755)
        self.start(self.root, FIRST, self.kernel, "/agent", "-t", "/tmp")
        self.client = self.connect(self.root)

    def ask(self, name, **arguments):
        return self.client.execute(name, {key.replace("_", "-"): value for key, value in arguments.items()})

    def test_information(self):
        self.assertEqual(self.ask("guest-ping"), {})
        self.assertGreater(len(self.ask("guest-info")["supported_commands"]), 40)
        self.assertEqual(self.ask("guest-get-osinfo")["pretty-name"], "Alone 1")
        self.assertEqual(self.ask("guest-get-host-name"), {"host-name": os.uname().nodename})
        self.assertGreater(self.ask("guest-get-time"), 10 ** 18)
        self.assertEqual(self.ask("guest-get-timezone")["offset"], 0)
        self.assertEqual(self.ask("guest-get-users"), [])
        self.assertEqual(set(self.ask("guest-get-load")), {"load1m", "load5m", "load15m"})
        self.assertGreaterEqual(len(self.ask("guest-get-cpustats")), 1)
        self.assertEqual(self.ask("guest-fsfreeze-status"), "thawed")

    def test_network(self):
        [loopback] = self.ask("guest-network-get-interfaces")
        self.assertEqual(loopback["name"], "lo")
        self.assertEqual({route["iface"] for route in self.ask("guest-network-get-route")}, {"lo"})

    def test_files(self):
        handle = self.ask("guest-file-open", path="/hello", mode="r+")
        self.assertEqual(self.ask("guest-file-read", handle=handle), {"count": 5, "buf-b64": "aGVsbG8=", "eof": True})
        self.assertEqual(self.ask("guest-file-write", handle=handle, buf_b64="IQ=="), {"count": 1, "eof": False})
        self.assertEqual(self.ask("guest-file-seek", handle=handle, offset=0, whence="end"),
                         {"position": 6, "eof": False})
        self.assertEqual(self.ask("guest-file-flush", handle=handle), {})
        self.assertEqual(self.ask("guest-file-close", handle=handle), {})
        self.assertEqual((self.root / "hello").read_text(), "hello!")
        with self.assertRaisesRegex(AgentError, "No such file or directory"):
            self.ask("guest-file-open", path="/nowhere")

    def test_programs(self):
        """By their path and by their name, fed and with what they say; they have the old kernel too."""
        self.assertEqual(self.run_program(self.client, "/bin/false"), {"exited": True, "exitcode": 1})
        done = self.run_program(self.client, "cat", "-", "/nowhere", **{"input-data": "aGVsbG8="})
        self.assertEqual((done["exitcode"], done["out-data"]), (1, "aGVsbG8="))
        self.assertIn(b"/nowhere", base64.b64decode(done["err-data"]))
        self.assertEqual(self.run_program(self.client, "sh", "-c", "kill -9 $$"), {"exited": True, "signal": 9})
        with self.assertRaisesRegex(AgentError, "Failed to execute child process “nothing” "
                                                r"\(No such file or directory\)"):
            self.run_program(self.client, "nothing")

    def test_users(self):
        """Without name services."""
        self.ask("guest-ssh-add-authorized-keys", username="root", keys=["key"])
        self.assertEqual(self.ask("guest-ssh-get-authorized-keys", username="root"), {"keys": ["key"]})
        self.assertEqual((self.root / "root/.ssh/authorized_keys").read_text(), "key\n")
        with self.assertRaisesRegex(AgentError, "no such user"):
            self.ask("guest-ssh-get-authorized-keys", username="nobody")
        self.ask("guest-set-user-password", username="root", password=base64.b64encode(b"secret").decode(),
                 crypted=False)
        self.assertEqual((self.root / "fed").read_text(), "root:secret\n")

    def test_next_client(self):
        self.client.close()
        self.assertEqual(self.connect(self.root).execute("guest-ping"), {})


class GlibcOn32(Alone, unittest.TestCase):
    agent, kernel = GLIBC, "3.2"


class MuslOn2632(Alone, unittest.TestCase):
    agent, kernel = MUSL, "2.6.32"


class Told(Agent, unittest.TestCase):
    """Kernels that say that they are old, to agents that are emulated. All is as it is on this machine, so nothing is
    asked but this."""

    prefix = []

    def check(self, agent, kernel):
        directory = self.make_directory()
        self.start(directory, f'LISTEN_FDS=1 LISTEN_PID=$$ exec qemu-x86_64 -r {kernel} "$@" -t "$0"', program(agent))
        client = self.connect(directory)
        self.assertEqual(client.execute("guest-get-osinfo")["kernel-release"], kernel)
        # By its path: qemu-x86_64 forks where vfork() is asked for, and glibc would not learn that one is missing.
        self.assertEqual(self.run_program(client, "/bin/true"), {"exited": True, "exitcode": 0})

    def test_glibc(self):
        self.check(GLIBC, "3.2")

    def test_musl(self):
        self.check(MUSL, "2.6.32")


class OldKernel(Agent, unittest.TestCase):
    """The filter does filter."""

    def run_python(self, kernel, code):
        done = subprocess.run([program(OLD_KERNEL), kernel, sys.executable, "-c", code], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def test_3_2(self):
        self.assertIn("Function not implemented", self.run_python("3.2", "import os; os.pidfd_open(1)"))
        self.assertIn("alive", self.run_python("3.2", "print('alive')"))

    def test_2_6_32(self):
        """Debian's glibc does not get as far as main(): it cannot even ask how long its own file is."""
        self.assertNotIn("alive", self.run_python("2.6.32", "print('alive')"))


class Link(Agent, unittest.TestCase):
    def symbols(self, agent):
        done = subprocess.run(["nm", program(agent)], check=True, capture_output=True, text=True)
        return {line.split()[-1] for line in done.stdout.splitlines()}

    def test_needs_nothing(self):
        """No loader, no libraries, no name services, no GIO, no json-glib."""
        for agent in GLIBC, MUSL:
            headers = subprocess.run(["readelf", "-lW", program(agent)], check=True, capture_output=True, text=True)
            self.assertNotRegex(headers.stdout, "INTERP|DYNAMIC")
            strange = {name for name in self.symbols(agent)
                       if name.startswith(("g_object_", "g_file_new", "json_parser", "json_node", "__nss_", "_nss_"))}
            self.assertEqual(strange, set())

    def test_size(self):
        stripped = self.make_directory() / "agent"
        subprocess.run(["strip", "-o", stripped, program(MUSL)], check=True)
        self.assertLess(stripped.stat().st_size, 1.5 * MIB)




# In a guest, where there is a real system to ask and to freeze.


class OldAnswers(test_agent_answers.System):
    """It answers as Debian's qemu-ga does."""

    program = "/lib/guest/old-agent"


class OldFreeze(test_agent.Freeze):
    program = "/lib/guest/old-agent"


class Vsock(test_vsock.Vsock):
    program = "qga-agent-static"
