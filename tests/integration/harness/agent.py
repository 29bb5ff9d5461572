# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of the agent's own protocol, on its channel or on what the proxy offers in its place."""

import itertools
import json

from .stream import Deadline, Stream, TimedOut

# How long one sync is waited for before the next is sent. The byte stream has no other way to find the agent: what
# was written before it opened the channel may be lost.
SYNC_PERIOD = 1.0

_sync_ids = itertools.count(1000)


class AgentError(Exception):
    def __init__(self, command, error):
        super().__init__(f"{command}: {error['class']}: {error['desc']}")
        self.error_class = error["class"]
        self.desc = error["desc"]


class AgentChannel(Stream):
    def __init__(self, sock, name="agent"):
        super().__init__(sock, name)

    def send_command(self, name, arguments=None, id=None, timeout=30):
        message = {"execute": name}
        if arguments:
            message["arguments"] = arguments
        if id is not None:
            message["id"] = id
        self.send(json.dumps(message).encode() + b"\n", timeout=timeout)

    def read_message(self, timeout):
        return json.loads(self.read_line(timeout))

    def sync_once(self, timeout):
        """One delimited handshake: everything older than its reply is skipped."""
        deadline = Deadline(timeout)
        number = next(_sync_ids)
        self.send(b"\xff", timeout=deadline)
        self.send_command("guest-sync-delimited", {"id": number}, timeout=deadline)
        while True:
            self.read_until(b"\xff", deadline)
            if self.read_message(deadline) == {"return": number}:
                return

    def sync(self, timeout=60):
        """Handshakes until the agent answers."""
        deadline = Deadline(timeout)
        while True:
            try:
                return self.sync_once(min(SYNC_PERIOD, deadline.left()))
            except TimedOut:
                if not deadline.left():
                    raise

    def execute(self, name, arguments=None, timeout=30):
        deadline = Deadline(timeout)
        self.send_command(name, arguments, timeout=deadline)
        reply = self.read_message(deadline)
        if "error" in reply:
            raise AgentError(name, reply["error"])
        return reply["return"]
