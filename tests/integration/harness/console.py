# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's serial console."""

import threading

from .stream import READ_SIZE, Deadline, TimedOut


class Console(threading.Thread):
    """Reads all the time: a guest whose console nobody reads comes to a halt."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock = sock
        self.text = ""
        self.changed = threading.Condition()
        self.start()

    def run(self):
        while data := self.sock.recv(READ_SIZE):
            with self.changed:
                self.text += data.decode(errors="replace").replace("\r", "")
                self.changed.notify_all()

    def wait_for(self, what, timeout=30, start=0):
        """Waits for a text to appear; start is a former len(console.text). Returns where it ends."""
        deadline = Deadline(timeout)
        with self.changed:
            if not self.changed.wait_for(lambda: what in self.text[start:], deadline.left()):
                raise TimedOut(f"timed out waiting for {what!r} on the console")
            return self.text.index(what, start) + len(what)

    def tail(self, lines):
        with self.changed:
            return "\n".join(self.text.splitlines()[-lines:])

    def close(self):
        """To be called when QEMU has ended."""
        self.join()
        self.sock.close()
