# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 5 to 8: many clients, silent ones, busy ones, many machines, and what they cost others."""

import contextlib

from bare import Bare
from measure import Process, crowd, interleave, memory, script, tool
from places import CPU, HostAgent, ProxiedPeer, quiet_proxy, scratch

STATUS = '{"execute":"query-status"}'
PING = '{"execute":"guest-ping"}'
CROWDED = ["--limit", "clients=20000", "--limit", "clients-per-user=20000"]
FLOOD_DEPTH = 64


def listen(qemu, path, protocol, count, times):
    """Those who wait for events that a monitor of their own brings about."""
    return Process([tool("event"), qemu.monitors[0], path, protocol, count, times])


def events(bench):
    """Each with a QEMU of its own: whoever listens is told of what others bring about."""
    for count in (256, 1000):
        count, times = bench.many(count), 2 * bench.times(10)
        with Bare(monitors=2) as ours, Bare(monitors=2) as bare, contextlib.ExitStack() as stack:
            proxy = stack.enter_context(quiet_proxy(ours, pinned=False, arguments=CROWDED))
            fan = bare.directory / "fan"
            stack.enter_context(Process([tool("fanout"), fan, bare.monitors[1]]))
            targets = {"proxy": listen(ours, proxy.unix, "qmp", count, times),
                       "fanout": listen(bare, fan, "raw", count, times)}
            if "5 qemu" not in bench.figures:
                qemu = stack.enter_context(Bare(monitors=1 + count))
                targets["qemu"] = listen(qemu, qemu.directory / "monitor%d.sock", "qmp", count, times)
                # The listeners take all monitors but this.
                targets["qemu"].command[targets["qemu"].command.index(str(qemu.monitors[0]))] = qemu.qmp_path
            turns = interleave(bench.rounds, targets)
        medians = {name: [turn.median for turn in turns[name]] for name in turns}
        if "qemu" in medians:
            bench.compare("5 qemu", medians["proxy"], medians["qemu"])
            bench.compare("5 fanout 256", medians["proxy"], medians["fanout"])
        else:
            bench.compare("5 fanout 1000", medians["proxy"], medians["fanout"])


def idle_clients(bench):
    """And what each of them takes."""
    count, times = bench.many(10000), bench.times(1000)
    with Bare(monitors=2) as qemu, quiet_proxy(qemu, arguments=CROWDED) as alone, \
            quiet_proxy(qemu, [qemu.monitors[0]], arguments=CROWDED) as crowded:
        daemon = crowded.process.pid
        step = f"do {STATUS}"
        with script(crowded.unix, "qmp", 10, step) as client:
            client.turn()
        before = memory(daemon)
        with crowd(crowded.unix, "qmp", count, 0, 0, STATUS):
            bench.tell("7 client", [(memory(daemon) - before) / count])
            turns = interleave(bench.rounds, {"alone": script(alone.unix, "qmp", times, step, cpu=CPU),
                                              "crowded": script(crowded.unix, "qmp", times, step, cpu=CPU)})
    bench.compare("6 idle", [turn.median for turn in turns["crowded"]], [turn.median for turn in turns["alone"]])


def idle_daemon(bench):
    with ProxiedPeer() as place:
        bench.tell("7 daemon", [memory(place.proxy.process.pid) / 1024])


def machines(bench):
    count, times = bench.many(1000), bench.times(1000)
    with scratch() as directory, contextlib.ExitStack() as stack:
        for kind in "qmp", "agent":
            stack.enter_context(Process([tool("peer"), kind, directory / kind, count], cpu=CPU))
        targets = {}
        for name, number in ("one", 1), ("many", count):
            command = [tool("many"), directory / "qmp", directory / "agent", directory / name, number]
            stack.enter_context(Process(command, cpu=CPU))
            targets[name] = script(directory / f"{name}0", "qmp", times,
                                   'once {"execute":"qga-proxy-wait-agent"}', f"do {PING}", cpu=CPU)
        turns = interleave(bench.rounds, targets)
    bench.compare("6 machines", [turn.median for turn in turns["many"]], [turn.median for turn in turns["one"]])


class While:
    """Turns of one client while another does not pause; it pauses in between, when others have their turn."""

    def __init__(self, client, busy):
        self.client, self.busy = client, busy

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.busy)
            stack.enter_context(self.client)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def turn(self):
        self.busy.go()
        self.busy.expect("busy")
        turn = self.client.turn()
        self.busy.go()
        self.busy.line()
        return turn


def flood(bench):
    times, step = bench.times(1000), f"do {STATUS}"
    with ProxiedPeer(pinned=False) as place:
        path = place.proxy.unix
        turns = interleave(bench.rounds, {
            "alone": script(path, "qmp", times, step),
            "flooded": While(script(path, "qmp", times, step), crowd(path, "qmp", 1, FLOOD_DEPTH, 0, STATUS))})
    bench.compare("8 flood", [turn.p99 for turn in turns["flooded"]], [turn.p99 for turn in turns["alone"]])


def large_read(bench):
    """Of a real agent, ours, on the host: what is in the way is how long one command has it."""
    times = bench.times(300)
    with HostAgent("qga-agent", pinned=False) as agent, Bare(monitors=1) as qemu:
        qemu.agent_path = agent.path
        qemu.qmp.command("cont")
        with quiet_proxy(qemu, pinned=False) as proxy:
            proxy.wait_agent()
            with proxy.client() as opener:
                handle = opener.execute("guest-file-open", {"path": "/dev/zero"})  # it has no end
            read = f'{{"execute":"guest-file-read","arguments":{{"handle":{handle},"count":50331648}}}}'
            turns = interleave(bench.rounds, {
                "read": While(script(proxy.unix, "qmp", times, f"do {PING}"), crowd(proxy.unix, "qmp", 1, 1, 0, read))})
    bench.tell("8 read", [turn.p99 for turn in turns["read"]])


PARTS = [(events, "5"), (idle_clients, "6 idle", "7 client"), (machines, "6 machines"), (idle_daemon, "7 daemon"),
         (flood, "8 flood"), (large_read, "8 read")]
