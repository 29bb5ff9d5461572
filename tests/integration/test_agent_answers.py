# SPDX-License-Identifier: GPL-2.0-or-later
"""Our agent and Debian's qemu-ga, side by side in one guest: each is asked the same, and answers the same but where
docs/agent-differences.md says otherwise. The tests here are of what both tell of the system."""

import base64
import struct
import unittest

from harness import Guest
from harness.agent import AgentError

SECOND = 10**9
TIME = 1_700_000_000 * SECOND

# Seconds by which a clock that was set may have gone on when it is looked at.
LATER = 60

# Commands that the stock agent of Debian 12 is too old for.
NEWER = {"guest-get-load", "guest-network-get-route"}
WITHOUT_ARGUMENTS = {
    "guest-get-cpustats", "guest-get-diskstats", "guest-get-host-name", "guest-get-load", "guest-get-osinfo",
    "guest-get-time", "guest-get-timezone", "guest-get-users", "guest-network-get-interfaces",
    "guest-network-get-route",
}
COUNTERS = ("bytes", "packets", "errs", "dropped")
BY_UNAME = {"kernel-release", "kernel-version", "machine"}
HWCLOCK_FAILED = "failed to set hardware clock to system time"


def shape(value):
    """What a value is made of; the elements of a list are to be alike in what they all have."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in value.items()}
    return [shape(element) for element in value] if isinstance(value, list) else type(value)


def record(kind, user, seconds, microseconds=0):
    """One of utmp."""
    return struct.pack("<hhi32s4s32s256shhiii16s20s", kind, 0, 1, b"tty1", b"1", user, b"", 0, 0, 0, seconds,
                       microseconds, b"", b"")


def zone(name, offset):
    """A file as in /usr/share/zoneinfo, for a zone that never changes."""
    part = (b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, len(name) + 1)
            + struct.pack(">lBB", offset, 0, 0) + name + b"\0")
    return part + part + b"\n<%s>%d\n" % (name, -offset // 3600)


class Pair:
    """Subclasses say what the kernel is told, and which agent is ours."""

    program = "qga-agent"
    kernel_arguments = []

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(cls.program, kernel_arguments=cls.kernel_arguments))
        cls.guest.spawn("/lib/guest/agent isa-serial qemu-ga")
        cls.ours = cls.enterClassContext(cls.guest.connect_agent())
        cls.stock = cls.enterClassContext(cls.guest.connect_agent("isa-serial"))
        cls.ours.sync()
        cls.stock.sync()

    def shell(self, command):
        return self.guest.shell(command)

    def put(self, path, data):
        """Writes a file in the guest; it goes away with the test."""
        text = base64.b64encode(data).decode()
        self.shell(f"mkdir -p $(dirname {path}); echo {text} | base64 -d > {path}")
        self.addCleanup(self.shell, f"rm -f {path}")

    def hide(self, path):
        """Takes a file away until the test ends."""
        self.shell(f"mv {path} {path}.hidden")
        self.addCleanup(self.shell, f"mv {path}.hidden {path}")

    def cover(self, directory):
        """Puts an empty directory over one until the test ends."""
        self.shell(f"mkdir -p /tmp/empty; mount --bind /tmp/empty {directory}")
        self.addCleanup(self.shell, f"umount {directory}")

    def both(self, name, **arguments):
        return self.ours.execute(name, arguments), self.stock.execute(name, arguments)

    def same(self, name, **arguments):
        """Both return the same, which is returned."""
        ours, stock = self.both(name, **arguments)
        self.assertEqual(ours, stock)
        self.assertEqual(shape(ours), shape(stock))
        return ours

    def refused(self, agent, name, **arguments):
        with self.assertRaises(AgentError) as caught:
            agent.execute(name, arguments)
        return caught.exception.error_class, caught.exception.desc

    def same_error(self, words, name, **arguments):
        ours = self.refused(self.ours, name, **arguments)
        self.assertEqual(ours, self.refused(self.stock, name, **arguments))
        self.assertIn(words, ours[1])


class System(Pair, unittest.TestCase):
    # All commands

    def test_offered(self):
        """What the stock agent lacks is what it is too old for: nobody else compares these."""
        ours, stock = ({entry["name"]: entry for entry in answer["supported_commands"]}
                       for answer in self.both("guest-info"))
        for name in WITHOUT_ARGUMENTS | {"guest-set-time"}:
            self.assertEqual(ours[name], {"name": name, "enabled": True, "success-response": True})
            self.assertEqual(stock.get(name), None if name in NEWER else ours[name])
        self.assertEqual(ours.pop("guest-capabilities"),
                         {"name": "guest-capabilities", "enabled": True, "success-response": True})
        self.assertEqual(len(ours), 43)
        self.assertEqual(self.refused(self.stock, "guest-capabilities"),
                         ("CommandNotFound", "The command guest-capabilities has not been found"))

    def test_arguments(self):
        """None of these takes any."""
        for name in WITHOUT_ARGUMENTS - NEWER:
            self.same_error("Parameter 'more' is unexpected", name, more=1)
        for name in NEWER:
            self.assertEqual(self.refused(self.ours, name, more=1),
                             ("GenericError", "Parameter 'more' is unexpected"))

    # Network

    def network(self):
        """Two interfaces with addresses, of which one has a label, and one without."""
        self.shell("modprobe dummy numdummies=2; ip link set lo up; ip link set dummy0 up;"
                   " ip addr add 192.0.2.7/28 dev dummy0; ip -6 addr add 2001:db8::7/64 dev dummy0;"
                   " ip addr add 192.0.2.9/28 dev dummy0 label dummy0:1;"
                   " ip route add 198.51.100.0/24 via 192.0.2.1 metric 7")
        self.addCleanup(self.shell, "ip link set lo down; modprobe -r dummy")

    def test_interfaces(self):
        """Statistics of an interface without addresses are told by ours only."""
        self.network()
        ours, stock = self.both("guest-network-get-interfaces")
        self.assertEqual([entry["name"] for entry in ours], ["lo", "dummy0", "dummy1", "dummy0:1"])
        bare = ours[2]
        self.assertNotIn("ip-addresses", bare)
        self.assertEqual(bare.pop("statistics").keys(), {f"{way}-{what}" for way in ("rx", "tx") for what in COUNTERS})
        self.assertEqual(shape(ours), shape(stock))
        for entry in ours + stock:
            entry.pop("statistics", None)
        self.assertEqual(ours, stock)
        self.assertIn({"ip-address-type": "ipv4", "ip-address": "192.0.2.7", "prefix": 28}, ours[1]["ip-addresses"])

    def test_statistics(self):
        """Both read the same counters."""
        self.network()
        self.shell("ping -c 3 -s 1000 127.0.0.1")
        ours, stock = self.both("guest-network-get-interfaces")
        self.assertEqual(ours[0], stock[0])
        self.assertGreaterEqual(ours[0]["statistics"]["rx-bytes"], 6 * 1000)
        self.assertEqual(ours[0]["statistics"]["rx-packets"], ours[0]["statistics"]["tx-packets"])

    def test_interfaces_vanish(self):
        """They are answered while one comes and goes all the time, whole or not at all."""
        self.network()
        task = self.guest.spawn("for i in $(seq 40); do ip link add vanishing type dummy;"
                                " ip link set vanishing up; ip addr add 203.0.113.1/32 dev vanishing;"
                                " ip link del vanishing; done")
        seen = set()
        while not task.done():
            answer = self.ours.execute("guest-network-get-interfaces")
            seen.add(frozenset(entry["name"] for entry in answer if not entry["name"].startswith("dummy")))
        self.assertEqual(task.wait(), (0, ""))
        self.assertLessEqual(seen, {frozenset({"lo"}), frozenset({"lo", "vanishing"})})

    def test_without_proc(self):
        """Interfaces need no more of /proc than their statistics."""
        self.network()
        self.cover("/proc/$(cat /run/agent-virtio-serial/supervised.pid)/net")
        answer = self.ours.execute("guest-network-get-interfaces")
        self.assertEqual([entry["name"] for entry in answer], ["lo", "dummy0", "dummy1", "dummy0:1"])
        self.assertEqual(self.refused(self.ours, "guest-network-get-route"),
                         ("GenericError", 'open("/proc/net/route"): No such file or directory'))
        # Where the same kills qemu-ga, this one is there still.
        self.assertEqual(self.ours.execute("guest-ping"), {})

    def test_routes(self):
        """What the kernel's tables say, which the stock agent of Debian 12 does not tell."""
        self.network()
        routes = self.ours.execute("guest-network-get-route")
        self.assertEqual([route["version"] for route in routes], sorted(route["version"] for route in routes))
        ours = [{key: route[key] for key in ("iface", "destination", "gateway", "mask", "metric", "flags")}
                for route in routes if route["version"] == 4]
        self.assertIn({"iface": "dummy0", "destination": "198.51.100.0", "gateway": "192.0.2.1",
                       "mask": "255.255.255.0", "metric": 7, "flags": 3}, ours)
        self.assertIn({"iface": "dummy0", "destination": "192.0.2.0", "gateway": "0.0.0.0",
                       "mask": "255.255.255.240", "metric": 0, "flags": 1}, ours)
        [route] = [route for route in routes if route["destination"] == "2001:db8::"]
        self.assertEqual((route["desprefixlen"], route["srcprefixlen"], route["nexthop"], route["iface"]),
                         ("64", "0", "::", "dummy0"))
        lines = self.shell("cat /proc/net/route /proc/net/ipv6_route | wc -l")
        self.assertEqual(len(routes), int(lines) - 1)

    # System

    def test_system(self):
        """What does not change meanwhile is the same."""
        signal = "for writer in ext4 xfs; do kill -{} -$(cat /run/writer-$writer.pid); done"
        self.shell(signal.format("STOP") + "; sync")
        self.addCleanup(self.shell, signal.format("CONT"))
        for name in "guest-get-host-name", "guest-get-timezone", "guest-get-diskstats", "guest-get-users":
            with self.subTest(name):
                # But for a disk that somebody writes to at this moment.
                for _ in range(10):
                    ours, stock = self.both(name)
                    if ours == stock:
                        break
                self.assertEqual(ours, stock)
                self.assertEqual(shape(ours), shape(stock))

    def test_host_names(self):
        """For the longest name that there may be qemu-ga has one byte too few."""
        before = self.shell("hostname")
        self.addCleanup(self.shell, f"hostname '{before}'")
        for name in "guest", "b\u00e4r", 63 * "x", "":
            self.shell(f"hostname '{name}'")
            self.assertEqual(self.same("guest-get-host-name"), {"host-name": name})
        self.shell(f"hostname {64 * 'x'}")
        self.assertEqual(self.ours.execute("guest-get-host-name"), {"host-name": 64 * "x"})
        self.assertEqual(self.refused(self.stock, "guest-get-host-name"),
                         ("GenericError", "cannot get hostname: File name too long"))

    def test_cpustats(self):
        """Counters only grow, and all are there."""
        before, stock, after = (agent.execute("guest-get-cpustats") for agent in (self.ours, self.stock, self.ours))
        self.assertEqual(shape(before), shape(stock))
        for first, second, third in zip(before, stock, after, strict=True):
            self.assertEqual((first["type"], first["cpu"]), (second["type"], second["cpu"]))
            for name in first.keys() - {"type"}:
                self.assertLessEqual(first[name], second[name])
                self.assertLessEqual(second[name], third[name])

    def test_load(self):
        load = self.ours.execute("guest-get-load")
        self.assertEqual(load.keys(), {"load1m", "load5m", "load15m"})
        for value in load.values():
            self.assertIn(type(value), (int, float))
            self.assertGreaterEqual(value, 0)

    def test_osinfo(self):
        """The same where os-release is as others write it, or missing; ours reads on where qemu-ga's parser of key
        files gives up, and knows all quotes of a shell."""
        info = self.same("guest-get-osinfo")
        self.assertEqual(info.keys(), BY_UNAME)
        for path in "/usr/lib/os-release", "/etc/os-release":
            self.put(path, b'ID=some\nNAME="A \\"quoted\\" \\$name \\\\ \'x\'"\n#VARIANT=x\n\nVERSION_ID=""\n'
                           b'PRETTY_NAME=Some word\nVERSION="12 (%s)"\n  VARIANT=y\nHOME_URL="https://example.org/"\n'
                           % path.encode())
            info = self.same("guest-get-osinfo")
            self.assertEqual({key: info[key] for key in info.keys() - BY_UNAME}, {
                "id": "some", "name": "A \"quoted\" $name \\ 'x'", "version-id": "", "pretty-name": "Some",
                "version": f"12 ({path})", "variant": "y"})
        self.shell("rm /usr/lib/os-release")
        for text, ours_tells, stock_tells in (
                (b"ID='single quotes'", {"id": "single quotes"}, {"id": "'single"}),
                (b"ID=\"a\"'b'c", {"id": "abc"}, {"id": "a"}),
                (b"ID=a\\ b", {"id": "a b"}, {"id": "a\\"}),
                (b"ID=a\nrubbish\nNAME=b", {"id": "a", "name": "b"}, {}),
                (b"ID=a\nNAME=\xff", {"id": "a", "name": "\ufffd"}, {})):
            self.put("/etc/os-release", text + b"\n")
            for info, tells in zip(self.both("guest-get-osinfo"), (ours_tells, stock_tells), strict=True):
                self.assertEqual({key: info[key] for key in info.keys() - BY_UNAME}, tells, text)

    def test_timezone_changes(self):
        """Ours looks again, qemu-ga once and for all."""
        self.assertEqual(self.same("guest-get-timezone"), {"zone": "UTC", "offset": 0})
        self.put("/etc/localtime", zone(b"ABC", 7200))
        self.assertEqual(self.both("guest-get-timezone"),
                         ({"zone": "ABC", "offset": 7200}, {"zone": "UTC", "offset": 0}))

    # Users

    def test_utmp(self):
        """Once each, with the first time; the order is no part of the answer."""
        self.shell("mkdir -p /var; [ -e /var/run ] || ln -s /run /var/run")
        self.put("/run/utmp", b"".join([
            record(2, b"reboot", 1), record(7, b"bob", 2000, 500000), record(6, b"LOGIN", 1),
            record(7, b"alice", 3000), record(7, b"bob", 1000, 250000), record(8, b"carol", 1),
            record(7, 32 * b"x", 5, 1)]))
        ours, stock = (sorted(answer, key=lambda user: user["user"]) for answer in self.both("guest-get-users"))
        self.assertEqual(ours, stock)
        self.assertEqual(ours, [{"user": "alice", "login-time": 3000}, {"user": "bob", "login-time": 1000.25},
                                {"user": 32 * "x", "login-time": 5.000001}])

    def test_logind(self):
        """Where there is no utmp qemu-ga knows of nobody."""
        self.put("/run/systemd/sessions/1", b"USER=alice\nCLASS=user\nSTATE=active\nREALTIME=1700000000250000\n")
        self.put("/run/systemd/sessions/2", b"USER=screen\nCLASS=greeter\nSTATE=active\nREALTIME=1\n")
        self.shell("mkfifo /run/systemd/sessions/1.ref")
        self.addCleanup(self.shell, "rm /run/systemd/sessions/1.ref")
        self.assertEqual(self.both("guest-get-users"), ([{"user": "alice", "login-time": 1700000000.25}], []))


class WithoutIpv6(Pair, unittest.TestCase):
    """Its kernel has the file of one kind of routes only."""

    kernel_arguments = ["ipv6.disable=1"]

    def test_network(self):
        self.shell("! [ -e /proc/net/ipv6_route ] && ip link set lo up && ip route add 198.51.100.0/24 dev lo")
        [route] = self.ours.execute("guest-network-get-route")
        self.assertEqual((route["destination"], route["version"]), ("198.51.100.0", 4))
        self.assertEqual(self.same("guest-network-get-interfaces")[0]["ip-addresses"],
                         [{"ip-address-type": "ipv4", "ip-address": "127.0.0.1", "prefix": 8}])


class Time(Pair, unittest.TestCase):
    """In a guest of its own, whose clock nobody else needs."""

    def clock(self):
        return int(self.shell("date +%s"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # qemu-ga looks for hwclock once, with its first command, which is not to be one of a test that has hidden it.
        cls.stock.execute("guest-set-time", {"time": TIME})

    def setUp(self):
        self.addCleanup(self.ours.execute, "guest-set-time", {"time": TIME})

    def check_set(self, seconds, hardware_too=True):
        """Both clocks show what they were set to, or as much later as setting and looking takes on a busy machine. The
        times that they are set to are much further apart."""
        self.assertTrue(seconds <= self.clock() <= seconds + LATER)
        if hardware_too:
            now = int(self.shell("cat /sys/class/rtc/rtc0/since_epoch"))
            self.assertTrue(seconds - 1 <= now <= seconds + LATER, now)

    def test_get(self):
        before, stock, after = (agent.execute("guest-get-time") for agent in (self.ours, self.stock, self.ours))
        self.assertLess(before, stock)
        self.assertLess(stock, after)
        for time in before, stock, after:
            self.assertEqual(time % 1000, 0)
            self.assertLess(abs(time / SECOND - self.clock()), 30)

    def test_set(self):
        for agent in self.ours, self.stock:
            for time in 1000 * SECOND, (3155760000 - 100) * SECOND + 999999999, TIME + 5:
                self.assertEqual(agent.execute("guest-set-time", {"time": time}), {})
                self.check_set(time // SECOND)

    def test_from_hardware(self):
        for agent in self.ours, self.stock:
            self.assertEqual(agent.execute("guest-set-time", {"time": TIME}), {})
            self.shell("date -s @5")
            self.assertEqual(agent.execute("guest-set-time"), {})
            self.check_set(TIME // SECOND - 1)

    def test_refused(self):
        before = self.clock()
        for time in -SECOND, -2**63, 3155760000 * SECOND, 2**63 - 1:
            self.same_error("Invalid time", "guest-set-time", time=time)
        for time in 0, -1:  # the kernel's own: earlier than this guest began
            self.same_error("Failed to set time to guest: Invalid argument", "guest-set-time", time=time)
        for time in 1.5, "1", None, [1], True:
            self.same_error("Invalid parameter type for 'time', expected: integer", "guest-set-time", time=time)
        self.same_error("Parameter 'when' is unexpected", "guest-set-time", when=1)
        self.check_set(before, hardware_too=False)

    def stock_fails(self, **arguments):
        """It says so; and yet, if it was given a time, it has set the clock."""
        error_class, desc = self.refused(self.stock, "guest-set-time", **arguments)
        self.assertEqual(error_class, "GenericError")
        self.assertIn(HWCLOCK_FAILED, desc)

    def test_without_hwclock(self):
        """Ours needs none."""
        self.hide("/sbin/hwclock")
        self.stock_fails(time=TIME)
        self.stock_fails()
        self.assertEqual(self.ours.execute("guest-set-time", {"time": 1000 * SECOND}), {})
        self.check_set(1000)
        self.shell("date -s @5")
        self.assertEqual(self.ours.execute("guest-set-time"), {})
        self.check_set(999)

    def test_hwclock_elsewhere(self):
        """It is found where it is."""
        self.hide("/sbin/hwclock")
        self.shell("mkdir -p /usr/sbin; printf '#!/bin/sh\\necho \"$@\" >> /run/hwclock.log' > /usr/sbin/hwclock;"
                   " chmod +x /usr/sbin/hwclock")
        self.addCleanup(self.shell, "rm /usr/sbin/hwclock /run/hwclock.log")
        self.ours.execute("guest-set-time", {"time": TIME})
        self.ours.execute("guest-set-time")
        self.assertEqual(self.shell("cat /run/hwclock.log").split(), ["-w", "-s"])
        self.stock_fails()

    def test_without_rtc(self):
        """A time that is given is all that there is to set; without one there is none."""
        self.hide("/dev/rtc0")
        self.stock_fails(time=TIME)
        self.stock_fails()
        self.assertEqual(self.ours.execute("guest-set-time", {"time": 2000 * SECOND}), {})
        self.check_set(2000, hardware_too=False)
        self.assertIn(f"child process has {HWCLOCK_FAILED}: ", self.refused(self.ours, "guest-set-time")[1])
        self.hide("/sbin/hwclock")
        self.assertEqual(self.refused(self.ours, "guest-set-time"),
                         ("GenericError", "cannot open the hardware clock: No such file or directory"))


