# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages in a guest whose first process is systemd, installed by dpkg over Debian's agent: units, udev rule and
scripts at work, and what the units' cages still allow."""

import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from harness import AgentError, Guest
from harness.image import BUILD

PACKAGES = BUILD / "package"
STOCK = BUILD / "guest/packages/qemu-guest-agent"
# Not by its name alone: busybox has one of its own.
DPKG = "DEBIAN_FRONTEND=noninteractive /usr/bin/dpkg --force-depends --force-confold --no-triggers"
PATIENCE = 120  # seconds; what takes two on an idle machine may take many on a busy one
PORT = {"driver": "virtserialport", "id": "agent0", "chardev": "qga0", "name": "org.qemu.guest_agent.0"}


def libraries(*programs):
    found = set()
    for program in programs:
        listing = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
        found |= {word for word in listing.split() if word.startswith("/") and "qga" not in word}
    return found


class Installed(unittest.TestCase):
    """With the packages in /packages, and the libraries that they need."""

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="qga-")))
        with tarfile.open(folder / "packages.tar", "w") as archive:
            archive.add(STOCK / "package.deb", "packages/stock.deb")
            for path in PACKAGES.glob("*.deb"):
                archive.add(path, f"packages/{path.name.split('_')[0]}.deb")
            for path in libraries(BUILD / "agent/qga-agent", BUILD / "stage/usr/bin/qga-proxyd",
                                  STOCK / "usr/sbin/qemu-ga"):
                archive.add(Path(path).resolve(), f"libraries/{Path(path).name}")
        cls.guest = cls.enterClassContext(Guest(systemd=True, memory=512, qemu_arguments=[
            "-drive", f"if=none,id=packages,file={folder}/packages.tar,format=raw,readonly=on",
            "-device", "virtio-blk-pci,drive=packages"]))
        cls.guest.wait_until("[ -b /dev/vdd ]", PATIENCE)
        cls.guest.shell("tar xf /dev/vdd -C /; cp -n /libraries/* /usr/lib/x86_64-linux-gnu/; rm -r /libraries",
                        PATIENCE)

    def shell(self, command):
        return self.guest.shell(command, PATIENCE)

    def wait_until(self, condition):
        self.guest.wait_until(condition, PATIENCE)

    def dpkg(self, *arguments):
        return self.shell(" ".join([DPKG, *arguments]))

    def states(self, *units):
        return self.guest.run(f"systemctl is-active {' '.join(units)}", PATIENCE)[1].split()


class Agent(Installed):
    names = ("qga-agent", "qemu-guest-agent", "qemu-ga")

    def version(self):
        with self.guest.connect_agent() as agent:
            agent.sync()
            return agent.execute("guest-info")["version"]

    def test_in_place_of_the_stock_agent(self):
        self.dpkg("-i", "/packages/stock.deb")
        self.shell("systemctl start qemu-guest-agent")
        stock = self.version()
        self.assertRegex(stock, r"^7\.")

        # It takes the place and answers to all names, without a reboot.
        self.dpkg("-i", "/packages/qga-agent.deb")
        self.assertRegex(self.version(), r"^0\.")
        self.assertEqual(self.states(*self.names), ["active"] * 3)
        self.assertEqual(self.shell("pidof qemu-ga || true"), "")
        first = self.shell("systemctl show -P MainPID qemu-guest-agent")

        # With its port it goes, and by udev's rule it comes with it.
        self.guest.qmp.command("device_del", id="agent0")
        self.wait_until("[ $(systemctl is-active qga-agent) = inactive ]")
        self.guest.qmp.execute("device_add", PORT)
        self.wait_until(f"[ $(systemctl is-active qga-agent) = active ] && ! pidof qga-agent | grep -w {first}")
        self.assertRegex(self.version(), r"^0\.")

        # Killed, it is there again at once.
        second = self.shell("systemctl show -P MainPID qga-agent")
        self.shell("systemctl kill -s KILL qga-agent")
        self.wait_until(f"pidof qga-agent && ! pidof qga-agent | grep -w {second}")
        self.assertRegex(self.version(), r"^0\.")

        # An upgrade that the host itself has started outlives the agent that started it.
        with self.guest.connect_agent() as agent:
            agent.sync()
            agent.execute("guest-exec", {"path": "/bin/sh", "arg": [
                "-c", f"{DPKG} -i /packages/qga-agent.deb > /run/upgrade 2>&1; touch /run/upgraded"]})
        self.wait_until("[ -e /run/upgraded ]")
        self.assertRegex(self.version(), r"^0\.")

        # And gives it back.
        self.dpkg("--remove", "qga-agent")
        self.assertEqual(self.states("qga-agent"), ["inactive"])
        self.assertEqual(self.shell("pidof qga-agent || true"), "")
        self.shell("! systemctl cat qemu-guest-agent qemu-ga")
        self.dpkg("-i", "/packages/stock.deb")
        self.shell("systemctl start qemu-guest-agent")
        self.assertEqual(self.version(), stock)
        self.dpkg("--purge", "qemu-guest-agent", "qga-agent")


class Cage(Installed):
    """What the agent's unit closes is in no command's way."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.guest.shell("modprobe -a ext4 dummy; mkdir -p /mnt/ext4; mount -t ext4 /dev/vda /mnt/ext4")
        cls.guest.shell(f"{DPKG} -i /packages/qga-agent.deb", PATIENCE)

    def agent(self):
        agent = self.enterContext(self.guest.connect_agent())
        agent.sync()
        return agent

    def run_program(self, agent, path, *arguments):
        pid = agent.execute("guest-exec", {"path": path, "arg": arguments, "capture-output": True})["pid"]
        status = {"exited": False}
        while not status["exited"]:
            status = agent.execute("guest-exec-status", {"pid": pid})
        return status["exitcode"]

    def freeze(self, agent):
        self.assertEqual(agent.execute("guest-fsfreeze-freeze"), 1)
        [touch] = self.guest.stuck_touches("ext4")
        self.assertEqual(agent.execute("guest-fsfreeze-thaw"), 1)
        touch.wait()

    def test_commands(self):
        agent = self.agent()
        self.freeze(agent)
        self.assertEqual(agent.execute("guest-fstrim")["paths"][0]["path"], "/mnt/ext4")
        self.assertEqual(agent.execute("guest-set-time", {"time": 1700000000 * 10**9}), {})
        self.assertIn("2023", self.shell("date"))
        self.shell("hostname other")
        self.assertEqual(agent.execute("guest-get-host-name"), {"host-name": "other"})
        handle = agent.execute("guest-file-open", {"path": "/usr/lib/written", "mode": "w"})
        agent.execute("guest-file-close", {"handle": handle})
        self.shell("[ -e /usr/lib/written ]")
        self.assertTrue(agent.execute("guest-network-get-interfaces"))
        self.assertEqual(agent.execute("guest-set-vcpus", {"vcpus": [{"logical-id": 0, "online": True}]}), 1)
        self.shell("mkdir -p /home/u; chown 1000 /home/u; echo u:x:1000:1000::/home/u:/bin/sh >> /etc/passwd")
        agent.execute("guest-ssh-add-authorized-keys", {"username": "u", "keys": ["ssh-rsa A a"]})
        for program in (["mount", "-t", "tmpfs", "none", "/mnt"], ["umount", "/mnt"], ["unshare", "-m", "true"],
                        ["modprobe", "dummy"], ["sh", "-c", "touch /run/s && chmod u+s /run/s"]):
            self.assertEqual(self.run_program(agent, *program), 0, program)

    def test_strict(self):
        """What it allows works, what it does not has its reason told."""
        folder = "/etc/systemd/system/qga-agent.service.d"
        self.shell(f"mkdir {folder} && cp /usr/share/doc/qga-agent/qga-agent-strict.conf {folder} && "
                         "systemctl daemon-reload && systemctl restart qga-agent")
        try:
            agent = self.agent()
            self.freeze(agent)
            self.assertEqual(agent.execute("guest-fstrim")["paths"][0]["path"], "/mnt/ext4")
            self.assertEqual(agent.execute("guest-set-time", {"time": 1700000000 * 10**9}), {})
            for name, arguments in ("guest-exec", {"path": "true"}), ("guest-file-open", {"path": "/etc/passwd"}):
                with self.assertRaisesRegex(AgentError, f"{name} has been disabled: .* block-rpcs has @"):
                    agent.execute(name, arguments)
        finally:
            self.shell(f"rm -r {folder}; systemctl daemon-reload; systemctl restart qga-agent")


class Proxy(Installed):
    """The proxy's units: under its own user, ready before QEMU is there, started by its socket."""

    def configure(self, name, options):
        self.shell(f"""echo 'QGA_PROXYD_OPTIONS="{options}"' > /etc/qga-proxy/{name}.conf""")

    def test_units(self):
        self.dpkg("-i", "/packages/libqga-proxy0.deb", "/packages/qga-proxy.deb")
        self.shell("ldconfig -p > /dev/null; id qga-proxy | grep kvm")
        self.configure("qga-proxyd", "--qmp unix:/run/none.sock --listen unix:/run/qga-proxy/all.sock")
        self.shell("systemctl start qga-proxyd")
        pid = self.shell("systemctl show -P MainPID qga-proxyd")
        self.assertEqual(self.shell(f"stat -c %U /proc/{pid} /run/qga-proxy/all.sock"), "qga-proxy\nqga-proxy")
        # An upgrade is a reload: the same process goes on as the new program.
        self.shell("systemctl reload qga-proxyd")
        self.assertEqual(self.shell("systemctl show -P MainPID qga-proxyd"), pid)
        self.assertEqual(self.states("qga-proxyd"), ["active"])

        self.configure("vm", "--qmp unix:/run/none.sock")
        self.shell("systemctl start qga-proxyd@vm.socket")
        self.assertEqual(self.shell("stat -c '%U %G %a' /run/qga-proxy/vm.sock"), "qga-proxy qga-proxy 660")
        self.assertEqual(self.states("qga-proxyd@vm.service"), ["inactive"])
        # busctl is what there is that connects to a path. A greeting is not what it hopes for.
        self.guest.spawn("timeout 5 busctl --address=unix:path=/run/qga-proxy/vm.sock list")
        self.wait_until("[ $(systemctl is-active qga-proxyd@vm.service) = active ]")
        self.dpkg("--purge", "qga-proxy", "libqga-proxy0")
        self.assertEqual(self.states("qga-proxyd", "qga-proxyd@vm.service", "qga-proxyd@vm.socket"), ["inactive"] * 3)
