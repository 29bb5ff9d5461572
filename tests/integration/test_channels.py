# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with two channels for its agent, started by the launcher: virtio-serial, which is first, and isa-serial.
One agent is used, whichever there is, and what one has frozen is thawed by the other."""

import unittest

from harness import QmpError
from harness.launcher import LaunchedGuest, Place

VIRTIO, ISA = 0, 1

# Seconds for a command that is not answered.
SHORT = 1

# init cannot start an agent again without it.
STARTER = "/lib/guest/agent"


class TwoChannels(LaunchedGuest):
    """With a client of the launcher's proxy, and an agent on one of the channels."""

    def _command_line(self, *ends):
        line = super()._command_line(*ends)
        at = line.index(f"socket,id=qga1,path={self.isa_path},server=on,wait=off")
        return line[:at - 1] + line[at + 1:] + ["-chardev", "qga_proxy,id=qga1"]


class Case:
    """Subclasses say which agent."""

    def enter(self, method="virtio-serial"):
        place = self.enterContext(Place())
        self.guest = self.enterContext(TwoChannels(place, agent=self.agent, method=method))
        self.client = self.enterContext(self.guest.client())
        self.wait_agent()

    def wait_agent(self, *states):
        arguments = {"timeout": 60, **({"states": states} if states else {})}
        self.client.execute("qga-proxy-wait-agent", arguments, 70)

    def channel(self):
        status = self.client.command("qga-proxy-status")["agent"]
        self.assertEqual(status["channels"], 2)
        return status["channel"]

    def check_used(self, channel):
        self.assertEqual(self.client.command("guest-ping"), {})
        self.assertEqual(self.channel(), channel)

    def start_second(self):
        self.guest.spawn(f"{STARTER} isa-serial {self.agent}")
        self.guest.wait_until(f"[ -e {self.guest.agent_pid_file('isa-serial')} ]")

    def kill_first(self):
        """Which is told by its port, and it is not started again."""
        self.guest.shell(f"mv {STARTER} {STARTER}.off")
        self.guest.signal_agent("KILL")
        self.client.wait_event("GUEST_AGENT_STATE", state="closed")

    def bring_first(self):
        self.guest.shell(f"mv {STARTER}.off {STARTER}")
        self.guest.wait_agent_open()

    def kill_second(self):
        """Which only its silence tells."""
        self.guest.signal_agent("KILL", "isa-serial")
        self.client.execute("qga-proxy-session-set", {"timeout": SHORT})
        with self.assertRaisesRegex(QmpError, "guest-ping"):
            self.client.command("guest-ping")
        self.client.execute("qga-proxy-session-set", {"timeout": 0})
        self.client.wait_event("GUEST_AGENT_STATE", state="hung")

    def test_only_second(self):
        """A guest without an agent on virtio-serial, as one without the driver."""
        self.enter("isa-serial")
        self.check_used(ISA)

    def test_killed(self):
        self.enter()
        self.check_used(VIRTIO)
        self.start_second()
        self.kill_first()
        self.wait_agent()
        self.check_used(ISA)
        self.bring_first()
        self.check_used(ISA)
        self.kill_second()
        self.wait_agent()
        self.check_used(VIRTIO)

    def enter_frozen(self):
        """By the first agent, which is killed; the second is used. Returns who is stuck by that."""
        self.enter()
        self.start_second()
        self.assertEqual(self.client.command("guest-fsfreeze-freeze"), 2)
        touches = self.guest.stuck_touches("ext4", "xfs")
        self.kill_first()
        self.wait_agent("frozen")
        return touches

    def test_frozen(self):
        """By an agent that is killed: the guest stays frozen, though the other one does not know of it, and is thawed
        by that. The first one, which believes that it is frozen, is of use again when it is needed."""
        touches = self.enter_frozen()
        self.assertEqual(self.channel(), ISA)
        self.assertEqual(self.client.command("guest-fsfreeze-status"), "frozen")
        with self.assertRaisesRegex(QmpError, "has been disabled: the guest is frozen by"):
            self.client.command("guest-fsfreeze-freeze")
        self.assertFalse(any(touch.done() for touch in touches))
        self.assertEqual(self.client.command("guest-fsfreeze-thaw"), 2)
        for touch in touches:
            self.assertEqual(touch.wait(), (0, ""))
        self.assertEqual(self.client.command("guest-fsfreeze-status"), "thawed")
        self.bring_first()
        self.kill_second()
        self.wait_agent()
        self.check_used(VIRTIO)
        self.assertIn("machine", self.client.command("guest-get-osinfo"))
        self.assertEqual(self.client.command("qga-proxy-status")["freeze"], {"state": "thawed", "thaws": 0})

    def test_lease(self):
        """The same, and nobody thaws it: the proxy does."""
        touches = self.enter_frozen()
        self.client.command("qga-proxy-freeze-renew", seconds=SHORT)
        for touch in touches:
            self.assertEqual(touch.wait(), (0, ""))
        with self.assertRaisesRegex(QmpError, "had ended before"):
            self.client.command("guest-fsfreeze-thaw")


class Own(Case, unittest.TestCase):
    agent = "qga-agent"


class Stock(Case, unittest.TestCase):
    agent = "qemu-ga"
