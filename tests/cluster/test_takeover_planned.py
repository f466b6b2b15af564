# SPDX-License-Identifier: Apache-2.0
"""VIPs that are moved on purpose: no packet of a stream is lost, no request fails, none breaks."""

import time
import unittest

from host import VIP4, VIP6, wait_until
from pair import NOISE
from takeover import LONG, TakeoverTest

RUNS = 20 if LONG else 1
IN_PARTS = "each part of it is tested by itself: BASCULE_LONG=1"


class PlannedTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 3, "udp": True}
    file_options = {"udp": True}

    def setUp(self):
        super().setUp()
        self.kept = self.lasting(90)
        self.streams = [self.stream(), self.stream(v6=True)]
        self.requests = self.fresh(rate=300)

    def assert_unfelt(self):
        """Nobody has noticed anything of what was done since the test began."""
        for stream in self.streams:
            stream.wait_flows()
        self.requests.wait_answers(100)
        self.assert_none_broke(self.kept)
        self.assert_none_failed(self.requests.stop(), 300)
        for stream in self.streams:
            lost = stream.lost_none()
            self.assertIsNone(lost, f"{lost}\n{self.told()}")

    def test_the_operators_word_on_either_node(self):
        one, two = self.nodes
        for _ in range(RUNS):
            said = one.must_cli("failover").stdout
            self.assertIn(two.name, said)
            self.wait_held(two)
            self.assertTrue(all(vip["moved"] for vip in self.vips(two).values()))
            # By word it stays there, whatever the priorities are.
            time.sleep(2)
            self.wait_held(two, seconds=0)
            self.wait_neighbour(two)
            one.must_cli("failover", VIP4)
            one.must_cli("failover", VIP6)
            self.wait_held(one)
            self.wait_neighbour(one)
        self.assert_unfelt()

    def test_one_vip_alone_is_moved(self):
        one, two = self.nodes
        two.must_cli("failover", VIP4)
        wait_until(lambda: self.holders(VIP4) == [two.name], 2 + NOISE, "node1 to let go")
        self.assertEqual(self.holders(VIP6), [one.name])
        refused = one.cli("failover", "10.9.0.77")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("no VIP", refused.stdout + refused.stderr)
        two.must_cli("failover")
        self.wait_held(one)
        # It has none now, and is not asked to take one.
        refused = two.cli("failover")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("no VIP to give away", refused.stdout + refused.stderr)
        self.assert_unfelt()
        self.assert_settled(one, at_least=90)

    def test_a_node_is_stopped_and_returns(self):
        one, two = self.nodes
        for _ in range(RUNS):
            self.assertEqual(one.stop(), 0)
            self.wait_held(two)
            self.wait_neighbour(two)
            one.start(accept=(0, 4))
            self.returns(one)
            self.wait_neighbour(one)
        self.assert_unfelt()
        self.assert_settled(one, at_least=90)

    @unittest.skipUnless(LONG, IN_PARTS)
    def test_both_are_replaced_under_load(self):
        """As an upgrade does it: one after the other, each when it is in step."""
        one, two = self.nodes
        for _ in range(RUNS):
            for node in (two, one):
                self.assertEqual(node.stop(), 0)
                node.start(accept=(0, 4))
                self.returns(one)
        self.assert_unfelt()
        self.assert_settled(one, at_least=90)

    def test_the_last_node_is_restarted(self):
        """Nobody could take over: the addresses stay, and so do those who use them."""
        one, two = self.nodes
        two.stop()
        self.lab.wait_state(one, two, "dead")
        self.assertEqual(one.stop(), 0)
        time.sleep(4)  # longer than a lease
        self.assertEqual(self.who_has(), [one.mac])
        one.start(accept=(0, 4))
        self.wait_held(one)
        two.start(accept=(0, 4))
        self.assert_unfelt()
        self.assert_settled(one, at_least=90)

    @unittest.skipUnless(LONG, "it takes its time: BASCULE_LONG=1")
    def test_failback_never(self):
        one, two = self.nodes
        for node in self.nodes:
            node.reload(self.lab.config(node, udp=True, cluster={"failback": "never"}))
        self.addCleanup(lambda: [node.reload(self.lab.config(node, udp=True))
                                 for node in self.nodes])
        self.lab.wait_in_step()
        one.stop()
        self.wait_held(two)
        one.start(accept=(0, 4))
        self.lab.wait_in_step()
        time.sleep(2)
        self.wait_held(two, seconds=0)
        self.assert_unfelt()

