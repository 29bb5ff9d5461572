# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs unittest's tests: one line each, a deadline on each, and a total as the last line."""

import faulthandler
import signal
import sys
import time
import unittest

from .guest import Guest

# Seconds that a test may take, together with the preparation of its class, unless it has a `deadline` attribute.
DEADLINE = 180

# How much later the whole run is given up if a test does not even react to that.
GRACE = 60


class Overdue(Exception):
    pass


def _overdue(signum, frame):
    faulthandler.dump_traceback(all_threads=True)
    raise Overdue("the test's deadline has passed")


def terminated(signum, frame):
    # The one exception that unittest takes for the end of the run and not for a failed test.
    raise KeyboardInterrupt


def _set_deadline(seconds):
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if seconds:
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True)
    else:
        faulthandler.cancel_dump_traceback_later()


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = 0
        self.began = time.monotonic()

    def startTestRun(self):
        _set_deadline(DEADLINE)

    def stopTestRun(self):
        _set_deadline(0)

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        method = getattr(test, test._testMethodName)
        _set_deadline(getattr(method, "deadline", getattr(test, "deadline", DEADLINE)))

    def stopTest(self, test):
        super().stopTest(test)
        # For what comes between tests: the end of one class and the preparation of the next.
        _set_deadline(DEADLINE)

    def _print(self, word, test, remark=""):
        print(f"{word:4} {test.id()} ({time.monotonic() - self.began:.1f} s){remark}", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._print("ok", test)

    def addFailure(self, test, error):
        for guest in Guest.alive:
            error[1].add_note(guest.report())
        super().addFailure(test, error)
        self._print("FAIL", test)
        print(self.failures[-1][1], flush=True)

    def addError(self, test, error):
        self.addFailure(test, error)
        # A class that could not be prepared: no test tells that the next one's time begins.
        if not isinstance(test, unittest.TestCase):
            _set_deadline(DEADLINE)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(subtest, error)

    def addExpectedFailure(self, test, error):
        self.addFailure(test, error)

    def addSkip(self, test, reason):
        assert reason, "a test is not skipped without a reason"
        super().addSkip(test, reason)
        self._print("skip", test, f": {reason}")


def _flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from _flatten(item)
        else:
            yield item


def find(directory, names):
    """The tests in directory/test_*.py whose full name contains one of the names, or all."""
    tests = _flatten(unittest.TestLoader().discover(str(directory), pattern="test_*.py"))
    return [test for test in tests if not names or any(name in test.id() for name in names)]


def run(tests):
    """Returns the exit status."""
    signal.signal(signal.SIGALRM, _overdue)
    signal.signal(signal.SIGTERM, terminated)
    result = Result()
    result.startTestRun()
    interrupted = False
    try:
        unittest.TestSuite(tests).run(result)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        result.stopTestRun()
        # Those of a class whose cleanup an interruption has skipped.
        for guest in list(Guest.alive):
            guest.close()
    failed = len(result.failures)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    if interrupted:
        print("interrupted: not every test was run", file=sys.stderr)
        return 130
    return 1 if failed else 0
