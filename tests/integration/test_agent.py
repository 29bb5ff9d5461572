# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent in a real guest, beyond what every agent does: it sleeps when idle, and a freeze always ends."""

import unittest

from harness import Guest, TimedOut
from harness.agent import AgentError

HOOK = r"""printf '#!/bin/sh\necho $1 >> /run/hook.log\nsleep 1000 &\n' > /run/hook; chmod +x /run/hook"""


class Idle:
    """Subclasses say on which channel."""

    program = "qga-agent"

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(cls.program, cls.method, ["-v", "-l/run/agent.log"]))

    def connect(self):
        agent = self.enterContext(self.guest.connect_agent(self.method))
        agent.sync()
        return agent

    def wake_ups(self):
        pid = self.guest.shell(f"cat {self.guest.agent_pid_file(self.method)}")
        return int(self.guest.shell(f"awk '/ctxt_switches/ {{ n += $2 }} END {{ print n }}' /proc/{pid}/status"))

    def test_sleeps(self):
        """Nothing wakes it while nobody asks, whether a host is there, or has gone: a closed port polls ready."""
        agent = self.connect()
        for change in (lambda: None), agent.close:
            change()
            self.guest.shell("sleep 1")  # what the change itself costs is over by then
            before = self.wake_ups()
            self.guest.shell("sleep 2")
            self.assertLessEqual(self.wake_ups() - before, 1)

    def test_half_a_request_is_forgotten(self):
        for _ in range(3):
            agent = self.connect()
            self.assertEqual(agent.execute("guest-ping"), {})
            agent.send(b'{"execute": "guest-pi')
            agent.close()


class IdleVirtioSerial(Idle, unittest.TestCase):
    method = "virtio-serial"

    def close(self, agent):
        """Closes the port and waits until the agent knows."""
        self.guest.shell("> /run/agent.log")
        agent.close()
        self.guest.wait_until("grep -q 'connection ends' /run/agent.log")

    def test_first_request_is_answered(self):
        """Nobody has to ask twice, though a host's first bytes may be there before the news that it has come."""
        for number in range(10):
            with self.guest.connect_agent() as agent:
                agent.send_command("guest-sync-delimited", {"id": number})
                self.assertEqual(agent.read_line(30), b'\xff{"return": %d}' % number)
                self.close(agent)

    def test_unread_replies_are_not_for_the_next_host(self):
        """They go with the host that did not read them, which the agent notices though it waits to be read."""
        agent = self.connect()
        request = b'{"execute": "guest-info", "id": "%s"}' % (4000 * b"x")  # the longer, the fewer fit into the port
        with self.assertRaises(TimedOut):
            agent.send(request * 10000, timeout=5)
        self.guest.wait_until("n=$(wc -l < /run/agent.log); sleep 1; [ $n = $(wc -l < /run/agent.log) ]")
        self.close(agent)
        with self.guest.connect_agent() as agent:
            agent.send_command("guest-sync-delimited", {"id": 5})
            self.assertEqual(agent.read_line(30), b'\xff{"return": 5}')


class IdleIsaSerial(Idle, unittest.TestCase):
    method = "isa-serial"


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
