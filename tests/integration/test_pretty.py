# SPDX-License-Identifier: GPL-2.0-or-later
"""A listener with pretty=on prints what QEMU's own pretty monitor prints, byte for byte."""

import unittest

from bare import Bare
from harness import Proxy, Qmp

END = b"\r\n}\r\n"

# Replies without time or chance in them, of every shape: empty, flat, deep, long, wrong, with ids of every kind.
COMMANDS = [
    b'{"execute": "query-name"}',
    b'{"execute": "query-version", "id": null}',
    b'{"execute": "query-status", "id": "s\\u00e4\\"{[,:]}\\\\"}',
    b'{"execute": "query-memdev", "id": [1, [], {}, [[{"a": []}]], true]}',
    b'{"execute": "query-block", "id": {"b": {"c": []}}}',
    b'{"execute": "query-chardev-backends", "id": 18446744073709551615}',
    b'{"execute": "query-command-line-options"}',
    b'{"execute": "qom-list-types"}',
    b'{"execute": "nonsense", "id": 1}',
    b'{"execute": "query-block", "arguments": {"x": 1}, "id": []}',
    b'{"execute": "query-status", "extra": {}}',
    b'[]',
    b'{"execute": "qmp_capabilities"}',
]


class Pretty(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare(0))
        cls.path = str(cls.qemu.directory / "pretty-proxy.sock")
        cls.proxy = cls.enterClassContext(Proxy(cls.qemu, arguments=["--listen", f"unix:{cls.path},pretty=on"]))

    def setUp(self):
        self.direct = self.enterContext(Qmp.connect(self.qemu.pretty_path, "QEMU"))
        self.proxied = self.enterContext(Qmp.connect(self.path, "the proxy"))

    def check(self, command=b""):
        """The next message is the same from both."""
        self.direct.send(command)
        self.proxied.send(command)
        expected = self.direct.read_until(END, 30)
        self.assertEqual(self.proxied.read_until(END, 30), expected, command)
        return expected

    def test_replies(self):
        self.assertIn(b'"QMP": {\r\n', self.check())
        self.assertEqual(self.check(b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'),
                         b'{\r\n    "return": {\r\n    }\r\n}\r\n')
        for command in COMMANDS:
            self.check(command)

    def test_events(self):
        self.check()
        self.check(b'{"execute": "qmp_capabilities"}')
        self.qemu.qmp.command("cont")
        self.assertIn(b'"event": "RESUME"', self.check())
        self.qemu.qmp.command("stop")
        self.assertIn(b'"event": "STOP"', self.check())

    def test_others_are_not(self):
        """It is this listener's way, and nobody else's."""
        with self.proxy.connect() as client:
            self.assertEqual(client.read_until(b"\n", 30).count(b"\n"), 1)
