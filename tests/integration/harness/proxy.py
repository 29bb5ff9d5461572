# SPDX-License-Identifier: GPL-2.0-or-later
"""qga-proxyd beside a guest's QEMU."""

import contextlib
import errno
import os
import socket
import subprocess

from .image import program
from .qmp import Qmp, QmpError
from .stream import Deadline, Stream, wait_readable, wait_until

PROXYD = "proxy/daemon/qga-proxyd"


def free_port(host="localhost"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as sock:
        return sock.getsockname()[1]


def port_is_free(port):
    try:
        with socket.create_server(("localhost", port)):
            return True
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False


class Proxy:
    """Usage: with Proxy(guest) as proxy: ...

    It listens on a port of localhost and on a unix socket; further arguments may add to that, and speak of descriptors
    that it is to inherit. Attributes:

      tcp      address of the one, a (host, port) pair
      unix     address of the other, a path
      command  its command line
      process  its Popen

    monitor is the address of QEMU's monitor, where it is not a unix socket at qmp_path; arguments are more of the
    command line, and come first: when it listens where it always does, it also listens where they tell it to. launcher
    is a command that becomes it, binary another program than the one that was built.
    """

    def __init__(self, guest, method="virtio-serial", port=None, monitor=None, arguments=(), pass_fds=(), launcher=(),
                 binary=None):
        self.guest = guest
        self.method = method
        self.monitor = monitor or f"unix:{guest.qmp_path}"
        self.tcp = ("localhost", port or free_port())
        self.unix = str(guest.directory / "proxy.sock")
        self.arguments = list(arguments)
        self.pass_fds = list(pass_fds)
        self.launcher = list(launcher)
        self.binary = binary or program(PROXYD)
        self.process = None

    def __enter__(self):
        agent = self.guest.agent_path if self.method == "virtio-serial" else self.guest.isa_path
        log = self.guest.directory / "qga-proxyd.log"
        self.command = [self.binary, "--qmp", self.monitor, "--agent", f"unix:{agent}",
                        "--log-level", "debug", *self.arguments,
                        "--listen", "tcp:{}:{}".format(*self.tcp), "--listen", f"unix:{self.unix}"]
        with open(log, "ab") as stderr:
            # The kernel ends it when this process dies, however it dies.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.launcher, *self.command],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr,
                                            pass_fds=self.pass_fds)
        self.pidfd = os.pidfd_open(self.process.pid)
        try:
            deadline = Deadline(30)
            for address in self.tcp, self.unix:
                Stream.wait_connect(address, "a look whether it listens", deadline, self.process).close()
        except BaseException as error:
            error.add_note(log.read_text(errors="replace"))
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        os.close(self.pidfd)

    def wait_until(self, holds, what, timeout=30):
        """As of the module stream, as long as it has not ended."""
        return wait_until(holds, what, timeout, self.process)

    def connect(self, transport="unix", name=None):
        """A client that has not negotiated; transport is tcp or unix."""
        return Qmp.connect(getattr(self, transport), name or f"a client over {transport}")

    def client(self, transport="unix", name=None, oob=False):
        """A client that has negotiated."""
        return self.connect(transport, name).negotiate(oob=oob)

    def status(self):
        with self.client() as client:
            return client.execute("qga-proxy-status")

    def wait_status(self, what, holds, timeout=30, client=None):
        """Waits until a condition holds for the proxy's status, and returns that. Where no client is given, this
        waiting counts as one too."""
        deadline = Deadline(timeout)
        status = None

        def look():
            nonlocal status
            status = asking.execute("qga-proxy-status", timeout=deadline)
            return holds(status)

        with contextlib.nullcontext(client) if client else self.client(name="the harness's client") as asking:
            self.wait_until(look, lambda: f"{what}, not {status}", deadline)
        return status

    def wait_agent_state(self, state, timeout=30):
        """Waits until the way to the agent is ready, busy, closed..."""
        self.wait_status(f"the agent to be {state}", lambda status: status["agent"]["state"] == state, timeout)

    def wait_agent_running(self, command, timeout=30):
        """Waits until the agent has that command: it may be busy with one that the proxy itself asks at times."""
        self.wait_status(f"the agent to have {command}", lambda status: command in status["agent"]["running"], timeout)

    def wait_agent(self, timeout=60):
        """Waits until the agent answers through the proxy."""
        deadline = Deadline(timeout)
        refusal = None

        def answers():
            nonlocal refusal
            try:
                client.execute("guest-ping", timeout=deadline)
            except QmpError as error:
                refusal = error
                return False
            return True

        with self.client(name="the harness's client") as client:
            self.wait_until(answers, lambda: f"the agent to answer, whose last error was: {refusal}", deadline)

    def wait_commands(self, client=None):
        """Waits until the proxy has learnt which commands the agent has."""
        self.wait_status("the agent's commands", lambda status: "version" in status["agent"], client=client)

    def wait_exit(self, timeout=30):
        """Waits for it to end by itself; returns its exit status."""
        wait_readable(self.pidfd, timeout, "qga-proxyd to end")
        return self.process.wait()
