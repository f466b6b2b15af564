# SPDX-License-Identifier: Apache-2.0
"""What an operator may get wrong, and interfaces that change: words, and nothing is lost."""

from host import VIP4, VIP6, wait_until
from pair import NOISE
from steady import now, outage_after
from takeover import VIPS, TakeoverTest


class InputTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 3, "udp": True}
    file_options = {"udp": True}

    def setUp(self):
        super().setUp()
        for node in self.nodes:
            self.addCleanup(self.restore, node)
        self.kept = self.lasting(60)

    def config(self, node, **options):
        return self.lab.config(node, udp=True, **options)

    def tearDown(self):
        self.doCleanups()
        for node in self.running():
            node.reload(self.config(node))

    def assert_refused(self, config, *words):
        """`check` and `reload` say where and why not; the pair goes on as it was."""
        one = self.nodes[0]
        before = self.epochs()
        one.write_config(config)
        for said in (one.cli("check", one.config_path), one.cli("reload")):
            text = " ".join((said.stdout + said.stderr).split())
            self.assertNotEqual(said.returncode, 0, text)
            self.assertRegex(text, r"bascule\.toml:\d+:\d+: ")
            for word in words:
                self.assertIn(word, text)
        one.write_config(self.config(one))
        self.wait_held(one, seconds=NOISE)
        self.assertEqual(self.epochs(), before)
        self.assert_none_broke(self.kept)

    def test_a_vip_that_is_an_address_of_a_node(self):
        one, two = self.nodes
        for node in self.nodes:
            config = self.config(one)
            config.vips[0] = (node.v4[0], "eth0")
            config.services = [each for each in config.services if each.vip != VIP4]
            self.assert_refused(config, node.v4[0], "VIP")

    def test_a_witness_that_is_a_node(self):
        for node in self.nodes:
            self.assert_refused(self.config(self.nodes[0], cluster={"witness": [node.v4[0]]}),
                                node.v4[0], "witness")

    def test_a_vip_as_its_own_witness(self):
        self.assert_refused(self.config(self.nodes[0], cluster={"witness": [VIP4]}), VIP4,
                            "witness")

    def test_the_same_priority(self):
        one, two = self.nodes
        # Node2 first: it is never the higher one.
        for node in (two, one):
            config = self.config(node)
            for each in config.cluster_nodes:
                each["priority"] = 100
            node.write_config(config)
            said = node.must_cli("check", node.config_path)
            self.assertIn("the same priority", said.stdout + said.stderr)
            node.must_cli("reload")
        self.lab.wait_in_step()
        self.wait_held(one)
        self.assert_none_broke(self.kept)
        self.assert_settled(one, at_least=60)

    def test_a_vip_on_an_interface_that_does_not_exist(self):
        one = self.nodes[0]
        config = self.config(one)
        config.vips[0] = (VIP4, "eth7")
        one.write_config(config)
        said = one.cli("check", one.config_path)
        self.assertIn(f"{VIP4}: this host has no interface eth7", said.stdout + said.stderr)
        refused = one.cli("reload")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("eth7", refused.stdout + refused.stderr)
        self.wait_held(one, seconds=NOISE)
        self.assert_none_broke(self.kept)
        one.reload(self.config(one))
        self.assert_settled(one, at_least=60)

    def test_its_interface_is_renamed_while_it_is_up(self):
        """Linux lets that be done without taking it down: nothing but the name changes."""
        one, two = self.nodes
        renamed = one.run("ip", "link", "set", "eth0", "name", "gone0")
        if renamed.returncode != 0:
            self.skipTest("this kernel renames no interface that is up")
        self.addCleanup(one.run, "ip", "link", "set", "gone0", "name", "eth0")
        wait_until(lambda: all(self.has(two, vip) for vip in VIPS), 5, "node2 to take the VIPs")
        self.wait_neighbour(two)
        self.wait_says(one, "eth0")
        left = one.must("ip", "-o", "addr", "show", "dev", "gone0").stdout
        for vip in VIPS:
            self.assertNotIn(f" {vip}/", left)
            self.assertEqual(self.who_has(vip), [two.mac])
        self.assert_none_broke(self.kept)
        one.must("ip", "link", "set", "gone0", "name", "eth0")
        self.returns(one)
        self.assert_none_broke(self.kept)
        self.assert_settled(one, at_least=60)

    def test_an_interface_that_comes_back_without_its_ipv6_addresses(self):
        """Nothing can be sent to an IPv6 backend from there: the other node has that VIP."""
        one, two = self.nodes
        one.must("sh", "-ec", "ip link set eth0 down; sleep 1; ip link set eth0 up")
        self.assertNotIn(one.v6[0], one.addresses(), "Linux has kept it")
        self.wait_says(one, "no IPv6 backend can be reached: this host has no route to any of them, "
                            "and eth0 has no IPv6 address")
        self.assertIn("Linux takes IPv6 addresses away", one.cli("status").stdout)
        wait_until(lambda: self.holders() == [one.name], 30, f"node1 to take {VIP4} back")
        self.assertEqual(self.holders(VIP6), [two.name], self.told())
        self.assertIn("no route", one.cli("show", "vips", "--detail").stdout)
        self.assert_none_failed(self.http(requests=3, connections=1, v6=True).wait())
        one.must("ip", "addr", "replace", f"{one.v6[0]}/64", "dev", "eth0", "nodad")
        self.returns(one)
        self.assertNotIn("can be reached", self.says(one))
        self.assert_settled(one)

    def assert_taken(self, taker, flow, event, what):
        wait_until(lambda: all(self.has(taker, vip) for vip in VIPS), 5,
                   f"{taker.name} to take the VIPs")
        self.wait_neighbour(taker)
        flow.wait_flows()
        print(f"      interface {what}: new flows were not served for "
              f"{outage_after(flow.stop(), event):.0f} ms")

    def test_its_interface_is_deleted_while_it_is_held(self):
        """As a VLAN, or with its driver: what comes back is another interface of the same name."""
        one, two = self.nodes
        flow, event = self.stream(), now()
        one.must("ip", "link", "del", "eth0")
        self.addCleanup(self.plug_again, one)
        self.assert_taken(two, flow, event, "deleted")
        self.wait_says(one, "eth0")
        self.assert_none_broke(self.kept)
        self.plug_again(one)
        self.returns(one)
        self.assert_none_broke(self.kept)
        self.assert_settled(one, at_least=60)

    def plug_again(self, node):
        if node.run("ip", "link", "show", "dev", "eth0").returncode != 0:
            self.lab.plug_again(node)

    def test_its_interface_goes_while_it_is_held(self):
        """Renamed, the traffic is elsewhere for this node; back, all is as it was."""
        one, two = self.nodes
        flow, event = self.stream(), now()
        one.must("sh", "-ec", "ip link set eth0 down; ip link set eth0 name gone0; "
                              "ip link set gone0 up")
        self.addCleanup(one.run, "sh", "-c", "ip link set gone0 down; ip link set gone0 name eth0")
        self.assert_taken(two, flow, event, "renamed")
        self.wait_says(one, "eth0")
        left = one.must("ip", "-o", "addr", "show", "dev", "gone0").stdout
        for vip in VIPS:
            self.assertNotIn(f" {vip}/", left)
        self.assert_none_broke(self.kept)
        # It comes back with its addresses; Linux took those of IPv6 when it went down.
        one.must("sh", "-ec", "ip link set gone0 down; ip link set gone0 name eth0; "
                              "ip link set eth0 up")
        one.must("ip", "addr", "replace", f"{one.v6[0]}/64", "dev", "eth0", "nodad")
        self.returns(one)
        self.assert_none_broke(self.kept)
        self.assert_settled(one, at_least=60)
