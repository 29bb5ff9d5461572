# SPDX-License-Identifier: GPL-2.0-or-later
"""Several monitors of one QEMU behind one proxy."""

import unittest

from bare import NAME, Bare
from harness import Closed, Proxy


class Monitors(unittest.TestCase):
    def setUp(self):
        self.qemu = self.enterContext(Bare(1))
        self.proxy = self.enterContext(Proxy(self.qemu, arguments=["--qmp", f"unix:{self.qemu.monitors[0]}"]))
        self.proxy.wait_status("both monitors to be connected",
                               lambda status: status["qemu"]["monitors-connected"] == 2)
        # One after the other, so that each is put where the fewer are.
        self.clients = [self.enterContext(self.proxy.client(name=f"client {number}")) for number in range(4)]

    def test_long_command_holds_up_its_own_only(self):
        """QEMU takes seconds to read it; who uses the other monitor is served by the hundred meanwhile."""
        long = {"command-line": "#" * 900_000}
        self.clients[0].send_command("human-monitor-command", long, id="long")
        for number in range(100):
            self.assertEqual(self.clients[1].command("query-name"), {"name": NAME})
            self.assertFalse(self.clients[0].readable(), f"the long command was answered first, after {number}")
        self.assertEqual(self.clients[0].read_reply(60)["id"], "long")

    def test_events_come_once(self):
        """To everybody, in front of the reply that they belong to, whichever monitor that uses."""
        for actor in self.clients:
            actor.send(b'{"execute": "cont"}{"execute": "stop"}')
            for what in "RESUME", "return", "STOP", "return":
                message = actor.read_message(30)
                self.assertEqual(message.get("event", "return"), what)
            for other in self.clients:
                if other is not actor:
                    self.assertEqual([other.read_message(30)["event"] for _ in range(2)], ["RESUME", "STOP"])
                    self.assertFalse(other.readable())

    def test_one_lost(self):
        """It takes its own clients along; the others stay, and it serves again when it is back."""
        chardev = next(chardev["label"] for chardev in self.qemu.qmp.command("query-chardev")
                       if self.qemu.monitors[0] in chardev["filename"])
        self.qemu.qmp.execute("yank", {"instances": [{"type": "chardev", "id": chardev}]})
        left = []
        for client in self.clients:
            try:
                self.assertEqual(client.command("query-name"), {"name": NAME})
            except (Closed, BrokenPipeError):
                left.append(client)
        self.assertEqual(len(left), 2)
        self.proxy.wait_status("both monitors to be connected",
                               lambda status: status["qemu"]["monitors-connected"] == 2)
        with self.proxy.client() as first, self.proxy.client() as second:
            for client in first, second:
                self.assertEqual(client.command("query-name"), {"name": NAME})

    def test_end(self):
        """With QEMU all of them go, and so does the daemon."""
        self.qemu.process.kill()
        for client in self.clients:
            client.read_to_end(30)
        self.assertEqual(self.proxy.wait_exit(), 0)
