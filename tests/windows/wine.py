# SPDX-License-Identifier: GPL-2.0-or-later
"""A Windows of Wine's own, made for one test, whose COM1 is a pseudo terminal of ours."""

import os
import pty
import shutil
import socket
import subprocess
import tempfile
import threading
import tty
from pathlib import Path

# Far more than any of its programs takes on a busy machine.
WINE_SECONDS = 300


class Port:
    """A pseudo terminal whose other end is a socket, as the means of the other tests want it."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)
        self.socket, self.inner = socket.socketpair()
        for source, target in (self.master, self.inner.fileno()), (self.inner.fileno(), self.master):
            threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    @staticmethod
    def pump(source, target):
        while data := os.read(source, 65536):
            while data:
                data = data[os.write(target, data):]


class World:
    """Wine's world, and the agent in it."""

    def __init__(self, directory, program):
        self.prefix = Path(directory) / "wine"
        self.drive = self.prefix / "drive_c"
        self.drive.mkdir(parents=True)
        self.port = Port()
        self.env = dict(os.environ, WINEPREFIX=str(self.prefix), WINEDEBUG="-all", DISPLAY="")
        self.wine("wineboot", "--init")
        self.wine("reg", "add", r"HKLM\Software\Wine\Ports", "/v", "COM1", "/d", self.port.path, "/f")
        self.keeper = self.agent = None
        self.stop()  # it reads that when it starts
        # Nothing of this machine's own files is to be seen there.
        (self.prefix / "dosdevices/z:").unlink()
        (self.drive / "tmp").mkdir()
        self.program = shutil.copy(program, self.drive)
        # As long as this waits for words, the world is up; it takes 3 s to be so each time. It is the first, so that
        # the services have its output, and nobody's who waits for the end of that; they are there when it speaks.
        self.keeper = subprocess.Popen(["wine", "cmd.exe"], env=self.env, cwd=self.drive, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.keeper.stdout.readline()

    def wine(self, *command):
        """What it says goes to files: the first program that asks for a window starts Wine's explorer.exe, which has
        its standard error from then on, so that a pipe there may have no end though the program has ended."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            result = subprocess.run(["wine", *command], env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                    cwd=self.drive, timeout=WINE_SECONDS, check=False)
            out.seek(0)
            err.seek(0)
            said = out.read()
            if result.returncode != 0:
                raise AssertionError(f"{command}: {result.returncode}: {said!r} {err.read()!r}")
            return said.decode(errors="replace")

    def service(self):
        """What Windows' register of services says of the agent's."""
        return self.wine("sc", "query", "QEMU-GA")

    def start(self):
        self.agent = subprocess.Popen(["wine", self.program, "-m", "isa-serial", "-p", "COM1"], env=self.env,
                                      stdin=subprocess.DEVNULL, cwd=self.drive)

    def kill(self):
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait()

    def stop(self):
        """Ends all that is in it."""
        for option in "-k", "-w":
            subprocess.run(["wineserver", option], env=self.env, check=False)
        for process in self.keeper, self.agent:
            if process is not None:
                with process:  # closes its ends, too
                    process.wait()

    def shell(self, command):
        """As a guest's: what the agent calls /tmp is on its drive."""
        line = command.replace("/tmp/", f"{self.drive}/tmp/")
        return subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout.strip()
