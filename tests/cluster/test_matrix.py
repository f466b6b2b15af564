# SPDX-License-Identifier: Apache-2.0
"""Every forwarding mode carries real clients: IPv4 and IPv6, TCP and UDP, to the port asked for and
to another one, judged by content and, at both ends, by every checksum."""

import json
import random
import signal
import time

import matrix
from capture import Capture
from cluster_test import ClusterTest
from host import PYTHON, VIP4, VIP6, stop_process, wait_until
from node import TREE
from wide import TUNNEL_V4, TUNNEL_V6, WideLab
from wire import checksums, fields

DOCUMENT = TREE / "docs" / "forwarding.md"
BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
WRITTEN = TREE / "build" / "forwarding-matrix.md"
FORWARDS = {"front": ["l2"], "back": ["ipip", "gue"], "side": ["l2", "ipip", "gue"],
            "node1": ["local"]}
LEAST_SOURCES = 5  # of the 60 flows' tunnels, of 65536 and more

# Asks who serves: a JSON list of [protocol, source, its port, VIP, port].
ASK = """
import json, socket, sys
names = []
for protocol, source, own, vip, port in json.load(sys.stdin):
    family = socket.AF_INET6 if ":" in vip else socket.AF_INET
    plug = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    plug.settimeout(5)
    plug.bind((source, own))
    plug.connect((vip, port))
    if protocol == "tcp":
        plug.sendall(b"GET / HTTP/1.1\\r\\nHost: lab\\r\\nConnection: close\\r\\n\\r\\n")
        said = b"".join(iter(lambda: plug.recv(65536), b"")).decode()
        names.append(said.partition("served by ")[2].split()[0])
    else:
        plug.send(b"who?")
        names.append(plug.recv(1000).decode().split()[0])
print(json.dumps(names))
"""

# Datagrams of 1500 bytes that may be fragmented.
LARGE = """
import socket, sys
plug = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plug.setsockopt(socket.IPPROTO_IP, 10, 0)
for _ in range(int(sys.argv[3])):
    plug.sendto(bytes(1472), (sys.argv[1], int(sys.argv[2])))
"""


class MatrixTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab({"front": "front", "back": "back", "side": "side"})

    @classmethod
    def prepare(cls):
        for name in ("front", "back", "side"):
            cls.start_server(name)

    @classmethod
    def configure(cls):
        # What tunnels come from is not an address of the node: entropy has room in it.
        config = cls.lab.config(tunnel_source_v4=TUNNEL_V4, tunnel_source_v6=TUNNEL_V6)
        return matrix.configure(cls.lab, config)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Its servers bind the VIPs, which it has only now.
        cls.start_server("node1")
        for host in (*cls.lab.backends, cls.node):
            host.wait_listening()

    @classmethod
    def start_server(cls, name):
        ways = [way for way in matrix.WAYS if way.server == name]
        cls.lab.start_companion(cls.lab.hosts[name], FORWARDS[name],
                                matrix.rewritten_ports(ways), hold=name != "node1")
        matrix.start_servers(cls.lab, name)

    def captures(self):
        """At the client and at each server. The node's sees its own service only."""
        local = matrix.WAYS[-1].base
        expressions = {"client1": "ip or ip6", "front": "ip or ip6", "back": "ip or ip6",
                       "side": "ip or ip6", "node1": f"portrange {local}-{local + 99}"}
        return {port: Capture(self.lab, port, expression, bytes_kept=65535)
                for port, expression in expressions.items()}

    def test_every_mode_carries_real_clients_and_the_documented_table_says_so(self):
        captures = self.captures()
        problems = []
        for way in matrix.WAYS:
            for family in (4, 6):
                started = [matrix.Exchange(self.lab.client, way, family, column)
                           for column in matrix.COLUMNS]
                for exchange in started:
                    problems += exchange.finish()
        for capture in captures.values():
            capture.stop()
        self.assertEqual(problems, [])
        verdicts = {port: checksums(capture.path) for port, capture in captures.items()}
        self.assertEqual([bad for verdict in verdicts.values() for bad in verdict.bad[:5]], [])
        for way in matrix.WAYS:
            self.assert_seen_at_both_ends(way, verdicts["client1"], verdicts[way.server])
        cells = {(way, family): [matrix.Exchange.cell(protocol) for protocol, _ in matrix.COLUMNS]
                 for way in matrix.WAYS for family in (4, 6)}
        self.assert_documented(matrix.table(cells))

    def assert_seen_at_both_ends(self, way, at_client, at_server):
        """Good checksums prove something only if there were such frames."""
        for protocol, offset in matrix.COLUMNS:
            place = protocol, way.base + offset
            self.assertGreater(at_client.frames[place], 2 * 2 * matrix.FLOWS, (way, place))
            # What is for the node itself is rewritten there, and not seen on a wire any more.
            ports = [way.base + offset] if way.forward == "local" else \
                matrix.server_ports(way, offset).values()
            for port in ports:
                place = protocol, port
                self.assertGreater(at_server.frames[place], 20, (way, place))
                if way.forward in ("ipip", "gue"):
                    # Only packets to the server are in a tunnel, and each flow's has its source.
                    sources = at_server.outer_sources[place]
                    self.assertGreater(len(sources), LEAST_SOURCES, (way, place, sources))

    def assert_documented(self, made):
        WRITTEN.parent.mkdir(exist_ok=True)
        WRITTEN.write_text(made)
        documented = matrix.between(DOCUMENT.read_text(), BEGIN, END, str(DOCUMENT))
        self.assertEqual(documented, made, f"put {WRITTEN} between the marks of {DOCUMENT}")

    # ---- watching ----

    def test_a_trace_says_who_then_really_answers(self):
        flows = []
        for way in matrix.WAYS:
            for vip, source in ((VIP4, self.client.v4[0]), (VIP6, self.client.v6[0])):
                for protocol, offset in matrix.COLUMNS:
                    port = random.randrange(1024, 65536)
                    flows.append([protocol, source, port, vip, way.base + offset])
        told = self.traced(flows)
        done = self.client.run(PYTHON, "-c", ASK, input=json.dumps(flows))
        self.assertEqual(done.returncode, 0, done.stderr)
        answered = json.loads(done.stdout)
        self.assertEqual(dict(zip(map(tuple, flows), told)),
                         dict(zip(map(tuple, flows), answered)))

    def traced(self, flows):
        """The server that each flow's first packet would be delivered to."""
        told = []
        for protocol, source, own, vip, port in flows:
            answer = self.node.ask("trace", source, str(own), vip, str(port), protocol)
            self.assertTrue(answer["delivered"], answer)
            told.append(answer["backend"].rpartition("/")[2].replace("-", ":"))
        return told

    def captured(self, traffic, *filters):
        """The pcapng that `bascule capture` wrote while `traffic` was sent."""
        path = self.node.directory / "capture.pcapng"
        path.unlink(missing_ok=True)
        running = self.node.spawn(self.node.cli_command("capture", "-w", path, *filters),
                                  log="capture.log")
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        wait_until(lambda: path.exists() and path.stat().st_size > 0, 20, "the capture's file")
        traffic()
        time.sleep(1)  # it asks for what was captured from time to time
        self.assertEqual(stop_process(running, signal.SIGINT), 0)
        return path

    def test_a_capture_has_what_arrives_and_what_leaves(self):
        way = next(way for way in matrix.WAYS if way.forward == "gue")
        port = way.base + matrix.SAME

        def traffic():
            result = self.udp(target=f"[{VIP6}]:{port}", v6=True, flows=20, packets=3).wait()
            self.assert_none_failed(result, at_least=60)

        path = self.captured(traffic, "--arrives", "--leaves", "--vip", VIP6, "--port", str(port))
        verdict = checksums(path)
        self.assertEqual(verdict.bad, [])
        self.assertEqual(verdict.frames["udp", port], 120)
        self.assertGreater(len(verdict.outer_sources["udp", port]), LEAST_SOURCES)

    def test_a_capture_of_one_reason_has_what_was_dropped_for_it(self):
        way = next(way for way in matrix.WAYS if way.forward == "ipip")
        port = way.base + matrix.SAME
        path = self.captured(
            lambda: self.client.must(PYTHON, "-c", LARGE, VIP4, port, 7),
            "--reason", "too_big_no_df")
        frames = fields(path, ["udp.dstport", "frame.comment"])
        self.assertEqual([frame["udp.dstport"] for frame in frames], [[str(port)]] * 7)
        for frame in frames:
            self.assertIn("too_big_no_df", ",".join(frame["frame.comment"]))
