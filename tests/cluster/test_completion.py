# SPDX-License-Identifier: Apache-2.0
"""Completion by bash and by zsh: names come from the daemon that runs, and none from one that is
dead or hangs, soon and without a word. Options and commands are held to --help by check-usage.py."""

import signal
import time

import shells
from cluster_test import ClusterTest
from host import VIP4, VIP6
from node import binary
from pair import PairLab

BACKENDS = ["web/web1", "web/web2", "web6/web1", "web6/web2"]
SERVICES = ["web", "web6"]
SHELLS = (shells.Bash, shells.Zsh)
SOON = 8  # seconds; a second is waited for a daemon, and the machine may be busy


class CompletionTest(ClusterTest):
    start_node = False

    @classmethod
    def make_lab(cls):
        return PairLab(nodes=2, backends=2)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lab.start_all()
        cls.bascule = f"bascule --runtime-dir {cls.node.runtime_dir}"
        enter = ["ip", "netns", "exec", cls.node.namespace]
        cls.shells = [shell(binary("bascule").parent, enter) for shell in SHELLS]
        for shell in cls.shells:
            cls.addClassCleanup(shell.close)

    def assert_offered(self, line, words):
        for shell in self.shells:
            with self.subTest(shell=type(shell).__name__, line=line):
                self.assertEqual(sorted(shell.words(line)), sorted(words))

    def test_names_come_from_the_daemon(self):
        for line, words in {"drain ": BACKENDS, "disable web6/": BACKENDS[2:],
                            "weight web/web2": ["web/web2"],
                            "show health ": SERVICES + BACKENDS,
                            "show sessions --service ": SERVICES,
                            "show sessions --backend web/": BACKENDS[:2],
                            "failover ": [VIP4, VIP6], "capture --vip ": [VIP4, VIP6],
                            "events --subject ": [*SERVICES, *BACKENDS, VIP4, VIP6, "node2"],
                            }.items():
            self.assert_offered(f"{self.bascule} {line}", words)
        reasons = [each["name"] for each in self.node.ask("show", "drops", "--all")["drops"]]
        for shell in self.shells:
            self.assertLessEqual(set(reasons),
                                 set(shell.words(f"{self.bascule} capture --reason ")))

    def test_an_option_may_stand_before_and_behind_the_command(self):
        self.assert_offered(f"bascule drain --runtime-dir {self.node.runtime_dir} ", BACKENDS)
        self.assert_offered(f"{self.bascule} --json drain ", BACKENDS)
        self.assert_offered(f"{self.bascule} --timeout 3 show sessions --backend ", BACKENDS)

    def test_a_colon_in_a_name_is_part_of_it(self):
        # bash takes a word apart at colons, and gets back what follows the last one.
        self.assertEqual(self.shells[0].words(f"{self.bascule} failover fd00:"), [VIP6[5:]])
        self.assertEqual(self.shells[1].words(f"{self.bascule} failover fd00:"), [VIP6])

    def test_without_a_daemon_there_are_no_names_and_no_words_about_it(self):
        for line in ("drain ", "show health ", "failover ", "events --subject "):
            self.assert_offered(f"bascule --runtime-dir /nonexistent {line}", [])

    def test_a_daemon_that_hangs_is_not_waited_for(self):
        node = self.lab.nodes[1]
        node.daemon.send_signal(signal.SIGSTOP)
        self.addCleanup(node.daemon.send_signal, signal.SIGCONT)
        for shell in self.shells:
            began = time.monotonic()
            self.assertEqual(shell.words(f"bascule --runtime-dir {node.runtime_dir} drain "), [])
            self.assertLess(time.monotonic() - began, SOON)
