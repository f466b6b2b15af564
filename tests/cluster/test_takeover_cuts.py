# SPDX-License-Identifier: Apache-2.0
"""What the paths do to a pair, with and without a witness: who has the VIPs meanwhile, and after.

A relay cuts only what nodes say to each other on their paths (on the link of the VIPs they can still
ask, but for hold_frames()); a port taken off the switch cuts all, and no carrier is lost.
"""

import time

from host import VIP4, wait_until
from pair import CABLE_PATH, DEAD_AFTER, FRONT_PATH, INTERVAL_MS, NOISE
from steady import now, outage_after
from takeover import LONG, MOST_OUTAGE, VIPS, TakeoverTest

BEAR = 60 if LONG else 3   # seconds
FLAPS = 60 if LONG else 20
FLAP = 0.05                # seconds down, and up
HEALED = 0.2               # seconds after which the client is at the winner
UNTIL_DEAD = DEAD_AFTER * INTERVAL_MS / 1000


class CutTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 3, "udp": True}
    file_options = {"udp": True}

    def setUp(self):
        super().setUp()
        for node in self.nodes:
            self.addCleanup(self.restore, node)
        self.kept = self.lasting(90)
        self.before = self.epochs()

    def assert_nothing_moved(self):
        self.wait_held(self.nodes[0], seconds=NOISE)
        self.assertEqual(self.epochs(), self.before, self.told())

    def assert_well(self, owner=None):
        self.assert_none_broke(self.kept)
        self.assert_settled(owner or self.nodes[0], at_least=90)

    def wait_two(self):
        """Waits until both have the VIPs, and no heartbeat tells either of it."""
        wait_until(lambda: self.holders() == [node.name for node in self.nodes], 5,
                   "both nodes to have the VIPs")


class PathTest(CutTest):
    """No witness: two paths alone."""

    def test_one_path_is_cut(self):
        flow = self.stream()
        relay = self.relay()
        for path in (CABLE_PATH, FRONT_PATH):
            relay.set({"path": path, "cut": True})
            time.sleep(UNTIL_DEAD * 5)
            self.assert_nothing_moved()
            relay.clear()
            wait_until(lambda: all(each["heard"] for each in
                                   self.lab.peers(self.nodes[0])["node2"]["paths"]), 5,
                       "both paths")
        self.assertIsNone(flow.lost_none())
        self.assert_well()

    def test_the_service_path_loses_its_carrier(self):
        one, two = self.nodes
        flow, event = self.stream(), now()
        self.lab.on_switch("ip link set node1 down")
        self.wait_held(two)
        self.wait_neighbour(two)
        flow.wait_flows()
        outage = outage_after(flow.stop(), event)
        print(f"      no carrier: new flows were not served for {outage:.0f} ms")
        self.assertLess(outage, MOST_OUTAGE * 1000)
        self.assert_none_broke(self.kept)
        self.links(one, "up")
        self.returns(one)
        self.assert_well()

    def test_the_service_path_is_cut_and_no_carrier_is_lost(self):
        """Without a witness nobody can know that clients do not come through: nothing moves."""
        one, two = self.nodes
        self.hole(one, [one.name])
        for node, peer in ((one, two), (two, one)):
            wait_until(lambda each=node, other=peer: not self.lab.peers(each)[other.name]["paths"]
                       [FRONT_PATH]["heard"], 5, f"{node.name} to hear nothing by the front")
        time.sleep(UNTIL_DEAD * 5)
        self.assert_nothing_moved()
        for node, peer in ((one, two), (two, one)):
            self.assertEqual(self.lab.peers(node)[peer.name]["state"], "alive")
            self.assertIn("1 of 2 paths", node.cli("status").stdout)
        self.unhole(one)
        self.assert_well()

    def test_all_paths_are_cut_and_healed(self):
        one, two = self.nodes
        relay = self.relay()
        # The client is at either of them when the paths heal: node1 is the one that lets go.
        for end in (one, two) if LONG else (one,):
            flow = self.stream()
            self.hold_frames()
            relay.set({"cut": True})
            self.wait_two()
            for node in self.nodes:
                self.wait_says(node, "dead")
                wait_until(lambda each=node: "vip_conflict" in {event["kind"]
                                                                for event in each.events()},
                           10, f"{node.name} to see the other one on the wire")
            self.find(end)
            flow.wait_flows()
            self.assert_none_broke(self.kept)
            winner = max(self.nodes, key=lambda node: self.vips(node)[VIP4]["epoch"])
            relay.clear()
            took = self.healing(winner)
            print(f"      healed with the client at {end.name}: it was at the winner after "
                  f"{took * 1000:.0f} ms")
            self.assertLess(took, HEALED + NOISE)
            self.let_frames()
            self.returns(one)
            self.assertIsNone(flow.lost_none())
            self.assert_well()

    def healing(self, winner):
        """Seconds until the client has found who stays: the last word on the wire is his."""
        began = time.monotonic()
        while self.neighbour() != winner.mac and time.monotonic() - began < HEALED + NOISE:
            time.sleep(0.005)
        return time.monotonic() - began

    def find(self, node):
        """The client finds the VIPs at this one of two holders."""
        for vip in VIPS:
            self.client.must("ip", "neigh", "replace", vip, "lladdr", node.mac, "dev", "eth0",
                             "nud", "reachable")

    def test_one_way_of_all_paths_is_cut(self):
        one, two = self.nodes
        relay = self.relay()
        # Node2 hears nothing of node1, and takes; node1 hears of that, and lets go.
        relay.set({"origin": one.name, "cut": True})
        self.wait_held(two)
        self.wait_neighbour(two)
        self.assert_none_broke(self.kept)
        relay.clear()
        self.returns(one)
        self.assert_well()
        # The other way round: who has them cannot be heard by nobody but himself.
        before = self.epochs()
        relay.set({"origin": two.name, "cut": True})
        self.lab.wait_state(one, two, "dead", 3)
        time.sleep(UNTIL_DEAD * 5)
        self.wait_held(one, seconds=NOISE)
        self.assertEqual(self.epochs(), before)
        relay.clear()
        self.assert_well()

    def test_ten_percent_of_heartbeats_are_lost(self):
        flow, relay = self.stream(), self.relay()
        relay.set({"loss": 0.1})
        time.sleep(BEAR)
        relay.clear()
        self.assert_nothing_moved()
        self.assertIsNone(flow.lost_none())
        self.assert_well()

    def test_thirty_percent_of_heartbeats_are_lost(self):
        flow, relay = self.stream(), self.relay()
        relay.set({"loss": 0.3})
        time.sleep(BEAR)
        relay.clear()
        self.returns(self.nodes[0])
        # Should they have moved, then without an outage: both are there.
        self.assertLess(outage_after(flow.stop(), 0), MOST_OUTAGE * 1000)
        self.assert_well()

    def test_a_link_that_flaps(self):
        """The VIPs go to who has a link, and stay there until that of node1 does."""
        one, two = self.nodes
        flow, serial = self.stream(), self.serial(two)
        began = time.monotonic()
        for _ in range(FLAPS):
            for state in ("down", "up"):
                self.lab.on_switch(f"ip link set node1 {state}")
                time.sleep(FLAP)
        span = time.monotonic() - began
        self.returns(one)
        flow.wait_flows()
        outage = outage_after(flow.stop(), 0)
        taken = self.kinds(two, serial).count("vip_taken")
        print(f"      a link that flaps {FLAPS} times in {span:.1f} s: node2 took VIPs {taken} "
              f"times, new flows were not served for {outage:.0f} ms")
        self.assertLess(outage, MOST_OUTAGE * 1000)
        # Who is ready for a second takes back: within each no VIP goes away more than once.
        self.assertLessEqual(taken, len(VIPS) * (span + 2))
        self.assertLess(taken, FLAPS)
        self.assert_well()


class WitnessTest(CutTest):
    """A gateway that both nodes ask."""

    @classmethod
    def prepare(cls):
        cls.gateway = cls.lab.add_host("gateway", 1)
        cls.file_options = {"udp": True, "cluster": {"witness": [cls.gateway.v4[0]]}}

    def wait_witness(self, answers, nodes=None):
        wait_until(lambda: all(node.ask("show", "vips")["witnesses"][0]["answers"] == answers
                               for node in nodes or self.nodes), 10,
                   f"the witness to be seen as {answers}")

    def test_the_service_path_is_cut(self):
        """The cable holds: node1 says that it is cut off, and node2 takes."""
        one, two = self.nodes
        flow, event = self.stream(), now()
        self.hole(one, [one.name])
        self.wait_held(two)
        self.wait_neighbour(two)
        flow.wait_flows()
        print(f"      cut off, by its witness: new flows were not served for "
              f"{outage_after(flow.stop(), event):.0f} ms")
        self.wait_says(one, self.gateway.v4[0])
        self.assert_none_broke(self.kept)
        self.unhole(one)
        self.wait_witness(True)
        self.returns(one)
        self.assert_well()

    def test_the_path_of_the_nodes_is_cut(self):
        """The front is left, and the witness: nothing moves."""
        flow, relay = self.stream(), self.relay()
        relay.set({"path": CABLE_PATH, "cut": True})
        time.sleep(UNTIL_DEAD * 5)
        self.assert_nothing_moved()
        relay.clear()
        self.assertIsNone(flow.lost_none())
        self.assert_well()

    def test_a_node_is_cut_off_from_all(self):
        """Only who sees the witness has the VIPs."""
        one, two = self.nodes
        self.hole(one)
        # What the two say differs: they do not hear each other.
        wait_until(lambda: all(self.holders(vip) == [two.name] for vip in VIPS), 10,
                   "node2 alone to have the VIPs")
        self.wait_neighbour(two)
        self.assert_none_broke(self.kept)
        self.unhole(one)
        self.returns(one)
        self.assert_well()

    def test_all_paths_between_the_nodes_are_cut(self):
        """Both see the witness, and the link does not join them: two have the VIPs, and say so."""
        one, two = self.nodes
        self.hold_frames()
        relay = self.relay()
        relay.set({"cut": True})
        self.wait_two()
        for node in self.nodes:
            self.wait_says(node, "dead")
        self.assert_none_broke(self.kept)
        relay.clear()
        self.returns(one)
        self.assert_well()

    def test_the_witness_reboots(self):
        flow = self.stream()
        self.lab.on_switch("ip link set gateway down")
        self.wait_witness(False)
        time.sleep(1)
        # Both find it at other moments; neither gives anything up to who has not found it yet.
        self.assert_nothing_moved()
        self.lab.on_switch("ip link set gateway up")
        self.wait_witness(True)
        self.wait_held(self.nodes[0])
        kinds = {each["kind"] for each in self.nodes[0].events()}
        self.assertLessEqual({"witness_lost", "witness_back"}, kinds)
        self.assertIsNone(flow.lost_none())
        self.assert_well()
