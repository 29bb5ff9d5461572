# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU by qga-qemu, and what it leaves behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

from .guest import Guest
from .image import program
from .proxy import PROXYD, free_port
from .qmp import Qmp
from .stream import wait_readable, wait_until

QGA_QEMU = "proxy/launcher/qga-qemu"

# A machine that is there at once, and does nothing.
MACHINE = ["-accel", "tcg", "-machine", "pc", "-m", "32", "-nodefaults", "-no-user-config", "-display", "none"]
CHANNEL = ["-chardev", "qga_proxy,id=qga0", "-device", "virtio-serial",
           "-device", "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0"]

MARK = "QGA_LAUNCHER_TEST"


class Place:
    """Usage: with Place() as place: ... A folder for the launcher's sockets, and a mark by which everything that was
    started here is found."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="qga-"))
        self.runtime = self.folder / "run"
        self.runtime.mkdir()
        self.mark = uuid.uuid4().hex
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.runtime), MARK: self.mark,
                            "PATH": f"{Path(program(PROXYD)).parent}:{os.environ['PATH']}"}
        return self

    def __exit__(self, *exception):
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.processes(), "everything to end")
        shutil.rmtree(self.folder)

    def processes(self, name=None):
        """The processes that were started here and are still there, by their name."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if f"{MARK}={self.mark}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                    continue
                if name is None or (entry / "comm").read_text().strip() == name:
                    found.append(int(entry.name))
        return found

    def worker(self, former=None):
        """The process that runs the proxy, once it is not the former one any more."""
        return wait_until(lambda: set(self.processes("qga-proxyd")) - {former}, "the proxy").pop()

    def left(self):
        """What is left: processes and sockets."""
        return self.processes() + sorted(f"{folder}/{name}" for folder, folders, files in os.walk(self.runtime)
                                         for name in folders + files)

    def wait_nothing_left(self):
        wait_until(lambda: not self.left(), lambda: f"nothing to be left, but {self.left()} is")

    def command(self, *arguments, options=()):
        return [program(QGA_QEMU), *options, "qemu-system-x86_64", *arguments]

    def run(self, *command, timeout=30, **more):
        """Of what ends by itself: status, standard output, standard error."""
        done = subprocess.run(command, env={**self.environment, **more}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout, done.stderr


class Launched:
    """Usage: with Launched(place, ARGUMENT...) as machine: ... QEMU as these arguments say, with a QMP server at the
    address .tcp where they say {port}. It is not waited for."""

    def __init__(self, place, *arguments, options=(), pass_fds=(), command=None):
        self.place = place
        self.tcp = ("localhost", free_port())
        arguments = [argument.replace("{port}", str(self.tcp[1])) for argument in arguments]
        self.command = [*(command or [program(QGA_QEMU), *options, "qemu-system-x86_64"]), *arguments]
        self.pass_fds = pass_fds

    def __enter__(self):
        self.stderr = open(self.place.folder / "stderr", "w+b")
        self.process = subprocess.Popen(self.command, env=self.place.environment, stdin=subprocess.DEVNULL,
                                        stdout=self.stderr, stderr=self.stderr, pass_fds=self.pass_fds)
        self.pidfd = os.pidfd_open(self.process.pid)
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            error.add_note(self.said())
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)
        self.stderr.close()

    def said(self):
        return Path(self.stderr.name).read_text(errors="replace")

    def wait_said(self, text):
        wait_until(lambda: text in self.said(), lambda: f"{text!r}, not {self.said()!r}", process=self.process)

    def connect(self, address=None):
        """A client that has not negotiated, once it can connect."""
        return Qmp.wait_connect(address or self.tcp, "a client", process=self.process)

    def client(self, address=None):
        return self.connect(address).negotiate()

    def wait_exit(self, timeout=30):
        wait_readable(self.pidfd, timeout, "QEMU to end")
        return self.process.wait()


class LaunchedGuest(Guest):
    """A Guest whose QEMU is started by the launcher, which serves its agent on the port that is meant for the program
    under test."""

    port = "qga-proxy-port"

    def __init__(self, place, options=(), **more):
        super().__init__(**more)
        self.place = place
        self.options = list(options)

    def _command_line(self, *ends):
        change = {
            f"socket,id=qga0,path={self.agent_path},server=on,wait=off": "qga_proxy,id=qga0",
            "virtserialport,id=agent0,chardev=qga0,name=org.qemu.guest_agent.0":
                "virtserialport,chardev=qga0,name=org.qemu.guest_agent.0",
        }
        line = [change.pop(word, word) for word in map(str, super()._command_line(*ends))]
        assert not change
        environment = [f"{name}={self.place.environment[name]}" for name in ("XDG_RUNTIME_DIR", MARK, "PATH")]
        return ["env", *environment, program(QGA_QEMU), *self.options, "--", *line]

    def client(self):
        """A client of the launcher's proxy."""
        return self._alarmed(Qmp.connect(self.qmp_path, "a client")).negotiate()
