#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Serves a virtual machine from a Python program, and takes a consistent snapshot of its disks:

    serve-vm.py --qmp unix:/run/vm.qmp --agent unix:/run/vm.qga --port 4444 \\
        --snapshot ext4=/tmp/overlay.qcow2 --run uname -r

Clients find QEMU's QMP server, with the commands of the guest agent, on the port of localhost. When the agent is there,
a command is run in the guest if one is given; then the guest's file systems are frozen, QEMU goes on in a new overlay
of each disk that is named, and they are thawed. With --keep the machine is served until QEMU ends.

Needs Debian's python3-gi. Where the library is not installed, GI_TYPELIB_PATH and LD_LIBRARY_PATH say where it is."""

import argparse
import base64
import json
import socket
import sys
import threading
import time

import gi

gi.require_version("QgaProxy", "1")
from gi.repository import GLib, QgaProxy  # noqa: E402

AGENT_SECONDS = 60
POLL_SECONDS = 0.2


class CommandError(Exception):
    pass


class Client:
    """A client of the proxy like any other: a line each way."""

    def __init__(self, port):
        self.lines = socket.create_connection(("localhost", port)).makefile("rw", encoding="utf-8")
        self.lines.readline()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        """The value that a command returns; arguments have dashes where Python has underscores."""
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            line = self.lines.readline()
            if not line:
                raise ConnectionError("QEMU has ended")
            message = json.loads(line)
            if "error" in message:
                raise CommandError(f"{command}: {message['error']['desc']}")
            if "return" in message:  # and not an event
                return message["return"]

    def wait_agent(self):
        deadline = time.monotonic() + AGENT_SECONDS
        while True:
            try:
                return self.execute("guest-ping")
            except CommandError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)

    def run(self, path, *arguments):
        """The status and the output of a command in the guest."""
        pid = self.execute("guest-exec", path=path, arg=arguments, capture_output=True)["pid"]
        while not (status := self.execute("guest-exec-status", pid=pid))["exited"]:
            time.sleep(POLL_SECONDS)
        return status.get("exitcode"), base64.b64decode(status.get("out-data", "")).decode()

    def snapshot(self, overlays):
        """Between freeze and thaw there is only what cannot be done before or after."""
        count = self.execute("guest-fsfreeze-freeze")
        print(f"{count} file systems are frozen")
        try:
            for device, path in overlays:
                self.execute("blockdev-snapshot-sync", device=device, snapshot_file=path, format="qcow2")
                print(f"{device} goes on in {path}")
        finally:
            # An error of this says that they were thawed by somebody else meanwhile: the snapshot is worth nothing.
            print(f"{self.execute('guest-fsfreeze-thaw')} file systems are thawed")


def show(proxy):
    status = json.loads(proxy.dup_status())
    if not status:  # it has stopped
        return
    print(f"QEMU is {'' if status['qemu']['connected'] else 'not '}connected, the agent is {status['agent']['state']}, "
          f"clients: {status['clients']}")


class Job(threading.Thread):
    """What a client does, beside the main loop, which serves it as all others."""

    def __init__(self, options, on_end):
        super().__init__(daemon=True)
        self.options, self.on_end = options, on_end
        self.client = None  # stays connected
        self.failure = "QEMU has ended"

    def run(self):
        try:
            self.client = client = Client(self.options.port)
            client.wait_agent()
            if self.options.run:
                status, output = client.run(*self.options.run)
                print(f"{' '.join(self.options.run)}: status {status}\n{output}", end="")
            if self.options.snapshot:
                client.snapshot(self.options.snapshot)
            self.failure = None
        except (CommandError, OSError) as error:
            self.failure = str(error)
        GLib.idle_add(self.on_end)


def parse():
    parser = argparse.ArgumentParser(description="Serves a virtual machine and takes a snapshot of it.")
    parser.add_argument("--qmp", required=True, metavar="ADDRESS", help="QEMU's monitor")
    parser.add_argument("--agent", required=True, metavar="ADDRESS", help="the agent's channel")
    parser.add_argument("--port", required=True, type=int, help="where to serve it, on localhost")
    parser.add_argument("--snapshot", action="append", default=[], metavar="DEVICE=OVERLAY",
                        type=lambda text: text.split("=", 1), help="a disk, and the file that it goes on in")
    parser.add_argument("--keep", action="store_true", help="serve until QEMU ends")
    parser.add_argument("--run", nargs=argparse.REMAINDER, default=[], metavar="COMMAND",
                        help="a command to run in the guest: comes last")
    return parser.parse_args()


def main():
    options = parse()
    loop = GLib.MainLoop()
    try:
        proxy = QgaProxy.Proxy.new(options.qmp, options.agent)
        proxy.add_listener(f"tcp:localhost:{options.port}")
    except GLib.Error as error:
        return error.message
    proxy.connect("closed", lambda proxy: loop.quit())
    proxy.start()

    def on_end():
        show(proxy)
        if job.failure or not options.keep:
            loop.quit()

    job = Job(options, on_end)
    job.start()
    loop.run()
    proxy.stop()
    return job.failure


if __name__ == "__main__":
    sys.exit(main())
