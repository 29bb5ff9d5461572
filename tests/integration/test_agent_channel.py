# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on the channels of a real guest: never deaf, never spinning, and ended by SIGTERM at any moment. Hosts come
and go, leave in the middle of a command, do not read, or say nonsense; ports are unplugged, lines hung up."""

import base64
import json
import unittest

from agent_process import AgentProcess
from harness import Guest, TimedOut

# In hwclock's place: guest-set-time is a command that is under way until the gate is opened.
SLOW = r"""rm /sbin/hwclock; mkfifo /run/gate
printf '#!/bin/sh\n: > /run/began\nread line < /run/gate\n' > /sbin/hwclock; chmod +x /sbin/hwclock"""

BULK = 48 << 20


class Channel:
    """Subclasses say on which channel. The agent is started by the test, which so learns how it ends."""

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(method="none"))
        cls.guest.shell(SLOW)

    def setUp(self):
        self.process = AgentProcess(self.guest, method=self.method)
        self.addCleanup(self.guest.shell, "rm -f /run/began")
        self.addCleanup(self.process.kill)

    def connect(self):
        return self.enterContext(self.guest.connect_agent(self.method))

    def meet(self):
        agent = self.connect()
        agent.sync()
        return agent

    def check_same(self):
        """It answers, and has never ended."""
        with self.guest.connect_agent(self.method) as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-ping"), {})
        self.assertFalse(self.process.done())

    def close(self, agent):
        """The host leaves, and the agent knows."""
        self.process.forget_log()
        agent.close()
        self.process.wait_log("the host has left\\|the connection ends")

    def begin_slow(self, agent, rest=b""):
        """A command that is under way until finish_slow(), and what is behind it in the channel."""
        agent.send(b'{"execute": "guest-set-time", "arguments": {"time": 1700000000000000000}, "id": "slow"}' + rest)
        self.guest.wait_until("[ -e /run/began ]")

    def finish_slow(self):
        self.guest.shell("rm /run/began; echo > /run/gate")

    def check_terminated(self):
        self.assertEqual(self.process.terminate(), 0)

    # Idle

    def test_sleeps(self):
        """Nothing wakes it while nobody asks, whether a host is there, or has gone: a closed port polls ready."""
        agent = self.meet()
        self.process.wait_asleep()
        agent.close()
        self.process.wait_asleep()
        self.check_same()

    # Noise

    def test_flood(self):
        """Of what is no JSON, nests too deep, is too long, and of 0xFF. The host reads, if not everything at once."""
        agent = self.meet()
        noise = b"nope } ] \x00 \"\\x" + b"[" * 1100 + b"\xff" * 50 + b'{"execute": 7, "id": ' + b"9" * 500 + b"}"
        for _ in range(self.floods):
            agent.send(noise, timeout=60)
            agent.discard()
        agent.sync()
        agent.close()
        self.check_same()

    # The end

    def test_terminated_while_idle(self):
        self.meet()
        self.check_terminated()

    def test_terminated_while_nobody_is_there(self):
        self.check_terminated()

    def test_terminated_in_the_middle_of_a_request(self):
        self.meet().send(b'{"execute": "guest-')
        self.check_terminated()

    def test_terminated_during_a_command(self):
        """One that waits for a helper program."""
        self.begin_slow(self.meet())
        self.check_terminated()
        self.finish_slow()

    def test_terminated_while_frozen(self):
        agent = self.meet()
        self.assertEqual(agent.execute("guest-fsfreeze-freeze"), 2)
        self.check_terminated()
        self.assertEqual(self.guest.spawn("touch /mnt/ext4/file /mnt/xfs/file").wait(), (0, ""))


class VirtioSerial(Channel, unittest.TestCase):
    method = "virtio-serial"
    floods = 500

    def test_first_request_is_answered(self):
        """Nobody has to ask twice, though a host's first bytes may be there before the news that it has come."""
        for number in range(10):
            with self.guest.connect_agent() as agent:
                agent.send_command("guest-sync-delimited", {"id": number})
                self.assertEqual(agent.read_line(30), b'\xff{"return": %d}' % number)
                self.close(agent)

    def test_half_a_request_is_forgotten(self):
        """By the port's closing: nobody has to send 0xFF."""
        for _ in range(5):
            agent = self.connect()
            agent.send(b'{"execute": "guest-ping", "id": 1}')
            self.assertEqual(agent.read_line(30), b'{"return": {}, "id": 1}')
            agent.send(b'{"execute": "guest-pi')
            self.close(agent)

    def test_left_during_a_command(self):
        """The next host hears nothing of it, and what was half said is not continued by it."""
        agent = self.meet()
        self.begin_slow(agent, b'{"execute": "guest-pi')
        self.close(agent)  # which the agent knows though it is busy
        second = self.connect()
        second.send_command("guest-ping", id=2)
        self.finish_slow()
        self.assertEqual(second.read_message(30), {"return": {}, "id": 2})
        self.process.wait_asleep()

    def test_what_was_asked_is_done(self):
        """Also what was still in the channel when the host left, and though another has come meanwhile."""
        for another in False, True:
            self.guest.shell("rm -f /run/done")
            agent = self.meet()
            self.begin_slow(agent, b'{"execute": "guest-exec", "arguments": {"path": "touch", "arg": ["/run/done"]}}')
            self.close(agent)
            second = self.connect() if another else None
            self.finish_slow()
            self.guest.wait_until("[ -e /run/done ]")
            if second:
                self.assertEqual(second.execute("guest-ping"), {})
                second.close()

    def test_unread_replies_are_not_for_the_next_host(self):
        """They go with the host that did not read them, which the agent notices though it waits to be read."""
        agent = self.meet()
        request = b'{"execute": "guest-info", "id": "%s"}' % (4000 * b"x")  # the longer, the fewer fit into the port
        with self.assertRaises(TimedOut):
            agent.send(request * 10000, timeout=5)
        self.process.wait_asleep()
        self.close(agent)
        second = self.connect()
        second.send_command("guest-sync-delimited", {"id": 5})
        self.assertEqual(second.read_line(30), b'\xff{"return": 5}')

    def test_helper_that_hangs(self):
        """It is killed, which the host hears, and the next command is answered."""
        agent = self.meet()
        self.begin_slow(agent)
        reply = json.loads(agent.read_line(60))
        self.assertEqual(reply["id"], "slow")
        self.assertRegex(reply["error"]["desc"],
                         "failed to set hardware clock .*: killed, since it had not ended after 30 s")
        self.guest.wait_until("! pidof hwclock")
        self.assertEqual(agent.execute("guest-ping"), {})

    def ask_bulk(self, agent):
        """64 MiB of reply."""
        handle = agent.execute("guest-file-open", {"path": "/dev/zero"})
        agent.send_command("guest-file-read", {"handle": handle, "count": BULK})

    def test_slow_host(self):
        """It reads nothing for a while, which costs no time, and then everything is there."""
        agent = self.meet()
        self.ask_bulk(agent)
        agent.send_command("guest-ping", id=3)
        self.process.wait_asleep()
        reply = json.loads(agent.read_until(b"\n", 120))["return"]
        self.assertEqual((reply["count"], reply["eof"]), (BULK, False))
        self.assertEqual(base64.b64decode(reply["buf-b64"]), bytes(BULK))
        self.assertEqual(agent.read_message(30), {"return": {}, "id": 3})

    def test_terminated_while_nobody_reads(self):
        agent = self.meet()
        self.ask_bulk(agent)
        self.process.wait_asleep()
        self.check_terminated()

    def test_left_while_nobody_reads(self):
        agent = self.meet()
        self.ask_bulk(agent)
        self.process.wait_asleep()
        self.close(agent)
        self.check_same()

    def test_killed_hosts(self):
        """Ends of connections at any moment, one after the other, without a word of warning. As fast as the guest's
        kernel takes note: QEMU forgets that a port was opened where 32 such changes wait, and then nothing that the
        agent writes gets through, whoever it is, until the host comes anew."""
        for number in range(30):
            with self.guest.connect_agent() as agent:
                agent.send((b'{"execute": "guest-info"}' * 50)[:number * 37])
            self.guest.shell("true")
        self.check_same()

    def unplug(self):
        self.guest.qmp.command("device_del", id="agent0")
        self.guest.qmp.wait_event("DEVICE_DELETED", device="agent0")
        self.guest.wait_until("! grep -qx org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name")

    def plug(self):
        self.guest.qmp.execute("device_add", {"driver": "virtserialport", "id": "agent0", "chardev": "qga0",
                                              "name": "org.qemu.guest_agent.0", "bus": "serial0.0"})
        self.guest.wait_until("grep -qx org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name")

    def test_unplugged(self):
        """The same agent serves the port that is plugged in again, whoever was there before."""
        for present in True, False:
            agent = self.meet()
            if not present:
                self.close(agent)
            self.unplug()
            agent.close()
            self.plug()
            self.check_same()

    def test_unplugged_during_a_command(self):
        agent = self.meet()
        self.begin_slow(agent, b'{"execute": "guest-pi')
        self.unplug()
        self.finish_slow()
        agent.close()
        self.plug()
        self.check_same()


class IsaSerial(Channel, unittest.TestCase):
    method = "isa-serial"
    floods = 5  # at 11 kB/s

    def hang_up(self):
        """What was opened of the line reads as ended. Done by a leader of a session whose terminal it is, on its
        end."""
        self.guest.shell("setsid -c sh -c : < /dev/ttyS1")

    def test_half_a_request_is_forgotten(self):
        """Nothing tells of a host on a line; but any host begins with 0xFF."""
        for _ in range(3):
            agent = self.meet()
            self.assertEqual(agent.execute("guest-ping"), {})
            agent.send(b'{"execute": "guest-pi')
            agent.close()

    def test_hung_up(self):
        for moment in "idle", "half", "slow":
            with self.subTest(moment), self.guest.connect_agent(self.method) as agent:
                agent.sync()
                if moment == "half":
                    agent.send(b'{"execute": "guest-pi')
                if moment == "slow":
                    self.begin_slow(agent)
                self.hang_up()
                if moment == "slow":
                    self.finish_slow()
                agent.sync()
                self.assertEqual(agent.execute("guest-ping"), {})
        self.assertFalse(self.process.done())
        self.process.wait_asleep()
