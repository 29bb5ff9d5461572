# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a client and the proxy come together: who listens, who connects, who was there before, who waits
for whom, and whose a path is."""

import os
import pwd
import socket
import stat
import subprocess
import unittest

from bare import NAME, Bare, listening_socket
from harness import Proxy, Qmp, Stream, TimedOut, program
from harness.proxy import PROXYD, free_port

# How long nothing must happen. What is not held is up in a tenth of it.
QUIET_SECONDS = 0.5


def has_ipv6():
    try:
        return free_port("::1") > 0
    except OSError:
        return False


class Front(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.qemu = cls.enterClassContext(Bare(0))

    def setUp(self):
        self.path = self.qemu.directory / "front.sock"
        self.addCleanup(self.path.unlink, missing_ok=True)

    def start(self, address, pass_fds=()):
        """A proxy whose clients come from there, too."""
        return self.enterContext(Proxy(self.qemu, arguments=["--listen", address], pass_fds=pass_fds))

    def check_served(self, sock):
        """Over this connection there is a QMP server, which is QEMU's; closes it."""
        with Qmp(sock, "the client") as client:
            client.negotiate()
            self.assertEqual(client.command("query-name"), {"name": NAME})

    def check_path_served(self):
        self.check_served(Stream.connect(str(self.path), "the client").sock)

    def check_refused(self, address):
        """The daemon does not start; returns what it says."""
        command = [program(PROXYD), "--qmp", f"unix:{self.qemu.qmp_path}", "--listen", address]
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 1, result)
        self.assertIn(address.partition(",")[0], result.stderr)
        return result.stderr

    # Clients come to the proxy

    def test_path(self):
        self.start(f"unix:{self.path}")
        self.check_path_served()
        self.check_path_served()

    def test_abstract(self):
        name = f"qga-proxy-test-{os.getpid()}"
        self.start(f"unix:@{name}")
        self.check_served(Stream.connect(f"\0{name}", "the client").sock)

    def test_ipv4(self):
        port = free_port("127.0.0.1")
        self.start(f"tcp:127.0.0.1:{port}")
        self.check_served(socket.create_connection(("127.0.0.1", port)))
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.2", port))

    @unittest.skipUnless(has_ipv6(), "this host has no IPv6")
    def test_ipv6(self):
        port = free_port("::1")
        self.start(f"tcp:[::1]:{port}")
        self.check_served(socket.create_connection(("::1", port)))
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port))

    @unittest.skipUnless(has_ipv6(), "this host has no IPv6")
    def test_localhost(self):
        """Is both of its addresses."""
        proxy = self.start(f"unix:{self.path}")
        for host in "127.0.0.1", "::1":
            self.check_served(socket.create_connection((host, proxy.tcp[1])))

    def test_inherited_listening(self):
        """Who connected before there was a proxy is served as well."""
        with listening_socket(self.path) as listener:
            early = Stream.connect(str(self.path), "the early client").sock
            self.start(f"fd:{listener.fileno()}", [listener.fileno()])
        self.check_served(early)
        self.check_path_served()

    # The proxy comes to its client

    def test_inherited_connected(self):
        """It is a client like any other; when it has gone, the others stay."""
        ours, theirs = socket.socketpair()
        with theirs:
            proxy = self.start(f"fd:{theirs.fileno()},server=off", [theirs.fileno()])
        self.check_served(ours)
        self.check_served(proxy.connect().sock)

    def test_connects_out(self):
        """Also where the client is there later than the proxy."""
        self.start(f"unix:{self.path},server=off")
        with listening_socket(self.path) as client:
            self.check_served(client.accept()[0])

    def test_connects_out_by_tcp(self):
        with socket.create_server(("127.0.0.1", 0)) as client:
            client.settimeout(30)
            self.start(f"tcp:127.0.0.1:{client.getsockname()[1]},server=off")
            self.check_served(client.accept()[0])

    def test_reconnects(self):
        """To a client that has gone, again and again, and to one at a time."""
        with listening_socket(self.path) as client:
            self.start(f"unix:{self.path},server=off,reconnect=1")
            for _ in range(3):
                connection = client.accept()[0]
                self.check_served(connection.dup())
                with self.assertRaises(BlockingIOError):
                    client.setblocking(False)
                    client.accept()
                client.settimeout(30)
                connection.close()

    # Who waits

    def waiting_qemu(self):
        """It waits on its first monitor, and so makes no other one yet."""
        waiting = self.qemu.directory / f"{self.id()}.sock"
        with listening_socket(waiting) as listener:
            qemu = Bare(0, ["-chardev", f"socket,id=waiting,fd={listener.fileno()},server=on,wait=on",
                            "-mon", "chardev=waiting,mode=control"], [listener.fileno()])
            self.addCleanup(qemu.close)
            qemu.start()
        qemu.qmp_path = str(waiting)
        return qemu

    def test_wait(self):
        """QEMU waits for the proxy, the proxy for its first client, and so the machine for that."""
        qemu = self.waiting_qemu()
        with Proxy(qemu, arguments=["--listen", f"unix:{self.path},wait=on"]) as proxy, proxy.connect() as other:
            # Neither the machine nor the client of another address gets anywhere.
            self.assertRaises(TimedOut, qemu.qmp.read_line, QUIET_SECONDS)
            self.assertFalse(other.readable())
            self.check_path_served()
            qemu.qmp.negotiate()
            other.negotiate()

    def test_wait_off(self):
        """As it is where nothing is said."""
        qemu = self.waiting_qemu()
        with Proxy(qemu, arguments=["--listen", f"unix:{self.path}"]):
            qemu.qmp.negotiate()

    # Whose a path is

    def test_mode(self):
        """What was said, whatever the umask is."""
        self.start(f"unix:{self.path},mode=622")
        status = self.path.stat()
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o622)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give a path away")
    def test_owner(self):
        """By name and by number, and then he alone may connect."""
        daemon = pwd.getpwnam("daemon")
        for options, owner, mode in (
            ("user=daemon,group=54321,mode=606", (daemon.pw_uid, 54321), 0o606),
            ("user=daemon", (daemon.pw_uid, os.getegid()), 0o600),
            ("group=54321", (0, 54321), 0o660),
        ):
            with self.subTest(options), Proxy(self.qemu, arguments=["--listen", f"unix:{self.path},{options}"]):
                status = self.path.stat()
                self.assertEqual((status.st_uid, status.st_gid), owner)
                self.assertEqual(stat.S_IMODE(status.st_mode), mode)
                self.check_path_served()

    def test_unknown_owner(self):
        self.assertIn("no-such-user", self.check_refused(f"unix:{self.path},user=no-such-user"))
        self.assertIn("no-such-group", self.check_refused(f"unix:{self.path},group=no-such-group"))
        self.assertFalse(self.path.exists())

    def test_stale_path(self):
        """A proxy that was killed leaves its path, and the next one takes it."""
        with Proxy(self.qemu, arguments=["--listen", f"unix:{self.path}"]):
            left = self.path.stat().st_ino
        self.assertEqual(self.path.stat().st_ino, left)
        self.assertRaises(ConnectionRefusedError, Stream.connect, str(self.path), "nobody")
        self.start(f"unix:{self.path}")
        self.check_path_served()

    def test_live_path(self):
        """Another server's is not taken, not even from one that is too busy to answer."""
        with listening_socket(self.path, 0) as other:
            self.assertIn("in use by another server", self.check_refused(f"unix:{self.path}"))
            other.accept()[0].close()
            with Stream.connect(str(self.path), "who fills its queue"):
                with self.assertRaises(BlockingIOError), socket.socket(socket.AF_UNIX) as late:
                    late.setblocking(False)
                    late.connect(str(self.path))
                self.assertIn("in use by another server", self.check_refused(f"unix:{self.path}"))
                other.accept()[0].close()
            with Stream.connect(str(self.path), "its next client"):
                other.accept()[0].close()

    def test_no_path(self):
        """What is no socket stays what it is."""
        self.path.write_text("precious")
        self.assertIn("something else than a socket", self.check_refused(f"unix:{self.path}"))
        self.assertEqual(self.path.read_text(), "precious")

    def test_path_goes(self):
        """With a proxy that ends, no path is left, by any name."""
        before = set(self.qemu.directory.iterdir())
        with Proxy(self.qemu, arguments=["--listen", f"unix:{self.path},mode=600"]) as proxy:
            self.check_path_served()
            proxy.process.terminate()
            self.assertEqual(proxy.wait_exit(), 0)
        after = set(self.qemu.directory.iterdir())
        self.assertEqual({file.name for file in after - before} - {"qga-proxyd.log"}, set())
