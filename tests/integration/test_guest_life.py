# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest goes through: resets, reboots, crashes, pauses, sleep, agents that die or become others, migration. Each
with a command under way, which ends at once and says what is known of it; with the states that are told meanwhile;
and with the line up again by itself, as soon as the agent is there.

Both kinds of channel are tried in the same guest at the same time, each with a proxy of its own."""

import functools
import itertools
import tempfile
import time
import unittest

from harness import Deadline, Guest, Proxy

METHODS = ("virtio-serial", "isa-serial")

# Seconds in which an answer came at once: any time limit of a command is longer.
AT_ONCE = 5

# In which a ping is answered that waits for an agent that has opened its channel. It takes some ms; this is for a
# machine that is busy. On isa-serial nothing tells that it was opened: up to 2 s go by until the next sync. An agent
# that took several commands at once is asked a question first, for 1 s, as a sync costs others their answers.
READY = {"virtio-serial": 1 + AT_ONCE, "isa-serial": 3 + AT_ONCE}
ASKED = 1

UNKNOWN = "was sent and its outcome is unknown"

# What a kernel that panics does to the device that tells QEMU, for which the guest has no driver.
PANIC = ("device=$(grep -l 0x0011 /sys/bus/pci/devices/*/device) && cd ${device%/*} && echo 1 > enable && "
         "read start rest < resource && busybox devmem $start 8 1")


def monitor_arguments(directory):
    """A monitor for a second proxy, and a machine that stands still when its kernel has crashed."""
    return ["-qmp", f"unix:{directory}/second.sock,server=on,wait=off",
            "-device", "pvpanic-pci", "-action", "panic=pause"]


@functools.cache
def shared_guest(agent):
    directory = unittest.enterModuleContext(tempfile.TemporaryDirectory(prefix="qga-"))
    guest = unittest.enterModuleContext(Guest(agent, "both", qemu_arguments=monitor_arguments(directory)))
    guest.second = f"unix:{directory}/second.sock"
    return guest


class Lane:
    """A proxy for one of the guest's channels, with a client that asks, one that waits behind it or, with an agent that
    takes several commands at once, is beside it, and one that only listens."""

    def __init__(self, test, guest, method, arguments=()):
        self.test = test
        self.guest = guest
        self.method = method
        self.pipelined = False
        self.proxy = Proxy(guest, method, monitor=None if method == METHODS[0] else guest.second, arguments=arguments)
        self.proxy.unix = str(guest.directory / f"{method}.proxy")
        test.enterContext(self.proxy)

    def meet(self):
        """The agent is there, and what the proxy asks each was asked."""
        self.proxy.wait_agent()
        self.proxy.wait_commands()
        self.client, self.behind, self.listener = (self.test.enterContext(self.proxy.client()) for _ in range(3))

    def pend(self):
        """A command is under way, which its agent does not answer, and another waits or is under way beside it."""
        self.guest.signal_agent("STOP", self.method)
        agent = self.proxy.status()["agent"]
        self.pipelined = agent["depth"] > 1
        sent = agent["commands"]
        counts = (0, sent + 2) if self.pipelined else (1, sent + 1)
        with self.guest.arrival(self.proxy, self.method):
            self.client.send_command("guest-file-open", {"path": "/tmp/nowhere"})
            self.proxy.wait_agent_running("guest-file-open")
            self.behind.send_command("guest-info")
            self.proxy.wait_status("a second command",
                                   lambda status: (status["agent"]["queued"], status["agent"]["commands"]) == counts)

    def lost(self, why, waits=False, alone=False, timeout=AT_ONCE):
        """The one under way has an unknown outcome, and so has one beside it, unless the first is lost alone. One that
        waits behind it was not sent, unless it goes on waiting."""
        reply = self.client.read_reply(timeout)
        self.test.assertRegex(reply["error"]["desc"], f"^{why}; guest-file-open {UNKNOWN}$")
        self.behind_goes_on = alone if self.pipelined else waits
        if not self.behind_goes_on:
            reply = self.behind.read_reply(AT_ONCE)
            self.test.assertRegex(reply["error"]["desc"],
                                  f"; guest-info {UNKNOWN if self.pipelined else 'was not sent'}$")

    def check_behind(self, answered=True):
        """What becomes of it when an agent is there again: one that was under way has an unknown outcome. Not always is
        that soon enough for one that waits."""
        if not self.behind_goes_on:
            return
        reply = self.behind.read_reply(30)
        if self.pipelined:
            self.test.assertTrue(reply["error"]["desc"].endswith(f"; guest-info {UNKNOWN}"), reply)
        else:
            self.test.assertTrue("return" in reply or
                                 (not answered and reply["error"]["desc"].endswith("; guest-info was not sent")), reply)

    def refuses(self, why):
        """What comes now is not sent."""
        self.client.send_command("guest-ping")
        reply = self.client.read_reply(AT_ONCE)
        self.test.assertRegex(reply["error"]["desc"], f"^{why}; guest-ping was not sent$")

    def wait_ready(self):
        """Sends a ping that goes to the agent as soon as it answers."""
        self.client.send_command("qga-proxy-wait-agent", {"timeout": 90})
        self.client.send_command("guest-ping")

    def check_ready(self, began):
        """That was answered, so many seconds after the agent began."""
        self.test.assertEqual(self.client.read_reply(90), {"return": {"state": "ready"}})
        self.test.assertEqual(self.client.read_reply(30), {"return": {}})
        took = time.time() - began
        print(f"     {self.method}: a ping was answered {took * 1000:.0f} ms after the agent was there", flush=True)
        self.test.assertLess(took, READY[self.method] + (ASKED if self.pipelined else 0))

    def states(self):
        """That were told until now, and since this was asked last."""
        self.listener.command("query-status")
        told = [event["data"]["state"] for event in self.listener.events if event["event"] == "GUEST_AGENT_STATE"]
        self.listener.events.clear()
        return told

    def agent_version(self):
        return self.proxy.status()["agent"].get("version")


def moment(event):
    stamp = event["timestamp"]
    return stamp["seconds"] + stamp["microseconds"] / 1e6


class Case:
    """Subclasses say which agent."""

    def setUp(self):
        self.guest = shared_guest(self.agent)
        self.guest.qmp.events.clear()
        self.lanes = [Lane(self, self.guest, method) for method in METHODS]
        for lane in self.lanes:
            lane.meet()
        self.addCleanup(self.clean)

    def clean(self):
        """Whatever a test that failed has left, the next one finds agents that run."""
        if self.guest.process is not None:
            self.guest.qmp.command("cont")
            self.guest.run("kill -CONT $(cat /run/agent-*/supervised.pid)")

    def each(self, name, *arguments):
        for lane in self.lanes:
            getattr(lane, name)(*arguments)

    def wait_open(self):
        """When the agent opened its virtio-serial port."""
        return moment(self.guest.qmp.wait_event("VSERPORT_CHANGE", 90, id="agent0", open=True))

    def check_again(self):
        """All goes on: guest commands in the order of the questions, and QEMU's."""
        for lane in self.lanes:
            for number, client in enumerate((lane.client, lane.listener)):
                self.assertEqual(client.command("guest-sync", id=number), number)
                self.assertEqual(client.command("query-status")["status"], "running")

    def collapse(self, told):
        """Whether a silent agent was given up before it came depends on how long the boot took."""
        return [state for state, _ in itertools.groupby(state for state in told if state != "hung")]

    def check_boot(self):
        self.guest.qmp.wait_event("RESET")
        self.guest.control.forget()
        opened = self.wait_open()
        self.each("check_ready", opened)
        self.guest.control.wait_ready(90)

    def booted(self, timeout=AT_ONCE):
        """The guest was reset with commands under way, by whomever."""
        for lane in self.lanes:
            # QEMU closes the port first.
            lane.lost("The guest (was reset|agent closed its port)", waits=True, timeout=timeout)
            lane.wait_ready()
        self.check_boot()
        states = {lane.method: self.collapse(lane.states()) for lane in self.lanes}
        self.assertEqual(states["isa-serial"], ["syncing", "ready"])
        self.assertEqual(states["virtio-serial"][-3:], ["closed", "syncing", "ready"])
        self.each("check_behind", False)
        self.check_again()

    def test_system_reset(self):
        """QEMU's reset, which a client asks for."""
        self.each("pend")
        self.lanes[0].listener.command("system_reset")
        self.booted()

    def test_reboot(self):
        """By the guest itself. What writes to its disks, stops agents and resets takes as long as it takes."""
        self.each("pend")
        self.guest.spawn("reboot -f")
        self.booted(30)

    def test_crash(self):
        """The kernel panics, and boots again at once."""
        self.each("pend")
        self.guest.console.minds_panic = False
        self.addCleanup(setattr, self.guest.console, "minds_panic", True)
        self.guest.spawn("echo c > /proc/sysrq-trigger")
        self.booted()

    def test_crash_told(self):
        """A panic that a device tells of, and the machine stands still. It is reset, and boots."""
        self.each("pend")
        self.guest.spawn(PANIC)
        for lane in self.lanes:
            lane.lost("The guest's kernel has crashed")
            lane.proxy.wait_agent_state("paused")
            lane.refuses("The virtual machine is paused")
            self.assertIn("paused", lane.states())
            lane.wait_ready()
        self.guest.qmp.command("system_reset")
        self.guest.qmp.command("cont")
        self.check_boot()
        self.check_again()

    def test_pause(self):
        """While the machine stands still a command stays under way, others are refused, and its answer comes when it
        goes on."""
        self.each("pend")
        self.guest.qmp.command("stop")
        for lane in self.lanes:
            lane.proxy.wait_agent_state("paused")
            with lane.proxy.client() as client:
                client.send_command("guest-ping")
                self.assertIn("paused; guest-ping was not sent", client.read_reply(AT_ONCE)["error"]["desc"])
            self.assertEqual(lane.proxy.status()["agent"]["queued"], 0 if lane.pipelined else 1)
        self.guest.qmp.command("cont")
        began = time.time()
        self.guest.run("kill -CONT $(cat /run/agent-*/supervised.pid)")
        for lane in self.lanes:
            self.assertIn("Failed to open", str(lane.client.read_reply(AT_ONCE)).replace("failed", "Failed"))
            self.assertIn("return", lane.behind.read_reply(AT_ONCE))
            self.assertEqual(lane.states(), ["paused", "ready"])
            lane.wait_ready()
            lane.check_ready(began)
        self.check_again()

    def test_sleep(self):
        """The guest sleeps, which nobody asked its agent for, and wakes up."""
        self.guest.hold_xfs()
        self.each("pend")
        self.guest.spawn("echo mem > /sys/power/state")
        self.guest.qmp.wait_event("SUSPEND", 60)
        for lane in self.lanes:
            # Its driver closes the port on the way.
            lane.lost("The guest (is asleep|agent closed its port)")
            lane.proxy.wait_agent_state("asleep")
            lane.refuses("The guest is asleep")
            self.assertEqual(lane.states()[-1], "asleep")
            lane.wait_ready()
        self.guest.qmp.command("system_wakeup")
        self.guest.qmp.wait_event("WAKEUP")
        self.guest.run("kill -CONT $(cat /run/agent-*/supervised.pid)")
        self.each("check_ready", time.time())
        self.guest.release_xfs()
        self.check_again()

    def pid(self, method):
        return self.guest.shell(f"cat {self.guest.agent_pid_file(method)}")

    def restart(self, lane):
        """The agent is killed with a command under way, and init starts another. Returns when."""
        before = self.pid(lane.method)
        lane.pend()
        self.guest.signal_agent("KILL", lane.method)
        self.guest.wait_until(f"[ $(cat {self.guest.agent_pid_file(lane.method)}) != {before} ]")
        return time.time()

    def test_agent_killed(self):
        """virtio-serial tells that at once. On isa-serial only the time limit of the command does, here its own, or a
        sync that the next agent answers."""
        virtio, isa = self.lanes
        isa.client.execute("qga-proxy-session-set", {"timeout": 2})
        began = self.restart(virtio)
        virtio.lost("The guest agent closed its port")
        virtio.wait_ready()
        virtio.check_ready(began)
        self.assertEqual(virtio.states(), ["closed", "syncing", "ready"])
        began = self.restart(isa)
        isa.lost("The guest agent did not answer within 2 s", waits=True, alone=True)
        isa.wait_ready()
        isa.check_ready(max(began, time.time()))
        isa.check_behind()
        self.assertEqual(isa.states(), ["syncing", "ready"])
        self.check_again()


class Ours(Case, unittest.TestCase):
    agent = "qga-agent"

    def replace(self, name):
        """By what init starts in the place of those that are killed with commands under way."""
        versions = [lane.agent_version() for lane in self.lanes]
        self.guest.shell(f"cp /usr/sbin/{name} /usr/sbin/next && mv /usr/sbin/next /usr/sbin/{self.agent}")
        for lane, version in zip(self.lanes, versions):
            lane.client.execute("qga-proxy-session-set", {"timeout": 2})
            began = self.restart(lane)
            isa = lane.method == "isa-serial"
            lane.lost("The guest agent .*", waits=isa, alone=isa)
            lane.wait_ready()
            lane.check_ready(max(began, time.time()))
            lane.proxy.wait_status("another agent", lambda status: status["agent"].get("version", version) != version)
            self.assertEqual(lane.states()[-1], "ready")
            lane.check_behind()
        self.check_again()

    def test_agent_replaced(self):
        """By Debian's, and back, in a guest that runs."""
        self.guest.shell(f"cp /usr/sbin/{self.agent} /usr/sbin/ours")
        self.replace("qemu-ga")
        self.replace("ours")


class Stock(Case, unittest.TestCase):
    agent = "qemu-ga"


class Migration:
    """To another QEMU on this machine, which has a proxy of its own from the beginning."""

    # Seconds, in which all that is to be seen of a frozen guest has been seen.
    lease = 10

    def setUp(self):
        directory = self.enterContext(tempfile.TemporaryDirectory(prefix="qga-"))
        self.source = self.enterContext(Guest(self.agent, "both", qemu_arguments=monitor_arguments(directory)))
        self.source.second = f"unix:{directory}/second.sock"
        there = self.enterContext(tempfile.TemporaryDirectory(prefix="qga-"))
        self.target = self.enterContext(self.source.target(qemu_arguments=monitor_arguments(there)))
        self.target.second = f"unix:{there}/second.sock"
        lease = ["--freeze-lease", str(self.lease)]
        self.here = [Lane(self, self.source, method) for method in METHODS]
        self.there = [Lane(self, self.target, method, lease) for method in METHODS]
        for lane in self.here:
            lane.meet()
        for lane in self.there:
            lane.proxy.wait_agent_state("paused")
            lane.client, lane.listener = (self.enterContext(lane.proxy.client()) for _ in range(2))

    def check_left(self, lane):
        """Nothing is sent there any more, and QEMU's end is everybody's."""
        self.assertEqual(lane.listener.command("query-status")["status"], "postmigrate")
        self.assertEqual(lane.proxy.status()["agent"]["state"], "paused")
        lane.refuses("The virtual machine is paused")
        self.assertEqual(lane.states()[-1], "paused")

    def check_ended(self):
        self.source.kill()
        for lane in self.here:
            self.assertEqual([line for line in lane.client.read_rest(AT_ONCE) if b'"event"' not in line], [])
            self.assertEqual(lane.proxy.wait_exit(), 0)

    def test_migration(self):
        """What is under way at the source ends there, when the guest has left; the target's line comes up by itself,
        with an agent that still has the source's command to answer first."""
        for lane in self.here:
            lane.pend()
        for lane in self.there:
            lane.refuses("The virtual machine is paused")
            lane.wait_ready()
        self.target.arrive()
        arrived = time.time()
        for lane in self.here:
            lane.lost("The guest was migrated away")
            self.check_left(lane)
        self.target.run("kill -CONT $(cat /run/agent-*/supervised.pid)")
        for lane in self.there:
            lane.check_ready(arrived)
            self.assertEqual(lane.client.command("guest-sync", id=7), 7)
            self.assertEqual(lane.states()[-1], "ready")
        self.check_ended()
        for lane in self.there:
            self.assertEqual(lane.client.command("guest-sync", id=8), 8)

    def test_frozen(self):
        """A guest that was frozen at the source arrives frozen. The target's proxy finds that by itself, and its lease
        ends it, though nobody there asks for anything."""
        source, target = self.here[0], self.there[0]
        self.assertEqual(source.client.command("guest-fsfreeze-freeze"), 2)
        touches = self.source.stuck_touches("ext4", "xfs")
        self.target.arrive()
        arrived = time.time()
        freeze = target.proxy.wait_status("the freeze to be found",
                                          lambda status: status["freeze"]["state"] == "frozen", AT_ONCE)["freeze"]
        print(f"     the freeze was found {(time.time() - arrived) * 1000:.0f} ms after the arrival", flush=True)
        self.assertEqual(freeze["by"], "an unknown client")
        self.assertIn("frozen", target.states())
        self.target.run("true")
        for touch in touches:
            self.assertFalse(touch.done())
        self.check_left(source)
        self.assertEqual(source.proxy.status()["freeze"]["state"], "frozen")
        target.client.wait_event("GUEST_FSFREEZE", self.lease + AT_ONCE, reason="lease", state="thawed")
        deadline = Deadline(AT_ONCE)
        for touch in touches:
            self.assertEqual(touch.wait(deadline), (0, ""))
        self.check_ended()


class OursMigrates(Migration, unittest.TestCase):
    agent = "qga-agent"


class StockMigrates(Migration, unittest.TestCase):
    agent = "qemu-ga"
