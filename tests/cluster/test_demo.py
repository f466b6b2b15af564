# SPDX-License-Identifier: Apache-2.0
"""The demonstration tells the truth and leaves nothing behind."""

import re
import subprocess
import unittest

from host import HERE, PYTHON
import janitor


class DemoTest(unittest.TestCase):
    def test_a_short_demo_fails_no_request_and_leaves_nothing(self):
        before = {directory for directory, _ in janitor.labs()}
        done = subprocess.run([PYTHON, HERE / "demo.py", "--pace", "0.2"], capture_output=True,
                              text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for line in (r"requests sent +[1-9]", r"failed +0\n", r"replies +0 ", r"It adopted the",
                     r"connections seen opening +[1-9]"):
            self.assertRegex(done.stdout, line)
        self.assertEqual(len(re.findall(r"^\[\d/7\]", done.stdout, re.MULTILINE)), 7)
        self.assertLessEqual({directory for directory, _ in janitor.labs()}, before)
