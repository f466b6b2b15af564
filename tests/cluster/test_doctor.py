# SPDX-License-Identifier: Apache-2.0
"""`bascule doctor` on nodes that are really ill: each ill is made, found by its code, mended by the
command that is printed where there is one, and found no more."""

import json
import signal
import subprocess
import unittest

import passprog
from cluster_test import ClusterTest
from host import VIP4, VIP6, checked, wait_until
from node import BackendEntry, ServiceEntry, binary
from pair import PairTest, cable_port, key_path
from takeover import LONG

# What the machine under the lab may have or not; it is nothing that the lab has done.
OF_THE_MACHINE = {"clock-unsynchronised", "heartbeat-priority", "bpf-jit-off", "bpf-jit-hardened"}
NOBODY = 65534
REFRESH_SECONDS = 60  # until a daemon knows that a neighbour is gone, on a busy machine


class Doctor:
    """What is found on a node. `places`: what is elsewhere, for when no daemon answers."""

    def __init__(self, test, node):
        self.test, self.node = test, node

    def places(self, bpffs=None, state_dir=None):
        return ["--config", self.node.config_path, "--bpffs", bpffs or self.node.bpffs,
                "--state-dir", state_dir or self.node.state_dir]

    def ask(self, **places):
        """The document; its exit code agrees with what it says."""
        done = self.node.cli("doctor", "--json", *self.places(**places))
        document = json.loads(done.stdout)
        self.test.assertNotIn("error", document, done.stdout)
        bad = any(each["severity"] == "problem" for each in document["findings"])
        self.test.assertEqual(done.returncode, 4 if bad else 0, done.stdout)
        return document

    def findings(self, **places):
        return {each["code"]: each for each in self.ask(**places)["findings"]
                if each["code"] not in OF_THE_MACHINE}

    def codes(self, **places):
        return set(self.findings(**places))

    def results(self, **places):
        return {each["code"]: each["result"] for each in self.ask(**places)["checks"]}

    def follow(self, command):
        """Does what is printed, in the node's place, with the node's own `bascule`."""
        shell = f'bascule() {{ "{binary("bascule")}" --runtime-dir "{self.node.runtime_dir}" "$@"; }}'
        return self.node.must("bash", "-ec", f"{shell}\n{command}")

    def wait_for(self, code, seconds=20):
        wait_until(lambda: code in self.codes(), seconds, f"{code} to be found")
        return self.findings()[code]

    def wait_gone(self, code, seconds=20):
        wait_until(lambda: code not in self.codes(), seconds, f"{code} to be found no more")

    def cure(self, code, **places):
        """It is found, its command is followed, and it is gone."""
        found = self.findings(**places)
        self.test.assertIn(code, found)
        self.test.assertTrue(found[code]["command"], f"{code} has no command")
        self.follow(found[code]["command"])
        self.test.assertNotIn(code, self.codes(**places), found[code]["command"])


class DoctorTest(ClusterTest):
    """A node by itself, running."""

    lab_options = {"backends": 2}

    def setUp(self):
        self.doctor = Doctor(self, self.node)
        self.good = self.node.standard_config()
        if self.node.daemon is None:
            self.node.start(accept=(0, 4))
        self.node.reload(self.good)

    def test_one_that_is_well(self):
        document = self.doctor.ask()
        self.assertEqual({each["code"] for each in document["findings"]} - OF_THE_MACHINE, set())
        self.assertTrue(document["by_daemon"])
        self.assertEqual((document["schema"], document["node"]), (1, self.node.name))
        results = self.doctor.results()
        for code in ("xdp-foreign", "xdp-missing", "xdp-generic", "backend-silent", "vip-claimed",
                     "lro-on", "state-unwritable", "config-invalid", "kernel-old", "way-narrow"):
            self.assertEqual(results[code], "well", code)
        self.assertEqual(results["peer-silent"], "not_needed")

    def test_what_people_read_fits_and_names_every_check(self):
        said = self.node.must_cli("doctor", "--all").stdout
        for each in self.doctor.ask()["checks"]:
            self.assertIn(each["code"], said)
        self.assertRegex(said.splitlines()[0], rf"^{self.node.name}  .*\d+ checks")
        self.assertNotIn("\x1b", said)

    def test_files_that_are_wrong_or_were_not_read(self):
        edited = self.good.copy()
        edited.service("web").backends[0].weight = 50
        self.node.write_config(edited)
        self.doctor.cure("config-unread")
        self.node.write_config(edited.text() + "\nintervall = 1\n")
        found = self.doctor.findings()
        self.assertEqual(set(found), {"config-invalid"})
        self.assertRegex(found["config-invalid"]["what"], r"bascule\.toml:\d+:\d+: .*intervall")

    @unittest.skipUnless(LONG, "a neighbour is given up after 40 s: BASCULE_LONG=1")
    def test_a_backend_that_is_off_the_network(self):
        web2 = self.lab.backend("web2")
        web2.must("ip", "link", "set", "eth0", "down")
        self.addCleanup(self.revive, web2)

        def said():
            return "".join(each["what"] + each["advice"] for each in self.doctor.ask()["findings"]
                           if each["code"] == "backend-silent")

        wait_until(lambda: "web/web2" in said() and "web6/web2" in said(), REFRESH_SECONDS,
                   "both of its backends to be found")
        self.assertIn(f"ping -c 3 {web2.v4[0]};", said())
        self.revive(web2)
        self.doctor.wait_gone("backend-silent", REFRESH_SECONDS)

    @staticmethod
    def revive(host):
        host.must("ip", "link", "set", "eth0", "up")
        host.must("ip", "addr", "replace", f"{host.v6[0]}/64", "dev", "eth0", "nodad")

    def test_backends_that_no_frame_can_reach(self):
        self.node.must("ip", "route", "add", "10.88.0.0/24", "via", self.lab.backend("web1").v4[0])
        self.addCleanup(self.node.must, "ip", "route", "del", "10.88.0.0/24")
        config = self.good.copy()
        config.service("web").backends += [
            BackendEntry("lost", "10.99.0.1"), BackendEntry("far", "10.88.0.7"),
            BackendEntry("me", self.node.v4[0])]
        self.node.reload(config)
        wanted = {"backend-no-route": "lost", "backend-behind-gateway": "far",
                  "backend-is-here": "me"}
        wait_until(lambda: set(wanted) <= self.doctor.codes(), 20, "all three to be found")
        found = self.doctor.findings()
        self.assertEqual(set(found), set(wanted))
        for code, name in wanted.items():
            self.assertIn(f"web/{name}:", found[code]["what"])

    def test_room_for_tunnels(self):
        config = self.node.standard_config(v6=False)
        config.service("web").options["forward"] = "gue"
        self.node.reload(config)
        self.addCleanup(self.node.must, "ip", "link", "set", "eth0", "mtu", "1500")
        wait_until(lambda: "way-narrow" in self.doctor.codes(), 20, "the narrow way")
        found = self.doctor.findings()["way-narrow"]
        self.assertEqual(found["command"], "ip link set eth0 mtu 1528")
        self.doctor.follow(found["command"])
        self.doctor.wait_gone("way-narrow")
        self.node.must("ip", "link", "set", "eth0", "mtu", "600")
        found = self.doctor.wait_for("way-too-small")
        self.doctor.follow(found["command"])
        self.doctor.wait_gone("way-too-small")
        self.node.must("ip", "link", "set", "eth0", "mtu", "1500")
        # Below 1280 Linux takes IPv6 off an interface.
        self.node.must("ip", "addr", "replace", f"{self.node.v6[0]}/64", "dev", "eth0", "nodad")

    def test_a_strict_filter_where_it_drops_clients(self):
        self.node.must("sh", "-ec", """
            ip link add up0 type veth peer name up1
            ip addr add 10.77.0.1/24 dev up0
            ip link set up1 up
            ip link set up0 up
            sysctl -qw net.ipv4.conf.eth0.rp_filter=1""")
        self.addCleanup(self.node.must, "sh", "-ec", """
            sysctl -qw net.ipv4.conf.eth0.rp_filter=0
            ip link del up0""")
        self.assertEqual(self.doctor.codes(), set(), "no packet of a client goes to this host")
        config = self.good.copy()
        config.services.append(ServiceEntry("own", VIP4, 81, "tcp", [BackendEntry("me", VIP4, 81)],
                                            {"forward": "local"}))
        self.node.reload(config)
        self.assertEqual(self.doctor.codes(), set(), "clients are answered by eth0")
        self.node.must("ip", "route", "add", "default", "via", "10.77.0.2", "dev", "up0")
        self.assertIn("up0", self.doctor.findings()["rp-filter"]["what"])
        self.doctor.cure("rp-filter")

    def test_generic_mode(self):
        self.node.must("ip", "link", "add", "br7", "type", "bridge")
        self.addCleanup(self.node.must, "ip", "link", "del", "br7")
        self.node.must("ip", "link", "set", "br7", "up")
        config = self.good.copy()
        config.node["interfaces"] = ["eth0", "br7"]
        self.node.reload(config)
        self.addCleanup(self.node.reload, self.good)
        found = self.doctor.findings()["xdp-generic"]
        self.assertRegex(found["what"], "^br7 .*generic mode: .")
        self.assertEqual(found["severity"], "warning")
        self.node.reload(self.good)
        self.assertNotIn("xdp-generic", self.doctor.codes())

    def test_another_host_that_answers_for_a_vip(self):
        rival = self.lab.hosts.get("rival") or self.lab.add_host("rival", 66)
        rival.must("ip", "addr", "add", f"{VIP4}/32", "dev", "eth0")
        rival.must("ip", "addr", "add", f"{VIP6}/128", "dev", "eth0", "nodad")
        said = [each["what"] for each in self.doctor.ask()["findings"]
                if each["code"] == "vip-claimed"]
        self.assertEqual(len(said), 2, said)
        for vip, what in zip((VIP4, VIP6), sorted(said)):
            self.assertEqual(what, f"{vip} on eth0 is answered for by {rival.mac}")
        rival.must("ip", "addr", "del", f"{VIP4}/32", "dev", "eth0")
        rival.must("ip", "addr", "del", f"{VIP6}/128", "dev", "eth0")
        self.assertNotIn("vip-claimed", self.doctor.codes())

    def test_a_foreign_program_that_took_the_place_of_ours(self):
        pin = self.node.bpffs_mount / "stranger"
        passprog.pin(pin)
        self.addCleanup(pin.unlink)
        self.addCleanup(self.node.run, "ip", "link", "set", "dev", "eth0", "xdp", "off")
        shown = json.loads(self.node.must("bpftool", "-j", "link", "show").stdout)
        number = self.node.xdp()[1]
        link = next(each["id"] for each in shown if each.get("prog_id") == number)
        # One that is awake puts its own back within milliseconds.
        self.node.daemon.send_signal(signal.SIGSTOP)
        try:
            self.node.must("sh", "-ec", f"""
                bpftool link detach id {link}
                ip link set dev eth0 xdp pinned {pin}""")
        finally:
            self.node.daemon.send_signal(signal.SIGCONT)
        self.assertIn("pass_all", self.doctor.findings()["xdp-foreign"]["what"])
        self.doctor.cure("xdp-foreign")
        self.assertLessEqual(self.doctor.codes(), {"xdp-missing"})
        self.node.stop()  # what systemctl restart does
        self.node.start(accept=(0, 4))
        self.assertEqual(self.doctor.codes(), set())

    def test_a_daemon_that_was_killed_is_looked_at_from_outside(self):
        self.node.kill()
        document = self.doctor.ask()
        self.assertFalse(document["by_daemon"])
        self.assertEqual(document["node"], self.node.name)
        found = self.doctor.findings()
        self.assertEqual(set(found), {"daemon-down"})
        self.assertIn("forwards on", found["daemon-down"]["what"])
        results = self.doctor.results()
        for code in ("xdp-foreign", "backend-silent", "vip-claimed", "bpf-refused"):
            self.assertEqual(results[code], "well", code)
        self.node.start()
        self.assertEqual(self.doctor.codes(), set())


class OutsideTest(ClusterTest):
    """No daemon runs: at three in the morning it would not start."""

    lab_options = {"backends": 2}
    start_node = False

    def setUp(self):
        self.doctor = Doctor(self, self.node)
        self.node.write_config(self.node.standard_config())

    def test_before_the_first_start(self):
        self.assertEqual(self.doctor.codes(), {"daemon-down"})
        said = self.node.cli("doctor", *self.doctor.places()).stdout
        self.assertIn("looked at from outside: ", said)
        self.assertIn("-> systemctl restart basculed", said)

    def test_a_foreign_program(self):
        self.node.attach_foreign_program()
        self.addCleanup(self.node.run, "ip", "link", "set", "dev", "eth0", "xdp", "off")
        self.assertIn("pass_all", self.doctor.findings()["xdp-foreign"]["what"])
        self.doctor.cure("xdp-foreign")
        self.assertIsNone(self.node.xdp())

    def test_a_configuration_with_errors(self):
        self.node.write_config(self.node.standard_config().text().replace("[node]", "[nod]", 1))
        document = self.doctor.ask()
        self.assertIn("config-invalid", {each["code"] for each in document["findings"]})
        reasons = {each["why"] for each in document["checks"] if each["code"] == "xdp-foreign"}
        self.assertEqual(reasons, {"the configuration has errors"})

    def test_interfaces_that_are_not_there_or_down(self):
        config = self.node.standard_config()
        config.node["interfaces"] = ["eth0", "eth7"]
        self.node.write_config(config)
        self.assertIn("eth7", self.doctor.findings()["link-missing"]["what"])
        self.node.must("ip", "link", "add", "eth7", "type", "bridge")
        self.addCleanup(self.node.must, "ip", "link", "del", "eth7")
        self.assertNotIn("link-missing", self.doctor.codes())
        found = self.doctor.findings()["link-down"]
        self.assertEqual(found["command"], "ip link set eth7 up")
        self.doctor.follow(found["command"])
        self.assertNotIn("eth7 is down", json.dumps(self.doctor.ask()))

    def test_no_bpffs(self):
        place = self.node.directory / "plain"
        place.mkdir()
        self.addCleanup(place.rmdir)
        self.addCleanup(subprocess.run, ["umount", str(place)], check=False,
                        capture_output=True)
        self.doctor.cure("bpffs-missing", bpffs=place / "bascule")

    def test_a_state_directory_without_room(self):
        place = self.node.directory / "disk"
        place.mkdir()
        self.addCleanup(place.rmdir)
        checked(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)])
        self.addCleanup(checked, ["umount", str(place)])
        self.assertEqual(self.doctor.codes(state_dir=place), {"daemon-down", "state-full"})
        checked(["mount", "-o", "remount,ro,size=64m", str(place)])
        self.assertEqual(self.doctor.codes(state_dir=place),
                         {"daemon-down", "state-unwritable"})

    def test_backends_are_asked_for(self):
        config = self.node.standard_config()
        config.service("web").backends.append(BackendEntry("web9", "10.9.0.29"))
        self.node.write_config(config)
        found = self.doctor.findings()
        self.assertEqual(set(found), {"daemon-down", "backend-silent"})
        self.assertIn("web/web9", found["backend-silent"]["what"])

    def test_without_rights_it_says_what_it_could_not_see(self):
        done = self.node.run("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                             *self.node.cli_command("doctor", "--json", *self.doctor.places()))
        document = json.loads(done.stdout)
        results = {each["code"]: each["result"] for each in document["checks"]}
        self.assertEqual(results["vip-claimed"], "not_made", done.stdout)
        self.assertNotIn("xdp-foreign", {each["code"] for each in document["findings"]})


class ClusterDoctorTest(PairTest):
    lab_options = {"nodes": 2, "backends": 2}

    def setUp(self):
        super().setUp()
        self.doctor = Doctor(self, self.node)
        wait_until(lambda: not self.doctor.codes(), 30, "a cluster that is well")

    def test_one_that_is_well(self):
        for node in self.nodes:
            doctor = Doctor(self, node)
            wait_until(lambda doctor=doctor: not doctor.codes(), 30, f"{node.name} to be well")
            results = doctor.results()
            for code in ("peer-silent", "path-down", "peer-config", "peer-ring", "clock-skew",
                         "sessions-behind", "own-address-missing", "key-open", "key-damaged"):
                self.assertEqual(results[code], "well", code)

    def test_a_key_file_that_others_may_read(self):
        path = key_path(self.node)
        path.chmod(0o644)
        self.addCleanup(path.chmod, 0o600)
        found = self.doctor.findings()
        self.assertEqual(set(found), {"key-open"})
        self.doctor.cure("key-open")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_a_key_file_that_is_gone_or_damaged(self):
        path = key_path(self.node)
        text = path.read_text()
        self.addCleanup(self.lab.write_key, self.node)
        path.write_text(text[:-9])
        self.assertEqual(self.doctor.codes(), {"key-damaged"})
        path.unlink()
        self.assertEqual(self.doctor.codes(), {"key-missing"})

    def test_a_peer_with_another_configuration(self):
        two = self.nodes[1]
        good = two.config
        other = good.copy()
        other.service("web").backends[0].weight = 7
        two.reload(other)
        self.addCleanup(two.reload, good)
        found = self.doctor.wait_for("peer-config")
        self.assertIn(two.name, found["what"])
        self.doctor.wait_for("peer-ring")
        two.reload(good)
        self.doctor.wait_gone("peer-config")
        self.doctor.wait_gone("peer-ring")

    def test_a_path_that_is_cut_and_a_peer_that_is_dead(self):
        two = self.nodes[1]
        port = cable_port(two)
        self.lab.on_switch(f"ip link set {port} down")
        self.addCleanup(self.lab.on_switch, f"ip link set {port} up")
        found = self.doctor.wait_for("path-down")
        self.assertIn("fd00:9:1::12", found["what"])
        self.lab.on_switch(f"ip link set {port} up")
        self.doctor.wait_gone("path-down", 30)
        two.kill()
        found = self.doctor.wait_for("peer-silent")
        self.assertIn(two.name, found["what"])
        self.assertNotIn("path-down", self.doctor.codes(), "it is said once")
        two.start(accept=(0, 4))
        self.doctor.wait_gone("peer-silent", 30)

    def test_an_own_address_that_is_gone(self):
        address = "fd00:9:1::11/64"
        self.node.must("ip", "addr", "del", address, "dev", "eth1")
        self.addCleanup(self.node.must, "ip", "addr", "replace", address, "dev", "eth1", "nodad")
        found = self.doctor.findings()
        self.assertIn("fd00:9:1::11", found["own-address-missing"]["what"])
        self.node.must("ip", "addr", "replace", address, "dev", "eth1", "nodad")
        self.doctor.wait_gone("own-address-missing")

    def test_witnesses_that_are_silent(self):
        good = self.node.config
        self.node.reload(self.lab.config(self.node, cluster={"witness": ["10.9.0.77"]}))
        self.addCleanup(self.node.reload, good)
        found = self.doctor.wait_for("witness-silent")
        self.assertIn("10.9.0.77", found["what"])
        self.node.reload(good)
        self.doctor.wait_gone("witness-silent")

    def test_a_cluster_without_its_daemon(self):
        self.node.kill()
        self.addCleanup(self.node.start, accept=(0, 4))
        document = self.doctor.ask()
        results = {each["code"]: each["result"] for each in document["checks"]}
        self.assertEqual(results["peer-silent"], "not_made")
        self.assertEqual(results["own-address-missing"], "well")
        self.assertEqual(results["vip-claimed"], "not_needed", "the peer has it now")
        self.assertEqual(self.doctor.codes(), {"daemon-down"})
