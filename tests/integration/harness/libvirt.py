# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's libvirt, in namespaces of its own so that the host's stays as it is, and a guest that it runs."""

import contextlib
import os
import signal
import string
import subprocess
import types
from pathlib import Path

from .console import Console
from .control import Control
from .guest import KERNEL_ARGUMENTS, Guest
from .agent import AgentChannel
from .image import SOURCE
from .image import program as image_program
from .launcher import QGA_QEMU
from .proxy import PROXYD
from .qmp import Qmp
from .stream import Stream, wait_until

# Everything that libvirt writes to is empty here, and goes away with the namespace. QEMU runs as the user that runs the
# tests, in no cage: what a host offers of those differs, and none of it is under test.
SETUP = """
set -e
mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
for folder in /run /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mount -t tmpfs none $folder
done
cat > /etc/libvirt/qemu.conf <<end
user = "root"
group = "root"
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
seccomp_sandbox = 0
end
cat > /etc/libvirt/libvirtd.conf <<end
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
end
echo ready
exec sleep infinity
"""

DAEMONS = ("/usr/sbin/virtlogd", "/usr/sbin/libvirtd")


def obstacle():
    """Why there can be no libvirt here, or None."""
    if os.geteuid() != 0:
        return "libvirt's system daemon needs root"
    for program in DAEMONS:
        if not os.path.exists(program):
            return f"{program} is not installed"
    attempt = subprocess.run(["unshare", "--mount", "--net", "--propagation", "private", "true"], capture_output=True,
                             text=True, check=False)
    return f"no namespaces here: {attempt.stderr.strip()}" if attempt.returncode else None


class Libvirt:
    """Usage: with Libvirt() as libvirt: ..."""

    def __enter__(self):
        self.daemons = {}
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--net",
                                        "--propagation", "private", "sh", "-c", SETUP],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if self.holder.stdout.readline() != b"ready\n":
            raise RuntimeError(f"no place for libvirt: {self.holder.stdout.read()}")
        self.start(*DAEMONS)
        return self

    def __exit__(self, *exception):
        for program in list(self.daemons):
            self.kill(program)
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def inside(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "-n", *command]

    def start(self, *programs):
        for program in programs:
            # What libvirt starts finds the programs under test.
            path = f"{Path(image_program(PROXYD)).parent}:{os.environ['PATH']}"
            self.daemons[program] = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *self.inside(program)],
                                                     env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL,
                                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.try_virsh("version")[0] == 0, "libvirt to answer")

    def kill(self, program):
        process = self.daemons.pop(program)
        process.kill()
        process.wait()

    def try_virsh(self, *arguments, timeout=30):
        """Its exit status and what it said, of either kind."""
        done = subprocess.run(self.inside("virsh", "-q", *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout.strip()

    def spawn_virsh(self, *arguments):
        """One that may take its time: a Popen, whose output is of either kind."""
        return subprocess.Popen(self.inside("virsh", "-q", *arguments), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def virsh(self, *arguments, timeout=30):
        status, output = self.try_virsh(*arguments, timeout=timeout)
        if status != 0:
            raise RuntimeError(f"virsh {' '.join(arguments)}: {output}")
        return output

    def wait_agent(self, timeout=30):
        """Until libvirt has found the agent of the guest that it runs."""
        wait_until(lambda: self.try_virsh("qemu-agent-command", "guest", '{"execute":"guest-ping"}')[0] == 0,
                   "libvirt's agent channel", timeout)


DOMAIN = """
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{arguments}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>{emulator}</emulator>
    {disks}
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='unix'><source mode='bind' path='{sockets}/console.sock'/></serial>
    {agent}
    {channels}
  </devices>
  <qemu:commandline>
    {more}
    <qemu:arg value='-qmp'/><qemu:arg value='unix:{sockets}/harness.sock,server=on,wait=off'/>
  </qemu:commandline>
</domain>
"""

AGENT = """<channel type='unix'>
      {source}<target type='virtio' name='org.qemu.guest_agent.0'/>
    </channel>"""

CHANNEL = """<channel type='unix'>
      <source mode='bind' path='{path}'/><target type='virtio' name='{name}'/>
    </channel>"""

DISK = """<disk type='file' device='disk'>
      <driver name='qemu' type='{format}'/><source file='{path}'/><target dev='{target}' bus='virtio'/>
    </disk>"""


class LibvirtGuest(Guest):
    """A Guest that libvirt starts and ends, and whose agent libvirt has for itself. Further ports of the guest are in
    channels, paths by their names."""

    name = "guest"
    port = "channel0"

    def __init__(self, libvirt, **options):
        super().__init__(**options)
        self.libvirt = libvirt
        self.channels = {}

    def sockets(self):
        """The folder of those that QEMU makes, as libvirt is told it."""
        return self.directory

    def reach(self, name):
        """One of them, from here."""
        return f"{self.directory}/{name}"

    def describe(self):
        """What differs from domain to domain: the emulator, where the agent's channel is, more of the command line."""
        more = ["-qmp", f"unix:{self.qmp_path},server=on,wait=off", *self.qemu_arguments]
        return {"emulator": "/usr/bin/qemu-system-x86_64", "agent": AGENT.format(source=self.agent_source()),
                "more": "".join(f"<qemu:arg value='{argument}'/>" for argument in more)}

    def agent_source(self):
        """The host's end of the agent's channel."""
        return f"<source mode='bind' path='{self.agent_path}'/>"

    def start(self):
        arguments = f"{KERNEL_ARGUMENTS} qga.agent={self.agent} qga.method={self.method}"
        disks = [DISK.format(format=path.suffix[1:], path=path, target=f"vd{letter}")
                 for letter, path in zip(string.ascii_lowercase, self.disks.values())]
        channels = {"org.qga-proxy.control": f"{self.sockets()}/control.sock", **self.channels}
        (self.directory / "domain.xml").write_text(DOMAIN.format(
            name=self.name, memory=self.memory, kernel=self.image.kernel, initrd=self.image.initrd, arguments=arguments,
            disks="".join(disks), sockets=self.sockets(), **self.describe(),
            channels="".join(CHANNEL.format(name=name, path=path) for name, path in channels.items())))
        self.libvirt.virsh("define", str(self.directory / "domain.xml"))
        self.libvirt.virsh("start", self.name)
        self.attach()

    def attach(self):
        """To what libvirt has started. A guest that it has restored had other channels than there are now: its shell is
        not there."""
        pid = int(subprocess.run(self.libvirt.inside("cat", f"/run/libvirt/qemu/{self.name}.pid"),
                                 stdout=subprocess.PIPE, check=True).stdout)
        self.process = types.SimpleNamespace(pid=pid)
        self.console = Console(Stream.connect(self.reach("console.sock"), "console").sock)
        self.control = Control()
        self.control.attach(Stream.connect(self.reach("control.sock"), "control").sock, self.console)
        self.qmp = Qmp.connect(self.reach("harness.sock"), "the harness's monitor").negotiate()
        Guest.alive.append(self)

    def report(self):
        return "\n".join(["The guest's console ends with:", self.console.tail(20)] +
                         [line for log in self.directory.glob("*.log")
                          for line in log.read_text(errors="replace").splitlines()[-40:]])

    def kill(self):
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)
        self.detach()


class ProxiedGuest(LibvirtGuest):
    """A Guest whose agent's channel connects to .channel, where a proxy has to listen before: enter the guest, start
    the proxy, boot()."""

    def _prepare(self):
        super()._prepare()
        self.channel = f"{self.directory}/channel.sock"
        self.agent_path = f"{self.channel},server=on"

    def _begin(self):
        """Not at all: that is for boot()."""

    def agent_source(self):
        return f"<source mode='connect' path='{self.channel}'><reconnect enabled='yes' timeout='1'/></source>"


class CommandedGuest(LibvirtGuest):
    """A Guest of whose agent libvirt knows nothing: what is for the proxy is on the command line of an example."""

    port = "agent0"
    example = SOURCE / "examples/domain-monitor.xml"

    def describe(self):
        text = self.example.read_text().replace("/run/example.", f"{self.directory}/example.")
        self.qmp_path, self.agent_path = (f"{self.directory}/example.{name}" for name in ("qmp", "qga"))
        return {"emulator": "/usr/bin/qemu-system-x86_64", "agent": "",
                "more": text.partition("<qemu:commandline>")[2].partition("</qemu:commandline>")[0]}


class EmulatedGuest(LibvirtGuest):
    """A Guest that libvirt starts and ends, by the launcher as its emulator."""

    def describe(self):
        options = f"--listen unix:{self.sockets()}/proxy.sock --agent-listen unix:{self.sockets()}/raw.sock"
        return {"emulator": self.directory / "qga-qemu-system-x86_64", "agent": AGENT.format(source=""),
                "more": f"<qemu:env name='QGA_QEMU_OPTIONS' value='{options}'/>"
                        f"<qemu:env name='XDG_RUNTIME_DIR' value='{self.sockets()}'/>"}

    def start(self):
        (self.directory / "qga-qemu-system-x86_64").symlink_to(image_program(QGA_QEMU))
        super().start()

    def workers(self):
        """The processes that run its proxy."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and (entry / "comm").read_text() == "qga-proxyd\n" and \
                        str(self.sockets()).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
        return found

    def client(self):
        return Qmp.connect(self.reach("proxy.sock"), "a client").negotiate()

    def raw_client(self):
        return AgentChannel.connect(self.reach("raw.sock"), "a raw client")


class RoamingGuest(EmulatedGuest):
    """A Guest that goes from one libvirt to another. Its sockets are in a folder that each of them has for itself, by
    the same name; its disks are in one that they share."""

    def sockets(self):
        return "/run/guest"

    def reach(self, name):
        return f"/proc/{self.libvirt.holder.pid}/root{self.sockets()}/{name}"

    def start(self):
        self.make_place(self.libvirt)
        super().start()

    def make_place(self, libvirt):
        subprocess.run(libvirt.inside("mkdir", "-p", self.sockets()), check=True)

    def migrate(self, target):
        """To another libvirt, which QEMU and libvirt reach by paths."""
        self.make_place(target)
        there = f"qemu+unix:///system?socket=/proc/{target.holder.pid}/root/run/libvirt/libvirt-sock"
        self.libvirt.virsh("migrate", "--live", "--unsafe", "--persistent", "--undefinesource", self.name,
                           "--desturi", there, "--migrateuri", f"unix://{self.directory}/migration.sock", timeout=120)
        self.detach()
        self.libvirt = target
        self.attach()
