# SPDX-License-Identifier: Apache-2.0
"""Two labs at once, each with a node that holds the same VIP: neither sees the other."""

import unittest

import load
from lab import Lab


class SideBySideTest(unittest.TestCase):
    def test_two_nodes_with_the_same_addresses_serve_side_by_side(self):
        with Lab(backends=3) as one, Lab(backends=2) as two:
            for lab in (one, two):
                lab.node.write_config(lab.node.standard_config())
                lab.node.start()
            loads = [load.http(lab.client, connections=16, rate=400) for lab in (one, two)]
            for running in loads:
                running.wait_answers(200)
            two.node.must_cli("drain", "web/web1")
            two.node.kill()
            one.node.reload()
            for running in loads:
                running.wait_answers(200)
            results = [running.stop() for running in loads]
            for result in results:
                self.assertEqual((result["failed"], result["changed"]), (0, 0), result["examples"])
            self.assertEqual(set(results[0]["flows"]), {"web1", "web2", "web3"})
            two.close()
            self.assertEqual(load.http(one.client, requests=500).wait()["failed"], 0)
            self.assertEqual(one.node.cli("status").returncode, 0)
