# SPDX-License-Identifier: Apache-2.0
"""The reader of the quick start can tell what is shown from what is not."""

import subprocess
import tempfile
import unittest
from pathlib import Path

import quickstart

PAGE = """\
Text that is nobody's command: lb1# true

```sh
not followed
```

```console
lb1, lb2# cat >/etc/one <<'EOF'
[node]
lb9# not a prompt, but a line of the file
EOF
lb1# bascule status
lb1  all is well  basculed 0.1.0, pid 1

VIP  10.9.0.100  for 3s
…
Last line
```
"""


class Reader(unittest.TestCase):
    def steps(self):
        with tempfile.TemporaryDirectory() as directory:
            page = Path(directory) / "page.md"
            page.write_text(PAGE)
            return quickstart.read(page)

    def test_reads_commands(self):
        first, second = self.steps()
        self.assertEqual(first.machines, ["lb1", "lb2"])
        self.assertEqual(first.command.splitlines()[1:],
                         ["[node]", "lb9# not a prompt, but a line of the file", "EOF"])
        self.assertEqual(first.shown, [])
        self.assertEqual((second.machines, second.command), (["lb1"], "bascule status"))
        self.assertEqual(second.line, 12)

    def test_judges_what_is_said(self):
        shown = self.steps()[1].shown
        fitting = "lb1 all is well  basculed 0.2.0, pid 77\nVIP 10.9.0.100  for 1m 12s\nLast line\n"
        self.assertTrue(quickstart.fits(shown, fitting))
        self.assertTrue(quickstart.fits(shown, fitting.replace("Last", "Some other\nLast")))
        for other in ("", fitting.replace("well", "lost"), fitting.replace("100", "101"),
                      fitting.replace("Last line\n", ""), fitting + "One more\n",
                      fitting.replace("VIP", "One more\nVIP")):
            self.assertFalse(quickstart.fits(shown, other), other)

    def test_what_is_not_shown_fails(self):
        step = self.steps()[0]

        def said(text, status=0):
            return lambda *_: subprocess.CompletedProcess([], status, text)

        quickstart.follow(step, said(""))
        for wrong in (said("a word\n"), said("", 1)):
            self.assertRaises(quickstart.NotAsShown, quickstart.follow, step, wrong)
