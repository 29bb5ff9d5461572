# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest and the harness themselves, with Debian's qemu-ga as the agent: what other tests take for granted."""

import time
import unittest

from harness import Guest, TimedOut, check_filesystem


def stock_guest(method="virtio-serial", **options):
    return Guest(agent="qemu-ga", method=method, **options)


class Boot(unittest.TestCase):
    """What can be tried on one guest without changing its state."""

    @classmethod
    def setUpClass(cls):
        began = time.monotonic()
        cls.guest = cls.enterClassContext(stock_guest("both"))
        cls.boot_time = time.monotonic() - began

    def test_boot_time(self):
        self.assertLess(self.boot_time, 10)

    def test_ping_over_virtio_serial(self):
        with self.guest.connect_agent("virtio-serial") as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-ping"), {})

    def test_ping_over_isa_serial(self):
        with self.guest.connect_agent("isa-serial") as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-ping"), {})

    def test_writers_make_progress(self):
        for filesystem in "ext4", "xfs":
            self.guest.wait_progress(filesystem, self.guest.progress(filesystem))

    def test_shell_tells_output_and_status(self):
        self.assertEqual(self.guest.run("echo one; echo '\\two' >&2; exit 3"), (3, "one\n\\two\n"))
        self.assertEqual(self.guest.shell("cat <<end\na\nb\nend"), "a\nb")
        big = self.guest.shell("seq 100000")
        self.assertEqual(big.split(), [str(i) for i in range(1, 100001)])

    def test_shell_commands_run_side_by_side(self):
        blocked = self.guest.spawn("mkfifo /run/meet; echo met > /run/meet; rm /run/meet")
        self.guest.wait_until("[ -p /run/meet ]")
        self.assertFalse(blocked.done())
        self.assertEqual(self.guest.shell("cat /run/meet"), "met")
        self.assertEqual(blocked.wait(), (0, ""))

    def test_waiting_in_vain_ends(self):
        with self.assertRaises(TimedOut):
            self.guest.qmp.wait_event("NEVER", timeout=0.1)

    def test_agent_that_dies_is_started_again(self):
        self.guest.qmp.events.clear()
        self.guest.shell("kill -9 $(cat /run/agent-virtio-serial/supervised.pid)")
        self.guest.wait_agent_open()
        with self.guest.connect_agent() as agent:
            agent.sync()

    def test_writing_to_frozen_filesystem_blocks(self):
        with self.guest.connect_agent() as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-fsfreeze-freeze"), 2)
            try:
                touch = self.guest.spawn("touch /mnt/ext4/touched")
                self.guest.wait_blocked(touch)
                self.assertFalse(touch.done())
            finally:
                self.assertEqual(agent.execute("guest-fsfreeze-thaw"), 2)
            self.assertEqual(touch.wait(), (0, ""))


class PowerAndReset(unittest.TestCase):
    def test_power_button(self):
        with stock_guest() as guest:
            guest.qmp.command("system_powerdown")
            self.assertEqual(guest.wait_powered_off(), 0)
            for filesystem in "ext4", "xfs":
                check_filesystem(guest.disks[filesystem], filesystem)

    def test_poweroff(self):
        with stock_guest() as guest:
            guest.spawn("poweroff")
            self.assertEqual(guest.wait_powered_off(), 0)

    def test_halt(self):
        with stock_guest() as guest:
            guest.spawn("halt")
            guest.wait_halted()
            self.assertEqual(guest.qmp.command("query-status")["status"], "running")

    def test_reboot(self):
        with stock_guest() as guest:
            guest.spawn("reboot")
            guest.wait_reboot()
            self.check_agent(guest)

    def test_reset(self):
        with stock_guest() as guest:
            guest.reset()
            self.check_agent(guest)

    def check_agent(self, guest):
        with guest.connect_agent() as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-ping"), {})


class Suspend(unittest.TestCase):
    """Suspends from the shell; that the agent's commands lead there is for others to show."""

    def check_everything(self, guest, witness):
        """The same system goes on: its processes, disks and every channel."""
        self.assertEqual(guest.shell("cat /run/witness"), witness)
        for filesystem in "ext4", "xfs":
            guest.wait_progress(filesystem, guest.progress(filesystem))
        for method in "virtio-serial", "isa-serial":
            with guest.connect_agent(method) as agent:
                agent.sync()
                self.assertEqual(agent.execute("guest-ping"), {})

    def leave_witness(self, guest):
        """In memory, and of this boot."""
        guest.shell("cat /proc/sys/kernel/random/uuid > /run/witness")
        return guest.shell("cat /run/witness")

    def test_to_ram(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            for _ in range(2):
                task = guest.spawn("echo mem > /sys/power/state")
                guest.qmp.wait_event("SUSPEND")
                self.assertEqual(guest.qmp.command("query-status")["status"], "suspended")
                guest.qmp.command("system_wakeup")
                guest.qmp.wait_event("WAKEUP")
                self.assertEqual(task.wait(), (0, ""))
                self.check_everything(guest, witness)

    def test_to_disk(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            task = guest.spawn("echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND_DISK", timeout=60)
            guest.wait_exit()
            guest.resume()
            self.assertEqual(task.wait(), (0, ""))
            self.check_everything(guest, witness)

    def test_hybrid(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            task = guest.spawn("echo suspend > /sys/power/disk; echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND", timeout=60)
            guest.qmp.command("system_wakeup")
            guest.qmp.wait_event("WAKEUP")
            self.assertEqual(task.wait(), (0, ""))
            self.check_everything(guest, witness)

    def test_hybrid_that_lost_power(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            guest.spawn("echo suspend > /sys/power/disk; echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND", timeout=60)
            guest.kill()
            guest.resume()
            self.check_everything(guest, witness)
