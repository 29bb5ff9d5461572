# SPDX-License-Identifier: GPL-2.0-or-later
"""guest-capabilities of our agent in a real guest: several commands under way, a deadline of the host's, and that hosts
which know nothing of either never meet them."""

import unittest

from harness import Guest
from harness.agent import AgentError

# Hangs as long as there is a file that says so.
HOOK = r"""printf '#!/bin/sh\necho $1 >> /run/hook.log\nwhile [ -e /run/hold-$1 ]; do sleep 0.1; done\n' > /run/hook
chmod +x /run/hook"""
MEBIBYTE = 1024 * 1024

# Seconds, in which a freeze is done: it writes all out first, and the machine may be busy with other things.
LEASE = 5


class Pipeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(agent_options=["-F/run/hook"], memory=512))
        cls.guest.shell(HOOK)
        cls.guest.shell("dd if=/dev/zero of=/tmp/large bs=1M count=48")

    def setUp(self):
        self.guest.shell("rm -f /run/hold-* /run/hook.log")
        self.addCleanup(self.guest.shell, "rm -f /run/hold-*")
        self.agent = self.connect()

    def connect(self):
        agent = self.enterContext(self.guest.connect_agent())
        agent.sync()
        return agent

    def enable(self, *names, **others):
        return self.agent.execute("guest-capabilities", {"enable": names, **others})

    def read(self, *ids):
        """The replies to commands with these ids, in the order in which they come."""
        replies = [self.agent.read_message(60) for _ in ids]
        self.assertEqual([reply["id"] for reply in replies], list(ids))
        return [reply["return"] for reply in replies]

    def hold(self, hook):
        """Begins a freeze or thaw and waits until its hook hangs."""
        self.guest.shell(f"touch /run/hold-{hook}")
        self.agent.send_command(f"guest-fsfreeze-{hook}", id=hook)
        self.guest.wait_until(f"grep -q {hook} /run/hook.log")

    def release(self):
        self.guest.shell("rm /run/hold-*")

    def check_plain(self):
        self.assertEqual(self.agent.execute("guest-capabilities")["enabled"], [])

    # What is enabled

    def test_enable(self):
        self.assertEqual(self.enable("pipeline"), {
            "available": ["lease", "pipeline"], "enabled": ["pipeline"], "lease": {"longest": 86400},
            "pipeline": {"depth": 16}})
        with self.assertRaisesRegex(AgentError, "'streams'"):
            self.enable("streams")

    # Several under way

    def test_beside_a_hook(self):
        self.enable("pipeline")
        self.hold("freeze")
        self.agent.send_command("guest-ping", id=1)
        self.read(1)
        self.release()
        self.assertEqual(self.read("freeze"), [2])
        self.agent.send_command("guest-fsfreeze-thaw", id=2)
        self.assertEqual(self.read(2), [2])

    def test_beside_a_large_read(self):
        handle = self.agent.execute("guest-file-open", {"path": "/tmp/large"})
        self.enable("pipeline")
        self.agent.send_command("guest-file-read", {"handle": handle, "count": 48 * MEBIBYTE}, id="read")
        self.agent.send_command("guest-ping", id=1)
        [_, result] = self.read(1, "read")
        self.assertEqual(result["count"], 48 * MEBIBYTE)
        self.assertEqual(self.agent.execute("guest-file-close", {"handle": handle}), {})

    def test_beside_what_hangs(self):
        """Whatever a file lies on may hang for ever. Somebody else's freeze does that here."""
        self.enable("pipeline")
        self.guest.shell("fsfreeze --freeze /mnt/ext4")
        try:
            self.agent.send_command("guest-file-open", {"path": "/mnt/ext4/new", "mode": "w"}, id="open")
            for number in range(3):
                self.agent.send_command("guest-ping", id=number)
                self.read(number)
        finally:
            self.guest.shell("fsfreeze --unfreeze /mnt/ext4")
        [handle] = self.read("open")
        self.assertEqual(self.agent.execute("guest-file-close", {"handle": handle}), {})

    def test_plain_is_in_order(self):
        handle = self.agent.execute("guest-file-open", {"path": "/tmp/large"})
        self.agent.send_command("guest-file-read", {"handle": handle, "count": 48 * MEBIBYTE}, id="read")
        self.agent.send_command("guest-ping", id=1)
        self.read("read", 1)
        self.assertEqual(self.agent.execute("guest-file-close", {"handle": handle}), {})

    # Back to the plain protocol

    def check_freezes(self):
        """A freeze whose answer nobody waits for any more goes on. It says that it is frozen from the first filesystem
        on, so that a thaw may find fewer than there are."""
        while self.agent.execute("guest-fsfreeze-status") == "thawed":
            pass
        self.agent.execute("guest-fsfreeze-thaw")
        self.assertEqual(self.agent.execute("guest-fsfreeze-status"), "thawed")

    def test_a_stranger_writes(self):
        """Whoever else writes to the port finds the agent that it knows, at once; replies that were owed are
        dropped."""
        self.enable("pipeline")
        self.hold("freeze")
        self.agent.sync_once(30)
        self.check_plain()
        self.release()
        self.check_freezes()

    def test_a_stranger_comes(self):
        """The same where it has a connection of its own."""
        self.enable("pipeline")
        self.hold("freeze")
        self.agent.close()
        self.agent = self.connect()
        self.check_plain()
        self.release()
        self.check_freezes()

    # Lease

    def test_lease(self):
        """It ends a freeze that nobody thaws, and the thaw is told."""
        self.enable("lease", lease=LEASE)
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        [touch] = self.guest.touch("ext4")
        self.assertEqual(touch.wait(), (0, ""))
        with self.assertRaisesRegex(AgentError, "has ended the freeze"):
            self.agent.execute("guest-fsfreeze-thaw")

    def test_lease_is_renewed(self):
        """From when it is, for a freeze under way."""
        self.enable("lease", lease=LEASE)
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.agent.execute("guest-capabilities", {"lease": 86400})
        [touch] = self.guest.stuck_touches("ext4")
        self.guest.shell(f"sleep {LEASE + 1}")
        self.assertEqual(self.agent.execute("guest-fsfreeze-status"), "frozen")
        self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 2)
        self.assertEqual(touch.wait(), (0, ""))

    def test_lease_outlives_its_host(self):
        """A stranger neither ends nor lengthens a deadline that is armed."""
        self.enable("lease", lease=LEASE)
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.agent.close()
        self.agent = self.connect()
        self.check_plain()
        [touch] = self.guest.touch("ext4")
        self.assertEqual(touch.wait(), (0, ""))
        with self.assertRaisesRegex(AgentError, "has ended the freeze"):
            self.agent.execute("guest-fsfreeze-thaw")
