# SPDX-License-Identifier: Apache-2.0
"""What the tests of booted machines have in common: one lab for all of them, loads, and questions.

The tests are one story, told in the order of run.py: each takes the machines as the one before left
them, and has to leave a pair that is well. One that does not fails, and those after it say so.
"""

import json
import unittest

import load
import servers
from host import VIP4, LabError, wait_until
from steady import Lasting

SETTLED = 40   # seconds after which a pair is well again, on a machine that does much besides
KEPT = 100     # connections that stay
RATE = 100     # new connections a second

# What the load client wants to be told by a server, in Debian's nginx.
SITE = """\
server {{
    listen 80 default_server backlog=4096;
    keepalive_timeout 3600s;
    keepalive_requests 1000000000;
    access_log off;
    default_type text/plain;
    root /var/www/html;
    add_header X-Backend {name};
    add_header X-Client $remote_addr:$remote_port;
    location = /healthz {{
    }}
    location = /slow {{
        alias /var/www/html/large;
        limit_rate {slow_rate};
    }}
    location / {{
        return 200 "served by {name} for $remote_addr:$remote_port\\n{padding}\\n";
    }}
}}
"""


class BootedTest(unittest.TestCase):
    """`lab` is set by run.py before any test."""

    lab = None
    broken = None          # the test that left no pair that is well
    serves_load = False    # whether the servers answer as the load client wants it

    def setUp(self):
        if BootedTest.broken is not None:
            self.fail(f"{BootedTest.broken} left no pair that is well")
        self.lb1, self.lb2 = self.lab.pair
        self.web1, self.web2 = self.lab.servers

    # ---- what machines say ----

    @staticmethod
    def ask(machine, *words, accept=(0, 4)):
        """What `bascule … --json` answers."""
        done = machine.run("bascule", *words, "--json")
        if done.returncode not in accept:
            raise LabError(f"{machine.name}# bascule {' '.join(words)}: status {done.returncode}: "
                           f"{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def backend_states(self, machine):
        return {each["name"]: each["state"]
                for each in self.ask(machine, "show", "backends")["backends"]}

    def wait_backend(self, name, state, seconds=SETTLED):
        """Waits until both nodes hold a backend for `up`, `down` …"""
        for machine in self.lab.pair:
            wait_until(lambda machine=machine: self.backend_states(machine)[name] == state, seconds,
                       f"{machine.name} to hold {name} for {state}")

    def holder(self):
        """Who has the VIP, by the addresses: the names of the machines."""
        return [machine.name for machine in self.lab.pair
                if machine.is_on and VIP4 in addresses(machine)]

    def is_well(self):
        return all(machine.is_on and machine.run("bascule", "status").returncode == 0
                   for machine in self.lab.pair) and self.holder() == ["lb1"]

    def wait_well(self, seconds=SETTLED):
        """Waits until both nodes say that all is well, and lb1 alone has the VIP."""
        try:
            wait_until(self.is_well, seconds, "the pair to be well, with the VIP at lb1")
        except LabError as error:
            said = [f"{machine.name}# bascule status\n"
                    + machine.run("bascule", "status").stdout for machine in self.lab.pair
                    if machine.is_on]
            place = f"the VIP is at {self.holder()}"
            raise LabError("\n".join([str(error), place, *said])) from None

    def daemon(self, machine, unit="basculed"):
        """The main pid of a service, and how often systemd had to start it again."""
        shown = machine.must("systemctl", "show", "-p", "MainPID,NRestarts,ActiveState",
                             unit).stdout
        values = dict(line.split("=", 1) for line in shown.splitlines())
        self.assertEqual(values["ActiveState"], "active", f"{unit} on {machine.name}")
        return values["MainPID"], int(values["NRestarts"])

    def events(self, machine):
        """What the daemon that runs says has happened, in order."""
        return self.ask(machine, "events", "--limit", "1000")["events"]

    # ---- load ----

    def fresh(self, rate=RATE):
        """New connections, each for one request, until it is stopped."""
        running = self._started(load.http(self.lab.client, per_connection=1, connections=32,
                                          rate=rate))
        running.wait_answers(rate // 2)
        return running

    def who_serves(self):
        """Who serves new flows now: by a short load without a failure."""
        running = self._started(load.http(self.lab.client, per_connection=1, connections=16,
                                          requests=2 * RATE))
        result = running.wait()
        self._assert_no_failure(result, 2 * RATE)
        return set(result["flows"])

    def lasting(self, connections=KEPT):
        running = self._started(Lasting(self.lab.client, connections, rate=100))
        running.wait_up()
        return running

    def _started(self, running):
        self.addCleanup(running.process.wait)
        self.addCleanup(running.process.kill)
        return running

    def assert_none_failed(self, running, at_least=RATE // 2):
        self._assert_no_failure(running.stop(), at_least)

    def _assert_no_failure(self, result, at_least):
        self.assertEqual(result["failed"], 0, f"{result['reasons']}: {result['examples']}")
        self.assertEqual(result["changed"], 0, "flows were answered by several servers")
        self.assertGreaterEqual(result["answered"], at_least)

    def assert_none_broke(self, lasting):
        broken, reasons = lasting.check()
        self.assertEqual(broken, 0, f"of {lasting.connections} connections: {reasons}")

    def goes_on(self, *loads):
        """Waits until loads have had answers from now on."""
        load.wait_answers(loads, RATE // 2, seconds=30)

    def prepare_load(self):
        """Makes the servers' nginx answer what the load client wants to be told."""
        if BootedTest.serves_load:
            return
        for machine in self.lab.servers:
            machine.write("/var/www/html/large", servers.LARGE_PAGE.decode())
            machine.write("/etc/nginx/sites-available/default",
                          SITE.format(name=machine.name, padding=servers.BODY_PADDING,
                                      slow_rate=servers.SLOW_RATE))
            machine.must_shell("nginx -t && systemctl reload nginx")
            wait_until(lambda machine=machine: self._serves_load(machine), SETTLED,
                       f"nginx of {machine.name} to serve what it shall")
        BootedTest.serves_load = True

    def _serves_load(self, machine):
        """Whether its old processes, which a reload lets finish, take no connections any more."""
        said = self.lab.type_here(f"for n in $(seq 8); do curl -si http://{machine.v4[0]}/; done")
        return said.stdout.count(f"X-Backend: {machine.name}") == 8


class PairTest(BootedTest):
    """A test that wants a pair that is well and under load, and has to leave one."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self._look_back)
        self.wait_well()
        self.prepare_load()

    def _look_back(self):
        try:
            self.wait_well()
        except LabError:
            BootedTest.broken = self.id()
            raise


def addresses(machine, interface="eth0"):
    shown = json.loads(machine.must("ip", "-j", "addr", "show", "dev", interface).stdout)[0]
    return {entry["local"] for entry in shown["addr_info"]}


def xdp(machine, interface="eth0"):
    """The mode of the XDP program on an interface; None when there is none."""
    link = json.loads(machine.must("ip", "-j", "-d", "link", "show", "dev", interface).stdout)[0]
    attached = link.get("xdp")
    return {1: "native", 2: "generic", 3: "offloaded"}.get(attached["mode"]) if attached else None
