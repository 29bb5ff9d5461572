# SPDX-License-Identifier: GPL-2.0-or-later
"""What hosts have always said to the guest agent, held against our agent and Debian's, on both kinds of channel,
directly and through the proxy: the same words get the same answers everywhere."""

import functools
import json
import unittest

from harness import AgentChannel, Deadline, Guest, Proxy, port_is_free

HELLO = b"hello world!\n"
HELLO_BASE64 = "aGVsbG8gd29ybGQhCg=="

# Those that this project's agent has to have at least.
COMMANDS = {
    "guest-sync", "guest-sync-delimited", "guest-ping", "guest-info", "guest-shutdown", "guest-file-open",
    "guest-file-read", "guest-file-write", "guest-file-seek", "guest-file-flush", "guest-file-close",
    "guest-fsfreeze-status", "guest-fsfreeze-freeze", "guest-fsfreeze-freeze-list", "guest-fsfreeze-thaw",
    "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid", "guest-exec", "guest-exec-status",
    "guest-network-get-interfaces", "guest-get-osinfo", "guest-get-host-name", "guest-get-timezone",
    "guest-get-cpustats", "guest-get-diskstats", "guest-get-time", "guest-set-time", "guest-get-users",
    "guest-get-fsinfo", "guest-get-disks", "guest-fstrim", "guest-get-vcpus", "guest-set-vcpus",
    "guest-get-memory-blocks", "guest-set-memory-blocks", "guest-get-memory-block-info", "guest-set-user-password",
    "guest-ssh-get-authorized-keys", "guest-ssh-add-authorized-keys", "guest-ssh-remove-authorized-keys",
}
SILENT = {"guest-shutdown", "guest-suspend-disk", "guest-suspend-ram", "guest-suspend-hybrid"}
SERVED_WHILE_FROZEN = {
    "guest-ping", "guest-info", "guest-sync", "guest-sync-delimited", "guest-fsfreeze-status", "guest-fsfreeze-thaw",
}


@functools.cache
def shared_guest(agent):
    """One for all classes with that agent, which runs in it on both kinds of channel."""
    return unittest.enterModuleContext(Guest(agent, "both"))


class Transcripts:
    """Subclasses say which agent, on which channel, and how the tests get at it."""

    agent = "qga-agent"
    method = "virtio-serial"

    @classmethod
    def setUpClass(cls):
        cls.guest = shared_guest(cls.agent)
        cls.client = cls.enterClassContext(cls.connect())

    # Means

    def exchange(self, request):
        """The bytes of the reply, with the end of the line."""
        self.client.send(request.encode() + b"\n")
        return self.client.read_until(b"\n", 30)

    def says(self, request, reply):
        """A request gets exactly this reply, to the byte."""
        self.assertEqual(self.exchange(request), reply.encode() + self.line_end)

    def tells(self, request, reply):
        """The same for a reply whose members may come in any order."""
        line = self.exchange(request)
        self.assertEqual(json.loads(line), json.loads(reply))
        self.assertTrue(line.endswith(b"}" + self.line_end), line)

    def ask(self, name, **arguments):
        """The value that a command returns; arguments have dashes where Python has underscores."""
        return json.loads(self.exchange(self.request(name, arguments)))["return"]

    def refused(self, error_class, words, name, **arguments):
        """A command gets an error of this class whose text has these words."""
        error = json.loads(self.exchange(self.request(name, arguments)))["error"]
        self.assertEqual(error["class"], error_class, error)
        self.assertIn(words, error["desc"])

    def request(self, name, arguments):
        message = {"execute": name}
        if arguments:
            message["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        return json.dumps(message)

    def close(self, handle):
        self.says(f'{{"execute": "guest-file-close", "arguments": {{"handle": {handle}}}}}', '{"return": {}}')

    def mounted_on_disks(self):
        """How many filesystems the guest has mounted that are on a block device."""
        return int(self.guest.shell("grep -c '^/dev/' /proc/mounts"))

    # Sync and ping

    def test_sync(self):
        """guest-sync repeats its number."""
        self.says('{"execute":"guest-sync", "arguments":{"id":1234}}', '{"return": 1234}')

    def test_sync_delimited(self):
        """guest-sync-delimited repeats its number, behind the delimiter where the channel is the agent's own."""
        self.client.send(b'{"execute":"guest-sync-delimited", "arguments":{"id":123456}}\n')
        reply = self.client.read_until(b"\n", 30)
        self.assertEqual(reply, self.delimiter + b'{"return": 123456}' + self.line_end)

    def test_sync_of_great_numbers(self):
        """Numbers are 64 bits wide on the whole way."""
        for number in -(2**63), -1, 0, 2**53 + 1, 2**63 - 1:
            self.says(f'{{"execute": "guest-sync", "arguments": {{"id": {number}}}}}', f'{{"return": {number}}}')

    def test_ping(self):
        """guest-ping has nothing to say, and says it."""
        self.says('{"execute":"guest-ping"}', '{"return": {}}')

    def test_single_quotes(self):
        """QEMU's own way of quoting is understood."""
        self.says("{'execute':'guest-sync', 'arguments':{'id':7}}", '{"return": 7}')

    def test_id(self):
        """An id comes back with the reply, in success and in failure."""
        for number in "7", '"seven"', "null", '{"a": [1, 2.5, true]}':
            with self.subTest(number):
                self.tells(f'{{"execute": "guest-ping", "id": {number}}}', f'{{"return": {{}}, "id": {number}}}')
                reply = json.loads(self.exchange(f'{{"execute": "guest-file-open", "id": {number}}}'))
                self.assertEqual(reply["id"], json.loads(number))
                self.assertEqual(reply["error"], {"class": "GenericError", "desc": "Parameter 'path' is missing"})

    def test_info(self):
        """guest-info tells a version of numbers and dots, and the commands with what each is like."""
        info = self.ask("guest-info")
        self.assertRegex(info["version"], r"^\d+(\.\d+)+$")
        commands = {command["name"]: command for command in info["supported_commands"]}
        self.assertEqual(len(commands), len(info["supported_commands"]))
        self.assertLessEqual(COMMANDS, commands.keys())
        for name in COMMANDS:
            self.assertEqual(commands[name],
                             {"name": name, "enabled": True, "success-response": name not in SILENT})

    def test_mistakes(self):
        """Mistakes are told in the class and the words that hosts look for."""
        self.refused("CommandNotFound", "The command guest-nonsense has not been found", "guest-nonsense")
        self.refused("GenericError", "Parameter 'id' is missing", "guest-sync")
        self.refused("GenericError", "Invalid parameter type for 'id', expected: integer", "guest-sync", id="seven")
        self.refused("GenericError", "Parameter 'more' is unexpected", "guest-sync", id=7, more=1)
        self.refused("GenericError", "handle '999' has not been found", "guest-file-read", handle=999)
        self.refused("GenericError", "No such file or directory", "guest-file-open", path="/tmp/nowhere/at/all")
        self.refused("GenericError", "mode is invalid", "guest-shutdown", mode="sideways")

    # Files

    def test_file_round_trip(self):
        """What is written comes back, and is what the guest sees in the file."""
        handle = self.ask("guest-file-open", path="/tmp/testqga", mode="w+")
        self.assertGreaterEqual(handle, 1000)
        self.tells('{"execute":"guest-file-write", "arguments":{"handle":%d,"buf-b64":"%s"}}' % (handle, HELLO_BASE64),
                   '{"return": {"count": 13, "eof": false}}')
        self.close(handle)
        self.assertEqual(self.guest.shell("cat /tmp/testqga"), HELLO.decode().removesuffix("\n"))
        again = self.ask("guest-file-open", path="/tmp/testqga", mode="r")
        self.assertGreater(again, handle)
        self.tells('{"execute":"guest-file-read", "arguments":{"handle":%d,"count":1024}}' % again,
                   '{"return": {"count": 13, "buf-b64": "%s", "eof": true}}' % HELLO_BASE64)
        self.close(again)
        self.refused("GenericError", f"handle '{again}' has not been found", "guest-file-close", handle=again)

    def test_file_seek(self):
        """Each origin, by number and by name, leads to the position that it names."""
        handle = self.ask("guest-file-open", path="/tmp/seek", mode="w+")
        self.ask("guest-file-write", handle=handle, buf_b64=HELLO_BASE64)
        for set, cur, end in (0, 1, 2), ("set", "cur", "end"):
            with self.subTest(set):
                self.assertEqual(self.seek(handle, 6, set), {"position": 6, "eof": False})
                self.assertEqual(self.read(handle, 5), {"count": 5, "buf-b64": "d29ybGQ=", "eof": False})
                self.assertEqual(self.seek(handle, -5, cur), {"position": 6, "eof": False})
                self.assertEqual(self.seek(handle, -7, end), {"position": 6, "eof": False})
                self.assertEqual(self.read(handle, 4096), {"count": 7, "buf-b64": "d29ybGQhCg==", "eof": True})
                self.assertEqual(self.read(handle, 4096), {"count": 0, "buf-b64": "", "eof": True})
        self.refused("GenericError", "invalid whence code 3", "guest-file-seek", handle=handle, offset=0, whence=3)
        self.refused("GenericError", "Parameter 'whence' does not accept value 'middle'",
                     "guest-file-seek", handle=handle, offset=0, whence="middle")
        self.close(handle)

    def seek(self, handle, offset, whence):
        return self.ask("guest-file-seek", handle=handle, offset=offset, whence=whence)

    def read(self, handle, count):
        return self.ask("guest-file-read", handle=handle, count=count)

    def test_file_flush(self):
        """After a flush the guest sees what was written, though the file is open still."""
        handle = self.ask("guest-file-open", path="/tmp/flushed", mode="w")
        self.ask("guest-file-write", handle=handle, buf_b64=HELLO_BASE64)
        self.says(f'{{"execute": "guest-file-flush", "arguments": {{"handle": {handle}}}}}', '{"return": {}}')
        self.assertEqual(self.guest.shell("wc -c < /tmp/flushed"), str(len(HELLO)))
        self.close(handle)

    # Programs

    def test_exec(self):
        """A program gets its input, and its output and status come back."""
        pid = self.ask("guest-exec", path="/bin/sh", arg=["-c", "cat; echo wrong >&2; exit 3"],
                       input_data=HELLO_BASE64, capture_output=True)["pid"]
        deadline = Deadline(30)
        while not (status := self.ask("guest-exec-status", pid=pid))["exited"]:
            self.assertTrue(deadline.left(), status)
        self.assertEqual(status["exitcode"], 3)
        self.assertEqual(status["out-data"], HELLO_BASE64)
        self.assertEqual(status["err-data"], "d3JvbmcK")

    # Freeze

    def test_freeze(self):
        """A freeze stops whoever writes, for as long as it lasts and no longer, and counts the filesystems."""
        count = self.mounted_on_disks()
        self.assertEqual(count, 2)
        self.says('{"execute":"guest-fsfreeze-status"}', '{"return": "thawed"}')
        self.says('{"execute":"guest-fsfreeze-freeze"}', f'{{"return": {count}}}')
        try:
            self.says('{"execute":"guest-fsfreeze-status"}', '{"return": "frozen"}')
            touches = self.guest.stuck_touches("ext4", "xfs")
            self.check_served_while_frozen()
            for touch in touches:
                self.assertFalse(touch.done())
        finally:
            self.says('{"execute":"guest-fsfreeze-thaw"}', f'{{"return": {count}}}')
        self.says('{"execute":"guest-fsfreeze-status"}', '{"return": "thawed"}')
        for touch in touches:
            self.assertEqual(touch.wait(), (0, ""))
        for filesystem in "ext4", "xfs":
            self.guest.wait_progress(filesystem, self.guest.progress(filesystem))
        self.says('{"execute":"guest-fsfreeze-thaw"}', '{"return": 0}')

    def check_served_while_frozen(self):
        enabled = {command["name"] for command in self.ask("guest-info")["supported_commands"] if command["enabled"]}
        self.assertEqual(enabled - {"guest-capabilities"}, SERVED_WHILE_FROZEN)
        self.says('{"execute":"guest-ping"}', '{"return": {}}')
        for name in "guest-fsfreeze-freeze", "guest-exec-status":
            self.refused("CommandNotFound", f"Command {name} has been disabled", name)

    def test_freeze_list(self):
        """Only the filesystems that are named are frozen."""
        self.assertEqual(self.ask("guest-fsfreeze-freeze-list", mountpoints=["/mnt/xfs", "/no/mount/point"]), 1)
        try:
            [touch] = self.guest.stuck_touches("xfs")
            self.guest.wait_progress("ext4", self.guest.progress("ext4"))
            self.assertFalse(touch.done())
        finally:
            self.assertEqual(self.ask("guest-fsfreeze-thaw"), 1)
        self.assertEqual(touch.wait(), (0, ""))


class Direct:
    """The agent's own channel, without anything between."""

    line_end = b"\n"
    delimiter = b"\xff"

    @classmethod
    def connect(cls):
        agent = cls.guest.connect_agent(cls.method)
        agent.sync()
        return agent

    def test_resynchronisation(self):
        """Behind half a request, a byte 0xFF and a sync find the agent ready again."""
        self.client.send(b'{"execute": "guest-sync", "arguments": {"id": ')
        self.client.sync_once(30)
        self.says('{"execute":"guest-ping"}', '{"return": {}}')


class Private(Direct):
    """An agent's channel as the proxy offers it, which cannot be told from the agent's own."""

    @classmethod
    def connect(cls):
        path = str(cls.guest.directory / "raw.sock")
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, cls.method, arguments=["--agent-listen", f"unix:{path}"]))
        client = cls.enterClassContext(AgentChannel.connect(path, "the proxy's agent"))
        client.sync()
        return client


class Proxied:
    """As commands of a QMP server."""

    line_end = b"\r\n"
    delimiter = b""
    port = None

    @classmethod
    def connect(cls):
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, cls.method, cls.port))
        client = cls.proxy.client("tcp")
        cls.proxy.wait_agent()
        return client

    def exchange(self, request):
        """Events of the proxy's own, which tell that the agent is frozen, say, may come before."""
        line = super().exchange(request)
        while line.startswith(b'{"timestamp": '):
            line = self.client.read_until(b"\n", 30)
        return line


class VirtioSerial(Direct, Transcripts, unittest.TestCase):
    pass


class IsaSerial(Direct, Transcripts, unittest.TestCase):
    method = "isa-serial"


class ProxiedVirtioSerial(Proxied, Transcripts, unittest.TestCase):
    """On the port that the project's documents name."""

    port = 4444

    @classmethod
    def setUpClass(cls):
        if not port_is_free(cls.port):
            raise unittest.SkipTest(f"port {cls.port} is taken by someone else")
        super().setUpClass()


class ProxiedIsaSerial(Proxied, Transcripts, unittest.TestCase):
    method = "isa-serial"


class PrivateVirtioSerial(Private, Transcripts, unittest.TestCase):
    pass


class PrivateStockIsaSerial(Private, Transcripts, unittest.TestCase):
    agent = "qemu-ga"
    method = "isa-serial"


class Stock(Direct, Transcripts, unittest.TestCase):
    """What the transcripts are true of to begin with."""

    agent = "qemu-ga"


class ProxiedStock(Proxied, Transcripts, unittest.TestCase):
    agent = "qemu-ga"


class ProxiedStockIsaSerial(Proxied, Transcripts, unittest.TestCase):
    agent = "qemu-ga"
    method = "isa-serial"
