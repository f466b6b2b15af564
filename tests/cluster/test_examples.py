# SPDX-License-Identifier: Apache-2.0
"""The example configurations that are shipped, with the lab's addresses put in, serve real clients.

What an operator would change is changed here, and nothing else.
"""

import re
from pathlib import Path

from cluster_test import ClusterTest
from companion import Companion
from host import VIP4, wait_until
from node import TREE
from pair import CABLE, PairLab, key_path
from patients import ZONE, Patient

EXAMPLES = TREE / "etc" / "examples"
SECOND_VIP = "10.9.0.101"
# RFC 5737's addresses, the servers' included, as the lab's hosts have them.
ADDRESSES = {"203.0.113.22": "10.9.0.22", "192.0.2.31": "10.9.0.21", "192.0.2.32": "10.9.0.22",
             "192.0.2.53": VIP4, "192.0.2.1\"": "10.9.0.201\"", "192.0.2.": "10.9.0."}
TLS = "server {{ listen {address}:443; return 200 'tls by {name}'; }}"
PLAIN = "server {{ listen {address}:{port}; return 200 ok; }}"


def example(name, changes=None):
    text = (EXAMPLES / name).read_text()
    for old, new in {**(changes or {}), **ADDRESSES}.items():
        text = text.replace(old, new)
    return text


class ExamplesTest(ClusterTest):
    start_node = False

    @classmethod
    def make_lab(cls):
        cls.companions = {}
        return PairLab(nodes=2, backends=2)

    def start(self, name, changes=None):
        """Checked as the file's own words tell, then started: nothing is wrong."""
        self.node.write_config(example(name, changes))
        self.assertIn("configuration is valid",
                      self.node.must_cli("check", self.node.config_path).stdout)
        self.addCleanup(self.end, self.node)
        self.node.start()
        self.wait_up(self.node)

    def end(self, node):
        if node.daemon:
            node.must_cli("detach")
            node.daemon.wait(timeout=15)
            node.daemon = None

    @staticmethod
    def wait_up(node):
        wait_until(lambda: {row["health"] for row in node.health().values()} == {"up"}, 20,
                   f"all backends of {node.name} to be healthy")

    def companion(self, host, name):
        """A bascule-backend with its example, to the end of the test; its self-test is content."""
        if host.name not in self.companions:
            self.companions[host.name] = Companion(host)
        made = self.companions[host.name]
        made.write_config(example(f"backend/{name}"))
        self.assertIn("configuration is valid", made.must("check").stdout)
        made.start()
        self.addCleanup(made.stop)
        return made

    def nginx(self, host, servers, more=""):
        host.nginx.terminate()
        host.nginx.wait(timeout=15)
        host.start_nginx(servers, more=more)
        host.wait_listening()

    def test_every_example_is_run_here(self):
        source = Path(__file__).read_text()
        for path in EXAMPLES.rglob("*.toml"):
            if path.name != "l2.toml":  # the lab's servers have their VIPs without it
                self.assertRegex(source, re.escape(f'"{path.name}"'))

    def test_a_single_node(self):
        self.start("single.toml")
        flows = self.flows_of(1000)
        self.assert_shares(flows, {"web1": 100, "web2": 50}, tolerance=0.3)

    def test_ipip(self):
        for host in self.lab.backends:
            made = self.companion(host, "ipip.toml")
            self.assertEqual(made.run("self-test").returncode, 0, made.run("self-test").stdout)
        self.start("ipip.toml")
        self.assertEqual(set(self.flows_of(500)), {"web1", "web2"})

    def test_ports(self):
        web1, web2 = self.lab.backends
        # Checks of a rewritten port go to the server's own address.
        more = "\n".join(PLAIN.format(address=web1.v4[0], port=port) for port in (8080, 8081))
        self.nginx(web1, {"app1": 8080, "app2": 8081}, more)
        self.addCleanup(self.nginx, web1, {"web1": 80})
        self.companion(web1, "ports.toml")
        self.start("ports.toml")
        self.assertEqual(set(self.flows_of(500)), {"app1", "app2", web2.name})

    def test_dns(self):
        for host in self.lab.backends:
            patient = Patient(host)
            patient.start_dns()
            self.addCleanup(patient.stop_dns)
        # The checks ask by the VIP, over each server's own way, by UDP and by TCP.
        self.start("dns.toml", {"example.org": ZONE})
        self.assertEqual(len(self.node.health()), 4)

    def test_a_pair(self):
        one, two = self.lab.nodes
        for host in self.lab.backends:
            host.must("ip", "addr", "add", f"{SECOND_VIP}/32", "dev", "lo")
            self.nginx(host, {host.name: 80}, TLS.format(address=SECOND_VIP, name=host.name))
        # As the file says: made on one node, copied to the other; the same file on both.
        for node in (one, two):
            key_path(node).unlink(missing_ok=True)
        one.must_cli("keygen", key_path(one))
        key_path(two).write_bytes(key_path(one).read_bytes())
        key_path(two).chmod(0o600)
        for node in (one, two):
            changes = {"/etc/bascule/cluster.key": str(key_path(node)), "[node]\n":
                       f'[node]\nname = "{node.name}"\n', '"lb1"': '"node1"', '"lb2"': '"node2"',
                       "lb1 = ": "node1 = ", "lb2 = ": "node2 = ",
                       "172.31.0.1:": CABLE.v4(11) + ":", "172.31.0.2:": CABLE.v4(12) + ":"}
            node.write_config(example("pair.toml", changes))
            said = node.must_cli("check", node.config_path).stdout
            self.assertIn("configuration is valid", said)
            self.assertIn(node.name, said)
            self.addCleanup(self.end, node)
        for node in (one, two):
            node.start(accept=(0, 4))
        for node in (one, two):
            wait_until(lambda node=node: node.cli("status").returncode == 0, 30,
                       f"{node.name} to survive the loss of any node")
            self.wait_up(node)

        def holders():
            return {each["address"]: each["holder"] for each in one.ask("show", "vips")["vips"]}
        wait_until(lambda: holders() == {VIP4: "node1", SECOND_VIP: "node2"}, 20,
                   "each node to hold a VIP")
        self.assertEqual(set(self.flows_of(500)), {"web1", "web2"})
        self.assertRegex(self.client.must("curl", "-sS", "--max-time", "10",
                                          f"http://{SECOND_VIP}:443/").stdout, "^tls by web[12]$")
