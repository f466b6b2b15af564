#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests and ends with one line: "N passed, N failed, N skipped".

    run.py [-x] [--list] [PART OF A NAME…]

A name is file.class.test; a part of it selects. With a failed test the logs of its lab are printed.
Status: 0 all passed, 1 some failed or none was run, 2 cannot run here.
"""

import argparse
import os
import signal
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from node import binary  # noqa: E402 - the path is set above


class Report(unittest.TestResult):
    """One line a test as it ends; details where something failed."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self._began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self._line("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("skip", f"{short(test)}: {reason}")

    def addError(self, test, error):
        super().addError(test, error)
        self._failed(test, self.errors[-1][1])

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._failed(test, self.failures[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            kind = self.failures if issubclass(error[0], test.failureException) else self.errors
            self._failed(subtest, kind[-1][1])

    def addExpectedFailure(self, test, error):
        self.addFailure(test, error)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._line("FAIL", f"{short(test)}: was expected to fail")

    @property
    def failed(self):
        # A class whose lab could not be built counts as one.
        return len(self.errors) + len(self.failures) + len(self.unexpectedSuccesses)

    def _failed(self, test, text):
        self._line("FAIL", test)
        print(text)
        lab = getattr(test, "lab", None)
        if lab is not None and lab.directory.exists():
            print(lab.logs())
        sys.stdout.flush()

    def _line(self, word, test):
        name = test if isinstance(test, str) else short(test)
        seconds = time.monotonic() - self._began if self._began else 0.0
        print(f"{word:5}{seconds:6.1f} s  {name}", flush=True)


def short(test):
    return test.id() if hasattr(test, "id") else str(test)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-x", "--failfast", action="store_true", help="stop at the first failure")
    parser.add_argument("--list", action="store_true", help="show the names of the tests")
    parser.add_argument("names", nargs="*", help="run only tests whose name holds one of these")
    arguments = parser.parse_args()

    tests = list(flatten(unittest.defaultTestLoader.discover(str(HERE), "test_*.py")))
    if arguments.names:
        tests = [test for test in tests if any(part in test.id() for part in arguments.names)]
    if arguments.list:
        print("\n".join(test.id() for test in tests))
        return 0
    if os.geteuid() != 0:
        print("run.py: network namespaces need root: run it with sudo", file=sys.stderr)
        return 2
    for program in ("basculed", "bascule", "bascule-backend"):
        if not os.access(binary(program), os.X_OK):
            print(f"run.py: no {binary(program)}: build first, or set BASCULE_BIN", file=sys.stderr)
            return 2

    # unittest takes SystemExit for a failed test and goes on; this stops it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    report = Report()
    report.failfast = arguments.failfast
    began = time.monotonic()
    try:
        unittest.TestSuite(tests).run(report)
    except KeyboardInterrupt:
        print("interrupted")
        return 1
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {report.failed} failed, {len(report.skipped)} skipped")
    return 0 if report.passed and not report.failed else 1


if __name__ == "__main__":
    sys.exit(main())
