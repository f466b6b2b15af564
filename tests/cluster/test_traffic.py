# SPDX-License-Identifier: Apache-2.0
"""Real traffic through one node over eight real servers: nothing fails, shares fit the weights, and
the servers answer the clients directly."""

import subprocess

from capture import Capture
from cluster_test import ClusterTest
from host import HTTP_PORT, PYTHON, UDP_PORT, VIP4, VIP6

NAMES = [f"web{number}" for number in range(1, 9)]
EQUAL = dict.fromkeys(NAMES, 100)

CONNECT = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
plug = socket.socket(family)
plug.settimeout(5)
try:
    plug.connect((sys.argv[1], int(sys.argv[2])))
    print(plug.recv(100).decode())
except OSError as error:
    print(type(error).__name__)
"""


class TrafficTest(ClusterTest):
    lab_options = {"backends": 8, "udp": True}

    @classmethod
    def configure(cls):
        return cls.lab.node.standard_config(udp=True)

    def test_20000_requests_on_fresh_connections_none_fails_and_shares_are_equal(self):
        before = self.new_sessions("web")
        result = self.http(requests=20_000, connections=64, per_connection=1).wait()
        self.assert_none_failed(result, at_least=20_000)
        self.assertEqual(sum(result["flows"].values()), 20_000)
        self.assert_shares(result["flows"], EQUAL)
        # What the node counts is what the clients did.
        self.assertAlmostEqual(self.new_sessions("web") - before, 20_000, delta=100)

    def new_sessions(self, service):
        shown = self.node.ask("show", "services")["services"]
        return int(next(entry for entry in shown if entry["name"] == service)
                   ["traffic"]["new_sessions"])

    def test_20000_requests_with_keep_alive_none_fails(self):
        result = self.http(requests=20_000, connections=200, per_connection=50).wait()
        self.assert_none_failed(result, at_least=20_000)
        self.assertGreaterEqual(sum(result["flows"].values()), 400)
        self.assertEqual(set(result["flows"]), set(NAMES))

    def test_replies_never_pass_the_node(self):
        with Capture(self.lab, "node1") as capture:
            fresh = self.http(requests=2000, per_connection=1).wait()
            kept = self.http(requests=4000, per_connection=100, v6=True).wait()
        self.assert_none_failed(fresh, at_least=2000)
        self.assert_none_failed(kept, at_least=4000)
        for vip, requests in ((VIP4, 2000), (VIP6, 4000)):
            self.assertEqual(capture.count(f"src host {vip} and tcp src port {HTTP_PORT}"), 0)
            self.assertGreaterEqual(
                capture.count(f"dst host {vip} and tcp dst port {HTTP_PORT}"), requests)

    def test_servers_see_the_address_and_port_of_the_client(self):
        # The load client binds each connection to an address and port of its own and fails on any
        # other in the answer; with each of its addresses alone, each is proven to be seen.
        for v6, addresses in ((False, self.client.v4), (True, self.client.v6)):
            self.assertGreaterEqual(len(addresses), 4)
            for address in addresses[:4]:
                result = self.http(requests=200, v6=v6, sources=address).wait()
                self.assert_none_failed(result, at_least=200)

    def test_ipv6_none_fails_and_shares_are_equal(self):
        fresh = self.http(requests=20_000, v6=True, per_connection=1).wait()
        self.assert_none_failed(fresh, at_least=20_000)
        self.assert_shares(fresh["flows"], EQUAL)
        kept = self.http(requests=10_000, v6=True, per_connection=100).wait()
        self.assert_none_failed(kept, at_least=10_000)

    def test_udp_flows_keep_their_backend_and_shares_are_equal(self):
        for v6 in (False, True):
            result = self.udp(flows=20_000, packets=2, v6=v6).wait()
            self.assert_none_failed(result, at_least=40_000)
            self.assert_shares(result["flows"], EQUAL)

    def test_udp_answers_never_pass_the_node(self):
        with Capture(self.lab, "node1", "udp") as capture:
            for v6 in (False, True):
                self.assert_none_failed(self.udp(flows=500, v6=v6).wait(), at_least=1500)
        for vip in (VIP4, VIP6):
            self.assertEqual(capture.count(f"src host {vip} and udp src port {UDP_PORT}"), 0)
            self.assertGreaterEqual(
                capture.count(f"dst host {vip} and udp dst port {UDP_PORT}"), 1500)

    def test_a_port_of_the_vip_without_a_service_is_refused_by_the_node(self):
        for vip in (VIP4, VIP6):
            self.assertEqual(self.said_by(vip, 81), "ConnectionRefusedError")

    def said_by(self, address, port):
        return self.client.must(PYTHON, "-c", CONNECT, address, port).stdout.strip()

    def test_what_is_for_the_node_itself_is_left_to_linux(self):
        for address in (self.node.v4[0], self.node.v6[0]):
            family = "AF_INET6" if ":" in address else "AF_INET"
            server = self.node.spawn([PYTHON, "-c", f"""
import socket
server = socket.socket(socket.{family})
server.bind(({address!r}, 8022))
server.listen()
print("ready", flush=True)
server.accept()[0].sendall(b"the node itself")
"""], stdout=subprocess.PIPE)
            with server.stdout:
                self.assertEqual(server.stdout.readline(), b"ready\n")
            self.assertEqual(self.said_by(address, 8022), "the node itself")
            server.wait(timeout=10)


class WeightTest(ClusterTest):
    lab_options = {"backends": 8, "udp": True}
    weights = dict(zip(NAMES, (50, 50, 100, 100, 100, 100, 150, 150)))

    @classmethod
    def configure(cls):
        return cls.lab.node.standard_config(weights=cls.weights, udp=True)

    def test_shares_of_40000_flows_fit_unequal_weights(self):
        self.assert_shares(self.flows_of(40_000, connections=64), self.weights)

    def test_shares_of_ipv6_flows_fit_unequal_weights(self):
        self.assert_shares(self.flows_of(40_000, connections=64, v6=True), self.weights)

    def test_shares_of_udp_flows_fit_unequal_weights(self):
        result = self.udp(flows=40_000, packets=1).wait()
        self.assert_none_failed(result, at_least=40_000)
        self.assert_shares(result["flows"], self.weights)
