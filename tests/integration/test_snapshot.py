# SPDX-License-Identifier: GPL-2.0-or-later
"""A live snapshot as management takes it, through one connection to the proxy: freeze, snapshot, thaw, while the guest
writes. What is left behind as the base is a consistent backup."""

import os
import subprocess
import unittest
import uuid

from harness import Guest, Proxy, check_filesystem

FILESYSTEMS = ("ext4", "xfs")


def tool(*command):
    """Output of a program of the host's that knows filesystems."""
    environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=environment, check=True).stdout


class LiveSnapshot:
    """Subclasses take the snapshot."""

    def setUp(self):
        self.guest = self.enterContext(Guest())
        proxy = self.enterContext(Proxy(self.guest))
        proxy.wait_agent()
        self.client = proxy.client("tcp")

    def overlay(self, device):
        return str(self.guest.directory / f"{device}-overlay.qcow2")

    def image_of_base(self, device):
        """A copy of the base that tools of the host can look into."""
        raw = self.guest.directory / f"{device}.raw"
        tool("qemu-img", "convert", "-U", "-O", "raw", self.guest.disks[device], raw)
        return raw

    def leave(self, name, text):
        """A file on each filesystem; on its way to the disk whenever the guest likes."""
        for filesystem in FILESYSTEMS:
            self.guest.shell(f"echo {text} > /mnt/{filesystem}/{name}")

    def progress(self):
        return {filesystem: self.guest.progress(filesystem) for filesystem in FILESYSTEMS}

    def test_backup_is_consistent(self):
        """The base holds what was written before the freeze, nothing later, and a filesystem in order; QEMU shows the
        overlay; a guest that starts from the base finds its files."""
        witness = str(uuid.uuid4())
        for filesystem in FILESYSTEMS:
            self.guest.wait_progress(filesystem, 3)
        self.leave("before", witness)
        self.assertEqual(self.client.command("guest-fsfreeze-freeze"), len(FILESYSTEMS))
        frozen = self.progress()
        for device in FILESYSTEMS:
            self.take(device)
        self.assertEqual(self.progress(), frozen)
        self.assertEqual(self.client.command("guest-fsfreeze-thaw"), len(FILESYSTEMS))
        for filesystem in FILESYSTEMS:
            self.guest.wait_progress(filesystem, frozen[filesystem])
        self.leave("after", witness)
        self.guest.shell("sync")

        self.check_shown_by_qemu()
        self.check_ext4(witness, frozen["ext4"])
        self.check_xfs()
        self.check_start_from_base(witness)

    def check_shown_by_qemu(self):
        inserted = {block["device"]: block["inserted"] for block in self.client.command("query-block")}
        shown = self.client.hmp("info block")
        for device in FILESYSTEMS:
            self.assertEqual(inserted[device]["file"], self.overlay(device))
            self.assertEqual(inserted[device]["backing_file"], str(self.guest.disks[device]))
            self.assertRegex(shown, rf"(?m)^{device} .*: {self.overlay(device)} \(qcow2\)")
            self.assertIn(f"Backing file:     {self.guest.disks[device]} ", shown)

    def check_ext4(self, witness, progress):
        base = self.image_of_base("ext4")
        check_filesystem(base, "ext4")
        self.assertEqual(tool("debugfs", "-R", "cat /before", base), witness + "\n")
        self.assertEqual(tool("debugfs", "-R", "cat /progress", base), f"{progress}\n")
        self.assertEqual(tool("debugfs", "-R", "cat /after", base), "")

    def check_xfs(self):
        """A frozen xfs leaves the superblock in its log, by design, so that whoever mounts a copy goes through
        recovery; a filesystem that was only cut off leaves more."""
        log = tool("xfs_logprint", "-t", self.image_of_base("xfs"))
        self.assertEqual(log.count("\nTRANS: "), log.count("SUPER Block Buffer"), log)

    def check_start_from_base(self, witness):
        """The guest loses its power, and what is on its disks is the base again."""
        self.guest.kill()
        self.guest.boot()
        for filesystem in FILESYSTEMS:
            self.assertEqual(self.guest.shell(f"cat /mnt/{filesystem}/before"), witness)
            self.guest.shell(f"[ ! -e /mnt/{filesystem}/after ]")
        self.assertNotIn("recovery complete", self.guest.shell("dmesg | grep EXT4-fs"))
        self.guest.spawn("poweroff")
        self.guest.wait_powered_off()
        for filesystem in FILESYSTEMS:
            check_filesystem(self.guest.disks[filesystem], filesystem)


class QmpSnapshot(LiveSnapshot, unittest.TestCase):
    def take(self, device):
        self.assertEqual(self.client.command("blockdev-snapshot-sync", device=device, format="qcow2",
                                             snapshot_file=self.overlay(device)), {})


class HmpSnapshot(LiveSnapshot, unittest.TestCase):
    """With the command of the human monitor in the middle."""

    def take(self, device):
        said = self.client.hmp(f"snapshot_blkdev {device} {self.overlay(device)} qcow2")
        self.assertNotIn("Error", said)
