# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, against what, and what is to be reached. A row has several figures; each is one line of the
table."""

from typing import NamedTuple


class Goal(NamedTuple):
    value: float
    at_least: bool = False

    def is_met(self, figure):
        return figure >= self.value if self.at_least else figure <= self.value

    def __str__(self):
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"


def most(value):
    return Goal(value)


def least(value):
    return Goal(value, at_least=True)


class Row(NamedTuple):
    """One figure. Its key begins with the number of its row. against is what stood beside it in the same run; where
    there is none, the goal is for our figure itself."""
    key: str
    name: str
    against: str | None
    unit: str
    goal: Goal

    @property
    def number(self):
        return int(self.key.split()[0])


SIZES = {"4K": 4 << 10, "64K": 64 << 10, "1M": 1 << 20, "48M": 48 << 20}

ROWS = [
    Row("1 relay", "guest-ping, time added by the proxy", "epoll relay", "us", most(1.3)),
    Row("1 socat", "guest-ping, time added by the proxy", "socat", "us", most(1.05)),
    Row("2 short", "QMP command of 26 bytes", "QEMU directly", "us", most(1.02)),
    Row("2 long", "QMP command of 64 bytes", "QEMU directly", "us", most(0.75)),
    Row("3 schema", "query-qmp-schema again", "QEMU directly", "us", most(0.01)),
    Row("3 commands", "query-commands again", "QEMU directly", "us", most(0.2)),
    Row("4 four", "commands of 64 clients, 4 monitors", "64 in flight directly", "1/s", least(2.5)),
    Row("4 one", "commands of 64 clients, 1 monitor", "64 in flight directly", "1/s", least(1.0)),
    Row("5 qemu", "event to the last of 256 clients", "256 monitors of QEMU", "us", most(0.3)),
    Row("5 fanout 256", "event to the last of 256 clients", "epoll fan-out", "us", most(1.5)),
    Row("5 fanout 1000", "event to the last of 1000 clients", "epoll fan-out", "us", most(1.5)),
    Row("6 idle", "QMP command beside 10000 idle clients", "beside none", "us", most(1.1)),
    Row("6 machines", "guest-ping in a daemon with 1000 VMs", "with one", "us", most(1.1)),
    Row("7 client", "memory of an idle client", None, "KiB", most(1)),
    Row("7 daemon", "idle daemon, resident", None, "MiB", most(6)),
    Row("8 flood", "99th percentile while another floods", "alone", "us", most(2)),
    Row("8 read", "99th percentile while another reads 48M", None, "us", most(10000)),
    Row("9 rate", "64 MiB reply through the proxy", "epoll relay", "MB/s", least(0.6)),
    Row("9 memory", "the same, memory beyond the reply", None, "MiB", most(2)),
    *(Row(f"10 simdjson {what}", f"scanner, {what}", "simdjson", "GB/s", least(1.0))
      for what in ("ping", "1K", "schema", "22M")),
    *(Row(f"10 json-glib {what}", f"scanner, {what}", "json-glib", "GB/s", least(30))
      for what in ("ping", "1K", "schema", "22M")),
    Row("11 qemu-ga", "agent, guest-ping", "qemu-ga", "us", most(0.5)),
    Row("11 echo", "agent, guest-ping", "bare echo", "us", most(1.25)),
    Row("11 instructions", "agent, instructions of a guest-ping", None, "", most(3000)),
    *(Row(f"12 read {size}", f"guest-file-read {size}", "qemu-ga", "MB/s", least(goal))
      for size, goal in (("4K", 1.6), ("64K", 5), ("1M", 8), ("48M", 8))),
    *(Row(f"12 write {size}", f"guest-file-write {size}", "qemu-ga", "MB/s", least(goal))
      for size, goal in (("64K", 9), ("1M", 12))),
    *(Row(f"13 read {size}", f"in a guest, guest-file-read {size}", "qemu-ga", "MB/s", least(10))
      for size in ("64K", "1M")),
    *(Row(f"13 write {size}", f"in a guest, guest-file-write {size}", "qemu-ga", "MB/s", least(12))
      for size in ("64K", "1M")),
    Row("13 ping", "in a guest, guest-ping", "qemu-ga", "us", most(0.5)),
    Row("13 raw", "in a guest, guest-ping", "echo on a port", "us", most(1.15)),
    Row("14 exec", "guest-exec /bin/true until its end is known", "qemu-ga", "us", most(0.5)),
    Row("14 spawn", "guest-exec /bin/true until its end is known", "posix_spawn and wait", "us", most(1.3)),
    Row("14 open", "guest-file-open and -close", "qemu-ga", "us", most(0.1)),
    Row("15 idle", "agent, resident idle", "qemu-ga", "MiB", most(0.6)),
    Row("15 peak", "agent, peak during 48M reads", None, "MiB", most(6)),
    Row("15 start", "agent, start to first answer", "qemu-ga", "us", most(0.7)),
    Row("15 static", "agent, static binary stripped", None, "MiB", most(1.5)),
    *(Row(f"16 idle {count}", f"freeze and thaw, {count} idle", "qemu-ga", "us", most(goal))
      for count, goal in ((1, 0.15), (4, 0.05), (8, 0.04))),
    Row("16 writer", "freeze and thaw, 1 with a writer", "qemu-ga", "us", most(0.4)),
    Row("17 disks 1", "freeze, snapshot, thaw: 1 disk", "libvirt --quiesce", "us", most(0.25)),
    Row("17 disks 4", "freeze, snapshot, thaw: 4 disks", "libvirt --quiesce", "us", most(0.1)),
    Row("18 one", "guest-ping through the proxy, one client", "libvirt", "us", most(0.3)),
    Row("18 four", "the same, four clients, 99th percentile", "libvirt", "us", most(0.1)),
]

BY_KEY = {row.key: row for row in ROWS}
NUMBERS = sorted({row.number for row in ROWS})
