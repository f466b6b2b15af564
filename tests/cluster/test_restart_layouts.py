# SPDX-License-Identifier: Apache-2.0
"""basculed meets what a version with tables of another layout left, which it cannot read."""

from cluster_test import ClusterTest
from host import VIP4, VIP6, wait_until
from node import BackendEntry

CHECK = {"health.type": "http", "health.interval": "300ms", "health.timeout": "300ms",
         "on_empty": "reset"}
SPARE = "spare0"
OTHER_LAYOUT = "v9999"


class LayoutsTest(ClusterTest):
    lab_options = {"backends": 6}

    @classmethod
    def configure(cls, **options):
        config = cls.lab.node.standard_config()
        for service in config.services:
            service.options = dict(options)
        return config

    def setUp(self):
        self.ready(self.configure())

    def ready(self, config):
        if self.node.daemon is None:
            self.node.write_config(config)
            self.node.start()
        else:
            self.node.reload(config)

    def loads(self):
        """Old flows and new ones. Their sessions are lost, but they find the same servers again."""
        loads = [self.http(connections=32, per_connection=0, rate=400),
                 self.http(connections=32, per_connection=1, rate=800),
                 self.http(connections=16, per_connection=1, rate=300, v6=True)]
        for load in loads:
            load.wait_answers(200)
        return loads

    def assert_nobody_felt_it(self, loads):
        for load in loads:
            load.wait_answers(200)
        for load in loads:
            self.assert_none_failed(load.stop(), at_least=200)

    def die_of_another_layout(self):
        self.node.kill()
        own = next(each for each in self.node.bpffs.iterdir() if each.name.startswith("v"))
        own.rename(self.node.bpffs / OTHER_LAYOUT)
        return own

    def assert_taken_over(self, before):
        self.assertEqual(self.node.xdp()[0], before[0])
        self.assertEqual([each["adopted"] for each in self.node.status()["interfaces"]], [True])
        self.assertFalse((self.node.bpffs / OTHER_LAYOUT).exists())

    def test_services_that_are_checked_go_on(self):
        self.ready(self.configure(**CHECK))
        loads = self.loads()
        before = self.node.xdp()
        self.die_of_another_layout()
        self.node.start()
        self.assert_taken_over(before)
        self.assert_nobody_felt_it(loads)
        wait_until(lambda: {each["health"] for each in self.node.health().values()} == {"up"}, 10,
                   "a word of every check")

    def test_a_start_that_fails_leaves_everything_forwarding(self):
        loads = self.loads()
        self.die_of_another_layout()
        self.node.must("ip", "link", "add", SPARE, "type", "veth", "peer", "name", f"{SPARE}p")
        self.addCleanup(self.node.must, "ip", "link", "del", SPARE)
        self.node.attach_foreign_program(SPARE)
        config = self.configure()
        config.node["interfaces"] = ["eth0", SPARE]
        self.node.write_config(config)
        status, said = self.node.start_refused()
        self.assertNotEqual(status, 0)
        self.assertIn("carries another XDP program", said)
        self.assertIsNotNone(self.node.xdp())
        self.assertLess({VIP4, VIP6}, self.node.addresses())
        self.assert_nobody_felt_it(loads)
        loads = self.loads()
        self.node.write_config(self.configure())
        self.node.start()
        self.assertFalse((self.node.bpffs / OTHER_LAYOUT).exists())
        self.assert_nobody_felt_it(loads)

    def test_a_start_that_ended_early_is_followed_by_one_that_fills_the_tables(self):
        loads = self.loads()
        before = self.node.xdp()
        own = self.die_of_another_layout()
        # Nobody is there: the start waits for a word of the kernel, a second at most.
        config = self.configure()
        config.service("web").backends.append(BackendEntry("nobody", "10.9.0.250"))
        self.node.write_config(config)
        self.node.daemon = self.node.spawn(self.node.daemon_command(), log="basculed.log",
                                           own_sysfs=True)
        wait_until(lambda: (own / "maps" / "services").exists(), 10, "tables, which are empty")
        self.node.kill()
        self.assertEqual(self.node.xdp(), before, "its program was not swapped yet")
        self.node.start(accept=(0, 4))
        self.assertTrue(self.node.status()["adopted"])
        self.assert_taken_over(before)
        self.assert_nobody_felt_it(loads)
