# SPDX-License-Identifier: Apache-2.0
"""Three nodes, each of which has clients: their tables agree, with one of them away as well."""

import signal

import load
from host import wait_until
from pair import INTERVAL_MS, NOISE, PairTest, sessions

CONNECTIONS = 250


class ThreeNodesTest(PairTest):
    lab_options = {"nodes": 3, "backends": 4, "clients": 3}

    def test_three_nodes_know_the_same(self):
        running = []
        for node, client in zip(self.nodes, self.lab.clients):
            self.lab.lead(node, client)
            running.append(self._started(load.http(client, connections=CONNECTIONS, rate=200,
                                                   per_connection=0)))
            running.append(self._started(load.http(client, per_connection=1, connections=16,
                                                   rate=150)))
        load.wait_answers(running, CONNECTIONS)
        for each in running:
            each.process.send_signal(signal.SIGSTOP)
        took = self.lab.wait_tables_agree(3 * CONNECTIONS, 0.1 + NOISE)
        print(f"      three tables agreed within {took * 1000:.0f} ms after the load had stopped")
        for node in self.nodes:
            brought = sum(1 for session in sessions(node, "--state", "established")
                          if session["origin"] == "peer")
            self.assertGreaterEqual(brought, 2 * CONNECTIONS)
        for each in running:
            each.process.send_signal(signal.SIGCONT)

        # Everybody to the next node: nobody breaks.
        for node, client in zip(self.nodes[1:] + self.nodes[:1], self.lab.clients):
            self.lab.lead(node, client)
        load.wait_answers(running[::2], 2 * CONNECTIONS)
        self._one_is_away_and_comes_back(running)
        for each in running:
            self.assert_kept(each)

    def _one_is_away_and_comes_back(self, running):
        one, two, three = self.nodes
        self.lab.lead(one, self.lab.clients[1])  # node3's clients
        three.stop()
        for node in (one, two):
            self.lab.wait_state(node, three, "dead", 3)
        self.assertTrue(self.lab.in_step([one, two]))
        load.wait_answers(running[::2], CONNECTIONS)
        # What is said while it is away reaches it, and what it knew does not come back.
        two.must_cli("drain", "web/web3")
        three.start(accept=(0, 4))
        self.lab.wait_in_step()
        self.lab.wait_tables_agree(3 * CONNECTIONS, 3)
        wait_until(lambda: three.backends()["web/web3"]["state"] == "drained", 3,
                   "node3 to hear what was said while it was away")
        three.must_cli("enable", "web/web3")
        wait_until(lambda: all(node.backends()["web/web3"]["state"] != "drained"
                               for node in self.nodes), INTERVAL_MS / 1000 + NOISE,
                   "all to hear what node3 says")
        self.lab.lead(three, self.lab.clients[1])
        load.wait_answers(running[::2], CONNECTIONS)
