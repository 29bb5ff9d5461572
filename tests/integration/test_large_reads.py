# SPDX-License-Identifier: GPL-2.0-or-later
"""A large guest-file-read through the proxy goes to the agent in pieces, with our agent and with qemu-ga: its client
gets what one command would have brought, and others need not wait for all of it."""

import base64
import contextlib
import hashlib
import signal
import unittest

from harness import Guest, Proxy
from test_upgrade import upgrade

MEBIBYTE = 1 << 20
SIZE = 20 * MEBIBYTE + 7
PIECES = -(-SIZE // (378 << 10))
BEGUN = 4  # of these


class Case:
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(cls.agent, memory=512))
        cls.guest.shell(f"dd if=/dev/urandom bs=1M count=21 | head -c {SIZE} > /tmp/large", timeout=60)
        cls.md5 = cls.guest.shell("md5sum /tmp/large").split()[0]

    def setUp(self):
        self.proxy = self.enterContext(Proxy(self.guest))
        self.proxy.wait_agent()
        self.first, self.other = self.client(), self.client()

    def client(self):
        return self.enterContext(self.proxy.client())

    def begin(self):
        """A read of which some pieces have come, and not all."""
        self.handle = self.first.execute("guest-file-open", {"path": "/tmp/large"})
        self.before = self.commands()
        self.first.send_command("guest-file-read", {"handle": self.handle, "count": 48 * MEBIBYTE}, id="read")
        self.proxy.wait_status("some pieces", lambda status: status["agent"]["commands"] >= self.before + BEGUN)

    @contextlib.contextmanager
    def stopped_proxy(self):
        """No more pieces are asked for meanwhile. All of them may take less time than what is done within."""
        self.proxy.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.proxy.process.send_signal(signal.SIGCONT)

    def commands(self):
        return self.proxy.status()["agent"]["commands"]

    def check_all(self):
        reply = self.first.read_reply(120)
        self.assertEqual(reply["id"], "read")
        self.assertEqual((reply["return"]["count"], reply["return"]["eof"]), (SIZE, True))
        content = base64.b64decode(reply["return"]["buf-b64"], validate=True)
        self.assertEqual((len(content), hashlib.md5(content).hexdigest()), (SIZE, self.md5))

    def test_beside(self):
        """Others are answered while it is read, and use other files; who uses the same one waits."""
        last = self.client()
        self.begin()
        last.send_command("guest-file-close", {"handle": self.handle}, id="close")
        for _ in range(BEGUN):
            self.assertEqual(self.other.execute("guest-ping"), {})
        handle = self.other.execute("guest-file-open", {"path": "/proc/version"})
        self.assertIn("count", self.other.execute("guest-file-read", {"handle": handle}))
        self.other.execute("guest-file-close", {"handle": handle})
        self.check_all()
        self.assertEqual(last.read_reply(30), {"return": {}, "id": "close"})
        self.assertGreaterEqual(self.commands() - self.before, PIECES + BEGUN + len(("open", "read", "close", "close")))

    def test_part_of_a_file(self):
        """The next read goes on where this one has ended."""
        content = b""
        handle = self.first.execute("guest-file-open", {"path": "/tmp/large"})
        while True:
            part = self.first.execute("guest-file-read", {"handle": handle, "count": 7 * MEBIBYTE + 1}, timeout=120)
            content += base64.b64decode(part["buf-b64"])
            if part["eof"]:
                break
            self.assertEqual(part["count"], 7 * MEBIBYTE + 1)
        self.assertEqual(hashlib.md5(content).hexdigest(), self.md5)
        self.first.execute("guest-file-close", {"handle": handle})

    def test_freeze(self):
        """A freeze does not wait for its end, and it goes on behind the thaw."""
        self.begin()
        self.assertEqual(self.other.execute("guest-fsfreeze-freeze", timeout=60), 2)
        self.proxy.wait_status("it to rest", lambda status: "guest-file-read" not in status["agent"]["running"])
        before = self.commands()
        for _ in range(BEGUN):
            self.assertEqual(self.other.execute("guest-fsfreeze-status"), "frozen")
        self.assertEqual(self.commands(), before + BEGUN)
        self.assertEqual(self.other.execute("guest-fsfreeze-thaw", timeout=60), 2)
        self.check_all()
        self.first.execute("guest-file-close", {"handle": self.handle})

    def test_upgrade(self):
        """What has come is handed on, and the rest is asked for."""
        self.begin()
        upgrade(self.proxy)
        self.assertEqual(self.other.execute("guest-ping"), {})
        self.check_all()
        self.first.execute("guest-file-close", {"handle": self.handle})

    def test_agent_is_killed(self):
        self.begin()
        with self.stopped_proxy():
            self.guest.signal_agent("STOP")
        self.proxy.wait_agent_running("guest-file-read")
        self.guest.signal_agent("KILL")
        reply = self.first.read_reply(60)
        self.assertRegex(reply["error"]["desc"], "; guest-file-read was sent and its outcome is unknown$")
        self.proxy.wait_agent()
        self.assertEqual(self.other.execute("guest-ping"), {})

    def test_client_leaves(self):
        """Nothing more is asked for it."""
        self.begin()
        with self.stopped_proxy():
            self.first.close()
        self.assertEqual(self.other.execute("guest-ping"), {})
        self.proxy.wait_status("an idle agent", lambda status: not status["agent"]["running"] and
                               status["agent"]["queued"] == 0)
        position = self.other.execute("guest-file-seek", {"handle": self.handle, "offset": 0, "whence": 1})["position"]
        self.assertLess(position, SIZE)
        self.other.execute("guest-file-close", {"handle": self.handle})


class Ours(Case, unittest.TestCase):
    agent = "qga-agent"


class Stock(Case, unittest.TestCase):
    agent = "qemu-ga"


if __name__ == "__main__":
    unittest.main()
