#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts single tests of a ctest run: prints "PASSED FAILED SKIPPED", and on stderr what failed.

    count-tests.py JUNIT_XML GTEST_DIRECTORY

ctest counts programs. A GoogleTest program that was run with GTEST_OUTPUT=json:GTEST_DIRECTORY/ has
left a file with its own tests; any other program counts as one test. One that failed without a
failed test of its own (it crashed, or ran into its time limit) counts as one failure more.
"""

import json
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path


def cases_of(report):
    """(name, "passed" | "failed" | "skipped") of each test in a GoogleTest report."""
    for suite in json.loads(report.read_text()).get("testsuites", []):
        for case in suite.get("testsuite", []):
            name = f"{suite['name']}.{case['name']}"
            if case.get("failures"):
                yield name, "failed"
            elif case.get("result") == "SKIPPED" or case.get("status") == "NOTRUN":
                yield name, "skipped"
            else:
                yield name, "passed"


def outcome_of(program):
    """The same of a ctest entry."""
    if program.find("failure") is not None or program.get("status") == "fail":
        return "failed"
    if program.find("skipped") is not None or program.get("status") in ("notrun", "disabled"):
        return "skipped"
    return "passed"


def main():
    junit, directory = Path(sys.argv[1]), Path(sys.argv[2])
    counts = Counter()

    def count(name, outcome):
        counts[outcome] += 1
        if outcome != "passed":
            print(f"{outcome}: {name}", file=sys.stderr)

    for program in ElementTree.parse(junit).getroot().iter("testcase"):
        name, outcome = program.get("name"), outcome_of(program)
        report = directory / f"{name}.json"
        try:
            cases = list(cases_of(report))
        except (OSError, ValueError):
            cases = []  # not a GoogleTest program, or it ended before it could write
        if not cases:
            count(name, outcome)
            continue
        for case, result in cases:
            count(f"{name} {case}", result)
        if outcome == "failed" and all(result != "failed" for _, result in cases):
            count(f"{name} (the program itself)", "failed")
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main()
