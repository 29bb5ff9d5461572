# SPDX-License-Identifier: GPL-2.0-or-later
"""What hosts have always said to the guest agent, and what Windows' agent answers, in Wine."""

import base64
import json

from harness import Deadline
from test_transcripts import SILENT, Transcripts

COMMANDS = {
    "guest-capabilities", "guest-exec", "guest-exec-status", "guest-file-close", "guest-file-flush",
    "guest-file-open", "guest-file-read", "guest-file-seek", "guest-file-write", "guest-fsfreeze-freeze",
    "guest-fsfreeze-freeze-list", "guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-fstrim",
    "guest-get-devices", "guest-get-disks", "guest-get-fsinfo", "guest-get-host-name", "guest-get-load",
    "guest-get-osinfo", "guest-get-time", "guest-get-timezone", "guest-get-users", "guest-get-vcpus", "guest-info",
    "guest-network-get-interfaces", "guest-network-get-route", "guest-ping", "guest-set-time",
    "guest-set-user-password", "guest-shutdown",
    "guest-ssh-add-authorized-keys", "guest-ssh-get-authorized-keys", "guest-ssh-remove-authorized-keys",
    "guest-suspend-disk", "guest-suspend-ram", "guest-sync", "guest-sync-delimited",
}
MIXED_COMMANDS = 1000


class Answers(Transcripts):
    """Subclasses say how the tests get at the agent; .guest is a World with a started agent."""

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
        self.assertTrue((self.guest.drive / "tmp" / name.split("\\")[-1]).exists())

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
        """Megabytes go through in both directions; such a read is sent while it is read."""
        data = base64.b64encode(bytes(range(256)) * 8192).decode()
        handle = self.ask("guest-file-open", path="C:\\tmp\\large", mode="w+")
        self.assertEqual(self.ask("guest-file-write", handle=handle, buf_b64=data)["count"], 2 << 20)
        self.ask("guest-file-seek", handle=handle, offset=0, whence=0)
        self.assertEqual(self.ask("guest-file-read", handle=handle, count=4 << 20)["buf-b64"], data)
        self.close(handle)
