# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows 2, 3 and 4: QEMU's own commands through the proxy, beside QEMU asked directly."""

from bare import Bare
from measure import crowd, interleave, script
from places import CPU, pin, quiet_proxy

SHORT = '{"execute":"query-status"}'
LONG = '{"execute": "query-status", "arguments": {}, "id": "qemu-00017"}'
assert (len(SHORT), len(LONG)) == (26, 64)

MONITORS = 4
CLIENTS = 64


def one_client(bench):
    questions = {"2 short": (SHORT, 1000), "2 long": (LONG, 1000),
                 "3 schema": ('{"execute":"query-qmp-schema"}', 20),
                 "3 commands": ('{"execute":"query-commands"}', 300)}
    with Bare(monitors=1) as qemu, quiet_proxy(qemu) as proxy:
        pin(qemu.process)
        for key, (request, count) in questions.items():
            if not bench.wants(key):
                continue
            times, step = bench.times(count), f"do {request}"
            turns = interleave(bench.rounds, {"direct": script(qemu.monitors[0], "qmp", times, step, cpu=CPU),
                                              "proxy": script(proxy.unix, "qmp", times, step, cpu=CPU)})
            bench.compare(key, [turn.median for turn in turns["proxy"]], [turn.median for turn in turns["direct"]])


def many_clients(bench):
    """The same QEMU for all three: each of its monitors makes all slower, used or not."""
    times = bench.times(3000)
    with Bare(monitors=1 + MONITORS) as qemu:
        direct, *monitors = qemu.monitors
        with quiet_proxy(qemu, pinned=False) as one, quiet_proxy(qemu, monitors, pinned=False) as four:
            turns = interleave(bench.rounds, {
                "direct": crowd(direct, "qmp", 1, CLIENTS, times, SHORT),
                "one": crowd(one.unix, "qmp", CLIENTS, 1, times, SHORT),
                "four": crowd(four.unix, "qmp", CLIENTS, 1, times, SHORT)})
    rates = {name: [turn.rate for turn in turns[name]] for name in turns}
    bench.compare("4 one", rates["one"], rates["direct"])
    bench.compare("4 four", rates["four"], rates["direct"])


PARTS = [(one_client, "2", "3"), (many_clients, "4")]
