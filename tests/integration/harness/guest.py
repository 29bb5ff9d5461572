# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest in QEMU, emulated, from its boot to its certain end."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from .agent import AgentChannel
from .console import Console
from .control import Control, ShellError
from .image import Image
from .qmp import Qmp
from .stream import Deadline, wait_readable

# A boot takes 4 s on an idle machine; this is for a very busy one.
BOOT_TIMEOUT = 90

# Says how many bytes the agent's serial line has brought into the guest so far.
RECEIVED = r"sed -n 's/^1:.* rx:\([0-9]*\).*/\1/p' /proc/tty/driver/serial"

# tsc, timer, KASLR, mitigations, self tests, spare serial ports: each is time that emulation makes long.
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet panic=-1 tsc=reliable no_timer_check nokaslr mitigations=off cryptomgr.notests audit=0 "
    "8250.nr_uarts=2 no_console_suspend"
)

# One thread for all processors of a guest: with three, each in a thread of its own, a boot hangs now and then on a host
# with two ("rcu_sched detected stalls"), in 1 of 40 or so; none of 25 did in one thread, nor was any slower (5.4 s).
ACCELERATOR_OF_SEVERAL = "tcg,thread=single"

# Lines of the console and of each log in a report.
TAIL = 60


class Guest:
    """Usage: with Guest() as guest: ...

    After entering, the guest is up and its agent has opened its channel. Attributes:

      qmp          private monitor of the harness (a Qmp that has negotiated)
      qmp_path     unix socket of a second monitor, for the program under test
      agent_path   unix socket of the agent's virtio-serial channel (chardev qga0, device agent0)
      isa_path     unix socket of the agent's isa-serial channel (chardev qga1)
      disks        name to path of its own overlay: ext4, xfs, swap; each is a drive of that name
      directory    a place for files that goes away with the guest; a *.log in it is reported with a failure
      console      see Console
      process      QEMU's Popen

    Whatever waits for the guest, here or on a connection that was made here, ends with GuestError when its kernel
    panics. A guest that has ended can boot() again from the disks that it left, which is how a hibernated one resumes.
    With a source, which is another Guest, it does not boot but waits for that to migrate to it: see target(). With
    systemd, that is the first process, and there is no agent before a test installs one.
    """

    alive = []

    # What QEMU calls the agent's port.
    port = "agent0"

    def __init__(self, agent="qga-agent", method="virtio-serial", agent_options=(), memory=256, processors=1,
                 qemu_arguments=(), kernel_arguments=(), source=None, systemd=False):
        self.agent = agent
        self.method = "none" if systemd else method
        self.systemd = systemd
        self.agent_options = list(agent_options)
        self.memory = memory
        self.processors = processors
        self.qemu_arguments = list(qemu_arguments)
        self.kernel_arguments = list(kernel_arguments) + (["rdinit=/lib/guest/init-systemd"] if systemd else [])
        self.source = source
        self.process = None
        self.exit_status = None

    # Life

    def __enter__(self):
        self.image = Image.built(self.systemd)
        self.directory = Path(tempfile.mkdtemp(prefix="qga-"))
        try:
            self._prepare()
            self._begin()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _prepare(self):
        """What is there before QEMU is."""
        self.qmp_path = str(self.directory / "qmp.sock")
        self.agent_path = str(self.directory / "agent.sock")
        self.isa_path = str(self.directory / "isa.sock")
        self.control = Control()
        self.disks = self.source.disks if self.source else {name: self._disk(name) for name in Image.DISKS}

    def _begin(self):
        """How far it comes when it is entered."""
        if self.source is None:
            self.boot(4 * BOOT_TIMEOUT if self.systemd else BOOT_TIMEOUT)
        else:
            self.qemu_arguments += ["-incoming", f"unix:{self.directory}/migration.sock"]
            self.start()

    def __exit__(self, kind, error, traceback):
        if error is not None and self.process is not None:
            error.add_note(self.report())
        self.close()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _disk(self, name):
        pristine = self.image.disk(name)
        if name == "swap":
            # Not an overlay, whose tables would be lost with a killed QEMU: the guest never asks for the hibernation
            # image to be flushed.
            path = self.directory / f"{name}.raw"
            command = ["cp", "--sparse=always", pristine, path]
        else:
            path = self.directory / f"{name}.qcow2"
            command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", pristine, path]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    def boot(self, timeout=BOOT_TIMEOUT):
        """Starts QEMU and waits until the guest is ready."""
        deadline = Deadline(timeout)
        self.control.forget()
        self.start()
        self.wait_ready(deadline)

    def start(self):
        """Starts QEMU and waits for its monitor; by then all its sockets listen."""
        assert self.process is None, "the former QEMU has not ended: kill() or wait_exit() first"
        ours, theirs = zip(*(socket.socketpair() for _ in range(3)))
        self.exit_status = None
        self.stderr = open(self.directory / "qemu.stderr", "w+b")
        # The kernel ends QEMU when this process dies, however it dies.
        command = ["setpriv", "--pdeathsig", "KILL", "--", *self._command_line(*(end.fileno() for end in theirs))]
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.stderr, stderr=self.stderr,
                                            pass_fds=[end.fileno() for end in theirs])
        finally:
            for end in theirs:
                end.close()
        Guest.alive.append(self)
        self.console = Console(ours[0])
        self.control.attach(ours[1], self.console)
        self.qmp = Qmp(ours[2], "the harness's monitor")
        self.qmp.alarm = self.console
        self.qmp.negotiate()

    def _command_line(self, console, control, monitor):
        arguments = " ".join([KERNEL_ARGUMENTS, *self.kernel_arguments])
        arguments += f" qga.agent={self.agent} qga.method={self.method}"
        if self.agent_options:
            arguments += f" qga.options={','.join(self.agent_options)}"
        command = [
            "qemu-system-x86_64", "-accel", ACCELERATOR_OF_SEVERAL if self.processors > 1 else "tcg",
            "-smp", str(self.processors), "-machine", "pc", "-m", str(self.memory), "-nodefaults", "-no-user-config",
            "-display", "none", "-kernel", self.image.kernel, "-initrd", self.image.initrd,
            "-append", arguments,
            "-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=qga1,path={self.isa_path},server=on,wait=off", "-serial", "chardev:qga1",
            "-device", "virtio-serial-pci,id=serial0",
            "-chardev", f"socket,id=qga0,path={self.agent_path},server=on,wait=off",
            "-device", "virtserialport,id=agent0,chardev=qga0,name=org.qemu.guest_agent.0",
            "-chardev", f"socket,id=control,fd={control}",
            "-device", "virtserialport,id=control0,chardev=control,name=org.qga-proxy.control",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
        ]
        for name, path in self.disks.items():
            command += ["-drive", f"if=none,id={name},file={path},format={path.suffix[1:]}",
                        "-device", f"virtio-blk-pci,id=disk-{name},drive={name}"]
        return command + self.qemu_arguments

    def wait_ready(self, timeout=BOOT_TIMEOUT):
        """Waits until the guest has booted and its agent has opened its virtio-serial channel. isa-serial does not
        tell whether anybody is there: AgentChannel.sync() finds out."""
        deadline = Deadline(timeout)
        self.control.wait_ready(deadline)
        if self.method in ("virtio-serial", "both"):
            self.wait_agent_open(deadline)

    def wait_agent_open(self, timeout=30):
        """Waits until the agent opens its virtio-serial channel (again)."""
        self.qmp.wait_event("VSERPORT_CHANGE", timeout, id=self.port, open=True)

    def resume(self, timeout=BOOT_TIMEOUT):
        """Starts QEMU for a guest that hibernated, and waits until it goes on where it was. The first boot's services
        are still running, so nothing announces itself: the shell answers when it is there. Tasks from before go on."""
        deadline = Deadline(timeout)
        self.start()
        self.shell("true", deadline)

    def target(self, **options):
        """Another QEMU on this machine that waits for this guest to migrate to it, as a Guest to enter."""
        return Guest(self.agent, self.method, self.agent_options, self.memory, self.processors,
                     kernel_arguments=self.kernel_arguments, source=self, **options)

    def arrive(self, timeout=60):
        """Called on the target: migrates the guest here, and waits until it runs here. Its tasks go on."""
        deadline = Deadline(timeout)
        self.source.qmp.command("migrate", uri=f"unix:{self.directory}/migration.sock")
        self.qmp.wait_event("RESUME", deadline)
        self.control.take_over(self.source.control)

    def wait_exit(self, timeout=30):
        """Waits for QEMU to end by itself; returns its exit status."""
        descriptor = os.pidfd_open(self.process.pid)
        try:
            wait_readable(descriptor, timeout, "QEMU to end", self.console)
        finally:
            os.close(descriptor)
        self._ended()
        return self.exit_status

    def kill(self):
        """Ends QEMU at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self._ended()

    def _ended(self):
        self.exit_status = self.process.wait()
        self.detach()
        self.stderr.close()

    def detach(self):
        """From a QEMU that has ended, or is about to."""
        self.process = None
        Guest.alive.remove(self)
        self.console.close()
        self.control.close()
        self.qmp.close()

    def report(self):
        """What a person wants to see when a test failed."""
        status = self.process.poll()
        self.stderr.seek(0)
        lines = [
            f"QEMU ({'running' if status is None else f'ended with status {status}'}) said:",
            self.stderr.read().decode(errors="replace"),
            "The guest's console ends with:",
            self.console.tail(TAIL),
        ]
        for log in sorted(self.directory.glob("*.log")):
            lines += [f"{log.name} ends with:", *log.read_text(errors="replace").splitlines()[-TAIL:]]
        return "\n".join(lines)

    # Channels

    def connect_qmp(self):
        """A connection to the monitor meant for the program under test."""
        return self._alarmed(Qmp.connect(self.qmp_path, "qmp")).negotiate()

    def connect_agent(self, method="virtio-serial"):
        """A connection to the agent's own channel; QEMU serves one at a time."""
        path = self.agent_path if method == "virtio-serial" else self.isa_path
        return self._alarmed(AgentChannel.connect(path, f"the agent on {method}"))

    def _alarmed(self, stream):
        stream.alarm = self.console
        return stream

    # Steps in the guest, without the agent

    def run(self, command, timeout=30):
        """Runs shell commands in the guest; returns exit status and output."""
        return self.control.start(command).wait(timeout)

    def shell(self, command, timeout=30):
        """The same for commands that must succeed; returns the output without the newline at its end."""
        status, output = self.run(command, timeout)
        if status != 0:
            raise ShellError(f"in the guest: {command!r} ended with status {status}: {output}")
        return output.removesuffix("\n")

    def spawn(self, command):
        """Starts commands in the guest; returns a Task to wait() for."""
        return self.control.start(command)

    def wait_until(self, condition, timeout=30):
        """Waits until a shell condition holds in the guest, which tries it 20 times a second."""
        self.shell(f"until {condition}; do usleep 50000; done", timeout)

    def wait_blocked(self, task, timeout=30):
        """Waits until a process of the task is stuck in the kernel, as one that writes to a frozen filesystem is."""
        self.wait_until(f"/lib/guest/blocked {task.number}", timeout)

    def touch(self, *filesystems):
        """Starts writing to each; returns the tasks."""
        return [self.spawn(f"touch /mnt/{filesystem}/touched") for filesystem in filesystems]

    def stuck_touches(self, *filesystems):
        """The same to those that are frozen, once each is stuck in the kernel for it."""
        touches = self.touch(*filesystems)
        for touch in touches:
            self.wait_blocked(touch)
            if touch.done():
                raise AssertionError("whoever writes to a filesystem was not held up")
        return touches

    @staticmethod
    def agent_pid_file(method="virtio-serial"):
        return f"/run/agent-{method}/supervised.pid"

    def signal_agent(self, signal, method="virtio-serial"):
        """init starts another one where it ends."""
        self.shell(f"kill -{signal} $(cat {self.agent_pid_file(method)})")

    @contextlib.contextmanager
    def stopped_agent(self, method="virtio-serial"):
        """An agent that takes commands and does not answer; what is sent now is in flight for certain. It may be ended
        within, and with it the guest."""
        self.signal_agent("STOP", method)
        try:
            yield
        finally:
            if self.process is not None:
                self.run(f"kill -CONT $(cat {self.agent_pid_file(method)})")

    @contextlib.contextmanager
    def arrival(self, proxy, method):
        """What is sent to the agent within has come as far as the guest's kernel, from where it goes with the agent
        that was to have it. What is still on its way on a serial line then, the next agent is given, and answers."""
        if method == "isa-serial":
            received, sent = int(self.shell(RECEIVED)), proxy.status()["agent"]["bytes-out"]
        yield
        if method == "isa-serial":
            due = received + proxy.status()["agent"]["bytes-out"] - sent
            self.wait_until(f"[ $({RECEIVED}) -ge {due} ]")

    def progress(self, filesystem):
        """How many rounds the writer on /mnt/FILESYSTEM has done."""
        return int(self.shell(f"cat /mnt/{filesystem}/progress 2> /dev/null || echo 0"))

    def wait_progress(self, filesystem, beyond, timeout=30):
        self.wait_until(f"[ $(cat /mnt/{filesystem}/progress 2> /dev/null || echo 0) -gt {beyond} ]", timeout)

    # Steps from outside

    def hold_xfs(self):
        """To be called before the guest is sent to sleep. Linux 6.1 may refuse to if xfs gives up an inode at that
        moment, for a file that is deleted or because hibernation wants its memory: one of its work queues (xfs-inodegc)
        then waits for another (xfs-buf) that is stopped already, which shows as EBUSY after 20 s, about once in ten
        times. A frozen xfs does not."""
        self.wait_progress("xfs", 0)
        self.shell("kill -STOP -$(cat /run/writer-xfs.pid); sync; fsfreeze --freeze /mnt/xfs")

    def release_xfs(self):
        self.shell("fsfreeze --unfreeze /mnt/xfs; kill -CONT -$(cat /run/writer-xfs.pid)")

    def reset(self, timeout=BOOT_TIMEOUT):
        """The reset button; returns when the guest is up again."""
        self.qmp.command("system_reset")
        self.wait_reboot(timeout)

    def wait_reboot(self, timeout=BOOT_TIMEOUT):
        """Waits for a reset, whoever asked for it, and until the guest is up again."""
        deadline = Deadline(timeout)
        self.qmp.wait_event("RESET", deadline)
        self.control.forget()
        self.wait_ready(deadline)

    def wait_halted(self, timeout=30):
        """Waits until the processor was stopped for good; QEMU goes on and tells nobody."""
        self.console.wait_for("reboot: System halted", timeout)

    def wait_powered_off(self, timeout=60):
        """Waits for the guest to power off and QEMU to end with it."""
        self.qmp.wait_event("SHUTDOWN", timeout, guest=True, reason="guest-shutdown")
        return self.wait_exit(timeout)
