# SPDX-License-Identifier: Apache-2.0
"""Checks together with what else decides on a server: the operator, quorum, a program's weight, a
daemon that is killed; and who is told: a hook, `bascule events`."""

import json
import signal
import time

from cluster_test import ClusterTest
from host import PYTHON, VIP4, wait_until
from node import BackendEntry, ServiceEntry, add_services
from patients import Patient

QUORUM_VIP = "10.9.0.101"  # which no server has: its service is there to be given up
NAMES = ["web1", "web2", "web3", "web4"]
WEB, REFUSING, WEIGHED = 80, 81, 82
CHECK = {"interval": "200ms", "fast_interval": "100ms", "timeout": "200ms", "flap_limit": 0}

HOOK = """#!/bin/sh
echo "$BASCULE_SERIAL $BASCULE_EVENT $BASCULE_SUBJECT $BASCULE_SERVICE $BASCULE_NODE:\
 $BASCULE_TEXT" >> {told}
"""
WEIGH = """#!/bin/sh
cat {directory}/weight-$BASCULE_BACKEND
[ "$BASCULE_VIP:$BASCULE_VIP_PORT" = {vip}:{port} ]
"""
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5).close()
    print("served")
except OSError as error:
    print(type(error).__name__)
"""


class HealthWordsTest(ClusterTest):
    lab_options = {"backends": 4}

    @classmethod
    def prepare(cls):
        cls.patients = {}
        for host in cls.lab.backends:
            host.stop_servers()
            patient = cls.patients[host.name] = Patient(host)
            patient.start_web({host.name: WEB, f"{host.name}:refusing": REFUSING,
                               f"{host.name}:weighed": WEIGHED})
        for host in cls.lab.backends:
            host.wait_listening()
        cls.told = cls.lab.directory / "told"
        cls.hook = cls.program("hook", HOOK.format(told=cls.told))
        cls.weigh = cls.program("weigh", WEIGH.format(directory=cls.lab.directory, vip=VIP4,
                                                      port=WEIGHED))
        for name in NAMES:
            cls.weighs(name, "weight 100")

    @classmethod
    def program(cls, name, text):
        path = cls.lab.directory / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    @classmethod
    def weighs(cls, name, text):
        (cls.lab.directory / f"weight-{name}").write_text(text + "\n")

    @classmethod
    def configure(cls):
        node = cls.lab.node
        config = node.standard_config(v6=False)
        config.services.clear()
        config.hook = {"command": [str(cls.hook)], "user": "root"}
        hosts = {name: (cls.lab.hosts[name], WEB) for name in NAMES}

        def checks(kind, **keys):
            return {f"health.{key}": value for key, value in
                    {"type": kind, **CHECK, **keys}.items()}

        add_services(config, "web", WEB, hosts, ["tcp"], ring_size=1009,
                     **checks("http", path="/health"))
        two = {name: (cls.lab.hosts[name], REFUSING) for name in NAMES[:2]}
        add_services(config, "refusing", REFUSING, two, ["tcp"], quorum=2, on_empty="reset",
                     **checks("icmp"))
        weighed = {name: (cls.lab.hosts[name], WEIGHED) for name in NAMES[:2]}
        add_services(config, "weighed", WEIGHED, weighed, ["tcp"], ring_size=1009,
                     **checks("exec", command=[str(cls.weigh)], timeout="200ms"))
        config.services = [service for service in config.services if service.vip == VIP4]
        config.vips = [(VIP4, "eth0"), (QUORUM_VIP, "eth0")]
        config.services.append(ServiceEntry(
            "leaving", QUORUM_VIP, WEB, "tcp",
            [BackendEntry(name, cls.lab.hosts[name].v4[0], WEB) for name in NAMES[:2]],
            {"quorum": 2, "give_up_vip": True, **checks("icmp")}))
        return config

    def setUp(self):
        self.wait_health("up", *(f"{service}/{name}" for name in NAMES[:2]
                                 for service in ("web-tcp4", "refusing-tcp4", "leaving")))
        wait_until(lambda: QUORUM_VIP in self.node.addresses(), 20, f"{QUORUM_VIP} to be held")

    # ---- what is waited for ----

    def wait_health(self, health, *names):
        wait_until(lambda: all(self.node.health()[name]["health"] == health for name in names), 20,
                   f"{names} to be {health}")

    def wait_state(self, state, name):
        wait_until(lambda: self.node.backends()[name]["state"] == state, 20,
                   f"{name} to be {state}")

    def last_serial(self):
        return self.node.events()[-1]["serial"]

    def wait_event(self, kind, subject, after):
        def event():
            return next((each for each in self.node.events(after)
                         if (each["kind"], each["subject"]) == (kind, subject)), None)

        return wait_until(event, 20, f"event {kind} of {subject}")

    def mute(self, name):
        """No ping is answered any more, to this node or anyone."""
        self.patients[name].firewall("icmp type echo-request drop")
        self.addCleanup(self.unmute, name)

    def unmute(self, name):
        self.lab.hosts[name].run("nft", "delete table inet ill")

    def connect(self, port):
        return self.client.must(PYTHON, "-c", CONNECT, VIP4, port).stdout.strip()

    def served_by(self, port=WEB):
        flows = self.flows_of(requests=200, target=f"{VIP4}:{port}")
        return {name.partition(":")[0] for name in flows}

    # ---- the operator ----

    def test_disabled_prevails_and_checks_go_on(self):
        name = "web-tcp4/web1"
        self.addCleanup(self.node.cli, "enable", name)
        self.node.must_cli("disable", name)
        self.assertEqual(self.node.backends()[name]["state"], "disabled")
        self.assertEqual(self.served_by(), set(NAMES[1:]))
        checks = self.node.health()[name]["checks"]
        wait_until(lambda: self.node.health()[name]["checks"] > checks + 2, 20, "more checks")
        self.assertEqual(self.node.health()[name]["health"], "up")
        self.patients["web1"].mark("failing")
        self.wait_health("down", name)
        self.assertEqual(self.node.backends()[name]["state"], "disabled")
        self.node.must_cli("enable", name)
        self.assertEqual(self.node.backends()[name]["state"], "down")
        self.assertEqual(self.served_by(), set(NAMES[1:]))
        self.patients["web1"].unmark("failing")
        self.wait_state("up", name)
        self.assertEqual(self.served_by(), set(NAMES))

    def test_a_drained_one_that_dies_and_returns_is_drained_still(self):
        name = "web-tcp4/web2"
        self.addCleanup(self.node.cli, "enable", name)
        self.node.must_cli("drain", name)
        self.patients["web2"].mark("failing")
        self.wait_state("down", name)
        self.patients["web2"].unmark("failing")
        self.wait_state("drained", name)
        self.assertEqual(self.served_by(), {"web1", "web3", "web4"})

    # ---- quorum ----

    def test_below_its_quorum_a_service_answers_as_if_empty(self):
        self.assertEqual(self.connect(REFUSING), "served")
        serial = self.last_serial()
        self.mute("web1")
        down = self.wait_event("service_down", "refusing-tcp4", serial)
        self.assertIn("1 of 2", down["text"])
        wait_until(lambda: self.connect(REFUSING) == "ConnectionRefusedError", 10, "a refusal")
        self.assertEqual(self.node.backends()["refusing-tcp4/web2"]["health"], "up")
        self.assertEqual(self.node.cli("status").returncode, 4)
        self.unmute("web1")
        self.wait_event("service_up", "refusing-tcp4", serial)
        wait_until(lambda: self.connect(REFUSING) == "served", 10, "new flows to be served")

    def test_below_its_quorum_a_service_gives_up_its_vip(self):
        serial = self.last_serial()
        self.assertIn(QUORUM_VIP, self.node.addresses())
        self.mute("web2")
        self.wait_event("vip_given_up", QUORUM_VIP, serial)
        wait_until(lambda: QUORUM_VIP not in self.node.addresses(), 10, "the VIP to go")
        self.assertIn(VIP4, self.node.addresses(), "another VIP is another matter")
        self.unmute("web2")
        self.wait_event("vip_taken_back", QUORUM_VIP, serial)
        wait_until(lambda: QUORUM_VIP in self.node.addresses(), 10, "the VIP to return")

    def test_a_given_up_vip_that_another_host_has_stops_neither_start_nor_reload(self):
        serial = self.last_serial()
        self.mute("web2")
        self.wait_event("vip_given_up", QUORUM_VIP, serial)
        other = self.lab.hosts["web1"]
        other.run("ip", "addr", "add", f"{QUORUM_VIP}/24", "dev", "eth0")
        self.addCleanup(other.run, "ip", "addr", "del", f"{QUORUM_VIP}/24", "dev", "eth0")
        self.node.kill()
        self.node.start((0, 4))
        self.unmute("web2")
        self.wait_health("up", "leaving/web2")
        self.node.must_cli("reload")
        self.assertNotIn(QUORUM_VIP, self.node.addresses(), "two hosts would have it")
        self.doCleanups()
        wait_until(lambda: QUORUM_VIP in self.node.addresses(), 20, "the VIP to return")

    # ---- programs ----

    def test_a_program_decides_on_the_weight(self):
        self.wait_health("up", "weighed-tcp4/web1", "weighed-tcp4/web2")
        self.assertEqual(self.weight("web1"), 100)
        # A first word counts at once; a second one would wait for some seconds.
        self.weighs("web1", "weight 20")
        wait_until(lambda: self.weight("web1") == 20, 20, "a weight of 20")
        flows = self.flows_of(requests=600, target=f"{VIP4}:{WEIGHED}")
        self.assert_shares(flows, {"web1:weighed": 20, "web2:weighed": 100}, tolerance=0.5)
        self.weighs("web2", "weight 0")
        wait_until(lambda: self.weight("web2") == 0, 20, "a weight of 0")
        self.assertEqual(self.served_by(WEIGHED), {"web1"})

    def weight(self, name):
        return self.node.backends()[f"weighed-tcp4/{name}"]["weight"]

    def test_a_program_that_others_could_change_is_refused(self):
        bad = self.lab.directory / "bad"
        bad.write_text("#!/bin/sh\n")
        bad.chmod(0o777)
        config = self.configure()
        config.service("weighed-tcp4").options["health.command"] = [str(bad)]
        self.node.write_config(config)
        done = self.node.cli("reload")
        self.node.write_config(self.configure())
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stdout + done.stderr,
                         r"bascule\.toml:\d+:\d+: command: .*/bad is writable for others than root")

    # ---- who is told ----

    def test_the_hook_is_told_of_each_change_in_order(self):
        serial = self.last_serial()
        name = "web-tcp4/web3"
        self.patients["web3"].mark("failing")
        self.wait_event("backend_down", name, serial)
        self.patients["web3"].unmark("failing")
        up = self.wait_event("backend_up", name, serial)
        wait_until(lambda: self.lines_of(serial)[-1:] and
                   int(self.lines_of(serial)[-1].split()[0]) >= up["serial"], 20, "the hook")
        mine = [line for line in self.lines_of(serial) if f" {name} " in line]
        self.assertRegex(mine[0], rf"^\d+ backend_down {name} web-tcp4 node1: HTTP 500 ")
        self.assertRegex(mine[-1], rf"^\d+ backend_up {name} web-tcp4 node1: ")
        serials = [int(line.split()[0]) for line in self.lines_of(serial)]
        self.assertEqual(serials, sorted(serials))

    def lines_of(self, after):
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        return [line for line in lines if int(line.split()[0]) > after]

    def test_events_are_followed_as_they_come(self):
        follower = self.node.spawn(self.node.cli_command("events", "-f", "--json"),
                                   log="followed.out")
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        name = "web-tcp4/web4"
        followed = self.node.directory / "followed.out"

        def told(kind):
            events = [json.loads(line) for line in followed.read_text().splitlines()]
            return [each for each in events if (each.get("kind"), each.get("subject")) ==
                    (kind, name) and each["time"] > began]

        began = time.time()
        self.patients["web4"].mark("failing")
        wait_until(lambda: told("backend_down"), 20, "the fall to be followed")
        self.patients["web4"].unmark("failing")
        wait_until(lambda: told("backend_up"), 20, "the return to be followed")
        follower.send_signal(signal.SIGINT)
        self.assertIn(follower.wait(timeout=15), (0, 130, -signal.SIGINT))

    # ---- the daemon's own life ----

    def test_a_daemon_killed_and_started_again_knows_who_is_dead(self):
        self.patients["web1"].mark("failing")
        self.wait_health("down", "web-tcp4/web1")
        fresh = self.http(connections=32, rate=100)
        fresh.wait_answers(100)
        self.node.kill()
        fresh.wait_answers(50)
        self.node.start((0, 4))
        fresh.wait_answers(100)
        self.wait_health("down", "web-tcp4/web1")
        result = fresh.stop()
        self.patients["web1"].unmark("failing")
        self.assert_none_failed(result, at_least=250)
        self.assertEqual(set(result["flows"]), set(NAMES[1:]))
        self.wait_health("up", "web-tcp4/web1")

    def test_a_fresh_start_meets_no_client_with_an_empty_ring(self):
        self.node.stop()
        self.node.start((0, 4))
        # As soon as it has the VIP again.
        self.assertEqual(self.served_by(), set(NAMES))
