# SPDX-License-Identifier: GPL-2.0-or-later
"""Who waits for the guest agent, and for how long: clients that ask the same share one command, an answer is given
again where that was asked for, and each client's time is its own. The agent is qemu-ga, which has the commands that
dashboards poll."""

import contextlib
import json
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import AgentChannel, Guest, Proxy
from harness.image import program
from harness.proxy import PROXYD

POLLERS = 8
ASKED = "guest-get-osinfo"

# Longer than a test, on a machine that is busy with other things.
LONG = 600


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest("qemu-ga"))

    def serve(self, *arguments):
        """A proxy whose own questions were answered, and a client of it that has time."""
        raw = str(self.guest.directory / "raw.sock")
        self.proxy = self.enterContext(Proxy(self.guest, arguments=["--agent-listen", f"unix:{raw}", *arguments]))
        self.raw = raw
        self.proxy.wait_agent()
        self.client = self.enterContext(self.proxy.client())
        self.client.execute("qga-proxy-session-set", {"timeout": LONG})
        self.wait_known()

    def wait_known(self):
        self.proxy.wait_status("the agent's commands", lambda status: "version" in status["agent"] and
                               status["agent"]["state"] == "ready", client=self.client)

    def counted(self, name):
        """Of a client of its own: the others may wait for the agent."""
        return self.proxy.status()["agent"][name]

    @contextlib.contextmanager
    def occupied(self):
        """Within, a command keeps the lane busy and nothing is answered; behind it, it was answered."""
        with self.guest.stopped_agent():
            self.client.send_command("guest-ping", id="first")
            self.proxy.wait_agent_running("guest-ping")
            yield
        self.assertEqual(self.client.read_reply(30), {"return": {}, "id": "first"})

    def pollers(self):
        """Clients that wait to ask the same, over all kinds of sockets; the first is the first that asked."""
        clients = []
        for number in range(POLLERS):
            if number % 4 == 3:
                client = self.enterContext(AgentChannel.connect(self.raw, f"poller {number}"))
            else:
                client = self.enterContext(self.proxy.client("tcp" if number % 2 else "unix", f"poller {number}"))
            client.send_command(ASKED, id=[number, "x"])
            self.proxy.wait_status("the poller to wait", lambda status: status["agent"]["queued"] == len(clients) + 1)
            clients.append(client)
        return clients

    def check_answered(self, client, number):
        reply = client.read_reply(30) if hasattr(client, "read_reply") else client.read_message(30)
        self.assertEqual(reply["id"], [number, "x"])
        self.assertIn("kernel-release", reply["return"])
        return reply["return"]


class Shared(Case):
    def setUp(self):
        self.serve()
        self.before = self.proxy.status()["agent"]

    def check_counted(self, commands, coalesced):
        after = self.proxy.status()["agent"]
        self.assertEqual({name: after[name] - self.before[name] for name in ("commands", "coalesced", "timeouts")},
                         {"commands": commands, "coalesced": coalesced, "timeouts": 0})

    def test_pollers(self):
        """One command for all, and each has the answer under its own id."""
        with self.occupied():
            clients = self.pollers()
        answers = [self.check_answered(client, number) for number, client in enumerate(clients)]
        self.assertEqual(answers, POLLERS * [answers[0]])
        self.check_counted(2, POLLERS - 1)

    def test_leavers(self):
        """The first that asked leaves, and the last: the others are answered."""
        with self.occupied():
            clients = self.pollers()
            clients[0].close()
            clients[-1].close()
            # Two less, and two that are no pollers: who keeps the lane busy, and who looks.
            self.proxy.wait_status("them to be gone", lambda status: status["clients"] == POLLERS)
        for number, client in list(enumerate(clients))[1:-1]:
            self.check_answered(client, number)
        self.check_counted(2, POLLERS - 1)

    def test_not_what_is_sent(self):
        """A command that the agent has is nobody else's: what it tells may be older than the question."""
        others = [self.enterContext(self.proxy.client()) for _ in range(2)]
        with self.guest.stopped_agent():
            others[0].send_command(ASKED, id=[0, "x"])
            self.proxy.wait_agent_running(ASKED)
            others[1].send_command(ASKED, id=[1, "x"])
            self.proxy.wait_status("the other to wait", lambda status: status["agent"]["queued"] == 1)
        for number, client in enumerate(others):
            self.check_answered(client, number)
        self.check_counted(2, 0)


class Cached(Case):
    def setUp(self):
        self.serve("--agent-cache", f"{ASKED}={LONG}", "--agent-cache", "guest-get-host-name=1")
        self.other = self.enterContext(self.proxy.client("tcp"))

    def ask(self, name=ASKED):
        """Asked by one and by the other. Returns how many commands that took the agent, and the answer."""
        before = self.proxy.status()["agent"]
        answers = [client.execute(name) for client in (self.client, self.other)]
        after = self.proxy.status()["agent"]
        self.assertEqual(answers[0], answers[1])
        sent, hits = (after[count] - before[count] for count in ("commands", "cache-hits"))
        self.assertEqual(sent + hits, 2)
        return sent, answers[0]

    def test_given_again(self):
        """The same answer without a command; a command that was not named is asked each time."""
        sent, answer = self.ask()
        self.assertEqual(sent, 1)
        self.assertEqual(self.ask(), (0, answer))
        self.client.execute("guest-ping")
        self.client.execute("guest-get-time")
        self.assertEqual(self.ask(), (0, answer))
        self.assertEqual(self.ask("guest-get-timezone")[0], 2)

    def test_what_ends_it(self):
        """A thaw, a program that was started, another agent, a pause: then the agent is asked once more."""
        self.assertEqual(self.ask()[0], 1)
        for what in self.thaw, self.run_program, self.restart_agent, self.pause:
            with self.subTest(what.__name__):
                what()
                self.assertEqual(self.ask()[0], 1)
                self.assertEqual(self.ask()[0], 0)

    def test_new_value(self):
        """What has changed is seen behind a command that may have changed it."""
        self.addCleanup(self.guest.shell, "hostname " + shlex.quote(self.guest.shell("hostname").strip()))
        before = self.client.execute("guest-get-host-name")
        pid = self.client.command("guest-exec", path="/bin/sh", arg=["-c", "hostname changed"])["pid"]
        while not self.client.command("guest-exec-status", pid=pid)["exited"]:
            pass
        self.assertNotEqual(self.client.execute("guest-get-host-name"), before)
        self.assertEqual(self.other.execute("guest-get-host-name"), {"host-name": "changed"})

    def thaw(self):
        self.client.execute("guest-fsfreeze-freeze")
        self.client.execute("guest-fsfreeze-thaw")
        self.wait_known()

    def run_program(self):
        self.client.command("guest-exec", path="/bin/true")

    def restart_agent(self):
        syncs = self.counted("syncs")
        self.guest.signal_agent("KILL")
        self.proxy.wait_status("another agent", lambda status: status["agent"]["syncs"] > syncs and
                               status["agent"]["state"] == "ready" and "version" in status["agent"])

    def pause(self):
        self.client.execute("stop")
        self.client.execute("cont")


class Times(Case):
    def setUp(self):
        self.serve("--limit", "quick-seconds=2")

    def check_late(self, reply, seconds):
        self.assertEqual(reply, {"id": 7, "error": {
            "class": "GenericError",
            "desc": f"The guest agent did not answer within {seconds} s; "
                    "guest-ping was sent and its outcome is unknown"}})

    def synced(self):
        """The agent is back in step, and what the proxy asks then was answered: nothing is in front of the next."""
        self.client.execute("guest-ping")
        self.wait_known()

    def ask(self, client, **more):
        client.send(json.dumps({"execute": "guest-ping", "id": 7, **more}).encode())

    def test_per_request(self):
        """It fails in its time and says so, for clients of both kinds; then the lane is as good as ever."""
        other = self.enterContext(self.proxy.client())
        raw = self.enterContext(AgentChannel.connect(self.raw, "a raw client"))
        raw.sync()
        for client, read in (other, other.read_reply), (raw, raw.read_message):
            with self.guest.stopped_agent():
                self.ask(client, **{"qga-proxy-timeout": 1})
                self.check_late(read(30), 1)
            self.assertIn("kernel-release", self.client.execute(ASKED))
            self.assertEqual(client.execute("guest-ping"), {})

    def test_precedence(self):
        """The request's own, else the session's, else the machine's."""
        other = self.enterContext(self.proxy.client())
        with self.guest.stopped_agent():
            self.ask(other)
            self.check_late(other.read_reply(30), 2)
        other.execute("qga-proxy-session-set", {"timeout": 3})
        self.synced()
        with self.guest.stopped_agent():
            self.ask(other)
            self.check_late(other.read_reply(30), 3)
        self.synced()
        with self.guest.stopped_agent():
            self.ask(other, **{"qga-proxy-timeout": 1})
            self.check_late(other.read_reply(30), 1)

    def test_mistakes(self):
        """QEMU's words for a member that is none of this command's, and a clear one for a value."""
        for message, words in (
                ({"execute": "query-status", "qga-proxy-timeout": 1},
                 "QMP input member 'qga-proxy-timeout' is unexpected"),
                ({"execute": "guest-ping", "qga-proxy-timeout": 0},
                 "QMP input member 'qga-proxy-timeout' must be an integer from 1 to 86400")):
            self.client.send(json.dumps(message).encode())
            self.assertEqual(self.client.read_reply(30), {"error": {"class": "GenericError", "desc": words}})
        self.assertEqual(self.client.execute("guest-ping"), {})


class Options(unittest.TestCase):
    def test_mistakes(self):
        """Each is told with its culprit, on one line, and nothing is left behind."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "proxy.sock")
            command = [program(PROXYD), "--qmp", f"unix:{folder}/qmp", "--listen", f"unix:{path}"]
            agent = ["--agent", f"unix:{folder}/agent"]
            for arguments, words in (
                    ([*agent, "--agent-cache", "guest-exec=5"],
                     "'guest-exec' is no command whose answer may be kept for others"),
                    ([*agent, "--agent-cache", "guest-get-time=5"], "'guest-get-time' is no command"),
                    ([*agent, "--agent-cache", f"{ASKED}=soon"],
                     f"{ASKED} may be kept for 1 to 86400 seconds, not 'soon'"),
                    ([*agent, "--agent-cache", ASKED], f"'{ASKED}' is not COMMAND=SECONDS"),
                    (["--agent-cache", f"{ASKED}=5"], "There is no guest agent's channel"),
                    ([*agent, "--limit", "thaw-seconds=0"], "limit 'thaw-seconds' is from 1 to 86400, not 0")):
                with self.subTest(arguments):
                    result = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=30)
                    self.assertEqual(result.returncode, 1)
                    self.assertIn(words, result.stderr)
                    self.assertEqual(result.stderr.count("\n"), 1)
                    self.assertFalse(path.exists())


del Case
