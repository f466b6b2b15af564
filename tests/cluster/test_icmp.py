# SPDX-License-Identifier: Apache-2.0
"""ICMP errors about what a server sent reach that server and no other, as if it had sent from its
own port: in every mode, for IPv4 and IPv6, TCP and UDP. Linux makes them: a client whose port is
closed, a router where an answer's time runs out."""

import json

from capture import Capture
from cluster_test import ClusterTest
from host import PYTHON, VIP4, VIP6, wait_until
from node import add_services
from wide import WideLab
from wire import checksums, fields

SERVERS = {"front1": "front", "front2": "front", "back1": "back", "back2": "back"}
MODES = {"front": ["l2"], "back": ["ipip", "gue"]}
# Service's port → (mode, server's port).
WAYS = {5001: ("l2", 5001), 5002: ("l2", 5102), 5003: ("ipip", 5003), 5004: ("ipip", 5104),
        5005: ("gue", 5005), 5006: ("gue", 5106)}
FLOWS = 12

# Begins flows of each kind to each VIP and port, tells their ports, and waits for nothing. UDP's
# sockets hear another peer only: to Linux the port that an answer comes to is closed.
BEGIN = """
import json, socket, sys, time
protocols, vips, ports, flows = json.loads(sys.argv[1])
begun, kept = [], []
for protocol in protocols:
    for vip in vips:
        family = socket.AF_INET6 if ":" in vip else socket.AF_INET
        for port in ports:
            for _ in range(flows):
                plug = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp"
                                     else socket.SOCK_DGRAM)
                plug.setblocking(False)
                time.sleep(0.002)  # Linux sends at most a thousand errors a second
                plug.connect_ex((vip, port if protocol == "tcp" else 1))
                if protocol == "udp":
                    plug.sendto(b"a question", (vip, port))
                begun.append([protocol, vip, port, plug.getsockname()[1]])
                kept.append(plug)
time.sleep(1)  # they are there until all answers came
print(json.dumps(begun))
"""


class IcmpTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab(SERVERS, far=True)

    @classmethod
    def prepare(cls):
        rewritten = {port: [server] for port, (_, server) in WAYS.items() if port != server}
        for host in cls.lab.backends:
            cls.lab.start_companion(host, MODES[SERVERS[host.name]], rewritten)
            servers = {f"{host.name}:{server}": server for _, server in WAYS.values()}
            host.start_nginx(servers)
            host.start_udp(servers)
        for host in cls.lab.backends:
            host.wait_listening()
        # Each error is wanted here, none is to be saved.
        cls.lab.far.must("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")

    @classmethod
    def configure(cls):
        config = cls.lab.config()
        for port, (mode, server) in WAYS.items():
            hosts = [host for host in cls.lab.backends if mode in MODES[SERVERS[host.name]]]
            add_services(config, f"{mode}-{port}", port,
                         {host.name: (host, server) for host in hosts}, forward=mode)
        return config

    def begin(self, *protocols):
        """Flows as (protocol, VIP, service's port, client's port), and a capture at each server."""
        followed = self.counter("icmp_followed")
        captures = {name: Capture(self.lab, name, bytes_kept=65535) for name in SERVERS}
        for capture in captures.values():
            self.addCleanup(capture.stop)
        asked = json.dumps([protocols, [VIP4, VIP6], list(WAYS), FLOWS])
        begun = [tuple(flow) for flow in
                 json.loads(self.lab.far.must(PYTHON, "-c", BEGIN, asked).stdout)]
        wait_until(lambda: self.counter("icmp_followed") >= followed + len(begun) * 9 // 10, 20,
                   "ICMP errors")
        for capture in captures.values():
            capture.stop()
        return begun, captures

    def assert_followed(self, begun, captures, kind_v4, kind_v6):
        """Every error that came to a server is about a flow that came to it, too."""
        told = set()
        for name, capture in captures.items():
            self.assertEqual(checksums(capture.path).bad, [])
            asked, errors = self.seen(capture.path, kind_v4, kind_v6)
            self.assertLessEqual(errors, asked, name)
            told |= errors
        # Each of the kinds was told of.
        wanted = {(protocol, vip, WAYS[port][1]) for protocol, vip, port, _ in begun}
        self.assertEqual({flow[:3] for flow in told}, wanted)
        self.assertGreaterEqual(len(told), len(begun) * 9 // 10)

    @staticmethod
    def seen(path, kind_v4, kind_v6):
        """Flows as (protocol, VIP, server's port, client's port): asked by clients, and told of."""
        asked, errors = set(), set()
        names = ["frame.protocols", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport",
                 "tcp.dstport", "udp.srcport", "udp.dstport", "icmp.type", "icmpv6.type"]
        for frame in fields(path, names):
            protocols = frame["frame.protocols"][0].split(":")
            protocol = next((each for each in reversed(protocols) if each in ("tcp", "udp")), None)
            if protocol is None:
                continue
            source, target = (int(frame[f"{protocol}.{end}port"][-1]) for end in ("src", "dst"))
            six = protocols[max(index for index, each in enumerate(protocols)
                                if each in ("ip", "ipv6"))] == "ipv6"
            addresses = frame["ipv6.src" if six else "ip.src"], frame["ipv6.dst" if six else
                                                                     "ip.dst"]
            if frame["icmp.type"][:1] == [kind_v4] or frame["icmpv6.type"][:1] == [kind_v6]:
                errors.add((protocol, addresses[0][-1], source, target))
            elif addresses[1][-1] in (VIP4, VIP6):
                asked.add((protocol, addresses[1][-1], target, source))
        return asked, errors

    def test_a_clients_closed_port_is_told_to_the_server_that_answered(self):
        begun, captures = self.begin("udp")
        self.assert_followed(begun, captures, "3", "1")

    def test_a_packet_whose_time_ran_out_is_told_to_the_server_that_sent_it(self):
        def live(hops):
            for server in self.lab.backends:
                server.must("sysctl", "-qw", f"net.ipv4.ip_default_ttl={hops}",
                            f"net.ipv6.conf.all.hop_limit={hops}",
                            f"net.ipv6.conf.eth0.hop_limit={hops}")

        live(1)  # the router is the end of it
        self.addCleanup(live, 64)
        begun, captures = self.begin("udp", "tcp")
        self.assert_followed(begun, captures, "11", "3")
