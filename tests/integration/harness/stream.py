# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket that is read by line or by count, and other waiting, always with a deadline."""

import array
import contextlib
import os
import select
import socket
import time

READ_SIZE = 65536

# Pace of looking again where nothing tells that it is time to.
POLL_SECONDS = 0.02


class TimedOut(Exception):
    pass


class Closed(Exception):
    pass


class Deadline:
    """A moment that several waits share. Wherever a timeout is asked for, seconds or one of these will do."""

    def __new__(cls, timeout):
        if isinstance(timeout, cls):
            return timeout
        self = super().__new__(cls)
        self.end = time.monotonic() + timeout
        return self

    def left(self):
        return max(0.0, self.end - time.monotonic())


def wait_readable(descriptor, timeout, what, alarm=None):
    """alarm: what ends the waiting, too, and raises the reason in check()."""
    # poll, not select, which ends at descriptor 1023: tests open thousands.
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if alarm is not None:
        poll.register(alarm, select.POLLIN)
    ready = poll.poll(Deadline(timeout).left() * 1000)
    if alarm is not None:
        alarm.check()
    if not ready:
        raise TimedOut(f"timed out waiting for {what}")


def wait_until(holds, what, timeout=30, process=None):
    """For what tells nobody: asks again and again whether it holds, and returns the answer that is true. what may be a
    function, for words that have to say how far it came. process: a Popen, whose end ends the waiting, too."""
    deadline = Deadline(timeout)
    poll = select.poll()

    def words():
        return what() if callable(what) else what

    with contextlib.ExitStack() as stack:
        if process is not None and process.poll() is None:
            pidfd = os.pidfd_open(process.pid)
            stack.callback(os.close, pidfd)
            poll.register(pidfd, select.POLLIN)
        while not (answer := holds()):
            if not deadline.left():
                raise TimedOut(f"timed out waiting for {words()}")
            poll.poll(POLL_SECONDS * 1000)
            if process is not None and process.poll() is not None:
                raise Closed(f"process {process.pid} ended with status {process.returncode}; waited for {words()}")
        return answer


class Stream:
    # See wait_readable().
    alarm = None

    def __init__(self, sock, name):
        self.sock = sock
        self.name = name
        self.buffer = bytearray()
        sock.setblocking(True)

    @classmethod
    def connect(cls, address, name):
        """address: a path, or a (host, port) pair."""
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return cls(sock, name)

    @classmethod
    def wait_connect(cls, address, name, timeout=30, process=None):
        """The same, as soon as somebody listens there; a path may be there before, or a former one yet be replaced.
        process: as of wait_until()."""
        def attempt():
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return cls.connect(address, name)
            return None
        return wait_until(attempt, f"{name} to find anybody who listens on {address}", timeout, process)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def send(self, data, fds=(), timeout=30):
        self.sock.settimeout(Deadline(timeout).left() or 0.001)
        try:
            if fds:
                ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                data = data[self.sock.sendmsg([data], ancillary):]
            self.sock.sendall(data)
        except TimeoutError:
            raise TimedOut(f"timed out writing to {self.name}") from None
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed(f"{self.name} was closed: {error}") from None
        finally:
            self.sock.settimeout(None)

    def fill(self, timeout):
        """Waits for more bytes in the buffer."""
        wait_readable(self.sock, timeout, f"{self.name}; so far: {bytes(self.buffer[-200:])!r}", self.alarm)
        try:
            data = self.sock.recv(READ_SIZE)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(f"{self.name} was closed; last bytes: {bytes(self.buffer[-200:])!r}")
        self.buffer += data

    def take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def read_exact(self, count, timeout):
        deadline = Deadline(timeout)
        while len(self.buffer) < count:
            self.fill(deadline)
        return self.take(count)

    def read_until(self, end, timeout):
        """Everything up to and including the bytes that end it."""
        deadline = Deadline(timeout)
        searched = 0
        while (found := self.buffer.find(end, searched)) < 0:
            searched = max(0, len(self.buffer) - len(end) + 1)
            self.fill(deadline)
        return self.take(found + len(end))

    def read_line(self, timeout):
        return self.read_until(b"\n", timeout)[:-1]

    def read_to_end(self, timeout):
        """Everything until the other side closes."""
        deadline = Deadline(timeout)
        try:
            while True:
                self.fill(deadline)
        except Closed:
            return self.take(len(self.buffer))

    def readable(self):
        """Whether bytes have arrived that are not in the buffer yet."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def discard(self):
        """Forgets what has arrived and was not read."""
        while self.readable() and self.sock.recv(READ_SIZE):
            pass
        self.buffer.clear()
