# SPDX-License-Identifier: Apache-2.0
"""The demonstration tells the truth and leaves nothing behind."""

import re
import subprocess
import unittest

import janitor
from host import HERE, PYTHON


class DemoTest(unittest.TestCase):
    def test_a_short_demo_ends_well_and_leaves_nothing(self):
        demo = subprocess.Popen([PYTHON, HERE / "demo.py", "--pace", "0.1"], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        self.addCleanup(demo.kill)
        said = demo.communicate(timeout=120)[0]
        self.assertEqual(demo.returncode, 0, said)
        for line in (r"requests +[1-9][ \d]* failed: 0", r"stayed +[1-9]\d* +broken: 0",
                     r"lost: [1-9]\d* by the power loss, 0 by all that was planned",
                     r"outage by the power loss +[1-9]", r"outage by planned moves +0\.0 ms",
                     r"replies +0 ", r"connections seen opening +[1-9]"):
            self.assertRegex(said, line)
        self.assertEqual(len(re.findall(r"^\[\d/8\]", said, re.MULTILINE)), 8)
        self.assertEqual(janitor.leftovers(janitor.ROOT / f"bsc{demo.pid:x}n1"), [])
