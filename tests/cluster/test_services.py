# SPDX-License-Identifier: Apache-2.0
"""What a service promises besides a way to its servers: ports, affinity, backups, an answer when it
is empty, and how servers leave it."""

import subprocess
import time

from capture import Capture
from cluster_test import ClusterTest
from host import PYTHON, VIP4, VIP6, wait_until
from node import add_services

RANGE = (8000, 8050, 8099)
# What each port of the range and beyond it leads to. One port's service wins over a range's, and a
# range over "any".
LEADS_TO = {8000: {"web1", "web2"}, 8099: {"web1", "web2"}, 8050: {"web3"},
            7999: {"web4"}, 8100: {"web4"}, 65535: {"web4"}}
STICKY, SPARE, REFUSING, SILENT, STRICT, LENIENT, LEAVING = 81, 82, 83, 84, 85, 86, 87
EMPTY = (REFUSING, SILENT)

CONNECT = """
import socket, sys
vip, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
plug = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET,
                     socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
plug.settimeout(float(sys.argv[4]))
try:
    plug.connect((vip, port))
    if kind == "udp":
        plug.send(b"anybody there?")
        plug.recv(100)
    print("served")
except OSError as error:
    print(type(error).__name__)
"""

# Sends a TCP ACK out of nowhere.
LONELY_ACK = """
import socket, struct, sys
vip, port, source, own = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
family = socket.AF_INET6 if ":" in vip else socket.AF_INET
head = struct.pack("!HHIIBBHHH", own, port, 1000, 2000, 5 << 4, 0x10, 1000, 0, 0)
pseudo = socket.inet_pton(family, source) + socket.inet_pton(family, vip)
pseudo += struct.pack("!II", len(head), 6)  # in IPv4 the same words, but for places of zeros
total = sum(struct.unpack(f"!{len(pseudo + head) // 2}H", pseudo + head))
while total >> 16:
    total = (total & 0xffff) + (total >> 16)
head = head[:16] + struct.pack("!H", ~total & 0xffff) + head[18:]
plug = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
plug.bind((source, 0))
plug.sendto(head, (vip, 0))
"""


class ServiceTest(ClusterTest):
    lab_options = {"backends": 4}
    status_at_start = (0, 4)  # two services are empty on purpose

    @classmethod
    def prepare(cls):
        for backend in cls.lab.backends:
            backend.stop_servers()
            ports = [*RANGE, STICKY, SPARE, *EMPTY, STRICT, LENIENT, LEAVING]
            if backend.name == "web4":
                ports += LEADS_TO
            servers = {f"{backend.name}:{port}": port for port in ports}
            backend.start_nginx(servers)
            backend.start_udp(servers)
            backend.wait_listening()

    @classmethod
    def configure(cls):
        config = cls.lab.node.standard_config()
        config.services.clear()

        def add(name, port, *numbers, keep=False, **options):
            hosts = [cls.lab.backend(f"web{number}") for number in numbers]
            add_services(config, name, port, {host.name: (host, None if keep else port)
                                              for host in hosts}, ring_size=1009, **options)

        add("one", 8050, 3)
        add("range", "8000-8099", 1, 2, keep=True)
        add("any", "any", 4, keep=True)
        add("sticky", STICKY, 1, 2, 3, 4, affinity="source")
        add("spare", SPARE, 1, 2, 3)
        add("refusing", REFUSING, 1, 2, on_empty="reset")
        add("silent", SILENT, 1, 2, on_empty="drop")
        add("strict", STRICT, 1, 2, unknown="drop")
        add("lenient", LENIENT, 1, 2)
        add("leaving", LEAVING, 1, 2, 3)
        for service in config.services:
            for entry in service.backends:
                if service.name.startswith("spare"):
                    entry.backup = entry.name == "web3"
                if service.port in EMPTY:
                    entry.weight = 0
            if service.protocol == "tcp":
                service.options["session.tcp_closing"] = "3s"
        return config

    # ---- loads and who served them ----

    def each(self):
        """Both families: the VIP, and what a load on it needs to be told."""
        return ((VIP4, False), (VIP6, True))

    def load(self, port, vip, protocol="tcp", **options):
        place = f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}"
        start = self.http if protocol == "tcp" else self.udp
        return start(target=place, v6=":" in vip, **options)

    def served_by(self, port, vip, protocol="tcp", flows=60, **options):
        """Names of the hosts that new flows reach."""
        size = {"requests": flows} if protocol == "tcp" else {"flows": flows, "packets": 2}
        result = self.load(port, vip, protocol, **size, **options).wait()
        self.assert_none_failed(result, at_least=flows)
        self.assertEqual({name.partition(":")[2] for name in result["flows"]}, {str(port)})
        return {name.partition(":")[0] for name in result["flows"]}

    def attempt(self, port, vip, protocol, seconds=5.0):
        return self.client.must(PYTHON, "-c", CONNECT, vip, port, protocol, seconds).stdout.strip()

    # ---- ports ----

    def test_one_port_wins_over_a_range_and_a_range_over_any(self):
        for port, servers in LEADS_TO.items():
            for vip, _ in self.each():
                for protocol in ("tcp", "udp"):
                    self.assertEqual(self.served_by(port, vip, protocol), servers,
                                     (port, vip, protocol))

    # ---- affinity ----

    def test_all_flows_of_a_client_reach_one_server_if_the_source_decides(self):
        used = set()
        for vip, v6 in self.each():
            for source in (self.client.v6 if v6 else self.client.v4)[:8]:
                served = self.served_by(STICKY, vip, flows=20, sources=source)
                self.assertEqual(len(served), 1, (source, served))
                used |= served
        # 16 addresses leave three of four servers without any once in a billion runs.
        self.assertGreater(len(used), 1)

    # ---- backups ----

    def test_a_backup_serves_only_while_no_other_can(self):
        for vip, v6 in self.each():
            service = f"spare-tcp{6 if v6 else 4}"
            self.assertEqual(self.served_by(SPARE, vip), {"web1", "web2"})
            self.node.must_cli("drain", f"{service}/web1")
            self.assertEqual(self.served_by(SPARE, vip), {"web2"})
            self.node.must_cli("disable", f"{service}/web2")
            self.assertEqual(self.served_by(SPARE, vip), {"web3"})
            self.node.must_cli("enable", f"{service}/web2")
            self.assertEqual(self.served_by(SPARE, vip), {"web2"})
            self.node.must_cli("enable", f"{service}/web1")
            self.assertEqual(self.served_by(SPARE, vip), {"web1", "web2"})

    # ---- nobody there ----

    def test_an_empty_service_refuses_or_is_silent_as_told(self):
        refused, unserved = self.counter("refused"), self.counter("no_backend")
        for vip, v6 in self.each():
            for protocol in ("tcp", "udp"):
                self.assertEqual(self.attempt(REFUSING, vip, protocol), "ConnectionRefusedError")
                self.assertEqual(self.attempt(SILENT, vip, protocol, 0.5), "TimeoutError")
                backend = f"refusing-{protocol}{6 if v6 else 4}/web1"
                self.node.must_cli("weight", backend, "100")
                self.assertEqual(self.served_by(REFUSING, vip, protocol), {"web1"})
                self.node.must_cli("weight", backend, "--reset")
        self.assertGreaterEqual(self.counter("refused"), refused + 4)
        self.assertGreaterEqual(self.counter("no_backend"), unserved + 4)

    # ---- unknown sessions ----

    def test_only_packets_of_known_sessions_pass_where_it_is_so_told(self):
        for vip, v6 in self.each():
            source = (self.client.v6 if v6 else self.client.v4)[0]
            dropped = self.counter("unknown_session")
            kept = self.load(STRICT, vip, connections=16, per_connection=0, rate=200)
            with Capture(self.lab, self.client.name) as capture:
                for port in (STRICT, LENIENT):
                    self.client.must(PYTHON, "-c", LONELY_ACK, vip, port, source, 1023)
                time.sleep(0.3)
            resets = "ip6[53] & 4 != 0" if v6 else "tcp[tcpflags] & tcp-rst != 0"
            said = [capture.count(f"src host {vip} and src port {port} and dst port 1023 and "
                                  f"{resets}") for port in (STRICT, LENIENT)]
            self.assertEqual(said, [0, 1])  # a server that never heard of it resets it
            self.assertEqual(self.counter("unknown_session"), dropped + 1)
            kept.wait_answers(100)
            self.assert_none_failed(kept.stop())

    # ---- leaving ----

    def test_a_drain_that_waits_ends_when_the_last_session_is_gone(self):
        running = self.load(LEAVING, VIP4, connections=24, per_connection=0, rate=300)
        running.wait_answers(100)
        waiting = self.node.spawn(self.node.cli_command("drain", "--wait", "leaving-tcp4/web2"),
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(self.node.must_cli, "enable", "leaving-tcp4/web2")
        wait_until(lambda: self.node.backends()["leaving-tcp4/web2"]["state"] == "drained", 20,
                   "the drain")
        self.assertEqual(self.served_by(LEAVING, VIP4), {"web1", "web3"})
        time.sleep(4)  # longer than a closed session would be remembered
        self.assertIsNone(waiting.poll(), "it ended while connections were open")
        self.assert_none_failed(running.stop())
        said = waiting.communicate(timeout=60)[0].decode()
        self.assertEqual(waiting.returncode, 0, said)

    def test_sessions_of_a_server_that_is_removed_or_disabled_move_at_once(self):
        for vip, v6 in self.each():
            service = f"leaving-udp{6 if v6 else 4}"
            self.assert_sessions_move(vip, lambda each=service: self.node.reload(
                self.without(each, "web2")))
            self.node.reload(self.configure())
            self.assert_sessions_move(vip, lambda each=service: self.node.must_cli(
                "disable", f"{each}/web2"))
            self.node.must_cli("enable", f"{service}/web2")

    def without(self, service, name):
        config = self.configure()
        config.service(service).remove(name)
        return config

    def assert_sessions_move(self, vip, change):
        running = self.load(LEAVING, vip, "udp", flows=90, window=90, packets=0, rate=900)
        running.wait_answers(400)
        before = running.latest["flows"]
        self.assertEqual(running.latest["changed"], 0)
        change()
        running.wait_answers(100)
        then = running.latest["requests"][f"web2:{LEAVING}"]
        running.wait_answers(500)
        result = running.stop()
        self.assertEqual(result["failed"], 0, result["examples"])
        self.assertEqual(result["requests"][f"web2:{LEAVING}"], then)
        self.assertEqual(result["changed"], before[f"web2:{LEAVING}"])

    def test_connections_of_a_removed_server_end_and_the_others_stay(self):
        running = self.load(LEAVING, VIP4, connections=60, per_connection=0, rate=600)
        running.wait_answers(300)
        lost = running.latest["flows"][f"web2:{LEAVING}"]
        self.node.reload(self.without("leaving-tcp4", "web2"))
        running.wait_answers(600)
        result = running.stop()
        # They meet servers that never heard of them; all who were there begin anew.
        self.assertLessEqual(set(result["reasons"]), {"ECONNRESET", "idle: ECONNRESET"},
                             result["examples"])
        self.assertEqual(result["failed"], lost)
        self.node.reload(self.configure())
