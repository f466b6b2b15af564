# SPDX-License-Identifier: Apache-2.0
"""Datagrams of 4000 bytes arrive whole: their fragments follow the first one to one server."""

from cluster_test import ClusterTest
from host import VIP4, VIP6
from node import add_services
from wide import WideLab

SIZE, FLOWS = 4000, 60
# Mode → port of its service; further modes by a rewritten port.
PORTS = {"l2": 6001, "ipip": 6002, "gue": 6003}
REWRITTEN = {"l2": (6011, 6111), "ipip": (6012, 6112), "gue": (6013, 6113)}
SERVERS = {"front1": "front", "front2": "front", "back1": "back", "back2": "back"}
# What a client that knows the tunnel's MTU may send.
TUNNEL_MTU = 1440


class FragmentTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab(SERVERS)

    @classmethod
    def prepare(cls):
        for host in cls.lab.backends:
            cls.lab.start_companion(host, ["l2"] if SERVERS[host.name] == "front"
                                    else ["ipip", "gue"],
                                    {port: [server] for port, server in REWRITTEN.values()})
            ports = [*PORTS.values(), *(server for _, server in REWRITTEN.values())]
            host.start_udp({f"{host.name}:{port}": port for port in ports})
            host.wait_listening()

    @classmethod
    def configure(cls):
        config = cls.lab.config()
        for forward, port in PORTS.items():
            place = "front" if forward == "l2" else "back"
            hosts = [host for host in cls.lab.backends if SERVERS[host.name] == place]
            for service, server in ((port, port), REWRITTEN[forward]):
                add_services(config, f"{forward}-{service}", service,
                             {host.name: (host, server) for host in hosts},
                             protocols=("udp",), forward=forward)
        return config

    def setUp(self):
        self.forget_paths()

    def forget_paths(self):
        self.client.must("sh", "-ec", "ip route flush cache; ip -6 route flush cache")

    def echo(self, port, vip, **options):
        target = f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}"
        return self.udp(target=target, v6=vip == VIP6, flows=FLOWS, packets=3, window=8, size=SIZE,
                        **options).wait()

    def assert_followed(self, forward, vip):
        for port in (PORTS[forward], REWRITTEN[forward][0]):
            followed = self.counter("fragment_followed")
            result = self.echo(port, vip)
            self.assert_none_failed(result, at_least=3 * FLOWS)
            self.assertEqual(len(result["flows"]), 2, result["flows"])
            # At least two later fragments of each datagram.
            self.assertGreaterEqual(self.counter("fragment_followed"), followed + 2 * 3 * FLOWS)

    def test_fragments_follow_the_first_one_by_l2(self):
        for vip in (VIP4, VIP6):
            self.assert_followed("l2", vip)

    def test_fragments_that_fit_the_tunnel_follow_the_first_one_into_it(self):
        for vip, family, bits in ((VIP4, "-4", 32), (VIP6, "-6", 128)):
            route = (f"{vip}/{bits}", "dev", "eth0", "mtu", TUNNEL_MTU)
            self.client.must("ip", family, "route", "add", *route)
            try:
                for forward in ("ipip", "gue"):
                    self.assert_followed(forward, vip)
            finally:
                self.client.must("ip", family, "route", "del", *route)

    def test_ipv6_fragments_that_do_not_fit_are_told_and_made_smaller(self):
        for forward in ("ipip", "gue"):
            self.forget_paths()
            told = self.counter("too_big")
            # The first datagrams are lost: what was to be told is told by then.
            self.echo(PORTS[forward], VIP6, timeout=0.5)
            self.assertGreater(self.counter("too_big"), told)
            self.assert_followed(forward, VIP6)

    def test_ipv4_fragments_that_do_not_fit_are_counted(self):
        # They carry no "don't fragment", without which nobody may be told (RFC 1191).
        lost = self.counter("too_big_no_df")
        result = self.udp(target=f"{VIP4}:{PORTS['ipip']}", flows=5, packets=1, window=5, size=SIZE,
                          timeout=1).wait()
        self.assertEqual((result["failed"], result["answered"]), (5, 0))
        self.assertGreaterEqual(self.counter("too_big_no_df"), lost + 5)
