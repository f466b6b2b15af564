# SPDX-License-Identifier: Apache-2.0
"""The relay between nodes does what it is told: else no test with it would prove anything."""

import os
import signal
import subprocess
import time
import unittest

import janitor
from host import PYTHON, LabError, wait_until
from pair import CABLE_PATH, FRONT_PATH, PairLab
from relay import CLUSTER_PORT

# Prints "PATH NUMBER SENT RECEIVED" for each datagram, times by the machine's monotonic clock.
LISTENER = """
import select, socket, sys, time
plugs = []
for path, address in enumerate(sys.argv[1:]):
    plug = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    plug.bind((address, {port}))
    plugs.append(plug)
print("ready", flush=True)
while True:
    for plug in select.select(plugs, [], [])[0]:
        number, sent = plug.recv(2048).decode().split()
        print(plugs.index(plug), number, sent, time.monotonic(), flush=True)
"""

# Sends COUNT datagrams of each path's address in turn, one in each millisecond and path.
SENDER = """
import socket, sys, time
count, *addresses = sys.argv[1:]
plugs = []
for address in addresses:
    plug = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    plug.connect((address, {port}))
    plugs.append(plug)
began = time.monotonic()
for number in range(int(count)):
    for plug in plugs:
        plug.send(b"%d %.6f" % (number, time.monotonic()))
    time.sleep(max(0, began + (number + 1) / 1000 - time.monotonic()))
"""

TCP = """
import hashlib, socket, sys
role, address = sys.argv[1:]
data = bytes(range(256)) * 2048
if role == "server":
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    plug = socket.create_server((address, {port}), family=family)
    print("ready", flush=True)
    plug, _ = plug.accept()
    said = b""
    while len(said) < len(data):
        said += plug.recv(65536)
    print(said == data, flush=True)
else:
    plug = socket.create_connection((address, {port}), timeout=60)
    plug.sendall(data)
    plug.recv(1)
"""


class RelayTest(unittest.TestCase):
    alone = True  # delays are measured in milliseconds

    @classmethod
    def setUpClass(cls):
        cls.lab = PairLab(nodes=2, backends=0)
        cls.addClassCleanup(cls.lab.close)
        cls.one, cls.two = cls.lab.nodes

    def setUp(self):
        self.relay = self.lab.relay()
        self.addCleanup(self.relay.stop)

    @staticmethod
    def places(node):
        number = node.v4[0].rpartition(".")[2]
        return node.v4[0], f"fd00:9:1::{number}"

    def listened(self, node, during, wait):
        """Datagrams that come to a node meanwhile: path → list of (number, seconds under way), in
        the order in which they came."""
        log = node.directory / "came.out"
        log.unlink(missing_ok=True)
        listener = node.spawn([PYTHON, "-c", LISTENER.format(port=CLUSTER_PORT),
                               *self.places(node)], log=log.name)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.kill)
        wait_until(lambda: log.read_text().startswith("ready"), 10, "the listener")
        during()
        time.sleep(wait)
        listener.kill()
        listener.wait()
        came = {FRONT_PATH: [], CABLE_PATH: []}
        for line in log.read_text().splitlines()[1:]:
            path, number, sent, received = line.split()
            came[int(path)].append((int(number), float(received) - float(sent)))
        return came

    def carry(self, count, to=None, wait=0.3):
        to = to or self.two
        origin = self.one if to is self.two else self.two
        command = [PYTHON, "-c", SENDER.format(port=CLUSTER_PORT), count, *self.places(to)]
        return self.listened(to, lambda: origin.must(*command), wait)

    def assert_all_in_order(self, came, count):
        self.assertEqual([number for number, _ in came], list(range(count)))

    def test_without_a_fault_all_goes_through_and_is_counted(self):
        for path, came in self.carry(300).items():
            self.assert_all_in_order(came, 300)
            self.assertLess(sorted(late for _, late in came)[150], 0.005)
            counted = self.relay.counts(path, "node1", "node2")
            self.assertEqual((counted.came, counted.went, counted.dropped), (300, 300, 0))

    def test_it_is_in_the_way_and_gives_the_way_back(self):
        self.relay.set({"cut": True})
        self.assertEqual(self.carry(20, wait=0.1), {FRONT_PATH: [], CABLE_PATH: []})
        # Only the cluster's port is.
        listener = self.two.spawn([PYTHON, "-c", TCP.format(port=CLUSTER_PORT + 1), "server",
                                   self.two.v4[0]], stdout=subprocess.PIPE, text=True)
        with listener.stdout:
            self.assertEqual(listener.stdout.readline(), "ready\n")
            self.one.must(PYTHON, "-c", TCP.format(port=CLUSTER_PORT + 1), "client", self.two.v4[0])
            self.assertEqual(listener.stdout.readline(), "True\n")
        listener.wait()
        self.relay.stop()
        for came in self.carry(20, wait=0.1).values():
            self.assert_all_in_order(came, 20)

    def test_a_cut_of_one_path_in_one_direction(self):
        self.relay.set({"path": CABLE_PATH, "origin": "node1", "to": "node2", "cut": True})
        there, back = self.carry(100), self.carry(100, to=self.one)
        self.assertEqual(there[CABLE_PATH], [])
        self.assert_all_in_order(there[FRONT_PATH], 100)
        for came in back.values():
            self.assert_all_in_order(came, 100)

    def test_it_loses_as_many_as_it_is_told(self):
        self.relay.set({"path": FRONT_PATH, "loss": 0.1}, {"path": CABLE_PATH, "loss": 0.3})
        came = self.carry(2000)
        # Five standard deviations around the share: it fails once in a million runs.
        self.assertAlmostEqual(len(came[FRONT_PATH]) / 2000, 0.9, delta=0.034)
        self.assertAlmostEqual(len(came[CABLE_PATH]) / 2000, 0.7, delta=0.052)
        counted = self.relay.counts(CABLE_PATH)
        self.assertEqual(counted.lost, 2000 - len(came[CABLE_PATH]))

    def test_it_doubles_and_reorders(self):
        self.relay.set({"path": FRONT_PATH, "duplicate": 0.2}, {"path": CABLE_PATH, "reorder": 0.2})
        came = self.carry(1000)
        numbers = [number for number, _ in came[FRONT_PATH]]
        self.assertEqual(set(numbers), set(range(1000)))
        self.assertAlmostEqual(len(numbers) - 1000, 200, delta=65)
        numbers = [number for number, _ in came[CABLE_PATH]]
        self.assertEqual(sorted(numbers), list(range(1000)))
        late = sum(1 for left, right in zip(numbers, numbers[1:]) if right < left)
        self.assertGreater(late, 20)

    def test_it_delays_and_jitters(self):
        self.relay.set({"path": FRONT_PATH, "delay": 0.05}, {"path": CABLE_PATH, "jitter": 0.1})
        came = self.carry(500)
        self.assert_all_in_order(came[FRONT_PATH], 500)
        self.assertGreaterEqual(min(late for _, late in came[FRONT_PATH]), 0.05)
        times = sorted(late for _, late in came[CABLE_PATH])
        self.assertEqual(len(times), 500)
        self.assertLess(times[50], 0.03)
        self.assertGreater(times[450], 0.07)

    def test_tcp_goes_on_under_loss_and_jitter(self):
        self.relay.set({"loss": 0.1, "jitter": 0.005, "duplicate": 0.05, "reorder": 0.05})
        for address in self.places(self.two):
            argv = [PYTHON, "-c", TCP.format(port=CLUSTER_PORT), "server", address]
            server = self.two.spawn(argv, stdout=subprocess.PIPE, text=True)
            self.addCleanup(server.kill)
            self.assertEqual(server.stdout.readline(), "ready\n")
            self.one.must(PYTHON, "-c", TCP.format(port=CLUSTER_PORT), "client", address)
            self.assertEqual(server.communicate(timeout=30)[0], "True\n")
        self.assertGreater(self.relay.counts(origin="node1").lost, 20)
        # The last segment may have been lost: it is sent again, into the next test.
        self.relay.clear()
        wait_until(lambda: not any(self.closing(node) for node in (self.one, self.two)), 10,
                   "the connections to have ended")

    @staticmethod
    def closing(node):
        """TCP connections of a node that still have something to say."""
        said = node.must("ss", "-Htan").stdout.splitlines()
        return [line for line in said if line.split()[0] not in ("LISTEN", "TIME-WAIT")]

    def test_what_was_recorded_comes_again(self):
        self.relay.record()
        self.carry(200)
        self.assertEqual(self.relay.recorded(), 400)
        self.relay.set({"cut": True})
        for came in self.listened(self.two, lambda: self.relay.play("node2"), 0.2).values():
            self.assert_all_in_order(came, 200)

    def test_a_killed_relay_is_told_and_leaves_nothing(self):
        with PairLab(nodes=2, backends=0) as lab:
            relay = lab.relay()
            os.kill(relay.process.pid, signal.SIGKILL)
            self.assertRaises(LabError, relay.stop)
        self.assertEqual(janitor.leftovers(lab.directory), [])
