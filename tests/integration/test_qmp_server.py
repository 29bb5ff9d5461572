# SPDX-License-Identifier: GPL-2.0-or-later
"""The proxy is a QMP server: a client that knows QEMU's finds nothing missing, and the guest's commands beside the
others."""

import socket
import unittest
from unittest import mock

from harness import Guest, Proxy, QmpError


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(qemu_arguments=["-name", "specimen"]))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest))
        cls.proxy.wait_agent()

    def setUp(self):
        self.client = self.enterContext(self.proxy.client())

    def reply(self, text, client=None):
        """The reply to a request that is sent as it stands."""
        client = client or self.client
        client.send(text.encode())
        return client.read_reply(30)

    def check_error(self, text, error_class, words, client=None):
        reply = self.reply(text, client)
        self.assertEqual(reply["error"]["class"], error_class, reply)
        self.assertIn(words, reply["error"]["desc"])
        return reply

    # Greeting and negotiation

    def test_greeting(self):
        """Over each transport the greeting is QEMU's own, on one line with QMP's line end."""
        for transport in "tcp", "unix":
            with self.subTest(transport), self.proxy.connect(transport) as client:
                self.assertTrue(client.read_until(b"\n", 30).endswith(b"}\r\n"))
            with self.proxy.client(transport) as client:
                self.assertEqual(client.greeting, self.guest.qmp.greeting)
                self.assertEqual(client.greeting["version"], client.command("query-version"))

    def test_negotiation_first(self):
        """Before it, nothing but qmp_capabilities is carried out, the guest's commands included."""
        with self.proxy.connect() as client:
            client.read_message(30)
            for name in "query-status", "guest-ping", "qga-proxy-status", "nonsense":
                reply = self.check_error(f'{{"execute": "{name}", "id": 5}}', "CommandNotFound",
                                         "Expecting capabilities negotiation with 'qmp_capabilities'", client)
                self.assertEqual(reply["id"], 5)
            self.check_error('{"execute": "qmp_capabilities", "arguments": {"enable": ["bogus"]}}', "GenericError",
                             "does not accept value 'bogus'", client)
            # Effective for the command right behind it.
            client.send(b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}{"execute": "guest-ping"}')
            self.assertEqual(client.read_reply(30), {"return": {}})
            self.assertEqual(client.read_reply(30), {"return": {}})
            self.check_error('{"execute": "qmp_capabilities"}', "CommandNotFound",
                             "Capabilities negotiation is already complete", client)

    # Commands

    def test_line_ends(self):
        """Replies of QEMU, of the agent, of the proxy and errors all end as QMP's lines do."""
        for name in "query-name", "guest-ping", "qga-proxy-status", "nonsense", "guest-nonsense":
            with self.subTest(name):
                self.client.send_command(name)
                self.assertTrue(self.client.read_until(b"\n", 30).endswith(b"}\r\n"))

    def test_routing(self):
        """Each command goes to its own: QEMU, the agent, or the proxy."""
        self.assertEqual(self.client.command("query-name"), {"name": "specimen"})
        self.assertEqual(self.client.command("guest-sync", id=77), 77)
        status = self.client.command("qga-proxy-status")
        self.assertIn(status["agent"]["state"], ("ready", "busy"))
        self.assertTrue(status["qemu"]["connected"])
        with self.proxy.client("tcp"):
            self.assertEqual(self.client.command("qga-proxy-status")["clients"], status["clients"] + 1)

    def test_unknown_commands(self):
        for name in "nonsense", "guest-nonsense", "qga-proxy-nonsense":
            self.check_error(f'{{"execute": "{name}"}}', "CommandNotFound", f"The command {name} has not been found")

    def test_query_commands(self):
        """One list of QEMU's commands, of the agent's that are enabled, and of the proxy's."""
        self.proxy.wait_commands(self.client)
        names = [command["name"] for command in self.client.command("query-commands")]
        self.assertEqual(len(names), len(set(names)))
        of_qemu = {command["name"] for command in self.guest.qmp.command("query-commands")}
        info = self.client.command("guest-info")
        of_agent = {command["name"] for command in info["supported_commands"] if command["enabled"]}
        of_agent.discard("guest-capabilities")  # is between the proxy and the agent
        self.assertEqual((of_qemu | of_agent) - set(names), set())
        self.assertNotIn("guest-capabilities", names)
        rest = set(names) - of_qemu - of_agent
        self.assertIn("qga-proxy-status", rest)
        self.assertTrue(all(name.startswith("qga-proxy-") for name in rest), rest)

    def test_shape(self):
        """What is wrong with a request is told, with its id, and the next one is served."""
        for request, words in (
            ('{"id": 1}', "QMP input lacks member 'execute'"),
            ('{"execute": 5, "id": 1}', "QMP input member 'execute' must be a string"),
            ('{"execute": "guest-ping", "arguments": [], "id": 1}', "member 'arguments' must be an object"),
            ('{"execute": "guest-ping", "extra": 1, "id": 1}', "QMP input member 'extra' is unexpected"),
            ('{"execute": "query-name", "arguments": {"extra": 1}, "id": 1}', "Parameter 'extra' is unexpected"),
        ):
            with self.subTest(request):
                self.assertEqual(self.check_error(request, "GenericError", words)["id"], 1)
        self.check_error("[]", "GenericError", "QMP input must be a JSON object")
        self.assertEqual(self.client.command("guest-ping"), {})

    def test_recovery(self):
        """Behind text that is no JSON and behind a byte 0xFF in the middle of a command, the next one is served."""
        for rubbish in b'{"execute": nonsense}\n', b'{"execute": "guest-pi\xff', b"}\n", b"{'a': 1,}\n":
            with self.subTest(rubbish):
                self.client.send(rubbish + b'{"execute": "guest-sync", "arguments": {"id": 4}, "id": "after"}')
                replies = [self.client.read_reply(30)]
                while "error" in replies[-1]:
                    self.assertEqual(replies[-1]["error"]["class"], "GenericError")
                    self.assertNotIn("id", replies[-1])
                    replies.append(self.client.read_reply(30))
                self.assertEqual(replies[-1], {"return": 4, "id": "after"})
                self.assertGreater(len(replies), 1)

    def test_order_across_both_sides(self):
        """Replies come in the order of the commands, though QEMU is faster than the guest."""
        self.client.send(b"".join(
            b'{"execute": "guest-sync", "arguments": {"id": %d}}{"execute": "query-name"}' % number
            for number in range(50)))
        for number in range(50):
            self.assertEqual(self.client.read_reply(30), {"return": number})
            self.assertEqual(self.client.read_reply(30), {"return": {"name": "specimen"}})

    def test_out_of_band(self):
        """exec-oob overtakes a guest command that is under way; without the capability it is unexpected."""
        self.check_error('{"exec-oob": "query-yank"}', "GenericError", "QMP input member 'exec-oob' is unexpected")
        with self.proxy.client(oob=True) as client:
            with self.guest.stopped_agent():
                client.send_command("guest-ping", id="slow")
                client.send_command("query-yank", id="fast", oob=True)
                self.assertEqual(client.read_reply(10)["id"], "fast")
            self.assertEqual(client.read_reply(30), {"return": {}, "id": "slow"})

    def test_half_close(self):
        """A client that only stops sending gets all its answers, and then the end."""
        with self.proxy.client() as client:
            client.send(b'{"execute": "guest-sync", "arguments": {"id": 1}}{"execute": "query-name", "id": 2}')
            client.sock.shutdown(socket.SHUT_WR)
            self.assertEqual(client.read_to_end(30).splitlines(),
                             [b'{"return": 1}', b'{"return": {"name": "specimen"}, "id": 2}'])

    # Events

    def test_events(self):
        """An event reaches all who have negotiated, before the reply of the command that caused it, and nobody
        else. What it means for the agent is told behind it."""
        with self.proxy.client("tcp") as other, self.proxy.connect() as stranger:
            stranger.read_message(30)
            for name, event, state in ("stop", "STOP", "paused"), ("cont", "RESUME", "ready"):
                self.assertEqual(self.client.command(name), {})
                seen, told = self.client.events
                self.client.events.clear()
                self.assertEqual(seen["event"], event)
                self.assertEqual(told["event"], "GUEST_AGENT_STATE")
                self.assertEqual(told["data"], {"state": state})
                self.assertEqual([other.read_message(30), other.read_message(30)], [seen, told])
            # The greeting is over, so that the first thing it hears is the answer to this.
            self.assertEqual(self.reply('{"execute": "qmp_capabilities"}', stranger), {"return": {}})
            self.assertFalse(stranger.events)
        self.proxy.wait_agent()

    def test_paused_machine(self):
        """While the machine is paused nobody in it can answer, and a guest command is told so at once."""
        self.client.command("stop")
        try:
            with self.assertRaises(QmpError) as raised:
                self.client.command("guest-ping", timeout=5)
            self.assertEqual(raised.exception.error_class, "GenericError")
            self.assertIn("not sent", raised.exception.desc)
        finally:
            self.client.command("cont")
        self.proxy.wait_agent()


class Life(unittest.TestCase):
    def test_before_and_after_qemu(self):
        """A client that comes before QEMU is greeted when QEMU is there; on SIGTERM the proxy closes and ends well."""
        guest = Guest()
        with mock.patch.object(guest, "boot"):
            self.enterContext(guest)
        with Proxy(guest) as proxy, proxy.connect() as client:
            self.assertFalse(client.readable())
            guest.boot()
            client.negotiate()
            proxy.wait_agent()
            self.assertEqual(client.command("guest-ping"), {})
            proxy.process.terminate()
            self.assertEqual(client.read_to_end(30), b"")
            self.assertEqual(proxy.wait_exit(), 0)
            self.assertEqual(proxy.process.stdout.read(), b"")
            # QEMU did not notice: a second proxy takes over.
            with Proxy(guest) as successor:
                successor.wait_agent()
