# SPDX-License-Identifier: GPL-2.0-or-later
"""A QEMU without a machine to run: only its monitors, up in a twentieth of a second."""

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from harness import Guest, Qmp

NAME = "späcimen/☃"


def listening_socket(path, backlog=128):
    """For whoever is to connect to the test."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(backlog)
    listener.settimeout(30)
    return listener


class Bare:
    """Usage: with Bare() as qemu: ... It can stand where a Guest stands: in front of Proxy(), and in reports.

      monitors     paths of unix sockets, each a monitor of its own for one client at a time
      pretty_path  of one more that prints prettily
      qmp_path     of the one for the program under test
      agent_path   where the program under test may look for an agent, and finds what the test put there, if anything
      directory    a place for files that goes away with it
      qmp          private monitor of the harness
      process      QEMU's Popen
    """

    def __init__(self, monitors=3, arguments=(), pass_fds=()):
        self.directory = Path(tempfile.mkdtemp(prefix="qga-"))
        self.qmp_path, self.agent_path, self.pretty_path = (
            str(self.directory / name) for name in ("qmp.sock", "agent.sock", "pretty.sock"))
        self.monitors = [str(self.directory / f"monitor{number}.sock") for number in range(monitors)]
        self.arguments = list(arguments)
        self.pass_fds = list(pass_fds)
        self.numbers = itertools.count()
        self.process = None

    def __enter__(self):
        self.start()
        try:
            # The harness's monitor was the last to be made: when it greets, all the others listen.
            self.qmp.negotiate()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def start(self):
        """Without waiting for anything; close() is needed."""
        ours, theirs = socket.socketpair()
        command = [
            # The kernel ends it when this process dies, however it dies.
            "setpriv", "--pdeathsig", "KILL", "--",
            "qemu-system-x86_64", "-machine", "none", "-S", "-nodefaults", "-no-user-config", "-display", "none",
            "-name", NAME, *self.arguments, "-qmp-pretty", f"unix:{self.pretty_path},server=on,wait=off",
        ]
        for path in (self.qmp_path, *self.monitors):
            command += ["-qmp", f"unix:{path},server=on,wait=off"]
        command += ["-chardev", f"socket,id=harness,fd={theirs.fileno()}", "-mon", "chardev=harness,mode=control"]
        with theirs, open(self.directory / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[theirs.fileno(), *self.pass_fds])
        Guest.alive.append(self)
        self.qmp = Qmp(ours, "the harness's monitor")

    def __exit__(self, kind, error, traceback):
        if error is not None:
            error.add_note(self.report())
        self.close()

    def close(self):
        if self in Guest.alive:
            self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self):
        """Ends at once; start() brings another on the same sockets, which knows nothing of this one."""
        self.process.kill()
        self.process.wait()
        self.qmp.close()
        Guest.alive.remove(self)

    def report(self):
        return "\n".join(f"{log.name} ends with:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-60:])
                         for log in sorted(self.directory.glob("*.log")))

    def resident_bytes(self):
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def nodes(self):
        """The names of its block nodes."""
        return {node["node-name"] for node in self.qmp.command("query-named-block-nodes", flat=True)}

    def slow_command(self):
        """A command that stops QEMU's main loop until it is released."""
        return SlowCommand(self.directory / f"fifo{next(self.numbers)}")


class BehindBare:
    """For tests of what serves a Bare, which is in .qemu."""

    def slow(self):
        """One that the QEMU is rid of at the end of the test."""
        slow = self.qemu.slow_command()
        self.addCleanup(slow.give_up)
        return slow

    def check_served(self, *clients):
        for client in clients:
            self.assertEqual(client.command("query-name"), {"name": NAME})


class SlowCommand:
    """blockdev-add of a device whose configuration is read from a pipe that nobody has written to yet."""

    def __init__(self, fifo):
        os.mkfifo(fifo)
        self.fifo = fifo
        self.writer = None
        self.name = "blockdev-add"
        self.node = fifo.name
        self.arguments = {"driver": "blkdebug", "node-name": self.node, "config": str(fifo),
                          "image": {"driver": "null-co"}}

    def wait_reached(self):
        """Waits until QEMU's main loop stands still."""
        self.writer = os.open(self.fifo, os.O_WRONLY)

    def release(self):
        if self.writer is None:
            self.wait_reached()
        os.close(self.writer)
        self.fifo.unlink()

    def give_up(self):
        """Lets QEMU go on after a test that has failed; does nothing after release()."""
        with contextlib.suppress(OSError):
            os.close(os.open(self.fifo, os.O_WRONLY | os.O_NONBLOCK))
            os.close(self.writer)
