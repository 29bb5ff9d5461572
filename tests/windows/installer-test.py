#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""installer-test.py PROGRAM: what the installer leaves in Wine: a service that answers on COM1, as it was told."""

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness import AgentChannel  # noqa: E402
from wine import World  # noqa: E402

PROGRAM = Path(sys.argv.pop(1)).resolve()
OPTIONS = "--method=isa-serial --path=COM1"
NEWER = "99.1.0"


class Installer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = Path(cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        cls.guest = World(directory, PROGRAM)
        cls.addClassCleanup(cls.guest.stop)
        cls.client = AgentChannel(cls.guest.port.socket)
        # What a later version's program has more is behind its end, where nobody reads it.
        later = directory / "later/qga-agent.exe"
        later.parent.mkdir()
        later.write_bytes(PROGRAM.read_bytes() + b"later")
        cls.build("old.msi", PROGRAM)
        shutil.copy(cls.guest.drive / "old.msi", cls.guest.drive / "qga-agent.msi")
        cls.build("new.msi", later, NEWER)

    @classmethod
    def build(cls, name, program, *version):
        subprocess.run([ROOT / "packaging/windows/build-msi", "x86_64", program, cls.guest.drive / name, *version],
                       check=True, capture_output=True)

    def setUp(self):
        self.installed = None
        self.addCleanup(self.remove)

    def remove(self):
        if self.installed:
            self.msiexec("/x", self.installed)

    def msiexec(self, action, name, *words):
        self.guest.wine("msiexec", action, f"C:\\{name}", "/qn", *words)
        self.installed = name if action == "/i" else None

    def type(self, line):
        """As somebody types it in the folder where the installer is."""
        (self.guest.drive / "typed.cmd").write_text(f"@cd C:\\\r\n@{line}\r\n@exit %errorlevel%\r\n", newline="")
        self.guest.wine("cmd", "/c", "C:\\typed.cmd")
        self.installed = "qga-agent.msi"

    def programs(self):
        return list(self.guest.drive.glob("Program Files/**/qga-agent.exe"))

    def check_options(self, options):
        line = self.guest.wine("reg", "query", r"HKLM\System\CurrentControlSet\Services\QEMU-GA", "/v", "ImagePath")
        self.assertTrue(line.rstrip().endswith(f" -d {options}"), line)

    def check_serves(self):
        self.assertIn("RUNNING", self.guest.service())
        self.check_options(OPTIONS)
        self.client.sync(60)
        self.assertEqual(self.client.execute("guest-ping"), {})

    def check_gone(self):
        self.assertEqual(list(self.guest.drive.glob("Program Files/qga-proxy")), [])
        services = "System\\CurrentControlSet\\Services\\"
        for key in services + "QEMU-GA", services + "EventLog\\Application\\qemu-ga", "Software\\qga-proxy":
            with self.assertRaises(AssertionError):
                self.guest.wine("reg", "query", "HKLM\\" + key)

    def test_install(self):
        """Without a window or a question; the service has the options that were named, and all goes away again."""
        self.msiexec("/i", "old.msi", f"OPTIONS={OPTIONS}")
        self.check_serves()
        self.msiexec("/x", "old.msi")
        self.check_gone()

    def test_documented(self):
        """What people are told to type, which is the same everywhere, does what it is said to."""
        command = re.compile(r"^(msiexec /i .*?) *(?:#.*)?$", re.MULTILINE)
        lines = [command.findall((ROOT / document).read_text(encoding="utf-8"))
                 for document in ("README.md", "docs/agent-windows.md", "docs/man/qga-agent.8")]
        self.assertEqual(lines, lines[:1] * 3)
        default, serial = lines[0]
        self.type(default)
        self.check_options("--retry-path")
        self.msiexec("/x", "qga-agent.msi")
        self.type(serial)
        self.check_serves()
        self.msiexec("/x", "qga-agent.msi")
        self.check_gone()

    def test_default(self):
        """Without options it waits for the virtio-serial port, which may come later."""
        self.msiexec("/i", "old.msi")
        self.check_options("--retry-path")

    def test_repair(self):
        """A program that was lost is there again, and serves as it was told when it was installed."""
        self.msiexec("/i", "old.msi", f"OPTIONS={OPTIONS}")
        [program] = self.programs()
        self.guest.wine("net", "stop", "qemu-ga")
        program.unlink()
        self.msiexec("/i", "old.msi", "REINSTALL=ALL", "REINSTALLMODE=omus")  # which is what /f stands for
        self.assertEqual(program.read_bytes(), PROGRAM.read_bytes())
        self.check_serves()

    def test_upgrade(self):
        """The next version takes the place of the one before, with its options, and leaves nothing of it."""
        self.msiexec("/i", "old.msi", f"OPTIONS={OPTIONS}")
        self.msiexec("/i", "new.msi")
        [program] = self.programs()
        self.assertTrue(program.read_bytes().endswith(b"later"))
        self.check_serves()
        self.msiexec("/x", "new.msi")
        self.check_gone()

    def test_upgrade_with_options(self):
        """Options that are named count more than those that were."""
        self.msiexec("/i", "old.msi", f"OPTIONS={OPTIONS} --verbose")
        self.msiexec("/i", "new.msi", f"OPTIONS={OPTIONS}")
        self.check_serves()

    def test_downgrade(self):
        """The version before does not take the place of a later one."""
        self.msiexec("/i", "new.msi", f"OPTIONS={OPTIONS}")
        with self.assertRaises(AssertionError):
            self.msiexec("/i", "old.msi", f"OPTIONS={OPTIONS}")
        [program] = self.programs()
        self.assertTrue(program.read_bytes().endswith(b"later"))
        self.check_serves()


if __name__ == "__main__":
    unittest.main()
