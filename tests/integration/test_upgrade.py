# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon is upgraded while it works: on a signal it starts its program anew in the same process, or it leaves
everything with the service manager and another process carries on. Nobody who is connected can tell."""

import os
import signal
import socket
import threading
import time
import unittest
from pathlib import Path

from bare import NAME, Bare, BehindBare, listening_socket
from harness import AgentChannel, Deadline, Guest, Proxy, Qmp, program
from harness.proxy import PROXYD
from running_program import RunningProgram
from service_manager import Manager

CLIENTS = 1000


def upgrade(proxy):
    """Returns when it has become its successor."""
    former = RunningProgram(proxy.process.pid)
    os.kill(proxy.process.pid, signal.SIGUSR2)
    proxy.wait_until(former.replaced, "the upgrade")


class Commands(unittest.TestCase, BehindBare):
    def setUp(self):
        self.qemu = self.enterContext(Bare())
        self.proxy = self.enterContext(Proxy(self.qemu))

    def test_many_in_flight(self):
        """A thousand clients with a command each that waits in the proxy or in QEMU: none is lost, none is doubled,
        none is answered to another."""
        slow = self.slow()
        blocker = self.enterContext(self.proxy.client())
        clients = [self.enterContext(self.proxy.client()) for _ in range(CLIENTS - 1)]
        blocker.send_command(slow.name, slow.arguments, id="slow")
        slow.wait_reached()
        for number, client in enumerate(clients):
            client.send_command("query-name", id=number)
        upgrade(self.proxy)
        slow.release()
        self.assertEqual(blocker.read_reply(60), {"return": {}, "id": "slow"})
        for number, client in enumerate(clients):
            self.assertEqual(client.read_reply(60), {"return": {"name": NAME}, "id": number})
        for client in clients:
            client.send_command("query-name", id="last")
        for client in clients:
            self.assertEqual(client.read_reply(60), {"return": {"name": NAME}, "id": "last"})
        self.assertEqual(len(self.qemu.nodes() & {slow.node}), 1)

    def test_under_load(self):
        """Twenty upgrades while eight clients ask as fast as they can: each has all its answers, in order."""
        done = threading.Event()
        failures, counts = [], [0] * 8

        def ask(number):
            try:
                with self.proxy.client("tcp" if number % 2 else "unix") as client:
                    while not done.is_set():
                        counts[number] += 1
                        client.send_command("query-name", id=[number, counts[number]])
                        reply = client.read_reply(30)
                        if reply != {"return": {"name": NAME}, "id": [number, counts[number]]}:
                            raise AssertionError(reply)
            except Exception as error:  # of another thread; told below
                failures.append(repr(error))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(counts))]
        for thread in threads:
            thread.start()
        for _ in range(20):
            upgrade(self.proxy)
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertGreater(min(counts), 20)

    def test_nobody_is_told(self):
        """No event, no question to QEMU, no connection: a client that reads everything sees nothing."""
        with self.proxy.client() as client:
            before = self.proxy.status()["clients"]
            for _ in range(3):
                upgrade(self.proxy)
            self.assertEqual(client.command("query-name"), {"name": NAME})
            self.assertEqual(self.proxy.status()["clients"], before)
            self.assertFalse(client.readable())

    def test_descriptors_do_not_pile_up(self):
        """After many upgrades as many are open as before."""
        with self.proxy.client() as client:
            upgrade(self.proxy)
            client.command("query-name")
            folder = Path(f"/proc/{self.proxy.process.pid}/fd")
            before = len(list(folder.iterdir()))
            for _ in range(10):
                upgrade(self.proxy)
            client.command("query-name")
            self.assertEqual(len(list(folder.iterdir())), before)

    def test_ends_as_before(self):
        """What the successor has taken over goes with it: the path of its socket, the connections."""
        client = self.enterContext(self.proxy.client())
        upgrade(self.proxy)
        client.command("query-name")
        self.proxy.process.terminate()
        self.assertEqual(self.proxy.wait_exit(), 0)
        client.read_rest(30)
        self.assertFalse(Path(self.proxy.unix).exists())

    def test_late_comers(self):
        """Who connects while nobody accepts is greeted by the successor."""
        os.kill(self.proxy.process.pid, signal.SIGSTOP)
        waiting = Qmp.connect(self.proxy.unix, "a late comer")
        os.kill(self.proxy.process.pid, signal.SIGUSR2)
        os.kill(self.proxy.process.pid, signal.SIGCONT)
        with waiting.negotiate() as client:
            self.assertEqual(client.command("query-name"), {"name": NAME})


class Broken(unittest.TestCase, BehindBare):
    def test_program_does_not_run(self):
        """What has taken the program's place cannot be run, or ends at once as for want of a library: that is logged,
        and all goes on."""
        self.qemu = self.enterContext(Bare())
        copy = self.qemu.directory / "qga-proxyd"
        real = program(PROXYD)
        copy.symlink_to(real)
        with Proxy(self.qemu, binary=str(copy)) as proxy, proxy.client() as client:
            log = self.qemu.directory / "qga-proxyd.log"
            for count, mode in enumerate((0o644, 0o755), 1):
                copy.unlink()
                copy.write_text("#!/bin/sh\nexit 127\n")
                copy.chmod(mode)
                os.kill(proxy.process.pid, signal.SIGUSR2)
                proxy.wait_until(lambda: log.read_text().count("no upgrade") >= count, "the failure to be logged")
                self.check_served(client)
            copy.unlink()
            copy.symlink_to(real)
            upgrade(proxy)
            self.check_served(client)


class Addresses(unittest.TestCase):
    def test_two_ports_of_the_kernel(self):
        """Two listeners with the same words in their addresses have each its own socket still."""
        def ports():
            with open(f"/proc/{proxy.process.pid}/net/tcp") as file:
                lines = [line.split() for line in file][1:]
            sockets = {os.readlink(path) for path in Path(f"/proc/{proxy.process.pid}/fd").iterdir()}
            return sorted(int(line[1].partition(":")[2], 16) for line in lines
                          if line[3] == "0A" and f"socket:[{line[9]}]" in sockets)

        any_port = ["--listen", "tcp:127.0.0.1:0"]
        with Proxy(self.enterContext(Bare()), arguments=any_port * 2) as proxy:
            before = ports()
            upgrade(proxy)
            with proxy.client() as client:
                client.command("query-name")
            self.assertEqual(ports(), before)
            self.assertEqual(len(set(before)), 3)

    def test_dialled_and_inherited(self):
        """Clients that are dialled, or came as a descriptor, are served on, and the one that is to be dialled again is;
        QEMU's monitor, which came as a descriptor, is the same, and its end is the daemon's."""
        qemu = self.enterContext(Bare())
        place = str(qemu.directory / "client.sock")
        listener = self.enterContext(listening_socket(place))
        ours, theirs = socket.socketpair()
        monitor = socket.socket(socket.AF_UNIX)
        monitor.connect(qemu.qmp_path)
        with theirs, monitor:
            proxy = self.enterContext(Proxy(
                qemu, monitor=f"fd:{monitor.fileno()}", pass_fds=[monitor.fileno(), theirs.fileno()],
                arguments=["--listen", f"fd:{theirs.fileno()},server=off", "--qmp", f"unix:{qemu.monitors[0]}",
                           "--listen", f"unix:{place},server=off,reconnect=1"]))
        inherited = self.enterContext(Qmp(ours, "inherited").negotiate())
        dialled = Qmp(listener.accept()[0], "dialled").negotiate()
        clients = [self.enterContext(proxy.client()) for _ in range(4)]
        for _ in range(3):
            upgrade(proxy)
            for client in (inherited, dialled, *clients):
                self.assertEqual(client.command("query-name"), {"name": NAME})
            dialled.close()
            dialled = Qmp(listener.accept()[0], "dialled").negotiate()
        upgrade(proxy)
        self.assertEqual(proxy.status()["qemu"]["monitors-connected"], 2)
        qemu.qmp.execute("quit")
        self.assertEqual(proxy.wait_exit(), 0)


class Signals(unittest.TestCase):
    def setUp(self):
        self.qemu = self.enterContext(Bare())

    def check_ends(self, send):
        with Proxy(self.qemu) as proxy, proxy.client():
            send(proxy.process.pid)
            self.assertEqual(proxy.wait_exit(), 0)
            self.assertFalse(Path(proxy.unix).exists())

    def test_end_and_upgrade_together(self):
        """Both wait when the daemon looks: it ends."""
        def send(pid):
            os.kill(pid, signal.SIGSTOP)
            os.kill(pid, signal.SIGUSR2)
            os.kill(pid, signal.SIGTERM)
            os.kill(pid, signal.SIGCONT)

        for _ in range(5):
            self.check_ends(send)

    def test_end_while_it_is_upgraded(self):
        """At each moment of an upgrade: the daemon or its successor ends as ever, and leaves no path behind."""
        for milliseconds in range(20):
            def send(pid, seconds=milliseconds / 2000):
                os.kill(pid, signal.SIGUSR2)
                time.sleep(seconds)
                os.kill(pid, signal.SIGTERM)

            with self.subTest(milliseconds / 2):
                self.check_ends(send)


class FewDescriptors(unittest.TestCase):
    LIMIT = 80

    def test_each_number_of_clients(self):
        """An upgrade takes a second descriptor of each: with one client more each time it fails at some number, and
        nobody is cut off there, nor just in front of it."""
        qemu = self.enterContext(Bare())
        proxy = self.enterContext(Proxy(qemu, launcher=["prlimit", f"--nofile={self.LIMIT}:{self.LIMIT}", "--"]))
        log = qemu.directory / "qga-proxyd.log"
        clients, refused = [], 0
        while refused < 5:
            clients.append(self.enterContext(proxy.client()))
            former = RunningProgram(proxy.process.pid)
            os.kill(proxy.process.pid, signal.SIGUSR2)
            proxy.wait_until(lambda: former.replaced() or log.read_text().count("no upgrade") != refused,
                             "the upgrade or its failure")
            refused = log.read_text().count("no upgrade")
            for client in clients:
                self.assertEqual(client.command("query-name"), {"name": NAME})
        self.assertGreater(len(clients), self.LIMIT / 4)


class InGuest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest("qga-agent", "virtio-serial"))

    def setUp(self):
        self.raw = str(self.guest.directory / "raw.sock")
        self.records = self.guest.directory / "records"
        self.records.mkdir(exist_ok=True)
        self.proxy = self.enterContext(Proxy(self.guest, arguments=["--agent-listen", f"unix:{self.raw}",
                                                                    "--state-dir", str(self.records)]))
        self.addCleanup(lambda: Path(self.raw).unlink(missing_ok=True))
        self.proxy.wait_agent()

    def test_command_in_the_guest(self):
        """A command that the agent has, and one that waits behind it, are answered; the agent is not asked again."""
        with self.proxy.client() as first, self.proxy.client() as second, \
                AgentChannel.connect(self.raw, "a raw client") as raw:
            raw.sync()
            with self.guest.stopped_agent():
                first.send_command("guest-sync", {"id": 1}, id="first")
                self.proxy.wait_agent_running("guest-sync")
                second.send_command("guest-sync", {"id": 2}, id="second")
                raw.send(b'{"execute":"guest-ping","id":3}')
                upgrade(self.proxy)
            self.assertEqual(first.read_reply(30), {"return": 1, "id": "first"})
            self.assertEqual(second.read_reply(30), {"return": 2, "id": "second"})
            self.assertEqual(raw.read_message(30), {"return": {}, "id": 3})
            self.assertEqual(self.proxy.status()["agent"]["syncs"], 0)

    def test_frozen(self):
        """A freeze keeps its owner over an upgrade, and ends with it."""
        with self.proxy.client() as owner:
            owner.execute("qga-proxy-session-set", {"thaw-on-disconnect": True})
            self.assertGreater(owner.execute("guest-fsfreeze-freeze", timeout=60), 0)
            before = self.proxy.status()["freeze"]
            upgrade(self.proxy)
            after = self.proxy.status()["freeze"]
            self.assertEqual((after["by"], after["since"], after["state"]), (before["by"], before["since"], "frozen"))
            self.assertLessEqual(after["lease"], before["lease"])
        self.proxy.wait_status("thawed", lambda status: status["freeze"]["state"] == "thawed")
        self.wait_erased()

    def wait_erased(self):
        """Else the next proxy finds a freeze on record, and thaws."""
        self.proxy.wait_until(lambda: not list(self.records.iterdir()), "the record to be erased")

    def test_frozen_on_record(self):
        """What is on record is a freeze that goes on, and not one that a killed proxy has left: it is not thawed."""
        with self.proxy.client() as owner:
            owner.send_command("guest-fsfreeze-freeze")
            upgrade(self.proxy)
            self.assertGreater(owner.read_reply(60)["return"], 0)
            for _ in range(2):
                upgrade(self.proxy)
                self.assertEqual(self.proxy.status()["freeze"]["state"], "frozen")
                self.assertEqual(len(list(self.records.iterdir())), 1)
            self.assertGreater(owner.execute("guest-fsfreeze-thaw", timeout=60), 0)
            upgrade(self.proxy)
            self.assertEqual(self.proxy.status()["freeze"]["thaws"], 0)
            self.wait_erased()

    def test_large_reply(self):
        """A reply of megabytes is handed over in the middle, again and again."""
        with self.proxy.client() as client:
            handle = client.execute("guest-file-open", {"path": "/dev/zero", "mode": "r"})
            client.send_command("guest-file-read", {"handle": handle, "count": 8 * 1024 * 1024}, id=1)
            for _ in range(5):
                upgrade(self.proxy)
            reply = client.read_reply(120)
            self.assertEqual(reply["return"]["count"], 8 * 1024 * 1024)
            client.execute("guest-file-close", {"handle": handle})


class Stored(unittest.TestCase):
    def test_restart_of_the_service(self):
        """The service is stopped with commands under way and started again; the manager keeps nothing after that."""
        qemu = self.enterContext(Bare())
        manager = Manager(qemu.directory)
        self.addCleanup(manager.close)
        path = str(qemu.directory / "proxy.sock")
        command = [program(PROXYD), "--qmp", f"unix:{qemu.qmp_path}", "--listen", f"unix:{path}", "--fd-store"]
        log = self.enterContext(open(qemu.directory / "qga-proxyd.log", "ab"))
        slow = qemu.slow_command()
        self.addCleanup(slow.give_up)

        first = manager.start(command, log)
        manager.serve(lambda lines: lines.get("READY") == "1", Deadline(30))
        clients = [self.enterContext(Qmp.connect(path, f"client {number}").negotiate()) for number in range(20)]
        clients[0].send_command(slow.name, slow.arguments, id=0)
        slow.wait_reached()
        for number, client in enumerate(clients[1:], 1):
            client.send_command("query-name", id=number)
        first.terminate()
        manager.serve(lambda lines: lines.get("FDNAME") == "qga-proxyd-state", Deadline(30))
        self.assertEqual(first.wait(30), 0)
        self.assertTrue(Path(path).exists())

        second = manager.start(command, log)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        manager.serve(lambda lines: lines.get("READY") == "1", Deadline(30))
        self.assertEqual(manager.stored, {})
        slow.release()
        self.assertEqual(clients[0].read_reply(60), {"return": {}, "id": 0})
        for number, client in enumerate(clients[1:], 1):
            self.assertEqual(client.read_reply(60), {"return": {"name": NAME}, "id": number})
        # Whom it closes sees that, since nobody else has the connection.
        second.terminate()
        manager.close()
        self.assertEqual(second.wait(30), 0)

    def test_remains(self):
        """Of a service that was killed while it left everything there are descriptors without the state: they are
        closed, and not taken for those of the next."""
        qemu = self.enterContext(Bare())
        manager = Manager(qemu.directory)
        self.addCleanup(manager.close)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        manager.stored = {"qga-proxyd-0": [theirs.detach()]}
        log = self.enterContext(open(qemu.directory / "qga-proxyd.log", "ab"))
        daemon = manager.start([program(PROXYD), "--qmp", f"unix:{qemu.qmp_path}", "--fd-store",
                                "--listen", f"unix:{qemu.directory}/proxy.sock"], log)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)
        manager.serve(lambda lines: lines.get("READY") == "1", Deadline(30))
        self.assertEqual(manager.stored, {})
        ours.settimeout(30)
        self.assertEqual(ours.recv(1), b"")
