# SPDX-License-Identifier: GPL-2.0-or-later
"""What the proxy tells of itself: clients and lanes in qga-proxy-status, and the same numbers at GET /metrics, held to
the text format of Prometheus; and that whoever speaks HTTP there, well or not, disturbs nobody's QMP."""

import collections
import contextlib
import http.client
import os
import re
import socket
import subprocess
import time
import unittest

from bare import Bare, BehindBare
from harness import Closed, Deadline, Guest, Proxy, Stream, program, wait_until
from harness.image import BUILD
from harness.proxy import PROXYD, free_port

# As metrics-http.c has them.
CONNECTIONS = 8
SECONDS = 10

# Families of which one is 1, and where the status has it.
STATES = {"qga_proxy_agent_state": "agent", "qga_proxy_freeze_state": "freeze"}

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MODULE = "proxy/daemon/qga-proxy-metrics.so"
LABEL = r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"'
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(%s(?:,%s)*)\})? ([0-9]+(?:\.[0-9]+)?)" % (LABEL, LABEL), re.ASCII)
LETTERS = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Exposition:
    """A text in the format, read without mercy.

      types   of each family
      values  of each series, by its name and its labels
    """

    def __init__(self, text):
        self.types, self.values, self.helped = {}, {}, None
        if not text.endswith("\n"):
            raise AssertionError("the last line does not end")
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                self.begin(*re.fullmatch(r"# HELP (\S+) (\S.*)", line).groups())
            elif line.startswith("# TYPE "):
                self.set_type(*re.fullmatch(r"# TYPE (\S+) (counter|gauge|histogram)", line).groups())
            else:
                self.add(line)
        for family, kind in self.types.items():
            if kind == "histogram":
                self.check_histogram(family)

    def begin(self, family, _):
        assert family not in self.types, f"{family} comes in two parts"
        self.helped = family

    def set_type(self, family, kind):
        assert family == self.helped, f"{family} has no help right before its type"
        assert family.endswith("_total") == (kind == "counter"), family
        self.types[family] = kind

    def add(self, line):
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line!r}"
        name, value = match[1], match[match.lastindex]
        labels = {key: re.sub(r"\\.", lambda letter: LETTERS[letter[0]], text)
                  for key, text in re.findall(LABEL, match[2] or "")}
        assert len(labels) == len(re.findall(LABEL, match[2] or "")), f"a label twice: {line}"
        histogram = self.types[self.helped] == "histogram"
        wanted = {self.helped + part for part in ("_bucket", "_sum", "_count")} if histogram else {self.helped}
        assert name in wanted, f"{name} stands below {self.helped}"
        key = name, tuple(sorted(labels.items()))
        assert key not in self.values, f"{key} comes twice"
        self.values[key] = float(value) if "." in value else int(value)

    def check_histogram(self, family):
        buckets = collections.defaultdict(list)
        for (name, labels), value in self.values.items():
            if name == family + "_bucket":
                rest = tuple(label for label in labels if label[0] != "le")
                buckets[rest].append((float(dict(labels)["le"]), value))
        assert buckets, f"{family} has no bucket"
        for rest, counts in buckets.items():
            bounds = [bound for bound, _ in counts]
            assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), bounds
            assert [value for _, value in counts] == sorted(value for _, value in counts), counts
            assert counts[-1][1] == self.values[family + "_count", rest], rest
            assert self.values[family + "_sum", rest] >= 0

    def get(self, name, /, **labels):
        return self.values["qga_proxy_" + name, tuple(sorted(labels.items()))]

    def histogram(self, family, /, **labels):
        """As qga-proxy-status has it, but in seconds."""
        name, rest = f"qga_proxy_{family}_bucket", tuple(sorted(labels.items()))
        buckets = {float(dict(key)["le"]): value for (series, key), value in self.values.items()
                   if series == name and tuple(label for label in key if label[0] != "le") == rest}
        return {"count": self.get(family + "_count", **labels), "sum": self.get(family + "_sum", **labels),
                "buckets": [buckets[bound] for bound in sorted(buckets)[:-1]]}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def wait_monitors(proxy):
    """A client is put on a monitor that is ready."""
    proxy.wait_status("the monitors", lambda status: all(monitor["state"] == "ready" for monitor in status["monitors"]))


def maps(proxy):
    with open(f"/proc/{proxy.process.pid}/maps", encoding="utf-8") as file:
        return file.read()


def request(connection, method="GET", path="/metrics", body=None):
    """Status, headers and body."""
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def expected(status):
    """What the metrics are to say where the status says this, by name and one label."""
    agent, traffic = status["agent"], status["traffic"]
    values = {
        "qemu_connected": status["qemu"]["connected"], "clients": status["clients"],
        "accepted_clients_total": traffic["accepted"], "refused_clients_total": status["refused-clients"],
        "client_commands_total": traffic["commands"], "client_received_bytes_total": traffic["bytes-in"],
        "client_sent_bytes_total": traffic["bytes-out"], "memory_bytes": status["memory"],
        "descriptor_names": status["descriptor-names"], "dropped_descriptors_total": status["dropped-descriptors"],
        "agent_queued": agent["queued"], "agent_commands_total": agent["commands"],
        "agent_dropped_messages_total": agent["dropped"], "agent_unasked_replies_total": agent["unasked"],
        "agent_faults_total": agent["faults"], "agent_oversized_total": agent["oversized"],
        "agent_timeouts_total": agent["timeouts"], "agent_syncs_total": agent["syncs"],
        "agent_received_bytes_total": agent["bytes-in"], "agent_sent_bytes_total": agent["bytes-out"],
        "thaws_total": status["freeze"]["thaws"],
    }
    values = {(name, ()): value for name, value in values.items()}
    for number, monitor in enumerate(status["monitors"]):
        for name, value in (
            ("ready", monitor["state"] == "ready"), ("users", monitor["users"]), ("in_flight", monitor["in-flight"]),
            ("commands_total", monitor["commands"]), ("oob_commands_total", monitor["out-of-band"]),
            ("waiting", monitor["waiting"]), ("stale_replies_total", monitor["stale-replies"]),
        ):
            values["monitor_" + name, (("monitor", str(number)),)] = value
    for name, value in status["limits"].items():
        values["limit", (("name", name),)] = value
    return values


class Case(unittest.TestCase):
    """For tests of a proxy that serves metrics on self.port and self.path."""

    def http(self):
        return http.client.HTTPConnection("localhost", self.port, timeout=30)

    def scrape(self, connection=None):
        status, headers, text = request(connection or self.http())
        self.assertEqual((status, headers["Content-Type"]), (200, CONTENT_TYPE), text)
        return Exposition(text)

    def check_agrees(self, client):
        """The metrics say what the status has said right before, but for what that has changed itself. What the proxy
        asks the agent of its own accord may come between, and then both are asked again."""
        deadline = Deadline(30)
        status, later = client.command("qga-proxy-status"), None
        while later is None or later["agent"] != status["agent"]:
            self.assertTrue(deadline.left(), "it never is quiet")
            status = later or status
            metrics = self.scrape()
            later = client.command("qga-proxy-status")
        own = {"client_commands_total", "client_received_bytes_total", "client_sent_bytes_total", "memory_bytes"}
        for (name, labels), value in expected(status).items():
            told = metrics.get(name, **dict(labels))
            if name in own:
                self.assertGreaterEqual(told, 0 if name == "memory_bytes" else value, name)
            else:
                self.assertEqual(told, value, (name, labels))
        for family, kind in ("command", "taken"), ("answer", "sent"):
            for lane in status["latency"]["lanes"]:
                told = metrics.histogram(f"qemu_{family}_seconds") if lane["lane"] == "qemu" else \
                    metrics.histogram(f"agent_{family}_seconds", **{"class": lane["lane"]})
                self.assertEqual((told["count"], told["buckets"]), (lane[kind]["count"], lane[kind]["buckets"]))
                self.assertAlmostEqual(told["sum"] * 1e6, lane[kind]["sum"], delta=1)
        self.assertEqual({key for key, value in metrics.values.items() if key[0] in STATES and value},
                         {(name, (("state", status[part]["state"]),)) for name, part in STATES.items()})
        return status, metrics


class Metrics(Case, BehindBare):
    """Of a QEMU without a guest, whose agent's channel is not there."""

    @classmethod
    def setUpClass(cls):
        program(MODULE)  # else there is nothing to test
        cls.qemu = cls.enterClassContext(Bare(1))

    def setUp(self):
        self.port, self.path = free_port(), str(self.qemu.directory / "metrics.sock")
        self.life = self.enterContext(contextlib.ExitStack())
        self.proxy = self.start("--metrics", f"tcp:localhost:{self.port}", "--qmp", f"unix:{self.qemu.monitors[0]}")
        wait_monitors(self.proxy)
        self.client = self.life.enter_context(self.proxy.client())
        self.proxy.wait_status("the looks whether it listens to have gone", lambda status: status["clients"] == 1,
                               client=self.client)

    def start(self, *options):
        """A proxy in place of the last one."""
        self.life.close()
        return self.life.enter_context(Proxy(self.qemu, arguments=options))

    def connect(self):
        return self.enterContext(Stream.connect(("localhost", self.port), "an HTTP client"))

    def served_until_closed(self, stream, timeout=30):
        """What it is sent until the proxy closes the connection, while a QMP client is served all the time."""
        deadline = Deadline(timeout)
        wait_until(lambda: stream.readable() or self.check_served(self.client), "it to be closed", deadline)
        return stream.read_to_end(deadline)

    def test_agrees(self):
        """Each number is the one that qga-proxy-status tells."""
        self.enterContext(self.proxy.client("tcp"))
        for _ in range(5):
            self.check_served(self.client)
        status, metrics = self.check_agrees(self.client)
        self.assertEqual(status["clients"], 2)
        self.assertEqual(metrics.histogram("qemu_command_seconds")["count"], 5)
        self.assertEqual([monitor["users"] for monitor in status["monitors"]], [1, 1])

    def test_every_line_is_known(self):
        """No series is there beside those of the status: for a client, say."""
        before = set(self.scrape().values)
        clients = [self.enterContext(self.proxy.client()) for _ in range(20)]
        self.check_served(*clients)
        self.assertEqual(set(self.scrape().values), before)

    def test_unix(self):
        """At a path, with what stands behind it."""
        proxy = self.start("--metrics", f"unix:{self.path},mode=600")
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        version = proxy.status()["version"]
        self.assertEqual(self.scrape(UnixConnection(self.path)).get("info", version=version), 1)
        proxy.process.terminate()
        self.assertEqual(proxy.wait_exit(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_name(self):
        """The machine's name is a label of each series, whatever is in it."""
        name = 'a"b\\c\nqga_proxy_clients 5'
        self.start("--metrics", f"unix:{self.path}", "--name", name)
        metrics = self.scrape(UnixConnection(self.path))
        self.assertEqual({dict(labels)["vm"] for _, labels in metrics.values}, {name})

    def test_other_requests(self):
        """Another path is not found, another method is not allowed, and both are told."""
        for method, path, wanted in (
            ("GET", "/", 404), ("GET", "/metrics/", 404), ("GET", "/metrics/../metrics", 404), ("POST", "/x", 404),
            ("POST", "/metrics", 405), ("PUT", "/metrics", 405), ("DELETE", "/metrics", 405), ("HEAD", "/metrics", 405),
            ("OPTIONS", "/metrics", 405), ("BREW", "/metrics", 405), ("GET", "/metrics?debug=1", 200),
        ):
            with self.subTest(f"{method} {path}"):
                status, headers, _ = request(self.http(), method, path)
                self.assertEqual(status, wanted)
                self.assertEqual(headers["Allow"], "GET" if wanted == 405 else None)
                self.assertEqual(headers["Connection"], "close")

    def test_posted_qmp(self):
        """Commands that are posted, or sent bare, are carried out by nobody."""
        node = "posted"
        command = ('{"execute": "qmp_capabilities"}\n{"execute": "blockdev-add", "arguments": '
                   '{"driver": "null-co", "node-name": "%s"}}\n' % node).encode()
        status, _, body = request(self.http(), "POST", body=command)
        self.assertEqual(status, 405)
        self.assertNotIn("return", body)
        stream = self.connect()
        stream.send(command)
        stream.sock.shutdown(socket.SHUT_WR)
        self.assertNotIn(b"return", self.served_until_closed(stream))
        self.assertNotIn(node, self.qemu.nodes())
        self.assertEqual(self.client.command("qga-proxy-status")["clients"], 1)

    def test_garbage(self):
        """What is no HTTP is closed, and so is what does not fit; the next one is answered."""
        for garbage in (b"\0" * 4096, b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n",
                        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n",
                        b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 10_000,
                        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                        b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"):
            with self.subTest(garbage[:40]):
                stream = self.connect()
                try:
                    stream.send(garbage)
                    stream.sock.shutdown(socket.SHUT_WR)
                except (Closed, OSError):
                    pass
                self.served_until_closed(stream)
                self.scrape()

    def test_one_byte_at_a_time(self):
        stream = self.connect()
        for byte in b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n":
            stream.send(bytes([byte]))
            self.check_served(self.client)
        head, _, body = self.served_until_closed(stream).decode().partition("\r\n\r\n")
        self.assertTrue(head.startswith("HTTP/1.1 200 "), head)
        Exposition(body)

    def test_one_answer(self):
        """Two requests in one write: one is answered, then the connection ends."""
        stream = self.connect()
        stream.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        self.assertEqual(self.served_until_closed(stream).count(b"HTTP/1.1 200 "), 1)

    def test_slow(self):
        """Those that say nothing, that send a byte now and then, or that do not read, are closed when their time is
        over, all within it; no command waits for any of them meanwhile. The time of those that were answered ends
        nobody's who came after them, and has their descriptors."""
        for _ in range(3):
            self.scrape()
        heirs = [self.enterContext(self.proxy.client()) for _ in range(6)]
        began = time.monotonic()
        silent, dripping, half = (self.connect() for _ in range(3))
        half.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
        half.sock.shutdown(socket.SHUT_WR)
        dripping.send(b"GET /metrics HTTP/1.1\r\n")
        longest = 0
        while not dripping.readable():
            self.assertLess(time.monotonic() - began, SECONDS + 5)
            asked = time.monotonic()
            self.check_served(self.client)
            longest = max(longest, time.monotonic() - asked)
            try:
                dripping.send(b"A")
            except Closed:
                break
            time.sleep(0.1)
        self.assertGreater(time.monotonic() - began, SECONDS - 2)
        self.assertLess(longest, SECONDS / 2)
        for stream in silent, dripping, half:
            self.assertNotIn(b"200", stream.read_to_end(5))
        self.check_served(*heirs)
        self.scrape()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.proxy.process.pid}/fd"))

    def test_many(self):
        """So many at once and no more: the others are closed at once, while those that came first, and QMP, are served.
        When they have gone there is room again, and nothing is left of any."""
        before = self.descriptors()
        first = [self.connect() for _ in range(CONNECTIONS)]
        # All come before any is waited for: a turn of the proxy for each, on a busy machine, and the time of those that
        # came first would be over.
        for stream in [self.connect() for _ in range(200)]:
            self.assertEqual(self.served_until_closed(stream), b"")
        self.check_served(self.client)
        self.assertLessEqual(self.descriptors(), before + CONNECTIONS)
        for stream in first:
            stream.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertTrue(self.served_until_closed(stream).startswith(b"HTTP/1.1 200 "))
        self.scrape()
        wait_until(lambda: self.descriptors() <= before, "no descriptor to be left")

    def test_many_scrapes(self):
        """Hundreds of them cost no memory that stays."""
        if "libasan" in maps(self.proxy):
            self.skipTest("ASan keeps back what is freed")

        def resident():
            with open(f"/proc/{self.proxy.process.pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for _ in range(100):
            self.scrape()
        before = resident()
        for _ in range(400):
            self.scrape()
        self.assertLess(resident() - before, 256 * 1024)

    def test_not_asked_for(self):
        """Without --metrics the library is not in the process; with it, it is."""
        self.assertIn("libmicrohttpd", maps(self.proxy))
        plain = maps(self.start())
        self.assertNotIn("libmicrohttpd", plain)
        self.assertNotIn("libgnutls", plain)

    def test_bad_address(self):
        """The daemon does not start, and says why."""
        for address, words in (("nonsense", "nonsense"), ("unix:/no/such/folder/m", "/no/such/folder/m"),
                               ("tcp:localhost:1,server=off", "server"),
                               (f"tcp:localhost:{self.port}", str(self.port))):
            with self.subTest(address):
                result = subprocess.run(
                    [program(PROXYD), "--qmp", f"unix:{self.qemu.qmp_path}", "--listen", f"unix:{self.path}",
                     "--metrics", address], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 1, result)
                self.assertTrue(result.stderr.startswith("qga-proxyd: --metrics: "), result.stderr)
                self.assertIn(words, result.stderr)

    def test_installed(self):
        """An installed daemon, wherever that is moved to, finds its module from where it is itself."""
        stage = self.qemu.directory / "stage"
        subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", stage], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        daemon, = stage.glob("**/bin/qga-proxyd")
        with subprocess.Popen(
                [daemon, "--qmp", f"unix:{self.qemu.qmp_path}", "--listen", f"unix:{self.qemu.directory}/front.sock",
                 "--metrics", f"unix:{self.path}"], stdin=subprocess.DEVNULL) as process:
            try:
                Stream.wait_connect(self.path, "a look whether it listens", process=process).close()
                self.scrape(UnixConnection(self.path))
                with open(f"/proc/{process.pid}/maps", encoding="utf-8") as file:
                    self.assertEqual({line.split()[-1] for line in file if "qga-proxy-metrics" in line},
                                     {str(path) for path in stage.glob("**/qga-proxy-metrics.so")})
            finally:
                process.kill()


class Connections(BehindBare, unittest.TestCase):
    """The list of clients in qga-proxy-status."""

    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare(1))
        cls.raw = str(cls.qemu.directory / "raw.sock")

    def setUp(self):
        self.proxy = self.enterContext(Proxy(self.qemu, arguments=[
            "--agent-listen", f"unix:{self.raw}", "--qmp", f"unix:{self.qemu.monitors[0]}"]))
        wait_monitors(self.proxy)
        self.client = self.enterContext(self.proxy.client())
        self.proxy.wait_status("the looks whether it listens to have gone", lambda status: status["clients"] == 1,
                               client=self.client)

    def listed(self):
        status = self.client.command("qga-proxy-status", connections=True)
        self.assertEqual(status["connections-left-out"], 0)
        self.assertEqual(len(status["connections"]), status["clients"])
        return status["connections"]

    def test_not_by_default(self):
        self.assertFalse({"connections", "connections-left-out"} & set(self.client.command("qga-proxy-status")))

    def test_own(self):
        """Whose process, and how much it has asked: its greeting and all that came behind it."""
        with self.proxy.connect() as client:
            greeting = client.read_line(30) + b"\n"
            sent = [b'{"execute": "qmp_capabilities"}', b'{"execute": "query-name"}', b'{"execute": "nonsense"}']
            got = 0
            for command in sent:
                client.send(command)
                got += len(client.read_line(30)) + 1
            mine, other = self.listed()
        self.assertEqual(mine["pid"], os.getpid())
        self.assertEqual({key: other[key] for key in other if key not in ("peer", "seconds", "monitor")}, {
            "uid": os.getuid(), "pid": os.getpid(), "protocol": "qmp", "state": "commanding", "oob": False,
            "commands": 3, "bytes-in": sum(map(len, sent)), "bytes-out": len(greeting) + got, "queued": 0,
            "busy": False})
        self.assertEqual(other["peer"], f"unix:{self.proxy.unix} uid {os.getuid()} pid {os.getpid()}")
        self.assertEqual({mine["monitor"], other["monitor"]}, {0, 1})
        self.assertLessEqual(other["seconds"], 30)

    def test_kinds(self):
        """By TCP nobody knows whose process it is; raw clients have no monitor; states are told apart."""
        with self.proxy.connect("tcp"), Stream.connect(self.raw, "a raw client"), self.proxy.client(oob=True):
            self.proxy.wait_status("all to be there", lambda status: status["clients"] == 4, client=self.client)
            connections = self.listed()[1:]
        tcp, = (entry for entry in connections if entry["peer"].startswith("tcp:"))
        raw, = (entry for entry in connections if entry["protocol"] == "agent")
        oob, = (entry for entry in connections if entry["oob"])
        self.assertEqual((tcp["state"], tcp["protocol"], "uid" in tcp, "pid" in tcp),
                         ("negotiating", "qmp", False, False))
        self.assertEqual((raw["state"], raw["protocol"], "monitor" in raw, raw["pid"]),
                         ("commanding", "agent", False, os.getpid()))
        self.assertEqual((oob["state"], oob["protocol"]), ("commanding", "qmp"))

    def test_busy(self):
        """Who waits for QEMU, with what was read ahead; and the monitor that it waits on."""
        slow = self.slow()
        with self.proxy.client(oob=True) as busy:
            busy.send_command(slow.name, slow.arguments)
            slow.wait_reached()
            for _ in range(3):
                busy.send_command("query-name")
            deadline = Deadline(30)
            while (entry := self.listed()[1])["queued"] < 3:
                self.assertTrue(deadline.left(), entry)
            self.assertTrue(entry["busy"])
            # What the proxy asks at its start is done some time; the monitor of the one that asks stands still as well.
            in_flight = [int(number == entry["monitor"]) for number in range(2)]
            self.proxy.wait_status(f"{in_flight} in flight", lambda status: in_flight == [
                monitor["in-flight"] for monitor in status["monitors"]], client=self.client)
            slow.release()
            busy.read_reply(30)

    def test_left_under_way(self):
        """A command whose client goes while QEMU is busy with it is named in the log, and so is the client."""
        slow = self.slow()
        with self.proxy.client() as leaver:
            leaver.send_command(slow.name, slow.arguments)
            slow.wait_reached()
            peer = self.listed()[1]["peer"]
        self.proxy.wait_status("it to have left", lambda status: status["clients"] == 1, client=self.client)
        slow.release()
        log = (self.qemu.directory / "qga-proxyd.log").read_text()
        self.assertIn(f"{peer} has left while blockdev-add was under way, whose answer is dropped\n", log)

    def test_of_another_process(self):
        code = ("import socket, sys; sock = socket.socket(socket.AF_UNIX); "
                f"sock.connect({self.proxy.unix!r}); sys.stdin.read()")
        with subprocess.Popen(["python3", "-c", code], stdin=subprocess.PIPE) as process:
            self.proxy.wait_status("it to come", lambda status: status["clients"] == 2, client=self.client)
            self.assertEqual(self.listed()[1]["pid"], process.pid)
            process.stdin.close()


class WithGuest(Case):
    @classmethod
    def setUpClass(cls):
        program(MODULE)
        cls.guest = cls.enterClassContext(Guest("qga-agent", "virtio-serial"))
        cls.port = free_port()
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, arguments=["--metrics", f"tcp:localhost:{cls.port}"]))
        cls.proxy.wait_agent()

    def setUp(self):
        self.client = self.enterContext(self.proxy.client())
        self.proxy.wait_status("the others to have gone", lambda status: status["clients"] == 1, client=self.client)

    def lane(self, status, name):
        return next(lane for lane in status["latency"]["lanes"] if lane["lane"] == name)

    def test_classes(self):
        """Each command is counted in the lane of its class, and both ways of telling agree."""
        before, _ = self.check_agrees(self.client)
        for name in "guest-ping", "guest-ping", "guest-fsfreeze-freeze", "guest-fsfreeze-thaw":
            self.client.command(name)
        self.client.command("guest-exec", path="/bin/true")
        after, metrics = self.check_agrees(self.client)
        for name, more in ("quick", 2), ("slow", 1), ("freeze", 1), ("thaw", 1), ("shutdown", 0), ("qemu", 0):
            taken, sent = (self.lane(after, name)[kind]["count"] - self.lane(before, name)[kind]["count"]
                           for kind in ("taken", "sent"))
            self.assertEqual((taken, sent), (more, more), name)
            self.assertGreaterEqual(self.lane(after, name)["taken"]["sum"], self.lane(after, name)["sent"]["sum"])
        self.assertGreater(after["agent"]["bytes-in"], before["agent"]["bytes-in"])
        self.assertGreater(after["agent"]["bytes-out"], before["agent"]["bytes-out"])
        self.assertEqual(metrics.get("agent_oversized_total"), 0)

    def test_frozen(self):
        """While it lasts, that and when it ends."""
        self.client.command("guest-fsfreeze-freeze")
        try:
            status, metrics = self.check_agrees(self.client)
        finally:
            self.client.command("guest-fsfreeze-thaw")
        self.assertEqual(status["agent"]["state"], "frozen")
        self.assertAlmostEqual(metrics.get("freeze_lease_seconds"), status["freeze"]["lease"], delta=2)
