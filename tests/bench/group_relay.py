# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 1 and 9: what the proxy adds on the way to an agent, beside a relay that looks at nothing."""

import contextlib
import shutil

from measure import Missing, Process, interleave, memory, script, tool
from places import CPU, ProxiedPeer, scratch

PING = 'do {"execute":"guest-ping"}'
READ = 'do {"execute":"guest-file-read","arguments":{"handle":1,"count":50331648}}'
REPLY_BYTES = 64 << 20


def socat(listen, connect):
    if not shutil.which("socat"):
        raise Missing("socat is not installed")
    return Process(["socat", f"UNIX-LISTEN:{listen},fork", f"UNIX-CONNECT:{connect}"], cpu=CPU, wait=False)


def ping(bench):
    times = bench.times(2000)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(scratch())
        place = stack.enter_context(ProxiedPeer())
        relay, other = directory / "relay", directory / "socat"
        stack.enter_context(Process([tool("relay"), relay, place.agent], cpu=CPU))
        targets = {"direct": script(place.agent, "agent", times, PING, cpu=CPU),
                   "relay": script(relay, "agent", times, PING, cpu=CPU),
                   "proxy": script(place.proxy.unix, "qmp", times, PING, cpu=CPU)}
        if found := bench.peer("1 socat", socat, other, place.agent):
            stack.enter_context(found)
            targets["socat"] = script(other, "agent", times, PING, cpu=CPU)
        turns = interleave(bench.rounds, targets)
    added = {name: [turn.median - direct.median for turn, direct in zip(turns[name], turns["direct"])]
             for name in turns}
    for peer in added.keys() - {"direct", "proxy"}:
        bench.compare(f"1 {peer}", added["proxy"], added[peer])


def large(bench):
    times = bench.times(5)
    with scratch() as directory, ProxiedPeer() as place:
        with Process([tool("relay"), directory / "relay", place.agent], cpu=CPU):
            before = memory(place.proxy.process.pid)
            turns = interleave(bench.few_rounds, {"relay": script(directory / "relay", "agent", times, READ, cpu=CPU),
                                                  "proxy": script(place.proxy.unix, "qmp", times, READ, cpu=CPU)})
            peak = memory(place.proxy.process.pid, "VmHWM")
        rates = {name: [REPLY_BYTES / turn.median for turn in turns[name]] for name in turns}
        bench.compare("9 rate", rates["proxy"], rates["relay"])
        bench.tell("9 memory", [(peak - before - REPLY_BYTES / 1024) / 1024])


PARTS = [(ping, "1"), (large, "9")]
