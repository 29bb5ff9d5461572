# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's own code for the guest agent, unmodified, beside QMP clients and others of the agent's protocol. QEMU and libvirt
connect to one and the same path, as libvirt has them do for a channel with <source mode='connect'>."""

import contextlib
import json
import unittest

from harness import AgentChannel, Deadline, Proxy, QmpError
from harness.libvirt import DAEMONS, Libvirt, LibvirtGuest, obstacle

AT_ONCE = 10
LIBVIRTD = DAEMONS[1]


class LibvirtCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if why := obstacle():
            raise unittest.SkipTest(why)
        cls.libvirt = cls.enterClassContext(Libvirt())
        cls.guest = cls.enterClassContext(LibvirtGuest(cls.libvirt, agent="qemu-ga"))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, arguments=[
            "--agent-listen", f"unix:{cls.guest.channel}", "--persist"]))
        # Somebody who comes before QEMU is not taken for it.
        cls.early = cls.enterClassContext(AgentChannel.connect(cls.guest.channel, "an early client"))
        cls.early.send_command("guest-sync", {"id": 4711})
        cls.guest.boot()
        cls.proxy.wait_agent()
        cls.wait_connected()

    @classmethod
    def wait_connected(cls):
        """libvirt has found the agent through the proxy."""
        cls.libvirt.wait(lambda: cls.libvirt.try_virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}')[0] == 0,
                         "libvirt's agent channel")

    def setUp(self):
        self.client = self.enterContext(self.proxy.client())
        self.client.execute("qga-proxy-session-set", {"timeout": 0})
        self.addCleanup(self.thaw)

    def thaw(self):
        """Whatever a test that failed has left."""
        with self.proxy.client() as client:
            if client.command("qga-proxy-status")["freeze"]["state"] != "thawed":
                with contextlib.suppress(QmpError):
                    client.command("guest-fsfreeze-thaw")

    def virsh(self, verb, *arguments, **more):
        return self.libvirt.virsh(verb, "guest", *arguments, **more)

    def check_thawed(self, touches):
        deadline = Deadline(AT_ONCE)
        for touch in touches:
            self.assertEqual(touch.wait(deadline), (0, ""))

    def test_commands(self):
        """All that asks the agent, with a QMP client and one in the way of Proxmox beside it."""
        with AgentChannel.connect(self.guest.channel, "a raw client") as raw:
            for number in range(3):
                self.client.send_command("guest-ping", id=number)
                raw.send(b'\xff{"execute": "guest-sync-delimited", "arguments": {"id": %d}}\n' % number +
                         b'{"execute": "guest-info"}\n')
                self.assertEqual(self.virsh("domstate"), "running")
                self.assertEqual(json.loads(self.virsh("qemu-agent-command", '{"execute":"guest-sync","arguments":'
                                                       f'{{"id":{number}}}}}')), {"return": number})
                self.assertEqual(self.client.read_reply(AT_ONCE), {"return": {}, "id": number})
                raw.read_until(b"\xff", AT_ONCE)
                self.assertEqual(raw.read_message(AT_ONCE), {"return": number})
                self.assertIn("version", raw.read_message(AT_ONCE)["return"])
            self.assertIn("/mnt/xfs", self.virsh("domfsinfo"))
            self.assertIn("os.kernel-release", self.virsh("guestinfo"))
            self.assertIn("lo", self.virsh("domifaddr", "--source", "agent"))
            self.assertIn("Time:", self.virsh("domtime"))
        self.assertEqual(self.early.read_message(AT_ONCE), {"return": 4711})
        self.early.send_command("guest-sync", {"id": 4711})

    def test_snapshot(self):
        """A quiesced snapshot freezes and thaws, which the guest sees and nobody else has to know."""
        frozen = self.proxy.status()["agent"]["commands"]
        self.virsh("snapshot-create-as", "--disk-only", "--quiesce", "--no-metadata", "one", timeout=60)
        states = []
        self.client.command("query-status")
        for event in self.client.events:
            if event["event"] == "GUEST_AGENT_STATE":
                states.append(event["data"]["state"])
        self.assertEqual(states, ["frozen", "ready"])
        self.assertGreater(self.proxy.status()["agent"]["commands"], frozen + 1)
        self.check_thawed(self.guest.touch("ext4", "xfs"))
        self.assertEqual(self.proxy.status()["freeze"]["thaws"], 0)

    def test_freeze(self):
        """libvirt freezes, a QMP client is told by whom, and libvirt thaws."""
        self.virsh("domfsfreeze")
        touches = self.guest.stuck_touches("ext4", "xfs")
        freeze = self.client.command("qga-proxy-status")["freeze"]
        self.assertEqual(freeze["state"], "frozen")
        self.assertIn(f"uid 0 pid {self.libvirt.daemons[LIBVIRTD].pid}", freeze["by"])
        self.virsh("domfsthaw")
        self.check_thawed(touches)

    def test_manager_killed(self):
        """libvirt is killed while frozen: it would never thaw, and the lease does. It finds the agent again when it is
        started."""
        self.virsh("domfsfreeze")
        touches = self.guest.stuck_touches("ext4", "xfs")
        self.libvirt.kill(LIBVIRTD)
        self.client.command("qga-proxy-freeze-renew", seconds=1)
        self.client.wait_event("GUEST_FSFREEZE", AT_ONCE, reason="lease", state="thawed")
        self.check_thawed(touches)
        self.libvirt.start(LIBVIRTD)
        self.wait_connected()
        status, output = self.libvirt.try_virsh("domfsthaw", "guest")
        self.assertEqual(status, 1)
        self.assertIn("its lease ended", output)

    def test_late_freeze(self):
        """libvirt gives up a freeze after 3 s and sends no thaw, so that the guest freezes when its agent comes to it. The
        freeze is on the proxy's books, and ends with its lease."""
        self.virsh("guest-agent-timeout", "--timeout", "3")
        self.addCleanup(self.virsh, "guest-agent-timeout", "--timeout", "-2")
        # Behind a thaw, a freeze waits for a sync, and would not be sent at all. An agent that is new has synced.
        self.guest.qmp.events.clear()
        self.guest.signal_agent("KILL")
        self.guest.wait_agent_open()
        self.proxy.wait_agent()
        self.wait_connected()
        with self.guest.stopped_agent():
            status, output = self.libvirt.try_virsh("snapshot-create-as", "guest", "--disk-only", "--quiesce",
                                                    "--no-metadata", "late", timeout=60)
            self.assertEqual(status, 1, output)
        self.proxy.wait_status("the late freeze", lambda status: status["freeze"]["state"] == "frozen", AT_ONCE)
        touches = self.guest.stuck_touches("ext4", "xfs")
        self.client.command("qga-proxy-freeze-renew", seconds=1)
        self.client.wait_event("GUEST_FSFREEZE", AT_ONCE, reason="lease", state="thawed")
        self.check_thawed(touches)
        self.wait_connected()

    def test_restart_of_proxy(self):
        """QEMU comes again to a proxy that was killed and started again. libvirt does not, until it is restarted: it
        connects when QEMU says that the port was opened, or when it starts."""
        cls = type(self)
        cls.proxy.process.kill()
        cls.proxy.process.wait()
        again = Proxy(self.guest, port=self.proxy.tcp[1], arguments=self.proxy.arguments)
        cls.proxy = cls.enterClassContext(again)
        cls.proxy.wait_agent()
        status, output = self.libvirt.try_virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}')
        self.assertEqual(status, 1)
        self.assertIn("agent is not connected", output)
        self.libvirt.kill(LIBVIRTD)
        self.libvirt.start(LIBVIRTD)
        self.wait_connected()
        cls.early = cls.enterClassContext(AgentChannel.connect(self.guest.channel, "an early client"))
        cls.early.send_command("guest-sync", {"id": 4711})
