# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 13 and 16: our agent and qemu-ga in one emulated guest, each on a port of its own, and a port that only
echoes."""

import base64
import json
import os
import subprocess

from harness import AgentChannel, Guest
from measure import interleave, script, tool
from rows import SIZES
from steps import request

PING = 'do {"execute":"guest-ping"}\n'
OURS, RAW = "bench.ours", "bench.raw"
SMALL_DISKS = 8
DISK_BYTES = 32 << 20

# mkfs is not on the path of ordinary users.
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

# Filesystems that are frozen have been at rest for long, but for a benchmark's. Of one that was thawed a moment ago the
# kernel has its writers take a lock still, and waits for no grace period of RCU when it is frozen again: by qemu-ga in
# 4 ms, where it takes 39 ms from 50 ms after the thaw on. And as libvirt does, a sync goes before each freeze.
AT_REST = 'aside,pause=200 {"execute":"guest-sync","arguments":{"id":7}}\n'

WRITER = "cd /mnt/small0 && while :; do dd if=/dev/zero of=written bs=64k count=64 2> /dev/null; done"


def port(name, path):
    """QEMU's arguments for one more port of a guest."""
    return ["-chardev", f"socket,id={name},path={path},server=on,wait=off",
            "-device", f"virtserialport,chardev={name},name={name}"]


def start_ours(guest, name, path):
    guest.spawn(f"mkdir /run/ours && exec qga-agent -m virtio-serial -p /dev/virtio-ports/{name} -t /run/ours")
    with AgentChannel.connect(path, "our agent") as agent:
        agent.sync()


def be_still(guest):
    """What else writes in it stops."""
    guest.shell("for pid in /run/writer-*.pid; do kill -STOP -$(cat $pid); done; sync")


class BothAgents(Guest):
    """A guest in which qemu-ga serves agent_path, as the harness has it, and qga-agent serves ours. Small ext4
    filesystems are mounted in /mnt/small0 and so on."""

    def __init__(self):
        super().__init__("qemu-ga", memory=384)

    def boot(self, *arguments):
        self.ours = str(self.directory / "ours.sock")
        self.raw = str(self.directory / "raw.sock")
        for name, path in (OURS, self.ours), (RAW, self.raw):
            self.qemu_arguments += port(name, path)
        for number in range(SMALL_DISKS):
            path = self.directory / f"small{number}.img"
            with open(path, "wb") as disk:
                disk.truncate(DISK_BYTES)
            subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True, env={**os.environ, "PATH": PATH})
            self.qemu_arguments += ["-drive", f"if=none,id=small{number},file={path},format=raw",
                                    "-device", f"virtio-blk-pci,drive=small{number}"]
        super().boot(*arguments)
        start_ours(self, OURS, self.ours)
        for number in range(SMALL_DISKS):
            self.shell(f"mkdir /mnt/small{number} && mount -t ext4 /dev/vd{chr(ord('d') + number)} /mnt/small{number}")
        be_still(self)

    def put(self, path, content):
        """A file in the guest, by way of our agent."""
        with AgentChannel.connect(self.ours, "our agent") as agent:
            agent.sync()
            handle = agent.execute("guest-file-open", {"path": path, "mode": "w"})
            agent.execute("guest-file-write", {"handle": handle, "buf-b64": base64.b64encode(content).decode()})
            agent.execute("guest-file-close", {"handle": handle})

    def start_echo(self):
        self.put("/tmp/bench-port", tool("port").read_bytes())
        self.spawn(f"chmod 755 /tmp/bench-port && exec /tmp/bench-port /dev/virtio-ports/{RAW}")


def channel(bench, guest):
    guest.start_echo()
    targets = {"qga-agent": guest.ours, "qemu-ga": guest.agent_path}
    times = bench.times(500)
    scripts = {name: script(path, "agent", times, PING) for name, path in targets.items()}
    turns = interleave(bench.rounds, {**scripts, "raw": script(guest.raw, "raw", times, PING)})
    medians = {name: [turn.median for turn in turns[name]] for name in turns}
    bench.compare("13 ping", medians["qga-agent"], medians["qemu-ga"])
    bench.compare("13 raw", medians["qga-agent"], medians["raw"])
    guest.shell("dd if=/dev/urandom of=/tmp/content bs=64k count=16 2> /dev/null")
    opening = request("once,keep", "guest-file-open", path="/tmp/content", mode="r+")
    back = request("aside", "guest-file-seek", handle="$", offset=0, whence=0)
    for size, times in ("64K", 20), ("1M", 4):
        steps = {"read": request("do", "guest-file-read", handle="$", count=SIZES[size]),
                 "write": request("do", "guest-file-write", handle="$", **{"buf-b64": f"@{SIZES[size]}@"})}
        for kind, step in steps.items():
            turns = interleave(bench.few_rounds, {
                name: script(path, "agent", bench.times(times), opening, back, step)
                for name, path in targets.items()})
            rates = {name: [SIZES[size] / turn.median for turn in turns[name]] for name in turns}
            bench.compare(f"13 {kind} {size}", rates["qga-agent"], rates["qemu-ga"])


def freeze(bench, guest):
    def compare(key, count):
        points = json.dumps([f"/mnt/small{number}" for number in range(count)])
        steps = [AT_REST, 'do {"execute":"guest-fsfreeze-freeze-list","arguments":{"mountpoints":%s}}\n' % points,
                 'do {"execute":"guest-fsfreeze-thaw"}\n']
        turns = interleave(bench.few_rounds, {
            name: script(path, "agent", bench.times(5), *steps)
            for name, path in (("qga-agent", guest.ours), ("qemu-ga", guest.agent_path))})
        medians = {name: [turn.median for turn in turns[name]] for name in turns}
        bench.compare(key, medians["qga-agent"], medians["qemu-ga"])

    for count in 1, 4, SMALL_DISKS:
        compare(f"16 idle {count}", count)
    guest.spawn(WRITER)
    guest.wait_until("[ -e /mnt/small0/written ]")
    compare("16 writer", 1)


def guest_rows(bench):
    """One guest for all: a boot takes longer than what is measured."""
    with BothAgents() as guest:
        for number, part in (13, channel), (16, freeze):
            if number in bench.numbers:
                part(bench, guest)


PARTS = [(guest_rows, "13", "16")]
