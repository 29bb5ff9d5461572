# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that measure, set to work in turn, and what they found."""

import contextlib
import os
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

from harness import program
from harness.stream import wait_readable

# How long one turn may take, on a busy machine.
TURN_TIMEOUT = 120


class Missing(Exception):
    """A peer is not to be had here; the text says why."""


class Turn(NamedTuple):
    """Times in microseconds."""
    count: int
    seconds: float
    mean: float
    median: float
    p99: float

    @property
    def rate(self):
        return self.count / self.seconds


def tool(name):
    """A program of the benchmarks."""
    return program(f"tests/bench/bench-{name}")


class Process:
    """Something that runs while there are measurements, pinned to a processor where that is asked for."""

    def __init__(self, command, cpu=None, wait=True, inside=(), **options):
        # The kernel ends it when this process dies, however it dies.
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.command = ["setpriv", "--pdeathsig", "KILL", "--", *inside, *pinned, *map(str, command)]
        self.wait = wait
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **self.options)
        if self.wait:
            self.expect("ready")
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    @property
    def pid(self):
        return self.process.pid

    def line(self):
        wait_readable(self.process.stdout.fileno(), TURN_TIMEOUT, self.command[-1])
        line = self.process.stdout.readline().decode().strip()
        if not line:
            raise RuntimeError(f"{self.command} ended with status {self.process.wait()}")
        return line

    def expect(self, word):
        line = self.line()
        if line != word:
            raise RuntimeError(f"{self.command} said {line!r}")

    def go(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def turn(self):
        self.go()
        count, seconds, *times = self.line().split()
        return Turn(int(count), float(seconds), *map(float, times))


def script(path, protocol, times, *steps, **options):
    """One client that asks one thing after the other, as soon as somebody listens; see script.c."""
    return Process([tool("script"), path, protocol, times, *steps], **options)


def crowd(path, protocol, clients, depth, times, request, **options):
    """Many clients that all ask the same; see crowd.c."""
    return Process([tool("crowd"), path, protocol, clients, depth, times, request], **options)


def interleave(rounds, targets):
    """Turns of each target, in as many rounds. Every other round goes backwards, so that none is always behind the
    same. The first turn of each is for warming up."""
    turns = {name: [] for name in targets}
    with contextlib.ExitStack() as stack:
        for target in targets.values():
            stack.enter_context(target)
        for target in targets.values():
            target.turn()
        for number in range(rounds):
            names = list(targets) if number % 2 == 0 else reversed(targets)
            for name in names:
                turns[name].append(targets[name].turn())
    return turns


class Figure(NamedTuple):
    """What became of a row: values by round, or why there are none."""
    ours: list = []
    theirs: list = []
    missing: str | None = None

    @property
    def ratios(self):
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs)]

    def figures(self):
        """What the goal is for."""
        return self.ratios or self.ours

    def middle(self):
        return statistics.median(self.figures())


def memory(pid, field="Rss"):
    """Of a process, in KiB: a field of smaps_rollup, or VmHWM, the most that was resident."""
    name = "status" if field.startswith("Vm") else "smaps_rollup"
    for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value.split()[0])
    raise KeyError(field)


def stock_agent():
    """Debian's qemu-ga, unpacked by tests/guest/build."""
    path = Path(os.environ["QGA_BUILD"]) / "guest/packages/qemu-guest-agent/usr/sbin/qemu-ga"
    if not path.is_file():
        raise Missing("Debian's qemu-guest-agent is not unpacked")
    return path
