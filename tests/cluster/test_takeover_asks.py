# SPDX-License-Identifier: Apache-2.0
"""Every path between the nodes is cut, and the link of the VIPs is not: claims are compared there.

The relay cuts what goes by the cluster's port; frames of their own kind, by which nodes ask whoever
claims a VIP, pass. `hold_frames` keeps those away, too.
"""

import time

from frames import recorded as frames_of
from host import HERE, PYTHON, VIP4, wait_until
from pair import NOISE
from takeover import LONG, VIPS
from test_takeover_cuts import CutTest

STAYS = 20 if LONG else 5  # seconds that the cut lasts: nothing moves to and fro meanwhile
EARLIER = 0.06             # seconds, less than it takes to find anybody dead
ASKED = 0.5                # seconds from the second taking to the first one's letting go


class AskTest(CutTest):
    def cut_and_settle(self, relay, serials, first=None):
        """Cuts all paths, and waits until node2, which took with a higher claim, has them alone.

        What `first` says is cut earlier, so that it is asked on the wire before it finds that the
        other one is silent."""
        if first is not None:
            relay.set({"origin": first.name, "cut": True})
            time.sleep(EARLIER)
        relay.set({"cut": True})
        self.wait_held(self.nodes[1])
        two_held = self.both_held(serials)
        print(f"      all paths cut: two had the VIPs for {two_held * 1000:.0f} ms")
        self.assertLess(two_held, ASKED + NOISE, self.told())

    def both_held(self, serials):
        """Seconds between node2's taking of the last VIP and node1's letting go of the last one."""
        def last(node, kind):
            return max(each["time"] for each in node.events(serials[node.name])
                       if each["kind"] == kind)
        return last(self.nodes[0], "vip_released") - last(self.nodes[1], "vip_taken")

    def serials(self):
        return {node.name: self.serial(node) for node in self.nodes}

    def moves(self, serials):
        return {node.name: [kind for kind in self.kinds(node, serials[node.name])
                            if kind in ("vip_taken", "vip_released", "vip_failed")]
                for node in self.nodes}

    def test_two_holders_ask_each_other_on_the_wire(self):
        one, two = self.nodes
        flow, relay, serials = self.stream(), self.relay(), self.serials()
        self.cut_and_settle(relay, serials, first=one)
        # It stays so for as long as the cut lasts: who has let go hears the other one go on. It has
        # not found it dead before, and is not in step with it all the same.
        time.sleep(STAYS)
        self.assertEqual(self.moves(serials), {one.name: ["vip_released"] * len(VIPS),
                                               two.name: ["vip_taken"] * len(VIPS)}, self.told())
        self.wait_held(two, seconds=NOISE)
        for node, other in ((one, two), (two, one)):
            peer = self.lab.peers(node)[other.name]
            self.assertEqual((peer["state"], peer["by_wire"]), ("alive", True), peer)
            self.assertFalse(any(path["heard"] for path in peer["paths"]))
            self.assertIn(other.mac, peer["wire"]["address"])
            self.wait_says(node, f"{other.name} is heard on the link of a VIP alone")
            self.assertIn("link of a VIP", node.cli("show", "peers").stdout)
        self.wait_neighbour(two)
        self.assert_none_broke(self.kept)
        relay.clear()
        self.returns(one)
        wait_until(lambda: not any(each["by_wire"] for node in self.nodes
                                   for each in self.lab.peers(node).values()), 5, "the paths")
        self.wait_well(one)
        flow.wait_flows()
        flow.stop()
        self.assert_well()

    def test_the_winner_dies_while_only_the_wire_is_left(self):
        one, two = self.nodes
        relay = self.relay()
        self.cut_and_settle(relay, self.serials())
        two.kill()
        self.wait_held(one, nodes=[one], seconds=3 + NOISE)
        self.wait_neighbour(one)
        relay.clear()
        two.start(accept=(0, 4))
        self.returns(one)
        self.assert_well()

    def test_strangers_on_the_wire_change_nothing(self):
        """Frames of that kind that are noise, forged, or were recorded before."""
        one, two = self.nodes
        relay, serials = self.relay(), self.serials()
        recorded = self.lab.directory / "frames"
        recorder = self.client.spawn([PYTHON, HERE / "frames.py", "record", "eth0", recorded])
        self.addCleanup(recorder.kill)
        # A bridge that remembers no address floods every frame, to the client, too.
        for_bridges = "for bridge in $(ip -br link show type bridge | cut -d ' ' -f 1); do"
        self.lab.on_switch(f"{for_bridges} ip link set $bridge type bridge ageing_time 0; done")
        self.addCleanup(self.lab.on_switch,
                        f"{for_bridges} ip link set $bridge type bridge ageing_time 30000; done")
        self.cut_and_settle(relay, serials)
        time.sleep(0.5)
        relay.clear()
        self.returns(one)
        recorder.terminate()
        recorder.wait(timeout=10)
        frames = len(frames_of(recorded))
        self.assertGreater(frames, 20, "no frames were recorded")
        before, serials = self.epochs(), self.serials()
        for node in self.nodes:
            self.client.must(PYTHON, HERE / "frames.py", "play", "eth0", recorded, node.mac)
        for node in self.nodes:
            # What is shown is of up to 100 ms ago.
            wait_until(lambda: int(self._wire(node)["datagrams"]) > 2 * frames, 5, "the frames to be read")
            wire = self._wire(node)
            counted = {each["name"]: int(each["count"]) for each in wire["unopened"]}
            self.assertGreater(counted.get("not_authentic", 0), 0, wire)
        self.assertEqual(self.epochs(), before)
        self.assertEqual(self.moves(serials), {one.name: [], two.name: []})
        self.assert_well()

    @staticmethod
    def _wire(node):
        return node.ask("show", "peers")["wire"]
