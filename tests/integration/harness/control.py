# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell in the guest that does not depend on the agent: the host side of tests/guest/root/lib/guest/control."""

import itertools

from .stream import Deadline, Stream


class ShellError(Exception):
    pass


class Task:
    """A command that runs in the guest."""

    def __init__(self, control, number, command):
        self.control = control
        self.number = number
        self.command = command
        self.status = None
        self.output = None

    def done(self):
        """Whether its end has been reported by now."""
        self.control.collect()
        return self.status is not None

    def wait(self, timeout=30):
        """Its exit status and output."""
        deadline = Deadline(timeout)
        while self.status is None:
            self.control.receive(deadline)
        return self.status, self.output


class Control:
    """Outlives QEMU, because a guest that is resumed still answers what it was asked before."""

    def __init__(self):
        self.stream = None
        self.numbers = itertools.count(1)
        self.tasks = {}

    def attach(self, sock, alarm):
        self.stream = Stream(sock, "the guest's control channel")
        self.stream.alarm = alarm

    def wait_ready(self, timeout):
        line = self.stream.read_line(timeout)
        if line != b"ready":
            raise ShellError(f"unexpected on the control channel: {line!r}")

    def forget(self):
        """The guest starts anew: nothing that was asked before will be answered."""
        if self.stream is not None:
            self.stream.discard()
        self.tasks.clear()

    def take_over(self, other):
        """The guest of another is here from now on, with all that was asked for there."""
        self.numbers = other.numbers
        self.tasks, other.tasks = other.tasks, {}
        for task in self.tasks.values():
            task.control = self

    def start(self, command):
        task = Task(self, next(self.numbers), command)
        self.tasks[task.number] = task
        escaped = command.replace("\\", "\\\\").replace("\n", "\\n")
        self.stream.send(f"{task.number} {escaped}\n".encode())
        return task

    def receive(self, timeout):
        deadline = Deadline(timeout)
        number, status, length = map(int, self.stream.read_line(deadline).split())
        output = self.stream.read_exact(length, deadline).decode(errors="replace")
        task = self.tasks.pop(number)
        task.status, task.output = status, output

    def collect(self):
        """Takes in what has arrived, without waiting."""
        while self.stream.buffer or self.stream.readable():
            self.receive(10)

    def close(self):
        self.stream.close()
        self.stream = None
