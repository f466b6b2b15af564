# SPDX-License-Identifier: Apache-2.0
"""A node that goes on purpose says so: to its peers that is no death that nobody meant."""

from host import wait_until
from pair import NOISE, PairTest

SAID = "it said that it leaves, and is silent"


class LeaveTest(PairTest):
    lab_options = {"nodes": 2, "backends": 2}

    def setUp(self):
        super().setUp()
        self.last = max((event["serial"] for event in self.nodes[0].events()),
                        default=0)

    def ends(self):
        """Why node1 has held node2 for dead since the test began."""
        return [event["text"] for event in self.nodes[0].events(self.last)
                if event["kind"] == "peer_dead"]

    def assert_said(self):
        wait_until(self.ends, 3 + NOISE, "the end of node2 to be seen")
        self.assertEqual(self.ends(), [SAID])

    def test_stopped(self):
        self.nodes[1].stop()
        self.assert_said()

    def test_detached(self):
        two = self.nodes[1]
        done = two.must_cli("detach")
        self.assertIn("detached", done.stdout + done.stderr)
        self.assertEqual(two.daemon.wait(timeout=15), 0)
        two.daemon = None
        self.assert_said()

    def test_killed_it_says_nothing(self):
        self.nodes[1].kill()
        wait_until(self.ends, 3 + NOISE, "the end of node2 to be seen")
        self.assertNotIn(SAID, self.ends())

    def test_reloaded_without_its_cluster(self):
        one, two = self.nodes
        config = self.lab.config(two)
        good = config.copy()
        # By itself it would have to hold the VIPs that the other one holds.
        config.cluster, config.cluster_nodes, config.vips, config.services = None, [], [], []
        said = two.reload(config)
        self.assertIn("ring secret: still the cluster's", said.stdout)
        self.assertFalse(two.ask("show", "peers")["in_cluster"])
        self.assert_said()
        # What it runs by has not changed, so it may come back as it was.
        said = two.reload(good)
        self.assertNotIn("ring secret", said.stdout)
        self.lab.wait_in_step()
        self.assertTrue(self.lab.peers(one)[two.name]["ring_equal"])

    def test_reloaded_with_other_channels(self):
        one, two = self.nodes
        two.reload(self.lab.config(two, cluster={"dead_after": 7}))
        self.lab.wait_in_step()
        self.assertLessEqual(set(self.ends()), {SAID})
        texts = [event["text"] for event in one.events(self.last)
                 if event["kind"] in ("peer_alive", "peer_dead")]
        self.assertTrue(texts, "node1 saw that node2 began anew")
        two.reload(self.lab.config(two))
        self.lab.wait_in_step()
