# SPDX-License-Identifier: GPL-2.0-or-later
"""Proves that count-results calls nothing passed that did not run to its end."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COUNT_RESULTS = Path(__file__).with_name("count-results")


class CountResults(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def check(self, expected, *paths):
        """Returns the lines before the total."""
        done = subprocess.run([sys.executable, COUNT_RESULTS, *paths], stdout=subprocess.PIPE, text=True, check=False)
        *told, total = done.stdout.splitlines()
        self.assertEqual(total, expected)
        self.assertEqual(done.returncode, 0 if " 0 failed" in expected else 1)
        self.assertEqual(bool(told), " 0 failed" not in expected, told)
        return told

    def meson(self, *tests):
        path = self.directory / "testlog.json"
        lines = (json.dumps({"name": "unit", "stdout": out, "result": result}) + "\n" for result, out in tests)
        path.write_text("".join(lines))
        return path

    def log(self, text):
        path = self.directory / "integration.log"
        path.write_text(text)
        return path

    def test_cases_count_one_by_one(self):
        self.check("2 passed, 0 failed, 1 skipped", self.meson(("OK", "1..3\nok 1 /a\nok 2 /b # SKIP why\nok 3 /c\n")))
        self.check("1 passed, 1 failed, 0 skipped", self.meson(("ERROR", "1..2\nok 1 /a\nnot ok 2 /b\nBail out!\n")))

    def test_program_without_cases_counts_as_one(self):
        tests = ("OK", ""), ("OK", None), ("FAIL", "looks ok\n"), ("SKIP", ""), ("EXPECTEDFAIL", "")
        self.check("3 passed, 1 failed, 1 skipped", self.meson(*tests))

    def test_program_that_ends_badly_behind_good_cases(self):
        for result in "ERROR", "TIMEOUT", "FAIL", "INTERRUPT", "UNEXPECTEDPASS":
            self.check("2 passed, 1 failed, 0 skipped", self.meson((result, "1..3\nok 1 /a\nok 2 /b\n")))

    def test_total_of_a_log_and_sum(self):
        log = self.log("3 passed, 0 failed, 0 skipped\nok test_a\n7 passed, 0 failed, 2 skipped\n")
        self.check("7 passed, 0 failed, 2 skipped", log)
        self.check("8 passed, 0 failed, 2 skipped", self.meson(("OK", "")), log)

    def test_what_has_no_total_failed(self):
        self.check("0 passed, 1 failed, 0 skipped", self.directory / "missing.log")
        self.check("0 passed, 1 failed, 0 skipped", self.log(""))
        self.check("0 passed, 1 failed, 0 skipped", self.log("1 passed, 0 failed, 0 skipped\nTraceback\n"))

    def test_failures_are_told_before_the_total(self):
        explanation = ["Traceback", *map(str, range(99))]
        text = "\n".join(["ok   a.b (0.1 s)", "FAIL c.d (1 s)", *explanation, "ok   e.f (0.1 s)", "more"])
        told = self.check("2 passed, 2 failed, 0 skipped",
                          self.log(text + "\n1 passed, 1 failed, 0 skipped\n"),
                          self.meson(("ERROR", "1..2\nok 1 /a\n# noise\nnot ok 2 /b - why\n")))
        self.assertEqual(told[:3], ["FAIL c.d (1 s)", "Traceback", "0"])
        self.assertEqual(told[-2:], ["FAIL unit: ERROR", "not ok 2 /b - why"])
        self.assertLess(len(told), 50)

    def test_what_ran_nothing_failed(self):
        self.check("0 passed, 1 failed, 0 skipped", self.meson())
        self.check("0 passed, 1 failed, 0 skipped", self.log("0 passed, 0 failed, 0 skipped\n"))


if __name__ == "__main__":
    unittest.main()
