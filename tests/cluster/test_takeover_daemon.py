# SPDX-License-Identifier: Apache-2.0
"""The daemon of the VIPs' holder dies, sleeps or starts anew while its host lives on.

XDP on that host goes on balancing what still arrives; what it must not do is to be found.
"""

import signal
import time

from host import wait_until
from pair import NOISE
from steady import now, outage_after
from takeover import LEASE, MOST_OUTAGE, VIPS, TakeoverTest


class DaemonTest(TakeoverTest):
    lab_options = {"nodes": 2, "backends": 3, "udp": True}
    file_options = {"udp": True}

    def setUp(self):
        super().setUp()
        for node in self.nodes:
            self.addCleanup(self.restore, node)
        self.kept = self.lasting(90)
        self.flow = self.stream()

    def assert_served(self, event, what, most=MOST_OUTAGE):
        """What an event has cost: of new flows little, of those that stood nothing."""
        self.flow.wait_flows()
        self.assert_none_broke(self.kept)
        outage = outage_after(self.flow.stop(), event)
        print(f"      {what}: new flows were not served for {outage:.0f} ms")
        self.assertLessEqual(outage, most * 1000, self.told())

    def wait_taken(self, node):
        """Waits until a node says that it has the VIPs."""
        wait_until(lambda: all(each["holder"] == node.name and each["held"]
                               for each in self.vips(node).values()), 10,
                   f"{node.name} to take the VIPs")

    def test_killed(self):
        one, two = self.nodes
        event = now()
        one.kill()
        self.wait_taken(two)
        # The host of the dead daemon still has the addresses, and does not answer for them.
        for vip in VIPS:
            self.assertEqual(self.who_has(vip, times=2), [two.mac])
        self.wait_neighbour(two)
        wait_until(lambda: self.holders() == [two.name], LEASE + 1 + NOISE,
                   "the lease of the dead daemon's VIP to end")
        gone = now() - event
        print(f"      the address went by itself {gone:.1f} s after the daemon had died")
        self.wait_held(two)
        one.start(accept=(0, 4))
        self.returns(one)
        self.assert_served(event, "SIGKILL")
        self.assert_settled(one, at_least=90)

    def test_killed_and_cleaned_up(self):
        """As systemd does it: the address leaves at once, but where nobody else would take it."""
        one, two = self.nodes
        self.assertIn("nothing is released", one.clean_up())
        event = now()
        one.kill()
        said = one.clean_up()
        for vip in VIPS:
            self.assertIn(f"VIP {vip} released", said)
            self.assertFalse(self.has(one, vip))
        print(f"      killed and cleaned up: no address is left {now() - event:.2f} s later")
        self.assertLess(now() - event, LEASE - 1)
        self.assertEqual(one.clean_up(), "", "once")
        self.wait_held(two, nodes=[two])
        self.wait_neighbour(two)
        # Of a node that is alone all stay, and after an orderly end what that has left.
        two.kill()
        self.assertEqual(two.clean_up(), "")
        self.assertTrue(all(self.has(two, vip) for vip in VIPS))
        two.start(accept=(0, 4))
        self.wait_held(two, nodes=[two])
        two.stop()
        self.assertEqual(two.clean_up(), "")
        self.assertTrue(all(self.has(two, vip) for vip in VIPS))
        for node in (two, one):
            node.start(accept=(0, 4))
        self.returns(one)
        self.assert_served(event, "SIGKILL and a clean-up")
        self.assert_settled(one, at_least=90)

    def test_killed_and_started_while_it_still_has_the_address(self):
        one, two = self.nodes
        event = now()
        one.kill()
        self.wait_taken(two)
        before = self.serial(two)
        one.start(accept=(0, 4))
        # Its address went with the first that it heard of node2, or with the lease before.
        wait_until(lambda: self.holders() != [one.name, two.name], NOISE,
                   "the daemon that starts to drop what it should not hold")
        self.wait_never_two()
        self.returns(one)
        # It did not go on with what it had: node2 gave it away, to a node that was in step.
        self.assertIn("vip_released", self.kinds(two, before))
        self.assert_served(event, "SIGKILL, and a start at once")
        self.assert_settled(one, at_least=90)

    def test_the_last_one_is_killed_and_started(self):
        one, two = self.nodes
        two.kill()
        self.lab.wait_state(one, two, "dead")
        event = now()
        one.kill()
        one.start(accept=(0, 4))
        self.wait_held(one)
        self.assert_served(event, "the last node's daemon killed and started", most=0)
        self.assertEqual([each["restored"] for each in self.vips(one).values()], [0, 0])
        two.start(accept=(0, 4))
        self.assert_settled(one, at_least=90)

    def test_stopped_for_a_second(self):
        one, two = self.nodes
        event = now()
        one.daemon.send_signal(signal.SIGSTOP)
        time.sleep(1)
        self.assertEqual(self.who_has(), [two.mac])
        one.daemon.send_signal(signal.SIGCONT)
        self.wait_never_two()
        self.returns(one)
        self.assert_served(event, "SIGSTOP for a second")
        self.assert_settled(one, at_least=90)

    def test_stopped_until_it_is_replaced(self):
        one, two = self.nodes
        event = now()
        one.daemon.send_signal(signal.SIGSTOP)
        self.wait_taken(two)
        one.daemon.send_signal(signal.SIGCONT)
        self.wait_never_two()
        self.returns(one)
        self.assert_served(event, "SIGSTOP until replaced")
        self.assert_settled(one, at_least=90)

    def wait_never_two(self):
        """For a while: whenever a client asks, one node answers at most."""
        for _ in range(3):
            self.assertLessEqual(len(self.who_has(seconds=0.1)), 1, self.told())
