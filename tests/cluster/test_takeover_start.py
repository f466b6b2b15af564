# SPDX-License-Identifier: Apache-2.0
"""Nodes that start: both at once, one with an empty table; and what an end leaves behind."""

import time

from host import VIP4, VIP6, wait_until
from pair import NOISE, together
from takeover import LEASE, LONG, VIPS, TakeoverTest

BOOTS = 20 if LONG else 3


class StartTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 3, "udp": True}
    file_options = {"udp": True}

    def test_both_are_booted_at_once(self):
        one, two = self.nodes
        for boot in range(BOOTS):
            for node in self.nodes:
                node.kill()
                self.links(node, "down")
            order = self.nodes if boot % 2 else self.nodes[::-1]
            together(self.power_on, order)
            for _ in range(3):
                self.assertLessEqual(len(self.who_has(seconds=0.1)), 1, self.told())
            self.assert_settled(one)

    def test_a_link_that_comes_up_after_the_daemon(self):
        """It listens from when it can hear, not from its start: the peer is not heard at once."""
        one, two = self.nodes
        kept = self.lasting(60)
        self.addCleanup(self.restore, one)
        one.kill()
        self.wait_held(two, nodes=[two])
        one.clean_up()
        self.links(one, "down")
        one.start(accept=(0, 4))
        time.sleep(3)
        before = self.serial(one)
        # As a switch does it: its port is up, and forwards only later.
        self.addCleanup(one.run, "nft", "delete", "table", "inet", "late")
        one.must("nft", "add table inet late; "
                 "add chain inet late in { type filter hook input priority 0; }; "
                 "add rule inet late in udp dport 7400 drop")
        self.hold_frames()
        self.links(one, "up")
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            self.assertFalse(self.has(one), self.told())
            time.sleep(0.02)
        one.must("nft", "delete", "table", "inet", "late")
        self.let_frames()
        self.returns(one)
        # It has taken them once, from a holder that it heard.
        taken = [each for each in one.events(before) if each["kind"] == "vip_taken"]
        self.assertEqual(sorted(each["subject"] for each in taken), sorted(VIPS), self.told())
        self.assert_none_broke(kept)
        self.assert_settled(one, at_least=60)

    def test_failback_waits_for_the_resync(self):
        one, two = self.nodes
        kept = self.lasting(300)
        self.hole(one)
        one.kill()
        self.wait_held(two, nodes=[two])
        relay = self.relay()
        relay.set({"delay": 0.1})
        self.power_on(one)
        self.lab.wait_state(one, two, "alive")
        self.assertFalse(self.has(one), self.told())
        # What node1 has when it takes: all of it.
        wait_until(lambda: self.has(one), 30, "node1 to take the VIPs back")
        table = self.lab.tables([one])[0]
        self.assertGreaterEqual(len(table), 300)
        kinds = self.kinds(one, 0)
        self.assertLess(kinds.index("peer_synced"), kinds.index("vip_taken"), self.told())
        relay.clear()
        self.returns(one)
        self.assert_none_broke(kept)
        self.assert_settled(one, at_least=300)

    def test_an_end_takes_no_address_along_but_the_vips(self):
        """Whatever `promote_secondaries` is, and whichever address was there first."""
        one, two = self.nodes
        for promote in (0, 1) if LONG else (0,):
            for vips_first in (False, True) if LONG else (True,):
                with self.subTest(promote=promote, vips_first=vips_first):
                    one.must("sysctl", "-qw", f"net.ipv4.conf.all.promote_secondaries={promote}",
                             f"net.ipv4.conf.eth0.promote_secondaries={promote}")
                    if vips_first:
                        one.must("ip", "addr", "del", f"{one.v4[0]}/24", "dev", "eth0")
                        one.must("ip", "addr", "add", f"{one.v4[0]}/24", "dev", "eth0")
                        self.lab.wait_in_step()
                        self.wait_held(one)
                    before, routes = one.addresses(), self.routes(one)
                    one.kill()
                    wait_until(lambda: not any(self.has(one, vip) for vip in VIPS),
                               LEASE + 1 + NOISE, "the lease to end")
                    self.assertEqual(one.addresses(), before - {VIP4, VIP6})
                    self.assertEqual(self.routes(one), routes)
                    one.start(accept=(0, 4))
                    self.returns(one)
        self.assert_settled(one)

    def routes(self, node):
        return sorted(line for family in ("-4", "-6")
                      for line in node.must("ip", family, "route").stdout.splitlines())
