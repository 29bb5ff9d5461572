# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients, agents, guests and QEMU end in the middle of a command. Whoever is left gets an answer, at once, that says
what became of it; nobody gets an answer that is not theirs; and the line comes up again by itself."""

import subprocess
import sys
import unittest
from pathlib import Path

from harness import Guest, Proxy

HERE = Path(__file__).resolve().parent

# Sends one command and waits for an answer for ever.
VICTIM = """
import json, sys
from harness import Qmp
client = Qmp.connect(sys.argv[1], "the victim").negotiate()
client.send_command(sys.argv[2], json.loads(sys.argv[3]), id="the same")
client.read_message(600)
"""

# Seconds in which an answer came at once: any time limit is longer.
AT_ONCE = 5
QUICK_LIMIT = 10


class Case(unittest.TestCase):
    method = "virtio-serial"

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(method=cls.method))

    def setUp(self):
        self.proxy = self.enterContext(Proxy(self.guest, self.method))
        self.proxy.wait_agent()
        self.client = self.enterContext(self.proxy.client("tcp"))
        self.other = self.enterContext(self.proxy.client("unix"))
        self.client.command("guest-ping")  # behind it the proxy has no question of its own under way

    def signal_agent(self, signal):
        self.guest.signal_agent(signal, self.method)

    def stopped_agent(self):
        return self.guest.stopped_agent(self.method)

    def send_to_agent(self, client, name, arguments=None, **more):
        """Sends a command, and waits until it is under way."""
        client.send_command(name, arguments, **more)
        self.proxy.wait_agent_running(name)

    def assert_fails(self, client, words, timeout=AT_ONCE):
        reply = client.read_reply(timeout)
        self.assertEqual(reply["error"]["class"], "GenericError", reply)
        self.assertIn(words, reply["error"]["desc"])

    def check_line(self):
        """Both clients get their answers again."""
        self.proxy.wait_agent()
        for number, client in enumerate((self.client, self.other)):
            self.assertEqual(client.command("guest-sync", id=number), number)
            self.assertEqual(client.command("query-status")["status"], "running")


class Deaths(Case):
    def test_no_answer(self):
        """A command that is not answered in its time fails, holds up nobody but those who ask the guest, and its late
        answer is nobody's."""
        with self.stopped_agent():
            self.send_to_agent(self.client, "guest-sync", {"id": 4711}, id="the same")
            self.assertEqual(self.other.command("query-status", timeout=AT_ONCE)["status"], "running")
            self.assertFalse(self.client.readable())
            self.assert_fails(self.client, f"did not answer within {QUICK_LIMIT} s", QUICK_LIMIT + AT_ONCE)
            self.assertEqual(self.proxy.status()["agent"]["timeouts"], 1)
        self.proxy.wait_agent()
        self.client.send_command("guest-sync", {"id": 4712}, id="the same")
        self.assertEqual(self.client.read_reply(30), {"return": 4712, "id": "the same"})
        self.check_line()

    def victim(self, command, arguments):
        """Another process that is a client with a command under way."""
        process = subprocess.Popen([sys.executable, "-c", VICTIM, self.proxy.unix, command, arguments], cwd=HERE,
                                   stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.proxy.wait_agent_running(command)
        return process

    def wait_clients(self, count):
        """Waits until the proxy has so many, not counting the one that asks."""
        self.proxy.wait_status(f"{count} clients", lambda status: status["clients"] - 1 == count, AT_ONCE)

    def test_client_killed(self):
        """A client is killed with a command under way: its answer reaches nobody, and who waits behind it gets his
        own."""
        with self.stopped_agent():
            victim = self.victim("guest-sync", '{"id": 4711}')
            self.other.send_command("guest-sync", {"id": 4712}, id="the same")
            self.wait_clients(3)
            victim.kill()
            self.wait_clients(2)
            self.assertEqual(self.client.command("query-status", timeout=AT_ONCE)["status"], "running")
        self.assertEqual(self.other.read_reply(30), {"return": 4712, "id": "the same"})
        self.check_line()

    def test_client_killed_while_freezing(self):
        """A client is killed before it learns that it froze the guest: another finds it frozen, and thaws it."""
        with self.stopped_agent():
            victim = self.victim("guest-fsfreeze-freeze", "{}")
            victim.kill()
            self.wait_clients(2)
        self.proxy.wait_status("the freeze", lambda status: status["freeze"]["state"] == "frozen")
        self.assertEqual(self.other.command("guest-fsfreeze-status"), "frozen")
        [touch] = self.guest.stuck_touches("ext4")
        self.assertEqual(self.other.command("guest-fsfreeze-thaw"), 2)
        self.assertEqual(touch.wait(), (0, ""))

    def test_agent_killed(self):
        """The agent is killed with two commands under way, or one that waits behind the other: the first has an unknown
        outcome. The second has, too, or was not sent, or is answered by the agent that init starts."""
        with self.stopped_agent():
            self.send_to_agent(self.client, "guest-file-open", {"path": "/tmp/nowhere"})
            self.other.send_command("guest-sync", {"id": 4712})
            self.signal_agent("KILL")
            self.assert_fails(self.client, "its outcome is unknown")
            reply = self.other.read_reply(AT_ONCE)
            if "error" in reply:
                self.assertRegex(reply["error"]["desc"], "was not sent|was sent and its outcome is unknown")
            else:
                self.assertEqual(reply, {"return": 4712})
        self.check_line()

    def test_agent_killed_while_frozen(self):
        """The agent that init starts knows that the guest is frozen, and thaws it."""
        self.assertEqual(self.client.command("guest-fsfreeze-freeze"), 2)
        self.guest.qmp.command("query-status")
        self.guest.qmp.events.clear()
        self.signal_agent("KILL")
        self.guest.wait_agent_open()
        self.proxy.wait_agent()
        self.assertEqual(self.other.command("guest-fsfreeze-status"), "frozen")
        self.assertEqual(self.other.command("guest-fsfreeze-thaw"), 2)
        self.assertEqual(self.client.command("guest-fsfreeze-status"), "thawed")
        self.guest.wait_progress("ext4", self.guest.progress("ext4"))

    def test_no_agent(self):
        """While nothing in the guest has the port open, guest commands fail at once and do not reach who comes
        later."""
        port = "/dev/virtio-ports/org.qemu.guest_agent.0"
        self.guest.shell(f"mv {port} {port}.hidden")
        try:
            self.signal_agent("KILL")
            self.proxy.wait_agent_state("closed")
            self.client.send_command("guest-file-open", {"path": "/tmp/late", "mode": "w"})
            self.assert_fails(self.client, "was not sent")
            self.assertEqual(self.client.command("query-status")["status"], "running")
        finally:
            self.guest.shell(f"mv {port}.hidden {port}")
        self.check_line()
        self.guest.shell("[ ! -e /tmp/late ]")

    def test_guest_reset(self):
        """The guest is reset with a command under way: that fails at once, and after the boot the line is up."""
        with self.stopped_agent():
            self.send_to_agent(self.client, "guest-file-open", {"path": "/tmp/nowhere"})
            self.assertEqual(self.other.command("system_reset"), {})
            self.assert_fails(self.client, "its outcome is unknown")
            self.guest.wait_reboot()
        self.check_line()


class IsaSerialDeaths(Case):
    """On the channel that cannot tell whether anybody is there."""

    method = "isa-serial"

    def test_agent_killed(self):
        """What was under way fails when its time is up, and the agent that init starts is found."""
        with self.stopped_agent():
            with self.guest.arrival(self.proxy, self.method):
                self.send_to_agent(self.client, "guest-sync", {"id": 4711})
            self.signal_agent("KILL")
            self.assert_fails(self.client, "its outcome is unknown", QUICK_LIMIT + AT_ONCE)
        self.check_line()


class QemuDeath(Case):
    def test_qemu_killed(self):
        """All clients get what was there for them and then the end, and the daemon ends well."""
        idle = self.enterContext(self.proxy.connect("tcp"))
        idle.read_message(30)
        with self.stopped_agent():
            self.send_to_agent(self.other, "guest-ping", id="pending")
            # More than a socket takes at once, and none of it read yet.
            self.client.send_command("query-qmp-schema", id="schema")
            self.client.fill(30)
            self.guest.kill()
        schema = self.client.read_reply(30)
        self.assertEqual(schema["id"], "schema")
        self.assertGreater(len(schema["return"]), 1000)
        # That the agent's channel is gone may be told before.
        for client in self.client, idle:
            self.assertEqual(client.read_rest(AT_ONCE), [])
        [last] = self.other.read_rest(AT_ONCE)
        self.assertTrue(last.endswith(b"\n"))
        self.assertIn(b'"id": "pending"', last)
        self.assertIn(b"its outcome is unknown", last)
        self.assertEqual(self.proxy.wait_exit(), 0)
