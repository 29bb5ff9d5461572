# SPDX-License-Identifier: GPL-2.0-or-later
"""Freezes in a real guest, by our agent and by Debian's qemu-ga in the same one: what both do alike, and where qemu-ga
leaves a guest frozen, a hook without its twin, or itself deaf. What is frozen is seen by writing to it."""

import time
import unittest

from harness import Deadline, Guest, TimedOut
from harness.agent import AgentError

LOOPS = 8

# Tells what it was run with, and does what it is told to.
HOOK = r"""#!/bin/sh
echo $1 >> /run/hook.log
. /run/hook.mood
"""

OPTIONS = ["-F/run/hook", "--freeze-timeout=20", "--fsfreeze-hook-timeout=3", "--freeze-exclude=/mnt/excluded"]


class Freezes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = guest = cls.enterClassContext(Guest(memory=384, agent_options=[*OPTIONS, "-v", "-l/run/ours.log"]))
        guest.shell("modprobe loop max_loop=16; mkdir -p /run/theirs")
        guest.shell(f"cat > /run/hook << 'END'\n{HOOK}\nEND\nchmod +x /run/hook; > /run/hook.mood; > /run/hook.log")
        guest.shell("for writer in ext4 xfs; do kill -STOP -$(cat /run/writer-$writer.pid); done; sync")
        guest.spawn("exec qemu-ga -m isa-serial -p /dev/ttyS1 -t /run/theirs -F/run/hook")
        cls.theirs = cls.enterClassContext(guest.connect_agent("isa-serial"))
        cls.theirs.sync()

    def setUp(self):
        self.guest.shell("> /run/hook.mood; > /run/hook.log")
        self.ours = self.enterContext(self.guest.connect_agent())
        self.ours.sync()

        self.addCleanup(self.clean)

    def clean(self):
        """Whatever a test that failed has left."""
        self.guest.shell("> /run/hook.mood; kill $(pidof sleep) 2> /dev/null; true")
        self.theirs.sync()
        if self.status(self.theirs) == "frozen":
            self.thaw(self.theirs)

    def mood(self, text):
        self.guest.shell(f"cat > /run/hook.mood << 'END'\n{text}\nEND")

    def hooks(self):
        """What ran since the last time."""
        return self.guest.shell("cat /run/hook.log; > /run/hook.log").split()

    def freeze(self, agent, *paths):
        if paths:
            return agent.execute("guest-fsfreeze-freeze-list", {"mountpoints": list(paths)})
        return agent.execute("guest-fsfreeze-freeze")

    def thaw(self, agent):
        return agent.execute("guest-fsfreeze-thaw")

    def status(self, agent):
        return agent.execute("guest-fsfreeze-status")

    def refused(self, pattern, agent, command):
        with self.assertRaisesRegex(AgentError, pattern):
            agent.execute(command)

    def check_writable(self, *filesystems):
        for touch in self.guest.touch(*(filesystems or ("ext4", "xfs"))):
            self.assertEqual(touch.wait(), (0, ""))

    def loop(self, number, folder, name=None):
        """A filesystem in a file in that folder, mounted; returns where."""
        name = name or f"loop{number}"
        self.guest.shell(
            f"dd if=/dev/zero of={folder}/image{number} bs=1M count=3 2> /dev/null; mke2fs -F {folder}/image{number} "
            f"> /dev/null 2>&1; [ -b /dev/loop{number} ] || mknod /dev/loop{number} b 7 {number}; "
            f"losetup /dev/loop{number} {folder}/image{number}; mkdir -p /mnt/{name}; "
            f"mount -t ext4 /dev/loop{number} /mnt/{name}")
        self.addCleanup(self.guest.shell,
                        f"umount /mnt/{name}; losetup -d /dev/loop{number}; rm {folder}/image{number}")
        return f"/mnt/{name}"

    # Alike

    def test_cycle(self):
        for agent in self.ours, self.theirs:
            self.assertEqual(self.freeze(agent), 2)
            self.assertEqual(self.status(agent), "frozen")
            touches = self.guest.stuck_touches("ext4", "xfs")
            self.assertEqual(self.thaw(agent), 2)
            for touch in touches:
                self.assertEqual(touch.wait(), (0, ""))
            self.assertEqual(self.hooks(), ["freeze", "thaw"])

    def test_veto(self):
        """Debian's does not tell what the hook says; qemu-ga from 10 on does, in the same words."""
        self.mood("echo not now; exit 1")
        for agent, words in ((self.ours, "failed to execute fsfreeze hook: not now"),
                             (self.theirs, "fsfreeze hook has failed with status 1")):
            self.refused(words, agent, "guest-fsfreeze-freeze")
            self.assertEqual(self.status(agent), "thawed")
            self.assertEqual(self.hooks(), ["freeze"])
            self.check_writable()

    # Which filesystems

    def test_paths(self):
        """Any path in it names a filesystem; to qemu-ga one mount point of each does."""
        self.guest.shell("mkdir -p /mnt/ext4/deep/er /mnt/bound; > /mnt/ext4/deep/file; "
                         "mount --bind /mnt/ext4/deep /mnt/bound; ln -sfn /mnt/ext4/deep /run/link")
        self.addCleanup(self.guest.shell, "umount /mnt/bound; rm /run/link")
        for path in "/mnt/ext4/deep/er", "/mnt/ext4/deep/file", "/mnt/bound", "/mnt/bound/er", "/run/link":
            self.assertEqual(self.freeze(self.ours, path), 1, path)
            [touch] = self.guest.stuck_touches("ext4")
            self.check_writable("xfs")
            self.assertEqual(self.thaw(self.ours), 1)
            self.assertEqual(touch.wait(), (0, ""))
            if path != "/mnt/bound":  # a filesystem of its own to Debian's
                self.assertEqual(self.freeze(self.theirs, path), 0)
        self.assertEqual(self.freeze(self.ours, "/run", "/proc/1", "/nowhere"), 0)

    def test_many(self):
        for number in range(LOOPS):
            self.loop(number, "/tmp")
        self.assertEqual(self.freeze(self.ours), 2 + LOOPS)
        touches = self.guest.stuck_touches("ext4", *(f"loop{number}" for number in range(LOOPS)))
        self.assertEqual(self.thaw(self.ours), 2 + LOOPS)
        for touch in touches:
            self.assertEqual(touch.wait(), (0, ""))

    def test_stacked(self):
        """Files of files, with all that is still to be written; and mounted again, so that the order in which they were
        mounted says nothing."""
        below = self.loop(0, "/mnt/ext4")
        self.loop(1, "/mnt/xfs")
        self.guest.shell(f"mkdir -p /mnt/again; mount -t ext4 /dev/vda /mnt/again; umount -l /mnt/ext4; "
                         f"mount --move /mnt/again /mnt/ext4; for d in {below} /mnt/loop1 /mnt/ext4; do "
                         "dd if=/dev/urandom of=$d/dirty bs=64k count=16 2> /dev/null; done")
        for _ in range(3):
            self.assertEqual(self.freeze(self.ours), 4)
            self.assertEqual(self.status(self.ours), "frozen")
            touches = self.guest.stuck_touches("loop0", "loop1")
            self.assertEqual(self.thaw(self.ours), 4)
            for touch in touches:
                self.assertEqual(touch.wait(), (0, ""))

    def test_excluded(self):
        self.loop(0, "/tmp", "excluded")
        self.assertEqual(self.freeze(self.ours), 2)
        self.check_writable("excluded")
        self.assertEqual(self.thaw(self.ours), 2)
        self.assertEqual(self.freeze(self.ours, "/mnt/excluded"), 0)

    # What it is really like

    def test_thawed_by_somebody_else(self):
        """Ours asks the kernel, and says that the freeze was none; qemu-ga tells what it remembers."""
        for agent in self.ours, self.theirs:
            self.assertEqual(self.freeze(agent), 2)
            self.guest.shell("fsfreeze --unfreeze /mnt/xfs")
            self.assertEqual(self.status(agent), "frozen")
            self.guest.shell("fsfreeze --unfreeze /mnt/ext4")
            if agent is self.ours:
                self.assertEqual(self.status(agent), "thawed")
                self.check_writable()
                self.refused("somebody else has thawed", agent, "guest-fsfreeze-thaw")
            else:
                self.assertEqual(self.status(agent), "frozen")
            self.assertEqual(self.thaw(agent), 0)

    def test_hidden_and_unmounted_meanwhile(self):
        """It is thawed though its mount point shows it no more."""
        self.loop(0, "/tmp")
        self.assertEqual(self.freeze(self.ours), 3)
        self.guest.shell("mount -t tmpfs none /mnt/xfs; mount --bind /mnt/loop0 /run; umount /run; "
                         "umount -l /mnt/loop0")
        try:
            self.assertEqual(self.thaw(self.ours), 3)
        finally:
            self.guest.shell("umount /mnt/xfs; mount -t ext4 /dev/loop0 /mnt/loop0")
        self.check_writable("ext4", "xfs", "loop0")

    def test_grace_periods_are_as_they_were(self):
        def expedited():
            return self.guest.shell("cat /sys/kernel/rcu_expedited")
        self.assertEqual(expedited(), "0")
        self.assertEqual(self.freeze(self.ours), 2)
        self.assertEqual(expedited(), "0")
        # Killed in the middle of it.
        self.guest.shell("echo 1 > /sys/kernel/rcu_expedited")
        self.kill_agent()
        self.assertEqual(expedited(), "0")
        self.assertEqual(self.thaw(self.ours), 2)

    def kill_agent(self):
        self.guest.qmp.events.clear()
        self.guest.signal_agent("KILL")
        self.guest.wait_agent_open()
        self.ours.sync()

    # How it ends

    def test_killed(self):
        self.loop(0, "/mnt/ext4")
        self.assertEqual(self.freeze(self.ours), 3)
        self.kill_agent()
        self.assertEqual(self.status(self.ours), "frozen")
        touches = self.guest.stuck_touches("ext4", "loop0")
        self.assertEqual(self.thaw(self.ours), 3)
        for touch in touches:
            self.assertEqual(touch.wait(), (0, ""))
        self.assertEqual(self.hooks(), ["freeze", "thaw"])

    def test_host_is_gone(self):
        """Nobody thaws: ours does. qemu-ga would not, ever; here it is asked to when ours has long done so."""
        self.loop(0, "/mnt/ext4")
        self.assertEqual(self.freeze(self.ours), 3)
        self.ours.close()
        began = time.monotonic()
        for touch in self.guest.stuck_touches("ext4", "loop0"):
            self.assertEqual(touch.wait(40), (0, ""))
        self.assertLess(time.monotonic() - began, 40)
        ours = self.enterContext(self.guest.connect_agent())
        ours.sync()
        self.refused("has ended the freeze", ours, "guest-fsfreeze-thaw")
        self.assertEqual(self.hooks(), ["freeze", "thaw"])
        self.assertEqual(self.freeze(self.theirs, "/mnt/ext4"), 1)
        [touch] = self.guest.stuck_touches("ext4")
        with self.assertRaises(TimedOut):
            touch.wait(25)
        self.assertEqual(self.thaw(self.theirs), 1)
        self.assertEqual(touch.wait(), (0, ""))

    # Hooks

    def test_nothing_frozen(self):
        """The freeze hook ran, and so does the thaw hook; qemu-ga's does not."""
        for agent in self.ours, self.theirs:
            self.assertEqual(self.freeze(agent, "/nowhere"), 0)
            self.assertEqual(self.hooks(), ["freeze", "thaw"] if agent is self.ours else ["freeze"])

    def test_background_child(self):
        """A hook that starts a service which keeps its output. qemu-ga from 10 on reads that, and does nothing else;
        Debian's does not read what hooks say."""
        self.mood("sleep 1000 &")
        for agent in self.ours, self.theirs:
            self.assertEqual(self.freeze(agent), 2)
            self.assertEqual(self.thaw(agent), 2)

    def test_hook_hangs(self):
        """It is ended with what it waits for; the freeze does not happen, and its twin undoes what it may have done.
        qemu-ga waits."""
        self.mood("[ $1 = thaw ] || sleep 1000")
        self.refused("killed, since it had not ended", self.ours, "guest-fsfreeze-freeze")
        self.assertEqual(self.hooks(), ["freeze", "thaw"])
        self.assertEqual(self.guest.run("pidof sleep")[0], 1)
        self.check_writable()
        with self.assertRaises(TimedOut):
            self.theirs.execute("guest-fsfreeze-freeze", timeout=6)
        self.guest.shell("> /run/hook.mood; kill $(pidof sleep)")
        self.theirs.sync()
        self.assertEqual(self.status(self.theirs), "thawed")

    def test_thaw_hook_hangs(self):
        """All is thawed, and it is told that the hook was killed."""
        self.assertEqual(self.freeze(self.ours), 2)
        self.mood("trap '' TERM; while :; do sleep 1; done")
        self.refused("killed, since it had not ended", self.ours, "guest-fsfreeze-thaw")
        self.assertEqual(self.status(self.ours), "thawed")
        self.check_writable()
        self.guest.shell("> /run/hook.mood")
        self.assertEqual(self.freeze(self.ours), 2)
        self.assertEqual(self.thaw(self.ours), 2)

    def test_terminated_while_hook_hangs(self):
        """The agent ends when it is told to, in the middle of a freeze."""
        self.mood("sleep 1000")
        self.ours.send_command("guest-fsfreeze-freeze")
        self.guest.wait_until("[ -s /run/hook.log ]")
        self.guest.qmp.events.clear()
        self.guest.signal_agent("TERM")
        self.guest.wait_agent_open(Deadline(40))
        self.check_writable()
