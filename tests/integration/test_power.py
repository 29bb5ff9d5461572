# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that end or suspend a guest, each in the state that it names. The agent is silent on their success; the
proxy, as a QMP server, is not."""

import unittest

from harness import Guest, Proxy, check_filesystem


class Shutdown(unittest.TestCase):
    def setUp(self):
        self.guest = self.enterContext(Guest())

    def shut_down(self, **arguments):
        """The proxy and the client that told the guest."""
        proxy = self.enterContext(Proxy(self.guest))
        proxy.wait_agent()
        client = self.enterContext(proxy.client("tcp"))
        self.assertEqual(client.command("guest-shutdown", **arguments), {})
        return proxy, client

    def test_powerdown(self):
        """The guest powers off in order, QEMU ends, and the proxy's clients and the proxy with it."""
        proxy, client = self.shut_down(mode="powerdown")
        self.assertEqual(self.guest.wait_powered_off(), 0)
        client.wait_event("SHUTDOWN", guest=True, reason="guest-shutdown")
        self.assertEqual(client.read_rest(30), [])
        self.assertEqual(proxy.wait_exit(), 0)
        for filesystem in "ext4", "xfs":
            check_filesystem(self.guest.disks[filesystem], filesystem)

    def test_halt(self):
        """The guest stops, and the machine does not."""
        _, client = self.shut_down(mode="halt")
        self.guest.wait_halted()
        self.assertEqual(client.command("query-status")["status"], "running")

    def test_reboot(self):
        """The guest starts again, and its agent answers the same client."""
        proxy, client = self.shut_down(mode="reboot")
        client.wait_event("RESET", 60, guest=True, reason="guest-reset")
        self.guest.wait_reboot()
        proxy.wait_agent()
        self.assertEqual(client.command("guest-sync", id=1), 1)

    def test_silence_of_the_agent(self):
        """On its own channel the agent says nothing to a shutdown, and mode powerdown is what nothing means."""
        with self.guest.connect_agent() as agent:
            agent.sync()
            agent.send_command("guest-shutdown")
            self.assertEqual(agent.read_to_end(60), b"")
        self.assertEqual(self.guest.wait_powered_off(), 0)


class Suspend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(Guest())
        # Where the kernel refuses to sleep, it tells the console why.
        cls.guest.shell("echo 8 > /proc/sys/kernel/printk")
        cls.guest.shell("cat /proc/sys/kernel/random/uuid > /run/witness")
        cls.witness = cls.guest.shell("cat /run/witness")

    def setUp(self):
        self.guest.hold_xfs()

    def serve(self):
        """A proxy and a client of it."""
        proxy = self.enterContext(Proxy(self.guest))
        proxy.wait_agent()
        return proxy, self.enterContext(proxy.client("tcp"))

    def check_continues(self, proxy, client):
        """The guest goes on where it was, and its agent answers."""
        proxy.wait_agent()
        self.assertEqual(client.command("guest-sync", id=1), 1)
        self.assertEqual(self.guest.shell("cat /run/witness"), self.witness)
        self.guest.release_xfs()
        for filesystem in "ext4", "xfs":
            self.guest.wait_progress(filesystem, self.guest.progress(filesystem))

    def check_sleep(self, client):
        """The machine sleeps, and wakes up."""
        client.wait_event("SUSPEND", 60)
        self.assertEqual(client.command("query-status")["status"], "suspended")
        self.assertEqual(client.command("system_wakeup"), {})
        client.wait_event("WAKEUP")

    def test_ram(self):
        """The machine sleeps, and after its waking the guest answers."""
        proxy, client = self.serve()
        self.assertEqual(client.command("guest-suspend-ram"), {})
        self.check_sleep(client)
        self.check_continues(proxy, client)

    def test_disk(self):
        """QEMU ends, with everybody on the way; the next one resumes the guest, which answers through a new proxy."""
        proxy, client = self.serve()
        self.assertEqual(client.command("guest-suspend-disk", timeout=60), {})
        client.wait_event("SUSPEND_DISK", 60)
        self.assertEqual(self.guest.wait_exit(), 0)
        client.wait_event("SHUTDOWN")
        self.assertEqual(client.read_rest(30), [])
        self.assertEqual(proxy.wait_exit(), 0)
        self.guest.resume()
        self.check_continues(*self.serve())

    def test_hybrid(self):
        """The machine sleeps and wakes up as from RAM."""
        proxy, client = self.serve()
        self.assertEqual(client.command("guest-suspend-hybrid", timeout=60), {})
        self.check_sleep(client)
        self.check_continues(proxy, client)

    def test_hybrid_that_lost_power(self):
        """A guest that lost its power in hybrid sleep is resumed from the disk."""
        _, client = self.serve()
        self.assertEqual(client.command("guest-suspend-hybrid", timeout=60), {})
        client.wait_event("SUSPEND", 60)
        self.guest.kill()
        self.guest.resume()
        self.check_continues(*self.serve())

    def test_silence_of_the_agent(self):
        """On its own channel the agent says nothing to a suspend, before nor after."""
        with self.guest.connect_agent() as agent, self.guest.connect_qmp() as qmp:
            agent.sync()
            agent.send_command("guest-suspend-ram")
            qmp.wait_event("SUSPEND", 60)
            qmp.command("system_wakeup")
            qmp.wait_event("WAKEUP")
            self.assertEqual(agent.execute("guest-sync", {"id": 1}), 1)
        self.guest.release_xfs()
