# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of the agent's own protocol, in the ways of managers that are out there, all at once on one machine, with QMP
clients beside them: each believes that it is alone."""

import base64
import json
import random
import shutil
import socket
import subprocess
import threading
import unittest

from harness import AgentChannel, Closed, Guest, Proxy

ROUNDS = 60


class RawClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest("qga-agent", "virtio-serial"))
        cls.path = str(cls.guest.directory / "raw.sock")
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, arguments=["--agent-listen", f"unix:{cls.path}"]))
        cls.proxy.wait_agent()

    def connect(self):
        return AgentChannel.connect(self.path, "a raw client")

    # Each a way to ask for something that names the asker; raises where the answer is another's.

    def connect_for_each_command(self, name):
        """A new connection for each, and the sync in one write with the command, whose two answers are on adjacent
        lines behind the complaint about 0xFF."""
        for number in range(ROUNDS):
            with self.connect() as client:
                token = name * 1000 + number
                client.send(b'\xff{"execute":"guest-sync-delimited","arguments":{"id":%d}}\n' % token
                            + b'{"execute":"guest-sync","arguments":{"id":%d}}\n' % number)
                client.read_until(b"\xff", 30)
                self.check(json.loads(client.read_line(30)), {"return": token})
                self.check(json.loads(client.read_line(30)), {"return": number})

    def sync_once_and_stay(self, name):
        """One plain sync, then commands without an id: whatever line comes is the answer."""
        with self.connect() as client:
            client.send(b'{"execute":"guest-sync", "arguments":{"id":%d}}\n' % name)
            self.check(client.read_message(30), {"return": name})
            for number in range(ROUNDS):
                self.check(self.run_echo(client.execute, f"{name}-{number}"), f"{name}-{number}\n")

    def without_line_ends(self, name):
        """No line ends and no sync at all."""
        with self.connect() as client:
            for number in range(ROUNDS):
                client.send(b'{"execute": "guest-ping", "id": "%d-%d"}' % (name, number))
                self.check(client.read_message(30), {"return": {}, "id": f"{name}-{number}"})

    def by_qmp(self, name):
        with self.proxy.client(random.choice(("tcp", "unix"))) as client:
            for number in range(ROUNDS):
                self.check(self.run_echo(client.execute, f"{name}-{number}"), f"{name}-{number}\n")

    def run_echo(self, execute, text):
        """A program in the guest says it; its file and its number hold on the next connection, too."""
        handle = execute("guest-file-open", {"path": f"/tmp/{text}", "mode": "w+"})
        execute("guest-file-close", {"handle": handle})
        pid = execute("guest-exec", {"path": "/bin/echo", "arg": [text], "capture-output": True})["pid"]
        with self.connect() as another:
            while not (status := another.execute("guest-exec-status", {"pid": pid}))["exited"]:
                pass
        return base64.b64decode(status["out-data"]).decode()

    @staticmethod
    def check(found, expected):
        if found != expected:
            raise AssertionError(f"{found!r} is not {expected!r}")

    def test_all_at_once(self):
        failures = []

        def work(way, name):
            try:
                way(name)
            except Exception as error:  # of whichever thread; told below
                failures.append(f"{way.__name__} {name}: {error!r}")

        ways = [self.connect_for_each_command, self.sync_once_and_stay, self.without_line_ends, self.by_qmp]
        threads = [threading.Thread(target=work, args=(way, name)) for name, way in enumerate(ways * 2, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    @unittest.skipUnless(shutil.which("socat"), "needs socat")
    def test_by_hand(self):
        """What a person types into socat."""
        done = subprocess.run(["socat", "-t", "5", "-", f"UNIX-CONNECT:{self.path}"],
                              input=b'{"execute":"guest-ping"}\n{"execute":"guest-sync","arguments":{"id":5}}\n',
                              stdout=subprocess.PIPE, check=True, timeout=30)
        self.assertEqual(done.stdout, b'{"return": {}}\n{"return": 5}\n')

    def test_guest_info(self):
        """Entries have exactly the three members that hosts know."""
        with self.connect() as client:
            for command in client.execute("guest-info")["supported_commands"]:
                self.assertEqual(set(command), {"name", "enabled", "success-response"})

    def test_leaves_with_a_reply_unread(self):
        """The next one hears nothing of it."""
        with self.connect() as client:
            client.send_command("guest-info")
        with self.connect() as client:
            self.assertEqual(client.execute("guest-ping"), {})

    def test_half_a_request(self):
        """It poisons nobody else's."""
        with self.connect() as client:
            client.send(b'{"execute": "guest-sync", "arguments": {"id": ')
            with self.connect() as other:
                self.assertEqual(other.execute("guest-ping"), {})
            client.sync_once(30)

    def test_end(self):
        """It ends with QEMU, as the channel itself would."""
        with Guest("qga-agent", "virtio-serial") as guest:
            path = str(guest.directory / "raw.sock")
            with Proxy(guest, arguments=["--agent-listen", f"unix:{path}"]) as proxy:
                proxy.wait_agent()
                with AgentChannel.connect(path, "raw") as client:
                    client.sync()
                    guest.kill()
                    with self.assertRaises((Closed, BrokenPipeError, socket.error)):
                        while True:
                            client.fill(30)
                self.assertEqual(proxy.wait_exit(), 0)
