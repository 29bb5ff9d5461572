# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, and what beside it, on the host: agents, relays, proxies. Agents listen in a directory of their own
and are asked for nothing that touches this machine."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import types
from pathlib import Path

from bare import Bare
from harness import Proxy, program
from harness.image import AGENT
from measure import Process, stock_agent, tool

# What is to be compared by the work it makes runs on one processor, client and all: where the scheduler puts two
# processes that talk to one another makes more of a difference than what they do.
CPU = max(os.sched_getaffinity(0))


def pin(process):
    """All its threads; returns it."""
    subprocess.run(["taskset", "-acp", str(CPU), str(process.pid)], stdout=subprocess.DEVNULL, check=True)
    return process


@contextlib.contextmanager
def scratch():
    directory = Path(tempfile.mkdtemp(prefix="qga-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class HostAgent:
    """An agent that listens on a unix socket in a directory of its own: ours or qemu-ga. It is not waited for, since it
    serves one client at a time and is to have none but those that measure, which wait for it."""

    def __init__(self, name, launcher=(), pinned=True):
        self.program = program(AGENT) if name == "qga-agent" else stock_agent()
        self.launcher = launcher
        self.cpu = CPU if pinned else None

    def command_line(self, directory):
        return [self.program, "-m", "unix-listen", "-p", directory / "agent.sock", "-t", directory,
                "-f", directory / "pid"]

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="qga-"))
        self.path = self.directory / "agent.sock"
        with open(self.directory / "log", "wb") as log:
            self.process = Process([*self.launcher, *self.command_line(self.directory)], cpu=self.cpu, wait=False,
                                   stderr=log)
            self.process.__enter__()
        return self

    def __exit__(self, *exception):
        self.process.__exit__()
        shutil.rmtree(self.directory, ignore_errors=True)


def quiet_proxy(qemu, monitors=(), pinned=True, arguments=(), **options):
    """A proxy as it runs in production: the harness's tells everything to its log. Several may serve one QEMU, each on
    other monitors of it."""
    first, *more = monitors or [qemu.qmp_path]
    place = types.SimpleNamespace(directory=Path(tempfile.mkdtemp(dir=qemu.directory)), agent_path=qemu.agent_path,
                                  qmp_path=first)
    more = [word for path in more for word in ("--qmp", f"unix:{path}")]
    return Proxy(place, arguments=["--log-level", "warning", *more, *arguments],
                 launcher=["taskset", "-c", str(CPU)] if pinned else [], **options)


class ProxiedPeer:
    """A proxy between a QEMU without a machine and an agent that only speaks the protocol.

      agent   path of that agent
      proxy   a Proxy that has found it
      qemu    a Bare
    """

    def __init__(self, pinned=True, monitors=1, arguments=(), **options):
        self.pinned = pinned
        self.qemu = Bare(monitors)
        self.arguments = list(arguments)
        self.options = options

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.qemu)
            self.qemu.qmp.command("cont")
            if self.pinned:
                pin(self.qemu.process)
            self.agent = self.qemu.agent_path
            stack.enter_context(Process([tool("peer"), "agent", self.agent], cpu=CPU if self.pinned else None))
            self.proxy = stack.enter_context(quiet_proxy(
                self.qemu, pinned=self.pinned, arguments=self.arguments, **self.options))
            self.proxy.wait_agent()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stack.close()
