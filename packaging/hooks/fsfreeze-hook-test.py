#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hook script runs what it should, in order, and undoes what one that fails has left: fsfreeze-hook-test.py SCRIPT

With each shell that there is. Nothing is frozen here."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(sys.argv.pop(1)).resolve()
SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "ash"]) if shutil.which(shell[0])]
IGNORED = ("a~", "a.bak", "a.orig", "a.rpmnew", "a.rpmorig", "a.rpmsave", "a.sample", "a.dpkg-dist")


class Hook(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="qga hook "))).resolve()
        self.script = self.directory / "fsfreeze-hook"
        shutil.copy(SCRIPT, self.script)
        self.hooks = self.directory / "fsfreeze-hook.d"
        self.hooks.mkdir()
        self.trace = self.directory / "trace"

    def add(self, name, then="", mode=0o755):
        path = self.hooks / name
        path.write_text(f'#!/bin/sh\necho "${{0##*/}} $1" >> "{self.trace}"\n{then}\n')
        path.chmod(mode)

    def run_hook(self, word, **environment):
        """Returns, for each shell, which must be alike: status, what was run, what was printed."""
        outcomes = []
        for shell in SHELLS:
            self.trace.write_text("")
            done = subprocess.run([*shell, self.script, word], env={**os.environ, **environment}, timeout=20,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            outcomes.append((done.returncode, self.trace.read_text().splitlines(), done.stdout))
        self.assertTrue(outcomes)
        for outcome in outcomes:
            self.assertEqual(outcome, outcomes[0])
        return outcomes[0]

    def test_order(self):
        for name in "10 first", "20-second", "30-third":
            self.add(name)
        self.assertEqual(self.run_hook("freeze"), (0, ["10 first freeze", "20-second freeze", "30-third freeze"], ""))
        self.assertEqual(self.run_hook("thaw"), (0, ["30-third thaw", "20-second thaw", "10 first thaw"], ""))

    def test_nothing_to_run(self):
        for word in "freeze", "thaw":
            self.assertEqual(self.run_hook(word), (0, [], ""))
        self.hooks.rmdir()
        for word in "freeze", "thaw":
            self.assertEqual(self.run_hook(word), (0, [], ""))

    def test_left_behind(self):
        for name in IGNORED:
            self.add(name)
        self.add("unexecutable", mode=0o644)
        (self.hooks / "directory").mkdir()
        self.assertEqual(self.run_hook("freeze"), (0, [], ""))

    def test_veto(self):
        self.add("1")
        self.add("2")
        self.add("3", 'echo no; [ "$1" = thaw ]')
        self.add("4")
        status, ran, said = self.run_hook("freeze")
        self.assertEqual((status, ran), (1, ["1 freeze", "2 freeze", "3 freeze", "2 thaw", "1 thaw"]))
        self.assertEqual(said, f"no\n{self.hooks}/3 freeze ended with status 1\n")

    def test_thaw_goes_on(self):
        self.add("1")
        self.add("2", "exit 7")
        self.add("3")
        status, ran, said = self.run_hook("thaw")
        self.assertEqual((status, ran), (1, ["3 thaw", "2 thaw", "1 thaw"]))
        self.assertIn("status 7", said)

    def test_log(self):
        self.add("1", "echo spoken")
        log = self.directory / "log"
        self.assertEqual(self.run_hook("freeze", QGA_HOOK_LOG=str(log)), (0, ["1 freeze"], ""))
        self.assertEqual(log.read_text(), "spoken\n" * len(SHELLS))
        status, ran, said = self.run_hook("freeze", QGA_HOOK_LOG="/nonexistent/log")
        self.assertEqual((status, ran, said), (0, ["1 freeze"], "spoken\n"))

    def test_nobody_waits_for_what_is_left_behind(self):
        """Whoever runs it reads until the end of it, not of what it has started."""
        self.add("1", 'sleep 1000 & echo $! > "$0.pid"')
        for shell in SHELLS:
            process = subprocess.Popen([*shell, self.script, "freeze"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE)
            try:
                self.assertEqual(process.wait(20), 0)
            finally:
                os.kill(int((self.hooks / "1.pid").read_text()), 9)
                process.stdout.close()

    def test_usage(self):
        status, ran, said = self.run_hook("melt")
        self.assertEqual((status, ran), (2, []))
        self.assertIn("usage", said)


if __name__ == "__main__":
    unittest.main()
