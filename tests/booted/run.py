#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Packages on booted machines, from docs/quickstart.md to `apt purge`. Ends with one line:
"N passed, N failed, N skipped".

    run.py [--packages DIR] [--newer DIR] [-x] [--list] [PART OF A NAME…]

Without --packages they are made from the tree by packaging/deb/build.sh, and without --newer those
of a later version, which the test of upgrades wants. What Debian gives is kept in build/booted. The
tests are one story; with parts of names only these are run, behind the quick start. With
BASCULE_LONG=1 there is also a node in an emulated machine with Debian's own kernel.
Status: 0 all passed, 1 some failed or none was run, 2 cannot run here.
"""

import argparse
import importlib.util
import os
import signal
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLUSTER = HERE.parent / "cluster"
sys.path[:0] = [str(HERE), str(CLUSTER)]

import base  # noqa: E402 - the path is set above
import namespaces  # noqa: E402
import packages  # noqa: E402


def cluster_run():
    """tests/cluster/run.py, which knows how to tell of tests. Its name is this file's, too."""
    spec = importlib.util.spec_from_file_location("cluster_run", CLUSTER / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def chosen(names):
    """The tests: those that need no lab, the story, and those that have a lab of their own."""
    import test_oldest  # pylint: disable=import-outside-toplevel
    import test_reader  # pylint: disable=import-outside-toplevel
    import test_story  # pylint: disable=import-outside-toplevel

    def wanted(suite):
        return [test for test in cluster_run().flatten(suite)
                if not names or any(part in test.id() for part in names)]

    load = unittest.defaultTestLoader.loadTestsFromTestCase
    story, others = wanted(test_story.story()), wanted(load(test_oldest.OldestKernel))
    if story and not isinstance(story[0], test_story.QuickStart):
        story = [*load(test_story.QuickStart), *story]
    return wanted(load(test_reader.Reader)), story, others


def run_all(arguments, debs, cgroup):
    """All of it, in namespaces of its own. The exit status."""
    import test_oldest  # pylint: disable=import-outside-toplevel
    from booted_lab import BootedLab  # pylint: disable=import-outside-toplevel
    from booted_test import BootedTest  # pylint: disable=import-outside-toplevel
    # unittest takes SystemExit for a failed test and goes on; this stops it.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    report = cluster_run().Report()
    report.failfast = arguments.failfast
    began = time.monotonic()
    plain, story, others = chosen(arguments.names)
    unittest.TestSuite(plain).run(report)
    if story:
        with BootedLab(debs, cgroup) as lab:
            print(f"{len(lab.machines)} machines booted in {time.monotonic() - began:.1f} s",
                  flush=True)
            BootedTest.lab = lab
            unittest.TestSuite(story).run(report)
    test_oldest.OldestKernel.debs, test_oldest.OldestKernel.cgroup = debs, cgroup
    unittest.TestSuite(others).run(report)
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{report.passed} passed, {report.failed} failed, {len(report.skipped)} skipped")
    return 0 if report.passed and not report.failed else 1


def prepare(arguments):
    """What needs the network, which the run has not. The packages."""
    base.install_host_packages()
    if os.environ.get("BASCULE_LONG"):
        import emulated  # pylint: disable=import-outside-toplevel
        base.install_host_packages(emulated.HOST_PACKAGES)
        base.bare_tree(kernel=True)
    if arguments.packages:
        debs = packages.in_directory(arguments.packages)
    else:
        debs = packages.build(base.CACHE / "packages")
    if not debs:
        raise base.BaseError(f"no packages in {arguments.packages}")
    base.archive(debs)
    prepare_upgrade(arguments)
    return debs


def prepare_upgrade(arguments):
    """The packages of a later version, for the test that wants them."""
    import test_story  # pylint: disable=import-outside-toplevel
    if not any(isinstance(test, test_story.Upgrade) for test in chosen(arguments.names)[1]):
        return
    if arguments.newer:
        newer = packages.in_directory(arguments.newer)
    else:
        newer = packages.build_newer(base.CACHE / "packages-newer")
    if not newer:
        raise base.BaseError(f"no packages in {arguments.newer}")
    test_story.Upgrade.newer = newer


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--packages", metavar="DIR", help="where the packages are")
    parser.add_argument("--newer", metavar="DIR", help="where those of a later version are")
    parser.add_argument("-x", "--failfast", action="store_true", help="stop at the first failure")
    parser.add_argument("--list", action="store_true", help="show the names of the tests")
    parser.add_argument("names", nargs="*", help="run only tests whose name holds one of these")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(test.id() for suite in chosen(arguments.names) for test in suite))
        return 0
    if os.geteuid() != 0:
        print("run.py: machines need root: run it with sudo", file=sys.stderr)
        return 2
    try:
        debs = prepare(arguments)
    except base.BaseError as error:
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    return namespaces.run_apart(lambda cgroup: run_all(arguments, debs, cgroup))


if __name__ == "__main__":
    sys.exit(main())
