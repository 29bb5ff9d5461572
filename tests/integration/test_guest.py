# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest and the harness themselves, with Debian's qemu-ga as the agent: what other tests take for granted."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from harness import Guest, GuestError, TimedOut, check_filesystem, runner
from harness.stream import wait_readable


def stock_guest(method="virtio-serial", **options):
    return Guest(agent="qemu-ga", method=method, **options)


class Boot(unittest.TestCase):
    """What can be tried on one guest without changing its state."""

    @classmethod
    def setUpClass(cls):
        cls.guest = cls.enterClassContext(stock_guest("both"))
        usage = Path(f"/proc/{cls.guest.process.pid}/stat").read_text().rpartition(")")[2].split()
        cls.boot_time = (int(usage[11]) + int(usage[12])) / os.sysconf("SC_CLK_TCK")

    def test_boots_within_ten_seconds(self):
        # Of QEMU's own time, which is what it takes where nothing else runs: others may be busy on this machine.
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
        self.guest.signal_agent("KILL")
        self.guest.wait_agent_open()
        with self.guest.connect_agent() as agent:
            agent.sync()

    def test_writing_to_frozen_filesystem_blocks(self):
        with self.guest.connect_agent() as agent:
            agent.sync()
            self.assertEqual(agent.execute("guest-fsfreeze-freeze"), 2)
            try:
                [touch] = self.guest.stuck_touches("ext4")
            finally:
                self.assertEqual(agent.execute("guest-fsfreeze-thaw"), 2)
            self.assertEqual(touch.wait(), (0, ""))


class Panic(unittest.TestCase):
    """A guest whose kernel panics fails by that name and when it does, not when time is up."""

    def test_while_booting(self):
        guest = stock_guest(kernel_arguments=["rdinit=/nonexistent", "root=/dev/nonexistent"])
        with self.assertRaisesRegex(GuestError, "Kernel panic - not syncing: VFS"):
            guest.__enter__()
        self.assertFalse(guest.directory.exists())

    def test_while_waiting(self):
        """Wherever it is waited: none of these would end before its time, which is that of a boot."""
        with stock_guest() as guest, guest.connect_agent() as agent:
            guest.spawn("echo c > /proc/sysrq-trigger")
            for wait in (lambda: guest.wait_until("false", timeout=90),
                         lambda: guest.console.wait_for("never printed", timeout=90),
                         lambda: guest.qmp.wait_event("NEVER", timeout=90),
                         lambda: guest.wait_exit(timeout=90),
                         lambda: agent.read_until(b"never", timeout=90)):
                with self.assertRaisesRegex(GuestError, "Kernel panic - not syncing: sysrq"):
                    wait()


class Deadlines(unittest.TestCase):
    def test_class_that_cannot_be_prepared_costs_others_no_time(self):
        class Broken(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise GuestError

            def test_nothing(self):
                pass

        with mock.patch.object(runner, "_set_deadline") as set_deadline, contextlib.redirect_stdout(io.StringIO()):
            unittest.TestSuite([Broken("test_nothing")]).run(runner.Result())
        set_deadline.assert_called_once_with(runner.DEADLINE)


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
        guest.release_xfs()
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
                guest.hold_xfs()
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
            guest.hold_xfs()
            task = guest.spawn("echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND_DISK", timeout=60)
            guest.wait_exit()
            guest.resume()
            self.assertEqual(task.wait(), (0, ""))
            self.check_everything(guest, witness)

    def test_hybrid(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            guest.hold_xfs()
            task = guest.spawn("echo suspend > /sys/power/disk; echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND", timeout=60)
            guest.qmp.command("system_wakeup")
            guest.qmp.wait_event("WAKEUP")
            self.assertEqual(task.wait(), (0, ""))
            self.check_everything(guest, witness)

    def test_hybrid_that_lost_power(self):
        with stock_guest("both") as guest:
            witness = self.leave_witness(guest)
            guest.hold_xfs()
            guest.spawn("echo suspend > /sys/power/disk; echo disk > /sys/power/state")
            guest.qmp.wait_event("SUSPEND", timeout=60)
            guest.kill()
            guest.resume()
            self.check_everything(guest, witness)


class End(unittest.TestCase):
    """No QEMU is left behind, whatever happens to the tests."""

    SCRIPT = (
        "import contextlib, signal\n"
        "from harness import Guest, runner\n"
        "signal.signal(signal.SIGTERM, runner.terminated)\n"
        "with contextlib.suppress(KeyboardInterrupt), Guest(agent='qemu-ga') as guest:\n"
        "    print(guest.process.pid, guest.directory, flush=True)\n"
        "    signal.pause()\n"
    )

    def end_with(self, number):
        """Ends a process that has a guest up; once its QEMU is gone, returns whether the guest's
        directory is still there."""
        with tempfile.TemporaryDirectory(prefix="qga-") as directory:
            process = subprocess.Popen([sys.executable, "-c", self.SCRIPT], stdout=subprocess.PIPE,
                                       cwd=Path(__file__).parent, env={**os.environ, "TMPDIR": directory})
            with process:
                wait_readable(process.stdout, 90, "the guest")
                pid, path = process.stdout.readline().split()
                qemu = os.pidfd_open(int(pid))
                process.send_signal(number)
                wait_readable(qemu, 30, "QEMU to end")
                os.close(qemu)
                process.wait(30)
                return os.path.exists(path)

    def test_qemu_ends_with_a_killed_test(self):
        self.end_with(signal.SIGKILL)

    def test_terminated_test_leaves_nothing(self):
        self.assertFalse(self.end_with(signal.SIGTERM))
