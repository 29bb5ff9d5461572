# SPDX-License-Identifier: GPL-2.0-or-later
"""The agent on vsock, within a guest, which is its own host there: not every host has vsock for its guests.

tests/tools/vsock-relay is the client. What it passes on comes from here, through a virtio-serial port for each."""

import base64
import tempfile
import unittest

from harness import AgentChannel, Guest, TimedOut

ADDRESS = "1:5000"  # the local machine's, whoever that is
CLIENTS = 2
TEXT = bytes(range(256)) * 4096


class Vsock(unittest.TestCase):
    program = "qga-agent"

    @classmethod
    def setUpClass(cls):
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="qga-"))
        cls.guest = cls.enterClassContext(Guest(method="none", qemu_arguments=[
            argument for number in range(CLIENTS) for argument in (
                "-chardev", f"socket,id=client{number},path={cls.directory}/client{number},server=on,wait=off",
                "-device", f"virtserialport,chardev=client{number},name=client{number}")]))
        cls.guest.shell("modprobe vsock_loopback")
        # When it is in the background, it is ready.
        cls.guest.shell(f"mkdir /run/agent; {cls.program} -d -m vsock-listen -p {ADDRESS} -t /run/agent "
                        "-f /run/agent/pid -l /run/agent/log")

    def connect(self, number=0):
        """A client, and what ends its connection."""
        channel = self.enterContext(AgentChannel.connect(f"{self.directory}/client{number}", "the agent on vsock"))
        device = f"/dev/virtio-ports/client{number}"
        self.guest.wait_until(f"[ -e {device} ]")
        relay = self.guest.spawn(f"exec vsock-relay {device} {ADDRESS}")

        def disconnect():
            """At once, and with the end of the test."""
            if not relay.done():
                self.guest.run(f"kill -9 $(cat /run/control/{relay.number}.session)")
                relay.wait()
            channel.close()

        self.addCleanup(disconnect)
        return channel, disconnect

    def test_file(self):
        """What is longer than any buffer on the way, there and back."""
        channel, _ = self.connect()
        channel.sync()
        self.assertEqual(channel.execute("guest-ping"), {})
        handle = channel.execute("guest-file-open", {"path": "/tmp/file", "mode": "w+"})
        channel.execute("guest-file-write", {"handle": handle, "buf-b64": base64.b64encode(TEXT).decode()})
        channel.execute("guest-file-seek", {"handle": handle, "offset": 0, "whence": "set"})
        read = channel.execute("guest-file-read", {"handle": handle, "count": len(TEXT)})
        self.assertEqual(base64.b64decode(read["buf-b64"]), TEXT)
        channel.execute("guest-file-close", {"handle": handle})

    def test_reconnect(self):
        """Half a command and an answer that nobody reads are gone with who left; what was opened stays open."""
        channel, disconnect = self.connect()
        channel.sync()
        handle = channel.execute("guest-file-open", {"path": "/dev/zero"})
        for request in (b'{"execute": "guest-pi',
                        b'{"execute": "guest-file-read", "arguments": {"handle": %d, "count": 10000000}}' % handle):
            channel.send(request)
            disconnect()
            channel, disconnect = self.connect()
            channel.send_command("guest-sync-delimited", {"id": 7})
            self.assertEqual(channel.read_line(30), b'\xff{"return": 7}')
        self.assertEqual(channel.execute("guest-file-close", {"handle": handle}), {})

    def test_one_after_another(self):
        """Who comes while another is there waits for its end."""
        first, disconnect = self.connect(0)
        first.sync()
        second, _ = self.connect(1)
        second.send_command("guest-sync-delimited", {"id": 8})
        self.assertEqual(first.execute("guest-ping"), {})
        with self.assertRaises(TimedOut):
            second.read_line(1)
        disconnect()
        self.assertEqual(second.read_line(30), b'\xff{"return": 8}')

    def test_addresses_that_are_none(self):
        """Another machine's, one that is taken, and what is not written as one."""
        for address, words in (("5:5002", "Cannot assign requested address|Address not available"),
                               (ADDRESS, "Address already in use|Address in use"),
                               ("5002", "Invalid argument"), ("1:2:3", "Invalid argument")):
            status, output = self.guest.run(f"{self.program} -m vsock-listen -p {address} -t /tmp")
            self.assertEqual(status, 1)
            self.assertRegex(output, f"^error listening on {address}: ({words})\n$")
