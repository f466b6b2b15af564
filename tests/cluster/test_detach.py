# SPDX-License-Identifier: Apache-2.0
"""`bascule detach` leaves a machine as it was before basculed came."""

from cluster_test import ClusterTest
from host import VIP4, VIP6


class DetachTest(ClusterTest):
    lab_options = {"backends": 2}
    start_node = False

    def test_detach_leaves_nothing_and_a_start_after_it_serves_again(self):
        before = self.node.picture()
        self.assertEqual((before["xdp"], before["pins"]), (None, []))
        self.node.write_config(self.node.standard_config())
        for _ in range(2):
            self.node.start()
            running = self.node.picture()
            self.assertIsNotNone(running["xdp"])
            self.assertNotEqual(running["pins"], [])
            self.assertLess({VIP4, VIP6}, running["addresses"])
            self.assertEqual(sum(self.flows_of(500).values()), 500)
            self.node.must_cli("detach")
            self.assertEqual(self.node.daemon.wait(timeout=15), 0)
            self.assertEqual(self.node.picture(), before)

    def test_what_a_dead_daemon_left_can_be_taken_away_without_another(self):
        before = self.node.picture()
        self.node.write_config(self.node.standard_config())
        self.node.start()
        self.node.kill()
        self.assertNotEqual(self.node.picture(), before)
        self.node.must(*self.node.daemon_command(), "--detach")
        self.assertEqual(self.node.picture(), before)

    def test_what_a_killed_daemon_left_goes_with_the_next_ones_detach(self):
        before = self.node.picture()
        self.node.write_config(self.node.standard_config())
        self.node.start()
        self.node.kill()
        self.assertIsNotNone(self.node.xdp())
        self.node.start()
        self.node.must_cli("detach")
        self.assertEqual(self.node.daemon.wait(timeout=15), 0)
        self.assertEqual(self.node.picture(), before)
