# SPDX-License-Identifier: Apache-2.0
"""Two nodes know the same: sessions of real connections, and what an operator says to either."""

import signal
import time

import load
from host import wait_until
from pair import (CABLE_PATH, FRONT_PATH, INTERVAL_MS, NOISE, PairTest, key_path, sessions,
                  together)

FIRST = [f"web{number}" for number in range(1, 7)]
SECOND = [f"web{number}" for number in range(1, 9) if number != 6]


class PeersTest(PairTest):
    lab_options = {"nodes": 2, "backends": 4, "clients": 2}

    def test_what_a_node_shows_of_its_peer(self):
        one, two = self.nodes
        peer = self.lab.peers(one)[two.name]
        self.assertEqual(peer["state"], "alive")
        self.assertTrue(peer["hears_us"] and peer["stream"] and peer["synced"])
        self.assertTrue(peer["config_equal"] and peer["ring_equal"] and peer["shared_equal"])
        self.assertEqual([path["address"] for path in peer["paths"]], self.lab.addresses(two))
        for path in peer["paths"]:
            self.assertTrue(path["heard"] and path["hears_us"])
            self.assertLess(path["rtt_ms"], 1000)
        self.assertLess(abs(peer["skew_ms"]), 1000)
        self.assertEqual(one.cli("status").returncode, 0, self.says(one))
        text = one.must_cli("show", "peers").stdout
        for word in (two.name, *self.lab.addresses(two)):
            self.assertIn(word, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        kinds = {event["kind"] for event in one.events()}
        self.assertLessEqual({"peer_alive", "peer_synced"}, kinds)

    def test_the_tables_agree_when_the_load_stops(self):
        # One client by each node, so that both have something to tell.
        one, two = self.nodes
        other = self.lab.clients[1]
        self.lab.lead(two, other)
        kept = [self.kept(300), self._started(load.http(other, connections=300, per_connection=0))]
        short = [self.http(per_connection=1, connections=64, rate=400),
                 self._started(load.http(other, per_connection=1, connections=64, rate=400)),
                 self.http(per_connection=1, connections=64, rate=200, v6=True)]
        load.wait_answers([*kept, *short], 600)
        for running in [*kept, *short]:
            running.process.send_signal(signal.SIGSTOP)
        took = self.lab.wait_tables_agree(at_least=600, seconds=0.1 + NOISE)
        print(f"      the tables agreed within {took * 1000:.0f} ms after the load had stopped")
        origins = {(node.name, session["origin"]) for node in self.nodes
                   for session in sessions(node, "--state", "established")}
        self.assertEqual(len(origins), 4, origins)
        for running in [*kept, *short]:
            running.process.send_signal(signal.SIGCONT)
        load.wait_answers(kept, 600)
        for running in [*kept, *short]:
            self.assert_kept(running)
        for node, peer in ((one, two), (two, one)):
            self.assertEqual(self.counter_of(node, peer, "drift"), 0)
            self.assertEqual(self.counter_of(node, peer, "unknown_target"), 0)

    def test_an_end_is_told_as_well(self):
        kept = self.kept(200)
        self.lab.wait_tables_agree(200, 3)
        self.assert_kept(kept)
        wait_until(lambda: self.lab.tables() == [{}, {}], 5, "empty tables")

    def test_a_drain_on_one_node_is_seen_on_all_outlives_them_and_never_comes_back(self):
        one, two = self.nodes

        def states():
            return [node.backends()["web/web2"]["state"] for node in self.nodes]

        two.must_cli("drain", "web/web2")
        wait_until(lambda: states() == ["drained", "drained"], INTERVAL_MS / 1000 + NOISE,
                   "web2 to be drained on both")
        self.assertNotIn("web2", self.flows_of(requests=300))
        two.stop()
        one.kill()
        one.start(accept=(0, 4))  # alone: by its own disk
        self.assertEqual(one.backends()["web/web2"]["state"], "drained")
        # Taken back while the other one is away, which still has the word on its disk.
        one.must_cli("enable", "web/web2")
        two.start(accept=(0, 4))
        self.lab.wait_in_step()
        wait_until(lambda: "drained" not in states(), 3, "web2 to be taken back on both")
        for node in self.nodes:
            node.kill()
        together(lambda node: node.start(accept=(0, 4)), self.nodes)
        self.lab.wait_in_step()
        self.assertNotIn("drained", states())
        self.assertIn("web2", self.flows_of(requests=300))

    def test_keys_are_changed_without_an_outage(self):
        one, two = self.nodes
        kept = self.kept(100)
        before = [self.lab.peers(node)[peer.name] for node, peer in ((one, two), (two, one))]
        fingerprints = {one.ask("show", "peers")["key"]}
        for step, accepted in (("add", 2), ("switch", 2), ("drop", 1)):
            one.must_cli("keygen", "--rotate", step, key_path(one))
            for node in self.nodes:
                if node is two:
                    key_path(two).write_bytes(key_path(one).read_bytes())
                node.must_cli("reload")
                time.sleep(INTERVAL_MS * 10 / 1000)
                self.assertTrue(self.lab.in_step())
            self.assertEqual(one.ask("show", "peers")["accepted_keys"], accepted)
        fingerprints.add(one.ask("show", "peers")["key"])
        self.assertEqual(len(fingerprints), 2)
        for node, peer, earlier in ((one, two, before[0]), (two, one, before[1])):
            now = self.lab.peers(node)[peer.name]
            self.assertEqual(now["deaths"], earlier["deaths"])
            self.assertGreaterEqual(now["stream_seconds"], earlier["stream_seconds"])
            self.assertEqual(node.cli("status").returncode, 0, self.says(node))
        self.assert_kept(kept)


class MovedTest(PairTest):
    """Connections moved from one node to the other by hand, against the ring's opinion."""

    lab_options = {"nodes": 2, "backends": 8}
    file_options = {"backends": FIRST, "weights": {"web6": 0}}

    def test_2000_connections_are_moved_and_none_breaks(self):
        one, two = self.nodes
        options = {"rate": 1000, "most_failures": 10_000}
        running = [self.kept(1600, **options), self.kept(400, v6=True, **options)]
        # web6, which nobody uses, makes room; web7 and web8 come; web1 is left with what it has.
        for node in self.nodes:
            node.reload(self.lab.config(node, backends=SECOND, weights={"web1": 0}))
        self.lab.wait_tables_agree(2000, 0.1 + NOISE)
        misrouted = sum(1 for backend in self.lab.tables()[1].values() if backend == "web1")
        self.assertGreater(misrouted, 200, "the ring alone would do it as well")

        for node in (two, one, two):
            self.lab.lead(node)
            load.wait_answers(running, 1800)  # each connection has had its turn
            for each in running:
                self.assertEqual(each.latest["failed"], 0, each.latest["reasons"])
        here = [session for session in sessions(two) if session["origin"] == "here"]
        self.assertGreaterEqual(len(here), 2000)
        self.lab.wait_tables_agree(2000, 0.1 + NOISE)

        # The same with an empty table and the same ring breaks them.
        self.lab.lead(one)
        two.stop()
        two.must_cli("detach", "--bpffs", two.bpffs)
        self.hold_frames()
        self.relay().set({"cut": True})
        two.start(accept=(0, 4))
        self.lab.lead(two)
        load.wait_answers(running, 1800)
        broken = sum(each.stop()["failed"] for each in running)
        self.assertGreaterEqual(broken, misrouted)
        print(f"      the ring alone broke {broken} of 2000 connections, the peers' sessions none")


class PathsTest(PairTest):
    """Where the stream goes and what is measured, while nothing is wrong but one path's delay."""

    def test_round_trip_and_loss_are_measured_for_each_path(self):
        one, two = self.nodes
        relay = self.relay()
        relay.set({"path": CABLE_PATH, "delay": 0.03},
                  {"path": FRONT_PATH, "origin": two.name, "loss": 0.2})

        def measured():
            front, cable = self.lab.peers(one)[two.name]["paths"]
            return 0.05 < front["loss"] < 0.5 and cable["rtt_ms"] >= 60 and cable["loss"] < 0.05

        wait_until(measured, 10, "the paths' loss and delay to be told")
        relay.clear()
