# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QMP server does, one test for each line of the list: of greeting (G), parsing (P), negotiation (N), shape of
commands (S), ids (I), order (O), events (E) and disconnection (D).

Each is held against QEMU itself, which proves the test right, and against the proxy before a second QEMU that is just
the same. Where QEMU is at fault, the proxy does better, and overrides the test to say so."""

import json
import select
import socket
import time
import unittest

from bare import NAME, Bare, BehindBare, listening_socket
from harness import Guest, Proxy, Qmp

MARK = "recovered"

CLASSES = {"GenericError", "CommandNotFound", "DeviceNotActive", "DeviceNotFound", "KVMMissingCap"}


class Conformance(BehindBare):
    """Subclasses say how to connect, to a QEMU in cls.qemu that all tests share."""

    # Means

    def negotiated(self, oob=False):
        return self.connect().negotiate(oob=oob)

    def reply(self, client, text):
        """The reply to a request that is sent as it stands."""
        client.send(text if isinstance(text, bytes) else text.encode())
        return client.read_reply(30)

    def check_refused(self, client, text, error_class, words):
        reply = self.reply(client, text)
        self.assertEqual(set(reply) - {"id"}, {"error"}, text)
        self.assertEqual(reply["error"]["class"], error_class, reply)
        self.assertIn(words, reply["error"]["desc"])
        return reply

    def errors_before_recovery(self, client, rubbish):
        """Rubbish gets at least one error, each a GenericError without id, and the command behind it is served."""
        client.send(rubbish + b'{"execute": "query-name", "id": "%s"}' % MARK.encode())
        errors = []
        while "error" in (message := client.read_reply(60)):
            self.assertEqual(set(message), {"error"})
            self.assertEqual(message["error"]["class"], "GenericError")
            errors.append(message["error"]["desc"])
        self.assertEqual(message, {"return": {"name": NAME}, "id": MARK}, rubbish[:200])
        self.assertGreater(len(errors), 0, rubbish[:200])
        return errors

    # Greeting

    def test_g1_greeting(self):
        """The server speaks first: version in three integers and a string, capabilities as a list of strings."""
        message = self.connect().read_message(30)
        self.assertEqual(set(message), {"QMP"})
        self.assertEqual(set(message["QMP"]), {"version", "capabilities"})
        version = message["QMP"]["version"]
        self.assertEqual({name: type(value) for name, value in version["qemu"].items()},
                         {"major": int, "minor": int, "micro": int})
        self.assertIsInstance(version["package"], str)
        self.assertEqual(message["QMP"]["capabilities"], ["oob"])

    def test_g2_version(self):
        client = self.negotiated()
        self.assertEqual(client.greeting["version"], client.command("query-version"))

    def test_g3_greeting_in_one_piece(self):
        """Some clients take the first piece of input for the greeting and nothing else."""
        for _ in range(20):
            client = self.connect()
            client.fill(30)
            self.assertEqual(client.buffer.count(b"\n"), 1)
            self.assertEqual(set(json.loads(client.buffer)), {"QMP"})
            client.close()

    def test_g4_client_may_speak_first(self):
        client = self.connect()
        client.send(b'{"execute": "qmp_capabilities"}{"execute": "query-name"}')
        self.assertIn("QMP", client.read_message(30))
        self.assertEqual(client.read_message(30), {"return": {}})
        self.assertEqual(client.read_message(30), {"return": {"name": NAME}})

    def test_g5_line_ends(self):
        client = self.connect()
        client.send(b'{"execute": "qmp_capabilities"}{"execute": "cont"}{"execute": "stop"}{"execute": "no"} [] } ')
        for what in "QMP", "return", "RESUME", "return", "STOP", "return", "error", "error", "error":
            line = client.read_until(b"\n", 30)
            self.assertIn(f'"{what}"'.encode(), line)
            self.assertTrue(line.endswith(b"}\r\n"), line)
            self.assertEqual(line.count(b"\r"), 1, line)

    def test_g6_ascii(self):
        """What is not printable ASCII is escaped, with upper-case digits, above U+FFFF in pairs; `/` is not."""
        client = self.negotiated()
        client.send('{"execute": "query-name", "id": "ä/\x7f\\u0001\\b☃𝄞\\""}'.encode())
        self.assertEqual(client.read_until(b"\n", 30),
                         rb'{"return": {"name": "sp\u00E4cimen/\u2603"}, '
                         rb'"id": "\u00E4/\u007F\u0001\b\u2603\uD834\uDD1E\""}' + b"\r\n")
        client.send('{"execute": "näme"}'.encode())
        self.assertIn(rb"The command n\u00E4me has not been found", client.read_until(b"\n", 30))

    def test_g7_compact_form(self):
        client = self.negotiated()
        client.send(b'{"execute":"query-status","id":[1,{"a":[],"b":{}}]}')
        line = client.read_until(b"\n", 30)
        self.assertEqual(line, json.dumps(json.loads(line)).encode() + b"\r\n")

    def test_g8_nothing_is_remembered(self):
        for _ in range(3):
            client = self.connect()
            self.assertIn("QMP", client.read_message(30))
            self.check_refused(client, '{"execute": "query-name"}', "CommandNotFound", "Expecting capabilities")
            self.check_refused(client, '{"exec-oob": "query-yank"}', "GenericError", "'exec-oob' is unexpected")
            self.assertEqual(self.reply(client, '{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'),
                             {"return": {}})
            self.assertIn("return", self.reply(client, '{"exec-oob": "query-yank"}'))
            client.close()

    # Parsing

    def test_p1_framing(self):
        """A command is carried out at its closing brace, however it was cut and whatever stands between its tokens."""
        client = self.negotiated()
        expected = {"return": {"name": NAME}}
        self.assertEqual(self.reply(client, '{"execute": "query-name"}'), expected)
        self.assertEqual(self.reply(client, '\r\n{\n"execute"\t:\r\n"query-name"\n,"arguments"\r:{\n}\n}'), expected)
        client.send(b'{"execute": "query-name", "id": 1}{"execute": "query-name", "id": 2}')
        for number in 1, 2:
            self.assertEqual(client.read_reply(30), {**expected, "id": number})
        for byte in b'{"execute": "query-name", "id": "\xc3\xa4 \\u2603"}':
            client.send(bytes([byte]))
        self.assertEqual(client.read_reply(30), {**expected, "id": "ä ☃"})

    def test_p1_scalars_end_at_the_next_byte(self):
        client = self.negotiated()
        for text in "5", "true", "-1.5e3":
            # The reply that comes first tells that nothing was said of the scalar before its end was known.
            client.send(text.encode())
            self.assertEqual(self.reply(client, ' {"execute": "query-name"}')["error"]["desc"],
                             "QMP input must be a JSON object")
            self.assertEqual(client.read_reply(30), {"return": {"name": NAME}})

    def test_p2_extensions(self):
        client = self.negotiated()
        self.assertEqual(self.reply(client, """{'execute': 'query-name', "id": 'it\\'s "so"'}"""),
                         {"return": {"name": NAME}, "id": 'it\'s "so"'})
        self.assertEqual(self.reply(client, """{"execute": "query-name", "id": "it\\'s"}"""),
                         {"return": {"name": NAME}, "id": "it's"})
        for text in b'{"execute": %s}', b'{"execute": "query-name", "id": %d}', b"%p\n":
            self.errors_before_recovery(client, text)

    def test_p3_rejected(self):
        client = self.negotiated()
        for value in (
            b"/* no */ 1", b"// no\n 1", b"[1,]", b'{"a": 1,}', b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 1}',
            b"foo", b"True", b"NULL", b"NaN", b"Infinity", b"01", b"-01", b"+1", b".5", b"1.", b"1e", b"-", b"0x10",
            b'"\t"', b'"\n"', b'"\x01"', b'"\\q"', b'"\\x41"', b'"\\u12"', b'"\\ud800"', b'"\\udc00"',
            b'"\\ud800\\u0041"', b'"\x80"', b'"\xc3"', b'"\xc0\xaf"', b'"\xe0\x80\xaf"', b'"\xed\xa0\x80"',
            b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"', b"1 2", b'{"a" 1}', b'{1: 1}', b"{a: 1}", b"[1 2]",
            b"[1}", b'{"a": 1]', b"\xef\xbb\xbf1",
        ):
            with self.subTest(value):
                self.errors_before_recovery(client, b'{"execute": "query-name", "id": %s}\n' % value)

    def test_p3_words(self):
        """Those words of QEMU's that clients may know; the proxy tells the place besides, and repeats no input."""
        client = self.negotiated()
        for value, words in (
            (b"foo", "JSON parse error, invalid keyword"),
            (b'{"a": 1, "a": 2}', "JSON parse error, duplicate key"),
            (b'"\\ud800"', "is not a valid Unicode character"),
            (b'"\x80"', "JSON parse error, invalid UTF-8 sequence in string"),
            (b"@", "JSON parse error, stray '@'"),
        ):
            with self.subTest(value):
                errors = self.errors_before_recovery(client, b'{"execute": "query-name", "id": %s}\n' % value)
                self.assertIn(words, errors[0])

    def test_p3_zero(self):
        """U+0000 is a character like others, and may even be written C0 80."""
        client = self.negotiated()
        for id in b'"a\\u0000b"', b'"a\xc0\x80b"':
            client.send(b'{"execute": "query-name", "id": %s}' % id)
            self.assertTrue(client.read_until(b"\n", 30).endswith(rb'"id": "a\u0000b"}' + b"\r\n"))

    def test_p4_lexical_errors(self):
        """They are told at once, in the middle of a command, and what comes next is read again."""
        client = self.negotiated()
        for rubbish in b'{"execute": @', b"@", b"~~~~", b'{"execute": "query-name", "id": 1e:':
            with self.subTest(rubbish):
                error = self.reply(client, rubbish)["error"]
                self.assertIn("JSON parse error", error["desc"])
                client.send(b"\n")
                errors = [error]
                client.send(b'{"execute": "query-name", "id": 1}')
                while "error" in (message := client.read_reply(30)):
                    errors.append(message["error"])
                self.assertEqual(message, {"return": {"name": NAME}, "id": 1})
                self.assertEqual({error["class"] for error in errors}, {"GenericError"})

    def test_p5_reset(self):
        """0xFF, or a control byte, gives a clean parser wherever it comes."""
        client = self.negotiated()
        for byte in b"\xff", b"\xfe", b"\x00", b"\x01", b"\x1b", b"\x0b":
            for head in b"", b'{"execute": "que', b'{"execute": "query-name"', b'[[[[{"a": [', b"12", b"tru", b'"\\u12':
                with self.subTest(head + byte):
                    self.errors_before_recovery(client, head + byte)

    def test_p6_syntax_errors(self):
        client = self.negotiated()
        for rubbish in (b"}", b"]", b"}}}]", b'{"execute": }', b"{,}", b"[,]", b"{'a': 1,}\n", b'{"a": 1 "b": 2}', b":",
                        b",", b'{"execute": "a"]]', b'{]', b'[}'):
            with self.subTest(rubbish):
                # At most one is still open, in two of them.
                self.errors_before_recovery(client, rubbish + b"\n\xff")
        for rubbish in b"}", b"]", b"{'a': 1,}", b'{"a": [1 2]}', b"{[}]":
            with self.subTest(rubbish):
                self.errors_before_recovery(client, rubbish)

    def nested(self, depth):
        return b'{"execute": "query-name", "id": %s%s}' % (b"[" * (depth - 1), b"]" * (depth - 1))

    def test_p7_nesting(self):
        client = self.negotiated()
        client.send(self.nested(1024))
        # Deeper than Python's own parser goes.
        self.assertTrue(client.read_until(b"\n", 30).startswith(b'{"return": '))
        errors = self.errors_before_recovery(client, self.nested(1025))
        self.assertIn("JSON nesting depth limit exceeded", errors[0])
        return errors

    PADDING = b'{"execute":%s"query-name"}' % (b" " * 100_000)

    def seconds(self, client, request):
        client.send(request)
        began = time.monotonic()
        self.assertEqual(client.read_reply(60), {"return": {"name": NAME}})
        return time.monotonic() - began

    def test_p8_long_commands(self):
        """QEMU reads one byte in a turn of its main loop: 100 kB take it 0.4 s, where a short command takes 0.1 ms."""
        client = self.negotiated()
        short = min(self.seconds(client, b'{"execute":"query-name"}') for _ in range(5))
        self.assertGreater(self.seconds(client, self.PADDING), 10 * short)

    def test_p9_nothing_for_nothing(self):
        client = self.negotiated()
        self.assertEqual(self.reply(client, '\n\r\n \t\n\n   {"execute": "query-name", "id": 1}\n\n \n'),
                         {"return": {"name": NAME}, "id": 1})
        self.check_served(client)

    # Negotiation

    def test_n1_commands_wait(self):
        client = self.connect()
        client.read_message(30)
        for name in "query-name", "query-commands", "nonsense", "":
            self.assertEqual(self.reply(client, json.dumps({"execute": name, "id": [name]})), {
                "id": [name], "error": {"class": "CommandNotFound",
                                        "desc": "Expecting capabilities negotiation with 'qmp_capabilities'"}})

    def test_n2_shape_comes_first(self):
        client = self.connect()
        client.read_message(30)
        for text, words in (
            ('{"execute": "query-name", "extra": 1}', "QMP input member 'extra' is unexpected"),
            ('{"execute": 1}', "QMP input member 'execute' must be a string"),
            ('{"exec-oob": "query-yank"}', "QMP input member 'exec-oob' is unexpected"),
            ("[]", "QMP input must be a JSON object"),
            ("}", "JSON parse error"),
        ):
            self.check_refused(client, text, "GenericError", words)

    def test_n3_success(self):
        for arguments in None, {}, {"enable": []}, {"enable": ["oob"]}, {"enable": ["oob", "oob"]}:
            with self.subTest(arguments):
                client = self.connect()
                client.read_message(30)
                request = {"execute": "qmp_capabilities", "id": 1}
                if arguments is not None:
                    request["arguments"] = arguments
                client.send(json.dumps(request).encode() + b'{"execute": "query-name", "id": 2}')
                self.assertEqual(client.read_reply(30), {"return": {}, "id": 1})
                self.assertEqual(client.read_reply(30), {"return": {"name": NAME}, "id": 2})
                client.close()

    def test_n4_errors(self):
        """They leave everything as it was."""
        client = self.connect()
        client.read_message(30)
        for arguments, words in (
            ('{"enable": ["bogus"]}', "does not accept value 'bogus'"),
            ('{"enable": ["oob", "bogus"]}', "does not accept value 'bogus'"),
            ('{"enable": 5}', "Invalid parameter type for 'enable', expected: array"),
            ('{"enable": {}}', "Invalid parameter type for 'enable', expected: array"),
            ('{"enable": null}', "Invalid parameter type for 'enable', expected: array"),
            ('{"enable": [5]}', "expected: string"),
            ('{"foo": 1}', "Parameter 'foo' is unexpected"),
            ("null", "QMP input member 'arguments' must be an object"),
            ("[]", "QMP input member 'arguments' must be an object"),
        ):
            with self.subTest(arguments):
                self.check_refused(client, f'{{"execute": "qmp_capabilities", "arguments": {arguments}}}',
                                   "GenericError", words)
                self.check_refused(client, '{"execute": "query-name"}', "CommandNotFound", "Expecting capabilities")
                self.check_refused(client, '{"exec-oob": "query-yank"}', "GenericError", "'exec-oob' is unexpected")

    def test_n5_only_once(self):
        client = self.negotiated()
        for arguments, error_class, words in (
            ("{}", "CommandNotFound", "Capabilities negotiation is already complete, command ignored"),
            ('{"enable": ["oob"]}', "CommandNotFound", "Capabilities negotiation is already complete"),
            ('{"enable": ["bogus"]}', "GenericError", "does not accept value 'bogus'"),
            ('{"foo": 1}', "GenericError", "Parameter 'foo' is unexpected"),
        ):
            self.check_refused(client, f'{{"execute": "qmp_capabilities", "arguments": {arguments}}}', error_class,
                               words)
        self.check_refused(client, '{"exec-oob": "query-yank"}', "GenericError", "'exec-oob' is unexpected")

    def test_n6_no_events_before(self):
        client, other = self.connect(), self.negotiated()
        client.read_message(30)
        other.command("cont")
        other.command("stop")
        client.send(b'{"execute": "qmp_capabilities"}{"execute": "query-name"}')
        self.assertEqual(client.read_message(30), {"return": {}})
        self.assertEqual(client.read_message(30), {"return": {"name": NAME}})

    # Shape

    SHAPES = (
        ("5 ", "GenericError", "QMP input must be a JSON object"),
        ('"query-name"', "GenericError", "QMP input must be a JSON object"),
        ('["query-name"]', "GenericError", "QMP input must be a JSON object"),
        ('{"id": 1}', "GenericError", "QMP input lacks member 'execute'"),
        ("{}", "GenericError", "QMP input lacks member 'execute'"),
        ('{"execute": 5, "id": 1}', "GenericError", "QMP input member 'execute' must be a string"),
        ('{"execute": null, "id": 1}', "GenericError", "QMP input member 'execute' must be a string"),
        ('{"execute": "query-name", "arguments": [], "id": 1}', "GenericError",
         "QMP input member 'arguments' must be an object"),
        ('{"execute": "query-name", "arguments": null, "id": 1}', "GenericError",
         "QMP input member 'arguments' must be an object"),
        ('{"execute": "query-name", "control": {}, "id": 1}', "GenericError",
         "QMP input member 'control' is unexpected"),
        ('{"extra": 1, "execute": "query-name", "id": 1}', "GenericError", "QMP input member 'extra' is unexpected"),
        ('{"execute": "nope", "extra": 1, "id": 1}', "GenericError", "QMP input member 'extra' is unexpected"),
        ('{"execute": "nope", "id": 1}', "CommandNotFound", "The command nope has not been found"),
        ('{"execute": "nope", "arguments": {"a": 1}, "id": 1}', "CommandNotFound",
         "The command nope has not been found"),
        ('{"execute": "", "id": 1}', "CommandNotFound", "The command  has not been found"),
        ('{"execute": "qom-get", "arguments": {"path": "/"}, "id": 1}', "GenericError",
         "Parameter 'property' is missing"),
        ('{"execute": "query-name", "arguments": {"x": 1}, "id": 1}', "GenericError", "Parameter 'x' is unexpected"),
        ('{"execute": "qom-list", "arguments": {"path": 5}, "id": 1}', "GenericError",
         "Invalid parameter type for 'path', expected: string"),
        ('{"execute": "device_del", "arguments": {"id": "none"}, "id": 1}', "DeviceNotFound",
         "Device 'none' not found"),
        ('{"execute": "x-exit-preconfig", "id": 1}', "GenericError",
         "The command is permitted only before machine initialization"),
    )

    def check_shapes(self, client, shapes):
        for text, error_class, desc in shapes:
            with self.subTest(text):
                reply = self.reply(client, text)
                self.assertEqual(reply["error"], {"class": error_class, "desc": desc})
                self.assertIn(error_class, CLASSES)
                self.assertEqual(reply.get("id"), 1 if '"id"' in text else None)
        self.check_served(client)

    def test_shapes(self):
        """What is wrong with a command is told in these words, with its id."""
        unexpected = "QMP input member 'exec-oob' is unexpected"
        self.check_shapes(self.negotiated(), self.SHAPES + (
            ('{"exec-oob": "query-yank", "id": 1}', "GenericError", unexpected),
            ('{"execute": "query-name", "exec-oob": "query-yank", "id": 1}', "GenericError", unexpected),
        ))

    def test_shapes_with_oob(self):
        clash = "QMP input member 'execute' clashes with 'exec-oob'"
        self.check_shapes(self.negotiated(oob=True), self.SHAPES + (
            ('{"exec-oob": "query-yank", "execute": "query-name", "id": 1}', "GenericError", clash),
            ('{"execute": "query-name", "exec-oob": "query-yank", "id": 1}', "GenericError", clash),
            ('{"exec-oob": 5, "id": 1}', "GenericError", "QMP input member 'exec-oob' must be a string"),
            ('{"exec-oob": "query-name", "id": 1}', "GenericError", "The command query-name does not support OOB"),
            ('{"exec-oob": "nope", "id": 1}', "CommandNotFound", "The command nope has not been found"),
        ))

    # Ids

    def test_i1_any_value(self):
        """An id comes back with a return as with an error; where there was none, none comes."""
        client = self.negotiated()
        for id in (0, -7, 1.5, 2**64 - 1, -2**63, True, False, None, "", "ä\0☃", [], {}, [[], {"a": [None]}],
                   {"b": 1, "a": 2}):
            for name, member in ("query-name", "return"), ("nope", "error"):
                reply = self.reply(client, json.dumps({"execute": name, "id": id}))
                self.assertEqual(list(sorted(reply)), sorted(("id", member)))
                self.assertEqual(json.dumps(reply["id"], sort_keys=True), json.dumps(id, sort_keys=True))
        self.assertEqual(set(self.reply(client, '{"execute": "query-name"}')), {"return"})
        self.assertEqual(set(self.reply(client, '{"execute": "nope"}')), {"error"})

    def test_i2_commands_without_id_are_answered(self):
        client = self.negotiated()
        client.send(b'{"execute": "query-name"}' * 10)
        for _ in range(10):
            self.assertEqual(client.read_reply(30), {"return": {"name": NAME}})

    # An id as it is written, and as it comes back.
    REWRITTEN = (
        ("1.0", "1"), ("-0", "0"), ("1E2", "100"), ("18446744073709551616", "1.8446744073709552e+19"),
        ("1e400", "inf"), ("0.1", "0.10000000000000001"),
    )

    def test_i3_ids_as_written(self):
        """QEMU prints what it has understood, which for 1e400 is no JSON any more."""
        self.check_ids(self.REWRITTEN)

    def check_ids(self, ids):
        client = self.negotiated()
        for written, back in ids:
            with self.subTest(written):
                client.send(b'{"execute": "query-name", "id": %s}' % written.encode())
                self.assertTrue(client.read_until(b"\n", 30).endswith(f', "id": {back}}}\r\n'.encode()))

    def test_i4_order_of_members(self):
        client = self.negotiated()
        for request, members in (
            (b'{"id": 1, "execute": "query-name"}', ["return", "id"]),
            (b'{"id": 1, "execute": "nope"}', ["id", "error"]),
        ):
            client.send(request)
            self.assertEqual(list(client.read_message(30)), members)
        client.send(b'{"execute": "system_reset"}')
        self.assertEqual(list(client.read_message(30)), ["timestamp", "event", "data"])

    # Order

    def test_o1_pipelining(self):
        """Thousands in one write are answered in their order, errors in their place."""
        client = self.negotiated()
        client.send(b"".join(b'{"execute": "query-name", "id": %d}{"execute": "nope", "id": %d}{] []'
                             % (number, number) for number in range(500)))
        for number in range(500):
            self.assertEqual(client.read_reply(60), {"return": {"name": NAME}, "id": number})
            reply = client.read_reply(60)
            self.assertEqual((reply["id"], reply["error"]["class"]), (number, "CommandNotFound"))
            words = []
            while not words or words[-1] != "QMP input must be a JSON object":
                words.append(client.read_reply(60)["error"]["desc"])
            self.assertIn("JSON parse error", words[0])

    def test_o2_one_at_a_time_without_oob(self):
        """What comes behind a slow command is carried out after it, in order."""
        client, slow = self.negotiated(), self.slow()
        client.send_command(slow.name, slow.arguments, id="slow")
        client.send(b'{"execute": "query-name", "id": 1}]{"execute": "nope", "id": 2}')
        slow.release()
        self.assertEqual(client.read_reply(30), {"return": {}, "id": "slow"})
        self.assertEqual(client.read_reply(30)["id"], 1)
        self.assertIn("JSON parse error", client.read_reply(30)["error"]["desc"])
        self.assertEqual(client.read_reply(30)["id"], 2)

    def check_overtakes(self, behind):
        """Whether exec-oob passes a slow command and so many behind it."""
        client, slow = self.negotiated(oob=True), self.slow()
        client.send_command(slow.name, slow.arguments, id=0)
        for number in range(1, behind + 1):
            client.send_command("query-name", id=number)
        client.send_command("query-yank", id="fast", oob=True)
        ids = []
        if behind < 8:
            ids.append(client.read_reply(30)["id"])
        slow.release()
        while len(ids) < behind + 2:
            ids.append(client.read_reply(30)["id"])
        self.assertEqual([id for id in ids if id != "fast"], list(range(behind + 1)))
        return ids.index("fast") == 0

    def test_o2_eight_in_flight(self):
        """With eight commands in flight exec-oob still passes; behind nine it is not read before one is answered."""
        self.assertTrue(self.check_overtakes(6))
        self.assertTrue(self.check_overtakes(7))
        self.assertFalse(self.check_overtakes(8))

    def test_o3_what_overtakes(self):
        """exec-oob with its errors, also without id; not what is wrong in band."""
        client, slow = self.negotiated(oob=True), self.slow()
        client.send_command(slow.name, slow.arguments, id="slow")
        client.send(b'{"execute": 5, "id": "in band"}{"extra": 1}')
        client.send(b'{"exec-oob": 5, "id": 1}{"exec-oob": "query-name", "id": 2}{"exec-oob": "query-yank"}')
        overtaking = [client.read_reply(30) for _ in range(3)]
        self.assertEqual({(reply.get("id"), "return" in reply) for reply in overtaking},
                         {(1, False), (2, False), (None, True)})
        slow.release()
        self.assertEqual(client.read_reply(30), {"return": {}, "id": "slow"})
        self.assertEqual(client.read_reply(30)["id"], "in band")
        self.assertEqual(set(client.read_reply(30)), {"error"})
        self.check_served(client)

    def test_o4_which_may_overtake(self):
        client = self.negotiated(oob=True)
        schema = client.command("query-qmp-schema", timeout=60)
        commands = {entry["name"]: entry for entry in schema if entry["meta-type"] == "command"}
        self.assertEqual({name for name, entry in commands.items() if entry.get("allow-oob")},
                         {"migrate-recover", "migrate-pause", "yank", "query-yank"})
        self.assertIn("return", self.reply(client, '{"exec-oob": "query-yank"}'))
        self.check_refused(client, '{"exec-oob": "migrate-pause"}', "GenericError", "migrat")
        for name in "query-name", "qmp_capabilities", "nope":
            self.assertIn("error", self.reply(client, f'{{"exec-oob": "{name}"}}'))

    def test_o5_one_dispatcher(self):
        """A slow command holds back those of other monitors as well; exec-oob passes there too."""
        first, second, slow = self.negotiated(), self.negotiated(oob=True), self.slow()
        first.send_command(slow.name, slow.arguments, id="slow")
        slow.wait_reached()
        second.send(b'{"execute": "query-name", "id": 1}{"exec-oob": "query-yank", "id": 2}')
        self.assertEqual(second.read_reply(30)["id"], 2)
        slow.release()
        self.assertEqual(second.read_reply(30), {"return": {"name": NAME}, "id": 1})
        self.assertEqual(first.read_reply(30), {"return": {}, "id": "slow"})

    def test_o6_everything_is_answered(self):
        """The last command of all too: its event, its answer, the end."""
        client = self.connect_to_another()
        client.send(b'{"execute": "quit", "id": "last"}')
        event, answer = map(json.loads, client.read_to_end(30).splitlines())
        self.assertEqual((event["event"], event["data"]), ("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"}))
        self.assertEqual(answer, {"return": {}, "id": "last"})

    # Events

    def test_e1_form(self):
        client = self.negotiated()
        for name in "cont", "stop", "system_reset":
            client.command(name)
        resume, stop, reset = client.events
        self.assertEqual(set(resume), {"event", "timestamp"})
        self.assertEqual(set(stop), {"event", "timestamp"})
        self.assertEqual(set(reset), {"event", "timestamp", "data"})
        self.assertEqual(reset["data"], {"guest": False, "reason": "host-qmp-system-reset"})
        for event in client.events:
            self.assertEqual({name: type(value) for name, value in event["timestamp"].items()},
                             {"seconds": int, "microseconds": int})
            self.assertLess(abs(event["timestamp"]["seconds"] - time.time()), 60)

    def test_e2_everybody_hears(self):
        """All who negotiated, with the same timestamp, and nobody else."""
        clients, stranger = [self.negotiated() for _ in range(2)], self.connect()
        stranger.read_message(30)
        clients[0].command("cont")
        clients[0].command("stop")
        heard = []
        for client in clients:
            # An answer to this comes behind all events that there were.
            client.command("query-name")
            heard.append(list(client.events))
        self.assertEqual([event["event"] for event in heard[0]], ["RESUME", "STOP"])
        self.assertEqual(heard[0], heard[1])
        self.assertIn("error", self.reply(stranger, '{"execute": "query-name"}'))
        self.assertFalse(stranger.events)

    def test_e3_cause_and_effect(self):
        """An event comes before the reply of the command that caused it."""
        client = self.negotiated()
        for name, event in ("cont", "RESUME"), ("stop", "STOP"), ("system_reset", "RESET"):
            client.send_command(name)
            self.assertEqual(client.read_message(30)["event"], event)
            self.assertEqual(client.read_message(30), {"return": {}})

    def test_e4_throttling(self):
        """Some events come once in a second, the last of them late, with the time at which it happened; nothing is
        held back or left out beyond what QEMU does."""
        client = self.negotiated()
        children = []
        for number in range(3):
            # The third differs from the others in each sector.
            path = self.qemu.directory / f"child{number}-{time.monotonic_ns()}"
            path.write_bytes((b"x" if number == 2 else b"\0") * 1024 * 1024)
            children.append({"driver": "file", "filename": str(path), "node-name": f"child{number}"})
        client.execute("blockdev-add", {"driver": "quorum", "node-name": "quorum", "vote-threshold": 2,
                                        "children": children})
        self.qemu.qmp.events.clear()
        for sector in range(20):
            client.hmp(f'qemu-io quorum "read {sector * 512} 512"')
        last = client.wait_event("QUORUM_REPORT_BAD", **{"sector-num": 19})
        heard = [event for event in client.events if event["event"] == "QUORUM_REPORT_BAD"] + [last]
        self.assertEqual(heard[0]["data"]["sector-num"], 0)
        self.qemu.qmp.wait_event("QUORUM_REPORT_BAD", **{"sector-num": 19})
        there = [event for event in self.qemu.qmp.events if event["event"] == "QUORUM_REPORT_BAD"] + [last]
        self.assertEqual(heard, there)
        client.execute("blockdev-del", {"node-name": "quorum"})

    # Disconnection

    def test_d1_what_was_begun_ends(self):
        """The running command of a client that leaves has its effects; those behind it are dropped."""
        client, slow = self.negotiated(), self.slow()
        client.send_command(slow.name, slow.arguments)
        client.send_command("blockdev-add", {"driver": "null-co", "node-name": "never"})
        slow.wait_reached()
        client.close()
        slow.release()
        self.settle()
        nodes = self.qemu.nodes()
        self.assertIn(slow.node, nodes)
        self.assertNotIn("never", nodes)

    def test_d3_half_close(self):
        """Whoever stops sending is answered, and then closed."""
        client = self.negotiated()
        client.send(b"".join(b'{"execute": "query-name", "id": %d}' % number for number in range(3)))
        client.sock.shutdown(socket.SHUT_WR)
        self.assertEqual([json.loads(line)["id"] for line in client.read_to_end(30).splitlines()], [0, 1, 2])

    SCHEMAS = 60


class OfQemu(Conformance, unittest.TestCase):
    """QEMU itself, with a monitor for each client, since each serves one at a time."""

    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare())

    def setUp(self):
        self.used = []

    def connect(self):
        """To the monitor that has been free for longest."""
        self.used = [client for client in self.used if client.sock.fileno() >= 0]
        path = next(path for path in self.qemu.monitors if path not in [client.name for client in self.used])
        client = self.enterContext(Qmp.connect(path, path))
        self.used.append(client)
        return client

    def connect_to_another(self):
        qemu = self.enterContext(Bare(1))
        return self.enterContext(Qmp.connect(qemu.monitors[0], "another QEMU")).negotiate()

    def settle(self):
        """Waits until a command that is under way has ended, and takes the reply that nobody asked for: it comes behind
        the greeting, or where QEMU was just about to write it, before."""
        client = self.connect()
        client.send(b'{"execute": "query-name", "id": "settled"}')
        while client.read_message(30).get("id") != "settled":
            pass

    def test_g7_pretty_form(self):
        """Four blanks for each level, CR LF between the lines, and an empty object on two of them."""
        client = self.enterContext(Qmp.connect(self.qemu.pretty_path, "pretty"))
        client.send(b'{"execute": "qmp_capabilities"}{"execute": "query-name"}')
        self.assertTrue(client.read_until(b"\r\n}\r\n", 30).startswith(b'{\r\n    "QMP": {\r\n        "version": '))
        self.assertEqual(client.read_until(b"\r\n}\r\n", 30), b'{\r\n    "return": {\r\n    }\r\n}\r\n')
        self.assertEqual(client.read_until(b"\r\n}\r\n", 30),
                         b'{\r\n    "return": {\r\n        "name": "sp\\u00E4cimen/\\u2603"\r\n    }\r\n}\r\n')

    def test_d2_replies_of_the_former_client(self):
        """At fault: who comes next to that socket gets what another had asked for, before it has said anything."""
        client, slow = self.negotiated(), self.slow()
        client.send_command(slow.name, slow.arguments, id="secret")
        slow.wait_reached()
        client.close()
        with Qmp.connect(client.name, "the next client") as following:
            self.assertIn("QMP", following.read_message(30))
            slow.release()
            self.assertEqual(following.read_message(30), {"return": {}, "id": "secret"})

    def test_d4_one_client_at_a_time(self):
        """A second one hears nothing before the first has gone; what it has sent is not lost."""
        first = self.negotiated()
        with Qmp.connect(first.name, "the second client") as second:
            second.send(b'{"execute": "qmp_capabilities"}{"execute": "query-name"}')
            # QEMU would have got round to it by now.
            self.check_served(first)
            self.assertFalse(second.readable())
            first.close()
            self.assertIn("QMP", second.read_message(30))
            self.assertEqual(second.read_message(30), {"return": {}})
            self.assertEqual(second.read_message(30), {"return": {"name": NAME}})

    def test_d5_unread_replies(self):
        """At fault: all is carried out and kept, 200 kB for each, and no end to it."""
        with Bare(1) as qemu:
            before = qemu.resident_bytes()
            with Qmp.connect(qemu.monitors[0], "who reads nothing") as client:
                client.negotiate()
                client.send(b'{"execute": "query-qmp-schema"}' * self.SCHEMAS + b'{"execute": "cont"}')
                qemu.qmp.wait_event("RESUME", 60)
                self.assertGreater(qemu.resident_bytes() - before, self.SCHEMAS * 100_000)

    def test_d6_waiting_for_a_client(self):
        """Without wait=off nothing starts before somebody has connected. QEMU makes its channels in their order, and
        itself connects to one before and one behind that which waits."""
        with (listening_socket(self.qemu.directory / "before.sock") as before,
              listening_socket(self.qemu.directory / "waiting.sock") as waiting,
              listening_socket(self.qemu.directory / "behind.sock") as behind):
            qemu = Bare(0, ["-chardev", f"socket,id=before,path={before.getsockname()}",
                            "-chardev", f"socket,id=waiting,fd={waiting.fileno()},server=on,wait=on",
                            "-chardev", f"socket,id=behind,path={behind.getsockname()}",
                            "-mon", "chardev=waiting,mode=control"], [waiting.fileno()])
            self.addCleanup(qemu.close)
            qemu.start()
            before.accept()[0].close()
            self.assertFalse(select.select([behind], [], [], 0)[0])
            with Qmp.connect(waiting.getsockname(), "the first client") as client:
                client.negotiate()
                behind.accept()[0].close()
                self.check_served(client)


class OfProxy(Conformance, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare())
        cls.proxy = cls.enterClassContext(Proxy(cls.qemu))

    def connect(self):
        return self.enterContext(self.proxy.connect())

    def connect_to_another(self):
        return self.enterContext(self.enterContext(Proxy(self.enterContext(Bare(0)))).client())

    def settle(self):
        self.check_served(self.negotiated())

    def test_p7_nesting(self):
        """Better than QEMU, which reads on in what it has refused: one error for each bracket too many."""
        self.assertEqual(len(super().test_p7_nesting()), 1)

    def test_p7_amplification(self):
        """Better than QEMU, which answers this with 99,523 errors."""
        client = self.negotiated()
        self.assertEqual(len(self.errors_before_recovery(client, b"[" * 100_000 + b"]" * 100_000)), 1)

    def test_p7_tokens_and_bytes(self):
        """Not held against QEMU, which would take 9 s to read the one and 5 minutes for the other."""
        client = self.negotiated()
        errors = self.errors_before_recovery(client, b"[%s0]" % (b"0," * 1024 * 1024))
        self.assertEqual(len(errors), 1)
        self.assertIn("token count", errors[0])
        errors = self.errors_before_recovery(client, b'["%s"]' % (b"x" * 64 * 1024 * 1024))
        self.assertEqual(len(errors), 1)
        self.assertIn("token size", errors[0])

    def test_p8_long_commands(self):
        """Better than QEMU: only what has a meaning goes up, and half a command keeps nobody waiting."""
        client, other = self.negotiated(), self.negotiated()
        with Qmp.connect(self.qemu.monitors[0], "QEMU itself") as direct:
            direct.negotiate()
            self.assertLess(self.seconds(client, self.PADDING), self.seconds(direct, self.PADDING) / 2)
        half = len(self.PADDING) // 2
        client.send(self.PADDING[:half])
        self.check_served(other)
        self.seconds(client, self.PADDING[half:])

    def test_i3_ids_as_written(self):
        """Better than QEMU: numbers come back as they were written, and keys in their order."""
        self.check_ids([(written, written) for written, _ in self.REWRITTEN] + [('{"b":1,"a":2}', '{"b": 1, "a": 2}')])

    def test_o2_among_many(self):
        """Ten clients wait for QEMU, and an exec-oob of an eleventh passes."""
        slow = self.slow()
        clients = [self.negotiated() for _ in range(10)]
        clients[0].send_command(slow.name, slow.arguments)
        slow.wait_reached()
        for client in clients[1:]:
            client.send_command("query-name")
        other = self.negotiated(oob=True)
        self.assertIn("return", self.reply(other, '{"exec-oob": "query-yank"}'))
        slow.release()
        for client in clients:
            self.assertIn("return", client.read_reply(30))

    def test_o5_one_dispatcher(self):
        """Better than QEMU: what the proxy answers itself does not wait for it."""
        super().test_o5_one_dispatcher()
        client, slow = self.negotiated(), self.slow()
        client.send_command(slow.name, slow.arguments)
        slow.wait_reached()
        self.assertTrue(self.negotiated().command("qga-proxy-status")["qemu"]["connected"])
        slow.release()
        self.assertEqual(client.read_reply(30), {"return": {}})

    def test_d2_replies_of_the_former_client(self):
        """Better than QEMU: they go nowhere."""
        client, slow = self.negotiated(), self.slow()
        client.send_command(slow.name, slow.arguments, id="secret")
        slow.wait_reached()
        client.close()
        with self.proxy.connect() as following:
            self.assertIn("QMP", following.read_message(30))
            slow.release()
            following.send(b'{"execute": "qmp_capabilities"}{"execute": "query-name"}')
            self.assertEqual(following.read_message(30), {"return": {}})
            self.assertEqual(following.read_message(30), {"return": {"name": NAME}})

    def test_d4_many_at_a_time(self):
        """Better than QEMU: each is served at once."""
        clients = [self.negotiated() for _ in range(50)]
        for client in clients:
            client.send_command("query-name")
        for client in reversed(clients):
            self.assertEqual(client.read_reply(30), {"return": {"name": NAME}})

    def test_d5_unread_replies(self):
        """Better than QEMU: who leaves much unread is not served further, and the others do not notice."""
        client = self.negotiated()
        client.send(b'{"execute": "query-qmp-schema"}' * self.SCHEMAS + b'{"execute": "cont"}{"execute": "stop"}')
        # Above the low mark it stays: only the client, by reading, brings it below.
        self.proxy.wait_status("a queue that waits", lambda status: status["memory"] > 64 * 1024)
        status = self.proxy.status()
        self.assertLess(status["memory"], 2 * 1024 * 1024)
        self.assertFalse(self.negotiated().command("query-status")["running"])
        for _ in range(self.SCHEMAS):
            self.assertGreater(len(client.read_reply(60)["return"]), 1000)
        for _ in range(2):
            self.assertEqual(client.read_reply(60), {"return": {}})


class Port(unittest.TestCase):
    """What QEMU tells of the agent's port (E5), for which there must be a guest: told on one of its monitors and,
    from another, through the proxy, side by side."""

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(qemu_arguments=[
            "-chardev", "null,id=quiet", "-device", "virtserialport,chardev=quiet,name=org.qga-proxy.quiet"]))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest))
        cls.proxy.wait_agent()

    def setUp(self):
        self.client = self.enterContext(self.proxy.client())
        self.servers = self.guest.qmp, self.client
        self.guest.qmp.events.clear()

    def is_open(self, label):
        states = []
        for server in self.servers:
            states += [device["frontend-open"] for device in server.command("query-chardev")
                       if device["label"] == label]
        self.assertEqual(len(set(states)), 1)
        return states[0]

    def test_e5_port_with_id(self):
        """The agent's end and its new start are told by events, and by query-chardev."""
        self.assertTrue(self.is_open("qga0"))
        self.guest.signal_agent("KILL")
        heard = [[server.wait_event("VSERPORT_CHANGE", open=open) for open in (False, True)]
                 for server in self.servers]
        self.assertEqual(heard[0], heard[1])
        for event in heard[0]:
            self.assertEqual(event["data"]["id"], "agent0")
        self.assertTrue(self.is_open("qga0"))
        self.proxy.wait_agent()

    def test_e5_port_without_id(self):
        """There is no event, and only query-chardev tells."""
        self.assertFalse(self.is_open("quiet"))
        self.guest.shell("(exec 3<> /dev/virtio-ports/org.qga-proxy.quiet; exec sleep 1000) > /dev/null 2>&1 &"
                         "echo $! > /run/quiet.pid")
        self.guest.wait_until("[ -e /proc/$(cat /run/quiet.pid)/fd/3 ]")
        self.assertTrue(self.is_open("quiet"))
        self.guest.shell("kill $(cat /run/quiet.pid)")
        self.guest.wait_until("[ ! -e /proc/$(cat /run/quiet.pid)/fd/3 ]")
        self.assertFalse(self.is_open("quiet"))
        for server in self.servers:
            self.assertFalse(server.events)
