# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 11, 12, 14 and 15: our agent on the host, beside qemu-ga. Nothing is asked of them but what touches files in a
temporary directory, and /bin/true."""

import contextlib
import os
import re
import shutil
import subprocess

from harness.image import AGENT, BUILD
from measure import Missing, Process, interleave, memory, script, tool
from places import CPU, HostAgent, scratch
from rows import SIZES
from steps import request

AGENTS = ("qga-agent", "qemu-ga")
PING = 'do {"execute":"guest-ping"}\n'
FILE_BYTES = 48 << 20


def agents(stack, **options):
    return {name: stack.enter_context(HostAgent(name, **options)) for name in AGENTS}


def against_stock(bench, keys, running, times, *steps, rate=None):
    """Interleaved turns of the same steps; keys to compare with qemu-ga. rate is what a step moves, in bytes."""
    turns = interleave(bench.rounds, {name: script(agent.path, "agent", times, *steps, cpu=CPU)
                                      for name, agent in running.items()})
    values = {name: [rate / turn.median if rate else turn.median for turn in turns[name]] for name in turns}
    bench.compare(keys, values["qga-agent"], values["qemu-ga"])
    return values


def ping(bench):
    with contextlib.ExitStack() as stack:
        running = agents(stack)
        directory = stack.enter_context(scratch())
        stack.enter_context(Process([tool("peer"), "echo", directory / "echo"], cpu=CPU))
        times = bench.times(2000)
        targets = {name: script(agent.path, "agent", times, PING, cpu=CPU) for name, agent in running.items()}
        targets["echo"] = script(directory / "echo", "raw", times, PING, cpu=CPU)
        turns = interleave(bench.rounds, targets)
    medians = {name: [turn.median for turn in turns[name]] for name in turns}
    bench.compare("11 qemu-ga", medians["qga-agent"], medians["qemu-ga"])
    bench.compare("11 echo", medians["qga-agent"], medians["echo"])


def counted(name, pings, directory):
    """Instructions that an agent takes, with all that it does before and behind."""
    out = directory / f"callgrind.{pings}"
    valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
    with HostAgent(name, launcher=valgrind) as agent:
        with script(agent.path, "agent", pings, PING) as client:
            client.turn()
        agent.process.process.terminate()
        agent.process.process.wait(60)
    return int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M).group(1))


def instructions(bench):
    """User instructions, which are the same on any machine."""
    if not shutil.which("valgrind"):
        raise Missing("valgrind is not installed")
    few, many = 100, 1100
    with scratch() as directory:
        counts = [counted("qga-agent", pings, directory) for pings in (few, many)]
    bench.tell("11 instructions", [(counts[1] - counts[0]) / (many - few)])


def files(bench):
    with contextlib.ExitStack() as stack:
        running = agents(stack)
        path = stack.enter_context(scratch()) / "file"
        path.write_bytes(os.urandom(1 << 20) * (FILE_BYTES >> 20))
        opening = request("once,keep", "guest-file-open", path=path, mode="r+")
        back = request("aside", "guest-file-seek", handle="$", offset=0, whence=0)
        for kind in "read", "write":
            for size, count in SIZES.items():
                key = f"12 {kind} {size}"
                if not bench.wants(key):
                    continue
                times = bench.times(min(500, max(2, (24 << 20) // count)))
                if kind == "read":
                    step = request("do", "guest-file-read", handle="$", count=count)
                else:
                    times = max(2, times // 8)  # qemu-ga writes at a tenth of the speed
                    step = request("do", "guest-file-write", handle="$", **{"buf-b64": f"@{count}@"})
                against_stock(bench, key, running, times, opening, back, step, rate=count)


def programs(bench):
    times = bench.times(200)
    with contextlib.ExitStack() as stack:
        running = agents(stack)
        steps = [request("do,keep", "guest-exec", path="/bin/true"),
                 request("do,until=true", "guest-exec-status", pid="$")]
        targets = {name: script(agent.path, "agent", times, *steps, cpu=CPU) for name, agent in running.items()}
        targets["spawn"] = Process([tool("spawn"), "run", times, "/bin/true"], cpu=CPU)
        turns = interleave(bench.rounds, targets)
        medians = {name: [turn.median for turn in turns[name]] for name in turns}
        bench.compare("14 exec", medians["qga-agent"], medians["qemu-ga"])
        bench.compare("14 spawn", medians["qga-agent"], medians["spawn"])
        path = stack.enter_context(scratch()) / "file"
        path.write_bytes(b"content")
        against_stock(bench, "14 open", running, times, request("do,keep", "guest-file-open", path=path),
                      request("do", "guest-file-close", handle="$"))


def sizes(bench):
    with contextlib.ExitStack() as stack:
        running = agents(stack)
        for agent in running.values():
            with script(agent.path, "agent", 10, PING) as client:
                client.turn()
        resident = {name: memory(agent.process.pid) / 1024 for name, agent in running.items()}
        bench.compare("15 idle", [resident["qga-agent"]], [resident["qemu-ga"]])
        path = stack.enter_context(scratch()) / "file"
        path.write_bytes(bytes(FILE_BYTES))
        ours = running["qga-agent"]
        steps = [request("once,keep", "guest-file-open", path=path),
                 request("aside", "guest-file-seek", handle="$", offset=0, whence=0),
                 request("do", "guest-file-read", handle="$", count=FILE_BYTES)]
        with script(ours.path, "agent", 3, *steps) as client:
            client.turn()
        bench.tell("15 peak", [memory(ours.process.pid, "VmHWM") / 1024])


def starts(bench):
    with contextlib.ExitStack() as stack:
        targets = {}
        for name in AGENTS:
            directory = stack.enter_context(scratch())
            command = HostAgent(name).command_line(directory)
            targets[name] = Process([tool("spawn"), "start", bench.times(20), directory / "agent.sock", *command],
                                    stderr=subprocess.DEVNULL)
        turns = interleave(bench.rounds, targets)
    medians = {name: [turn.median for turn in turns[name]] for name in turns}
    bench.compare("15 start", medians["qga-agent"], medians["qemu-ga"])


def static(bench):
    """The one for an initramfs, as it would be delivered."""
    for library in "musl", "glibc":
        path = BUILD / "static" / library / AGENT
        if path.is_file():
            with scratch() as directory:
                subprocess.run(["strip", "-o", directory / "stripped", path], check=True)
                bench.tell("15 static", [(directory / "stripped").stat().st_size / (1 << 20)])
            return
    raise Missing("no static agent was built")


PARTS = [(ping, "11 qemu-ga", "11 echo"), (instructions, "11 instructions"), (files, "12"), (programs, "14"),
         (sizes, "15 idle", "15 peak"), (starts, "15 start"), (static, "15 static")]
