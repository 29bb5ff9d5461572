#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""proxy-test.py PROGRAM: QMP clients whose proxy has the agent for Windows, in Wine, behind a QEMU's serial line.

The QEMU runs no guest. Its line, which the proxy connects to, is a socket of ours that leads to COM1."""

import contextlib
import sys
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from answers import Answers, MIXED_COMMANDS  # noqa: E402
from bare import Bare, listening_socket  # noqa: E402
from harness import QmpError  # noqa: E402
from test_transcripts import Proxied  # noqa: E402
from wine import World  # noqa: E402

PROGRAM = Path(sys.argv.pop(1)).resolve()
CLIENTS = 4
DEPTH = 16
LARGE = 8 << 20


class Line:
    """What QEMU is to a serial line that is a socket: one at a time is connected, and what nobody hears is lost."""

    def __init__(self, path, port):
        self.listener = listening_socket(path)
        self.listener.settimeout(None)
        self.port = port.socket
        self.peer = None
        for job in self.serve, self.repeat:
            threading.Thread(target=job, daemon=True).start()

    def serve(self):
        while True:
            peer, _ = self.listener.accept()
            self.peer = peer
            with peer, contextlib.suppress(OSError):
                while data := peer.recv(65536):
                    self.port.sendall(data)

    def repeat(self):
        while data := self.port.recv(65536):
            with contextlib.suppress(OSError, AttributeError):
                self.peer.sendall(data)


class Guest(World):
    """As a proxy has it before it."""

    def __init__(self, qemu):
        super().__init__(qemu.directory, PROGRAM)
        self.directory, self.qmp_path, self.agent_path = qemu.directory, qemu.qmp_path, qemu.agent_path
        self.line = Line(self.agent_path, self.port)


class Behind(Proxied, Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        qemu = cls.enterClassContext(Bare())
        qemu.qmp.command("cont")
        cls.guest = Guest(qemu)
        cls.addClassCleanup(cls.guest.stop)
        cls.guest.start()
        cls.client = cls.enterClassContext(cls.connect())

    def setUp(self):
        self.wait_agreed()

    def wait_agreed(self):
        self.proxy.wait_status("what was agreed", lambda status: status["agent"]["depth"] == DEPTH, 60)

    def test_qmp(self):
        """QEMU's own commands are beside it on the same connection."""
        self.assertEqual(self.ask("query-status")["status"], "running")
        self.assertEqual(self.ask("guest-ping"), {})

    def test_beside_a_large_read(self):
        """Others are answered while one has much under way, and its next command has its turn behind that."""
        (self.guest.drive / "tmp/beside").write_bytes(bytes(LARGE))
        with self.proxy.client() as large, self.proxy.client() as other:
            handle = large.execute("guest-file-open", {"path": "C:\\tmp\\beside"})
            large.send_command("guest-file-read", {"handle": handle, "count": LARGE})
            large.send_command("guest-file-close", {"handle": handle})
            for i in range(20):
                self.assertEqual(other.execute("guest-sync", {"id": i}), i)
            self.assertEqual(large.read_reply(60)["return"]["count"], LARGE)
            self.assertEqual(large.read_reply(60), {"return": {}})

    def test_mixed_clients(self):
        """Many commands of several clients at once are answered each, in its client's order."""
        clients = [self.enterContext(self.proxy.client()) for _ in range(CLIENTS)]
        handles = [client.execute("guest-file-open", {"path": f"C:\\tmp\\mixed{i}", "mode": "w+"})
                   for i, client in enumerate(clients)]
        for i in range(MIXED_COMMANDS // CLIENTS):
            for client, handle in zip(clients, handles):
                name, arguments = (
                    ("guest-ping", {}), ("guest-get-time", {}), ("query-name", {}), ("guest-sync", {"id": i}),
                    ("guest-file-write", {"handle": handle, "buf-b64": "QUJD"}), ("guest-get-osinfo", {}),
                )[i % 6]
                client.send_command(name, arguments, id=i)
            for client in clients:
                reply = client.read_reply(60)
                self.assertEqual(reply["id"], i)
                self.assertIn("return", reply)
        for client, handle in zip(clients, handles):
            client.execute("guest-file-close", {"handle": handle})

    def test_killed(self):
        """What was under way with an agent that is killed fails; its successor is agreed with anew."""
        before = self.ask("guest-file-open", path="C:\\tmp\\killed", mode="w")
        self.guest.kill()
        with self.proxy.client() as client:
            client.execute("qga-proxy-session-set", {"timeout": 1})
            with self.assertRaises(QmpError):
                client.execute("guest-get-host-name")
        self.guest.start()
        self.proxy.wait_agent()
        self.wait_agreed()
        self.refused("GenericError", "has not been found", "guest-file-close", handle=before)
        self.close(self.ask("guest-file-open", path="C:\\tmp\\killed", mode="w"))


if __name__ == "__main__":
    unittest.main()
