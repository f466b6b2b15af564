#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests and ends with one line: "N passed, N failed, N skipped".

    run.py [-x] [-j N] [--list] [PART OF A NAME…]

A name is file.class.test; a part of it selects. With a failed test the logs of its lab are printed,
and at the end what took longest. With -j N so many classes at a time have their labs, each in a
process of its own; those that measure times (`alone`) come after them, one by one.
Status: 0 all passed, 1 some failed or none was run, 2 cannot run here.
"""

import argparse
import itertools
import os
import signal
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import crew  # noqa: E402 - the path is set above
from node import binary  # noqa: E402

SLOWEST = 15  # are listed at the end


class Report(unittest.TestResult):
    """One line a test as it ends, one a class for its lab; details where something failed."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.durations = []  # (seconds, name)
        self._began = 0.0
        self._ended = time.monotonic()
        self._class = None

    def startTest(self, test):
        super().startTest(test)
        self._began = time.monotonic()
        # Between two tests of one class nothing takes time.
        if type(test) is not self._class:
            self._class = type(test)
            name = f"{test.id().rpartition('.')[0]}: to build its lab"
            print(crew.line("lab", self._began - self._ended, name), flush=True)
            self.durations.append((self._began - self._ended, name))

    def stopTest(self, test):
        super().stopTest(test)
        self._ended = time.monotonic()
        self.durations.append((self._ended - self._began, test.id()))

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
        print(crew.line(word, seconds, name), flush=True)


def short(test):
    return test.id() if hasattr(test, "id") else str(test)


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def selected(parts, class_name):
    """The tests whose name holds one of the parts, or all; of one class, or of all."""
    loader = unittest.defaultTestLoader
    if class_name:
        found = loader.loadTestsFromName(class_name.rpartition(".")[0])
    else:
        found = loader.discover(str(HERE), "test_*.py")
    return [test for test in flatten(found)
            if (not parts or any(part in test.id() for part in parts))
            and (not class_name or test.id().startswith(f"{class_name}."))]


def by_class(tests):
    """(name, whether it has to run alone) of each class, in order."""
    for kind, _ in itertools.groupby(tests, type):
        yield f"{kind.__module__}.{kind.__qualname__}", getattr(kind, "alone", False)


def print_slowest(durations):
    print("what took longest:")
    for seconds, name in sorted(durations, reverse=True)[:SLOWEST]:
        print(crew.line("", seconds, name))


def run_here(tests, arguments):
    """Runs the tests in this process. Returns passed, failed, skipped and durations."""
    report = Report()
    report.failfast = arguments.failfast
    unittest.TestSuite(tests).run(report)
    return report.passed, report.failed, len(report.skipped), report.durations


def run_classes(tests, arguments):
    """Runs the tests in a process a class, several at a time. Returns the same."""
    options = ["-x"] if arguments.failfast else []
    command = [sys.executable, str(HERE / "run.py"), *options, *arguments.names, "--class"]
    return crew.Crew(command, arguments.failfast).run(by_class(tests), arguments.jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-x", "--failfast", action="store_true", help="stop at the first failure")
    parser.add_argument("-j", "--jobs", type=int, default=1, metavar="N",
                        help="so many labs at a time (default: 1)")
    parser.add_argument("--class", dest="class_name", metavar="FILE.CLASS",
                        help="only tests of this class")
    parser.add_argument("--list", action="store_true", help="show the names of the tests")
    parser.add_argument("names", nargs="*", help="run only tests whose name holds one of these")
    arguments = parser.parse_args()

    tests = selected(arguments.names, arguments.class_name)
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
    began = time.monotonic()
    run = run_classes if arguments.jobs > 1 else run_here
    try:
        passed, failed, skipped, durations = run(tests, arguments)
    except KeyboardInterrupt:
        print("interrupted")
        return 1
    if not arguments.class_name:
        print_slowest(durations)
        print(f"{time.monotonic() - began:.0f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
