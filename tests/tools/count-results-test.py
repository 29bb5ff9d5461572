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
        done = subprocess.run([sys.executable, COUNT_RESULTS, *paths], stdout=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.stdout, expected + "\n")
        self.assertEqual(done.returncode, 0 if " 0 failed" in expected else 1)

    def meson(self, *tests):
        path = self.directory / "testlog.json"
        path.write_text("".join(json.dumps({"stdout": out, "result": result}) + "\n" for result, out in tests))
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

    def test_what_ran_nothing_failed(self):
        self.check("0 passed, 1 failed, 0 skipped", self.meson())
        self.check("0 passed, 1 failed, 0 skipped", self.log("0 passed, 0 failed, 0 skipped\n"))


if __name__ == "__main__":
    unittest.main()
