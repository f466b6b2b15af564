# SPDX-License-Identifier: Apache-2.0
"""The power of the VIPs' holder is pulled: no established connection breaks, new flows go on.

Backends were added and removed before, so that the ring alone would send some elsewhere.
"""

import statistics
import unittest

from pair import DEAD_AFTER, INTERVAL_MS, NOISE
from steady import now, outage_after
from takeover import KEPT, LONG, MOST_OUTAGE, PROMISED, TakeoverTest

FIRST = ["web1", "web2", "web3", "web4", "web5"]
SECOND = ["web1", "web2", "web3", "web4", "web6"]
V6_SHARE = 4  # one of so many connections is of IPv6
RUNS = 20 if LONG else 1
TIMINGS = [(10, 3), (20, 5), (100, 3)]  # ms, intervals


class PowerTest(TakeoverTest):
    """Connections that the ring alone would misroute, and ways to lose a node."""

    lab_options = {"nodes": 2, "backends": 6, "udp": True}
    file_options = {"backends": FIRST, "weights": {"web5": 0}, "udp": True}

    def setUp(self):
        super().setUp()
        self.addCleanup(self.restore, self.node)
        for node in self.nodes:
            node.reload(self.lab.config(node, **self.file_options))
        self.lab.wait_in_step()
        v6 = KEPT // V6_SHARE
        self.kept = [self.lasting(KEPT - v6), self.lasting(v6, v6=True)]
        self.changed()

    def changed(self, **timing):
        """web5, which nobody uses, makes room for web6; web1 is left with what it has."""
        for node in self.nodes:
            node.reload(self.lab.config(node, backends=SECOND, weights={"web1": 0}, udp=True,
                                        cluster=timing))
        self.lab.wait_in_step()
        self.wait_held(self.node)
        self.lab.wait_tables_agree(KEPT, 2 + NOISE)
        misrouted = sum(1 for backend in self.lab.tables([self.nodes[1]])[0].values()
                        if backend == "web1")
        self.assertGreater(misrouted, KEPT // 20, "the ring alone would do it as well")

    # ---- ways to die ----

    def cable_then_power(self, node):
        self.links(node, "down")
        node.kill()

    def power_then_cable(self, node):
        node.kill()
        self.links(node, "down")

    def no_carrier_lost(self, node):
        self.hole(node)

    def one_death(self, die):
        """Node1 dies in this way, and returns. Milliseconds of the outage of new flows."""
        one, two = self.nodes
        stream = self.stream()
        # At 10 ms × 3 a machine that is busy has moved it meanwhile, once in a while.
        self.wait_neighbour(one, seconds=10 + NOISE)
        died = now()
        die(one)
        self.wait_held(two, nodes=[two])
        stream.wait_flows()
        self.wait_neighbour(two)
        self.assertEqual(self.who_has(), [two.mac])
        for kept in self.kept:
            self.assert_none_broke(kept)
        result = stream.stop()
        outage = outage_after(result, died)
        # It stays as it is, and who comes back takes nothing before it is in step.
        if one.daemon is not None:
            one.kill()
        self.power_on(one)
        self.assert_settled(one, at_least=KEPT, seconds=30)
        for kept in self.kept:
            self.assert_none_broke(kept)
        return outage


class DeathTest(PowerTest):
    def assert_outage(self, what, die):
        outages = [self.one_death(die) for _ in range(RUNS)]
        print(f"      {what}: {KEPT} connections, none broke; new flows were not served for "
              + told(outages))
        most = INTERVAL_MS * DEAD_AFTER + PROMISED if LONG else MOST_OUTAGE * 1000
        self.assertLess(statistics.median(outages), most)
        self.assertGreater(min(outages), 0, "nobody noticed that node1 had died")

    def test_cable_then_power(self):
        self.assert_outage("cable, then power", self.cable_then_power)

    def test_power_then_cable(self):
        self.assert_outage("power, then cable", self.power_then_cable)

    def test_silent_black_hole(self):
        self.assert_outage("black hole", self.no_carrier_lost)


@unittest.skipUnless(LONG, "20 runs of each take minutes: BASCULE_LONG=1")
class TimesTest(PowerTest):
    """How long new flows are not served, for several times of detection."""

    def test_times_of_detection(self):
        ways = [self.cable_then_power, self.power_then_cable, self.no_carrier_lost]
        for interval, dead_after in TIMINGS:
            self.changed(heartbeat_interval=f"{interval}ms", dead_after=dead_after)
            outages = [self.one_death(ways[run % len(ways)]) for run in range(RUNS)]
            print(f"      {interval} ms × {dead_after}: {told(outages)}")
            self.assertLess(statistics.median(outages), interval * dead_after + PROMISED)


def told(outages):
    if len(outages) == 1:
        return f"{outages[0]:.0f} ms"
    return f"{min(outages):.0f} / {statistics.median(outages):.0f} / {max(outages):.0f} ms " \
           f"(min / median / max of {len(outages)})"

