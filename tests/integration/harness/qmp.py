# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of a QMP server, QEMU's own or the proxy."""

import collections
import json

from .stream import Deadline, Stream

_NO_ID = object()


class QmpError(Exception):
    def __init__(self, command, error):
        super().__init__(f"{command}: {error['class']}: {error['desc']}")
        self.error_class = error["class"]
        self.desc = error["desc"]


class Qmp(Stream):
    """Events that arrive while something else is waited for queue up in .events."""

    def __init__(self, sock, name="qmp"):
        super().__init__(sock, name)
        self.events = collections.deque()
        self.greeting = None
        self.next_id = 0

    def negotiate(self, timeout=30, oob=False):
        self.greeting = self.read_message(timeout)["QMP"]
        self.command("qmp_capabilities", timeout=timeout, **({"enable": ["oob"]} if oob else {}))
        return self

    def read_message(self, timeout):
        """The next message of any kind."""
        return json.loads(self.read_line(timeout))

    def send_command(self, name, arguments=None, id=_NO_ID, oob=False, fds=(), timeout=30):
        message = {"exec-oob" if oob else "execute": name}
        if arguments:
            message["arguments"] = arguments
        if id is not _NO_ID:
            message["id"] = id
        self.send(json.dumps(message).encode() + b"\n", fds, timeout)

    def read_reply(self, timeout):
        """The next message that is no event."""
        deadline = Deadline(timeout)
        while True:
            message = self.read_message(deadline)
            if "event" not in message:
                return message
            self.events.append(message)

    def execute(self, name, arguments=None, timeout=30, fds=()):
        """The value returned; raises QmpError. Arguments as a dictionary, because many names have dashes."""
        deadline = Deadline(timeout)
        self.next_id += 1
        self.send_command(name, arguments, id=self.next_id, fds=fds, timeout=deadline)
        reply = self.read_reply(deadline)
        if reply.get("id") != self.next_id:
            raise AssertionError(f"{self.name}: reply to id {self.next_id} expected, not {reply}")
        if "error" in reply:
            raise QmpError(name, reply["error"])
        return reply["return"]

    def command(self, name, timeout=30, **arguments):
        """execute() for arguments whose dashes can be written as underscores."""
        return self.execute(name, {key.replace("_", "-"): value for key, value in arguments.items()}, timeout)

    def hmp(self, line, timeout=30):
        return self.execute("human-monitor-command", {"command-line": line}, timeout)

    def wait_event(self, name, timeout=30, **data):
        """The first event of that name with such data, which is taken out of .events; the others stay."""
        deadline = Deadline(timeout)
        seen = 0
        while True:
            while seen < len(self.events):
                event = self.events[seen]
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    del self.events[seen]
                    return event
                seen += 1
            message = self.read_message(deadline)
            if "event" not in message:
                raise AssertionError(f"{self.name}: an event expected, not {message}")
            self.events.append(message)

    def read_rest(self, timeout):
        """The lines until the other side closes, but for those that tell how the agent of a VM that ends fares: which
        of them still arrive is a matter of chance."""
        return [line for line in self.read_to_end(timeout).splitlines(keepends=True)
                if b'"event": "GUEST_AGENT_STATE"' not in line]
