# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt with the launcher for its emulator: its own code, unmodified, on our monitor and our agent's channel."""

import json
import os
import signal
import subprocess
import unittest

from harness import wait_until
from harness.libvirt import DAEMONS, EmulatedGuest, Libvirt, RoamingGuest, obstacle
from running_program import RunningProgram

AT_ONCE = 10
LIBVIRTD = DAEMONS[1]


class Emulator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if why := obstacle():
            raise unittest.SkipTest(why)
        cls.libvirt = cls.enterClassContext(Libvirt())
        cls.guest = cls.enterClassContext(EmulatedGuest(cls.libvirt))
        cls.libvirt.wait_agent(60)

    def virsh(self, verb, *arguments, **more):
        return self.libvirt.virsh(verb, "guest", *arguments, **more)

    def monitor(self, command, **arguments):
        """A command on libvirt's own monitor."""
        return json.loads(self.virsh("qemu-monitor-command", json.dumps({"execute": command, "arguments": arguments})))

    def worker(self):
        wait_until(lambda: len(self.guest.workers()) == 1, "the proxy")
        return self.guest.workers()[0]

    def test_commands(self):
        """All that asks the agent, guest commands on libvirt's monitor, and another QMP client and one of the agent's
        protocol beside it."""
        self.assertEqual(self.monitor("guest-ping")["return"], {})
        self.assertIn("version", self.monitor("guest-info")["return"])
        with self.guest.client() as client, self.guest.raw_client() as raw:
            self.assertEqual(client.command("guest-ping"), {})
            raw.send(b'\xff{"execute": "guest-sync-delimited", "arguments": {"id": 7}}\n')
            raw.read_until(b"\xff", AT_ONCE)
            self.assertEqual(raw.read_message(AT_ONCE), {"return": 7})
            self.assertEqual(self.virsh("domstate"), "running")
            self.assertIn("/mnt/xfs", self.virsh("domfsinfo"))
            self.assertIn("os.kernel-release", self.virsh("guestinfo"))
            self.assertIn("lo", self.virsh("domifaddr", "--source", "agent"))
            self.assertIn("Time:", self.virsh("domtime"))
            self.assertTrue(self.virsh("domhostname", "--source", "agent"))
            # The test guest has no chpasswd(8): that is the agent's own answer.
            status, output = self.libvirt.try_virsh("set-user-password", "guest", "root", "secret")
            self.assertTrue(status == 0 or "chpasswd" in output, output)
            self.virsh("domfsfreeze")
            status = client.command("qga-proxy-status")["freeze"]
            self.assertEqual(status["state"], "frozen")
            self.virsh("domfsthaw")
            self.assertEqual(client.command("guest-fsfreeze-status"), "thawed")

    def test_snapshot(self):
        self.virsh("snapshot-create-as", "--disk-only", "--quiesce", "--no-metadata", "one", timeout=60)
        with self.guest.client() as client:
            self.assertEqual(client.command("guest-fsfreeze-status"), "thawed")
            self.assertIn("one", json.dumps(client.command("query-block")))

    def test_attach(self):
        disk = self.guest.directory / "more.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
        self.virsh("attach-disk", str(disk), "vdz", "--subdriver", "qcow2")
        self.assertIn("vdz", self.virsh("domblklist"))
        self.virsh("detach-disk", "vdz")

    def test_restart_of_libvirtd(self):
        """It finds its monitor, and the agent."""
        self.libvirt.kill(LIBVIRTD)
        self.libvirt.start(LIBVIRTD)
        self.assertEqual(self.virsh("domstate"), "running")
        self.libvirt.wait_agent(60)

    def test_proxy_killed(self):
        """A proxy that is killed is not noticed by libvirt: the domain runs on, its monitor and its agent answer."""
        events = self.guest.qmp
        for _ in range(3):
            os.kill(self.worker(), signal.SIGKILL)
            self.assertEqual(self.virsh("domstate"), "running")
            self.assertEqual(self.monitor("query-status")["return"]["status"], "running")
            self.libvirt.wait_agent(60)
            self.assertIn("/mnt/xfs", self.virsh("domfsinfo"))
        self.assertEqual(events.command("query-status")["status"], "running")

    def test_upgrade(self):
        """So is one that is upgraded, with no moment between."""
        worker = self.worker()
        former = RunningProgram(worker)
        os.kill(worker, signal.SIGUSR2)
        wait_until(former.replaced, "the upgrade")
        self.assertEqual(self.virsh("domstate"), "running")
        self.assertEqual(self.monitor("guest-ping")["return"], {})
        self.assertIn("/mnt/xfs", self.virsh("domfsinfo"))


class Life(unittest.TestCase):
    """What ends a domain, or has it go elsewhere."""

    def setUp(self):
        if why := obstacle():
            raise unittest.SkipTest(why)
        self.libvirt = self.enterContext(Libvirt())
        self.guest = self.enterContext(EmulatedGuest(self.libvirt))
        self.libvirt.wait_agent(60)

    def state(self):
        return self.libvirt.try_virsh("domstate", "guest")[1]

    def test_managed_save(self):
        self.libvirt.virsh("managedsave", "guest", timeout=90)
        wait_until(lambda: not self.guest.workers(), "the proxy to end")
        self.guest.detach()
        self.libvirt.virsh("start", "guest", timeout=90)
        self.guest.attach()
        self.libvirt.wait_agent(60)
        with self.guest.client() as client:
            self.assertEqual(client.command("guest-ping"), {})

    def test_reboot_and_shutdown(self):
        self.libvirt.virsh("reboot", "guest", "--mode", "agent")
        self.guest.wait_reboot()
        self.libvirt.wait_agent(60)
        self.libvirt.virsh("shutdown", "guest", "--mode", "agent")
        wait_until(lambda: self.state() == "shut off", "the domain to shut down", 60)
        wait_until(lambda: not self.guest.workers(), "the proxy to end")


class Migration(unittest.TestCase):
    def test_between_hosts(self):
        """From one libvirtd to another: who is connected here is told, and there everything is as it was."""
        if why := obstacle():
            self.skipTest(why)
        source, self.libvirt = self.enterContext(Libvirt()), self.enterContext(Libvirt())
        guest = self.enterContext(RoamingGuest(source))
        source.wait_agent(60)
        with guest.client() as client:
            self.assertEqual(client.command("guest-ping"), {})
            guest.migrate(self.libvirt)
            client.read_to_end(AT_ONCE)
        wait_until(lambda: len(guest.workers()) == 1, "the proxy that was left to end")
        self.assertEqual(source.try_virsh("domstate", "guest")[0], 1)
        self.assertEqual(self.libvirt.virsh("domstate", "guest"), "running")
        self.libvirt.wait_agent(60)
        self.assertIn("/mnt/xfs", self.libvirt.virsh("domfsinfo", "guest"))
        with guest.client() as client, guest.raw_client() as raw:
            self.libvirt.virsh("domfsfreeze", "guest")
            self.assertEqual(client.command("qga-proxy-status")["freeze"]["state"], "frozen")
            self.libvirt.virsh("domfsthaw", "guest")
            raw.sync()
            self.assertEqual(raw.execute("guest-fsfreeze-status"), "thawed")


if __name__ == "__main__":
    unittest.main()
