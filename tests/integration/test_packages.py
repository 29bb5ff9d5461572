# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that ./dev package has made: installed over qemu-ga's, run, and removed again, each in a small system of
its own that is no part of this machine. What systemd makes of them is in test_systemd."""

import json
import re
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import scratch
from harness.image import BUILD, SOURCE
from harness.scratch import RC_STUB, Scratch

PACKAGES = BUILD / "package"
STOCK = BUILD / "guest/packages/qemu-guest-agent"

CONFIG = "[general]\nmethod=unix-listen\npath=/run/qga.sock\n"

# A package of Fedora's kind with what qemu-ga's has there, as far as names go.
STOCK_SPEC = """
Name: qemu-guest-agent
Epoch: 2
Version: 9.0
Release: 1
Summary: Stock
License: GPL
BuildArch: noarch
%description
Stock.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc/qemu-ga
printf '#!/bin/sh\\necho stock\\n' > %{buildroot}/usr/bin/qemu-ga
%files
%attr(755,root,root) /usr/bin/qemu-ga
"""


def package(pattern):
    found = list(PACKAGES.glob(pattern))
    if len(found) != 1:
        raise AssertionError(f"{PACKAGES} has {len(found)} of {pattern}; ./dev package makes them")
    return found[0]


def run(*command, **options):
    return subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)


class Installed:
    """What is true of either format."""

    @classmethod
    def setUpClass(cls):
        if scratch.obstacle():
            raise unittest.SkipTest(scratch.obstacle())
        cls.place = cls.enterClassContext(Scratch())
        cls.place.add_libraries(BUILD / "agent/qga-agent")
        cls.place.add_program("/usr/bin/systemctl")
        cls.place.add("usr/sbin/service", '#!/bin/sh\nexec "/etc/init.d/$1" "$2"\n')
        (cls.place.root / "etc/systemd/system").mkdir(parents=True)

    def service(self, verb, status=0):
        return self.place.shell(f"service qemu-ga {verb}", status)

    def ask(self, name):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(str(self.place.root / "run/qga.sock"))
            sock.sendall(json.dumps({"execute": name}).encode())
            with sock.makefile() as lines:
                return json.loads(lines.readline())

    def check_service(self):
        """Life and death of the agent as its init script has it."""
        self.assertEqual(self.service("status", 3), "qemu-ga is not running")
        self.assertIn("this machine has no /dev/virtio-ports/", self.service("start"))
        self.assertEqual(self.service("status", 3), "qemu-ga is not running")
        self.place.add("etc/qemu/qemu-ga.conf", CONFIG)
        self.assertEqual(self.service("start"), "qemu-ga is started")
        self.assertEqual(self.ask("guest-ping"), {"return": {}})
        first = re.fullmatch(r"qemu-ga is running, with pid (\d+)", self.service("status")).group(1)
        self.assertIn("is running already", self.service("start"))
        self.assertEqual(self.service("restart"), "qemu-ga is stopped\nqemu-ga is started")
        second = re.fullmatch(r"qemu-ga is running, with pid (\d+)", self.service("status")).group(1)
        self.assertNotEqual(first, second)
        self.assertEqual(self.ask("guest-ping"), {"return": {}})
        self.place.shell(f"kill -9 {second}; while [ -e /proc/{second}/exe ]; do sleep 0.1; done")
        self.assertEqual(self.service("status", 1), "qemu-ga is dead, and its pid file is left")
        # A number that has come to somebody else meanwhile is not the agent's.
        self.place.shell("echo 1 > /var/run/qemu-ga.pid")
        self.assertEqual(self.service("status", 1), "qemu-ga is dead, and its pid file is left")
        self.assertEqual(self.service("stop"), "qemu-ga is not running")
        self.assertEqual(self.service("start"), "qemu-ga is started")
        self.assertEqual(self.service("stop"), "qemu-ga is stopped")
        self.assertEqual(self.service("status", 3), "qemu-ga is not running")
        self.service("nonsense", 2)
        self.place.add("etc/qemu/qemu-ga.conf", "[general]\nblock-rpcs=@nonsense\n")
        self.assertIn("there is no class '@nonsense'", self.service("start", 6))
        self.place.add("etc/qemu/qemu-ga.conf", CONFIG)

    def check_names(self, program):
        """The names that hosts, scripts and administrators know."""
        self.assertRegex(self.place.shell(f"{program} -V"), r"QEMU Guest Agent \d")
        self.assertEqual(self.place.shell(f"readlink -f {program}"), "/usr/bin/qga-agent")
        for unit in "/etc/systemd/system/qemu-guest-agent.service", "/usr/lib/systemd/system/qemu-ga.service":
            self.assertEqual(self.place.shell(f"readlink -f {unit}"), "/usr/lib/systemd/system/qga-agent.service")

    def check_gone(self):
        for name in "/usr/bin/qga-agent", "/usr/sbin/qemu-ga", "/usr/bin/qemu-ga", "/etc/systemd/system/*.service":
            self.place.shell(f"[ ! -e {name} ] && [ ! -L {name} ]")


class Deb(Installed, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for folder in "info", "updates", "triggers":
            (cls.place.root / "var/lib/dpkg" / folder).mkdir(parents=True)
        (cls.place.root / "var/lib/dpkg/status").touch()
        for name in "update-rc.d", "invoke-rc.d", "ldconfig":
            cls.place.add(f"usr/sbin/{name}", RC_STUB)
        cls.place.add_libraries(STOCK / "usr/sbin/qemu-ga")

    def dpkg(self, *arguments):
        """Without what it depends on, which is there but not as packages."""
        done = self.place.outside("dpkg", f"--root={self.place.root}", "--force-depends", "--force-confold",
                                  "--no-triggers", *arguments, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                                                                    "DEBIAN_FRONTEND": "noninteractive"})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def status(self, name):
        done = self.place.outside("dpkg-query", f"--admindir={self.place.root}/var/lib/dpkg", "-W", "-f",
                                  "${db:Status-Status}", name)
        return done.stdout if done.returncode == 0 else "unknown"

    def test_in_place_of_the_stock_agent(self):
        hook = self.place.root / "etc/qemu/fsfreeze-hook"
        self.dpkg("-i", STOCK / "package.deb")
        stock = (self.place.root / "usr/sbin/qemu-ga").read_bytes()
        mine = hook.read_text() + "# the administrator's own\n"
        hook.write_text(mine)

        # In its place, what the administrator has changed as it was.
        self.dpkg("-i", "--auto-deconfigure", package("qga-agent_*.deb"))
        self.assertEqual(self.status("qga-agent"), "installed")
        self.assertIn(self.status("qemu-guest-agent"), ("config-files", "unknown", "not-installed"))
        self.assertEqual(hook.read_text(), mine)
        self.check_names("/usr/sbin/qemu-ga")
        self.check_service()

        # An upgrade restarts it, through what decides on that, and keeps settings.
        self.dpkg("-i", package("qga-agent_*.deb"))
        self.assertIn("invoke-rc.d qemu-ga restart", self.place.shell("cat /var/log/rc"))
        self.assertEqual(hook.read_text(), mine)

        # A removal ends it.
        self.service("start")
        self.dpkg("--remove", "qga-agent")
        self.assertEqual(self.place.shell("for exe in /proc/*/exe; do readlink $exe; done | grep qga || true"), "")
        self.check_gone()
        self.assertEqual(hook.read_text(), mine)

        # And the place is the other's again.
        self.dpkg("-i", STOCK / "package.deb")
        self.assertEqual(self.status("qemu-guest-agent"), "installed")
        self.assertEqual((self.place.root / "usr/sbin/qemu-ga").read_bytes(), stock)
        self.assertEqual(hook.read_text(), mine)
        self.dpkg("--purge", "qga-agent")
        self.assertEqual(self.status("qemu-guest-agent"), "installed")
        self.assertTrue(hook.exists())

    def test_proxy(self):
        """Daemon and library find each other; everything goes again."""
        self.place.add_libraries(BUILD / "stage/usr/bin/qga-proxyd")
        before = self.files()
        names = ["libqga-proxy0", "libqga-proxy-dev", "qga-proxy"]
        self.dpkg("-i", *(package(f"{name}_*.deb") for name in names))
        self.assertRegex(self.place.shell("qga-proxyd --version"), r"\d+\.\d+\.\d+")
        self.assertIn("-lqga-proxy", self.place.shell("cat /usr/lib/*/pkgconfig/qga-proxy-1.pc"))
        self.place.shell("gunzip -c /usr/share/man/man8/qga-proxyd.8.gz > /dev/null")
        self.dpkg("--purge", *names)
        self.assertEqual(self.files(), before)

    def files(self):
        return {str(path) for path in self.place.root.rglob("*")
                if not re.search(r"^/(proc|var/lib/dpkg|var/log|run)/", str(path).removeprefix(str(self.place.root)))
                and not path.is_dir()}


class Rpm(Installed, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place.add("sbin/chkconfig", RC_STUB)
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="qga-rpm-"))
        spec = Path(cls.folder) / "stock.spec"
        spec.write_text(STOCK_SPEC)
        done = run("rpmbuild", "-bb", "--quiet", "--define", f"_topdir {cls.folder}", spec)
        if done.returncode != 0:
            raise AssertionError(done.stdout)
        cls.stock = next(Path(cls.folder).glob("RPMS/*/*.rpm"))

    def rpm(self, *arguments, status=0):
        """Without what it depends on, which is there but not as packages."""
        done = self.place.outside("rpm", "--root", self.place.root, "--nodeps", *arguments)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def test_in_place_of_the_stock_agent(self):
        self.rpm("-i", self.stock)
        self.assertEqual(self.place.shell("qemu-ga"), "stock")
        self.rpm("-U", package("qga-agent-*.rpm"))
        self.rpm("-q", "qemu-guest-agent", status=1)
        self.check_names("/usr/bin/qemu-ga")
        self.assertIn("chkconfig --add qemu-ga", self.place.shell("cat /var/log/rc"))
        self.check_service()
        self.service("start")
        self.rpm("-U", "--force", package("qga-agent-*.rpm"))
        self.assertEqual(self.ask("guest-ping"), {"return": {}})
        self.check_names("/usr/bin/qemu-ga")
        self.rpm("-e", "qga-agent")
        self.check_gone()
        self.assertIn("chkconfig --del qemu-ga", self.place.shell("cat /var/log/rc"))
        self.rpm("-i", self.stock)
        self.assertEqual(self.place.shell("qemu-ga"), "stock")

    def test_proxy(self):
        self.place.add_libraries(BUILD / "stage/usr/bin/qga-proxyd")
        self.rpm("-i", *(package(f"qga-proxy{part}-[0-9]*.rpm") for part in ("", "-libs", "-devel")))
        self.assertRegex(self.place.shell("qga-proxyd --version"), r"\d+\.\d+\.\d+")
        self.rpm("-e", "qga-proxy", "qga-proxy-libs", "qga-proxy-devel")
        self.place.shell("[ ! -e /usr/bin/qga-proxyd ] && [ ! -e /usr/include/qga-proxy.h ]")


class Units(unittest.TestCase):
    """What systemd says of the units, at rest."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="qga-units-")))
        for name in "qga-agent", "qga-proxy":
            run("dpkg-deb", "-x", package(f"{name}_*.deb"), cls.folder)
        cls.units = cls.folder / "usr/lib/systemd/system"
        for unit in cls.units.glob("*.service"):  # it wants to see the programs, too
            if not unit.is_symlink():
                unit.write_text(unit.read_text().replace("=/usr/bin/qga-", f"={cls.folder}/usr/bin/qga-"))

    def test_verify(self):
        for unit in "qga-agent.service", "qemu-ga.service", "qga-proxyd.service", "qga-proxyd@vm.service", \
                "qga-proxyd@vm.socket":
            with self.subTest(unit):
                done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", self.units / unit,
                           env={"PATH": "/usr/bin:/bin", "SYSTEMD_UNIT_PATH": f"{self.units}:"})
                self.assertEqual((done.returncode, done.stdout), (0, ""))

    def exposure(self, unit, *more):
        """From 0 to 10."""
        with tempfile.TemporaryDirectory(prefix="qga-unit-") as folder:
            path = Path(folder) / Path(unit).name.replace("@", "@vm")
            path.write_text("".join((self.units / part).read_text() for part in (unit, *more)))
            done = run("systemd-analyze", "security", "--offline=true", "--no-pager", path)
        return float(re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout).group(1))

    def test_exposure(self):
        """A directive that is lost shows."""
        stock = self.exposure(STOCK / "lib/systemd/system/qemu-guest-agent.service")
        self.assertLess(self.exposure("qga-agent.service"), stock)
        strict = self.folder / "usr/share/doc/qga-agent/qga-agent-strict.conf"
        self.assertLessEqual(self.exposure("qga-agent.service", strict), 7.0)
        self.assertLessEqual(self.exposure("qga-proxyd.service"), 1.9)
        self.assertLessEqual(self.exposure("qga-proxyd@.service"), 1.9)


class Policy(unittest.TestCase):
    def test_selinux_policy_compiles(self):
        with tempfile.TemporaryDirectory(prefix="qga-selinux-") as folder:
            source, target = SOURCE / "packaging/selinux/qga-agent", Path(folder) / "qga-agent"
            contexts = re.sub(r"gen_context\((\S+),(\w+)\)", r"\1:\2", source.with_suffix(".fc").read_text())
            target.with_suffix(".fc").write_text(contexts)
            for command in (["checkmodule", "-M", "-m", "-o", f"{target}.mod", f"{source}.te"],
                            ["semodule_package", "-o", f"{target}.pp", "-m", f"{target}.mod", "-f", f"{target}.fc"]):
                done = run(*command)
                self.assertEqual(done.returncode, 0, done.stdout)
            self.assertGreater(target.with_suffix(".pp").stat().st_size, 0)
