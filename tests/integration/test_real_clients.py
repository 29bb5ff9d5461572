# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP clients that others wrote, as they are, at work through the proxy: they connect, negotiate, ask QEMU and the
agent, hear of events and leave. The agent answers from this host: nothing here is asked of it that would change
anything."""

import functools
import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from bare import NAME, Bare
from harness import Proxy, program
from harness.image import AGENT, BUILD

HERE = Path(__file__).resolve().parent / "clients"
CACHE = BUILD / "clients"

# Where Debian's golang-*-dev packages are.
GO_PATH = Path("/usr/share/gocode")
GO_QEMU = GO_PATH / "src/github.com/digitalocean/go-qemu"

NPM_PACKAGES = ("qemu-qmp@0.5.0", "split@1.0.1", "node-qemu@1.3.0")


def go_program():
    """Built against Debian's sources, without any network."""
    binary = CACHE / "go-qemu"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": "", "CGO_ENABLED": "0",
                   "GOCACHE": str(CACHE / "go-cache")}
    subprocess.run(["go", "build", "-o", binary, HERE / "go-qemu.go"], check=True, stdin=subprocess.DEVNULL,
                   env=environment)
    return binary


@functools.cache
def node_modules():
    """The npm packages; downloaded once for a build directory."""
    stamp = CACHE / "npm-packages"
    if not stamp.exists() or stamp.read_text() != " ".join(NPM_PACKAGES):
        done = subprocess.run(
            ["npm", "install", "--prefix", CACHE, "--cache", CACHE / "npm-cache", "--no-save", "--no-audit",
             "--no-fund", "--ignore-scripts", "--fetch-retries=1", *NPM_PACKAGES],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if re.search(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b", done.stdout):
            raise unittest.SkipTest("npm's registry cannot be reached from here")
        if done.returncode != 0:
            raise AssertionError(f"npm install: status {done.returncode}\n{done.stdout}")
        stamp.write_text(" ".join(NPM_PACKAGES))
    return CACHE / "node_modules"


class RealClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        CACHE.mkdir(exist_ok=True)
        cls.qemu = cls.enterClassContext(Bare(0))
        log = cls.enterClassContext(open(cls.qemu.directory / "qga-agent.log", "wb"))
        agent = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", program(AGENT), "-m", "unix-listen", "-p", cls.qemu.agent_path,
             "-t", cls.qemu.directory, "-f", cls.qemu.directory / "agent.pid"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(agent.wait)
        cls.addClassCleanup(agent.kill)
        cls.proxy = cls.enterClassContext(Proxy(cls.qemu))

    def setUp(self):
        # Each client stops the machine at its end, for the sake of the event.
        self.qemu.qmp.command("cont")
        self.proxy.wait_agent()

    def check(self, command, **environment):
        """A client does its work, ends well, and leaves nothing behind."""
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, check=False, env={**os.environ, "NAME": NAME, **environment})
        self.assertEqual((done.returncode, done.stdout.splitlines()[-1:]), (0, ["done"]), done.stdout)
        self.proxy.wait_status("it to have left", lambda status: status["clients"] == 1)

    @unittest.skipUnless(shutil.which("go") and GO_QEMU.is_dir(), "needs Go and Debian's sources of go-qemu")
    def test_go_qemu(self):
        self.check([go_program(), self.proxy.unix, "{}:{}".format(*self.proxy.tcp)])

    @unittest.skipUnless(shutil.which("npm") and shutil.which("node"), "needs node and npm")
    def test_qemu_qmp(self):
        self.check(["node", HERE / "qemu-qmp.js", self.proxy.unix, str(self.proxy.tcp[1])],
                   NODE_PATH=str(node_modules()))

    @unittest.skipUnless(shutil.which("npm") and shutil.which("node"), "needs node and npm")
    def test_node_qemu(self):
        self.check(["node", HERE / "node-qemu.js", self.proxy.unix, str(self.proxy.tcp[1])],
                   NODE_PATH=str(node_modules()))
