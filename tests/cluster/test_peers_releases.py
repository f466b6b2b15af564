# SPDX-License-Identifier: Apache-2.0
"""Two nodes and a third one of another release, which is made by hand: foreign_node.py."""

import json
import os
import subprocess
import threading
import time

from host import HERE, PYTHON, wait_until
from pair import CLUSTER_NAME, NOISE, PairTest, sessions

SLOW_SECONDS = 60 if os.environ.get("BASCULE_LONG") else 6
MADE_UP = 0x4000  # ports from here on are of sessions that the foreign node has made up


class Foreign:
    """The hand-made node, running; `said` is all that it told so far."""

    def __init__(self, lab, host, peer, **options):
        def bare(node):
            return [address.rpartition(":")[0].strip("[]") for address in lab.addresses(node)]

        options = {"key": lab.key, "cluster": CLUSTER_NAME, "name": host.name, "peer": peer.name,
                   "own": bare(host), "peers": bare(peer), **options}
        self.said = []
        self._log = host.directory / "foreign.log"
        with open(self._log, "wb") as log:
            self.process = host.spawn([PYTHON, HERE / "foreign_node.py", json.dumps(options)],
                                      stdout=subprocess.PIPE, stderr=log, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def events(self, kind):
        return [each for each in self.said if each["event"] == kind]

    def wait_event(self, kind, seconds=10):
        """The first of a kind that it tells of."""
        def come():
            return self.events(kind)
        try:
            return wait_until(come, seconds, f'"{kind}"')[0]
        except Exception as error:
            raise type(error)(f"{error}; it said {self.said} {self._log.read_text()}") from None

    def stop(self):
        self.process.kill()
        self.process.wait()
        self._reader.join(timeout=10)


class ReleasesTest(PairTest):
    lab_options = {"nodes": 2, "backends": 2}

    @classmethod
    def prepare(cls):
        # Its name is the least one: it is the one who connects.
        cls.foreign = cls.lab.add_host("alien", 14, kind=2)
        cls.lab.plug_cable(cls.foreign)
        cls.file_options = {"nodes": [*cls.lab.nodes, cls.foreign]}

    def run_foreign(self, **options):
        foreign = Foreign(self.lab, self.foreign, self.node, seconds=30, **options)
        self.addCleanup(foreign.stop)
        return foreign

    def peer(self):
        return self.lab.peers(self.node)[self.foreign.name]

    def wait_alive(self):
        self.lab.wait_state(self.node, self.foreign, "alive")

    def wait_gone(self):
        """The last one is no longer there."""
        wait_until(lambda: self.peer()["state"] != "alive" and not self.peer()["stream"], 15,
                   "the foreign node to be gone")

    def tearDown(self):
        self.doCleanups()
        self.wait_gone()
        self.assertTrue(self.lab.in_step(), "the two were disturbed")

    def assert_talks(self, foreign):
        """Heartbeats both ways, a stream, and sessions of it in node1's table."""
        self.wait_alive()
        self.assertEqual(foreign.wait_event("hello")["node"], self.node.name)
        self.assertEqual(foreign.wait_event("pong")["token"], 4711)
        wait_until(lambda: self.peer()["stream"], 5, "the stream to be shown")
        kept = self.kept(20)
        ports = set(foreign.wait_event("told")["ports"])
        wait_until(lambda: {each["source_port"] for each in sessions(self.node)
                            if each["origin"] == "peer"} >= ports, 5,
                   "the sessions that the foreign node made up")
        self.assertEqual(foreign.events("bye"), [])
        self.assert_kept(kept)

    def test_a_node_of_this_release_made_by_hand(self):
        foreign = self.run_foreign()
        self.assert_talks(foreign)
        self.assertFalse(self.peer()["incompatible"])

    def test_a_later_release_that_this_one_understands(self):
        foreign = self.run_foreign(version=2, strange=True)
        self.assert_talks(foreign)
        self.assertFalse(self.peer()["incompatible"])
        self.assertEqual(self.peer()["release"], "9.9.9")

    def test_a_later_release_that_needs_more_than_this_one_knows(self):
        foreign = self.run_foreign(version=7, needs=7, strange=True)
        wait_until(lambda: self.peer()["incompatible"], 10, "node1 to see that it is too new")
        self.assertFalse(self.peer()["stream"])
        wait_until(lambda: foreign.events("bye") or foreign.events("stream"), 10, "the refusal")
        time.sleep(1)
        self.assertEqual(foreign.events("pong"), [])
        self.wait_says(self.node, self.foreign.name)

    def test_another_key_made_by_hand(self):
        foreign = self.run_foreign(key="12" * 32)
        foreign.wait_event("not opened")
        foreign.wait_event("stream")
        self.assertNotEqual(self.peer()["state"], "alive")
        self.assertEqual(foreign.events("hello"), [])

    def test_a_peer_that_reads_a_byte_a_second(self):
        one = self.nodes[0]
        before = one.memory()
        foreign = self.run_foreign(slow=True)
        self.wait_alive()
        foreign.wait_event("hello")
        short = self.http(per_connection=1, connections=64, rate=700)
        kept = self.kept(200)
        began = time.monotonic()
        # The two agree as ever, while that one is in nobody's way.
        while time.monotonic() - began < SLOW_SECONDS:
            short.wait_answers(700)
            self.assertTrue(self.lab.in_step())
        self.assertFalse(self.peer()["synced"])
        self.assert_none_failed(short.stop())
        # What an earlier one has told to node1 alone is not of this test.
        self.lab.wait_tables_agree(200, 0.1 + NOISE, but=lambda flow: flow[2] >= MADE_UP)
        self.assertLess(one.memory() - before, 96 << 20)
        self.assert_kept(kept)
