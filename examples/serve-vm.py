#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Serves a virtual machine from a Python program, and takes a consistent snapshot of its disks:

    serve-vm.py --qmp unix:/run/vm.qmp --agent unix:/run/vm.qga --port 4444 \\
        --snapshot ext4=/tmp/overlay.qcow2 --run uname -r

Clients find QEMU's QMP server, with the guest agent's commands, on that port of localhost. Once the agent answers, the
program runs the given command in the guest, if any. Then it freezes the guest's file systems, switches each named disk
to a new overlay, and thaws. With --keep it serves the machine until QEMU ends.

Needs Debian's python3-gi. If the library is not installed, GI_TYPELIB_PATH and LD_LIBRARY_PATH say where it is."""

import argparse
import json
import sys

import gi

gi.require_version("QgaProxy", "1")
from gi.repository import GLib, QgaProxy  # noqa: E402

AGENT_SECONDS = 60


def show(proxy):
    status = json.loads(proxy.dup_status())
    if not status:  # the proxy has stopped
        return
    print(f"QEMU is {'' if status['qemu']['connected'] else 'not '}connected, the agent is {status['agent']['state']}, "
          f"clients: {status['clients']}")


class Job:
    """Runs a generator whose steps yield what to ask of the proxy, and get the answer or the error back: "thaw", ()
    stands for thaw_async() and thaw_finish(). Meanwhile the main loop runs and serves all clients."""

    def __init__(self, proxy, steps, on_end):
        self.proxy, self.steps, self.on_end = proxy, steps, on_end
        self.advance(self.steps.send, None)

    def advance(self, resume, value):
        try:
            name, arguments = resume(value)
        except StopIteration:
            self.on_end(None)
        except GLib.Error as error:
            self.on_end(error.message)
        else:
            getattr(self.proxy, f"{name}_async")(*arguments, None, self.on_answer, name)

    def on_answer(self, proxy, result, name):
        try:
            value = getattr(proxy, f"{name}_finish")(result)
        except GLib.Error as error:
            self.advance(self.steps.throw, error)
        else:
            self.advance(self.steps.send, value)


def run(command):
    _, status, _, output, _, _ = yield "exec", (command, None, None, 0)
    print(f"{' '.join(command)}: status {status}\n{output.get_data().decode()}", end="")


def snapshot(overlays):
    """Does between freeze and thaw only what cannot be done before or after."""
    count = yield "freeze", (None,)
    print(f"{count} file systems are frozen")
    try:
        for device, path in overlays:
            arguments = {"device": device, "snapshot-file": path, "format": "qcow2"}
            yield "execute", ("blockdev-snapshot-sync", json.dumps(arguments), 0, QgaProxy.ProxyExecuteFlags.NONE)
            print(f"{device} goes on in {path}")
    finally:
        # An error here means that the freeze ended before: the snapshot is worthless.
        count = yield "thaw", ()
        print(f"{count} file systems are thawed")


def work(options):
    yield "wait_ready", (AGENT_SECONDS,)
    if options.run:
        yield from run(options.run)
    if options.snapshot:
        yield from snapshot(options.snapshot)


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

    failure = "QEMU has ended"

    def on_end(error):
        nonlocal failure
        failure = error
        show(proxy)
        if error or not options.keep:
            loop.quit()

    Job(proxy, work(options), on_end)
    loop.run()
    proxy.stop()
    return failure


if __name__ == "__main__":
    sys.exit(main())
