#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""com-test.py PROGRAM: the agent for Windows, in Wine, on COM1, says what Linux' agent says: the same transcripts."""

import os
import sys
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from answers import Answers  # noqa: E402
from harness import AgentChannel  # noqa: E402
from test_transcripts import Direct  # noqa: E402
from wine import World  # noqa: E402

PROGRAM = Path(sys.argv.pop(1)).resolve()


class Com(Direct, Answers, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.guest = World(directory, PROGRAM)
        cls.addClassCleanup(cls.guest.stop)
        cls.guest.start()
        cls.client = AgentChannel(cls.guest.port.socket)
        cls.client.sync(120)

    def test_killed(self):
        """One that is killed is followed by one that knows which handles it has given out."""
        before = self.ask("guest-file-open", path="C:\\tmp\\killed", mode="w")
        self.guest.kill()
        self.guest.start()
        self.client.sync(60)
        self.refused("GenericError", "has not been found", "guest-file-close", handle=before)
        after = self.ask("guest-file-open", path="C:\\tmp\\killed", mode="w")
        self.assertGreater(after, before)
        self.close(after)

    def test_configuration(self):
        """It is read from where Windows' programs have theirs, and the command line wins over it."""
        folder = self.guest.drive / "ProgramData/qemu-ga"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "qemu-ga.conf"
        file.write_text("[general]\nmethod=isa-serial\npath=COM7\nverbose=true\n")
        self.addCleanup(file.unlink)
        dumped = self.guest.wine("C:\\qga-agent.exe", "-D", "-p", "COM8").split()
        for line in "method=isa-serial", "path=COM8", "verbose=true", "statedir=C:\\\\ProgramData\\\\qemu-ga":
            self.assertIn(line, dumped)

    def test_channels(self):
        """Those that Windows has not are not offered, and are refused."""
        self.assertIn("(virtio-serial, isa-serial)", self.guest.wine("C:\\qga-agent.exe", "-h"))
        with self.assertRaisesRegex(AssertionError, "unsupported channel method/type: unix-listen"):
            self.guest.wine("C:\\qga-agent.exe", "-m", "unix-listen", "-p", "x")

    @contextmanager
    def service(self):
        self.guest.kill()
        self.guest.wine("C:\\qga-agent.exe", "-s", "install", "-m", "isa-serial", "-p", "COM1")
        try:
            self.guest.wine("net", "start", "qemu-ga")
            self.client.sync(60)
            yield
            self.guest.wine("net", "stop", "qemu-ga")
            self.assertRegex(self.guest.service(), r"STOPPED\s+WIN32_EXIT_CODE\s+: 0 ")
        finally:
            self.guest.wine("C:\\qga-agent.exe", "--service=uninstall")

    def test_zz_service(self):
        """It installs itself, is started, serves, is stopped, and is gone again."""
        with self.service():
            self.says('{"execute":"guest-ping"}', '{"return": {}}')
            self.assertIn("RUNNING", self.guest.service())

    def test_zz_service_at_work(self):
        """It is stopped like any other while a call is under way, which is no failure to start it again for."""
        pipe = self.guest.drive / "tmp/pipe"
        os.mkfifo(pipe)
        writer = os.open(pipe, os.O_RDWR)
        self.addCleanup(os.close, writer)
        with self.service():
            handle = self.ask("guest-file-open", path="C:\\tmp\\pipe", mode="r")
            self.ask("guest-capabilities", enable=["pipeline"])
            self.client.send_command("guest-file-read", {"handle": handle, "count": 1}, id=1)
            self.client.send_command("guest-ping", id=2)
            self.assertEqual(self.client.read_message(30), {"return": {}, "id": 2})


if __name__ == "__main__":
    unittest.main()
