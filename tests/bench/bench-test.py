#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves what the benchmarks make of what they measured: ratios by round, goals in both directions, rows that have no
figure, and the table in its place."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import report  # noqa: E402
import rows  # noqa: E402
from bench import Bench  # noqa: E402
from measure import Missing  # noqa: E402


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.bench = Bench(short=False, rounds=3)

    def verdict(self, key):
        return report.line(rows.BY_KEY[key], self.bench.figures[key])[-1]

    def test_rows(self):
        self.assertEqual(rows.NUMBERS, list(range(1, 19)))
        self.assertEqual(len(rows.BY_KEY), len(rows.ROWS), "two rows have the same key")

    def test_ratio_is_of_one_round(self):
        """The machine may be slow in one round: both are then."""
        self.bench.compare("2 short", [10, 1000, 30], [20, 2000, 60])
        self.assertEqual(self.bench.figures["2 short"].ratios, [0.5, 0.5, 0.5])
        self.assertEqual(self.verdict("2 short"), "met")

    def test_goals(self):
        for key, ours, theirs, verdict in (("1 relay", 1.3, 1, "met"), ("1 relay", 1.31, 1, "not met"),
                                           ("9 rate", 0.6, 1, "met"), ("9 rate", 0.59, 1, "not met")):
            with self.subTest(key=key, ours=ours):
                self.bench.compare(key, [ours], [theirs])
                self.assertEqual(self.verdict(key), verdict)
        self.bench.tell("7 daemon", [5, 7, 6])
        self.assertEqual(self.verdict("7 daemon"), "met")

    def test_missing(self):
        """The reason stands in the row, and what was found before stays."""
        def part(bench):
            bench.compare("1 relay", [1], [1])
            raise Missing("no socat here")
        self.assertTrue(self.bench.run(part, "1"))
        self.assertEqual(self.bench.failed, {})
        self.assertIn("no socat here", report.table(self.bench.figures))
        self.assertEqual(self.bench.figures["1 relay"].ratios, [1])

    def test_failed(self):
        """So does a row that was forgotten, or whose part broke; the others are still measured."""
        def broken(bench):
            raise OSError("broken")

        def forgetful(bench):
            bench.compare("2 short", [1], [1])
        self.bench.run(broken, "1")
        self.bench.run(forgetful, "2")
        self.assertEqual(sorted(self.bench.failed), ["broken", "forgetful"])
        self.assertEqual([row["missing"] for row in json.loads(report.as_json(self.bench.figures))],
                         ["failed, see below"] * 2 + [None, "failed, see below"])

    def test_rows_that_nobody_wants(self):
        bench = Bench(short=True, rounds=3, numbers=[2])
        self.assertFalse(bench.run(self.fail, "1"))
        self.assertEqual(bench.rounds, 1)

    def test_kept_table(self):
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder, "page.md")
            page.write_text("before\n<!-- the last table -->\nold\n<!-- its end -->\nbehind\n")
            for _ in range(2):
                report.keep(page, "new")
            self.assertEqual(page.read_text(), "before\n<!-- the last table -->\n\nnew\n\n<!-- its end -->\nbehind\n")
            page.write_text("no place")
            with self.assertRaises(ValueError):
                report.keep(page, "new")


if __name__ == "__main__":
    unittest.main()
