# SPDX-License-Identifier: Apache-2.0
"""What the network and the clocks do to the nodes of a pair, under a load of real connections."""

import os
import random
import time

import load
from host import wait_until
from pair import CABLE_PATH, DEAD_AFTER, FRONT_PATH, INTERVAL_MS, NOISE, PairTest, cable_port
from wall_clock import WallClock

KEPT, RATE = 400, 150
LONG = bool(os.environ.get("BASCULE_LONG"))
AGREE_WITHIN = 3      # seconds, after a fault has ended
FAULT_SECONDS = 20 if LONG else 3
ROUNDS = 20 if LONG else 1  # of faults at random
MOST_MEMORY = 96 << 20
HOUR = 3600


class FaultTest(PairTest):
    lab_options = {"nodes": 2, "backends": 4}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # They stay all the while, and nobody may break them.
        cls.lasting = load.http(cls.client, connections=KEPT, per_connection=0, rate=200,
                                timeout=20)
        cls.addClassCleanup(cls.lasting.process.wait)
        cls.addClassCleanup(cls.lasting.process.kill)

    def setUp(self):
        super().setUp()
        wait_until(lambda: self.lasting.answered() >= KEPT, 60, "the connections")
        self.way = self.relay()
        self.short = self.http(per_connection=1, connections=32, rate=RATE)
        self.memory = [node.memory() for node in self.nodes]
        self.deaths = self.died()

    def died(self):
        one, two = self.nodes
        return [int(self.lab.peers(node)[peer.name]["deaths"])
                for node, peer in ((one, two), (two, one))]

    def bear(self, *faults, seconds=FAULT_SECONDS):
        self.way.set(*faults)
        time.sleep(seconds)

    def assert_recovers(self, clear=True):
        """After the fault the tables agree, in time; nobody who was served felt anything."""
        if clear:
            self.way.clear()
        healed = time.monotonic()
        self.lab.wait_in_step(seconds=AGREE_WITHIN + NOISE)
        self.assert_kept(self.short, at_least=RATE)
        left = healed + AGREE_WITHIN + NOISE - time.monotonic()
        self.lab.wait_tables_agree(KEPT, max(left, 0.1 + NOISE))
        for node, before in zip(self.nodes, self.memory):
            self.assertLess(node.memory() - before, MOST_MEMORY)
        self.assert_lasting()
        self.assertEqual(self.way.counts().dropped, 0, "the relay itself lost frames")

    def assert_lasting(self):
        self.lasting.wait_answers(50)
        latest = self.lasting.latest
        self.assertEqual((latest["failed"], latest["changed"]), (0, 0), latest["reasons"])

    def assert_nobody_died(self):
        self.assertEqual(self.died(), self.deaths)

    def test_one_path_is_cut(self):
        one, two = self.nodes
        for path in (FRONT_PATH, CABLE_PATH):
            self.way.set({"path": path, "cut": True})
            address = self.lab.addresses(two)[path]
            self.wait_says(one, address.rpartition(":")[0].strip("[]"))
            wait_until(lambda: not self.lab.peers(one)[two.name]["paths"][path]["heard"], 3,
                       "the path to be shown as down")
            # What stands on the path that is cut moves to the other one.
            wait_until(self.lab.in_step, 8, "a stream by the other path")
            self.way.clear()
            self.wait_well(one)
        kinds = [event["kind"] for event in one.events()]
        self.assertIn("path_down", kinds)
        self.assertIn("path_up", kinds)
        self.assert_nobody_died()
        self.assert_recovers()

    def test_all_paths_are_cut(self):
        one, two = self.nodes
        self.hold_frames()
        self.way.set({"cut": True})
        began = time.monotonic()
        for node, peer in ((one, two), (two, one)):
            self.lab.wait_state(node, peer, "dead", DEAD_AFTER * INTERVAL_MS / 1000 + NOISE + 1)
        print(f"      both are dead to each other {time.monotonic() - began:.2f} s after the cut")
        self.assertFalse(self.lab.in_step())
        self.assertTrue(one.ask("show", "peers")["alone"])
        self.short.wait_answers(RATE)
        self.assert_recovers()
        self.assertEqual(self.died(), [count + 1 for count in self.deaths])

    def test_one_way_of_all_paths_is_cut(self):
        one, two = self.nodes
        self.way.set({"origin": two.name, "to": one.name, "cut": True})
        self.lab.wait_state(one, two, "dead", 3)
        # The other one hears well, but that it is not heard.
        wait_until(lambda: not self.lab.peers(two)[one.name]["hears_us"], 3,
                   "node2 to know that it is not heard")
        self.assertEqual(self.lab.peers(two)[one.name]["state"], "alive")
        self.wait_says(two, one.name)
        self.short.wait_answers(RATE)
        self.assert_recovers()

    def test_one_way_of_one_path_is_cut(self):
        one, two = self.nodes
        self.way.set({"path": FRONT_PATH, "origin": two.name, "cut": True})
        wait_until(lambda: not self.lab.peers(two)[one.name]["paths"][FRONT_PATH]["hears_us"], 3,
                   "node2 to know of the path by which it is not heard")
        self.wait_says(one, two.name)
        self.wait_says(two, one.name)
        self.assert_nobody_died()
        self.assert_recovers()

    def test_ten_percent_are_lost(self):
        self.bear({"loss": 0.1})
        self.assert_nobody_died()
        self.assertTrue(self.lab.in_step())
        self.assert_recovers()

    def test_thirty_percent_are_lost(self):
        self.bear({"loss": 0.3})
        self.assert_recovers()

    def test_frames_come_twice_and_out_of_order(self):
        one, two = self.nodes
        self.bear({"duplicate": 0.3, "reorder": 0.3})
        paths = self.lab.peers(one)[two.name]["paths"]
        self.assertGreater(sum(int(path["replayed"]) for path in paths), 20)
        self.assert_nobody_died()
        self.assert_recovers()

    def test_a_jitter_of_100_ms(self):
        self.bear({"jitter": 0.1})
        self.assert_nobody_died()
        self.assert_recovers()

    def test_faults_at_random(self):
        seed = random.randrange(1 << 32)
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            faults = [{"path": path, "origin": origin.name, "cut": chance.random() < 0.3,
                       "loss": chance.choice([0, 0.1, 0.5]), "jitter": chance.choice([0, 0.1]),
                       "duplicate": chance.choice([0, 0.3]), "reorder": chance.choice([0, 0.3])}
                      for path in (FRONT_PATH, CABLE_PATH) for origin in self.nodes]
            with self.subTest(seed=seed, faults=faults):
                for _ in range(4):
                    self.bear(*chance.sample(faults, chance.randrange(5)), seconds=0.7)
                self.way.clear()
                self.lab.wait_in_step(seconds=AGREE_WITHIN + NOISE)
        self.assert_recovers()

    def test_a_path_of_which_the_interface_goes_and_comes(self):
        one, two = self.nodes
        self.way.stop()
        port = cable_port(two)
        address = self.lab.addresses(two)[CABLE_PATH].rpartition(":")[0].strip("[]")
        self.lab.on_switch(f"ip link set {port} down")
        self.wait_says(one, address)
        self.lab.on_switch(f"ip link set {port} up")
        self.wait_well(one)
        # Its address goes from the node: that is shown on its own side.
        two.must("ip", "link", "set", "eth1", "down")
        self.wait_says(two, address)
        self.lab.wait_in_step(seconds=8)
        two.must("ip", "link", "set", "eth1", "up")
        two.must("ip", "addr", "replace", f"{address}/64", "dev", "eth1", "nodad")
        self.wait_well(two)
        self.assert_nobody_died()
        self.lab.wait_in_step()
        self.assert_kept(self.short, at_least=RATE)
        self.lab.wait_tables_agree(KEPT, 0.1 + NOISE)
        self.assert_lasting()


class ClockTest(PairTest):
    """One node's wall clock is wrong and is set under way."""

    lab_options = {"nodes": 2, "backends": 2}

    @classmethod
    def prepare(cls):
        two = cls.lab.nodes[1]
        cls.clock = WallClock(cls.lab, two.name)
        two.wrapper = cls.clock.wrapper

    def assert_in_step(self, running, connections):
        one, two = self.nodes
        running.wait_answers(connections)
        self.lab.wait_tables_agree(connections, 0.1 + NOISE)
        self.assertTrue(self.lab.in_step())
        for node, peer in ((one, two), (two, one)):
            self.assertEqual(int(self.lab.peers(node)[peer.name]["deaths"]), 0)

    def test_an_hour_ahead_behind_and_jumping(self):
        one, two = self.nodes
        self.addCleanup(self.clock.set_ahead, 0)
        connections = 0
        for ahead in (HOUR, -HOUR, 0):
            self.clock.set_ahead(ahead)
            running = self.kept(100)
            connections += 100
            self.assert_in_step(running, connections)
            wait_until(lambda: abs(self.lab.peers(one)[two.name]["skew_ms"] / 1000 - ahead) < 2, 3,
                       f"the skew of {ahead} s to be seen")
            if ahead:
                notices = " ".join(each["what"] for each in one.status()["notices"])
                self.assertIn("clock", notices)
            self.wait_well(one)
            # The last word counts, whosever clock is wrong.
            for node, word, state in ((two, "drain", "drained"), (one, "enable", None),
                                      (one, "drain", "drained"), (two, "enable", None)):
                node.must_cli(word, "web/web2")
                wait_until(lambda: all((each.backends()["web/web2"]["state"] == "drained")
                                       == (state == "drained") for each in self.nodes), 3,
                           f"{word} by {node.name} to be seen by both, at {ahead} s")
        jumping = self.kept(100)
        for ahead in (HOUR, -HOUR) * 6:
            self.clock.set_ahead(ahead)
            time.sleep(0.1)
        self.assert_in_step(jumping, connections + 100)
