#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes a consistent snapshot of disks, over QEMU's QMP server as qga-qemu or qga-proxyd serves it:

    snapshot.py localhost:4444 ext4=/tmp/overlay.qcow2 xfs=/tmp/other.qcow2

It freezes the guest's file systems, switches each disk to an overlay, all at one moment, and thaws."""

import json
import socket
import sys


class Qmp:
    def __init__(self, host, port):
        self.file = socket.create_connection((host, port)).makefile("rwb")
        self.file.readline()  # the greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments, "id": command}).encode() + b"\n")
        self.file.flush()
        while line := self.file.readline():
            message = json.loads(line)
            if "error" in message:
                raise RuntimeError(f"{command}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]
            # Otherwise it is an event.
        raise RuntimeError("the connection was closed")


def snapshot(qmp, overlays):
    print(f"{qmp.ask('guest-fsfreeze-freeze')} file systems are frozen")
    try:
        qmp.ask("transaction", actions=[
            {"type": "blockdev-snapshot-sync", "data": {"device": device, "snapshot-file": path, "format": "qcow2"}}
            for device, path in overlays])
        for device, path in overlays:
            print(f"{device} goes on in {path}")
    finally:
        # An error here means that the freeze ended before: the snapshot is worthless.
        print(f"{qmp.ask('guest-fsfreeze-thaw')} file systems are thawed")


def main():
    host, port = sys.argv[1].rsplit(":", 1)
    overlays = [word.split("=", 1) for word in sys.argv[2:]]
    try:
        snapshot(Qmp(host, int(port)), overlays)
    except (OSError, RuntimeError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
