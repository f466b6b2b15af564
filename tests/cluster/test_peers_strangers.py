# SPDX-License-Identifier: Apache-2.0
"""Who has no key changes nothing: not by floods, not by yesterday's packets, not by patience.

And those whom a wrong file has made strangers are told apart: another key, another cluster.
"""

import random
import secrets
import struct
import subprocess
import time

import flood
from capture import Capture
from host import HTTP_PORT, PYTHON, VIP4, wait_until
from pair import FRONT_PATH, NOISE, PairTest, sessions
from relay import CLUSTER_PORT

FLOOD_RATE, FLOOD_SECONDS = 50_000, 3
ETHERNET_IPV4_UDP = 14 + 20 + 8

# Connects again and again, from an address of a node, and says nothing, nonsense, a byte a second …
PEST = """
import os, socket, sys, time
source, target, seconds = sys.argv[1:]
began = time.monotonic()
plugs = []
made = 0
while time.monotonic() - began < float(seconds):
    if len(plugs) < 200:
        plug = socket.socket()
        try:
            plug.bind((source, 0))
            plug.settimeout(1)
            plug.connect((target, {port}))
            plug.setblocking(False)
            if made % 4 == 1:
                plug.send(os.urandom(400))
            elif made % 4 == 2:
                plug.send(b"\\x16\\x03\\x01\\x40\\x00")  # a TLS record that never ends
            made += 1
            plugs.append(plug)
        except OSError:
            plug.close()
    for plug in plugs[:]:
        try:
            if plug.recv(1) == b"":
                raise OSError
            plug.send(b"\\x00")
        except BlockingIOError:
            pass
        except OSError:
            plugs.remove(plug)
            plug.close()
    time.sleep(0.01)
print(made, flush=True)
"""


class StrangerTest(PairTest):
    lab_options = {"nodes": 2, "backends": 4}

    @classmethod
    def prepare(cls):
        cls.stranger = cls.lab.add_host("stranger", 66)

    def state(self):
        """What strangers must not change."""
        one, two = self.nodes
        peer = self.lab.peers(one)[two.name]
        return {name: peer[name] for name in ("state", "deaths", "synced", "hears_us", "stream")}

    def unopened(self, node, reason, path=FRONT_PATH):
        counters = node.ask("show", "peers")["paths"][path]["unopened"]
        return next((int(each["count"]) for each in counters if each["name"] == reason), 0)

    def heartbeat(self):
        """A true heartbeat of node2 to node1, as a frame."""
        one, two = self.nodes
        expression = f"udp and src host {two.v4[0]} and dst port {CLUSTER_PORT}"
        with Capture(self.lab, one.name, expression, bytes_kept=2000) as capture:
            return wait_until(capture.new_frames, 5, "a heartbeat on the wire")[0]

    def test_a_flood_of_heartbeats_without_the_key(self):
        one, two = self.nodes
        payload = self.heartbeat()[ETHERNET_IPV4_UDP:]
        macs, target = (self.stranger.mac, one.mac), (one.v4[0], CLUSTER_PORT)
        frames = []
        for number in range(1000):
            # A true head, and what follows is wrong in one bit: as dear as such a thing can be.
            counter = struct.pack("!I", random.getrandbits(32))
            forged = payload[:28] + counter + payload[32:-1] + bytes([payload[-1] ^ 1])
            source = (two.v4[0], CLUSTER_PORT) if number % 2 else (f"192.0.2.{number % 250}", 1)
            frames.append(flood.udp(macs, source, target, forged))
        before, kept = self.state(), self.kept(100)
        counted = self.unopened(one, "not_authentic")
        strangers = one.ask("show", "peers")["paths"][FRONT_PATH]["from_strangers"]
        running = flood.Flood(self.stranger, frames, FLOOD_RATE, FLOOD_SECONDS)
        sent = running.wait()
        rate = sent["sent"] / sent["seconds"]
        print(f"      {rate:.0f} forged heartbeats a second for {sent['seconds']:.1f} s")
        self.assertGreater(rate, FLOOD_RATE * 0.2, "the machine is too busy for a flood")
        self.assertEqual(self.state(), before)
        self.assertGreater(self.unopened(one, "not_authentic"), counted)
        shown = one.ask("show", "peers")
        self.assertGreater(int(shown["paths"][FRONT_PATH]["from_strangers"]), int(strangers))
        # Of node2's own heartbeats by that path none was late or lost.
        path = self.lab.peers(one)[two.name]["paths"][FRONT_PATH]
        self.assertTrue(path["heard"])
        self.assertLess(path["loss"], 0.05)
        self.assert_kept(kept)

    def pest(self, host, seconds):
        return host.spawn([PYTHON, "-c", PEST.format(port=CLUSTER_PORT), host.v4[0],
                           self.nodes[1].v4[0], seconds], stdout=subprocess.PIPE, text=True)

    def test_connections_that_never_say_who_they_are(self):
        one, two = self.nodes
        before, kept = self.state(), self.kept(100)
        memory = two.memory()
        # Node2 is the one that listens, and node1's host has the right address.
        pests = [self.pest(host, 3) for host in (self.stranger, one)]
        for pest in pests:
            said, _ = pest.communicate(timeout=30)
            self.assertGreater(int(said), 50)
        self.assertEqual(self.state(), before)
        self.assertLess(two.memory() - memory, 32 << 20)
        more = self.kept(50)
        self.lab.wait_tables_agree(150, 0.1 + NOISE)
        # A stream that has to be made anew finds its way through them.
        pest = self.pest(one, 4)
        time.sleep(1)
        one.kill()
        one.start(accept=(0, 4))
        self.lab.wait_in_step(seconds=10)
        pest.communicate(timeout=30)
        self.assert_kept(kept)
        self.assert_kept(more)

    def test_what_was_recorded_yesterday_is_nobody(self):
        one, two = self.nodes
        relay = self.relay()
        relay.record()
        time.sleep(1)
        for node in self.nodes:
            node.kill()
        recorded = relay.recorded()
        self.assertGreater(recorded, 100)
        one.start(accept=(0, 4))
        relay.play(one.name, rate=500)
        peer = self.lab.peers(one)[two.name]
        self.assertEqual(peer["state"], "unknown", "a recording was taken for a node")
        self.assertFalse(peer["synced"] or peer["hears_us"] or peer["stream"])
        self.assertEqual([event for event in one.events() if event["kind"] == "peer_alive"], [])
        # And while the true one is there, a recording of its last life does not disturb it.
        relay.record()
        two.start(accept=(0, 4))
        self.lab.wait_in_step()
        two.kill()
        two.start(accept=(0, 4))
        self.lab.wait_in_step()
        before = self.state()
        relay.play(one.name, rate=500)
        self.assertEqual(self.state(), before)

    def test_a_syn_flood_while_a_node_comes_back(self):
        one, two = self.nodes
        kept = self.kept(500)
        self.lab.wait_tables_agree(500, 3)
        before = self.lab.peers(one)[two.name]["deaths"]
        two.stop()
        two.must_cli("detach", "--bpffs", two.bpffs)
        macs = (self.client.mac, one.mac)
        frames = [flood.syn(macs, (f"198.18.{number >> 8 & 255}.{number & 255}",
                                   random.randrange(1024, 65535)), (VIP4, HTTP_PORT))
                  for number in range(20_000)]
        running = flood.Flood(self.client, frames, 20_000, 5)
        two.start(accept=(0, 4))
        self.lab.wait_in_step(seconds=10)
        self.assertTrue(running.goes_on(), "the flood was over before the nodes were in step")
        sent = running.wait()
        self.assertGreater(sent["sent"], 20_000)
        self.lab.wait_tables_agree(500, 3)
        self.assertGreater(int(one.status()["sessions"]["embryonic"]), 1000)
        flooded = [session for session in sessions(two) if session["source"].startswith("198.18.")]
        self.assertEqual(flooded, [])
        self.assertEqual(int(two.status()["sessions"]["embryonic"]), 0)
        # It was away once, by its own will, and never because it was not heard.
        self.assertLessEqual(int(self.lab.peers(one)[two.name]["deaths"]), int(before) + 1)
        # Nor was the one that is flooded.
        self.assertEqual(int(self.lab.peers(two)[one.name]["deaths"]), 0)
        self.assert_kept(kept)

    # ---- those who should be peers ----

    def assert_refused_and_well_again(self, words):
        """Both nodes run on and say what is wrong; the file put right, they are in step again."""
        one, two = self.nodes
        for node, peer in ((one, two), (two, one)):
            self.assertNotEqual(self.lab.peers(node)[peer.name]["state"], "alive")
            self.assertFalse(self.lab.peers(node)[peer.name]["stream"])
        wait_until(lambda: "peer_refused" in {event["kind"] for event in one.events()
                                              + two.events()}, 5, "the refusal to be an event")
        self.wait_says(one, words)
        self.flows_of(requests=100)

    def test_another_key(self):
        one, two = self.nodes
        two.stop()
        self.lab.write_key(two, keys=[secrets.token_hex(32)])
        two.start(accept=(0, 4))
        time.sleep(1)
        self.assert_refused_and_well_again("key")
        self.assertGreater(self.unopened(one, "unknown_key")
                           + self.unopened(one, "not_authentic"), 0)
        self.lab.write_key(two)
        two.must_cli("reload")
        self.lab.wait_in_step()

    def test_another_cluster(self):
        one, two = self.nodes
        two.reload(self.lab.config(two, cluster={"name": "other"}))
        time.sleep(1)
        self.assert_refused_and_well_again("cluster")
        self.assertGreater(self.unopened(one, "other_cluster"), 0)
        two.reload(self.lab.config(two))
        self.lab.wait_in_step()

    def test_another_ring_and_another_file_are_told(self):
        one, two = self.nodes
        two.reload(self.lab.config(two, weights={"web1": 50}))
        wait_until(lambda: self.lab.peers(one)[two.name]["ring_equal"] is False, 5,
                   "another ring to be seen")
        self.assertFalse(self.lab.peers(one)[two.name]["config_equal"])
        self.wait_says(one, two.name)
        two.reload(self.lab.config(two))
        self.wait_well(one)
        two.stop()
        self.lab.write_key(two, ring=secrets.token_hex(16))
        two.start(accept=(0, 4))
        wait_until(lambda: self.lab.peers(one)[two.name]["ring_equal"] is False, 5,
                   "another ring secret to be seen")
        self.wait_says(one, two.name)
        two.stop()
        self.lab.write_key(two)
        two.start(accept=(0, 4))
        self.lab.wait_in_step()
