# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's monitor goes: it is killed, it quits, somebody yanks it. Without --persist that is the end for all; with it
clients stay, are told the truth meanwhile, and find the next QEMU as if nothing had been. Nothing is answered twice,
nothing is sent twice."""

import json
import os
import threading
import unittest

from bare import NAME, Bare, BehindBare
from descriptors import held, identity
from harness import Deadline, Proxy, Qmp, QmpError

# What QEMU calls the chardev of the monitor at qmp_path, the second that its command line makes.
OURS = {"instances": [{"type": "chardev", "id": "compat_monitor1"}]}

AWAY = "QEMU's monitor is not connected; the command was not sent"
UNKNOWN = "QEMU closed the connection; the command's outcome is unknown"
UNSENT = "QEMU closed the connection; the command was not sent"


def null_node(name):
    return {"driver": "null-co", "node-name": name}


class Case(BehindBare, unittest.TestCase):
    options = ["--persist"]

    def setUp(self):
        self.qemu = self.enterContext(Bare(1))
        self.proxy = self.enterContext(Proxy(self.qemu, arguments=self.options))
        self.proxy.wait_status("QEMU", lambda status: status["qemu"]["connected"])

    def client(self, transport="unix", oob=False):
        return self.enterContext(self.proxy.client(transport, oob=oob))

    def other_monitor(self):
        """Of QEMU, not through the proxy. exec-oob passes there while QEMU's main loop stands still."""
        return self.enterContext(Qmp.connect(self.qemu.monitors[0], "another monitor")).negotiate(oob=True)

    def yank(self, monitor):
        monitor.send_command("yank", OURS, id="yank", oob=True)
        self.assertEqual(monitor.read_reply(30), {"return": {}, "id": "yank"})

    def restart(self):
        self.qemu.start()
        self.qemu.qmp.negotiate()

    def until(self, client, connected):
        """Asks one who has negotiated for the status until QEMU is there, or away."""
        return self.proxy.wait_status("QEMU", lambda status: status["qemu"]["connected"] == connected, client=client)

    def until_count(self, client, name, count):
        """Of clients, or of names."""
        self.proxy.wait_status(f"{count} {name}", lambda status: status[name] == count, client=client)

    def wait_served(self, client, timeout=30):
        """Asks one who has negotiated until it is answered well; until then it is told that QEMU is away."""
        deadline = Deadline(timeout)
        while True:
            try:
                return self.check_served(client)
            except QmpError as error:
                self.assertIn(error.desc, (AWAY, UNKNOWN, UNSENT))
                self.assertTrue(deadline.left(), "QEMU does not come back")

    def check_refused(self, client, desc=AWAY, name="query-name"):
        with self.assertRaises(QmpError) as raised:
            client.command(name)
        self.assertEqual((raised.exception.error_class, raised.exception.desc), ("GenericError", desc))


class Without(Case):
    """That is the end: who is there gets what was written for it, an answer to what it asked, and is closed."""

    options = []

    def check_end(self):
        self.assertEqual(self.proxy.wait_exit(), 0)
        self.assertEqual(self.proxy.process.stdout.read(), b"")
        self.assertFalse(os.path.exists(self.proxy.unix))
        with self.assertRaises(ConnectionRefusedError):
            self.proxy.connect("tcp")

    def ask_all(self):
        """Clients with a command under way, with much unread, without anything, and not even negotiated."""
        asking, reading, idle = self.client(oob=True), self.client(), self.client("tcp")
        stranger = self.enterContext(self.proxy.connect("tcp"))
        stranger.read_message(30)
        reading.send(b'{"execute": "query-qmp-schema", "id": 1}' * 3)
        reading.fill(30)
        slow = self.slow()
        asking.send_command(slow.name, slow.arguments, id="slow")
        slow.wait_reached()
        asking.send_command("blockdev-add", null_node("never"), id="behind")
        asking.send_command("query-yank", id="fast", oob=True)
        self.assertEqual(asking.read_reply(30)["id"], "fast")
        return asking, reading, idle, stranger

    def check_told(self, asking, reading, idle, stranger):
        first, *others = reading.read_to_end(30).splitlines()
        self.assertEqual((json.loads(first)["id"], len(json.loads(first)["return"]) > 1000), (1, True))
        self.assertLess(len(others), 3)
        for client in idle, stranger:
            self.assertEqual(client.read_to_end(30), b"")
        self.assertEqual(asking.read_message(30),
                         {"id": "slow", "error": {"class": "GenericError", "desc": UNKNOWN}})
        self.assertEqual(asking.read_to_end(30), b"")
        self.check_end()

    def test_killed(self):
        clients = self.ask_all()
        self.qemu.kill()
        self.check_told(*clients)

    def test_yank(self):
        monitor = self.other_monitor()
        clients = self.ask_all()
        self.yank(monitor)
        self.check_told(*clients)

    def test_yank_by_a_client(self):
        """Who cuts off its own branch is told as well that nobody knows what came of it, or that it went well."""
        client, other = self.client(oob=True), self.client()
        client.send_command("yank", OURS, id="yank", oob=True)
        last = client.read_to_end(30)
        self.assertEqual(last.count(b"\n"), 1)
        self.assertIn(b'"id": "yank"', last)
        self.assertEqual(other.read_to_end(30), b"")
        self.check_end()

    def test_quit(self):
        """Its event, its answer, the end: for all, but the answer for one."""
        client, other = self.client("tcp"), self.client()
        client.send_command("quit", id="last")
        self.assertEqual(client.read_message(30)["event"], "SHUTDOWN")
        self.assertEqual(client.read_message(30), {"return": {}, "id": "last"})
        self.assertEqual(client.read_to_end(30), b"")
        self.assertEqual(other.read_message(30)["event"], "SHUTDOWN")
        self.assertEqual(other.read_to_end(30), b"")
        self.check_end()


class Away(Case):
    """QEMU was killed, or has quit, and comes again."""

    def check_away(self, *clients):
        """What goes to QEMU is refused, in band and out of band, as often as one asks; the proxy's own is not."""
        self.until(clients[0], False)
        for client in clients:
            for _ in range(3):
                self.check_refused(client)
                self.check_refused(client, name="query-commands")
                self.check_refused(client, name="query-qmp-schema")
            client.send(b"]")
            self.assertIn("JSON parse error", client.read_reply(30)["error"]["desc"])
        # There is none before the first attempt.
        status = self.proxy.wait_status("an attempt", lambda status: "trouble" in status["qemu"], client=clients[0])
        self.assertIn("cannot connect to", status["qemu"]["trouble"])

    def check_back(self, *clients):
        """Nobody is greeted again; the events of the new QEMU come to all, and in front of what they belong to."""
        self.until(clients[0], True)
        self.check_served(*clients)
        for client in clients:
            client.events.clear()
        clients[0].command("cont")
        clients[0].command("stop")
        self.check_served(*clients)
        for client in clients:
            self.assertEqual([event["event"] for event in client.events], ["RESUME", "STOP"])
            self.assertEqual(client.events, clients[0].events)

    def test_killed(self):
        """Twice, with clients over both sorts of socket."""
        clients = [self.client(), self.client("tcp"), self.client(oob=True), self.client("tcp", oob=True)]
        self.check_served(*clients)
        for _ in range(2):
            self.qemu.kill()
            self.check_away(*clients)
            clients[2].send_command("query-yank", id=1, oob=True)
            self.assertEqual(clients[2].read_reply(30), {"id": 1, "error": {"class": "GenericError", "desc": AWAY}})
            self.restart()
            self.check_back(*clients)
            clients[2].send_command("query-yank", id=1, oob=True)
            self.assertIn("return", clients[2].read_reply(30))

    def test_quit(self):
        """Who asked for it gets event and answer; the others the event. All stay."""
        client, other = self.client(), self.client("tcp")
        client.send_command("quit", id="last")
        self.assertEqual(client.read_message(30)["event"], "SHUTDOWN")
        self.assertEqual(client.read_message(30), {"return": {}, "id": "last"})
        self.assertEqual(other.read_message(30)["event"], "SHUTDOWN")
        self.qemu.process.wait()
        self.check_away(client, other)
        self.qemu.kill()
        self.restart()
        self.check_back(client, other)

    def test_nothing_is_replayed(self):
        """What was under way, what waited behind it, of this client and of more than QEMU takes at once: each is told
        whether it was sent, and the new QEMU has got none of it."""
        slow, clients = self.slow(), [self.client(oob=bool(number % 2)) for number in range(12)]
        clients[0].send_command(slow.name, slow.arguments, id=0)
        slow.wait_reached()
        for number, client in enumerate(clients):
            for turn in range(3):
                client.send_command("blockdev-add", null_node(f"never{number}-{turn}"), id=f"{number}-{turn}")
        self.qemu.kill()
        told = {}
        for number, client in enumerate(clients):
            ids = [client.read_message(30) for _ in range(3 + (number == 0))]
            self.assertEqual([reply["id"] for reply in ids],
                             [0] * (number == 0) + [f"{number}-{turn}" for turn in range(3)])
            for reply in ids:
                self.assertEqual(reply["error"]["class"], "GenericError")
                told.setdefault(reply["error"]["desc"], []).append(reply["id"])
        self.assertEqual(set(told) - {UNKNOWN, UNSENT, AWAY}, set())
        self.assertIn(0, told[UNKNOWN])
        self.assertLessEqual(len(told[UNKNOWN]), 7)
        self.check_away(clients[0])
        clients[0].send_command("blockdev-add", null_node("never while away"), id="away")
        self.assertIn("error", clients[0].read_reply(30))
        self.restart()
        self.check_back(*clients)
        self.assertEqual(self.qemu.nodes(), set())

    def test_who_comes_meanwhile(self):
        """Is greeted once, when QEMU is back, and hears nothing before; who leaves before is forgotten."""
        client = self.client()
        self.qemu.kill()
        self.check_away(client)
        newcomers = [self.enterContext(self.proxy.connect(transport)) for transport in ("unix", "tcp", "unix")]
        newcomers[0].send(b'{"execute": "qmp_capabilities"}{"execute": "query-name", "id": 1}')
        leaving = self.enterContext(self.proxy.connect())
        self.until_count(client, "clients", 5)
        leaving.close()
        self.until_count(client, "clients", 4)
        self.assertFalse(any(newcomer.readable() for newcomer in newcomers))
        self.restart()
        for newcomer in newcomers:
            self.assertIn("QMP", newcomer.read_message(30))
        self.assertEqual(newcomers[0].read_message(30), {"return": {}})
        self.assertEqual(newcomers[0].read_message(30), {"return": {"name": NAME}, "id": 1})
        for newcomer in newcomers[1:]:
            newcomer.command("qmp_capabilities")
        self.check_back(client, *newcomers)

    def test_who_is_negotiating(self):
        """Who was greeted by the one QEMU may negotiate while it is away, and is served by the next."""
        client, greeted = self.client(), self.enterContext(self.proxy.connect())
        greeted.read_message(30)
        self.qemu.kill()
        self.check_away(client)
        greeted.command("qmp_capabilities", enable=["oob"])
        self.check_away(greeted)
        self.restart()
        self.check_back(client, greeted)

    def test_introspection(self):
        """Of the next QEMU, which may be another one."""
        client = self.client()
        self.assertIn({"name": "query-yank"}, client.command("query-commands"))
        self.qemu.kill()
        self.check_away(client)
        self.restart()
        self.until(client, True)
        self.assertIn({"name": "query-yank"}, client.command("query-commands"))
        self.assertGreater(len(client.command("query-qmp-schema")), 1000)

    def test_end(self):
        """The proxy is told to end while QEMU is away, and does."""
        client = self.client()
        self.qemu.kill()
        self.check_away(client)
        self.proxy.process.terminate()
        self.assertEqual(client.read_to_end(30), b"")
        self.assertEqual(self.proxy.wait_exit(), 0)

    def test_names_of_descriptors(self):
        """They went with QEMU: who had one can make it again, and when it leaves the name is free."""
        client, other = self.client(), self.client()
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        client.execute("getfd", {"fdname": "x"}, fds=[ends[0]])
        client.execute("getfd", {"fdname": "y"}, fds=[ends[0]])
        self.qemu.kill()
        self.check_away(client, other)
        self.restart()
        self.until(client, True)
        client.execute("getfd", {"fdname": "x"}, fds=[ends[0]])
        with self.assertRaisesRegex(QmpError, "in use by another client"):
            other.execute("getfd", {"fdname": "x"}, fds=[ends[0]])
        client.close()
        self.until_count(other, "descriptor-names", 0)
        other.execute("getfd", {"fdname": "x"}, fds=[ends[0]])
        other.execute("getfd", {"fdname": "y"}, fds=[ends[0]])

    def test_left_while_away(self):
        """Who leaves while QEMU is away leaves no name behind either."""
        client, other = self.client(), self.client()
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        client.execute("getfd", {"fdname": "x"}, fds=[ends[0]])
        self.qemu.kill()
        self.check_away(other)
        client.close()
        self.until_count(other, "clients", 1)
        self.restart()
        self.until(other, True)
        self.until_count(other, "descriptor-names", 0)
        other.execute("getfd", {"fdname": "x"}, fds=[ends[0]])


class Yank(Case):
    """Our monitor is cut off and QEMU goes on, with what it was asked before."""

    def test_idle(self):
        """Nobody notices, but those who asked in that very moment; and nobody is greeted again."""
        monitor = self.other_monitor()
        clients = [self.client(), self.client("tcp", oob=True)]
        for _ in range(10):
            self.yank(monitor)
            for client in clients:
                self.wait_served(client)
        for name in "cont", "stop":
            clients[0].command(name)
        self.check_served(*clients)
        for client in clients:
            self.assertEqual([event["event"] for event in client.events], ["RESUME", "STOP"])

    def test_by_a_client(self):
        """Out of band and in band: it is answered once, whatever with, and served again."""
        for oob in True, False:
            with self.subTest(oob=oob):
                client = self.client(oob=True)
                client.send_command("yank", OURS, id="yank", oob=oob)
                reply = client.read_reply(30)
                self.assertEqual(reply["id"], "yank")
                if "error" in reply:
                    self.assertEqual(reply["error"]["desc"], UNKNOWN)
                self.wait_served(client)

    def test_old_replies(self):
        """A command goes on in QEMU while its monitor is yanked, again and again. Its reply comes on the connection
        after, and is nobody's; it is counted."""
        monitor, stale = self.other_monitor(), 0
        for rounds in range(5):
            with self.subTest(rounds):
                slow, client, other = self.slow(), self.client(), self.client(oob=True)
                client.send_command(slow.name, slow.arguments, id="slow")
                slow.wait_reached()
                client.send_command("blockdev-add", null_node("never"), id="behind")
                other.send_command("query-name", id="sent")
                other.send_command("query-yank", id="fast", oob=True)
                self.assertEqual(other.read_reply(30)["id"], "fast")
                before = set(held(self.qemu.process))
                self.yank(monitor)
                self.assertEqual(client.read_message(30),
                                 {"id": "slow", "error": {"class": "GenericError", "desc": UNKNOWN}})
                self.assertEqual(client.read_message(30)["id"], "behind")
                self.assertEqual(other.read_message(30)["id"], "sent")
                # QEMU takes the next connection, but as long as it stands still it does not negotiate.
                self.until(client, False)
                while set(held(self.qemu.process)) <= before:
                    self.check_refused(client)
                slow.release()
                now = self.until(client, True)["qemu"]["stale-replies"]
                self.assertIn(now - stale, (0, 1))
                stale = now
                self.check_served(client, other)
                nodes = self.qemu.nodes()
                self.assertIn(slow.node, nodes)
                self.assertNotIn("never", nodes)
        # QEMU drops its reply where it has not quite come to the connection that it has taken.
        self.assertGreater(stale, 1)

    def test_left_meanwhile(self):
        """Names outlive the connection in QEMU. Those of a client that left meanwhile are closed when it is back, those
        of another are still its own. A getfd of which nobody knows whether QEMU came to it leaves nothing when its
        client does."""
        ends = [os.pipe() for _ in range(3)]
        for end in sum(ends, ()):
            self.addCleanup(os.close, end)
        pipes = [identity(end[0]) for end in ends]
        slow, monitor = self.slow(), self.other_monitor()
        leaving, staying, asking, other = (self.client() for _ in range(4))
        leaving.execute("getfd", {"fdname": "x"}, fds=[ends[0][0]])
        staying.execute("getfd", {"fdname": "y"}, fds=[ends[1][0]])
        other.send_command(slow.name, slow.arguments)
        slow.wait_reached()
        asking.send_command("getfd", {"fdname": "z"}, fds=[ends[2][0]])
        self.proxy.wait_status("it to be taken", lambda status: status["descriptor-names"] == 3)
        self.yank(monitor)
        self.assertEqual(asking.read_reply(30)["error"]["desc"], UNKNOWN)
        self.assertEqual(other.read_reply(30)["error"]["desc"], UNKNOWN)
        leaving.close()
        self.until_count(other, "clients", 3)
        slow.release()
        self.until(other, True)
        self.until_count(other, "descriptor-names", 2)
        asking.execute("getfd", {"fdname": "z"}, fds=[ends[2][0]])
        self.assertEqual([held(self.qemu.process).count(pipe) for pipe in pipes], [0, 1, 1])
        asking.close()
        self.until_count(other, "descriptor-names", 1)
        self.assertEqual([held(self.qemu.process).count(pipe) for pipe in pipes], [0, 1, 0])
        with self.assertRaisesRegex(QmpError, "in use by another client"):
            other.execute("getfd", {"fdname": "y"}, fds=[ends[0][0]])
        staying.execute("closefd", {"fdname": "y"})


class Busy(threading.Thread):
    """A client that asks all the time, some one by one, some in one write, and counts what it is told."""

    COMMANDS = (b'{"execute": "query-name", "id": %d}', b'{"execute": "nonsense", "id": %d}',
                b'{"execute": "guest-ping", "id": %d}', b'{"execute": "qga-proxy-status", "id": %d}',
                b'{"execute": "query-commands", "id": %d}', b'{"exec-oob": "query-yank", "id": %d}')

    def __init__(self, qmp, oob):
        super().__init__(daemon=True)
        self.qmp = qmp
        self.oob = oob
        self.stop = threading.Event()
        self.returns = self.asked = 0
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.turn()
        except BaseException as error:
            self.failure = error

    def turn(self):
        """Each is answered once: in band in their order, out of band at any time."""
        numbers = range(self.asked, self.asked + (1, 2, 7, 30)[self.asked % 4])
        self.asked = numbers.stop
        kinds = self.COMMANDS if self.oob else self.COMMANDS[:-1]
        texts = {number: kinds[number % len(kinds)] for number in numbers}
        self.qmp.send(b"".join(text % number for number, text in texts.items()))
        replies = [self.qmp.read_reply(60) for _ in texts]
        for reply in replies:
            self.returns += "return" in reply
            if "error" in reply and reply["error"]["class"] not in ("GenericError", "CommandNotFound"):
                raise AssertionError(reply)
        ids = [reply["id"] for reply in replies]
        in_band = [id for id in ids if b"exec-oob" not in texts[id]]
        if sorted(ids) != list(texts) or in_band != sorted(in_band):
            raise AssertionError(f"{ids}, not {list(texts)}")


class Rounds(Case):
    ROUNDS = 20

    def check_rounds(self, break_off):
        """Four that ask all the time, while something happens so many times; then all are served as at first."""
        clients = [Busy(self.client(transport, oob), oob) for transport in ("unix", "tcp") for oob in (False, True)]
        witness = self.client()
        for client in clients:
            client.start()
        try:
            for _ in range(self.ROUNDS):
                before = [client.asked for client in clients]
                break_off()
                self.wait_served(witness)
                deadline = Deadline(30)
                # All of them go on in each round.
                while any(client.asked < count + 30 and not client.failure
                          for client, count in zip(clients, before, strict=True)):
                    self.wait_served(witness)
                    self.assertTrue(deadline.left(), "they do not go on")
        finally:
            for client in clients:
                client.stop.set()
            for client in clients:
                client.join()
        self.assertEqual([client.failure for client in clients], [None] * 4)
        self.wait_served(witness)
        for client in clients:
            self.assertGreater(client.returns, 0)
            self.check_served(client.qmp)
            self.assertFalse(client.qmp.readable() or client.qmp.buffer)
        self.assertEqual(witness.command("qga-proxy-status")["clients"], 5)

    def test_killed(self):
        def kill():
            self.qemu.kill()
            self.restart()
        self.check_rounds(kill)

    def test_yank(self):
        monitor = self.other_monitor()
        self.check_rounds(lambda: self.yank(monitor))
