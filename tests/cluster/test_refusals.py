# SPDX-License-Identifier: Apache-2.0
"""Bad input: each is refused with a message that names it, and nothing on the machine changes."""

import shutil

from cluster_test import ClusterTest
from host import VIP4, VIP6, wait_until
from node import BackendEntry, ServiceEntry

NOBODY = 65534


class StartTest(ClusterTest):
    """basculed is not running before a test and not after it."""

    lab_options = {"backends": 2}
    start_node = False

    def setUp(self):
        self.good = self.node.standard_config()
        self.node.write_config(self.good)
        self.before = self.node.picture()
        self.addCleanup(self.remove_daemon)

    def remove_daemon(self):
        if self.node.daemon is None:
            return
        try:
            self.node.must_cli("detach")
            self.node.daemon.wait(timeout=15)
            self.node.daemon = None
        finally:
            if self.node.daemon is not None:
                self.node.kill()

    def assert_refused(self, pattern, config=None, **options):
        if config is not None:
            self.node.write_config(config)
        status, said = self.node.start_refused(**options)
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said, pattern)
        self.assertNotRegex(said, "(?i)terminate called|segmentation|assert")
        self.assertEqual(self.node.picture(), self.before)

    def test_an_interface_that_is_not_there(self):
        config = self.good.copy()
        config.node["interfaces"] = ["eth7"]
        self.assert_refused("eth7", config)

    def test_a_foreign_xdp_program_is_named_and_left_where_it_is(self):
        self.node.attach_foreign_program()
        self.addCleanup(self.node.must, "ip", "link", "set", "dev", "eth0", "xdp", "off")
        mode, number = self.node.xdp()
        self.assertIsNotNone(mode)
        status, said = self.node.start_refused()
        self.assertNotEqual(status, 0, said)
        self.assertRegex(said, "eth0")
        self.assertRegex(said, rf"(?i)pass_all|{number}")
        self.assertEqual(self.node.xdp(), (mode, number))
        self.assertEqual(self.node.addresses(), self.before["addresses"])

    def test_no_bpffs_where_the_pins_should_be(self):
        place = self.node.directory / "plain"
        place.mkdir(exist_ok=True)
        self.assert_refused(r"plain.*(?i:bpf)|(?i:bpf).*plain", bpffs=place / "bascule")

    def test_no_privileges(self):
        own = self.node.directory / "nobody"
        for name in ("run", "state"):
            (own / name).mkdir(parents=True, exist_ok=True)
            shutil.chown(own / name, NOBODY, NOBODY)
        shutil.chown(own, NOBODY, NOBODY)
        unprivileged = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        self.assert_refused("(?i)privilege|capabilit|permi|CAP_", wrapper=unprivileged,
                            runtime_dir=own / "run", state_dir=own / "state")

    def test_a_file_that_cannot_be_read(self):
        status, said = self.node.start_refused(config=self.node.directory / "absent.toml")
        self.assertNotEqual(status, 0)
        self.assertIn("absent.toml", said)
        status, said = self.node.start_refused(config=self.node.directory)
        self.assertNotEqual(status, 0)
        self.assertIn(str(self.node.directory), said)
        self.assertEqual(self.node.picture(), self.before)

    def test_errors_of_a_file_are_told_all_at_once_with_their_places(self):
        config = self.good.copy()
        config.service("web").options = {"intervall": 1, "affinity": "sauce"}
        config.service("web6").backends[0].address = "10.9.0.21"  # l2: of the VIP's family
        text = config.text()
        self.node.write_config(text)
        status, said = self.node.start_refused()
        self.assertNotEqual(status, 0)
        lines = text.splitlines()
        for word in ("intervall", "sauce", '"10.9.0.21"'):
            line = len(lines) - next(number for number, line in enumerate(reversed(lines))
                                     if word in line)
            self.assertRegex(said, rf"bascule\.toml:{line}:\d+: ")
        self.assertEqual(self.node.picture(), self.before)

    def test_services_that_cannot_be_are_told(self):
        config = self.good.copy()
        wide, wider = (ServiceEntry(name, VIP4, ports, "tcp", [BackendEntry("web1", "10.9.0.21",
                                                                            None)])
                       for name, ports in (("wide", "8000-8099"), ("wider", "8090-8200")))
        loop = ServiceEntry("loop", VIP4, 81, "tcp", [BackendEntry("me", VIP6, 81)],
                            {"forward": "ipip"})
        ported = ServiceEntry("ported", VIP4, "9000-9010", "tcp", [BackendEntry("web1", "10.9.0.21",
                                                                                9001)])
        config.services += [wide, wider, loop, ported]
        text = config.text()
        self.node.write_config(text)
        status, said = self.node.start_refused()
        self.assertNotEqual(status, 0)
        lines = text.splitlines()
        for line, words in (('port = "8090-8200"', "overlaps 8000-8099"),
                            (f'address = "{VIP6}"', "would loop"),
                            ("port = 9001", "a range of ports")):
            number = len(lines) - lines[::-1].index(line)
            self.assertRegex(said, rf"bascule\.toml:{number}:\d+: .*{words}")
        self.assertEqual(self.node.picture(), self.before)

    def test_half_a_file(self):
        text = self.good.text()
        self.assert_refused(r"bascule\.toml:\d+:\d+: ", text[:text.rindex('"web6"') + 3])

    def test_an_interface_without_native_xdp_is_refused_in_native_mode_only(self):
        self.node.must("ip", "link", "add", "br7", "type", "bridge")
        self.addCleanup(self.node.must, "ip", "link", "del", "br7")
        self.node.must("ip", "link", "set", "br7", "up")
        config = self.good.copy()
        config.node.update(interfaces=["eth0", "br7"], xdp_mode="native")
        self.assert_refused("br7.*(?i:native)|(?i:native).*br7", config)
        self.assertIsNone(self.node.xdp("br7"))
        config.node["xdp_mode"] = "auto"
        self.node.write_config(config)
        self.node.start(accept=(0, 4))
        shown = {each["name"]: each for each in self.node.status()["interfaces"]}
        self.assertEqual((shown["eth0"]["mode"], shown["br7"]["mode"]), ("native", "generic"))
        self.assertNotEqual(shown["br7"]["warning"], "")

    def test_a_second_daemon_in_the_same_place(self):
        self.node.start()
        running = self.node.picture()
        status, said = self.node.start_refused()
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"(?i)running|in use|already|another")
        self.assertEqual(self.node.picture(), running)
        self.assertEqual(self.node.cli("status").returncode, 0)
        self.assertEqual(sum(self.flows_of(200).values()), 200)

    def rival(self):
        """Another host that holds both VIPs and answers for them."""
        rival = self.lab.hosts.get("rival") or self.lab.add_host("rival", 66)
        rival.must("ip", "addr", "add", f"{VIP4}/32", "dev", "eth0")
        rival.must("ip", "addr", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
        for vip, bits in ((VIP4, 32), (VIP6, 128)):
            self.addCleanup(rival.run, "ip", "addr", "del", f"{vip}/{bits}", "dev", "eth0")
        return rival

    def test_a_vip_that_another_host_holds_is_not_taken(self):
        rival = self.rival()
        self.assert_refused(f"({VIP4}|{VIP6}).*{rival.mac}")

    def test_a_reload_that_adds_a_vip_of_another_host_is_refused_whole(self):
        only_v4 = self.node.standard_config(v6=False)
        self.node.write_config(only_v4)
        self.node.start()
        running, shown = self.node.picture(), self.node.backends()
        rival = self.rival()
        self.node.write_config(self.good)
        refused = self.node.cli("reload")
        said = refused.stdout + refused.stderr
        self.assertEqual(refused.returncode, 1, said)
        self.assertRegex(said, f"{VIP6}.*{rival.mac}")
        self.assertEqual(self.node.picture(), running)
        self.assertEqual(set(self.node.backends()), set(shown))


class UnresolvedTest(ClusterTest):
    """A backend that nobody answers for: shown, out of the ring, and in again once it is there."""

    lab_options = {"backends": 3}

    @classmethod
    def configure(cls):
        config = cls.lab.node.standard_config()
        config.service("web").backends.append(BackendEntry("web9", "10.9.0.29"))
        config.service("web6").backends.append(BackendEntry("web9", "fd00:9::29"))
        return config

    status_at_start = (0, 4)

    def test_the_others_serve_and_it_joins_when_it_answers(self):
        for service, v6 in (("web", False), ("web6", True)):
            wait_until(lambda: self.row(service)["state"] == "unresolved", 20, "its state")
            self.assertEqual(self.row(service)["ring_slots"], 0)
            self.assertEqual(set(self.flows_of(2000, v6=v6)), {"web1", "web2", "web3"})
        status = self.node.cli("status")
        self.assertEqual(status.returncode, 4, status.stdout)
        self.assertIn("web9", status.stdout)
        self.lab.add_backend("web9", 29)
        for service, v6 in (("web", False), ("web6", True)):
            wait_until(lambda: self.row(service)["state"] == "up", 60, "web9 to be found")
            self.assertIn("web9", self.flows_of(2000, v6=v6))
        wait_until(lambda: self.node.cli("status").returncode == 0, 20, "a good status")

    def row(self, service):
        return self.node.backends()[f"{service}/web9"]

    def test_a_backend_with_a_new_network_card_is_followed(self):
        moved = self.lab.backend("web2")
        # Linux tells its neighbours of a new address if it is asked to.
        moved.must("sysctl", "-qw", "net.ipv4.conf.eth0.arp_notify=1",
                   "net.ipv6.conf.eth0.ndisc_notify=1")
        for mac in ("02:ba:5c:00:03:ee", moved.mac):
            moved.must("ip", "link", "set", "dev", "eth0", "address", mac)
            for service, v6 in (("web", False), ("web6", True)):
                wait_until(lambda: self.node.backends()[f"{service}/web2"]["mac"] == mac, 60,
                           f"{mac} of {service}/web2")
                self.assertIn("web2", self.flows_of(1000, v6=v6))
