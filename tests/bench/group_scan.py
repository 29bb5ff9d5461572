# SPDX-License-Identifier: GPL-2.0-or-later
"""Row 10: our scanner, which checks everything, beside others' that build something of what they read."""

import json

from bare import Bare
from harness import program
from measure import Missing, Process, interleave, tool
from places import CPU, scratch

# Of all messages together between two looks at the clock.
BATCH_BYTES = 64 * 1024
TURN_BYTES = 64 << 20

PING = b'{"execute": "guest-ping", "id": "libvirt-1"}'


def schema():
    with Bare(monitors=0) as qemu:
        return json.dumps({"return": qemu.qmp.command("query-qmp-schema")}).encode()


def reply_1k():
    """As guest-network-get-interfaces answers."""
    address = {"ip-address-type": "ipv4", "ip-address": "192.168.122.118", "prefix": 24}
    interface = {"name": "enp1s0", "hardware-address": "52:54:00:10:20:30", "ip-addresses": [address] * 4,
                 "statistics": {"tx-packets": 10291, "tx-bytes": 1029183, "rx-bytes": 9182736, "rx-packets": 8172}}
    return json.dumps({"return": [interface, interface], "id": 17}).encode()[:1200]


def messages():
    return {"ping": PING, "1K": reply_1k(), "schema": schema(),
            "22M": b'{"return": {"count": 16777215, "buf-b64": "%s", "eof": false}}' % (b"QUJD" * (16777215 // 3))}


def scan(bench):
    with scratch() as directory:
        for name, text in messages().items():
            path = directory / name
            path.write_bytes(text)
            batch = max(1, BATCH_BYTES // len(text))
            times = bench.times(max(2, TURN_BYTES // (batch * len(text))))
            targets = {"ours": Process([tool("scan"), "ours", path, batch, times], cpu=CPU),
                       "json-glib": Process([tool("scan"), "json-glib", path, batch, max(1, times // 20)], cpu=CPU)}
            if found := bench.peer(f"10 simdjson {name}", simdjson):
                targets["simdjson"] = Process([found, path, batch, times], cpu=CPU)
            turns = interleave(bench.rounds, targets)
            rates = {target: [batch * len(text) / 1e3 / turn.median for turn in turns[target]] for target in turns}
            for peer in rates.keys() - {"ours"}:
                bench.compare(f"10 {peer} {name}", rates["ours"], rates[peer])


def simdjson():
    try:
        return program("tests/bench/bench-scan-simdjson")
    except FileNotFoundError:
        raise Missing("simdjson or a C++ compiler was not there when this was built") from None


PARTS = [(scan, "10")]
