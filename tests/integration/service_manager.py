# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd's part towards the daemon, for tests on machines that have no systemd running."""

import os
import socket
import subprocess


class Manager:
    """What a service manager does for a daemon of Type=notify: reads what it is told, and keeps its descriptors."""

    def __init__(self, directory):
        self.path = str(directory / "notify.sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.stored = {}

    def serve(self, until, deadline):
        """Reads until a line came, or until the other side is heard of no more."""
        while not until(self.read(deadline.left())):
            pass

    def read_rest(self):
        """What one that has ended has said."""
        while True:
            try:
                self.read(0)
            except BlockingIOError:
                return

    def read(self, timeout):
        """One message, as a dictionary."""
        self.socket.settimeout(timeout)
        data, fds, _, _ = socket.recv_fds(self.socket, 4096, 16)
        lines = dict(line.split("=", 1) for line in data.decode().splitlines())
        name = lines.get("FDNAME")
        if "FDSTORE" in lines:
            self.stored.setdefault(name, []).extend(fds)
        if "FDSTOREREMOVE" in lines:
            for fd in self.stored.pop(name, []):
                os.close(fd)
        return lines

    def start(self, command, log):
        """Passes what it keeps, as sd_listen_fds(3) says: from 3 on, with the names in the environment."""
        pairs = [(name, fd) for name, fds in self.stored.items() for fd in fds]
        names = ":".join(name for name, _ in pairs)
        script = 'export LISTEN_PID=$$; exec "$@"'
        environment = {**os.environ, "NOTIFY_SOCKET": self.path}
        if pairs:
            environment |= {"LISTEN_FDS": str(len(pairs)), "LISTEN_FDNAMES": names}
        keep = [os.dup(fd) for _, fd in pairs]
        high = [os.dup2(fd, 500 + index) for index, fd in enumerate(keep)]

        def arrange():
            for index, fd in enumerate(high):
                os.dup2(fd, 3 + index)

        try:
            return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", script, "sh", *command],
                                    stdin=subprocess.DEVNULL, stderr=log, env=environment, preexec_fn=arrange,
                                    pass_fds=range(3, 3 + len(high)))
        finally:
            for fd in keep + high:
                os.close(fd)

    def close(self):
        self.socket.close()
        for fds in self.stored.values():
            for fd in fds:
                os.close(fd)
