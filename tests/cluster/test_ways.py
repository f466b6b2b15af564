# SPDX-License-Identifier: Apache-2.0
"""The way to a server changes under traffic, or there is none: gateways, routes, interfaces and
MTUs."""

import load
from cluster_test import ClusterTest
from host import VIP4, VIP6, wait_until
from node import BackendEntry, add_services
from wide import BACK, SIDE, WideLab

L2, IPIP, GUE, IPIP_REWRITTEN = 7101, 7102, 7103, 7104
PORTS = (L2, IPIP, GUE, IPIP_REWRITTEN)


class WayTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab({"front": "front", "back1": "back", "back2": "back"})

    @classmethod
    def prepare(cls):
        for host in cls.lab.backends:
            cls.lab.start_companion(host, ["l2", "ipip", "gue"],
                                    {IPIP_REWRITTEN: [IPIP_REWRITTEN + 100]})
            servers = {f"{host.name}:{port}": port
                       for port in (L2, IPIP, GUE, IPIP_REWRITTEN + 100)}
            host.start_nginx(servers)
            host.start_udp(servers)
        for host in cls.lab.backends:
            host.wait_listening()

    @classmethod
    def configure(cls):
        config, hosts = cls.lab.config(), cls.lab.hosts
        add_services(config, "l2", L2, {"front": (hosts["front"], L2)}, forward="l2")
        for name, port, server in (("ipip", IPIP, IPIP), ("gue", GUE, GUE),
                                   ("ported", IPIP_REWRITTEN, IPIP_REWRITTEN + 100)):
            back = {each: (hosts[each], server) for each in ("back1", "back2")}
            add_services(config, name, port, back, forward="gue" if port == GUE else "ipip")
        return config

    def start_loads(self):
        self.loads = []
        for vip in (VIP4, VIP6):
            for port in PORTS:
                place = {"target": f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}",
                         "v6": ":" in vip}
                self.loads.append(self.http(connections=12, per_connection=10, rate=80, **place))
        self.let_flow()

    def let_flow(self):
        load.wait_answers(self.loads, 40)

    def assert_nobody_felt_it(self):
        for running in self.loads:
            self.assert_none_failed(running.stop(), at_least=80)

    def row(self, name):
        return self.node.backends()[name]

    def wait_row(self, key, value, *names):
        for name in names or ("ipip-tcp4/back1", "gue-tcp6/back2"):
            wait_until(lambda each=name: self.row(each)[key] == value, 30, f"{value} of {name}")

    # ---- the node ----

    def test_a_daemon_that_is_killed_and_started_again_fails_no_tunnelled_request(self):
        self.start_loads()
        self.node.kill()
        self.let_flow()
        self.node.start()
        self.assertTrue(self.node.status()["adopted"])
        self.let_flow()
        self.assert_nobody_felt_it()

    # ---- the way ----

    def test_a_gateway_with_a_new_network_card_is_followed(self):
        self.start_loads()
        router = self.lab.router
        router.must("sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1",
                    "net.ipv6.conf.eth0.ndisc_notify=1")
        for mac in ("02:ba:5c:00:04:ee", router.mac):
            router.must("ip", "link", "set", "dev", "eth0", "address", mac)
            self.wait_row("mac", mac)
            self.let_flow()
        # TCP sends again what was lost in between.
        self.assert_nobody_felt_it()

    def test_a_route_that_moves_to_another_interface_is_followed(self):
        self.start_loads()
        self.addCleanup(self.set_route, "10.9.0.1", "fd00:9::1")
        self.set_route(SIDE.v4(1), SIDE.v6(1))
        self.wait_row("interface", "eth1")
        self.let_flow()
        self.set_route("10.9.0.1", "fd00:9::1")
        self.wait_row("interface", "eth0")
        self.let_flow()
        self.assert_nobody_felt_it()

    def set_route(self, v4, v6):
        self.node.must("ip", "route", "replace", f"{BACK.v4(0)}/24", "via", v4)
        self.node.must("ip", "-6", "route", "replace", f"{BACK.v6_prefix}/64", "via", v6)

    # ---- no way ----

    def test_why_there_is_no_way_is_told(self):
        config = self.configure()
        back, node = self.lab.backend("back1"), self.node
        for family, addresses in ((4, (back.v4[0], node.v4[0], "10.9.7.7")),
                                  (6, (back.v6[0], node.v6[0], "fd00:9:7::7"))):
            for name, address in zip(("gateway", "loop", "nowhere"), addresses):
                config.service(f"l2-tcp{family}").backends.append(
                    BackendEntry(name, address, L2))
        self.node.reload(config)
        self.addCleanup(self.node.reload, self.configure())
        for family, gateway in ((4, "10.9.0.1"), (6, "fd00:9::1")):
            for name, reason in (("gateway", f"behind gateway {gateway}: l2 needs"),
                                 ("loop", "this host itself"), ("nowhere", "route")):
                shown = self.row(f"l2-tcp{family}/{name}")
                self.assertEqual(shown["state"], "unresolved", shown)
                self.assertIn(reason, shown["reason"])
                self.assertEqual(shown["ring_slots"], 0)
        status = self.node.cli("status")
        self.assertEqual(status.returncode, 4, status.stdout)

    def test_a_way_too_narrow_for_a_tunnel_is_told(self):
        route = ("ip", "-6", "route", "replace", f"{BACK.v6_prefix}/64", "via", "fd00:9::1")
        self.addCleanup(self.node.must, *route)
        self.node.must(*route, "mtu", "1300")
        self.wait_row("state", "unresolved", "ipip-tcp6/back1", "gue-tcp6/back1")
        self.assertRegex(self.row("gue-tcp6/back1")["reason"], "MTU 1300.*too small.*needs 1328")
        self.assertEqual(self.row("ipip-tcp4/back1")["state"], "up")
        self.node.must(*route)
        self.wait_row("state", "up", "ipip-tcp6/back1", "gue-tcp6/back1")
