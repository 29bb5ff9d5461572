#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""com-test.py PROGRAM: the agent for Windows, in Wine, on COM1, says what Linux' agent says: the same transcripts.

It lives in a world of Wine's own, made for this test, whose COM1 is a pseudo terminal of ours."""

import base64
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import tty
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from harness import AgentChannel, Deadline  # noqa: E402
from test_transcripts import Direct, SILENT, Transcripts  # noqa: E402

PROGRAM = Path(sys.argv.pop(1)).resolve()
COMMANDS = {
    "guest-capabilities", "guest-exec", "guest-exec-status", "guest-file-close", "guest-file-flush",
    "guest-file-open", "guest-file-read", "guest-file-seek", "guest-file-write", "guest-fsfreeze-freeze",
    "guest-fsfreeze-freeze-list", "guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-fstrim", "guest-get-devices", "guest-get-disks",
    "guest-get-fsinfo", "guest-get-host-name", "guest-get-load", "guest-get-osinfo", "guest-get-time",
    "guest-get-timezone", "guest-get-users", "guest-get-vcpus", "guest-info", "guest-network-get-interfaces",
    "guest-network-get-route", "guest-ping", "guest-set-time", "guest-set-user-password", "guest-shutdown",
    "guest-ssh-add-authorized-keys", "guest-ssh-get-authorized-keys", "guest-ssh-remove-authorized-keys",
    "guest-suspend-disk", "guest-suspend-ram", "guest-sync", "guest-sync-delimited",
}
MIXED_COMMANDS = 1000


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

    def __init__(self, directory):
        self.prefix = Path(directory) / "wine"
        self.port = Port()
        self.env = dict(os.environ, WINEPREFIX=str(self.prefix), WINEDEBUG="-all", DISPLAY="")
        self.wine("wineboot", "--init")
        self.wine("reg", "add", r"HKLM\Software\Wine\Ports", "/v", "COM1", "/d", self.port.path, "/f")
        self.stop()  # it reads that when it starts
        # Nothing of this machine's own files is to be seen there.
        (self.prefix / "dosdevices/z:").unlink()
        (self.prefix / "drive_c/tmp").mkdir()
        self.program = shutil.copy(PROGRAM, self.prefix / "drive_c")
        self.agent = None

    def wine(self, *command):
        result = subprocess.run(["wine", *command], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=120, check=False)
        if result.returncode != 0:
            raise AssertionError(f"{command}: {result.returncode}: {result.stdout!r} {result.stderr!r}")
        return result.stdout.decode(errors="replace")

    def start(self):
        self.agent = subprocess.Popen(["wine", self.program, "-m", "isa-serial", "-p", "COM1"], env=self.env,
                                      stdin=subprocess.DEVNULL, cwd=self.prefix / "drive_c")

    def kill(self):
        self.agent.kill()
        self.agent.wait()

    def stop(self):
        for option in "-k", "-w":
            subprocess.run(["wineserver", option], env=self.env, check=False)

    def shell(self, command):
        """As a guest's: what the agent calls /tmp is on its drive."""
        line = command.replace("/tmp/", f"{self.prefix}/drive_c/tmp/")
        return subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout.strip()


class Com(Direct, Transcripts, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.guest = World(directory)
        cls.addClassCleanup(cls.guest.stop)
        cls.guest.start()
        cls.client = AgentChannel(cls.guest.port.socket)
        cls.client.sync(120)

    def run_program(self, path, *words, **more):
        pid = self.ask("guest-exec", path=path, arg=list(words), **more)["pid"]
        deadline = Deadline(60)
        while not (status := self.ask("guest-exec-status", pid=pid))["exited"]:
            self.assertTrue(deadline.left(), status)
        return status

    # What is another on Windows

    def test_info(self):
        """guest-info tells the commands that qemu-ga has on Windows, and guest-capabilities."""
        commands = {command["name"]: command for command in self.ask("guest-info")["supported_commands"]}
        self.assertEqual(commands.keys(), COMMANDS)
        for name, command in commands.items():
            self.assertEqual(command, {"name": name, "enabled": True, "success-response": name not in SILENT})

    def test_exec(self):
        """A program's output and status come back, in each way to capture them."""
        line = "echo out& echo err>&2& exit 3"
        for mode, out, err in (("none", None, None), ("stdout", b"out", None), ("stderr", None, b"err"),
                               ("separated", b"out", b"err"), ("merged", b"out\r\nerr", None)):
            with self.subTest(mode):
                status = self.run_program("cmd.exe", "/c", line, capture_output=mode)
                self.assertEqual(status["exitcode"], 3)
                for name, expected in ("out-data", out), ("err-data", err):
                    found = base64.b64decode(status[name]).strip() if name in status else None
                    self.assertEqual(found, expected)

    def test_freeze(self):
        """Wine has no shadow copies: a freeze says what is missing, and nothing is frozen."""
        self.refused("GenericError", "there is no provider of shadow copies", "guest-fsfreeze-freeze")
        self.says('{"execute":"guest-fsfreeze-status"}', '{"return": "thawed"}')
        self.says('{"execute":"guest-fsfreeze-thaw"}', '{"return": 0}')

    def test_freeze_list(self):
        self.refused("GenericError", "there is no provider of shadow copies", "guest-fsfreeze-freeze-list",
                     mountpoints=["C:\\"])

    # What is only here

    def test_unicode(self):
        """Names of files have every letter there is."""
        name = "C:\\tmp\\\u00e4 \u20ac \U0001f600.txt"
        handle = self.ask("guest-file-open", path=name, mode="w")
        self.close(handle)
        self.assertTrue((self.guest.prefix / "drive_c/tmp" / name.split("\\")[-1]).exists())

    def test_system(self):
        """Wine says it is Windows, and so says the agent."""
        self.assertEqual(self.ask("guest-get-osinfo")["id"], "mswindows")
        self.assertEqual([disk["mountpoint"] for disk in self.ask("guest-get-fsinfo")][:1], ["C:\\"])
        self.assertTrue(self.ask("guest-network-get-interfaces"))
        self.assertTrue(self.ask("guest-get-vcpus"))

    def test_mixed(self):
        """Many commands in a row are answered each, and leave nothing open."""
        handle = self.ask("guest-file-open", path="C:\\tmp\\mixed", mode="w+")
        requests = [
            ("guest-ping", {}), ("guest-sync", {"id": 7}), ("guest-get-host-name", {}), ("guest-get-time", {}),
            ("guest-file-seek", {"handle": handle, "offset": 0, "whence": "set"}),
            ("guest-file-write", {"handle": handle, "buf-b64": "QUJD" * 100}),
            ("guest-file-seek", {"handle": handle, "offset": 0, "whence": "set"}),
            ("guest-file-read", {"handle": handle, "count": 300}), ("guest-get-osinfo", {}),
            ("guest-fsfreeze-status", {}),
        ]
        for i in range(MIXED_COMMANDS):
            name, arguments = requests[i % len(requests)]
            reply = json.loads(self.exchange(json.dumps({"execute": name, "arguments": arguments, "id": i})))
            self.assertEqual(reply["id"], i)
            self.assertIn("return", reply)
        self.close(handle)

    def test_large(self):
        """Megabytes go through in both directions."""
        data = base64.b64encode(bytes(range(256)) * 4096).decode()
        handle = self.ask("guest-file-open", path="C:\\tmp\\large", mode="w+")
        self.assertEqual(self.ask("guest-file-write", handle=handle, buf_b64=data)["count"], 1 << 20)
        self.ask("guest-file-seek", handle=handle, offset=0, whence=0)
        self.assertEqual(self.ask("guest-file-read", handle=handle, count=2 << 20)["buf-b64"], data)
        self.close(handle)

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

    def test_zz_service(self):
        """It installs itself, is started, serves, is stopped, and is gone again."""
        self.guest.kill()
        self.guest.wine("C:\\qga-agent.exe", "-s", "install", "-m", "isa-serial", "-p", "COM1")
        try:
            self.guest.wine("net", "start", "qemu-ga")
            self.client.sync(60)
            self.says('{"execute":"guest-ping"}', '{"return": {}}')
            self.assertIn("RUNNING", self.guest.wine("sc", "query", "QEMU-GA"))
            self.guest.wine("net", "stop", "qemu-ga")
            self.assertIn("STOPPED", self.guest.wine("sc", "query", "QEMU-GA"))
        finally:
            self.guest.wine("C:\\qga-agent.exe", "--service=uninstall")

    def test_zz_installer(self):
        """The installer leaves a service that runs, with the options it was told, again what it was told, and takes
        all with it."""
        self.guest.kill()
        msi = self.guest.prefix / "drive_c/agent.msi"
        subprocess.run([ROOT / "packaging/windows/build-msi", "x86_64", PROGRAM, msi], check=True, capture_output=True)
        for _ in "install", "repair":
            self.guest.wine("msiexec", "/i", "C:\\agent.msi", "/qn", "REINSTALLMODE=amus",
                            "OPTIONS=-m isa-serial -p COM1")
            self.assertIn("RUNNING", self.guest.wine("sc", "query", "QEMU-GA"))
            self.client.sync(60)
        self.guest.wine("msiexec", "/x", "C:\\agent.msi", "/qn")
        self.assertFalse(list(self.guest.prefix.glob("drive_c/Program Files/**/qga-agent.exe")))
        with self.assertRaises(AssertionError):
            self.guest.wine("net", "start", "qemu-ga")


if __name__ == "__main__":
    unittest.main()
