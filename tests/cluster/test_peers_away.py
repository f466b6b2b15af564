# SPDX-License-Identifier: Apache-2.0
"""A node that was away is in step again by what differs alone, and says so once that is true."""

import signal
import time

import load
from host import wait_until
from pair import NOISE, PairTest, differences

CONNECTIONS = 1500
AWAY = 2  # seconds


class AwayTest(PairTest):
    lab_options = {"nodes": 2, "backends": 4}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # They stay all the while, and nobody may break them.
        cls.running = load.http(cls.client, connections=CONNECTIONS, per_connection=0, rate=500,
                                timeout=30)
        cls.addClassCleanup(cls.running.process.wait)
        cls.addClassCleanup(cls.running.process.kill)
        wait_until(lambda: cls.running.answered() >= CONNECTIONS, 60, "the connections")

    def setUp(self):
        super().setUp()
        self.lab.wait_tables_agree(CONNECTIONS, 3)
        self.before = self.resynced()

    def tearDown(self):
        self.assertEqual(self.running.latest["failed"], 0, self.running.latest["reasons"])

    def some_more(self, connections=100):
        """Sessions that are new: nobody who is away hears of them."""
        more = self.http(connections=connections, per_connection=0, rate=500)
        wait_until(lambda: more.answered() >= connections, 20, "more connections")
        return more

    def resynced(self):
        """Sessions that node1 has sent to node2 to be in step, deltas not counted."""
        return self.counter_of(self.nodes[0], self.nodes[1], "resync_sent")

    def assert_true_when_said(self):
        """Takes the tables as soon as node2 says that it is in step: they are equal."""
        one, two = self.nodes
        seen = []

        def said():
            peer = self.lab.peers(two)[one.name]
            seen.append(peer["synced"])
            return peer["synced"] and peer["state"] == "alive"

        wait_until(said, 20, "node2 to say that it is in step")
        tables = self.lab.tables()
        self.assertTrue(tables[0] == tables[1], differences(tables))
        self.assertGreaterEqual(len(tables[0]), CONNECTIONS)

    def test_a_node_that_was_stopped(self):
        one, two = self.nodes
        two.stop()
        self.lab.wait_state(one, two, "dead", 3)
        more = self.some_more()
        two.start(accept=(0, 4))
        self.assert_true_when_said()
        # What it had in its own maps is not sent again: of 1,600 sessions the hundred are.
        self.assertLess(self.resynced() - self.before, CONNECTIONS / 2)
        self.assert_kept(more)

    def test_a_node_whose_daemon_was_killed_comes_back_with_an_old_table(self):
        one, two = self.nodes
        gone = self.some_more(200)
        self.lab.wait_tables_agree(CONNECTIONS + 200, 3)
        two.kill()
        self.lab.wait_state(one, two, "dead", 3)
        self.assert_kept(gone)  # ended while nobody told node2
        more = self.some_more()
        two.start(accept=(0, 4))
        self.assert_true_when_said()
        self.assertLess(self.resynced() - self.before, CONNECTIONS / 2)
        self.assert_kept(more)

    def test_a_node_that_comes_back_with_an_empty_table(self):
        two = self.nodes[1]
        two.stop()
        two.must_cli("detach", "--bpffs", two.bpffs)
        two.start(accept=(0, 4))
        self.assert_true_when_said()
        self.assertGreaterEqual(self.resynced() - self.before, CONNECTIONS)

    def test_a_node_that_was_cut_off(self):
        one, two = self.nodes
        relay = self.relay()
        self.hold_frames()
        relay.set({"cut": True})
        for node, peer in ((one, two), (two, one)):
            self.lab.wait_state(node, peer, "dead", 3)
            self.wait_says(node, peer.name)
        more = self.some_more()
        time.sleep(AWAY)
        relay.clear()
        self.lab.wait_in_step(seconds=8)
        self.assert_true_when_said()
        # A break as short as this costs what happened meanwhile.
        self.assertLess(self.resynced() - self.before, CONNECTIONS / 2)
        self.assert_kept(more)

    def test_it_is_not_said_before_it_is_true(self):
        one, two = self.nodes
        relay = self.relay()
        two.stop()
        two.must_cli("detach", "--bpffs", two.bpffs)
        relay.set({"delay": 0.03})  # so that there is something to be seen of the way there
        two.start(accept=(0, 4))
        lied, polls = [], []

        def said():
            claims = [self.lab.peers(node)[peer.name]["synced"]
                      for node, peer in ((one, two), (two, one))]
            # Asked after the claims: what they claim must be there.
            table = self.lab.tables([two])[0]
            polls.extend(claims)
            if any(claims) and len(table) < CONNECTIONS:
                lied.append((claims, len(table)))
            return self.lab.in_step()

        wait_until(said, 30, "node2 to be in step by a slow path")
        self.assertIn(False, polls)
        self.assertEqual(lied, [])
        relay.clear()
        self.lab.wait_tables_agree(CONNECTIONS, 0.1 + NOISE)

    def test_a_peer_that_is_stopped_for_ten_seconds_under_full_load(self):
        one, two = self.nodes
        memory = [node.memory() for node in self.nodes]
        short = self.http(per_connection=1, connections=128, rate=800)
        short.wait_answers(400)
        two.daemon.send_signal(signal.SIGSTOP)
        try:
            self.lab.wait_state(one, two, "dead", 3)
            short.wait_answers(400)
            time.sleep(8.5)
        finally:
            two.daemon.send_signal(signal.SIGCONT)
        self.lab.wait_in_step(seconds=8)
        self.assert_none_failed(short.stop(), 2000)
        self.lab.wait_tables_agree(CONNECTIONS, 3)
        for node, before in zip(self.nodes, memory):
            self.assertLess(node.memory() - before, 128 << 20)
