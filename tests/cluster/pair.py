# SPDX-License-Identifier: Apache-2.0
"""A lab of two or more nodes that are one cluster, on two paths.

    path 0   front   node1 10.9.0.11     node2 10.9.0.12     …   the service network, eth0
    path 1   cable   node1 fd00:9:1::11  node2 fd00:9:1::12  …   a network of the nodes alone, eth1

Node1 has the highest priority and holds the VIPs while it is well. What a client sends can be led
to either node by hand (`lead`), by the client's own neighbour entries, whoever holds them.
"""

import secrets
import threading
import time

from cluster_test import ClusterTest
from frames import FRAME_TYPE
from host import FRONT, VIP4, VIP6, LabError, Segment, wait_until
from lab import Lab
from relay import CLUSTER_PORT, Relay

CABLE = Segment("br1", "10.9.1.", "fd00:9:1::")
FRONT_PATH, CABLE_PATH = 0, 1
CLUSTER_NAME = "edge"
INTERVAL_MS, DEAD_AFTER = 20, 5
MOST_SHOWN = 10_000  # sessions that `show sessions` tells of
NOISE = 1.0          # seconds that a busy machine may add to what is promised


class PairLab(Lab):
    """`nodes`: how many. Nothing is started."""

    port_gro = "off"  # a relay sends what it saw, and no port takes more than a frame

    def __init__(self, nodes=2, backends=4, clients=1, udp=False):
        self.relay_running = None
        super().__init__(backends=backends, nodes=nodes, clients=clients, udp=udp)

    def _build(self, *arguments):
        super()._build(*arguments)
        self.add_bridge(CABLE)
        self.ring, self.key = secrets.token_hex(16), secrets.token_hex(32)
        for node in self.nodes:
            self.plug_cable(node)
            self.write_key(node)

    def plug_cable(self, host):
        """The second path: a host's eth1, with the number that it has in front."""
        number = int(host.v4[0].removeprefix(FRONT.v4_prefix))
        self._plug(host, "eth1", cable_mac(host), cable_port(host), f"02:ba:5c:01:12:{number:02x}",
                   CABLE, [CABLE.v4(number)], [CABLE.v6(number)])

    # ---- the nodes' files ----

    def write_key(self, node, ring=None, keys=None, mode=0o600):
        """The cluster's key file, or one with other secrets."""
        path = key_path(node)
        draft = path.with_suffix(".draft")
        lines = [f"ring {ring or self.ring}"] + [f"key {key}" for key in keys or [self.key]]
        draft.write_text("\n".join(lines) + "\n")
        draft.chmod(mode)
        draft.rename(path)

    def addresses(self, node):
        """Of a node, as the cluster's configuration has them: path 0, path 1."""
        number = node.v4[0].removeprefix(FRONT.v4_prefix)
        return [f"{node.v4[0]}:{CLUSTER_PORT}", f"[{CABLE.v6(number)}]:{CLUSTER_PORT}"]

    def config(self, node, backends=None, nodes=None, cluster=None, **options):
        """A node's file: standard_config() and the cluster. `cluster`: further keys of it."""
        config = node.standard_config(backends, **options)
        config.cluster = {"name": CLUSTER_NAME, "key_file": str(key_path(node)),
                          "heartbeat_interval": f"{INTERVAL_MS}ms", "dead_after": DEAD_AFTER,
                          **(cluster or {})}
        config.cluster_nodes = [
            {"name": each.name, "addresses": self.addresses(each), "priority": 150 - 10 * index}
            for index, each in enumerate(nodes or self.nodes)]
        return config

    def start_all(self, **options):
        for node in self.nodes:
            node.write_config(self.config(node, **options))
        together(lambda node: node.start(accept=(0, 4)), self.nodes)
        self.wait_in_step()

    # ---- ways ----

    def relay(self, nodes=None):
        """A relay between the nodes, on both paths; see there."""
        ports = {}
        for node in nodes or self.nodes:
            ports[node.name, FRONT_PATH] = (node.name, node.mac)
            ports[node.name, CABLE_PATH] = (cable_port(node), cable_mac(node))
        return Relay(self, ports)

    def lead(self, node, client=None):
        """From now on a client's packets for the VIPs reach this node."""
        for vip in (VIP4, VIP6):
            (client or self.client).must("ip", "neigh", "replace", vip, "lladdr", node.mac, "dev",
                                         "eth0", "nud", "permanent")

    # ---- what the nodes know ----

    def peers(self, node):
        """What a node says of each of its peers, by name."""
        return {each["name"]: each for each in node.ask("show", "peers")["peers"]}

    def in_step(self, nodes=None):
        """Whether each of the nodes is in step with each other one, by its own words."""
        nodes = nodes or self.nodes
        for node in nodes:
            peers = self.peers(node)
            for other in nodes:
                if other is not node and not (peers[other.name]["state"] == "alive"
                                              and peers[other.name]["synced"]):
                    return False
        return True

    def wait_in_step(self, nodes=None, seconds=20):
        try:
            wait_until(lambda: self.in_step(nodes), seconds, "the nodes to be in step")
        except LabError as error:
            shown = [node.cli("show", "peers").stdout for node in nodes or self.nodes]
            raise LabError("\n".join([str(error), *shown])) from None

    def wait_state(self, node, peer, state, seconds=10):
        """Waits until a node holds another one for "alive", "dead" …"""
        wait_until(lambda: self.peers(node)[peer.name]["state"] == state, seconds,
                   f"{node.name} to hold {peer.name} for {state}")

    def tables(self, nodes=None):
        """The nodes' established sessions, asked at the same time: flow → backend of each."""
        nodes = nodes or self.nodes
        return together(established, nodes)

    def lags(self):
        """Why the nodes may not be in step, by their own words."""
        return [(node.name, peer["name"], peer["state"], peer["stream_seconds"], peer["lag_ms"],
                 peer["behind"]) for node in self.nodes for peer in self.peers(node).values()]

    def wait_tables_agree(self, at_least, seconds, nodes=None, but=lambda flow: False):
        """Waits until all tables are equal, but for some flows. Returns the seconds that it took at
        most: nodes that agree at once still have to be asked."""
        began = time.monotonic()
        while True:
            asked = time.monotonic()
            tables = [{flow: backend for flow, backend in table.items() if not but(flow)}
                      for table in self.tables(nodes)]
            if all(table == tables[0] for table in tables) and len(tables[0]) >= at_least:
                return time.monotonic() - began
            if asked - began > seconds:
                raise LabError(f"after {seconds:.2f} s: {differences(tables)}; {self.lags()}")


class PairTest(ClusterTest):
    """Several nodes for all tests of a class: started and in step."""

    alone = True       # a node that has no processor for 100 ms is dead to the others
    lab_options = {"nodes": 2}
    file_options = {}  # of PairLab.config
    led = True         # the client is led to a node by hand, whoever has the VIPs

    @classmethod
    def make_lab(cls):
        return PairLab(**cls.lab_options)

    @classmethod
    def setUpClass(cls):
        cls.start_node = False
        super().setUpClass()
        cls.nodes = cls.lab.nodes
        cls.lab.start_all(**cls.file_options)
        if cls.led:
            cls.lab.lead(cls.node)

    def setUp(self):
        # What the last test broke is whole again, or this one says why not.
        for node in self.nodes:
            if node.daemon is None:
                node.start(accept=(0, 4))
        self.lab.wait_in_step()
        if self.led:
            self.lab.lead(self.node)

    def relay(self):
        """A relay that ends with the test."""
        relay = self.lab.relay()
        self.addCleanup(relay.stop)
        return relay

    def hold_frames(self):
        """Nodes cannot ask each other on the link of the VIPs either, until let_frames()."""
        ports = ", ".join(f'"{node.name}"' for node in self.nodes)
        self.lab.on_switch(f"""nft -f - <<'END'
            table netdev frames {{
                chain kept {{
                    type filter hook ingress devices = {{ {ports} }} priority 0; policy accept;
                    ether type 0x{FRAME_TYPE:04x} drop
                }}
            }}
END""")
        self.addCleanup(self.let_frames)

    def let_frames(self):
        self.lab.on_switch("nft delete table netdev frames 2>/dev/null || true")

    def kept(self, connections, rate=500, **options):
        """Connections that stay open, some of which say something now and then: all are up."""
        running = self.http(connections=connections, per_connection=0, rate=rate, timeout=20,
                            **options)
        wait_until(lambda: running.latest and running.latest["open"] >= connections
                   and running.answered() >= connections, 60, f"{connections} connections")
        return running

    def assert_kept(self, running, at_least=1):
        """None of the connections has broken or was answered by another server."""
        self.assert_none_failed(running.stop(), at_least)

    def counter_of(self, node, peer, name):
        """A counter of the replication with a peer, by its name."""
        return next(int(each["count"]) for each in self.lab.peers(node)[peer.name]["counters"]
                    if each["name"] == name)

    def says(self, node):
        """What `bascule status` holds for wrong, as one text."""
        return "\n".join(each["what"] for each in node.status()["degradations"])

    def wait_says(self, node, words, seconds=10):
        """Waits until `bascule status` of a node ends with 4 and says this."""
        wait_until(lambda: words in self.says(node), seconds, f"{node.name} to say: {words}")
        self.assertEqual(node.cli("status").returncode, 4)

    def wait_well(self, node, seconds=10):
        wait_until(lambda: node.cli("status").returncode == 0, seconds, f"{node.name} to be well")


def cable_port(node):
    return f"{node.name}-eth1"


def cable_mac(node):
    return node.mac.replace(":02:", ":12:", 1)


def key_path(node):
    return node.directory / "cluster.key"


def together(what, hosts):
    """Does something for several hosts at the same time. Their results, in order."""
    results, errors = [None] * len(hosts), []

    def do(index):
        try:
            results[index] = what(hosts[index])
        except Exception as error:  # pylint: disable=broad-except
            errors.append(error)

    threads = [threading.Thread(target=do, args=(index,)) for index in range(len(hosts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def sessions(node, *filters):
    """The sessions of a node's table, as `show sessions` tells of them: all of them."""
    shown = node.ask("show", "sessions", "--limit", str(MOST_SHOWN), *filters)
    if int(shown["matched"]) > len(shown["sessions"]):
        raise LabError(f"{node.name} has {shown['matched']} sessions, too many to be shown")
    return shown["sessions"]


def established(node):
    """What a node has, and tells: a session whose backend was taken away is nobody's until its next
    packet."""
    return {flow_of(each): each["backend"]
            for each in sessions(node, "--state", "established") if each.get("backend")}


def flow_of(session):
    return (session["protocol"], session["source"], session["source_port"], session["vip"],
            session["port"])


def differences(tables):
    """In what several tables differ from the first, in words."""
    said = [f"{[len(table) for table in tables]} sessions"]
    for number, table in enumerate(tables[1:], 1):
        lacking = tables[0].keys() - table.keys()
        more = table.keys() - tables[0].keys()
        other = sum(1 for flow in tables[0].keys() & table.keys()
                    if table[flow] != tables[0][flow])
        if lacking or more or other:
            said.append(f"table {number} lacks {len(lacking)}, has {len(more)} more and {other} "
                        f"with another backend; for example {sorted(lacking | more)[:3]}")
    return "; ".join(said)
