# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's serial console."""

import os
import re
import threading
import weakref

from .stream import READ_SIZE, Deadline, TimedOut

PANIC = re.compile(r"Kernel panic.*(?=\n)")


class GuestError(Exception):
    pass


class Console(threading.Thread):
    """Reads all the time: a guest whose console nobody reads comes to a halt. Rings when the kernel panics, for those
    who wait elsewhere for what will not come any more: a Stream's alarm. Whoever wants a panic clears minds_panic."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock = sock
        self.text = ""
        self.changed = threading.Condition()
        self.panic = None
        self.minds_panic = True
        self.bell = os.eventfd(0)
        # Streams may outlive the guest.
        weakref.finalize(self, os.close, self.bell)
        self.start()

    def run(self):
        while data := self.sock.recv(READ_SIZE):
            with self.changed:
                line = self.text.rfind("\n") + 1
                self.text += data.decode(errors="replace").replace("\r", "")
                if self.minds_panic and self.panic is None and (found := PANIC.search(self.text, line)):
                    self.panic = found.group()
                    os.eventfd_write(self.bell, 1)
                self.changed.notify_all()

    def fileno(self):
        return self.bell

    def check(self):
        if self.panic is not None:
            raise GuestError(f"the guest has crashed: {self.panic}")

    def wait_for(self, what, timeout=30, start=0):
        """Waits for a text to appear; start is a former len(console.text). Returns where it ends."""
        deadline = Deadline(timeout)
        with self.changed:
            self.changed.wait_for(lambda: self.panic is not None or what in self.text[start:], deadline.left())
            if what not in self.text[start:]:
                self.check()
                raise TimedOut(f"timed out waiting for {what!r} on the console")
            return self.text.index(what, start) + len(what)

    def tail(self, lines):
        with self.changed:
            return "\n".join(self.text.splitlines()[-lines:])

    def close(self):
        """To be called when QEMU has ended."""
        self.join()
        self.sock.close()
