# SPDX-License-Identifier: GPL-2.0-or-later
"""Many clients at once, each with its own way of writing ids, asking the guest and QEMU by turns: every reply at its
owner, in its order, to the byte."""

import json
import random
import re
import threading
import unittest

from harness import Deadline, Guest, Proxy

COMMANDS = 10_000
SECONDS = 150

# How the id of command N is written.
ID_SHAPES = {
    "int": "{}",
    "string": '"command {}"',
    "null": "null",
    "none": None,
    "object": '{{"b": {0}, "a": [{0}]}}',
    "array": '[{}, true, null, "\\n"]',
    "float": "{}.50e0",
    "unicode": '"ä ☃ 𝄞 {}"',
}

# One client moves a tray each time it has sent so many commands; QEMU tells everybody.
TRAY_PERIOD = 50


def not_found(name):
    return {"error": {"class": "CommandNotFound", "desc": f"The command {name} has not been found"}}


def command(random, number):
    """Name, arguments and reply of a command that nobody else will send: of QEMU, of the agent, of the proxy."""
    return random.choice((
        lambda: ("guest-sync", {"id": number}, {"return": number}),
        lambda: ("guest-sync", {"id": -number}, {"return": -number}),
        lambda: ("guest-ping", None, {"return": {}}),
        lambda: (f"guest-nonsense-{number}", None, not_found(f"guest-nonsense-{number}")),
        lambda: ("human-monitor-command", {"command-line": f"print/d {number}"}, {"return": f"{number}\r\n"}),
        lambda: ("qom-get", {"path": "/machine/peripheral/agent0", "property": "name"},
                 {"return": "org.qemu.guest_agent.0"}),
        lambda: ("query-name", None, {"return": {"name": "specimen"}}),
        lambda: (f"nonsense-{number}", None, not_found(f"nonsense-{number}")),
        lambda: (f"qga-proxy-nonsense-{number}", None, not_found(f"qga-proxy-nonsense-{number}")),
    ))()


def ascii(text):
    """What is outside ASCII as QMP writes it; all else stays, also where Python's json would write it otherwise."""
    return re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1].upper().replace("\\U", "\\u"), text)


def with_id(message, id):
    """A message as text with its id where QEMU puts it."""
    text = json.dumps(message)
    if id is None:
        return text
    if "error" in message:
        return f'{{"id": {id}, {text[1:]}'
    return f'{text[:-1]}, "id": {id}}}'


class Client(threading.Thread):
    """Works through its share of commands, some one by one, some in one write. What went wrong is in .failure."""

    def __init__(self, number, shape, qmp, moves_tray):
        super().__init__(daemon=True)
        self.first = number * 1_000_000
        self.shape = shape
        self.qmp = qmp
        self.moves_tray = moves_tray
        self.random = random.Random(number)
        self.failure = None

    def run(self):
        try:
            self.work(Deadline(SECONDS))
        except BaseException as error:
            self.failure = error

    def work(self, deadline):
        exchanges = [self.exchange(number) for number in range(COMMANDS // len(ID_SHAPES))]
        while exchanges:
            batch = [exchanges.pop(0) for _ in range(min(len(exchanges), self.random.choice((1, 1, 2, 5, 20))))]
            self.qmp.send("".join(request for request, _ in batch).encode(), timeout=deadline)
            for request, expected in batch:
                line = self.read_reply(deadline)
                if line != expected:
                    raise AssertionError(f"{request} was answered {line}")

    def read_reply(self, deadline):
        while (line := self.qmp.read_until(b"\n", deadline).decode("ascii")).startswith('{"timestamp"'):
            self.qmp.events.append(json.loads(line))
        return line

    def exchange(self, index):
        """A request and its reply, both as text."""
        if self.moves_tray and index % TRAY_PERIOD == 0:
            verb = "close" if index // TRAY_PERIOD % 2 else "open"
            name, arguments, reply = f"blockdev-{verb}-tray", {"id": "cd0"}, {"return": {}}
        else:
            name, arguments, reply = command(self.random, self.first + index)
        request = {"execute": name}
        if arguments:
            request["arguments"] = arguments
        shape = ID_SHAPES[self.shape]
        id = shape and shape.format(self.first + index)
        return with_id(request, id), ascii(with_id(reply, id)) + "\r\n"


class Clients(unittest.TestCase):
    deadline = SECONDS + 60

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest(qemu_arguments=["-name", "specimen", "-device", "ide-cd,id=cd0"]))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest))
        cls.proxy.wait_agent()

    def test_eight_at_once(self):
        """Four over TCP and four over the unix socket, with 10,000 commands between them; all hear of every event, in
        the same order, and nothing is left over."""
        clients = []
        for number, shape in enumerate(ID_SHAPES, 1):
            qmp = self.enterContext(self.proxy.client("tcp" if number % 2 else "unix", f"client {shape}"))
            clients.append(Client(number, shape, qmp, moves_tray=number == 1))
        before = self.proxy.status()["agent"]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        self.assertEqual({client.shape: client.failure for client in clients if client.failure is not None}, {})
        events = []
        for client in clients:
            # An answer to this comes behind all events that there were.
            client.qmp.command("query-name")
            events.append(list(client.qmp.events))
        for seen in events:
            self.assertEqual(seen, events[0])
        trays = [event["data"]["tray-open"] for event in events[0] if event["event"] == "DEVICE_TRAY_MOVED"]
        moves = -(-COMMANDS // len(ID_SHAPES) // TRAY_PERIOD)
        self.assertEqual(trays, [move % 2 == 0 for move in range(moves)])
        after = self.proxy.status()["agent"]
        self.assertEqual({name: after[name] - before[name] for name in ("queued", "dropped", "faults", "timeouts")},
                         {"queued": 0, "dropped": 0, "faults": 0, "timeouts": 0})
