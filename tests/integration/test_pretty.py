# SPDX-License-Identifier: GPL-2.0-or-later
"""What a server that was told to be pretty prints is, byte for byte, what it prints otherwise with QEMU's line breaks.

Held against QEMU itself, which proves the rule of the breaks right, and against the proxy, which moreover prints the
same bytes as QEMU where it has nothing to add."""

import re
import unittest

from bare import Bare
from harness import Proxy, Qmp

TOKEN = re.compile(rb'"(?:\\.|[^"\\])*"|[][{}:,]|[^][{}:,"\s]+')

# What QEMU writes as it was sent, so that the proxy does too.
IDS = (
    b"0", b"-12", b"1.5", b"true", b"null", b'""', b'"x"', b'"{\\"a\\": [1, 2]}"', b'"\\\\"', b'"\\\\\\"\\u0007/"',
    b'"\\u00E4\\u2603\\uD834\\uDD1E"', b"{}", b"[]", b"[{}]", b"[[]]", b"[[], {}, []]", b'{"a": {}}', b'{"a": []}',
    b'{"": ""}', b'[{}, {"a": [{}, [], 1, "x"]}, null, true, -1, 1.25]', b'{"a": {"b": {"c": [[[1], 2], 3]}}}',
    # With the braces around it as deep as may be.
    b"[" * 1023 + b"]" * 1023, b'{"a": ' * 1023 + b"1" + b"}" * 1023,
)

# Answered alike whoever asks, and by the proxy with what QEMU said.
UNCHANGED = "query-version", "query-name", "query-status", "query-block", "query-machines", "query-cpu-definitions"


def pretty(line):
    """The form that QEMU gives it: four blanks for each level, and what is empty closes on the next line as well."""
    level, printed, break_due = 0, [], False
    for token in TOKEN.findall(line):
        if token in b"]}":
            level -= 1
        if break_due or token in b"]}":
            printed.append(b"\r\n" + b"    " * level)
        printed.append(b": " if token == b":" else token)
        break_due = token in b"[{,"
        if token in b"[{":
            level += 1
    return b"".join(printed) + b"\r\n"


def read_pretty(client):
    """The next message; every closing brace but the last has blanks before it."""
    return client.read_until(b"\r\n}\r\n", 30)


class Pretty:
    """Subclasses say how to connect to the same server, compact() and prettily()."""

    def setUp(self):
        self.clients = self.compact(), self.prettily()
        self.check_next()
        self.check('{"execute": "qmp_capabilities"}')

    def check_next(self):
        """Both clients get the same message, each in its form."""
        compact, prettily = self.clients
        line = compact.read_until(b"\n", 30)
        printed = read_pretty(prettily)
        self.assertEqual(line.count(b"\r\n"), 1)
        self.assertEqual(printed, pretty(line))
        return printed

    def check(self, request):
        for client in self.clients:
            client.send(request if isinstance(request, bytes) else request.encode())
        return self.check_next()

    def test_empty(self):
        """An empty object and an empty array take two lines."""
        self.assertEqual(self.check('{"execute": "stop"}'), b'{\r\n    "return": {\r\n    }\r\n}\r\n')
        self.assertEqual(self.check('{"execute": "query-block"}'), b'{\r\n    "return": [\r\n    ]\r\n}\r\n')

    def test_results(self):
        for name in *UNCHANGED, "query-commands", "query-qmp-schema":
            with self.subTest(name):
                self.check(f'{{"execute": "{name}"}}')

    def test_errors(self):
        for request in ('{"execute": "nope"}', '{"execute": "nope", "id": [{}, 1]}', '{"execute": 1, "id": {}}',
                        '{"execute": "cont", "extra": 1}', "[]", "]", "@\n"):
            with self.subTest(request):
                self.assertIn(b'\r\n    "error": {\r\n        "class": ', self.check(request))

    def test_ids(self):
        for id in IDS:
            with self.subTest(id[:60]):
                self.check(b'{"execute": "query-name", "id": %s}' % id)
                self.check(b'{"execute": "nope", "id": %s}' % id)

    def test_events(self):
        for name, event in ("cont", b"RESUME"), ("stop", b"STOP"), ("system_reset", b"RESET"):
            self.qemu.qmp.command(name)
            self.assertIn(b'\r\n    "event": "%s"' % event, self.check_next())


class OfQemu(Pretty, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare())

    def compact(self):
        return self.enterContext(Qmp.connect(self.qemu.monitors[0], "QEMU"))

    def prettily(self):
        return self.enterContext(Qmp.connect(self.qemu.pretty_path, "QEMU, prettily"))


class OfProxy(Pretty, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare())
        cls.path = str(cls.qemu.directory / "pretty-proxy.sock")
        cls.proxy = cls.enterClassContext(Proxy(cls.qemu, arguments=["--listen", f"unix:{cls.path},pretty=on"]))

    def compact(self):
        return self.enterContext(self.proxy.connect(name="the proxy"))

    def prettily(self):
        return self.enterContext(Qmp.connect(self.path, "the proxy, prettily"))

    def test_own_commands(self):
        """What the proxy answers by itself, a value or an error."""
        for request in ('{"execute": "qga-proxy-nope", "id": {"a": []}}',
                        '{"execute": "qga-proxy-status", "arguments": 1}'):
            self.check(request)
        self.clients[1].send(b'{"execute": "qga-proxy-status", "id": 1}')
        printed = read_pretty(self.clients[1])
        self.assertEqual(printed, pretty(printed))
        self.assertIn(b'\r\n        "qemu": {\r\n            "connected": true', printed)

    def test_as_qemu(self):
        """No difference to QEMU's own pretty monitor."""
        ours = self.clients[1]
        qemus = self.enterContext(Qmp.connect(self.qemu.pretty_path, "QEMU, prettily"))
        self.assertIn(b'"QMP"', read_pretty(qemus))
        requests = [b'{"execute": "qmp_capabilities"}']
        requests += [b'{"execute": "%s"}' % name.encode() for name in UNCHANGED]
        requests += [b'{"execute": "%s", "id": %s}' % (name, id) for id in IDS for name in (b"query-name", b"nope")]
        qemus.send(requests[0])
        self.assertEqual(read_pretty(qemus), pretty(b'{"return": {}}'))
        for request in requests[1:]:
            with self.subTest(request[:60]):
                for client in qemus, ours:
                    client.send(request)
                self.assertEqual(read_pretty(ours), read_pretty(qemus))
        for name in "cont", "stop", "system_reset":
            self.qemu.qmp.command(name)
            self.assertEqual(read_pretty(ours), read_pretty(qemus))
