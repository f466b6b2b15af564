# SPDX-License-Identifier: Apache-2.0
"""`/metrics` of a node: what Prometheus reads is what the command shows, whoever else asks and
however badly; and an edit moves it to another address."""

import json
import re
import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from cluster_test import ClusterTest
from host import LabError, VIP4, wait_until
from pair import PairTest, sessions

TALK = Path(__file__).resolve().parent / "talk.py"
LOCAL = ("127.0.0.1", 7401)
FRESH_SECONDS = 1.2  # what is asked for sooner may be what was told before
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"


def listen(address="127.0.0.1:7401"):
    return {"listen": address}


def said_families():
    """What the reference says is there: type and labels by name."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \|", REFERENCE.read_text(), re.M)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


class Metrics:
    """What one scrape has told, taken apart strictly."""

    def __init__(self, text):
        assert text.endswith("\n"), text[-100:]
        self.families, self._samples = {}, {}
        for family in text_string_to_metric_families(text):
            # The parser takes "_total" off the names of counters.
            name = family.name + ("_total" if family.type == "counter" else "")
            assert family.documentation and name not in self.families, name
            self.families[name] = family
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                assert key not in self._samples, key
                self._samples[key] = sample.value

    def of(self, name, **labels):
        """The sum of all samples that have these labels."""
        found = [value for (each, has), value in self._samples.items()
                 if each == name and labels.items() <= set(has)]
        if not found:
            raise LabError(f"no sample of {name} {labels}")
        return sum(found)

    def labels_of(self, name):
        return [dict(has) for each, has in self._samples if each == name]


class Scraper:
    """For test classes: asks a node's own address in its own namespace."""

    def curl(self, where, *options, host=None):
        return (host or self.node).run("curl", "-sg", "--max-time", "20", *options, where)

    def scrape(self, node=None, where="http://127.0.0.1:7401/metrics"):
        """Fresh, as far as it has to be."""
        time.sleep(FRESH_SECONDS)
        done = self.curl(where, "-f", host=node)
        if done.returncode != 0:
            raise LabError(f"curl {where}: status {done.returncode}: {done.stderr}")
        return Metrics(done.stdout)

    def is_served(self, where):
        return self.curl(where, "-f", "-o", "/dev/null").returncode == 0

    def talk(self, said, count=1, seconds=20, target=LOCAL):
        done = self.node.must("python3", TALK, *target, count, seconds, input=said)
        return json.loads(done.stdout)

    def assert_as_said(self, metrics):
        said = said_families()
        for name, family in metrics.families.items():
            self.assertIn(name, said)
            kind, labels = said[name]
            self.assertEqual(family.type, kind, name)
            for sample in family.samples:
                self.assertEqual(set(sample.labels) - {"le"}, labels, sample)


class MetricsTest(Scraper, ClusterTest):
    lab_options = {"backends": 3}

    @classmethod
    def configure(cls):
        config = cls.node.standard_config()
        config.http = {}
        for service in config.services:
            service.options["health.type"] = "tcp"
        return config

    def setUp(self):
        self.node.reload(self.configure())
        wait_until(lambda: self.is_served("http://127.0.0.1:7401/"), 20, "the server")

    def test_what_is_served_is_what_the_command_shows(self):
        self.flows_of(requests=500)
        shown_before = self.node.ask("show", "services")["services"]
        metrics = self.scrape()
        shown_after = self.node.ask("show", "services")["services"]
        self.assert_as_said(metrics)
        for before, after in zip(shown_before, shown_after):
            labels = {"service": before["name"], "vip": before["vip"], "port": before["ports"]}
            for key in ("packets", "bytes", "new_sessions"):
                value = metrics.of(f"bascule_service_{key}_total", **labels)
                self.assertLessEqual(int(before["traffic"][key]), value)
                self.assertLessEqual(value, int(after["traffic"][key]))
        self.assertGreaterEqual(metrics.of("bascule_service_new_sessions_total", service="web"),
                                500)
        self.assertEqual(
            metrics.of("bascule_service_packets_total", service="web"),
            metrics.of("bascule_backend_packets_total", service="web"))
        for name, backend in self.node.backends().items():
            service, own_name = name.split("/")
            labels = {"service": service, "backend": own_name}
            self.assertEqual(metrics.of("bascule_backend_weight", **labels),
                             int(backend["weight"]))
            self.assertEqual(metrics.of("bascule_backend_state", state=backend["state"], **labels),
                             1)
            self.assertEqual(metrics.of("bascule_backend_state", **labels), 1)
            self.assertGreater(
                metrics.of("bascule_backend_check_duration_seconds_count", **labels), 0)
        status = self.node.status()
        self.assertEqual(metrics.of("bascule_config_info", hash=status["config"]["hash"]), 1)
        self.assertEqual(metrics.of("bascule_xdp_attached", interface="eth0"), 1)
        self.assertEqual(metrics.of("bascule_node_role", vip=VIP4), 1)
        drops = {each["name"] for each in self.node.ask("show", "drops", "--all")["drops"]}
        self.assertEqual(
            {labels["reason"] for labels in metrics.labels_of("bascule_drops_total")}, drops)
        self.assertGreater(metrics.of("process_resident_memory_bytes"), 1e6)
        self.assertLess(abs(metrics.of("process_start_time_seconds") - time.time()), 3600)

    def test_a_backend_that_fails_and_a_drain_are_seen(self):
        self.node.must_cli("drain", "web/web1")
        self.addCleanup(self.node.must_cli, "enable", "web/web1")
        server = self.lab.backend("web2")
        server.stop_servers()
        self.addCleanup(server.start_nginx)
        wait_until(lambda: self.node.backends()["web/web2"]["state"] == "down", 20, "web2 down")
        metrics = self.scrape()
        of = {"service": "web"}
        self.assertEqual(metrics.of("bascule_backend_up", backend="web1", **of), 0)
        self.assertEqual(metrics.of("bascule_backend_state", backend="web1", state="drained", **of),
                         1)
        self.assertEqual(metrics.of("bascule_backend_state", backend="web2", state="down", **of), 1)
        self.assertGreaterEqual(
            metrics.of("bascule_backend_check_failures_total", backend="web2", **of), 3)
        self.assertEqual(metrics.of("bascule_service_up", **of), 1)

    def test_a_refused_reload_is_seen(self):
        self.node.write_config("nonsense")
        self.assertEqual(self.node.cli("reload").returncode, 1)
        self.assertEqual(self.scrape().of("bascule_config_last_reload_successful"), 0)
        self.node.reload(self.configure())
        self.assertEqual(self.scrape().of("bascule_config_last_reload_successful"), 1)

    def test_bad_requests_are_answered_in_words_and_bounded(self):
        front = self.curl("http://127.0.0.1:7401/").stdout
        self.assertEqual(len(front.splitlines()), 3)
        self.assertIn("/metrics", front)
        head = self.curl("http://127.0.0.1:7401/metrics", "-I").stdout
        self.assertIn("text/plain; version=0.0.4", head)
        for said, status in (
                ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 405),
                ("GET /secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
                ("GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + "x" * 100_000, 431),
                ("GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r", 413),
                ("\x16\x03\x01\r\n\r\n", 400)):
            answer = self.talk(said)[0]
            self.assertTrue(answer["ended"], said[:100])
            self.assertTrue(answer["answer"].startswith(f"HTTP/1.1 {status} "), answer)

    def test_slow_and_many_clients_are_closed_and_counted(self):
        before = self.scrape()
        told = self.talk("GET /metr", count=100, seconds=60)
        self.assertTrue(all(each["ended"] and not each["answer"] for each in told))
        metrics = self.scrape()  # there is room again

        def more(name, **labels):
            return metrics.of(name, **labels) - before.of(name, **labels)

        refused = more("bascule_http_connections_refused_total", reason="full")
        slow = more("bascule_http_connections_slow_total")
        self.assertGreater(refused, 0)
        self.assertGreater(slow, 0)
        self.assertEqual(refused + slow, 100)
        self.assertEqual(metrics.of("bascule_http_connections"), 1)
        self.assertEqual(self.node.cli("status").returncode, 0)

    def test_never_on_a_vip(self):
        config = self.configure()
        config.http = listen(f"{VIP4}:7401")
        self.node.write_config(config)
        done = self.node.cli("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"listen: {VIP4} is a VIP", done.stdout + done.stderr)
        config.http = listen("0.0.0.0:7401")
        self.node.reload(config)
        before = self.scrape()
        own = f"http://{self.node.v4[0]}:7401/metrics"
        self.assertEqual(self.curl(own, "-f", host=self.client).returncode, 0)
        done = self.curl(f"http://{VIP4}:7401/metrics", host=self.node)
        self.assertEqual((done.stdout, done.returncode != 0), ("", True))
        vip = {"reason": "vip"}
        name = "bascule_http_connections_refused_total"
        self.assertEqual(self.scrape().of(name, **vip), before.of(name, **vip) + 1)

    def test_a_reload_changes_the_address(self):
        config = self.configure()
        config.http = listen("127.0.0.1:7402")
        self.assertIn("http: 127.0.0.1:7401 -> 127.0.0.1:7402", self.node.reload(config).stdout)
        self.assertTrue(self.is_served("http://127.0.0.1:7402/metrics"))
        self.assertFalse(self.is_served("http://127.0.0.1:7401/metrics"))
        config.http = listen("[::1]:7402")
        self.node.reload(config)
        self.assertTrue(self.is_served("http://[::1]:7402/metrics"))
        # An address that this host does not have: nothing is changed, VIPs and all.
        bad = config.copy()
        bad.http = listen("192.0.2.1:7402")
        bad.services = bad.services[:1]
        self.node.write_config(bad)
        done = self.node.cli("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("cannot listen at 192.0.2.1:7402: Cannot assign requested address",
                      done.stdout + done.stderr)
        self.assertTrue(self.is_served("http://[::1]:7402/metrics"))
        self.assertEqual(len(self.node.ask("show", "services")["services"]),
                         len(config.services))
        config.http = None
        self.node.reload(config)
        self.assertFalse(self.is_served("http://[::1]:7402/metrics"))
        self.assertEqual(self.node.cli("status").returncode, 0)

    def test_a_start_without_its_address_serves_clients_and_tries_again(self):
        self.node.stop()
        self.node.must("ip", "link", "set", "lo", "up")
        config = self.configure()
        config.http = listen("10.77.0.1:7401")
        self.node.write_config(config)
        self.node.start(accept=(4,))
        says = "\n".join(each["what"] for each in self.node.status()["degradations"])
        self.assertIn("cannot listen at 10.77.0.1:7401", says)
        self.flows_of(requests=100)
        self.node.must("ip", "addr", "add", "10.77.0.1/32", "dev", "lo")
        self.addCleanup(self.node.must, "ip", "addr", "del", "10.77.0.1/32", "dev", "lo")
        wait_until(lambda: self.is_served("http://10.77.0.1:7401/metrics"), 20, "the server")
        self.assertEqual(self.node.cli("status").returncode, 0)


class PeerMetricsTest(Scraper, PairTest):
    lab_options = {"nodes": 2, "backends": 2}

    def test_what_is_served_of_peers(self):
        one, two = self.nodes
        for node in self.nodes:
            config = self.lab.config(node)
            config.http = {}
            node.reload(config)
        self.flows_of(requests=200)
        wait_until(lambda: len(sessions(two)) > 0, 10, "sessions at the other node")
        metrics = [self.scrape(node) for node in self.nodes]
        for node, peer, told in ((one, two, metrics[0]), (two, one, metrics[1])):
            self.assert_as_said(told)
            self.assertEqual(told.of("bascule_peer_up", peer=peer.name), 1)
            self.assertEqual(told.of("bascule_sync_in_step", peer=peer.name), 1)
            paths = {each["path"] for each in told.labels_of("bascule_peer_rtt_seconds")}
            self.assertEqual(paths, set(self.lab.addresses(peer)))
            for path in paths:
                self.assertLess(told.of("bascule_peer_rtt_seconds", path=path), 1)
            self.assertLess(abs(told.of("bascule_peer_clock_skew_seconds")), 1)
            shown = self.lab.peers(node)[peer.name]
            counted = {each["name"]: int(each["count"]) for each in shown["counters"]}
            for direction in ("sent", "received"):
                value = told.of("bascule_sync_deltas_total", direction=direction)
                self.assertLessEqual(value, counted[direction])
            self.assertGreaterEqual(told.of("bascule_sync_resyncs_total", peer=peer.name), 1)
        self.assertGreater(
            metrics[0].of("bascule_sync_deltas_total", direction="sent"), 0)
        self.assertGreater(metrics[1].of("bascule_sessions_from_peers"), 0)
        self.assertLess(metrics[0].of("bascule_sync_lag_seconds", peer=two.name), 1)
        roles = [told.of("bascule_node_role", vip=VIP4) for told in metrics]
        self.assertEqual(roles, [1, 0])
        self.assertEqual([told.of("bascule_failovers_total") for told in metrics], [2, 0])
        self.assertGreater(metrics[0].of("bascule_garp_sent_total"), 0)
        self.assertEqual(metrics[1].of("bascule_garp_sent_total"), 0)
        one.must_cli("failover")
        wait_until(lambda: self.scrape(two).of("bascule_failovers_total") == 2, 10,
                   "node2's takings to be counted")
        self.assertEqual(self.scrape(one).of("bascule_failovers_total"), 2)
        self.assertGreater(self.scrape(two).of("bascule_garp_sent_total"), 0)
        two.kill()
        wait_until(lambda: self.scrape(one).of("bascule_peer_up", peer=two.name) == 0, 20,
                   "a dead peer to be seen")
