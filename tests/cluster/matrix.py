# SPDX-License-Identifier: Apache-2.0
"""The matrix of forwarding: which ways there are to a server, and what is sent over each.

A way is a mode, a server and the family of the outer header. Over each go TCP and UDP, to the port
that the client asked for and to another one. Ports from a way's `base`:

    base + 10          the same port for client and server
    base → + 1 … + 4   four servers on one host, as in "25001 to 25004 behind 25000"
    base + 20, + 21    the same port, for iperf3 by TCP and by UDP
    base + 30 → + 40, + 31 → + 41    rewritten, for iperf3 by TCP and by UDP
"""

import json
import re
import subprocess
from dataclasses import dataclass

import load
from host import VIP4, VIP6, LabError
from node import add_services
from servers import BODY_PADDING, LARGE_PAGE

SAME, REWRITTEN = 10, 0
SERVERS = (1, 2, 3, 4)
# iperf3 serves one client at a time. (protocol, offset) → offsets of its service and its server.
BENCH = {("tcp", SAME): (20, 20), ("udp", SAME): (21, 21),
         ("tcp", REWRITTEN): (30, 40), ("udp", REWRITTEN): (31, 41)}
RING_SIZE = 1009        # small: there are many services
# With 60 flows, one of four servers is passed over once in eight million runs.
REQUESTS, FLOWS, PACKETS = 60, 60, 3
ECHO_BYTES = 500
TCP_BYTES = 4 * 131072  # iperf3 sends whole buffers
DATAGRAM, DATAGRAMS = 1200, 200
LONGEST = 30            # seconds of an exchange
MOST_LOST = 0.2         # of iperf3's datagrams, by a busy machine: nobody sends them again


@dataclass(frozen=True)
class Way:
    forward: str
    server: str
    base: int
    crossed: bool = False  # the outer header is of the other family
    note: str = ""

    def outer(self, family):
        return {4: 6, 6: 4}[family] if self.crossed else family

    def label(self, family):
        if self.forward in ("l2", "local"):
            return f"`{self.forward}`, IPv{family}{self.note}"
        return f"`{self.forward}`, IPv{family} in IPv{self.outer(family)}{self.note}"


OTHER = ", by another interface"
WAYS = [
    Way("l2", "front", 25000),
    Way("l2", "side", 22000, note=OTHER),
    Way("ipip", "back", 23000),
    Way("ipip", "back", 24000, crossed=True),
    Way("ipip", "side", 28000, note=OTHER),
    Way("gue", "back", 26000),
    Way("gue", "back", 27000, crossed=True),
    Way("gue", "side", 21000, note=OTHER),
    Way("local", "node1", 29000),
]
# (protocol, what is done to the port), in the order of the table's columns.
COLUMNS = [("tcp", SAME), ("tcp", REWRITTEN), ("udp", SAME), ("udp", REWRITTEN)]
TITLES = ["TCP, same port", "TCP, port rewritten", "UDP, same port", "UDP, port rewritten"]


def server_ports(way, offset):
    """name → port of the servers that answer what the client sends to base + offset."""
    offsets = SERVERS if offset == REWRITTEN else (offset,)
    return {f"{way.server}:{way.base + each}": way.base + each for each in offsets}


def rewritten_ports(ways):
    """What the server's bascule-backend has to put right: service's port → server's ports."""
    ports = {}
    for way in ways:
        ports[way.base + REWRITTEN] = [way.base + each for each in SERVERS]
        for service, server in BENCH.values():
            if service != server:
                ports[way.base + service] = [way.base + server]
    return ports


def configure(lab, config):
    for way in WAYS:
        options = {"forward": way.forward, "ring_size": RING_SIZE}
        host = lab.hosts[way.server]
        v4, v6 = host.v4[0], host.v6[0]
        if way.forward == "local":
            v4, v6 = VIP4, VIP6
        elif way.crossed:
            v4, v6 = v6, v4
        # Service's port → names and ports of its servers.
        services = {way.base + offset: server_ports(way, offset) for offset in (SAME, REWRITTEN)}
        services.update({way.base + service: {f"iperf:{way.base + server}": way.base + server}
                         for service, server in BENCH.values()})
        for port, servers in services.items():
            backends = {name.replace(":", "-"): (v4, v6, each) for name, each in servers.items()}
            add_services(config, f"at-{port}", port, backends, **options)
    return config


def start_servers(lab, name):
    """What answers on a host, over all ways that end there."""
    ways = [way for way in WAYS if way.server == name]
    servers = {}
    for way in ways:
        servers.update(server_ports(way, SAME))
        servers.update(server_ports(way, REWRITTEN))
    host = lab.hosts[name]
    host.start_nginx(servers)
    host.start_udp(servers)
    host.start_iperf([way.base + server for way in ways for _, server in BENCH.values()])
    return host


class Exchange:
    """One cell's traffic under way. `finish()` returns what went wrong, nothing if all is well."""

    def __init__(self, client, way, family, column):
        self.way, self.family = way, family
        self.protocol, offset = column
        vip, port = (VIP4, VIP6)[family == 6], way.base + offset
        place = f"[{vip}]" if family == 6 else vip
        self.name = f"{way.label(family)}, {TITLES[COLUMNS.index(column)]}"
        self.servers = set(server_ports(way, offset))
        self.client_port = port
        if self.protocol == "tcp":
            self._real = client.spawn(
                ["timeout", LONGEST, "curl", "-sS", "--fail", "-H", "Connection: close",
                 f"http://{place}:{port}/[1-{REQUESTS}]", f"http://{place}:{port}/large"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        else:
            self._real = load.udp(client, target=f"{place}:{port}", flows=FLOWS, packets=PACKETS,
                                  v6=family == 6, window=8, size=ECHO_BYTES)
        bench = way.base + BENCH[column][0]
        size = ["-u", "-b", "20M", "-l", DATAGRAM, "-k", DATAGRAMS] if self.protocol == "udp" else \
            ["-n", TCP_BYTES]
        command = ["iperf3", "-J", "-c", vip, "-p", bench, *size]
        self._bench = client.spawn(["timeout", LONGEST, *command],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self):
        problems = self._judge_pages() if self.protocol == "tcp" else self._judge_echoes()
        problems += self._judge_bench()
        return [f"{self.name}: {problem}" for problem in problems]

    def _judge_pages(self):
        said = self._real.communicate(timeout=60)[0]
        pattern = rf"served by (\S+) for \S+\n{BODY_PADDING}\n".encode()
        pages = re.findall(pattern, said)
        served = {name.decode() for name in pages}
        if len(pages) != REQUESTS or served != self.servers:
            return [f"{len(pages)} pages of {served}: {said[-300:]!r}"]
        if re.sub(pattern, b"", said) != LARGE_PAGE:
            return ["the large page came broken"]
        return []

    def _judge_echoes(self):
        result = self._real.wait(60)
        if result["failed"] or result["changed"] or set(result["flows"]) != self.servers or \
                result["answered"] != FLOWS * PACKETS:
            return [f"{result['answered']} echoes of {result['flows']}, {result['reasons']}, "
                    f"{result['examples'][:2]}"]
        return []

    def _judge_bench(self):
        said = self._bench.communicate(timeout=60)[0]
        try:
            end = json.loads(said)["end"]
            if self.protocol == "tcp":
                # It counts what the server has read when the client has sent all: seldom all.
                sent, received = end["sum_sent"]["bytes"], end["sum_received"]["bytes"]
                well = sent == TCP_BYTES and received >= TCP_BYTES // 32
                return [] if well else [f"iperf3: {received} of {sent} bytes arrived"]
            total = end["sum"]
            if total["packets"] < DATAGRAMS or \
                    total["lost_packets"] > MOST_LOST * total["packets"]:
                return [f"iperf3: {total}"]
            return []
        except (ValueError, KeyError):
            return [f"iperf3: {said[-300:]!r}"]

    @staticmethod
    def cell(protocol):
        """What the table says of an exchange without a problem."""
        if protocol == "tcp":
            return f"{REQUESTS + 1} pages, {len(LARGE_PAGE) // 1000} kB, good"
        return f"{FLOWS * PACKETS} echoes, {FLOWS * PACKETS * ECHO_BYTES / 1000:.0f} kB, good"


def table(cells):
    """Markdown. `cells`: {(way, family): texts in the order of COLUMNS}."""
    lines = ["| " + " | ".join(["packets", *TITLES]) + " |", "|---" * (len(TITLES) + 1) + "|"]
    lines += [f"| {way.label(family)} | " + " | ".join(texts) + " |"
              for (way, family), texts in cells.items()]
    return "\n".join(lines) + "\n"


def between(text, begin, end, what):
    """What stands between two marks of a document."""
    first, last = text.find(begin), text.find(end)
    if first < 0 or last < first:
        raise LabError(f"{what} lacks {begin} … {end}")
    return text[first + len(begin):last].strip("\n") + "\n"
