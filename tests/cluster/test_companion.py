# SPDX-License-Identifier: Apache-2.0
"""bascule-backend on real servers under traffic: stopped, killed, started again, told by strangers;
what it finds wrong with its server, and what it leaves behind, which is nothing."""

import json
import random
import signal
import time

import load
from cluster_test import ClusterTest
from companion import CompanionConfig, config_for
from host import VIP4, VIP6, wait_until
from node import add_services
from wide import WideLab

SERVERS = {"front1": "front", "front2": "front", "back1": "back", "back2": "back"}
FORWARD = {"front": ["l2"], "back": ["ipip", "gue"]}
L2, IPIP, GUE, ALONE = 7001, 7002, 7003, 7004
REWRITTEN = {7010: [7011, 7012]}  # by IPIP
STRANGERS = ["192.0.2.0/24", "2001:db8::/32"]


def picture(host, companion):
    """What bascule-backend may have a hand in on its host."""
    link = json.loads(host.must("ip", "-j", "-d", "link", "show").stdout)
    addresses = json.loads(host.must("ip", "-j", "addr", "show").stdout)
    shown = {
        "links": [(each["ifname"], each["mtu"], each.get("xdp")) for each in link],
        "addresses": sorted((each["ifname"], entry["local"], entry["prefixlen"], entry["scope"])
                            for each in addresses for entry in each["addr_info"]),
        "files": sorted(str(path.relative_to(host.directory))
                        for place in (companion.sysctl_dir, companion.bpffs_mount)
                        for path in place.rglob("*")),
    }
    for words in (("sysctl", "-a", "-r", r"^net\.ipv[46]\.(conf|ip_)"), ("tc", "qdisc", "show"),
                  ("ip", "rule"), ("ip", "-6", "rule"), ("ethtool", "-k", "eth0"),
                  ("ip", "route", "show", "table", "all"),
                  ("ip", "-6", "route", "show", "table", "all"),
                  ("tc", "filter", "show", "dev", "eth0", "ingress"),
                  ("tc", "filter", "show", "dev", "eth0", "egress")):
        shown[" ".join(words)] = host.run(*words).stdout.splitlines()
    return shown


class CompanionTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab(SERVERS)

    @classmethod
    def prepare(cls):
        cls.found = {}
        for host in cls.lab.backends:
            companion = cls.lab.prepare_companion(host)
            cls.found[host.name] = picture(host, companion)
            companion.start(cls.companion_config(host))
            ports = [L2, IPIP, GUE, ALONE, *REWRITTEN[7010]]
            host.start_nginx({f"{host.name}:{port}": port for port in ports})
            host.start_udp({f"{host.name}:{port}": port for port in ports})
        for host in cls.lab.backends:
            host.wait_listening()

    @classmethod
    def companion_config(cls, host, balancers=None, **options):
        return config_for(balancers or cls.lab.balancers(), FORWARD[SERVERS[host.name]], REWRITTEN,
                          **options)

    @classmethod
    def configure(cls):
        config, hosts = cls.lab.config(), cls.lab.hosts
        front = {name: (hosts[name], L2) for name in ("front1", "front2")}
        add_services(config, "l2", L2, front, forward="l2")
        for forward, port in (("ipip", IPIP), ("gue", GUE)):
            back = {name: (hosts[name], port) for name in ("back1", "back2")}
            add_services(config, forward, port, back, forward=forward)
        add_services(config, "alone", ALONE, {"back2": (hosts["back2"], ALONE)}, forward="ipip")
        rewritten = {f"{name}-{port}": (hosts[name], port) for name in ("back1", "back2")
                     for port in REWRITTEN[7010]}
        add_services(config, "rewritten", 7010, rewritten, forward="ipip")
        return config

    def setUp(self):
        for name, companion in self.lab.companions.items():
            if companion.process is None:
                companion.start(self.companion_config(self.lab.hosts[name]))

    def companion(self, name):
        return self.lab.companions[name]

    def picture(self, name):
        return picture(self.lab.hosts[name], self.companion(name))

    def target(self, port, vip):
        return {"target": f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}", "v6": ":" in vip}

    def loads(self, *ports):
        started = []
        for vip in (VIP4, VIP6):
            for port in ports or (L2, IPIP, GUE, *REWRITTEN):
                place = self.target(port, vip)
                started.append(self.http(connections=12, per_connection=10, rate=80, **place))
            started.append(self.udp(window=16, flows=16, packets=0, rate=60,
                                    **self.target(IPIP, vip)))
        return started

    @staticmethod
    def all_answer(loads, more=40):
        load.wait_answers(loads, more)

    def assert_nobody_felt_it(self, loads):
        for running in loads:
            self.assert_none_failed(running.stop(), at_least=100)

    # ---- its life ----

    def test_a_server_that_is_stopped_under_traffic_is_as_it_was_found(self):
        loads = self.loads(L2, IPIP)
        self.all_answer(loads)
        for name in ("front1", "back1"):
            self.assertNotEqual(self.picture(name), self.found[name])
            self.assertEqual(self.companion(name).stop(), 0)
            self.assertEqual(self.picture(name), self.found[name])

    def test_a_drained_server_stops_and_starts_again_and_no_request_fails(self):
        fresh = [self.http(connections=8, per_connection=20, rate=200, **self.target(port, vip))
                 for vip in (VIP4, VIP6) for port in (IPIP, *REWRITTEN)]
        self.all_answer(fresh)
        mine = [name for name in self.node.backends()
                if name.split("/")[1].startswith("back1") and "tcp" in name]
        for name in mine:
            self.node.must_cli("drain", name)
        wait_until(lambda: self.silent(fresh, "back1"), 60, "back1 to serve its last request")
        self.companion("back1").stop()
        self.assertEqual(self.picture("back1"), self.found["back1"])
        self.all_answer(fresh)
        self.companion("back1").start()
        for name in mine:
            self.node.must_cli("enable", name)
        wait_until(lambda: not self.silent(fresh, "back1"), 60, "back1 to serve again")
        for running in fresh:
            self.assert_none_failed(running.stop())

    @staticmethod
    def silent(loads, name):
        """Whether a server answered nothing of any load for a while in which others did."""
        def answered():
            return sum(count for running in loads
                       for each, count in running.latest["requests"].items()
                       if each.startswith(name))

        before = answered()
        load.wait_answers(loads, 60)
        return answered() == before

    def test_killed_it_goes_on_serving_and_its_successor_takes_over(self):
        loads = self.loads()
        self.all_answer(loads)
        for companion in self.lab.companions.values():
            companion.kill()
        self.all_answer(loads)
        for companion in self.lab.companions.values():
            companion.start()
        self.all_answer(loads)
        self.assert_nobody_felt_it(loads)
        for name, companion in self.lab.companions.items():
            self.assertEqual(companion.stop(), 0)
            self.assertEqual(self.picture(name), self.found[name])

    def test_an_upgrade_leaves_all_in_place_for_the_next_one(self):
        loads = self.loads()
        self.all_answer(loads)
        for companion in self.lab.companions.values():
            companion.process.send_signal(signal.SIGUSR1)
            self.assertEqual(companion.process.wait(timeout=15), 0)
        self.all_answer(loads)
        for companion in self.lab.companions.values():
            companion.start()
        self.all_answer(loads)
        self.assert_nobody_felt_it(loads)

    def test_an_edit_is_applied_under_traffic_and_a_bad_one_refused(self):
        companion, host = self.companion("back1"), self.lab.backend("back1")
        self.addCleanup(companion.write_config, self.companion_config(host))
        loads = self.loads(IPIP, *REWRITTEN)
        self.all_answer(loads)
        only_ipip = config_for(self.lab.balancers(), ["ipip"], REWRITTEN)
        self.reload(companion, only_ipip, "reloaded")
        refused = self.counted(companion, "other_mode")
        self.http(requests=20, connections=20, timeout=1, **self.target(GUE, VIP4)).wait()
        self.assertGreater(self.counted(companion, "other_mode"), refused)
        self.reload(companion, only_ipip.text().replace('"ipip"', '"ipop"', 1), "refused")
        self.assertIn("'ipop'", self.log(companion))
        self.all_answer(loads)
        self.reload(companion, self.companion_config(host), "reloaded")
        self.assert_none_failed(self.http(requests=40, **self.target(GUE, VIP4)).wait())
        self.assert_nobody_felt_it(loads)

    def reload(self, companion, config, outcome):
        """Tells it of an edit, and waits until it says that this became `outcome`."""
        said = self.log(companion).count(outcome)
        companion.write_config(config)
        companion.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log(companion).count(outcome) > said, 20, outcome)

    @staticmethod
    def log(companion):
        return (companion.host.directory / "backend.log").read_text(errors="replace")

    def test_killed_at_any_moment_it_leaves_nothing_that_cannot_be_undone(self):
        companion = self.companion("back1")
        companion.stop()
        for turn in range(10):
            process = companion.host.spawn(companion.command("run"), log="backend.log")
            time.sleep(random.uniform(0, 0.25))
            if turn % 2:
                process.terminate()  # in the middle of the beginning, and then of the end
                time.sleep(random.uniform(0, 0.1))
            process.kill()
            process.wait(timeout=15)
            companion.must("undo")
            self.assertEqual(self.picture("back1"), self.found["back1"], f"turn {turn}")

    def test_what_a_killed_one_left_can_be_undone(self):
        for name in ("front2", "back2"):
            self.companion(name).kill()
            self.assertNotEqual(self.picture(name), self.found[name])
            self.companion(name).must("undo")
            self.assertEqual(self.picture(name), self.found[name])

    # ---- strangers ----

    def test_a_balancer_that_is_not_listed_is_refused_and_counted(self):
        companion = self.companion("back2")
        companion.stop()
        companion.start(self.companion_config(self.lab.backend("back2"), STRANGERS))
        try:
            for vip in (VIP4, VIP6):
                refused = self.counted(companion, "unknown_balancer")
                result = self.http(requests=3, connections=3, timeout=1,
                                   **self.target(ALONE, vip)).wait()
                self.assertEqual((result["answered"], set(result["reasons"])),
                                 (0, {"connect timeout"}))
                self.assertGreaterEqual(self.counted(companion, "unknown_balancer"), refused + 3)
        finally:
            companion.stop()
        companion.start(self.companion_config(self.lab.backend("back2")))
        for vip in (VIP4, VIP6):
            result = self.http(requests=20, **self.target(ALONE, vip)).wait()
            self.assert_none_failed(result, at_least=20)

    @staticmethod
    def counted(companion, name):
        return companion.status()["counters"][name]

    # ---- what it finds ----

    def test_a_server_that_is_well_passes_its_own_test(self):
        for name, companion in self.lab.companions.items():
            done = companion.run("self-test")
            self.assertEqual(done.returncode, 0, f"{name}: {done.stdout}{done.stderr}")

    def assert_found(self, name, pattern, *commands):
        """Spoils a server behind the back of bascule-backend, which then names what is wrong."""
        companion, host = self.companion(name), self.lab.hosts[name]
        companion.kill()  # or it would mend what it can
        for command in commands:
            host.must(*command)
        done = companion.run("self-test")
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout + done.stderr, pattern)
        companion.start()
        self.assertEqual(companion.stop(), 0)

    def test_a_missing_vip_is_found(self):
        for vip, bits in ((VIP4, 32), (VIP6, 128)):
            self.assert_found("front1", rf"FAILED +vip +{vip}\n",
                              ("ip", "addr", "del", f"{vip}/{bits}", "dev", "lo"))
            self.companion("front1").start()

    def test_a_server_that_would_answer_arp_for_the_vip_is_found(self):
        self.assert_found("front1", rf"FAILED +arp +{VIP4} on eth0\n",
                          ("sysctl", "-qw", "net.ipv4.conf.all.arp_ignore=0",
                           "net.ipv4.conf.eth0.arp_ignore=0"))

    def test_a_link_too_small_for_its_tunnels_is_found(self):
        # With its MSS lowered a server can live with it.
        companion, host = self.companion("back1"), self.lab.backend("back1")
        companion.stop()
        companion.start(self.companion_config(host, mss_clamp=0))
        done = companion.run("self-test")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout, r"FAILED +mtu +eth0\n +MTU 1500")
        self.assertIn("ip link set dev eth0 mtu 1548", done.stdout)
        companion.stop()

    def test_a_bad_configuration_is_refused_with_every_place_and_changes_nothing(self):
        companion = self.companion("front2")
        companion.stop()
        good = self.companion_config(self.lab.backend("front2"))
        text = CompanionConfig(["10.9.0.11/24"], good.vips, ["eth7"], {"gue_prot": 1}).text()
        companion.write_config(text)
        done = companion.run("run")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        for word in ("10.9.0.11/24", "gue_prot"):
            line = 1 + next(number for number, line in enumerate(text.splitlines()) if word in line)
            self.assertRegex(done.stdout + done.stderr, rf"backend\.toml:{line}:\d+: ")
        companion.write_config(CompanionConfig(good.balancers, good.vips, ["eth7"]))
        done = companion.run("run")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("eth7", done.stdout + done.stderr)
        self.assertEqual(self.picture("front2"), self.found["front2"])
        companion.write_config(good)
