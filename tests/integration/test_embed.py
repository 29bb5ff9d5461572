# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that a program uses through the library, without a socket."""

import subprocess
import unittest

from harness import Guest
from harness.image import program


class Embedded(unittest.TestCase):
    def use(self, agent):
        """What the program says: it found all of it to be as it should."""
        guest = self.enterContext(Guest(agent=agent))
        done = subprocess.run([program("tests/tools/embed-guest"), f"unix:{guest.qmp_path}",
                               f"unix:{guest.agent_path}"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=180)
        first, *lines = done.stdout.splitlines()
        self.assertRegex(first, r"^agent \d")
        self.assertEqual(lines, ["QEMU running", "file same", "program 3 0 input failed", "froze 2", "frozen",
                                 "thawed 2", "thawed"])
        self.assertEqual(done.returncode, 0)
        # nothing was left open: the agent knows no such file
        self.assertIn("2500003", guest.shell("wc -c < /tmp/embedded"))
        self.assertNotIn("embedded", guest.shell("ls -l /proc/[0-9]*/fd 2>/dev/null || true"))

    def test_own_agent(self):
        self.use("qga-agent")

    def test_stock_agent(self):
        self.use("qemu-ga")
