# SPDX-License-Identifier: Apache-2.0
"""basculed killed and started again under traffic: the engine goes on, and is taken over."""

import signal
import time

from cluster_test import ClusterTest
from host import wait_until

DEAD_SECONDS = 2


class RestartTest(ClusterTest):
    lab_options = {"backends": 8, "udp": True}

    @classmethod
    def configure(cls):
        return cls.lab.node.standard_config(udp=True)

    def setUp(self):
        if self.node.daemon is None:
            self.node.start()

    def established(self):
        return int(self.node.status()["sessions"]["established"])

    def packets(self):
        return {entry["name"]: int(entry["traffic"]["packets"])
                for entry in self.node.ask("show", "services")["services"]}

    def loads(self):
        return [self.http(connections=128, per_connection=0, rate=1200),
                self.http(connections=16, per_connection=1, rate=300),
                self.http(connections=32, per_connection=0, rate=300, v6=True),
                self.udp(window=64, flows=64, packets=0, rate=500)]

    def assert_nobody_felt_it(self, loads):
        for load in loads:
            self.assert_none_failed(load.stop(), at_least=200)

    def test_sigkill_and_restart_fail_no_request_and_reset_no_counter(self):
        loads = self.loads()
        for load in loads:
            load.wait_answers(300)
        packets, engine = self.packets(), self.node.picture()
        self.node.kill()
        self.assertEqual(self.node.picture(), engine)
        time.sleep(DEAD_SECONDS)
        for load in loads:
            load.wait_answers(100)
        self.node.start()

        status = self.node.status()
        self.assertTrue(status["adopted"])
        self.assertEqual([interface["adopted"] for interface in status["interfaces"]], [True])
        self.assertEqual(self.node.addresses(), engine["addresses"])
        self.assertEqual(self.node.pins(), engine["pins"])
        self.assertEqual(self.node.xdp()[0], engine["xdp"][0])
        for name, count in packets.items():
            self.assertGreaterEqual(self.packets()[name], count)
        for load in loads:
            load.wait_answers(200)
        self.assert_nobody_felt_it(loads)

    def test_sessions_outlive_the_daemon_without_a_packet_that_could_renew_them(self):
        load = self.http(connections=200, per_connection=0, rate=1000, timeout=60)
        load.wait_answers(1000)
        load.process.send_signal(signal.SIGSTOP)
        self.wait_established(200)
        self.node.kill()
        self.node.start()
        self.wait_established(200)
        load.process.send_signal(signal.SIGCONT)
        load.wait_answers(500)
        self.assert_none_failed(load.stop())

    def wait_established(self, count):
        # Sessions are counted from time to time, not at every question.
        wait_until(lambda: self.established() >= count, 20, f"{count} established sessions")

    def test_ten_kills_in_a_row_fail_no_request(self):
        loads = self.loads()
        for _ in range(10):
            loads[0].wait_answers(60)
            self.node.kill()
            self.node.start()
        self.assert_nobody_felt_it(loads)

    def test_an_ordered_restart_fails_no_request(self):
        loads = self.loads()
        loads[0].wait_answers(200)
        self.assertEqual(self.node.stop(), 0)
        loads[0].wait_answers(200)
        self.node.start()
        self.assertTrue(self.node.status()["adopted"])
        loads[0].wait_answers(200)
        self.assert_nobody_felt_it(loads)

    def test_an_edit_made_while_the_daemon_was_dead_is_applied_to_what_flows(self):
        loads = self.loads()
        loads[0].wait_answers(200)
        self.node.kill()
        edited = self.configure()
        for service in edited.services:
            service.backend("web2").weight = 0
        self.node.write_config(edited)
        self.node.start()
        self.assertNotIn("web2", self.flows_of())
        self.assert_nobody_felt_it(loads)
        self.node.reload(self.configure())

    def test_the_operators_word_stays_across_a_restart(self):
        self.node.must_cli("drain", "web/web3")
        self.node.kill()
        self.node.start()
        self.assertEqual(self.node.backends()["web/web3"]["state"], "drained")
        self.assertNotIn("web3", self.flows_of())
        self.node.must_cli("enable", "web/web3")
        self.assertIn("web3", self.flows_of())

    def test_the_command_tells_that_the_daemon_is_not_reachable(self):
        self.node.kill()
        refused = self.node.cli("status")
        self.assertEqual(refused.returncode, 3)
        self.assertIn(str(self.node.runtime_dir), refused.stdout + refused.stderr)
