# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent in a real guest, beyond what every agent does: a freeze always ends."""

import unittest

from harness import Guest
from harness.agent import AgentError

HOOK = r"""printf '#!/bin/sh\necho $1 >> /run/hook.log\nsleep 1000 &\n' > /run/hook; chmod +x /run/hook"""


class Freeze(unittest.TestCase):
    """Freezes that nobody thaws. The hook leaves a process behind that holds its output open for good. The log is
    verbose, and on a filesystem that is frozen: whoever wrote to it meanwhile would never come back."""

    program = "qga-agent"

    @classmethod
    def setUpClass(cls):
        options = ["--freeze-timeout=10", "-F/run/hook", "-v", "-l/mnt/ext4/agent.log"]
        cls.guest = cls.enterClassContext(Guest(cls.program, agent_options=options))
        cls.guest.shell(HOOK)

    def setUp(self):
        self.guest.shell("> /run/hook.log")
        self.agent = self.enterContext(self.guest.connect_agent())
        self.agent.sync()

    def kill_agent(self, signal):
        self.guest.qmp.events.clear()
        self.guest.signal_agent(signal)

    def check_hooks(self, *runs):
        self.assertEqual(self.guest.shell("cat /run/hook.log").split(), list(runs))

    def check_writable(self):
        self.assertEqual(self.guest.spawn("touch /mnt/ext4/file /mnt/xfs/file").wait(), (0, ""))

    def test_hooks_run_in_pairs(self):
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze-list", {"mountpoints": ["/nowhere"]}), 0)
        self.check_hooks("freeze", "thaw")
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 2)
        self.check_hooks("freeze", "thaw", "freeze", "thaw")

    def test_time_is_up(self):
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.check_writable()
        self.assertEqual(self.agent.execute("guest-fsfreeze-status"), "thawed")
        with self.assertRaisesRegex(AgentError, "has ended the freeze"):
            self.agent.execute("guest-fsfreeze-thaw")
        self.check_hooks("freeze", "thaw")
        self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 0)

    def test_terminated(self):
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.kill_agent("TERM")
        self.guest.wait_agent_open()
        self.check_hooks("freeze", "thaw")
        self.check_writable()

    def test_killed(self):
        """Its successor finds the mark, and serves what ends the freeze."""
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.kill_agent("KILL")
        self.guest.wait_agent_open()
        self.agent.sync()
        self.assertEqual(self.agent.execute("guest-fsfreeze-status"), "frozen")
        with self.assertRaisesRegex(AgentError, "the agent is in frozen state"):
            self.agent.execute("guest-exec", {"path": "true"})
        self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 2)
        self.check_hooks("freeze", "thaw")
        self.check_writable()

    def test_log(self):
        """It tells of a freeze before and after, and of nothing in between."""
        self.guest.shell("> /mnt/ext4/agent.log")
        self.assertEqual(self.agent.execute("guest-fsfreeze-freeze"), 2)
        self.assertEqual(self.agent.execute("guest-fsfreeze-status"), "frozen")
        self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 2)
        self.assertEqual(self.agent.execute("guest-ping"), {})
        self.assertEqual(self.guest.shell("cut -d' ' -f2- /mnt/ext4/agent.log").splitlines(), [
            "debug: guest-fsfreeze-freeze is called", "debug: freezes", "debug: froze 2 filesystems, thawed 2",
            "debug: guest-ping is called"])

    def test_bind_mount_names_its_filesystem(self):
        self.guest.shell("mkdir -p /run/bind; mount --bind /mnt/ext4 /run/bind")
        try:
            self.assertEqual(self.agent.execute("guest-fsfreeze-freeze-list", {"mountpoints": ["/run/bind/"]}), 1)
            [touch] = self.guest.stuck_touches("ext4")
            self.assertEqual(self.agent.execute("guest-fsfreeze-thaw"), 1)
            self.assertEqual(touch.wait(), (0, ""))
        finally:
            self.guest.shell("umount /run/bind")
