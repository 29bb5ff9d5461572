# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors that come beside the bytes of a unix socket (SCM_RIGHTS): QEMU gets the very one that came with a
command, nobody gets another's, and none is left anywhere.

What QEMU and the proxy hold is looked up in /proc, by the inode. Where QEMU itself is at fault a test shows it, to say
what the proxy is there for."""

import os
import resource
import socket
import subprocess
import sys
import threading
import unittest
from pathlib import Path

from bare import Bare, BehindBare
from descriptors import held, identity
from harness import Proxy, Qmp, QmpError
from harness.proxy import free_port

HERE = Path(__file__).resolve().parent

NONE_SUPPLIED = "No file descriptor supplied via SCM_RIGHTS"

# Makes a name in QEMU, says so, and waits to be killed.
VICTIM = """
import os, sys
from harness import Qmp
client = Qmp.connect(sys.argv[1], "the victim").negotiate()
client.execute("getfd", {"fdname": sys.argv[2]}, fds=[int(sys.argv[3])])
print("done", flush=True)
sys.stdin.read()
"""

# What brings a descriptor of no use, to the proxy or behind it.
USELESS = (
    b'{"execute": "guest-ping"}', b'{"execute": "guest-file-open", "arguments": {"path": "/x"}}',
    b'{"execute": "nonsense"}', b'{"execute": "query-name"}', b'{"execute": "qga-proxy-status"}',
    b'{"execute": "qga-proxy-nonsense"}', b'{"execute": "query-commands"}', b'{"execute": "qmp_capabilities"}',
    b'{"execute": 5}', b"[]", b"]", b"\xff", b'{"execute": "closefd", "arguments": {"fdname": "nothing"}}',
    b'{"execute": "getfd"}', b'{"execute": "getfd", "arguments": {"fdname": 5}}',
    b'{"execute": "getfd", "arguments": {"fdname": "1st"}}',
    b'{"execute": "getfd", "arguments": {"fdname": "x", "extra": 1}}',
    b'{"execute": "add-fd", "arguments": {"fdset-id": -1}}', b'{"execute": "add-fd", "arguments": {"fdset-id": "1"}}',
    b'{"execute": "add-fd", "arguments": {"extra": 1}}', b'{"exec-oob": "query-yank"}',
)

# Of these QEMU has not even looked at what came, and keeps it for whoever asks next.
MALFORMED = (b'{"execute": "getfd"}', b'{"execute": "getfd", "arguments": {"fdname": 5}}',
             b'{"execute": "getfd", "arguments": {"fdname": "x", "extra": 1}}',
             b'{"execute": "add-fd", "arguments": {"fdset-id": "1"}}')


class Case(BehindBare, unittest.TestCase):
    def pipe(self):
        """Both ends, which have one inode: the reading end to be sent, and the writing end."""
        ends = os.pipe()
        for end in ends:
            self.addCleanup(os.close, end)
        return ends

    def in_qemu(self, descriptor):
        return held(self.qemu.process).count(identity(descriptor))

    def ask(self, client, text, fds=()):
        client.send(text if isinstance(text, bytes) else text.encode(), fds)
        return client.read_reply(30)

    def check_none_supplied(self, client, name="getfd"):
        with self.assertRaises(QmpError) as raised:
            client.execute(name, {"fdname": "stolen"} if name == "getfd" else {})
        self.assertEqual(raised.exception.error_class, "GenericError")
        self.assertIn(NONE_SUPPLIED, raised.exception.desc)


class OfQemu(Case):
    """What QEMU does, which is one client at a time for a monitor."""

    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare(1))

    def setUp(self):
        self.client = self.enterContext(Qmp.connect(self.qemu.monitors[0], "QEMU itself")).negotiate()

    def test_left_over(self):
        """At fault: what came with another command is given to the next getfd."""
        for text in b'{"execute": "query-name"}', *MALFORMED:
            with self.subTest(text):
                sent, _ = self.pipe()
                self.ask(self.client, text, [sent])
                self.assertEqual(self.in_qemu(sent), 1)
                self.client.execute("getfd", {"fdname": "stolen"})
                self.assertEqual(self.in_qemu(sent), 1)
                self.client.execute("closefd", {"fdname": "stolen"})
                self.assertEqual(self.in_qemu(sent), 0)
                self.check_none_supplied(self.client)

    def test_two_in_one_message(self):
        """The first is taken, and the second is closed."""
        (first, _), (second, _) = self.pipe(), self.pipe()
        self.client.execute("getfd", {"fdname": "x"}, fds=[first, second])
        self.assertEqual((self.in_qemu(first), self.in_qemu(second)), (1, 0))
        self.check_none_supplied(self.client)
        self.client.execute("closefd", {"fdname": "x"})

    def test_names_outlive_their_client(self):
        """At fault: a name stays when its client has gone, and the next one to that socket closes it."""
        sent, _ = self.pipe()
        self.client.execute("getfd", {"fdname": "x"}, fds=[sent])
        self.client.close()
        with Qmp.connect(self.qemu.monitors[0], "the next client") as following:
            following.negotiate()
            self.assertEqual(self.in_qemu(sent), 1)
            following.execute("closefd", {"fdname": "x"})
            self.assertEqual(self.in_qemu(sent), 0)


class OfProxy(Case):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare(0))
        cls.proxy = cls.enterClassContext(Proxy(cls.qemu))

    def setUp(self):
        """At the end of each test, when its clients have gone, QEMU and the proxy hold what they held before."""
        self.addCleanup(self.wait_as_before, self.count(), self.count_in_qemu())
        self.client = self.client_with()

    def client_with(self, oob=False, transport="unix"):
        client = self.proxy.client(transport, oob=oob)
        self.addCleanup(client.close)
        return client

    def count(self):
        """Descriptors of the proxy while one client is connected, which asks for its status."""
        counts = []
        self.proxy.wait_status("the others to leave", lambda status: status["clients"] == 1 and (
            counts.append(len(held(self.proxy.process))) or True))
        return counts[0]

    def count_in_qemu(self):
        return sum(what.startswith(("pipe:", "socket:")) for what in held(self.qemu.process))

    def wait_as_before(self, count, count_in_qemu):
        self.proxy.wait_status(
            f"{count} descriptors in the proxy and {count_in_qemu} in QEMU",
            lambda status: status["clients"] == 1 and status["descriptor-names"] == 0 and
            len(held(self.proxy.process)) == count and self.count_in_qemu() == count_in_qemu)

    def dropped(self):
        return self.proxy.status()["dropped-descriptors"]

    def getfd(self, client, name, descriptor):
        client.execute("getfd", {"fdname": name}, fds=[descriptor])

    # To QEMU

    def test_that_very_one(self):
        """A pipe, a socket, a file, with oob and without: QEMU has it once, the proxy has it no more, and closefd rids
        QEMU of it."""
        sockets = socket.socketpair()
        file = os.open(self.qemu.directory / "file", os.O_CREAT | os.O_RDWR)
        self.addCleanup(os.close, file)
        for end in sockets:
            self.addCleanup(end.close)
        for oob in False, True:
            client = self.client_with(oob)
            for sent in self.pipe()[0], sockets[0].fileno(), file:
                with self.subTest(oob=oob, sent=identity(sent)):
                    self.getfd(client, "x", sent)
                    self.assertEqual(self.in_qemu(sent), 1)
                    self.assertNotIn(identity(sent), held(self.proxy.process))
                    self.assertEqual(self.proxy.status()["descriptor-names"], 1)
                    client.execute("closefd", {"fdname": "x"})
                    self.assertEqual(self.in_qemu(sent), 0)
                    self.assertEqual(self.proxy.status()["descriptor-names"], 0)

    def test_used_by_its_name(self):
        """A chardev is made of a socket that was sent: it is the other end of ours, and ends with the chardev."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        with theirs:
            self.getfd(self.client, "line", theirs.fileno())
        ours.settimeout(30)
        self.client.execute("chardev-add", {"id": "made", "backend": {"type": "socket", "data": {
            "addr": {"type": "fd", "data": {"str": "line"}}, "server": False}}})
        self.client.execute("chardev-remove", {"id": "made"})
        self.assertEqual(ours.recv(1), b"")

    def test_pipelined(self):
        """Each its own, of several commands that are sent in one go before an answer is read, with others right before
        and behind it."""
        for oob in False, True:
            with self.subTest(oob=oob):
                client, sent = self.client_with(oob), [self.pipe()[0] for _ in range(6)]
                for number, descriptor in enumerate(sent):
                    client.send(b'{"execute": "query-name", "id": "between"}')
                    client.send(b'{"execute": "getfd", "arguments": {"fdname": "name%d"}, "id": %d}' % (number, number),
                                [descriptor])
                    client.send(b'{"execute": "nonsense"}]{"execute": "guest-ping"}')
                replies = [client.read_reply(30) for _ in range(5 * len(sent))]
                self.assertEqual([reply["id"] for reply in replies if reply.get("return") == {}],
                                 list(range(len(sent))))
                for number, descriptor in enumerate(sent):
                    self.assertEqual(self.in_qemu(descriptor), 1)
                    client.execute("closefd", {"fdname": f"name{number}"})
                    self.assertEqual(self.in_qemu(descriptor), 0)

    def test_behind_a_slow_command(self):
        """All of them wait in the socket or in the proxy, while QEMU stands still."""
        for oob in False, True:
            with self.subTest(oob=oob):
                slow = self.slow()
                client, sent = self.client_with(oob), [self.pipe()[0] for _ in range(5)]
                client.send_command(slow.name, slow.arguments)
                slow.wait_reached()
                for number, descriptor in enumerate(sent):
                    client.send_command("getfd", {"fdname": f"name{number}"}, id=number, fds=[descriptor])
                self.assertEqual(sum(map(self.in_qemu, sent)), 0)
                slow.release()
                self.assertEqual(client.read_reply(30), {"return": {}})
                for number in range(len(sent)):
                    self.assertEqual(client.read_reply(30), {"return": {}, "id": number})
                for number, descriptor in enumerate(sent):
                    self.assertEqual(self.in_qemu(descriptor), 1)
                    client.execute("closefd", {"fdname": f"name{number}"})
                    self.assertEqual(self.in_qemu(descriptor), 0)
                client.execute("blockdev-del", {"node-name": slow.node})

    TEXT = b'{"execute": "getfd", "arguments": {"fdname": "x"}, "id": 1}'

    def test_in_two_pieces(self):
        """Cut at each byte, the descriptor with the first piece or with the second."""
        for oob in False, True:
            client = self.client_with(oob)
            for cut in range(1, len(self.TEXT)):
                for first in True, False:
                    with self.subTest(oob=oob, cut=cut, first=first):
                        sent, _ = self.pipe()
                        client.send(self.TEXT[:cut], [sent] if first else [])
                        self.assertEqual(self.ask(client, self.TEXT[cut:], [] if first else [sent]),
                                         {"return": {}, "id": 1})
                        self.assertEqual(self.in_qemu(sent), 1)
                        client.execute("closefd", {"fdname": "x"})

    def test_byte_by_byte(self):
        """With each byte another: the last one is it, and none of the others is anywhere."""
        sent = [self.pipe()[0] for _ in self.TEXT]
        for byte, descriptor in zip(self.TEXT, sent, strict=True):
            self.client.send(bytes([byte]), [descriptor])
        self.assertEqual(self.client.read_reply(30), {"return": {}, "id": 1})
        self.assertEqual([self.in_qemu(descriptor) for descriptor in sent], [0] * (len(sent) - 1) + [1])

    def test_with_a_blank(self):
        """QEMU's own Python library sends a blank with it, and the command after that."""
        sent, _ = self.pipe()
        self.client.send(b" ", [sent])
        self.client.execute("getfd", {"fdname": "x"})
        self.assertEqual(self.in_qemu(sent), 1)

    def test_two_in_one_message(self):
        """As in QEMU, the first is taken; the second is counted, and nobody's."""
        (first, _), (second, _) = self.pipe(), self.pipe()
        before = self.dropped()
        self.client.execute("getfd", {"fdname": "x"}, fds=[first, second])
        self.assertEqual((self.in_qemu(first), self.in_qemu(second)), (1, 0))
        self.assertNotIn(identity(second), held(self.proxy.process))
        self.assertEqual(self.dropped(), before + 1)
        self.check_none_supplied(self.client)

    def test_many_clients_at_once(self):
        """Eight at a time, each with pipes of its own: QEMU has exactly that one when getfd is answered."""
        failures = []

        def work(number):
            try:
                with self.proxy.client(oob=number % 2 == 1) as client:
                    for _ in range(40):
                        ends = os.pipe()
                        try:
                            self.getfd(client, f"of {number}", ends[0])
                            before = self.in_qemu(ends[0])
                            client.execute("closefd", {"fdname": f"of {number}"})
                            if (before, self.in_qemu(ends[0])) != (1, 0):
                                raise AssertionError(f"held {before} times, then {self.in_qemu(ends[0])}")
                        finally:
                            for end in ends:
                                os.close(end)
            except BaseException as error:
                failures.append((number, error))

        threads = [threading.Thread(target=work, args=[number], daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    # Sets

    def test_sets(self):
        """A set is made by one client, seen by another, and used by it as a disk: what is written there is in the file
        that was sent."""
        path = self.qemu.directory / "disk"
        path.write_bytes(b"\0" * 1024 * 1024)
        file = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, file)
        added = self.client.execute("add-fd", {"fdset-id": 7, "opaque": "the disk"}, fds=[file])
        self.assertEqual(added["fdset-id"], 7)
        self.assertEqual(identity(added["fd"], self.qemu.process.pid), str(path))
        other = self.client_with(oob=True)
        self.assertEqual(other.command("query-fdsets"),
                         [{"fdset-id": 7, "fds": [{"fd": added["fd"], "opaque": "the disk"}]}])
        other.command("blockdev-add", driver="file", node_name="disk", filename="/dev/fdset/7")
        other.hmp('qemu-io disk "write -P 0x5a 4096 512"')
        other.command("blockdev-del", node_name="disk")
        self.assertEqual(path.read_bytes(), b"\0" * 4096 + b"\x5a" * 512 + b"\0" * (1024 * 1024 - 4608))
        # QEMU closes them only while the machine runs.
        other.command("cont")
        other.execute("remove-fd", {"fdset-id": 7})
        self.assertNotIn(str(path), held(self.qemu.process))
        other.command("stop")

    # Left over

    def test_left_over(self):
        """Better than QEMU: what came with another command is nobody's, for the same client as for another one."""
        for text in USELESS:
            with self.subTest(text):
                sent, _ = self.pipe()
                alice, bob = self.client_with(oob=True), self.client_with()
                alice.send(text + b' {"execute": "query-name", "id": "behind"}', [sent])
                while alice.read_reply(30).get("id") != "behind":
                    pass
                self.assertEqual(self.in_qemu(sent), 0)
                for client in bob, alice:
                    for name in "getfd", "add-fd":
                        self.check_none_supplied(client, name)
                self.assertNotIn(identity(sent), held(self.proxy.process))

    def test_useless(self):
        """A thousand of each sort, before negotiation and after: each is closed and counted."""
        sent, _ = self.pipe()
        before, rounds = self.dropped(), 1000
        with self.proxy.connect() as stranger:
            stranger.read_message(30)
            for _ in range(rounds):
                self.assertIn("error", self.ask(stranger, self.TEXT, [sent]))
        for number in range(rounds):
            self.client.send(USELESS[number % len(USELESS)] + b'{"execute": "nonsense", "id": "behind"}', [sent])
            while self.client.read_reply(30).get("id") != "behind":
                pass
        self.assertEqual(self.in_qemu(sent), 0)
        self.assertNotIn(identity(sent), held(self.proxy.process))
        # A few of them are looked at by QEMU, which closes them.
        taken = sum(b'"1st"' in USELESS[number % len(USELESS)] or b'"fdset-id": -1' in USELESS[number % len(USELESS)]
                    for number in range(rounds))
        self.assertEqual(self.dropped(), before + 2 * rounds - taken)

    # Names

    def check_in_use(self, client, name, descriptor):
        with self.assertRaises(QmpError) as raised:
            self.getfd(client, name, descriptor)
        self.assertEqual(raised.exception.error_class, "GenericError")
        self.assertIn(f"'{name}' is in use by another client", raised.exception.desc)

    def test_names_have_an_owner(self):
        """Another client can neither replace nor close what a name stands for; its owner can do both."""
        (first, _), (second, _), (third, _) = self.pipe(), self.pipe(), self.pipe()
        other = self.client_with()
        self.getfd(self.client, "x", first)
        self.check_in_use(other, "x", second)
        with self.assertRaisesRegex(QmpError, "File descriptor named 'x' not found"):
            other.execute("closefd", {"fdname": "x"})
        self.assertEqual((self.in_qemu(first), self.in_qemu(second)), (1, 0))
        self.getfd(self.client, "x", third)
        self.assertEqual((self.in_qemu(first), self.in_qemu(third)), (0, 1))
        self.client.execute("closefd", {"fdname": "x"})
        self.getfd(other, "x", second)
        self.assertEqual((self.in_qemu(second), self.in_qemu(third)), (1, 0))

    def test_names_written_otherwise(self):
        """An escape is the character, also where it is U+0000: one name is not mistaken for another."""
        other, sent = self.client_with(), self.pipe()[0]
        for name, same, another in (b"a", b"\\u0061", b"A"), (b"b\\u0000c", b"b\xc0\x80c", b"b"):
            with self.subTest(name):
                request = b'{"execute": "getfd", "arguments": {"fdname": "%s"}}'
                self.assertEqual(self.ask(self.client, request % name, [sent]), {"return": {}})
                self.assertIn("in use by another", self.ask(other, request % same, [sent])["error"]["desc"])
                self.assertEqual(self.ask(other, request % another, [sent]), {"return": {}})

    def test_owner_leaves(self):
        """What it had named is closed in QEMU, and the name is free; the names of who stays remain."""
        (first, _), (second, _), (third, _) = self.pipe(), self.pipe(), self.pipe()
        other = self.client_with(oob=True)
        self.getfd(self.client, "x", first)
        self.getfd(self.client, "y", first)
        self.getfd(other, "z", second)
        self.client.close()
        self.proxy.wait_status("one name", lambda status: status["descriptor-names"] == 1)
        self.assertEqual((self.in_qemu(first), self.in_qemu(second)), (0, 1))
        self.getfd(other, "x", third)
        self.assertEqual(self.in_qemu(third), 1)

    def test_owner_is_killed(self):
        sent, _ = self.pipe()
        victim = subprocess.Popen([sys.executable, "-c", VICTIM, self.proxy.unix, "x", str(sent)], cwd=HERE,
                                  pass_fds=[sent], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(victim.wait)
        self.addCleanup(victim.kill)
        self.enterContext(victim.stdin)
        self.assertEqual(self.enterContext(victim.stdout).readline(), b"done\n")
        self.assertEqual(self.in_qemu(sent), 1)
        self.check_in_use(self.client, "x", sent)
        victim.kill()
        self.proxy.wait_status("no name", lambda status: status["descriptor-names"] == 0)
        self.assertEqual(self.in_qemu(sent), 0)
        self.getfd(self.client, "x", sent)

    def test_owner_leaves_too_early(self):
        """Its getfd has reached QEMU and is not answered; another of it was not sent. Neither stays."""
        slow = self.slow()
        alice, bob = self.client_with(), self.client_with()
        (first, _), (second, _) = self.pipe(), self.pipe()
        self.client.send_command(slow.name, slow.arguments)
        slow.wait_reached()
        alice.send_command("getfd", {"fdname": "x"}, fds=[first])
        bob.send_command("getfd", {"fdname": "y"}, fds=[second])
        self.proxy.wait_status("both to be taken", lambda status: status["descriptor-names"] == 2)
        alice.close()
        bob.close()
        self.proxy.wait_status("them to leave", lambda status: status["clients"] == 2)
        slow.release()
        self.assertEqual(self.client.read_reply(30), {"return": {}})
        self.proxy.wait_status("no name", lambda status: status["descriptor-names"] == 0)
        self.assertEqual((self.in_qemu(first), self.in_qemu(second)), (0, 0))
        self.client.execute("blockdev-del", {"node-name": slow.node})

    def test_too_many_names(self):
        """256 for a client, and then a clear error; another client still has its own."""
        sent, _ = self.pipe()
        for number in range(256):
            self.getfd(self.client, f"name{number}", sent)
        self.assertEqual(self.in_qemu(sent), 256)
        with self.assertRaisesRegex(QmpError, "may hold 256 named file descriptors at most"):
            self.getfd(self.client, "one more", sent)
        self.getfd(self.client_with(), "one more", sent)
        self.assertEqual(self.in_qemu(sent), 257)
        self.client.execute("closefd", {"fdname": "name0"})
        self.getfd(self.client, "another", sent)

    def test_long_names(self):
        sent, _ = self.pipe()
        self.getfd(self.client, "x" * 256, sent)
        with self.assertRaisesRegex(QmpError, "'fdname' has 257 bytes, at most 256"):
            self.getfd(self.client, "x" * 257, sent)

    # Where none can come

    def test_tcp(self):
        """A client over TCP is told what would be needed, and goes on."""
        client = self.client_with(transport="tcp")
        for name, arguments in ("getfd", {"fdname": "x"}), ("add-fd", {}):
            with self.assertRaises(QmpError) as raised:
                client.execute(name, arguments)
            self.assertEqual((raised.exception.error_class, raised.exception.desc),
                             ("GenericError", NONE_SUPPLIED + ", which needs a client on a unix socket"))
        self.assertIn("name", client.command("query-name"))

    # Floods

    FLOODS = (b"x", b" ", b"]", b'{"execute": "nonsense"}', b'{"execute": "guest-ping"}',
              b'{"execute": "getfd", "arguments": {"fdname": "no", "a": 1}}')

    def flood(self, client, piece, stop, sent):
        """Sends until it is told to stop, and does not read. An answer more does not matter."""
        client.send(b'{"execute": "query-name", "id": "' if piece == b"x" else b" ")
        client.sock.settimeout(0.1)
        while not stop.is_set():
            try:
                socket.send_fds(client.sock, [piece], [sent])
            except TimeoutError:
                pass
            except OSError:
                return

    def test_flood(self):
        """Whoever sends them as fast as they go, with a command that never ends, between commands, with useless ones,
        holds none of the proxy's few: a new client comes in, and passes one of its own."""
        sent, _ = self.pipe()
        limits = resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE, (64, limits[1]))
        self.addCleanup(resource.prlimit, self.proxy.process.pid, resource.RLIMIT_NOFILE, limits)
        for piece in self.FLOODS:
            with self.subTest(piece):
                stop, before = threading.Event(), self.dropped()
                flooders = [self.client_with(oob) for oob in (False, True)]
                threads = [threading.Thread(target=self.flood, args=[client, piece, stop, sent], daemon=True)
                           for client in flooders]
                for thread in threads:
                    thread.start()
                try:
                    self.proxy.wait_status("a flood", lambda status: status["dropped-descriptors"] > before + 30)
                    own, _ = self.pipe()
                    for _ in range(20):
                        with self.proxy.client() as client:
                            self.getfd(client, "x", own)
                            self.assertEqual(self.in_qemu(own), 1)
                            client.execute("closefd", {"fdname": "x"})
                        # Those two, with up to eight commands ahead, and the listeners and this client.
                        self.assertLess(len(held(self.proxy.process)), 48)
                finally:
                    stop.set()
                    for thread in threads:
                        thread.join()
                    for client in flooders:
                        client.close()

    def test_no_descriptor_left(self):
        """Where the proxy has no number free, what comes is refused with QEMU's words, and it goes on afterwards."""
        sent, _ = self.pipe()
        limits = resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE)
        # Numbers are given from the lowest on, so that the highest in use and all below count.
        numbers = {int(number) for number in os.listdir(f"/proc/{self.proxy.process.pid}/fd")}
        free = min(set(range(len(numbers) + 1)) - numbers)
        resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        self.addCleanup(resource.prlimit, self.proxy.process.pid, resource.RLIMIT_NOFILE, limits)
        with self.assertRaisesRegex(QmpError, NONE_SUPPLIED):
            self.getfd(self.client, "x", sent)
        self.assertIn("name", self.client.command("query-name"))
        resource.prlimit(self.proxy.process.pid, resource.RLIMIT_NOFILE, limits)
        self.getfd(self.client, "x", sent)
        self.assertEqual(self.in_qemu(sent), 1)


class MonitorOnTcp(Case):
    """QEMU's own monitor is where no descriptor can go."""

    def setUp(self):
        port = free_port()
        self.qemu = self.enterContext(Bare(0, ["-qmp", f"tcp:localhost:{port},server=on,wait=off"]))
        self.proxy = self.enterContext(Proxy(self.qemu, monitor=f"tcp:localhost:{port}"))

    def test_clear_error(self):
        sent, _ = self.pipe()
        with self.proxy.client() as client:
            for _ in range(3):
                for name, arguments in ("getfd", {"fdname": "x"}), ("add-fd", {}):
                    with self.assertRaises(QmpError) as raised:
                        client.execute(name, arguments, fds=[sent])
                    self.assertEqual(raised.exception.error_class, "GenericError")
                    self.assertIn("QEMU's monitor is no unix socket", raised.exception.desc)
                    self.assertIn("was not sent", raised.exception.desc)
            self.assertNotIn(identity(sent), held(self.proxy.process))
            status = client.command("qga-proxy-status")
            self.assertEqual(status["descriptor-names"], 0)
            self.assertIn("name", client.command("query-name"))
