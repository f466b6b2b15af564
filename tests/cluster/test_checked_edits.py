# SPDX-License-Identifier: Apache-2.0
"""Edits and restarts of services whose backends are checked: new flows always find a server."""

from cluster_test import ClusterTest
from host import wait_until

CHECK = {"health.type": "http", "health.interval": "300ms", "health.timeout": "300ms"}
FIRST, SECOND = ["web1", "web2", "web3"], ["web4", "web5", "web6"]


class CheckedEditsTest(ClusterTest):
    lab_options = {"backends": 6}

    @classmethod
    def configure(cls, backends=FIRST, check=CHECK):
        config = cls.lab.node.standard_config(backends=backends)
        for service in config.services:
            service.options = dict(check)
        return config

    def setUp(self):
        self.node.reload(self.configure())
        self.fresh = self.http(connections=16, per_connection=1, rate=400)
        self.fresh.wait_answers(100)

    def assert_nobody_felt_it(self):
        self.fresh.wait_answers(200)
        self.assert_none_failed(self.fresh.stop(), at_least=300)

    def wait_healthy(self, names):
        def healthy():
            rows = self.node.ask("show", "health")["targets"]
            return [row["backend"] for row in rows
                    if row["health"] == "up" and row["service"] == "web"] == names
        wait_until(healthy, 10, f"{names} healthy")

    def test_all_backends_are_exchanged_by_one_edit(self):
        self.node.reload(self.configure(SECOND))
        self.assertLessEqual(set(self.flows_of()), set(SECOND))
        self.wait_healthy(SECOND)
        self.assert_nobody_felt_it()

    def test_checks_that_begin_or_end_interrupt_nobody(self):
        self.node.reload(self.configure(check={}))
        self.fresh.wait_answers(100)
        self.assertEqual({row["health"] for row in self.node.ask("show", "health")["targets"]},
                         {"unchecked"})
        self.node.reload(self.configure())
        self.fresh.wait_answers(100)
        self.wait_healthy(FIRST)
        self.assert_nobody_felt_it()

    def test_a_new_way_of_checking_interrupts_nobody(self):
        for check in ({**CHECK, "health.type": "tcp"}, {**CHECK, "health.path": "/index.html"},
                      {**CHECK, "health.interval": "2s", "quorum": 2}):
            self.node.reload(self.configure(check=check))
            self.fresh.wait_answers(150)
        self.assert_nobody_felt_it()

    def test_kills_and_restarts_interrupt_nobody(self):
        for _ in range(3):
            self.node.kill()
            self.fresh.wait_answers(50)
            self.node.start()
            self.fresh.wait_answers(100)
        self.wait_healthy(FIRST)
        self.assert_nobody_felt_it()

    def test_a_pair_that_is_taken_away_comes_back(self):
        self.node.must("ip", "link", "del", "bscp0")
        self.fresh.wait_answers(600)
        self.wait_healthy(FIRST)
        self.assertIn("bscp0", self.node.must("ip", "-o", "link", "show").stdout)
        self.assert_nobody_felt_it()
