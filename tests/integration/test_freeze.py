# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that is frozen through the proxy ends up thawed: by its clients, when its lease ends, when its owner leaves,
whatever is killed meanwhile. Whether it is frozen is never taken from anybody's word but seen by writing in it."""

import collections
import functools
import os
import random
import subprocess
import sys
import time
import unittest
from pathlib import Path

from harness import Deadline, Guest, Proxy, QmpError, TimedOut

HERE = Path(__file__).resolve().parent

FILESYSTEMS = ("ext4", "xfs")
COUNT = len(FILESYSTEMS)

# Seconds of a lease that a test waits for, of what is left of one, and of one that none waits for.
LEASE = 3
SOON = 1
LONG = 120

# Seconds in which what is to happen at once has happened, on a machine that is busy with other things.
AT_ONCE = 10

# What decides when the proxy is killed. A failure is repeated with the same seed.
SEED = int(os.environ.get("QGA_SEED") or random.SystemRandom().randrange(2**32))

# Freezes the guest, says so, and stays until it is killed.
OWNER = """
import json, sys
from harness import Qmp
client = Qmp.connect(sys.argv[1], "the owner").negotiate()
client.execute("qga-proxy-session-set", json.loads(sys.argv[2]))
client.execute("guest-fsfreeze-freeze")
print("frozen", flush=True)
client.read_to_end(600)
"""

# The message of an agent that has most of its commands disabled, and of the proxy in its place.
DISABLED = r"Command {} has been disabled: the guest is frozen by {} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


@functools.cache
def shared_guest(agent):
    """One for all classes with that agent, which runs in it on both kinds of channel."""
    return unittest.enterModuleContext(Guest(agent, "both"))


class Case:
    """Subclasses say which agent, on which channel."""

    agent = "qga-agent"
    method = "virtio-serial"

    # In which the proxy is killed.
    rounds = 24

    def setUp(self):
        self.guest = shared_guest(self.agent)
        self.addCleanup(self.clean)
        self.state = self.guest.directory / f"state-{self.id()}"
        self.state.mkdir()

    def clean(self):
        """Whatever a test that failed has left, the next one finds a guest that runs, and thawed."""
        self.guest.qmp.command("cont")
        status, _ = self.guest.run(f"kill -CONT $(cat {self.guest.agent_pid_file(self.method)}); "
                                   f"[ -e /run/agent-{self.method}/qga.state.isfrozen ]")
        if status == 0:
            with self.guest.connect_agent(self.method) as agent:
                agent.sync()
                agent.execute("guest-fsfreeze-thaw")

    # Proxies and clients

    def serve(self, lease=LONG, **more):
        """A proxy that has nothing to do any more, and two clients of it."""
        self.lease = lease
        self.proxy = self.enterContext(self.make_proxy(lease, **more))
        self.proxy.wait_agent()
        self.proxy.wait_commands()
        self.client = self.enterContext(self.proxy.client("unix"))
        self.other = self.enterContext(self.proxy.client("tcp"))
        # With its answer to guest-info the proxy asks guest-capabilities, before this.
        self.client.command("guest-ping")

    def make_proxy(self, lease=LONG, state=None, **more):
        arguments = ["--freeze-lease", str(lease)]
        if state is not None:
            arguments += ["--state-dir", str(state)]
        return Proxy(self.guest, self.method, arguments=arguments, **more)

    def freeze(self, client):
        self.assertEqual(client.command("guest-fsfreeze-freeze"), COUNT)

    def end_soon(self):
        """The lease of what is frozen."""
        self.client.command("qga-proxy-freeze-renew", seconds=SOON)

    def thaw(self, client, count=COUNT):
        self.assertEqual(client.command("guest-fsfreeze-thaw"), count)

    def refused(self, client, error_class, pattern, name, **arguments):
        with self.assertRaises(QmpError) as raised:
            client.command(name, **arguments)
        self.assertEqual(raised.exception.error_class, error_class)
        self.assertRegex(raised.exception.desc, pattern)

    def check_honest(self, client, why, count=0):
        """The next thaw is told that its freeze was no more, and the one after that is as any other."""
        ended = f"^The freeze by .* had ended before, at .*: {why}$"
        self.refused(client, "GenericError", ended, "guest-fsfreeze-thaw")
        self.thaw(client, count)

    def told(self, client, reason, state="thawed", timeout=AT_ONCE):
        return client.wait_event("GUEST_FSFREEZE", timeout, reason=reason, state=state)["data"]

    def not_told(self, client, seconds):
        """For so long nobody thaws the guest behind its clients' backs."""
        with self.assertRaises(TimedOut):
            client.wait_event("GUEST_FSFREEZE", seconds)

    def freeze_state(self):
        return self.proxy.status()["freeze"]["state"]

    # The guest

    def signal_agent(self, signal):
        self.guest.signal_agent(signal, self.method)

    def stopped_agent(self):
        return self.guest.stopped_agent(self.method)

    def check_frozen(self):
        """Returns who is stuck writing."""
        return self.guest.stuck_touches(*FILESYSTEMS)

    def check_stuck(self, touches):
        """They are it still, and whoever was not would have said so by now."""
        self.guest.shell("true")
        for touch in touches:
            self.assertFalse(touch.done())

    def check_thawed(self, touches=None, timeout=AT_ONCE):
        deadline = Deadline(timeout)
        for touch in touches or self.guest.touch(*FILESYSTEMS):
            self.assertEqual(touch.wait(deadline), (0, ""))

    def set_timeout(self, seconds):
        """Of the client's guest commands."""
        self.client.execute("qga-proxy-session-set", {"timeout": seconds})

    def wait_sent(self, client, name, **arguments):
        """Sends a guest command, and waits until the agent has it."""
        sent = self.proxy.status()["agent"]["commands"]
        client.send_command(name, arguments)
        self.proxy.wait_status(f"{name} to be sent", lambda status: status["agent"]["commands"] > sent)

    def outcome_unknown(self, client, timeout=AT_ONCE):
        reply = client.read_reply(timeout)
        self.assertIn("was sent and its outcome is unknown", reply["error"]["desc"])


class Sharing(Case):
    """Who may do what while somebody else has frozen the guest."""

    def agent_states(self, client):
        """That were told before the last reply."""
        states = [event["data"]["state"] for event in client.events if event["event"] == "GUEST_AGENT_STATE"]
        client.events.clear()
        return states

    def test_shared(self):
        """One client freezes. The others are told, are refused what a frozen agent refuses and a second freeze, in the
        agent's words with the owner's name, and may thaw. Each change is told before the reply to who made it."""
        self.serve()
        name = "tcp:{}:{}".format(*self.other.sock.getsockname()[:2])
        self.assertEqual(self.proxy.status()["freeze"], {"state": "thawed", "thaws": 0})
        self.agent_states(self.other)
        self.freeze(self.other)
        self.assertEqual(self.agent_states(self.other), ["frozen"])
        freeze = self.proxy.status()["freeze"]
        self.assertEqual((freeze["state"], freeze["by"], freeze["thaws"]), ("frozen", name, 0))
        self.assertIn(freeze["lease"], range(LONG - AT_ONCE, LONG + 1))
        touches = self.check_frozen()

        for client in self.client, self.other:
            for command, arguments in (("guest-fsfreeze-freeze", {}), ("guest-fsfreeze-freeze-list", {}),
                                       ("guest-exec-status", {"pid": 1}), ("guest-file-open", {"path": "/tmp/no"})):
                self.refused(client, "CommandNotFound", DISABLED.format(command, name), command, **arguments)
            self.assertEqual(client.command("guest-ping"), {})
            self.assertEqual(client.command("guest-sync", id=7), 7)
            self.assertEqual(client.command("guest-fsfreeze-status"), "frozen")
        self.check_stuck(touches)

        self.agent_states(self.client)
        self.thaw(self.client)
        self.assertEqual(self.agent_states(self.client), ["ready"])
        self.check_thawed(touches)
        self.other.wait_event("GUEST_AGENT_STATE", AT_ONCE, state="ready")
        self.assertEqual(self.client.command("guest-fsfreeze-status"), "thawed")
        self.thaw(self.other, 0)
        self.assertEqual(self.proxy.status()["freeze"], {"state": "thawed", "thaws": 0})

    def test_two_at_once(self):
        """Of two who freeze at the same time one does, and the other's refusal changes nothing."""
        self.serve()
        with self.stopped_agent():
            self.wait_sent(self.client, "guest-fsfreeze-freeze")
            self.refused(self.other, "CommandNotFound", "has been disabled: the guest is freezing by unix:",
                         "guest-fsfreeze-freeze")
            self.assertEqual(self.freeze_state(), "freezing")
        self.assertEqual(self.client.read_reply(30), {"return": COUNT})
        self.assertEqual(self.freeze_state(), "frozen")
        touches = self.check_frozen()
        self.thaw(self.other)
        self.check_thawed(touches)

    def test_connection_for_each_command(self):
        """A client that connects for each command finds what it finds on the agent's own channel."""
        self.serve()
        for name, value in (("guest-fsfreeze-status", "thawed"), ("guest-fsfreeze-freeze", COUNT),
                            ("guest-fsfreeze-status", "frozen"), ("guest-fsfreeze-thaw", COUNT),
                            ("guest-fsfreeze-status", "thawed"), ("guest-fsfreeze-thaw", 0)):
            with self.proxy.client() as client:
                self.assertEqual(client.command(name), value)
            if value == "frozen":
                touches = self.check_frozen()
        self.check_thawed(touches)
        self.assertEqual(self.proxy.status()["freeze"]["thaws"], 0)


class Leases(Case):
    """How long a freeze lasts."""

    def test_lease(self):
        """When the lease ends the guest is thawed, all are told, and whoever thaws next is told once."""
        self.serve(AT_ONCE)  # which is enough to see it frozen
        self.freeze(self.client)
        touches = self.check_frozen()
        by = self.proxy.status()["freeze"]["by"]
        data = self.told(self.other, "lease", "thawing", timeout=2 * AT_ONCE)
        self.assertEqual((data["by"], set(data)), (by, {"state", "by", "since", "reason"}))
        self.told(self.other, "lease")
        self.check_thawed(touches)
        self.check_honest(self.client, "its lease ended")
        self.assertEqual(self.proxy.status()["freeze"], {"state": "thawed", "thaws": 1})
        # And nothing of it is left for the next.
        self.freeze(self.other)
        self.thaw(self.other)

    def test_renewed(self):
        """Whoever asks gives it more time, which ends too."""
        self.serve(LEASE)
        self.refused(self.other, "GenericError", "^Nothing is frozen$", "qga-proxy-freeze-renew")
        self.freeze(self.client)
        self.other.command("qga-proxy-freeze-renew", seconds=LONG)
        touches = self.check_frozen()
        self.not_told(self.other, LEASE + 0.5)
        self.check_stuck(touches)
        self.end_soon()
        self.told(self.other, "lease")
        self.check_thawed(touches)
        self.check_honest(self.client, "its lease ended")


class Disconnects(Case):
    """Whether a freeze outlives its owner is the owner's to say."""

    def own(self, thaw):
        """Another process that has frozen the guest."""
        session = '{"thaw-on-disconnect": %s}' % thaw
        process = subprocess.Popen([sys.executable, "-c", OWNER, self.proxy.unix, session], cwd=HERE,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"frozen\n")
        return process

    def test_thawed(self):
        """It had asked for that."""
        self.serve()
        process = self.own("true")
        touches = self.check_frozen()
        process.kill()
        self.told(self.other, "owner-left", "thawing")
        self.told(self.other, "owner-left")
        self.check_thawed(touches)
        self.check_honest(self.client, "its owner left")

    def test_stays(self):
        """It had not."""
        self.serve()
        process = self.own("false")
        touches = self.check_frozen()
        process.kill()
        self.proxy.wait_status("the owner to leave", lambda status: status["clients"] == 2, client=self.client)
        self.not_told(self.other, 1)
        self.check_stuck(touches)
        self.assertEqual(self.freeze_state(), "frozen")
        self.thaw(self.client)
        self.check_thawed(touches)


class Doubts(Case):
    """The agent does not answer, or goes."""

    def test_late_freeze(self):
        """A freeze that is not answered in its time is undone when the agent answers again, which carries it out
        first."""
        self.serve()
        self.set_timeout(2)
        with self.stopped_agent():
            self.refused(self.client, "GenericError",
                         "did not answer within 2 s; guest-fsfreeze-freeze was sent and its outcome is unknown$",
                         "guest-fsfreeze-freeze")
            self.told(self.other, "doubt", "thawing")
            self.assertEqual(self.freeze_state(), "thawing")
        self.told(self.other, "doubt")
        self.check_thawed()
        self.check_honest(self.client, "the guest agent had not answered, so that it was thawed")

    def test_agent_killed(self):
        """The lease holds for the agent that init starts, too, though it may not be there yet when that ends."""
        self.serve()
        self.freeze(self.client)
        touches = self.check_frozen()
        self.signal_agent("KILL")
        self.end_soon()
        self.told(self.other, "lease", "thawing")
        # On isa-serial nothing tells that the agent is another: what the first was asked is waited for, and then a
        # sync.
        self.told(self.other, "lease", timeout=60)
        self.check_thawed(touches)
        self.check_honest(self.client, "its lease ended")
        self.wait_command("guest-file-open")

    def wait_command(self, name):
        """Waits until it is enabled: a frozen agent has most of its commands disabled."""
        deadline = Deadline(AT_ONCE)
        while {"name": name} not in self.client.command("query-commands"):
            self.assertTrue(deadline.left(), f"{name} stays disabled")

    def test_agent_killed_while_thawing(self):
        """A thaw that was asked for is not given up, and nobody is told that it happened behind his back."""
        self.serve()
        self.set_timeout(2)
        self.freeze(self.client)
        touches = self.check_frozen()
        with self.stopped_agent():
            self.wait_sent(self.client, "guest-fsfreeze-thaw")
            self.signal_agent("KILL")
        self.outcome_unknown(self.client)
        self.check_thawed(touches)
        self.proxy.wait_status("the freeze to end", lambda status: status["freeze"] == {"state": "thawed", "thaws": 0})
        self.thaw(self.client, 0)

    def test_agent_killed_while_freezing(self):
        """Nobody knows whether it has frozen; in the end it has not."""
        self.serve()
        self.set_timeout(2)
        with self.stopped_agent():
            self.wait_sent(self.client, "guest-fsfreeze-freeze")
            self.signal_agent("KILL")
        self.outcome_unknown(self.client)
        self.told(self.other, "doubt")
        self.check_thawed()
        self.check_honest(self.client, "the guest agent had not answered, so that it was thawed")


class Crashes(Case):
    """The proxy is killed, and started again with the same state directory."""

    def restart(self):
        """As its supervisor would: at once, and where it was."""
        self.kill()
        self.serve_again()

    def kill(self):
        self.proxy.process.kill()
        self.proxy.process.wait()

    def serve_again(self):
        self.proxy = self.enterContext(self.make_proxy(self.lease, self.state, port=self.proxy.tcp[1]))

    def records(self):
        return [name for name in os.listdir(self.state) if name.startswith("vm-") and name.endswith(".frozen")]

    def wait_nothing_left(self):
        """The record goes in a thread of its own."""
        deadline = Deadline(AT_ONCE)
        while os.listdir(self.state):
            self.assertTrue(deadline.left(), os.listdir(self.state))
            self.proxy.status()

    def check_restarted(self, touches):
        """The agent, which was stopped until now, is the first to hear of the new proxy, which thaws and says so."""
        self.other = self.enterContext(self.proxy.client("tcp"))
        self.assertEqual(self.freeze_state(), "thawing")
        self.refused(self.other, "CommandNotFound", "the guest is thawing by a client of a former proxy since",
                     "guest-fsfreeze-freeze")
        self.signal_agent("CONT")
        self.told(self.other, "restart")
        self.check_thawed(touches)
        self.check_thawed()
        self.wait_nothing_left()
        self.assertEqual(self.proxy.status()["freeze"], {"state": "thawed", "thaws": 1})
        self.check_honest(self.other, "the proxy was started anew")

    def test_killed_while_freezing(self):
        """The freeze was sent and is on record; it is carried out when nobody is there any more."""
        self.serve(state=self.state)
        with self.stopped_agent():
            self.wait_sent(self.client, "guest-fsfreeze-freeze")
            self.restart()
            self.check_restarted(None)

    def test_killed_while_frozen(self):
        self.serve(state=self.state)
        self.freeze(self.client)
        touches = self.check_frozen()
        with self.stopped_agent():
            self.restart()
            self.check_restarted(touches)

    def test_killed_while_thawing(self):
        """Nobody has answered yet."""
        self.serve(state=self.state)
        self.freeze(self.client)
        touches = self.check_frozen()
        with self.stopped_agent():
            self.wait_sent(self.client, "guest-fsfreeze-thaw")
            self.restart()
            self.check_restarted(touches)

    def duration(self, name):
        began = time.monotonic()
        self.assertEqual(self.client.command(name), COUNT)
        return time.monotonic() - began

    def round(self, name, moment):
        """The proxy is killed so many seconds after a freeze, or a thaw, was asked for. Returns that, whether it had
        answered, and whether it left a record."""
        with self.proxy.client() as client:
            if name == "guest-fsfreeze-thaw":
                self.freeze(client)
            client.send_command(name)
            time.sleep(moment)
            self.kill()
            deadline = Deadline(AT_ONCE)
            records = self.records()
            touches = self.guest.touch(*FILESYSTEMS)
            self.serve_again()
            answered = b'{"return": ' in client.read_to_end(1)
        self.check_thawed(touches, deadline)
        # What the former one had sent lies in front of the first sync of this one: nothing freezes from here on.
        self.proxy.wait_agent()
        self.proxy.wait_status("the freeze to end", lambda status: status["freeze"]["state"] == "thawed")
        self.check_thawed()
        with self.proxy.client() as client:
            if records:
                self.check_honest(client, "the proxy was started anew")
            else:
                self.thaw(client, 0)
        self.wait_nothing_left()
        return name, answered, bool(records)

    def test_killed_at_any_moment(self):
        """However far a freeze is, or a thaw, the guest is thawed within the lease; whoever thaws next is told where
        the restarted proxy did it, and no record is left. The moments are random, and spread over the whole of
        either."""
        chance = random.Random(SEED)
        met = collections.Counter()
        self.serve(lease=AT_ONCE, state=self.state)
        names = ("guest-fsfreeze-freeze", "guest-fsfreeze-thaw")
        durations = {name: [] for name in names}
        for _ in range(3):
            for name in names:
                durations[name].append(self.duration(name))
        for number in range(self.rounds):
            name = names[number % 2]
            moment = max(durations[name]) * 1.2 * (number // 2 + chance.random()) / (self.rounds // 2)
            try:
                met[self.round(name, moment)] += 1
            except Exception as error:
                error.add_note(f"QGA_SEED={SEED}: round {number}, {name}, killed after {moment * 1000:.1f} ms")
                raise
        print(f"     QGA_SEED={SEED}")
        for (name, answered, record), count in sorted(met.items()):
            print(f"     {count:2} times {name}: answered {answered}, record {record}", flush=True)


class Machine(Case):
    """What QEMU does to a guest that is frozen."""

    def test_paused(self):
        """A lease that ends while the machine is paused: it is thawed when it runs again."""
        self.serve()
        self.freeze(self.client)
        touches = self.check_frozen()
        self.client.command("stop")
        self.end_soon()
        self.told(self.other, "lease", "thawing")
        self.not_told(self.other, 1)
        self.assertEqual(self.freeze_state(), "thawing")
        self.client.command("cont")
        self.told(self.other, "lease")
        self.check_thawed(touches)
        self.check_honest(self.client, "its lease ended")

    def test_reset(self):
        """A reset leaves nothing frozen. Who waits for the agent waits through it, until it answers."""
        self.serve(state=self.state)
        self.freeze(self.client)
        self.check_frozen()
        self.client.send_command("qga-proxy-wait-agent", {"timeout": 90})
        self.guest.reset()
        self.told(self.other, "guest")
        self.assertEqual(self.client.read_reply(90), {"return": {"state": "ready"}})
        self.assertEqual(self.client.command("guest-ping"), {})
        self.check_thawed()
        self.assertEqual(self.freeze_state(), "thawed")
        self.check_honest(self.client, "the guest was reset or thawed itself")
        self.assertEqual(os.listdir(self.state), [])


class Lasting(Case):
    """What does not depend on the agent."""

    def test_off(self):
        """Without a lease it lasts until somebody thaws, or gives it one."""
        self.serve("off")
        self.freeze(self.client)
        touches = self.check_frozen()
        self.assertNotIn("lease", self.proxy.status()["freeze"])
        self.not_told(self.other, 3 * LEASE)
        self.check_stuck(touches)
        self.thaw(self.other)
        self.check_thawed(touches)

    def check_not_frozen(self, why):
        """A freeze is refused, and not sent."""
        sent = self.proxy.status()["agent"]["commands"]
        self.refused(self.client, "GenericError", f"^The freeze cannot be put on record, and was not sent: .*{why}$",
                     "guest-fsfreeze-freeze")
        self.assertEqual(self.proxy.status()["agent"]["commands"], sent)
        self.assertEqual(self.freeze_state(), "thawed")
        self.check_thawed()

    def test_no_state_directory(self):
        """A freeze that could not be put on record was not sent; and when it can be again, it is."""
        self.serve(state=self.state)
        self.state.rmdir()
        self.check_not_frozen("No such file or directory")
        self.state.mkdir()
        self.freeze(self.client)
        touches = self.check_frozen()
        self.thaw(self.client)
        self.check_thawed(touches)

    def test_full_state_directory(self):
        """The same on a disk that has no room for one more file."""
        mount = f'mount -t tmpfs -o nr_inodes=1 none {self.state} && exec "$@"'
        unshare = ["unshare", "--user", "--map-root-user", "--mount"]
        self.serve(state=self.state, launcher=[*unshare, "sh", "-c", mount, "sh"])
        self.check_not_frozen("No space left on device")


class Replaced(Case):
    """Debian's agent and ours take each other's place while the guest is frozen."""

    agent = "qemu-ga"

    def replace(self, program):
        """By what init starts in the place of the one that is killed."""
        self.guest.shell(f"cp /usr/sbin/{program} /usr/sbin/next && mv /usr/sbin/next /usr/sbin/{self.agent}")
        self.signal_agent("KILL")

    def wait_version(self, differs_from):
        """Another agent answers, which is told by its version. Returns that."""
        status = self.proxy.wait_status("another agent", lambda status: status["agent"].get("version", differs_from)
                                        != differs_from)
        return status["agent"]["version"]

    def test_replaced(self):
        """Either thaws what the other has frozen: when it is asked, and when the lease ends."""
        self.serve()
        version = self.proxy.status()["agent"]["version"]
        self.guest.shell(f"cp /usr/sbin/{self.agent} /usr/sbin/stock")
        self.addCleanup(self.replace, "stock")

        self.freeze(self.client)
        touches = self.check_frozen()
        self.replace("qga-agent")
        ours = self.wait_version(version)
        self.check_stuck(touches)
        self.assertEqual(self.client.command("guest-fsfreeze-status"), "frozen")
        self.thaw(self.client)
        self.check_thawed(touches)

        self.freeze(self.client)
        touches = self.check_frozen()
        self.replace("stock")
        self.end_soon()
        self.told(self.other, "lease")
        self.check_thawed(touches)
        self.assertEqual(self.wait_version(ours), version)
        self.check_honest(self.client, "its lease ended")


class Virtio(Sharing, Leases, Lasting, Disconnects, Doubts, Crashes, Machine, unittest.TestCase):
    pass


class Stock(Sharing, Leases, Disconnects, Doubts, Crashes, Machine, Replaced, unittest.TestCase):
    agent = "qemu-ga"


class Isa(Doubts, Crashes, unittest.TestCase):
    """On the channel that cannot tell whether anybody is there."""

    method = "isa-serial"
    rounds = 12


class StockIsa(Doubts, Crashes, unittest.TestCase):
    agent = "qemu-ga"
    method = "isa-serial"
    rounds = 12
