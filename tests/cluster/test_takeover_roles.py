# SPDX-License-Identifier: Apache-2.0
"""Who is told that a VIP has moved, and a service that gives its VIP up where it is ill."""

from host import VIP4, VIP6, wait_until
from pair import PairLab
from takeover import VIPS, TakeoverTest

HOOK = """#!/bin/sh
echo "$BASCULE_SERIAL $BASCULE_NODE $BASCULE_EVENT $BASCULE_SUBJECT: $BASCULE_TEXT" >> {told}
"""
CHECK = {"type": "icmp", "interval": "200ms", "timeout": "200ms", "fall": 2, "rise": 2}


class RoleLab(PairLab):
    """The IPv4 VIP's service asks its backends, and gives the VIP up when none of them answers."""

    def config(self, node, *arguments, **options):
        config = super().config(node, *arguments, **options)
        hook = node.directory / "hook"
        hook.write_text(HOOK.format(told=node.directory / "told"))
        hook.chmod(0o755)
        config.hook = {"command": [str(hook)], "user": "root"}
        config.service("web").options = {
            "quorum": 1, "give_up_vip": True,
            **{f"health.{key}": value for key, value in CHECK.items()}}
        return config


class RoleTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 2}

    @classmethod
    def make_lab(cls):
        return RoleLab(**cls.lab_options)

    def setUp(self):
        super().setUp()
        for node in self.nodes:
            self.addCleanup(self.restore, node)
            self.addCleanup(self.unmute, node)
        self.before = {node.name: self.serial(node) for node in self.nodes}

    def mute(self, node):
        """To this node alone all backends look dead."""
        node.must("nft", "add table inet ill; add chain inet ill in { type filter hook input "
                         "priority 0; }; add rule inet ill in icmp type echo-reply drop")

    def unmute(self, node):
        node.run("nft", "delete table inet ill")

    def told(self, node=None):  # pylint: disable=arguments-renamed
        """What the hook of a node was told since the test began: (event, subject) in order."""
        if node is None or isinstance(node, list):
            return super().told(node)
        path = node.directory / "told"
        lines = [line.split(maxsplit=3) for line in
                 (path.read_text().splitlines() if path.exists() else [])]
        return [(kind, rest.split(": ")[0].removesuffix(":"))
                for serial, name, kind, rest in lines
                if int(serial) > self.before[node.name] and name == node.name]

    def wait_told(self, node, *wanted):
        """Waits until a node's hook was told these of VIPs, once each, and no others of them."""
        def vips():
            return sorted(each for each in self.told(node) if each[1] in VIPS)
        wait_until(lambda: vips() == sorted(wanted), 10,
                   f"the hook of {node.name} to be told {wanted}; it was told {self.told(node)}")

    def test_the_hook_is_told_on_both_nodes(self):
        one, two = self.nodes
        one.must_cli("failover")
        self.wait_held(two)
        self.wait_told(one, *(("vip_released", vip) for vip in VIPS))
        self.wait_told(two, *(("vip_taken", vip) for vip in VIPS))
        two.kill()
        self.wait_held(one, nodes=[one])
        self.wait_told(one, *((kind, vip) for vip in VIPS
                              for kind in ("vip_released", "vip_taken")))
        two.start(accept=(0, 4))
        self.assert_settled(one)

    def test_a_service_below_its_quorum_on_the_holder(self):
        one, two = self.nodes
        self.mute(one)
        wait_until(lambda: self.holders() == [two.name], 20, f"node2 alone to have {VIP4}")
        self.assertEqual(self.holders(VIP6), [one.name], "the other VIP stays")
        self.wait_told(two, ("vip_taken", VIP4))
        self.wait_says(one, VIP4)
        self.assertIn("given up", one.cli("show", "vips", "--detail").stdout)
        self.assert_none_failed(self.http(requests=3, connections=1).wait())
        self.unmute(one)
        self.returns(one)
        self.assert_settled(one)

    def test_below_its_quorum_on_both_nobody_has_it(self):
        one, two = self.nodes
        for node in self.nodes:
            self.mute(node)
        wait_until(lambda: not self.holders(), 20, f"nobody to have {VIP4}")
        self.assertEqual(self.holders(VIP6), [one.name])
        for node in self.nodes:
            self.wait_says(node, VIP4)
        self.assertEqual(self.who_has(), [])
        self.unmute(two)
        wait_until(lambda: self.holders() == [two.name], 20, f"node2 to have {VIP4}")
        self.unmute(one)
        self.returns(one)
        self.assert_settled(one)
