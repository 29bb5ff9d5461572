# SPDX-License-Identifier: GPL-2.0-or-later
"""Random scripts for a QMP server: what a client may say, rightly and wrongly, in at most 1 KiB.

A script is a list of pieces, each of which makes sense by itself, so that it can be cut down by leaving out some. No
command's reply depends on time, chance, paths or on which of two QEMUs of the same make is asked, and what a command
leaves behind has one of a few names, so that it does not add up."""

import json

MAX_BYTES = 1024

NODES = ("n0", "n1", "n2")
OBJECTS = ("t0", "t1")
CHARDEVS = ("c0", "c1")

QUERIES = (
    "query-name", "query-status", "query-version", "query-kvm", "query-uuid", "query-jobs", "query-block-jobs",
    "query-migrate", "query-migrate-capabilities", "query-fdsets", "query-memory-size-summary", "query-cpus-fast",
    "query-block", "query-named-block-nodes", "query-balloon", "query-memory-devices",
    "query-hotpluggable-cpus", "query-rocker", "query-tpm-models", "query-chardev-backends", "query-colo-status",
    "query-events", "query-dump", "query-replay", "query-yank", "inject-nmi", "rtc-reset-reinjection",
    "query-current-machine", "query-pci", "query-mice", "query-vnc",
)
STRANGE_NAMES = ("nope", "", "Query-Name", "query_name", "query-name ", "näme", "a" * 90, "guest", "\0", "%s")
OOB = (
    ("query-yank", None), ("migrate-pause", None), ("migrate-recover", {"uri": "nope"}), ("migrate-recover", None),
    ("yank", {"instances": [{"type": "chardev", "id": "nope"}]}), ("yank", {"instances": [5]}), ("query-name", None),
    ("qmp_capabilities", None), ("nope", None), ("stop", {"x": 1}),
)
RUBBISH = (
    b"\xff\n", b"\xfe\xff\n", b"\x00\n", b"\x01\x02\n", b"@", b"}",
    b"]", b"}]", b"{", b"[", b"{]", b"[}", b":", b",", b"01 ",
    b"nope ", b"tru ", b"'\n", b'"\\q"', b'"\\ud800"', b"'\xed\xa0\x80'", b"'\xc0\x80'", b"/* */", b"// no\n", b"{,}",
    b"[,]", b"[1,]", b"{'a' 1}", b"{'a': 1 'b': 2}", b"{a: 1}", b"{1: 2}", b"{'a': 1, 'a': 2}", b"%s", b"-", b"+1 ",
    b"1e5 ", b"5 ", b"null ", b"'text'", b"[]", b"[[{}]]", b"\xef\xbb\xbf", b"\x7f", b"{'execute': }", b"{'execute'}",
    b"{'execute': 'query-name'", b"[1 2]\n", b"{'execute': 'query-name',}",
)


def commands(random):
    """A command that is right, or nearly so."""
    node, thing, chardev = random.choice(NODES), random.choice(OBJECTS), random.choice(CHARDEVS)
    return random.choice((
        lambda: (random.choice(QUERIES), None),
        lambda: (random.choice(QUERIES), {}),
        lambda: (random.choice(STRANGE_NAMES), random.choice((None, {}, {"a": 1}))),
        lambda: ("qmp_capabilities", random.choice((None, {}, {"enable": ["oob"]}, {"enable": []}, {"enable": 5},
                                                    {"enable": ["bogus"]}, {"foo": 1}))),
        lambda: (random.choice(("stop", "cont")), None),
        lambda: ("human-monitor-command", {"command-line": random.choice(
            ("info name", "print/x 4711", "info version", "nope", "", "info status", "x/1 0"))}),
        lambda: ("blockdev-add", {"driver": random.choice(("null-co", "null-co", "null-aio", "nope")),
                                  "node-name": node, "size": random.randrange(1 << 40)}),
        lambda: ("blockdev-del", {"node-name": node}),
        lambda: ("query-named-block-nodes", {"flat": random.choice((True, False, None, 0))}),
        lambda: ("object-add", {"qom-type": random.choice(("throttle-group", "throttle-group", "nope")), "id": thing}),
        lambda: ("object-del", {"id": thing}),
        lambda: ("chardev-add", {"id": chardev, "backend": {"type": "null", "data": {}}}),
        lambda: ("chardev-remove", {"id": chardev}),
        lambda: ("qom-list", {"path": random.choice(("/objects", "/chardevs", "/nope", "", 5))}),
        lambda: ("qom-get", {"path": f"/objects/{thing}", "property": random.choice(("type", "nope"))}),
        lambda: ("qom-list-types", {"implements": "can-bus", "abstract": False}),
        lambda: ("device-list-properties", {"typename": random.choice(("loader", "nope"))}),
        lambda: ("device_add", {"driver": "nope", "id": "d"}),
        lambda: ("device_del", {"id": "nope"}),
        lambda: ("job-cancel", {"id": "nope"}),
        lambda: ("block-job-cancel", {"device": node}),
        lambda: ("closefd", {"fdname": "nope"}),
        lambda: ("remove-fd", {"fdset-id": 7}),
        lambda: ("transaction", {"actions": []}),
        lambda: ("balloon", {"value": 1}),
        lambda: ("set_link", {"name": "nope", "up": True}),
        lambda: ("netdev_del", {"id": "nope"}),
        lambda: ("expire_password", {"protocol": "vnc", "time": "never"}),
        lambda: ("migrate-set-capabilities", {"capabilities": [
            {"capability": "events", "state": random.choice((True, False))}]}),
        lambda: ("block_resize", {"node-name": node, "size": 1 << 20}),
        lambda: ("x-exit-preconfig", None),
    ))()


CHARACTERS = "aZ09 /\\\"'%\x00\x01\x1f\x7f\r\n\tä☃𝄞\uffff"


def any_value(random, depth=0):
    """A value that QEMU can print as it has read it."""
    kinds = 8 if depth < 3 else 6
    return (
        lambda: random.choice((0, 1, -1, 42, 2**31, -2**63, 2**63 - 1, 2**64 - 1)),
        lambda: random.choice((0.5, -1.25, 1e-7, 123456.75, 3e10)),
        lambda: random.choice((None, True, False)),
        lambda: "",
        lambda: "".join(random.choices(CHARACTERS, k=random.randrange(12))),
        lambda: random.randrange(1_000_000),
        lambda: [any_value(random, depth + 1) for _ in range(random.randrange(4))],
        lambda: {random.choice(("a", "b", "ä", "", "id", "execute")): any_value(random, depth + 1)
                 for _ in range(random.randrange(4))},
    )[random.randrange(kinds)]()


class Writer:
    """Writes values as JSON, in any of the ways there are."""

    def __init__(self, random):
        self.random = random
        self.blank = random.choice(("", "", " ", "\n", "\t", "\r\n  "))
        self.ascii = random.random() < 0.5
        self.quote = random.choice(('"', '"', "'"))

    def string(self, text):
        written = json.dumps(text, ensure_ascii=self.ascii)
        # DEL is written as it is, like what is outside ASCII.
        if self.quote == "'":
            return "'" + written[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
        return written

    def value(self, value):
        blank = self.blank
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, list):
            return f"[{blank}" + f"{blank},{blank}".join(map(self.value, value)) + f"{blank}]"
        if isinstance(value, dict):
            return self.members([(key, self.value(item)) for key, item in value.items()])
        return json.dumps(value)

    def members(self, pairs):
        blank = self.blank
        return f"{{{blank}" + f"{blank},{blank}".join(
            f"{self.string(key)}{blank}:{blank}{text}" for key, text in pairs) + f"{blank}}}"

    def command(self, name, arguments, id_member, oob=False, extra=()):
        pairs = [("exec-oob" if oob else "execute", self.value(name)), *id_member, *extra]
        if arguments is not None:
            pairs.append(("arguments", self.value(arguments)))
        self.random.shuffle(pairs)
        return self.members(pairs).encode("utf-8", "surrogatepass")


# Behind a byte that asks for a fresh start QEMU passes over all up to a bracket, comma, colon or line end. The proxy
# starts afresh, as it is asked to: so there is a line end, that both mean the same.
BYTES = [bytes([byte]) for byte in b"{}[],:\"'\\ \n@a0-\xc3"] + [b"\xff\n", b"\x01\n"]


def mutated(random, text):
    at = random.randrange(len(text))
    before, byte, behind = text[:at], text[at:at + 1], text[at + 1:]
    return random.choice((
        lambda: before + behind,
        lambda: before + random.choice(BYTES) + byte + behind,
        lambda: before + random.choice(BYTES) + behind,
        lambda: before,
        lambda: before + text[at:at + random.randrange(8)] + text[at:],
    ))()


def piece(random, number, broken):
    writer = Writer(random)

    def id_member():
        return [("id", writer.value(any_value(random)))] if random.random() < 0.7 else []

    kind = random.random()
    if broken and kind < 0.12:
        return random.choice(RUBBISH)
    if kind < 0.22:
        name, arguments = random.choice(OOB)
        # By this their replies are known, whose order is free.
        return writer.command(name, arguments, [("id", writer.value(f"oob {number}"))], oob=True)
    name, arguments = commands(random)
    if kind < 0.32:
        # One fault at a time, whose words are known then.
        return random.choice((
            lambda: writer.command(name, None, id_member(), extra=[(random.choice(("extra", "control", "ä")), "1")]),
            lambda: writer.command(random.choice((5, None, [], {})), None, id_member()),
            lambda: writer.command(name, random.choice(([], 5, "", False)), id_member()),
            lambda: writer.command(name, None, [*id_member(), ("arguments", "null")]),
            lambda: writer.members(id_member()).encode(),
            lambda: writer.command(name, None, [("id", writer.value(f"oob {number}")), ("exec-oob", '"query-yank"')]),
        ))()
    text = writer.command(name, arguments, id_member())
    if broken and kind < 0.5:
        return mutated(random, text)
    return text


NEGOTIATION = (
    b"", b'{"execute": "qmp_capabilities"}', b'{"execute": "qmp_capabilities"}',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}',
)


def script(random, broken):
    """Its pieces. In a broken one there is input that is no JSON, and what is left of it may be wrong in several ways
    at once."""
    pieces = [random.choice(NEGOTIATION)]
    for number in range(random.randrange(1, 16)):
        text = piece(random, number, broken) + random.choice((b"", b"\n", b"\r\n", b" "))
        if sum(map(len, pieces)) + len(text) > MAX_BYTES:
            break
        pieces.append(text)
    return pieces
