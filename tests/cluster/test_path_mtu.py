# SPDX-License-Identifier: Apache-2.0
"""Packets that do not fit: a path-MTU black hole heals because the router's ICMP errors are
followed to the right server, and what does not fit a tunnel is told to the client.

The router is Linux and its link to the far client has an MTU of 1280; nothing here is made up.
"""

import contextlib
import json
import subprocess

from capture import Capture
from cluster_test import ClusterTest
from host import PYTHON, VIP4, VIP6
from node import add_services
from servers import LARGE_PAGE
from wide import NARROW_MTU, WideLab

STALL_SECONDS = 3
# Service's port → (forward, server, other outer family, server's ports).
WAYS = {
    8001: ("l2", "front", False, [8001]),
    8010: ("l2", "front", False, [8011, 8012]),
    8101: ("ipip", "back", False, [8101]),
    8110: ("ipip", "back", False, [8111, 8112]),
    8201: ("gue", "back", False, [8201]),
    8210: ("gue", "back", False, [8211, 8212]),
    8301: ("ipip", "back", True, [8301]),
    8401: ("ipip", "clamped", False, [8401]),
}
UPLOAD_PORTS = [8501, 8601]  # by IPIP: to `back`, to `clamped`
CLAMPED_BY_NODE = 8701       # by L2, to `front`
SPREAD = 8801                # by IPIP, to `back` and to `clamped`
OVERHEAD = {("ipip", 4): 20, ("ipip", 6): 40, ("gue", 4): 28, ("gue", 6): 48}
CLAMP = 1200

# Sends datagrams with "don't fragment" until the kernel refuses one, then one that fits. Prints the
# path's MTU and whether the echo was right.
DISCOVER = """
import errno, socket, sys, time
vip, port = sys.argv[1], int(sys.argv[2])
six = ":" in vip
level, discover, mtu_option, headers = (41, 23, 24, 48) if six else (0, 10, 14, 28)
plug = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
plug.setsockopt(level, discover, 2)
plug.settimeout(5)
plug.connect((vip, port))
deadline = time.monotonic() + 10
while time.monotonic() < deadline:
    try:
        plug.send(bytes(1500 - headers))
    except OSError as error:
        if error.errno == errno.EMSGSIZE:
            break
        raise
    time.sleep(0.1)
time.sleep(0.2)
plug.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # of ICMP errors that came since
mtu = plug.getsockopt(level, mtu_option)
said = bytes(number % 251 for number in range(mtu - headers))
plug.send(said)
heard = plug.recv(65535)
print(mtu, heard.endswith(said))
"""

# Sends one large datagram again and again until its echo came, then twenty that must all come back.
ECHO = """
import socket, sys
vip, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
plug = socket.socket(socket.AF_INET6 if ":" in vip else socket.AF_INET, socket.SOCK_DGRAM)
plug.settimeout(0.5)
plug.connect((vip, port))
lost, good = 0, 0
while good < 20 and lost < 20:
    said = b"%d %d " % (lost, good) + bytes(number % 251 for number in range(size))
    try:
        plug.send(said)
        while not plug.recv(65535).endswith(said):
            pass
        good += 1
    except OSError:  # no answer, or an ICMP error came
        if good:
            break
        lost += 1
print(good)
"""


class PathMtuTest(ClusterTest):
    @classmethod
    def make_lab(cls):
        return WideLab({"front": "front", "back": "back", "clamped": "back"}, far=True)

    @classmethod
    def prepare(cls):
        cls.start_servers("front", ["l2"])
        # Its clients hear of the tunnel by ICMP alone; those of `clamped` in the handshake, too.
        cls.start_servers("back", ["ipip", "gue"], UPLOAD_PORTS[:1], mss_clamp=0)
        cls.start_servers("clamped", ["ipip"], UPLOAD_PORTS[1:])
        for server in cls.lab.backends:
            server.wait_listening()

    @classmethod
    def configure(cls):
        config, hosts = cls.lab.config(), cls.lab.hosts
        for port, (forward, name, crossed, servers) in WAYS.items():
            cls.add_service(config, port, forward, hosts[name], servers, crossed)
        for port, name in zip(UPLOAD_PORTS, ("back", "clamped")):
            cls.add_service(config, port, "ipip", hosts[name], [port])
        add_services(config, "spread", SPREAD, {name: (hosts[name], SPREAD)
                                                for name in ("back", "clamped")}, forward="ipip")
        cls.add_service(config, CLAMPED_BY_NODE, "l2", hosts["front"], [CLAMPED_BY_NODE],
                        protocols=("tcp",), mss_clamp=CLAMP)
        return config

    @staticmethod
    def add_service(config, port, forward, host, servers, crossed=False, **options):
        first, second = (host.v6, host.v4) if crossed else (host.v4, host.v6)
        add_services(config, f"way-{port}", port, forward=forward, ring_size=1009, **options,
                     backends={f"at-{each}": (first[0], second[0], each) for each in servers})

    @classmethod
    def start_servers(cls, name, forward, iperf=(), **options):
        mine = {port: way[3] for port, way in WAYS.items() if way[1] == name}
        rewritten = {port: servers for port, servers in mine.items() if servers != [port]}
        cls.lab.start_companion(cls.lab.hosts[name], forward, rewritten, **options)
        servers = {f"{name}:{port}": port for ports in mine.values() for port in ports}
        further = CLAMPED_BY_NODE if name == "front" else SPREAD
        servers[f"{name}:{further}"] = further
        host = cls.lab.hosts[name]
        host.start_nginx(servers)
        host.start_udp(servers)
        host.start_iperf(iperf)

    def setUp(self):
        self.forget_paths()

    def forget_paths(self):
        """What one test learnt of a path must not heal the next one's."""
        for host in (self.client, self.lab.far, *self.lab.backends):
            host.must("sh", "-ec", "ip route flush cache; ip -6 route flush cache")

    # ---- from the server to the client ----

    def download_all(self, ports, seconds, number=0):
        """Asks for the large page by every way, all at once, from the far client's n-th address.
        Ways → None, or what went wrong."""
        running = {}
        far = self.lab.far
        for port in ports:
            for vip, source in ((VIP4, far.v4[number]), (f"[{VIP6}]", far.v6[number])):
                running[port, vip] = far.spawn(
                    ["curl", "-gsS", "--max-time", seconds, "--interface", source,
                     f"http://{vip}:{port}/large"],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        outcome = {}
        for way, process in running.items():
            page, said = process.communicate(timeout=seconds + 30)
            if process.returncode == 0:
                self.assertEqual(page, LARGE_PAGE, way)
            outcome[way] = said.decode().strip() if process.returncode else None
        return outcome

    @contextlib.contextmanager
    def silent_router(self):
        """Its ICMP errors to the VIPs are lost, as behind a careless firewall."""
        def rule(action, family, vip, protocol):
            self.lab.router.must("ip", family, "rule", action, "iif", "lo", "to", vip,
                                 "ipproto", protocol, "pref", "5", "blackhole")

        rules = [("-4", VIP4, "icmp"), ("-6", VIP6, "ipv6-icmp")]
        for each in rules:
            rule("add", *each)
        try:
            yield
        finally:
            for each in rules:
                rule("del", *each)

    def test_a_black_hole_heals_because_icmp_errors_are_followed(self):
        followed = self.counter("icmp_followed")
        with self.silent_router():
            stalled = self.download_all(WAYS, STALL_SECONDS)
            self.assertEqual(self.counter("icmp_followed"), followed)
        self.assertEqual([way for way, problem in stalled.items() if problem is None], [],
                         "these need no ICMP: the test proves nothing")

        healed = self.download_all(WAYS, 30)
        self.assertEqual({way: problem for way, problem in healed.items() if problem}, {})
        self.assertGreaterEqual(self.counter("icmp_followed"), followed + len(WAYS))
        for server in self.lab.backends:
            for vip, client in ((VIP4, self.lab.far.v4[0]), (VIP6, self.lab.far.v6[0])):
                route = server.must("ip", "route", "get", client, "from", vip).stdout
                self.assertIn(f" mtu {NARROW_MTU} ", route, server.name)

    def test_each_error_reaches_the_one_of_two_servers_that_needs_it(self):
        # A server that was told of one client's path knows nothing of another's.
        for number, _ in enumerate(self.lab.far.v4):
            for _ in range(3):
                outcome = self.download_all([SPREAD], 30, number)
                self.assertEqual(set(outcome.values()), {None}, outcome)
        shown = self.node.backends()
        for name in ("back", "clamped"):
            for family in (4, 6):
                taken = int(shown[f"spread-tcp{family}/{name}"]["traffic"]["new_sessions"])
                self.assertGreater(taken, 0, (name, family))

    def test_a_service_that_clamps_segments_needs_no_icmp(self):
        clamped = self.counter("mss_clamped")
        with self.silent_router():
            outcome = self.download_all([CLAMPED_BY_NODE], 30)
        self.assertEqual(set(outcome.values()), {None}, outcome)
        self.assertGreaterEqual(self.counter("mss_clamped"), clamped + 2)

    def test_large_datagrams_pass_the_narrow_link_in_both_directions(self):
        followed = self.counter("icmp_followed")
        running = {}
        for port, vip in ((port, vip) for port in WAYS for vip in (VIP4, VIP6)):
            running[port, vip] = self.lab.far.spawn([PYTHON, "-c", ECHO, vip, port, 1400],
                                                stdout=subprocess.PIPE)
        for way, process in running.items():
            said = process.communicate(timeout=60)[0]
            self.assertEqual(said.strip(), b"20", way)
        self.assertGreater(self.counter("icmp_followed"), followed)

    # ---- from the client to the server ----

    def test_datagrams_that_do_not_fit_the_tunnel_are_told_and_the_mtu_is_right(self):
        for port, (forward, _, crossed, _) in WAYS.items():
            if forward == "l2":
                continue
            for vip, family in ((VIP4, 4), (VIP6, 6)):
                self.forget_paths()
                outer = 10 - family if crossed else family
                said = self.client.must(PYTHON, "-c", DISCOVER, vip, port).stdout.split()
                self.assertEqual(said, [str(1500 - OVERHEAD[forward, outer]), "True"], (port, vip))

    def upload(self, port, vip, size=1 << 20):
        """How many ICMP errors a client was sent while it sent to a server."""
        self.forget_paths()
        with Capture(self.lab, self.client.name) as capture:
            done = self.client.must("iperf3", "-c", vip, "-p", port, "-n", size, "-J")
        # iperf3 does not wait for the last bytes; the first ones would not come, either.
        received = json.loads(done.stdout)["end"]["sum_received"]["bytes"]
        self.assertGreater(received, size // 16)
        return capture.count("icmp6 and ip6[40] == 2" if vip == VIP6 else
                             "icmp[0] == 3 and icmp[1] == 4")

    def test_an_upload_by_tcp_is_told_what_fits(self):
        told = self.counter("too_big")
        for vip in (VIP4, VIP6):
            self.assertGreater(self.upload(UPLOAD_PORTS[0], vip), 0, vip)
        self.assertGreater(self.counter("too_big"), told)

    def test_an_upload_to_a_server_that_clamps_its_segments_needs_no_telling(self):
        told = self.counter("too_big")
        for vip in (VIP4, VIP6):
            self.assertEqual(self.upload(UPLOAD_PORTS[1], vip), 0, vip)
        self.assertEqual(self.counter("too_big"), told)
