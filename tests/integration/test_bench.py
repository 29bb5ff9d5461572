# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmarks work: each row of their table comes to a figure, or says which peer is missing. What the figures are
is not looked at, since nothing is measured long enough here to mean anything."""

import json
import math
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness.image import SOURCE

RUN = SOURCE / "tests/bench/run"

# The figures that may be missing, and why: who runs the tests may have no right to make a place for libvirt, and some
# builds are not made.
MAY_BE_MISSING = {15: "static", 17: "libvirt", 18: "libvirt"}


class Benchmarks(unittest.TestCase):
    deadline = 300

    def test_short(self):
        with tempfile.TemporaryDirectory(prefix="qga-") as directory:
            figures = Path(directory, "bench.json")
            done = subprocess.run([RUN, "--short", "--json", figures], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.loads(figures.read_text())
        self.assertEqual({row["row"] for row in rows}, set(range(1, 19)))
        for row in rows:
            with self.subTest(row=row["row"], name=row["name"], against=row["against"]):
                if row["missing"]:
                    self.assertIn(MAY_BE_MISSING[row["row"]], row["missing"])
                    continue
                # Of so few, one that is the difference of two others may be anything.
                self.assertTrue(math.isfinite(row["ours"]))
                if row["against"]:
                    self.assertTrue(math.isfinite(row["theirs"]))
                    self.assertNotEqual(row["ratio"], 0)
                self.assertIn(row["name"], done.stdout)

    def test_unknown_row(self):
        done = subprocess.run([RUN, "19"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("19", done.stderr)
