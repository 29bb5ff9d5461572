# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's own code for the guest agent, unmodified, beside QMP clients and others of the agent's protocol, and what
becomes of the guest where replies are late or lost. QEMU and libvirt connect to one and the same path, as libvirt has
them do for a channel with <source mode='connect'>."""

import contextlib
import json
import signal
import tempfile
import unittest
from pathlib import Path

from harness import AgentChannel, Deadline, Proxy, QmpError
from harness.image import SOURCE, program
from harness.launcher import QGA_QEMU
from harness.libvirt import DAEMONS, CommandedGuest, Libvirt, ProxiedGuest, obstacle

AT_ONCE = 10
LIBVIRTD = DAEMONS[1]


class LibvirtCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if why := obstacle():
            raise unittest.SkipTest(why)
        cls.libvirt = cls.enterClassContext(Libvirt())
        cls.guest = cls.enterClassContext(ProxiedGuest(cls.libvirt, agent="qemu-ga"))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest, arguments=[
            "--agent-listen", f"unix:{cls.guest.channel}", "--persist"]))
        # Somebody who comes before QEMU is not taken for it.
        cls.early = cls.enterClassContext(AgentChannel.connect(cls.guest.channel, "an early client"))
        cls.early.send_command("guest-sync", {"id": 4711})
        cls.guest.boot()
        cls.proxy.wait_agent()
        cls.libvirt.wait_agent()

    def setUp(self):
        self.client = self.enterContext(self.proxy.client())
        self.client.execute("qga-proxy-session-set", {"timeout": 0})
        self.addCleanup(self.thaw)

    def thaw(self):
        """Whatever a test that failed has left."""
        self.guest.run(f"kill -CONT $(cat {self.guest.agent_pid_file()})")
        with self.proxy.client() as client:
            if client.command("qga-proxy-status")["freeze"]["state"] != "thawed":
                with contextlib.suppress(QmpError):
                    client.command("guest-fsfreeze-thaw")

    def virsh(self, verb, *arguments, **more):
        return self.libvirt.virsh(verb, "guest", *arguments, **more)

    def check_thawed(self, touches, timeout=AT_ONCE):
        deadline = Deadline(timeout)
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
        self.libvirt.wait_agent()
        status, output = self.libvirt.try_virsh("domfsthaw", "guest")
        self.assertEqual(status, 1)
        self.assertIn("its lease ended", output)

    def test_late_freeze(self):
        """libvirt gives up a freeze after 3 s and sends no thaw, so that the guest freezes when its agent comes to it.
        The freeze is on the proxy's books, and ends with its lease."""
        self.agent_timeout("3")
        self.synced_agent()
        with self.guest.stopped_agent():
            status, output = self.libvirt.try_virsh("snapshot-create-as", "guest", "--disk-only", "--quiesce",
                                                    "--no-metadata", "late", timeout=60)
            self.assertEqual(status, 1, output)
        self.proxy.wait_status("the late freeze", lambda status: status["freeze"]["state"] == "frozen", AT_ONCE)
        touches = self.guest.stuck_touches("ext4", "xfs")
        self.client.command("qga-proxy-freeze-renew", seconds=1)
        self.client.wait_event("GUEST_FSFREEZE", AT_ONCE, reason="lease", state="thawed")
        self.check_thawed(touches)
        self.libvirt.wait_agent()

    def agent_timeout(self, seconds):
        """How long libvirt waits for the agent; -2 is for ever, as it is where nobody says otherwise."""
        self.virsh("guest-agent-timeout", "--timeout", seconds)
        self.addCleanup(self.virsh, "guest-agent-timeout", "--timeout", "-2")

    def spawn(self, verb, *arguments):
        """virsh, under way when this returns: the agent, which is stopped, has the command."""
        process = self.libvirt.spawn_virsh(verb, "guest", *arguments)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.wait_asked({"domfsfreeze": "guest-fsfreeze-freeze", "domfsthaw": "guest-fsfreeze-thaw"}[verb])
        return process

    def wait_asked(self, command, done=lambda status: False):
        """Until the agent has it, or will behind what the proxy itself asks at times; or until it is done."""
        self.proxy.wait_status(f"{command} to be asked for", lambda status: command in status["agent"]["running"] or
                               status["agent"]["queued"] > 0 or done(status), AT_ONCE, self.client)

    def new_agent(self):
        """The agent is lost with what it has, and init starts another."""
        self.guest.qmp.events.clear()
        self.guest.signal_agent("KILL")
        self.guest.wait_agent_open()

    def synced_agent(self):
        """Behind a thaw, a freeze waits for a sync, and would not be sent at all to one that is stopped then. An agent
        that is new has synced."""
        self.new_agent()
        self.proxy.wait_agent()
        self.libvirt.wait_agent()

    def check_others(self):
        """Whoever does not ask the guest is answered, while somebody waits for it."""
        self.assertEqual(self.virsh("domstate", timeout=AT_ONCE), "running")
        self.assertIn("running", self.virsh("qemu-monitor-command", '{"execute":"query-status"}', timeout=AT_ONCE))
        self.assertEqual(self.client.command("query-status", timeout=AT_ONCE)["status"], "running")

    def check_free(self):
        """Nobody is locked out of the agent: libvirt, a QMP client, a client of the agent's protocol."""
        self.libvirt.wait_agent()
        self.assertIn("/mnt/xfs", self.virsh("domfsinfo"))
        self.assertEqual(self.client.command("guest-ping"), {})
        with AgentChannel.connect(self.guest.channel, "a raw client") as raw:
            raw.sync()
            self.assertEqual(raw.execute("guest-fsfreeze-status"), "thawed")

    def test_late_thaw(self):
        """libvirt gives up a thaw after 3 s, and the agent comes to it later."""
        self.virsh("domfsfreeze")
        touches = self.guest.stuck_touches("ext4", "xfs")
        self.agent_timeout("3")
        with self.guest.stopped_agent():
            thaw = self.spawn("domfsthaw")
            self.check_others()
            self.assertEqual(thaw.wait(AT_ONCE), 1)
        self.check_thawed(touches)
        self.check_free()

    def test_lost_thaw(self):
        """A thaw is lost with the agent that had it. libvirt, which waits 3 s or for ever, is told at once, and would
        leave the guest frozen. The proxy thaws it."""
        for seconds in "3", "-2":
            with self.subTest(seconds):
                self.agent_timeout("-2")
                self.virsh("domfsfreeze")
                touches = self.guest.stuck_touches("ext4", "xfs")
                self.agent_timeout(seconds)
                self.guest.signal_agent("STOP")
                thaw = self.spawn("domfsthaw")
                self.check_others()
                self.new_agent()
                self.assertEqual(thaw.wait(AT_ONCE), 1)
                self.check_thawed(touches)
                self.check_free()

    def test_snapshot_whose_thaw_is_lost(self):
        """A quiesced snapshot that waits for its thaw keeps the domain locked, for ever where that is lost. Here it
        ends with an error, the guest is thawed, and the domain can be worked with."""
        for number in range(5):
            self.libvirt.wait_agent()
            snapshot = self.libvirt.spawn_virsh("snapshot-create-as", "guest", "--disk-only", "--quiesce",
                                                "--no-metadata", f"lost{number}")
            with snapshot.stdout:
                self.client.wait_event("GUEST_AGENT_STATE", AT_ONCE, state="frozen")
                # libvirt makes overlays now, and its thaw has to wait here until nobody in the guest will take it.
                # Where that is too late, the snapshot is made, and there is another attempt.
                self.proxy.process.send_signal(signal.SIGSTOP)
                self.guest.signal_agent("STOP")
                self.proxy.process.send_signal(signal.SIGCONT)
                self.wait_asked("guest-fsfreeze-thaw", lambda status: status["freeze"]["state"] == "thawed")
                self.assertEqual(self.client.command("query-status", timeout=AT_ONCE)["status"], "running")
                self.new_agent()
                if snapshot.wait(AT_ONCE) == 1:
                    break
        self.assertEqual(snapshot.returncode, 1)
        # The agent that was killed may have begun to thaw: then it takes another round, of the next one's.
        self.check_thawed(self.guest.touch("ext4", "xfs"), 60)
        self.check_others()
        self.check_free()

    def test_hanging_freeze(self):
        """A freeze that does not come to an end holds up nobody who does not ask the guest, and who does is answered:
        by libvirt's monitor, by QMP, by the agent's protocol. Its end is told to libvirt, whose lock it held."""
        self.synced_agent()
        self.guest.signal_agent("STOP")
        freeze = self.spawn("domfsfreeze")
        self.check_others()
        with AgentChannel.connect(self.guest.channel, "a raw client") as raw, self.proxy.client() as waiting:
            waiting.send_command("guest-ping", id="waits")
            raw.send(b'{"execute": "guest-ping", "id": "too"}')
            self.check_others()
            self.assertIsNone(freeze.poll())
            self.new_agent()
            self.assertEqual(freeze.wait(AT_ONCE), 1)
            self.assertEqual(waiting.read_reply(AT_ONCE)["id"], "waits")
            self.assertEqual(raw.read_message(AT_ONCE)["id"], "too")
        self.check_thawed(self.guest.touch("ext4", "xfs"))
        self.check_free()

    def test_late_ping(self):
        """libvirt gives up a ping after 5 s. The late answer is nobody's, and others have theirs."""
        with self.proxy.client() as waiting:
            with self.guest.stopped_agent():
                status, output = self.libvirt.try_virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}')
                self.assertEqual(status, 1, output)
                waiting.send_command("guest-sync", {"id": 4712}, id="mine")
                self.check_others()
            self.assertEqual(waiting.read_reply(AT_ONCE), {"return": 4712, "id": "mine"})
        self.assertEqual(json.loads(self.virsh("qemu-agent-command", '{"execute":"guest-sync","arguments":{"id":8}}')),
                         {"return": 8})
        self.check_free()

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
        self.libvirt.wait_agent()
        cls.early = cls.enterClassContext(AgentChannel.connect(self.guest.channel, "an early client"))
        cls.early.send_command("guest-sync", {"id": 4711})


class Monitor(unittest.TestCase):
    """A second monitor and the agent's channel by <qemu:commandline>, as an example has them: libvirt knows nothing of
    it."""

    @classmethod
    def setUpClass(cls):
        if why := obstacle():
            raise unittest.SkipTest(why)
        cls.libvirt = cls.enterClassContext(Libvirt())
        cls.guest = cls.enterClassContext(CommandedGuest(cls.libvirt))
        cls.proxy = cls.enterClassContext(Proxy(cls.guest))
        cls.proxy.wait_agent()

    def test_snapshot(self):
        """libvirt takes a snapshot while a client of the proxy has the guest frozen, and what libvirt does is seen."""
        with self.proxy.client() as client:
            self.assertGreater(client.execute("guest-fsfreeze-freeze"), 0)
            touches = self.guest.stuck_touches("ext4", "xfs")
            self.libvirt.virsh("snapshot-create-as", "guest", "--disk-only", "--no-metadata", "one", timeout=60)
            self.assertGreater(client.execute("guest-fsfreeze-thaw"), 0)
            for touch in touches:
                self.assertEqual(touch.wait(AT_ONCE), (0, ""))
            self.assertIn(".one", json.dumps(client.command("query-block")))
            self.libvirt.virsh("suspend", "guest")
            client.wait_event("STOP", AT_ONCE)
            self.libvirt.virsh("resume", "guest")
            client.wait_event("RESUME", AT_ONCE)

    def test_apart(self):
        """libvirt has no agent, and its end and return are nothing to the proxy's clients."""
        with self.proxy.client() as client:
            status, output = self.libvirt.try_virsh("domfsfreeze", "guest")
            self.assertEqual(status, 1)
            self.assertIn("agent is not configured", output)
            self.libvirt.kill(LIBVIRTD)
            self.assertEqual(client.command("guest-ping"), {})
            self.libvirt.start(LIBVIRTD)
            self.assertEqual(self.libvirt.virsh("domstate", "guest"), "running")
            self.assertEqual(client.command("query-status")["status"], "running")


class Examples(unittest.TestCase):
    def test_domains(self):
        """The domains among the examples are such as libvirt takes, and makes command lines of."""
        if why := obstacle():
            self.skipTest(why)
        examples = sorted((SOURCE / "examples").glob("domain-*.xml"))
        self.assertEqual(len(examples), 3)
        with Libvirt() as libvirt, tempfile.TemporaryDirectory(prefix="qga-") as folder:
            link = Path(folder) / "qga-qemu-system-x86_64"
            link.symlink_to(program(QGA_QEMU))
            for example in examples:
                with self.subTest(example.name):
                    domain = Path(folder) / example.name
                    domain.write_text(example.read_text().replace("/usr/bin/qga-qemu-system-x86_64", str(link)))
                    libvirt.virsh("define", str(domain), "--validate")
                    shown = libvirt.virsh("domxml-to-native", "qemu-argv", "--domain", "example")
                    self.assertIn("org.qemu.guest_agent.0", shown)
                    libvirt.virsh("undefine", "example")


if __name__ == "__main__":
    unittest.main()
