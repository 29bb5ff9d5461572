# SPDX-License-Identifier: GPL-2.0-or-later
"""One daemon, a file, several machines: each is served as by a daemon of its own, and they end and are upgraded
apart."""

import http.client
import os
import re
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

from bare import NAME, Bare
from harness import Deadline, Qmp, Stream, program, wait_until
from harness.proxy import PROXYD, free_port
from harness.stream import wait_readable
from running_program import RunningProgram
from service_manager import Manager

AT_ONCE = 10


class Daemon:
    """Usage: with Daemon(folder, {"one": qemu, ...}, more={"one": ["metrics = …"]}) as daemon: ..."""

    def __init__(self, folder, machines, more=(), arguments=()):
        self.folder = folder
        self.file = folder / "machines.ini"
        self.log = folder / "several.log"
        self.machines = machines
        self.write(machines, dict(more))
        self.command = [program(PROXYD), "--config", str(self.file), *arguments]

    def write(self, machines, more):
        lines = ["# written by a test"]
        for name, qemu in machines.items():
            lines += [f"[vm {name}]", f"qmp = unix:{qemu.qmp_path}", f"listen=unix:{self.path(name)}",
                      *more.get(name, [])]
        self.file.write_text("\n".join(lines) + "\n")

    def __enter__(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                                            stdin=subprocess.DEVNULL, stderr=log)
        self.pidfd = os.pidfd_open(self.process.pid)
        try:
            for name in self.machines:
                self.wait_listening(name)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind, error, traceback):
        if error is not None:
            error.add_note(self.log.read_text())
        self.process.kill()
        self.process.wait()
        os.close(self.pidfd)

    def path(self, name):
        return str(self.folder / f"{name}.sock")

    def client(self, name):
        return Qmp.connect(self.path(name), f"a client of {name}").negotiate()

    def wait_listening(self, name):
        Stream.wait_connect(self.path(name), f"a look whether {name} is served", process=self.process).close()

    def wait(self, holds, what):
        wait_until(holds, what, process=self.process)

    def wait_exit(self):
        wait_readable(self.pidfd, 30, "the daemon to end")
        return self.process.wait()

    def upgrade(self):
        """Returns when it has become its successor."""
        former = RunningProgram(self.process.pid)
        os.kill(self.process.pid, signal.SIGUSR2)
        self.wait(former.replaced, "the upgrade")


class Case(unittest.TestCase):
    def setUp(self):
        self.one = self.enterContext(Bare())
        self.two = self.enterContext(Bare(arguments=["-uuid", "00000000-0000-0000-0000-000000000002"]))
        self.both = {"one": self.one, "two": self.two}
        self.folder = self.one.directory

    def check(self, first, second):
        """Each client is at its own QEMU."""
        self.assertEqual(first.command("query-name"), {"name": NAME})
        self.assertNotEqual(first.command("query-uuid")["UUID"][-1], "2")
        self.assertEqual(second.command("query-uuid")["UUID"][-1], "2")


class Several(Case):
    def test_served(self):
        """Lists by repetition and by semicolons, options for all and for one."""
        port = free_port()
        more = {"one": [f"listen = tcp:localhost:{port} ; unix:{self.folder}/more.sock;", "persist = yes"],
                "two": ["freeze-lease = 7", "limit = clients=3", "limit = request-bytes=1M"]}
        with Daemon(self.folder, self.both, more, ["--freeze-lease", "60", "--limit", "clients=9"]) as daemon:
            with daemon.client("one") as first, daemon.client("two") as second:
                self.check(first, second)
                one, two = first.command("qga-proxy-status"), second.command("qga-proxy-status")
            self.assertEqual((one["limits"]["clients"], two["limits"]["clients"]), (9, 3))
            self.assertEqual(two["limits"]["request-bytes"], 1024 * 1024)
            for place in ("localhost", port), str(self.folder / "more.sock"):
                with Qmp.connect(place, "another").negotiate() as client:
                    self.assertEqual(client.command("query-name"), {"name": NAME})

    def test_end(self):
        """A machine whose QEMU has gone takes its own clients along and no others; the daemon ends with the last."""
        with Daemon(self.folder, self.both) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("two"))
            self.one.kill()
            first.read_to_end(30)
            self.assertEqual(second.command("query-name"), {"name": NAME})
            self.assertFalse(Path(daemon.path("one")).exists())
            self.two.kill()
            second.read_to_end(30)
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertRegex(daemon.log.read_text(),
                             r"(?s)qga-proxyd one: QEMU has gone\nqga-proxyd two: QEMU has gone")

    def test_persist(self):
        """One that persists keeps the daemon, and its clients, for the QEMU to come."""
        with Daemon(self.folder, self.both, {"one": ["persist=true"]}) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("two"))
            self.two.kill()
            second.read_to_end(30)
            self.one.kill()
            self.one.start()
            self.one.qmp.negotiate()
            deadline = Deadline(30)
            while True:
                first.send_command("query-name")
                if "return" in first.read_reply(deadline):
                    break
            self.assertIsNone(daemon.process.poll())

    def test_terminated(self):
        with Daemon(self.folder, self.both) as daemon:
            with daemon.client("one") as first, daemon.client("two") as second:
                daemon.process.terminate()
                first.read_to_end(30)
                second.read_to_end(30)
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertFalse(Path(daemon.path("one")).exists() or Path(daemon.path("two")).exists())

    def test_metrics(self):
        """Each machine at an address of its own, with its name for the label."""
        ports = {name: free_port() for name in self.both}
        more = {name: [f"metrics = tcp:localhost:{port}"] for name, port in ports.items()}
        with Daemon(self.folder, self.both, more):
            for name, port in ports.items():
                connection = http.client.HTTPConnection("localhost", port, timeout=30)
                self.addCleanup(connection.close)
                connection.request("GET", "/metrics")
                text = connection.getresponse().read().decode()
                self.assertEqual(set(re.findall(r'vm="([^"]*)"', text)), {name})


class Upgrade(Case):
    def test_in_place(self):
        """Nobody of any machine is told, what is under way is answered, and paths go with the successor."""
        with Daemon(self.folder, self.both) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("two"))
            slow = self.one.slow_command()
            self.addCleanup(slow.give_up)
            first.send_command(slow.name, slow.arguments, id="slow")
            slow.wait_reached()
            for _ in range(3):
                daemon.upgrade()
                self.assertEqual(second.command("query-name"), {"name": NAME})
            slow.release()
            self.assertEqual(first.read_reply(60), {"return": {}, "id": "slow"})
            self.check(first, second)
            daemon.process.terminate()
            self.assertEqual(daemon.wait_exit(), 0)
            self.assertFalse(Path(daemon.path("one")).exists() or Path(daemon.path("two")).exists())

    def test_other_file(self):
        """What was added to the file is served from the upgrade on, what was taken away is not, and who is not
        concerned is not told. A machine that cannot be served is named, and no other suffers from it."""
        three = self.enterContext(Bare())
        with Daemon(self.folder, self.both) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("two"))
            daemon.write({"two": self.two, "three": three, "bad": self.one}, {"bad": ["listen = nonsense"]})
            daemon.upgrade()
            first.read_to_end(30)
            self.assertEqual(second.command("query-uuid")["UUID"][-1], "2")
            daemon.wait_listening("three")
            with daemon.client("three") as third:
                self.assertEqual(third.command("query-name"), {"name": NAME})
            log = daemon.log.read_text()
            self.assertIn("qga-proxyd one: is served no more", log)
            self.assertIn(f"{daemon.file}: [vm bad] listen: ", log)

    def test_other_monitors(self):
        """A monitor that was added takes nothing from who is there; one that was removed takes its own clients along and
        no others, whatever the number of the one that stays."""
        added = SimpleNamespace(qmp_path=self.one.monitors[0])
        with Daemon(self.folder, {"one": self.one}) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("one"))
            slow = self.one.slow_command()
            self.addCleanup(slow.give_up)
            second.send_command(slow.name, slow.arguments, id="slow")
            slow.wait_reached()
            daemon.write({"one": self.one}, {"one": [f"qmp = unix:{added.qmp_path}"]})
            daemon.upgrade()
            slow.release()
            self.assertEqual(second.read_reply(60), {"return": {}, "id": "slow"})
            self.assertFalse(first.readable())
            daemon.wait(lambda: first.command("qga-proxy-status")["qemu"]["monitors-connected"] == 2, "the second monitor")
            third = self.enterContext(daemon.client("one"))
            daemon.write({"one": added}, {})
            daemon.upgrade()
            first.read_to_end(30)
            second.read_to_end(30)
            self.assertEqual(third.command("query-name"), {"name": NAME})
            self.assertEqual(third.command("qga-proxy-status")["qemu"]["monitors"], 1)

    def test_mistake(self):
        """A file with a mistake is not upgraded to."""
        with Daemon(self.folder, self.both) as daemon:
            first, second = self.enterContext(daemon.client("one")), self.enterContext(daemon.client("two"))
            daemon.file.write_text("[vm one]\nqpm = unix:/nowhere\n")
            os.kill(daemon.process.pid, signal.SIGUSR2)
            daemon.wait(lambda: "no upgrade" in daemon.log.read_text(), "the failure to be logged")
            self.check(first, second)


class Managed(Case):
    """With a service manager that keeps descriptors."""

    def setUp(self):
        super().setUp()
        self.manager = Manager(self.folder)
        self.addCleanup(self.manager.close)
        self.log = self.enterContext(open(self.folder / "several.log", "ab"))

    def start(self, daemon, **names):
        process = self.manager.start(daemon.command, self.log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.manager.serve(lambda lines: lines.get("READY") == "1", Deadline(30))
        return process

    def test_left(self):
        """A service that is stopped leaves all its machines to the next."""
        daemon = Daemon(self.folder, self.both, arguments=["--fd-store"])
        former = self.start(daemon)
        clients = [self.enterContext(daemon.client(name)) for name in ("one", "one", "two", "two", "two")]
        former.terminate()
        self.manager.serve(lambda lines: lines.get("FDNAME") == "qga-proxyd-state", Deadline(30))
        self.assertEqual(former.wait(30), 0)
        self.start(daemon)
        self.assertEqual(self.manager.stored, {})
        self.check(clients[1], clients[2])
        self.check(clients[0], clients[4])
        self.check(clients[1], clients[3])

    def test_killed(self):
        """What is kept of one machine is not taken for another's, whatever they are called."""
        machines = {"a/b: c": self.one, "a": self.two}
        daemon = Daemon(self.folder, {}, arguments=["--keep"])
        daemon.path = lambda name: str(self.folder / f"{len(name)}.sock")
        daemon.write(machines, {})
        former = self.start(daemon)
        first, second = (self.enterContext(daemon.client(name)) for name in machines)
        former.kill()
        former.wait()
        self.manager.read_rest()
        self.start(daemon)
        self.check(first, second)
        self.assertNotIn("are lost", (self.folder / "several.log").read_text())


class Mistakes(unittest.TestCase):
    GOOD = b"[vm one]\nqmp = unix:/nowhere.qmp\nlisten = unix:%s/one.sock\n"

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="qga-")))
        self.file = self.folder / "machines.ini"

    def complain(self, *arguments):
        result = subprocess.run([program(PROXYD), "--config", str(self.file), *arguments], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual((result.returncode, result.stderr.count("\n")), (1, 1), result)
        self.assertTrue(result.stderr.startswith("qga-proxyd: "), result.stderr)
        return result.stderr

    def test_file(self):
        """One line, that names the file, the group and the key, or the line where that is all there is."""
        good = self.GOOD % str(self.folder).encode()
        for text, words in ((b"", ": there is no group [vm NAME]"),
                            (b"qmp=unix:/a\n", ":1: 'qmp' stands in no group [vm NAME]"),
                            (b"[one]\n", ":1: [one]: the group of a machine is [vm NAME]"),
                            (b"[vm ]\n", ":1: [vm]: the group of a machine is [vm NAME]"),
                            (b"[vmx]\n", ":1: [vmx]: the group of a machine is [vm NAME]"),
                            (b"[vm one\n", ":1: '[vm one' has no ] at its end"),
                            (b"[vm one]\nqmp\n", ":2: 'qmp' is neither a [group] nor key = value"),
                            (b"[vm one]\nqpm = a\n", ":2: [vm one] qpm: there is no such key"),
                            (b"[vm one]\nname = a\n", ":2: [vm one] name: there is no such key"),
                            (b"[vm one]\n = a\n", ":2: [vm one] : there is no such key"),
                            (b"[vm one]\nqmp =\n", ":2: [vm one] qmp: has no value"),
                            (b"[vm one]\nstate-dir=a\nstate-dir=b\n", ":3: [vm one] state-dir: is said twice"),
                            (b"[vm one]\npersist=perhaps\n",
                             ":2: [vm one] persist: 'perhaps' is neither true nor false"),
                            (b"[vm one]\nlisten=unix:/a\n", ": [vm one] qmp: is needed"),
                            (b"[vm one]\nqmp=;\nlisten=unix:/a\n", ": [vm one] qmp: is needed"),
                            (b"[vm one]\nqmp=unix:/a\nagent=unix:/b\n", ": [vm one] listen: is needed"),
                            (good + good, ":4: [vm one]: is there twice"),
                            (good + b"name\xff=1\n", ": is not text in UTF-8"),
                            (good + b"listen = nonsense\n", ": [vm one] listen: "),
                            (good + b"freeze-lease = long\n", ": [vm one] freeze-lease: 'long' is neither"),
                            (good + b"limit = cats=9\n", ": [vm one] limit: "),
                            (good + b"metrics = nonsense\n", ": [vm one] metrics: "),
                            (good + b"agent = nonsense\n", ": [vm one]: "),
                            (good.replace(b"one", b"two") + good.replace(b"one.sock", b"two.sock"),
                             ": [vm one] listen: ")):
            with self.subTest(text):
                self.file.write_bytes(text)
                self.assertIn(f"{self.file}{words}", self.complain())

    def test_no_file(self):
        self.assertIn(str(self.file), self.complain())

    def test_said_for_all(self):
        """What is one machine's cannot be said of all in a file."""
        self.file.write_bytes(self.GOOD % str(self.folder).encode())
        for name in "qmp", "agent", "listen", "agent-listen", "metrics", "name":
            self.assertIn(f"--{name} is one machine's", self.complain(f"--{name}", "unix:/a"))


if __name__ == "__main__":
    unittest.main()
