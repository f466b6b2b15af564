# SPDX-License-Identifier: Apache-2.0
"""Both nodes get another build of basculed, and the old one again, and nobody notices.

The other build is in the directory $BASCULE_OTHER_BIN (scripts/build-other.sh makes one).
"""

import os
import unittest
from pathlib import Path

import node as node_module
from test_takeover_planned import PlannedTest

OTHER = os.environ.get("BASCULE_OTHER_BIN")
ROUNDS = 10


def load_tests(_loader, _tests, _pattern):
    """Only what is here: the imported class has been run."""
    return unittest.TestSuite([UpgradeTest("test_both_nodes_are_given_another_build_and_the_old")])


@unittest.skipUnless(OTHER, "it needs a second build: BASCULE_OTHER_BIN")
class UpgradeTest(PlannedTest):
    @staticmethod
    def versions(nodes):
        return [each.status()["version"] for each in nodes]

    def give(self, node, directory):
        """The node's programs are from now on those of a directory."""
        def command(*arguments, **options):
            words = type(node).daemon_command(node, *arguments, **options)
            at = words.index(node_module.binary("basculed"))
            words[at] = Path(directory).resolve() / "basculed"
            return words
        node.daemon_command = command

    def test_both_nodes_are_given_another_build_and_the_old(self):
        one, two = self.nodes
        old = node_module.binary("basculed").parent
        before = self.versions(self.nodes)
        for round_ in range(2 * ROUNDS):
            directory = OTHER if round_ % 2 == 0 else old
            for each in (two, one):
                self.give(each, directory)
                self.assertEqual(each.stop(), 0)
                each.start(accept=(0, 4))
                self.returns(one)
            changed = [new != was for new, was in zip(self.versions(self.nodes), before)]
            self.assertEqual(changed, [directory == OTHER] * 2)
        self.assert_unfelt()
        self.assert_settled(one, at_least=90)
