# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 17 and 18: a client of the proxy, beside libvirt, on one guest that libvirt runs. libvirt has qemu-ga for
itself, and the proxy our agent, on a port of its own. Each takes snapshots of disks of its own, since libvirt goes by
what it has made of them."""

import json
import shutil
import subprocess
import types

from group_guest import OURS, be_still, start_ours
from harness import program
from harness.libvirt import Libvirt, LibvirtGuest, obstacle
from measure import Missing, Process, crowd, interleave, script
from places import quiet_proxy

PING = '{"execute":"guest-ping"}'
CLIENTS = 4
DISKS = ("vda", "vdb", "vdc", "vdd")
OUR_DISKS = ("ours0", "ours1", "ours2", "ours3")
LAST_SLOT = 0x1f

# As in group_guest.py; libvirt does the same by itself, the pause is in libvirt.c.
AT_REST = 'aside,pause=200 {"execute":"guest-ping"}'


def empty_disk(path):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "32M"], check=True)
    return path


class SharedGuest(LibvirtGuest):
    def __init__(self, libvirt):
        super().__init__(libvirt, agent="qemu-ga")

    def boot(self, *arguments):
        self.ours = str(self.directory / "ours.sock")
        self.channels[OURS] = self.ours
        self.disks["fourth"] = empty_disk(self.directory / "fourth.qcow2")
        for number, name in enumerate(OUR_DISKS):
            path = empty_disk(self.directory / f"{name}.qcow2")
            self.qemu_arguments += ["-drive", f"if=none,id={name},file={path},format=qcow2",
                                    "-device", f"virtio-blk-pci,drive={name},addr={LAST_SLOT - number:#x}"]
        super().boot(*arguments)
        start_ours(self, OURS, self.ours)
        be_still(self)


def libvirt_tool(libvirt, *arguments):
    return Process([program("tests/bench/bench-libvirt"), LibvirtGuest.name, *arguments], inside=libvirt.inside())


def pings(bench, libvirt, proxy):
    for key, clients, figure in ("18 one", 1, "median"), ("18 four", CLIENTS, "p99"):
        times = bench.times(200)
        turns = interleave(bench.rounds, {
            "proxy": crowd(proxy.unix, "qmp", clients, 1, times * clients, PING),
            "libvirt": libvirt_tool(libvirt, "ping", clients, times)})
        bench.compare(key, *([getattr(turn, figure) for turn in turns[name]] for name in ("proxy", "libvirt")))


def step(how, name, arguments):
    return f"{how} {json.dumps({'execute': name, 'arguments': arguments})}"


def overlays(folder, names, number):
    """Files for so many rounds of snapshots; returns a step for each disk, by which QEMU opens its next one."""
    pattern = empty_disk(folder / "empty")
    for name in names:
        for made in range(1, number + 1):
            shutil.copy(pattern, folder / f"{name}.{made}")
    return [step("do", "blockdev-add", {"driver": "qcow2", "node-name": f"{name}-{folder.name}-#", "backing": None,
                                        "file": {"driver": "file", "filename": f"{folder}/{name}.#"}})
            for name in names]


def snapshot(folder, names):
    """A transaction that gives each disk its overlay."""
    return step("do", "transaction", {"actions": [
        {"type": "blockdev-snapshot", "data": {"node": name, "overlay": f"{name}-{folder.name}-#"}} for name in names]})


def snapshots(bench, libvirt, proxy, guest):
    """A client through the proxy has its overlays opened before the guest is frozen, and libvirt does it meanwhile: all
    of it is measured, but for the making of our files."""
    for count in 1, len(DISKS):
        times = bench.times(5)
        names = OUR_DISKS[:count]
        folder = guest.directory / f"overlays{count}"
        folder.mkdir()
        steps = [AT_REST, *overlays(folder, names, times * (bench.few_rounds + 1)),
                 'do {"execute":"guest-fsfreeze-freeze"}', snapshot(folder, names),
                 'do {"execute":"guest-fsfreeze-thaw"}']
        turns = interleave(bench.few_rounds, {
            "libvirt": libvirt_tool(libvirt, "snapshot", times, folder, *DISKS[:count]),
            "proxy": script(proxy.unix, "qmp", times, *steps)})
        bench.compare(f"17 disks {count}", *([turn.median for turn in turns[name]] for name in ("proxy", "libvirt")))


def libvirt_rows(bench):
    if why := obstacle():
        raise Missing(why)
    try:
        program("tests/bench/bench-libvirt")
    except FileNotFoundError:
        raise Missing("libvirt's headers were not there when this was built") from None
    with Libvirt() as libvirt, SharedGuest(libvirt) as guest:
        beside = types.SimpleNamespace(directory=guest.directory, qmp_path=guest.qmp_path, agent_path=guest.ours)
        with quiet_proxy(beside, pinned=False) as proxy:
            proxy.wait_agent()
            if 18 in bench.numbers:
                pings(bench, libvirt, proxy)
            if 17 in bench.numbers:
                snapshots(bench, libvirt, proxy, guest)


PARTS = [(libvirt_rows, "17", "18")]
