# SPDX-License-Identifier: Apache-2.0
"""Changes under traffic: what flows already is left alone, what is new follows the change."""

import signal
import subprocess
import time

from cluster_test import ClusterTest
from host import wait_until

FIRST_SIX = [f"web{number}" for number in range(1, 7)]


class ChangeTest(ClusterTest):
    lab_options = {"backends": 8}

    @classmethod
    def configure(cls):
        return cls.lab.node.standard_config(backends=FIRST_SIX)

    def setUp(self):
        for backend in ("web/web3", "web/web4"):
            self.node.must_cli("enable", backend)
        self.node.reload(self.configure())
        self.kept = self.http(connections=96, per_connection=0, rate=1500)
        self.fresh = self.http(connections=16, per_connection=1, rate=400)
        self.kept.wait_answers(600)
        self.fresh.wait_answers(100)

    def let_flow(self):
        self.kept.wait_answers(600)
        self.fresh.wait_answers(150)

    def assert_nobody_felt_it(self):
        self.assert_none_failed(self.kept.stop(), at_least=1000)
        self.assert_none_failed(self.fresh.stop(), at_least=200)

    def test_no_connection_moves_while_backends_are_added_drained_and_weighted(self):
        everyone = self.node.standard_config()
        self.node.reload(everyone)
        self.let_flow()
        self.assertEqual(len(self.flows_of()), 8)
        self.node.must_cli("drain", "web/web3")
        self.let_flow()
        self.assertNotIn("web3", self.flows_of())
        self.node.must_cli("weight", "web/web4", "300")
        self.let_flow()
        flows = self.flows_of(10_000)
        self.assert_shares(flows, {**dict.fromkeys(["web1", "web2"], 100), "web4": 300,
                                   **dict.fromkeys(["web5", "web6", "web7", "web8"], 100)}, 0.15)
        self.node.must_cli("enable", "web/web3")
        self.let_flow()
        self.assertIn("web3", self.flows_of())
        self.assert_nobody_felt_it()

    def test_a_drained_backend_goes_on_serving_the_connections_that_it_has(self):
        self.node.must_cli("drain", "web/web3")
        # Progress lines stand at most a fraction of a second apart; the first may be older.
        self.kept.wait_answers(300)
        before = self.kept.latest["requests"]["web3"]
        self.kept.wait_answers(1500)
        self.assertGreater(self.kept.latest["requests"]["web3"], before)
        self.assertEqual(self.node.backends()["web/web3"]["state"], "drained")
        self.assert_nobody_felt_it()

    def test_a_backend_is_taken_away_after_its_drain_and_comes_back(self):
        bounded = self.http(connections=32, per_connection=20, rate=800)
        bounded.wait_answers(400)
        self.assert_none_failed(self.kept.stop())  # its connections would never end
        self.node.must_cli("drain", "web/web3")
        wait_until(lambda: self.silent(bounded, "web3"), 30, "web3 to serve its last request")
        without = self.configure()
        for service in without.services:
            service.remove("web3")
        self.node.reload(without)
        self.assertNotIn("web/web3", self.node.backends())
        self.lab.backend("web3").stop_servers()
        bounded.wait_answers(400)
        self.lab.backend("web3").start_nginx()
        self.lab.backend("web3").wait_listening()
        self.node.reload(self.configure())
        self.node.must_cli("enable", "web/web3")
        self.assertIn("web3", self.flows_of())
        self.assert_none_failed(bounded.stop())
        self.assert_none_failed(self.fresh.stop())

    @staticmethod
    def silent(load, name):
        """Whether a backend answered nothing of a load for a while in which others did."""
        before = load.latest["requests"].get(name, 0)
        load.wait_answers(500)
        return load.latest["requests"].get(name, 0) == before

    def test_many_reloads_under_load_fail_no_request(self):
        wide, narrow = self.node.standard_config(), self.configure()
        for round_ in range(10):
            config = (wide, narrow)[round_ % 2].copy()
            if round_ % 2 == 0:
                # Its connections stay where they are: weight 0 takes no backend away.
                config.service("web").backend("web2").weight = 0
            else:
                # What was added may have connections of the fresh load by now.
                config = wide.copy()
                for name in ("web7", "web8"):
                    config.service("web").backend(name).weight = 0
            self.node.reload(config)
            self.let_flow() if round_ % 5 == 4 else self.fresh.wait_answers(40)
        self.assert_nobody_felt_it()

    def test_an_edit_costs_few_writes_and_a_reload_without_one_costs_none(self):
        unchanged = self.node.ask("reload")
        self.assertFalse(unchanged.get("changed", False))
        self.assertEqual(int(unchanged.get("writes", 0)), 0)
        edited = self.configure()
        edited.service("web").backend("web1").weight = 80
        self.node.write_config(edited)
        outcome = self.node.ask("reload")
        self.assertTrue(outcome["changed"])
        self.assertLessEqual(int(outcome["writes"]), 2)  # the ring, and what tells the weight
        self.assert_nobody_felt_it()

    def test_sighup_applies_an_edit(self):
        edited = self.configure()
        edited.service("web").backend("web1").weight = 0
        self.node.write_config(edited)
        self.node.daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: self.node.backends()["web/web1"]["weight"] == 0, 20, "the edit")
        self.assertNotIn("web1", self.flows_of())
        self.assert_nobody_felt_it()

    def test_the_operators_word_stays_across_a_reload(self):
        self.node.must_cli("drain", "web/web3")
        self.node.must_cli("weight", "web/web4", "0")
        edited = self.node.standard_config()
        edited.service("web").backend("web4").weight = 200
        self.node.reload(edited)
        shown = self.node.backends()
        self.assertEqual(shown["web/web3"]["state"], "drained")
        self.assertEqual((shown["web/web4"]["weight"], shown["web/web4"]["file_weight"]), (0, 200))
        self.assertEqual(set(self.flows_of()), {"web1", "web2", "web5", "web6", "web7", "web8"})
        self.node.must_cli("weight", "web/web4", "--reset")
        self.assertEqual(self.node.backends()["web/web4"]["weight"], 200)
        self.assert_nobody_felt_it()

    def test_reloads_in_the_middle_of_a_reload_leave_what_the_file_says(self):
        wide = self.node.standard_config()
        narrow = self.node.standard_config()
        narrow.service("web").backend("web5").weight = 0
        for round_ in range(4):
            self.node.write_config((narrow, wide)[round_ % 2])
            crowd = [subprocess.Popen(self.node.enter(self.node.cli_command("reload")),
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True) for _ in range(8)]
            self.node.daemon.send_signal(signal.SIGHUP)
            for process in crowd:
                said = process.communicate(timeout=60)[0]
                # Each is carried out, or refused with the reason: another one is under way.
                self.assertIn(process.returncode, (0, 1), said)
                if process.returncode == 1:
                    self.assertRegex(said, "(?i)another|under way|busy")
        # The last edit was made before any of the last crowd asked; SIGHUP may still be at work.
        wait_until(lambda: self.node.cli("reload").returncode == 0, 20, "a quiet moment")
        self.assertEqual(self.node.backends()["web/web5"]["weight"], 100)
        self.assert_nobody_felt_it()

    def test_a_reload_with_a_broken_file_leaves_everything_as_it_runs(self):
        before, shown = self.node.picture(), self.rows()
        good = self.configure().text()
        place = r"bascule\.toml:\d+:\d+: "
        for broken, message in (
                (good.replace("weight = 100", "weight = ", 1), place),
                (good.replace("weight = 100", 'weight = "much"', 1), place + ".*weight"),
                (good.replace("weight = 100", "wieght = 100", 1), place + ".*weight"),
                (good[:len(good) // 2] + "\n[[service", place),
                (good.replace('"eth0"', '"eth7"'), "eth7")):
            self.node.write_config(broken)
            refused = self.node.cli("reload")
            said = refused.stdout + refused.stderr
            self.assertEqual(refused.returncode, 1, said)
            self.assertRegex(said, message)
            self.assertEqual(self.node.picture(), before)
            self.assertEqual(self.rows(), shown)
        self.node.daemon.send_signal(signal.SIGHUP)
        time.sleep(0.3)  # a refusal leaves no trace to wait for but the log
        self.assertIsNone(self.node.daemon.poll())
        self.assertEqual(self.rows(), shown)
        self.node.config_path.unlink()
        refused = self.node.cli("reload")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("bascule.toml", refused.stdout + refused.stderr)
        self.assert_nobody_felt_it()

    def rows(self):
        return {name: (row["state"], row["weight"], row["ring_slots"])
                for name, row in self.node.backends().items()}
