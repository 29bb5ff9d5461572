# SPDX-License-Identifier: GPL-2.0-or-later
"""Several commands under way in a real guest, through the proxy: with our agent, answers overtake; with qemu-ga nothing
is other than before. And a freeze whose proxy was killed ends in the guest."""

import unittest

from harness import AgentChannel, Guest, Proxy, QmpError
from harness.agent import AgentError
from test_agent_pipeline import HOOK, MEBIBYTE
from test_upgrade import upgrade

DEPTH = 16


class Case:
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(cls.agent, agent_options=["-F/run/hook"], memory=512))
        cls.guest.shell(HOOK)
        cls.guest.shell("dd if=/dev/zero of=/tmp/large bs=1M count=48")

    def setUp(self):
        self.guest.shell("rm -f /run/hold-* /run/hook.log")
        self.addCleanup(self.guest.shell, "rm -f /run/hold-*")
        self.raw = str(self.guest.directory / f"{self.id()}.sock")
        self.serve()

    def serve(self, *arguments):
        self.proxy = self.enterContext(Proxy(self.guest, arguments=["--agent-listen", f"unix:{self.raw}", *arguments]))
        self.proxy.wait_agent()
        self.wait_agreed()

    def wait_agreed(self):
        self.proxy.wait_status("what was agreed", lambda status: "version" in status["agent"] and
                               status["agent"]["depth"] == self.depth)

    def client(self):
        return self.enterContext(self.proxy.client())

    def hold(self, client, hook="freeze"):
        """A freeze whose hook hangs until release()."""
        self.guest.shell(f"touch /run/hold-{hook}")
        client.send_command(f"guest-fsfreeze-{hook}", id="held")
        self.guest.wait_until(f"grep -q {hook} /run/hook.log")

    def release(self):
        self.guest.shell("rm /run/hold-*")

    def thaw(self, client):
        self.assertEqual(client.execute("guest-fsfreeze-thaw", timeout=60), 2)


class Pipelined(Case, unittest.TestCase):
    agent = "qga-agent"
    depth = DEPTH

    def check_beside(self, other):
        """While others wait, this is answered."""
        self.assertEqual(other.execute("guest-ping"), {})
        self.assertEqual(other.execute("guest-sync", {"id": 7}), 7)
        self.assertEqual(other.execute("guest-sync-delimited", {"id": 8}), 8)
        self.assertIn("version", other.execute("guest-info"))

    def test_beside_a_hook(self):
        first, other = self.client(), self.client()
        raw = self.enterContext(AgentChannel.connect(self.raw, "a raw client"))
        self.hold(first)
        self.check_beside(other)
        raw.sync()
        self.assertEqual(raw.execute("guest-ping"), {})
        self.release()
        self.assertEqual(first.read_reply(60), {"return": 2, "id": "held"})
        self.thaw(first)

    def test_beside_a_large_read(self):
        first, other = self.client(), self.client()
        handle = first.execute("guest-file-open", {"path": "/tmp/large"})
        first.send_command("guest-file-read", {"handle": handle, "count": 48 * MEBIBYTE})
        first.send_command("guest-file-close", {"handle": handle})  # in its turn, behind the read
        self.check_beside(other)
        self.assertEqual(first.read_reply(120)["return"]["count"], 48 * MEBIBYTE)
        self.assertEqual(first.read_reply(30), {"return": {}})

    def test_late_answer(self):
        """Who gives up on a command costs nobody else an answer, and the agent stays in step."""
        first, second, other = self.client(), self.client(), self.client()
        syncs = self.proxy.status()["agent"]["syncs"]
        self.guest.shell("fsfreeze --freeze /mnt/ext4")
        try:
            first.execute("qga-proxy-session-set", {"timeout": 1})
            with self.assertRaisesRegex(QmpError, "did not answer within 1 s"):
                first.execute("guest-file-open", {"path": "/mnt/ext4/late", "mode": "w"})
            second.send_command("guest-file-open", {"path": "/mnt/ext4/second", "mode": "w"})
            self.check_beside(other)
        finally:
            self.guest.shell("fsfreeze --unfreeze /mnt/ext4")
        self.assertGreaterEqual(second.read_reply(60)["return"], 1000)
        self.check_beside(first)
        self.assertEqual(self.proxy.status()["agent"]["syncs"], syncs)

    def test_upgrade(self):
        """A successor has all of them answered, and asks the agent nothing."""
        first, second, other = self.client(), self.client(), self.client()
        self.hold(first)
        second.send_command("guest-fstrim", id="trim")
        self.assertIn("paths", second.read_reply(60)["return"])
        with self.guest.stopped_agent():
            second.send_command("guest-get-osinfo", id="osinfo")
            other.send_command("guest-ping", id="ping")
            upgrade(self.proxy)
        self.assertEqual(other.read_reply(60), {"return": {}, "id": "ping"})
        self.assertIn("machine", second.read_reply(60)["return"])
        self.release()
        self.assertEqual(first.read_reply(60), {"return": 2, "id": "held"})
        status = self.proxy.status()["agent"]
        self.assertEqual((status["syncs"], status["depth"]), (0, DEPTH))
        self.thaw(first)

    def test_agent_is_killed(self):
        """All that was under way fails, once; its successor agrees anew."""
        first, second, other = self.client(), self.client(), self.client()
        with self.guest.stopped_agent():
            for client, name in (first, "guest-fstrim"), (second, "guest-get-osinfo"), (other, "guest-ping"):
                client.send_command(name, id=name)
                self.proxy.wait_agent_running(name)
            self.guest.signal_agent("KILL")
        for client in first, second, other:
            reply = client.read_reply(60)
            self.assertRegex(reply["error"]["desc"], f"; {reply['id']} was sent and its outcome is unknown$")
        self.proxy.wait_agent()
        self.wait_agreed()
        self.check_beside(other)

    def test_nobodys_to_agree_on(self):
        """Clients share the channel, and cannot change it."""
        client = self.client()
        with self.assertRaisesRegex(QmpError, "guest-capabilities is between the proxy and the guest agent"):
            client.execute("guest-capabilities", {"enable": ["pipeline"]})
        with AgentChannel.connect(self.raw, "a raw client") as raw:
            raw.sync()
            with self.assertRaisesRegex(AgentError,
                                        "CommandNotFound: The command guest-capabilities has not been found"):
                raw.execute("guest-capabilities")
        self.assertNotIn("guest-capabilities", {command["name"] for command in client.execute("query-commands")})


class Lease(Case, unittest.TestCase):
    agent = "qga-agent"
    depth = DEPTH

    def serve(self, *arguments):
        super().serve("--freeze-lease", "2", *arguments)

    def test_proxy_is_killed(self):
        """The guest thaws itself, not long after the lease that it had here, and the thaw is told."""
        client = self.client()
        self.assertEqual(client.execute("guest-fsfreeze-freeze", timeout=60), 2)
        self.proxy.process.kill()
        self.proxy.process.wait()
        [touch] = self.guest.stuck_touches("ext4")
        self.assertEqual(touch.wait(60), (0, ""))
        with self.guest.connect_agent() as agent:
            agent.sync()
            with self.assertRaisesRegex(AgentError, "the agent itself has ended the freeze"):
                agent.execute("guest-fsfreeze-thaw")

    def test_renewed(self):
        """What is renewed here is renewed there: the guest alone would have ended it."""
        client = self.client()
        self.assertEqual(client.execute("guest-fsfreeze-freeze", timeout=60), 2)
        client.execute("qga-proxy-freeze-renew", {"seconds": 600})
        self.guest.shell("sleep 8")
        self.assertEqual(client.execute("guest-fsfreeze-status"), "frozen")
        self.thaw(client)


class Stock(Case, unittest.TestCase):
    """An agent that has no capabilities is asked as before, and nothing else."""
    agent = "qemu-ga"
    depth = 1

    def test_one_at_a_time(self):
        first, other = self.client(), self.client()
        self.hold(first)
        other.send_command("guest-ping", id="ping")
        self.proxy.wait_status("one that waits", lambda status: status["agent"]["queued"] == 1)
        self.release()
        self.assertEqual(first.read_reply(60), {"return": 2, "id": "held"})
        self.assertEqual(other.read_reply(60), {"return": {}, "id": "ping"})
        self.thaw(first)
        self.assertEqual(self.proxy.status()["agent"]["depth"], 1)


if __name__ == "__main__":
    unittest.main()
