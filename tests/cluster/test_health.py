# SPDX-License-Identifier: Apache-2.0
"""Servers fall ill in every way that checks have to find, all at once, and get well again.

All of it happens once, while loads run; the tests judge what was seen. The node holds the VIPs, so
checks by the VIP go the true path.
"""

import re
import signal
import time

import load
from cluster_test import ClusterTest
from host import VIP4, VIP6
from node import add_services
from patients import TLS_NAME, TLS_PORT, ZONE, DNS_PORT, Authority, Illness, Patient
from wide import WideLab

FRONTS = [f"front{number}" for number in range(1, 12)]
BACKS = ["back1", "back2"]
WELL = ["front10", "front11", "back2"]
WEB, ECHO, TUNNEL, PORTED, WRONG_PORT = 80, 5353, 8001, 8002, 8003

INTERVAL, TIMEOUT, FALL = 0.4, 0.4, 3
CHECK = {"interval": f"{INTERVAL * 1000:.0f}ms", "fast_interval": "100ms", "rise": 2, "fall": FALL,
         "timeout": f"{TIMEOUT * 1000:.0f}ms", "flap_limit": 0}
FOUND_WITHIN = FALL * INTERVAL + TIMEOUT
NOISE = 1.5  # seconds that a busy machine may add to it
# New connections avoid a server 10 ms after the verdict; the rest is between two of our processes.
AVOIDED_WITHIN = 0.010 + 0.250


def health(kind, **keys):
    return {f"health.{key}": value for key, value in {"type": kind, **CHECK, **keys}.items()}


class HealthTest(ClusterTest):
    status_at_start = (0, 4)  # `ported` never has a server
    alone = True              # it measures how soon what is ill is found

    @classmethod
    def make_lab(cls):
        return WideLab({**{name: "front" for name in FRONTS}, **{name: "back" for name in BACKS}},
                       client_addresses=16)

    @classmethod
    def prepare(cls):
        authority = cls.authority = Authority(cls.lab.directory)
        cls.patients = {}
        for host in cls.lab.backends:
            # Linux tells one peer one ICMP error a second, fewer than checks as quick as these ask.
            host.must("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
            with_tls = host.name in ("front3", "front10")
            patient = cls.patients[host.name] = Patient(host, authority if with_tls else None)
            if host.name in BACKS:
                cls.lab.start_companion(host, ["ipip"])
                patient.start_web({host.name: TUNNEL})
                continue
            host.hold_vip()
            patient.start_web({f"{host.name}": WEB, f"{host.name}:ported": WRONG_PORT})
            host.start_udp({host.name: ECHO})
            if host.name in ("front4", "front10"):
                patient.start_dns()
        for host in cls.lab.backends:
            host.wait_listening()

    @classmethod
    def configure(cls):
        config, hosts = cls.lab.config(), cls.lab.hosts

        def add(name, port, names, protocols, server_port=None, **options):
            add_services(config, name, port,
                         {each: (hosts[each], server_port or port) for each in names}, protocols,
                         ring_size=5003, **options)

        page = {"path": "/health", "expect": "all is ok", "status": "200"}
        add("web", WEB, FRONTS, ["tcp"], **health("http", **page))
        add("echo", ECHO, ["front1", "front2", "front10", "front11"], ["udp"],
            **health("udp", send="how are you?", expect_regex="how are you.$"))
        add("tls", TLS_PORT, ["front3", "front10"], ["tcp"],
            **health("https", path="/health", ca=str(cls.authority.certificate), sni=TLS_NAME))
        add("names", DNS_PORT, ["front4", "front10"], ["udp"],
            **health("dns", name=f"www.{ZONE}", answer="192.0.2.7"))
        add("tunnel", TUNNEL, BACKS, ["tcp"], forward="ipip", **health("tcp"))
        # Nobody on the server puts the port right again.
        add("ported", PORTED, ["front10"], ["tcp"], WRONG_PORT, **health("tcp"))
        return config

    @classmethod
    def illnesses(cls):
        sick = cls.patients

        def web(name):
            return [f"web-tcp4/{name}", f"web-tcp6/{name}"]

        def with_number(number, text):
            return text.replace("@", rf"(10\.9\.0\.{30 + number}|\[?fd00:9::{30 + number}\]?)")

        return [
            Illness("killed", web("front1"), with_number(1, r"^connection refused by @\b.*RST"),
                    sick["front1"].kill_web, sick["front1"].start_web_again),
            Illness("stopped", web("front2"), r"^connected, no answer within 400ms$",
                    lambda: sick["front2"].signal_web(signal.SIGSTOP),
                    lambda: sick["front2"].signal_web(signal.SIGCONT)),
            Illness("status 500", web("front3"), r"^HTTP 500 Internal Server Error$",
                    lambda: sick["front3"].mark("failing"),
                    lambda: sick["front3"].unmark("failing")),
            Illness("wrong body", web("front4"), r'^body lacks "all is ok"$',
                    lambda: sick["front4"].write_page("all is lost\n"),
                    lambda: sick["front4"].write_page("all is ok\n")),
            Illness("slow body", web("front5"),
                    r"^body not complete within 400ms: \d+ bytes so far$",
                    lambda: sick["front5"].mark("slow"), lambda: sick["front5"].unmark("slow")),
            Illness("firewall drops", web("front6"), r"ping: a firewall drops it$",
                    lambda: sick["front6"].firewall("tcp dport 80 drop"),
                    sick["front6"].firewall_off),
            Illness("firewall rejects", web("front7"),
                    with_number(7, r"^port unreachable, says @ \(ICMP\)$"),
                    lambda: sick["front7"].firewall("tcp dport 80 reject"),
                    sick["front7"].firewall_off),
            Illness("link down", web("front8"),
                    r"nothing answers, its host .* neither$|^\S+ cannot be reached|unreachable"
                    r"|^the probe was not sent",
                    sick["front8"].unplug, sick["front8"].plug),
            Illness("VIP missing", web("front9"), r"is the VIP on its loopback",
                    sick["front9"].lose_vips, sick["front9"].find_vips),
            Illness("tunnel broken", ["tunnel-tcp4/back1", "tunnel-tcp6/back1"],
                    r"^protocol (4|41) unreachable, says (10\.9\.1\.42|fd00:9:1::42): the tunnel "
                    r"is not taken apart there$",
                    lambda: cls.lab.companions["back1"].stop(),
                    lambda: cls.lab.companions["back1"].start()),
            Illness("certificate expired", ["tls-tcp4/front3", "tls-tcp6/front3"],
                    r"^certificate expired \d+ seconds? ago$",
                    lambda: sick["front3"].show_certificate(0),
                    lambda: sick["front3"].show_certificate(2)),
            Illness("DNS SERVFAIL", ["names-udp4/front4", "names-udp6/front4"], r"^DNS SERVFAIL",
                    sick["front4"].answer_servfail, sick["front4"].answer_dns),
            Illness("UDP server killed", ["echo-udp4/front1", "echo-udp6/front1"],
                    r"^port unreachable, says (10\.9\.0\.31|fd00:9::31) \(ICMP\)$",
                    sick["front1"].kill_udp,
                    lambda: cls.lab.hosts["front1"].start_udp({"front1": ECHO})),
            Illness("UDP server stopped", ["echo-udp4/front2", "echo-udp6/front2"],
                    r"^no answer", lambda: cls.lab.hosts["front2"].udp.send_signal(signal.SIGSTOP),
                    lambda: cls.lab.hosts["front2"].udp.send_signal(signal.SIGCONT)),
        ]

    # ---- what happens, once ----

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.all_ill = cls.illnesses()
        cls.known = [name for illness in cls.all_ill for name in illness.backends]
        cls.healthy_at_start = cls.healthy()
        cls.start_loads()
        cls.serial = cls.node.events()[-1]["serial"]
        cls.begun = {}
        for illness in cls.all_ill:
            cls.begun[illness.name] = time.time()
            illness.begin()
        cls.missed = cls.waited_for(lambda: not set(cls.known) & cls.healthy(), 15)
        cls.wait_reasons(8)
        cls.found = cls.node.health("--history")
        cls.rows = cls.node.backends()
        load.wait_answers(list(cls.loads.values()), 60)
        cls.results = {name: running.stop() for name, running in cls.loads.items()}
        for illness in cls.all_ill:
            illness.end()
        cls.uncured = cls.waited_for(lambda: set(cls.known) <= cls.healthy(), 30)
        cls.healed = cls.node.health("--history")
        cls.told = cls.node.events(cls.serial)

    @classmethod
    def waited_for(cls, condition, seconds):
        """Waits; what does not come to be is a test's to tell. True: in vain."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return True
            time.sleep(0.1)
        return False

    @classmethod
    def healthy(cls):
        return {name for name, row in cls.node.health().items() if row["health"] == "up"}

    @classmethod
    def wait_reasons(cls, seconds):
        """The second look at a silent server takes a little longer than the verdict."""
        def all_told():
            shown = cls.node.health()
            return all(cls.matches(shown[name]["reason"], illness)
                       for illness in cls.all_ill for name in illness.backends)

        cls.waited_for(all_told, seconds)

    @staticmethod
    def matches(text, illness):
        return re.search(illness.reason, text or "") is not None

    @classmethod
    def start_loads(cls):
        cls.loads = {}
        for vip, family in ((VIP4, 4), (VIP6, 6)):
            def place(port, vip=vip):
                return {"target": f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}",
                        "v6": ":" in vip, "most_failures": 100_000}

            # Connections that last, connections that are always new, and UDP flows that last. So
            # many that each of eleven servers has some: without one it would be 5e-8.
            cls.loads[f"lasting{family}"] = load.http(cls.client, connections=176, rate=200,
                                                      per_connection=0, timeout=6, **place(WEB))
            cls.loads[f"fresh{family}"] = load.http(cls.client, connections=300, rate=60, timeout=3,
                                                    **place(WEB))
            cls.loads[f"udp{family}"] = load.udp(cls.client, window=32, packets=0, rate=150,
                                                 timeout=0.5, **place(ECHO))
            cls.loads[f"tunnel{family}"] = load.http(cls.client, connections=16, per_connection=0,
                                                     rate=60, timeout=6, **place(TUNNEL))
        for running in cls.loads.values():
            cls.addClassCleanup(running.process.wait)
            cls.addClassCleanup(running.process.kill)
        load.wait_answers(list(cls.loads.values()), 100)

    def judge_each(self, judge):
        """Of every illness with every backend that has it."""
        for illness in self.all_ill:
            for name in illness.backends:
                with self.subTest(illness.name, backend=name):
                    judge(illness, name)

    def verdict(self, name):
        """When the checks took a backend down (Unix time)."""
        return next(change["time"] for change in self.found[name]["changes"]
                    if change["to"] == "down" and change["time"] > min(self.begun.values()))

    # ---- what was seen ----

    def test_all_were_well_before(self):
        self.assertLessEqual(set(self.known), self.healthy_at_start)

    def test_each_is_found_in_time(self):
        def judge(illness, name):
            self.assertEqual(self.found[name]["health"], "down", self.found[name])
            took = self.verdict(name) - self.begun[illness.name]
            self.assertLess(took, FOUND_WITHIN + NOISE)

        self.judge_each(judge)

    def test_each_is_told_by_its_own_reason(self):
        self.judge_each(lambda illness, name: self.assertRegex(self.found[name]["reason"] or "",
                                                               illness.reason))

    def test_checks_went_the_true_path(self):
        def judge(_, name):
            self.assertEqual(self.found[name]["via"], "vip")
            self.assertIn(VIP4 if name.split("/")[0][-1] == "4" else VIP6, self.found[name]["to"])

        self.judge_each(judge)

    def test_a_wrong_port_is_told(self):
        for service in ("ported-tcp4", "ported-tcp6"):
            row = self.found[f"{service}/front10"]
            self.assertEqual((row["health"], row["reason"]),
                             ("down", f"answers from port {WRONG_PORT} instead of {PORTED}"))

    def test_a_dead_one_takes_no_new_flows_and_shows_as_down(self):
        # One that has no link may be known as unreachable by then, which comes first.
        self.judge_each(lambda _, name: self.assertIn(self.rows[name]["state"],
                                                      ("down", "unresolved")))

    def test_new_connections_avoid_the_dead(self):
        for family in (4, 6):
            result = self.results[f"fresh{family}"]
            dead = [f"web-tcp{family}/front{number}" for number in range(1, 10)]
            last = max(self.verdict(name) for name in dead) + AVOIDED_WITHIN
            late = [each for each in result["failures"] if each[0] > last]
            self.assertEqual(late, [], f"the last verdict was at {last - AVOIDED_WITHIN}")
            # These still answer, but for their pages of health.
            for name in ("front3", "front4", "front5"):
                answered = result["started_unix"] + result["last_answer"][name]
                self.assertLess(answered, self.verdict(f"web-tcp{family}/{name}") + AVOIDED_WITHIN)

    def test_sessions_of_the_others_lose_nothing(self):
        for name, result in self.results.items():
            if name.startswith("fresh"):
                continue
            lost = [each for each in result["failures"] if each[1] in WELL]
            self.assertEqual(lost, [], name)
            served = {name for name in result["requests"] if name in WELL}
            self.assertTrue(served, f"{name}: {result['requests']}")

    def test_sessions_of_the_dead_are_reset(self):
        # By those that they go to, who never heard of them.
        for family in (4, 6):
            result = self.results[f"lasting{family}"]
            self.assertEqual(result["changed"], 0)
            for name in ("front6", "front9"):
                reasons = {each[2] for each in result["failures"] if each[1] == name}
                self.assertTrue(reasons, f"no lasting session at {name} has failed")
                self.assertIn("ECONNRESET", {each.removeprefix("idle: ") for each in reasons},
                              (name, result["reasons"]))
                self.assertNotIn("answer timeout", reasons)

    def test_udp_goes_on_at_another(self):
        for family in (4, 6):
            result = self.results[f"udp{family}"]
            verdicts = [self.verdict(f"echo-udp{family}/{name}") for name in ("front1", "front2")]
            late = [each for each in result["failures"] if each[0] > max(verdicts) + AVOIDED_WITHIN]
            self.assertEqual(late, [])
            self.assertGreater(result["changed"], 0, "no flow went to another server")

    def test_the_tunnel_that_works_takes_all(self):
        for family in (4, 6):
            result = self.results[f"tunnel{family}"]
            last = result["started_unix"] + result["last_answer"]["back1"]
            self.assertLess(last, self.verdict(f"tunnel-tcp{family}/back1") + AVOIDED_WITHIN)
            self.assertGreater(result["requests"]["back2"], result["requests"]["back1"])

    def test_all_get_well_again(self):
        def judge(_, name):
            row = self.healed[name]
            self.assertEqual((row["health"], row["reason"]), ("up", None), row)
            self.assertEqual([change["to"] for change in row["changes"]][-2:], ["down", "up"])

        self.judge_each(judge)

    def test_all_is_told_as_events(self):
        def judge(_, name):
            kinds = [event["kind"] for event in self.told if event["subject"] == name]
            self.assertEqual(kinds[:1] + kinds[-1:], ["backend_down", "backend_up"], kinds)
            down = next(event for event in self.told if event["subject"] == name)
            self.assertTrue(down["text"])
            self.assertAlmostEqual(down["time"], self.verdict(name), delta=0.5)

        self.judge_each(judge)

    def test_a_well_server_was_never_suspected(self):
        for name, row in self.healed.items():
            if name.split("/")[1] in WELL and not name.startswith("ported"):
                self.assertEqual([change["to"] for change in row["changes"]], ["up"], name)

    def test_afterwards_all_serve_again(self):
        flows = self.flows_of(requests=400, target=f"{VIP4}:{WEB}")
        self.assertEqual(set(flows), set(FRONTS))
