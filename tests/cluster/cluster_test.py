# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests have in common: a lab for each class, and the judgement of a load."""

import unittest

import load
from lab import Lab


class ClusterTest(unittest.TestCase):
    """Builds one lab for all tests of a class and starts its node with `configure()`."""

    lab_options = {}
    start_node = True
    alone = False  # whether it measures times that another lab beside it would spoil
    status_at_start = (0,)  # what `bascule status` may end with

    @classmethod
    def configure(cls):
        return cls.lab.node.standard_config()

    @classmethod
    def make_lab(cls):
        return Lab(**cls.lab_options)

    @classmethod
    def prepare(cls):
        """What is done to the lab before its node starts."""

    @classmethod
    def setUpClass(cls):
        cls.lab = cls.make_lab()
        cls.addClassCleanup(cls.lab.close)
        cls.node, cls.client = cls.lab.node, cls.lab.client
        cls.prepare()
        if cls.start_node:
            cls.node.write_config(cls.configure())
            cls.node.start(cls.status_at_start)

    def counter(self, name):
        """A drop reason's or an event's count, by its name."""
        shown = self.node.ask("show", "drops")
        return next(int(each["count"]) for kind in ("drops", "events") for each in shown[kind]
                    if each["name"] == name)

    def http(self, **options):
        """A load that is running; it ends with the test at the latest."""
        return self._started(load.http(self.client, **options))

    def udp(self, **options):
        return self._started(load.udp(self.client, **options))

    def _started(self, running):
        self.addCleanup(running.process.wait)
        self.addCleanup(running.process.kill)
        return running

    def assert_none_failed(self, result, at_least=1):
        self.assertEqual(result["failed"], 0, f"{result['reasons']}: {result['examples']}")
        self.assertEqual(result["changed"], 0, "flows were answered by several backends")
        self.assertGreaterEqual(result["answered"], at_least)

    def assert_shares(self, flows, weights, tolerance=0.10):
        """Each backend's share of the flows is within `tolerance` of its share of the weights."""
        total, weight_sum = sum(flows.values()), sum(weights.values())
        self.assertLessEqual(set(flows), set(weights), "a backend served that should not")
        for name, weight in weights.items():
            wanted = total * weight / weight_sum
            self.assertLessEqual(
                abs(flows.get(name, 0) - wanted), tolerance * wanted,
                f"{name} had {flows.get(name, 0)} of {total} flows instead of {wanted:.0f}")

    def flows_of(self, requests=2000, **options):
        """Who serves new flows now: flows by backend of a short load without a failure."""
        result = self.http(requests=requests, per_connection=1, **options).wait()
        self.assert_none_failed(result, at_least=requests)
        return result["flows"]
