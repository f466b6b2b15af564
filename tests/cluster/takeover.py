# SPDX-License-Identifier: Apache-2.0
"""What the tests of takeover have in common: who has the VIPs, faults of whole nodes, judgement.

Clients find the VIPs by themselves here: by ARP, and by what nodes announce. Node1 has the highest
priority: it has them before each test.
"""

import json
import os
import signal

from host import HERE, PYTHON, VIP4, VIP6, LabError, wait_until
from pair import NOISE, PairTest, cable_port
from steady import Lasting, Stream

LONG = bool(os.environ.get("BASCULE_LONG"))
VIPS = (VIP4, VIP6)
LEASE = 3.0        # seconds that an address stays by itself
SETTLED = 10       # seconds after which who is to have the VIPs has them, failback included
MOST_OUTAGE = 1.0  # seconds: of new flows, at 20 ms × 5, on a machine that does much besides
PROMISED = 20      # milliseconds: of new flows, beyond the time of detection, as a median of many runs
KEPT = 2000 if LONG else 200


class TakeoverTest(PairTest):
    """Two nodes, real clients that ask for the VIPs themselves."""

    lab_options = {"nodes": 2, "backends": 4, "udp": True}
    led = False

    def setUp(self):
        super().setUp()
        # What an operator's word has moved does not come back by itself.
        for vip, shown in self.vips(self.nodes[0]).items():
            if shown["moved"] and not shown["held"]:
                self.nodes[0].must_cli("failover", vip)
        self.wait_held(self.nodes[0])

    # ---- who has the VIPs ----

    def has(self, node, vip=VIP4):
        """Whether the address is on a node's interface, whatever its daemon says."""
        return vip in node.addresses()

    def holders(self, vip=VIP4, nodes=None):
        return [node.name for node in nodes or self.nodes if self.has(node, vip)]

    def vips(self, node):
        """What a node says of the VIPs, by address."""
        return {each["address"]: each for each in node.ask("show", "vips")["vips"]}

    def wait_held(self, owner, seconds=SETTLED, nodes=None):
        """Waits until this node alone has all VIPs, and all that run say so."""
        def held():
            return all(self.holders(vip, nodes) == [owner.name] for vip in VIPS) and all(
                each["holder"] == owner.name and len(each["holders"]) < 2
                for node in self.running(nodes) for each in self.vips(node).values())
        try:
            wait_until(held, seconds, f"{owner.name} alone to have the VIPs")
        except LabError as error:
            raise LabError(f"{error}\n{self.told(nodes)}") from None

    def running(self, nodes=None):
        return [node for node in nodes or self.nodes if node.daemon is not None]

    def told(self, nodes=None):
        """What all nodes say and have, for a test that failed."""
        lines = [f"{vip} is on {self.holders(vip)}, the client knows {self.neighbour(vip)}"
                 for vip in VIPS]
        for node in self.running(nodes):
            lines.append(f"--- {node.name}, {node.mac}")
            lines.append(node.cli("show", "vips", "--detail").stdout)
            lines += [f"{each['time']} {each['kind']} {each['subject']}: {each['text']}"
                      for each in node.events()[-12:]]
        return "\n".join(lines)

    def neighbour(self, vip=VIP4, client=None):
        """The MAC by which the client reaches a VIP; None: it knows none."""
        shown = json.loads((client or self.client).must(
            "ip", "-j", "neigh", "show", "to", vip, "dev", "eth0").stdout or "[]")
        return shown[0].get("lladdr") if shown else None

    def who_has(self, vip=VIP4, seconds=0.2, times=1):
        """Who answers on the wire when a client asks for a VIP: MAC addresses."""
        own = self.client.v6[0] if ":" in vip else self.client.v4[0]
        said = self.client.must(PYTHON, HERE / "who_has.py", "eth0", self.client.mac, own, vip,
                                str(seconds), str(times))
        return json.loads(said.stdout)

    def wait_neighbour(self, owner, seconds=NOISE + 1):
        """Waits until the client reaches the VIPs by this node, of those that it knows."""
        def there():
            return all(self.neighbour(vip) in (None, owner.mac) for vip in VIPS) \
                and self.neighbour() == owner.mac
        try:
            wait_until(there, seconds, f"the client to find the VIPs at {owner.name}")
        except LabError as error:
            raise LabError(f"{error}\n{self.told()}") from None

    def assert_settled(self, owner, at_least=0, seconds=SETTLED):
        """One owner, by addresses, words and the wire; the client's entry is his; tables agree."""
        self.wait_held(owner, seconds)
        for vip in VIPS:
            self.assertEqual(self.who_has(vip), [owner.mac], self.told())
        self.touch()
        self.wait_neighbour(owner)
        if len(self.running()) > 1:
            self.lab.wait_in_step()
            self.lab.wait_tables_agree(at_least, 2 + NOISE)

    def touch(self):
        """A connection to each VIP, so that the client looks for its neighbour."""
        for v6 in (False, True):
            self.assert_none_failed(self.http(requests=3, connections=1, v6=v6).wait())

    def epochs(self):
        return {vip: int(each["epoch"]) for vip, each in self.vips(self.nodes[0]).items()}

    def kinds(self, node, after):
        """Kinds of the events of a node since a serial number."""
        return [each["kind"] for each in node.events(after)]

    def serial(self, node):
        return int(node.ask("events", "--limit", "1")["last_serial"])

    # ---- what runs meanwhile ----

    def stream(self, **options):
        return self._started(Stream(self.client, **options))

    def lasting(self, connections=KEPT, **options):
        running = self._started(Lasting(self.client, connections, **options))
        running.wait_up()
        return running

    def fresh(self, rate=200, **options):
        """A new HTTP connection for each request."""
        running = self.http(per_connection=1, connections=32, rate=rate, **options)
        running.wait_answers(rate // 4)
        return running

    def assert_none_broke(self, lasting):
        """Each of the lasting connections gives a sign of life, by the server that it had."""
        broken, reasons = lasting.check()
        self.assertEqual(broken, 0, f"of {lasting.connections} connections: {reasons}")

    # ---- faults of a node ----

    def ports(self, node):
        # In this order they go down: no last word by the cable says that the other one is gone.
        return [cable_port(node), node.name]

    def links(self, node, state):
        self.lab.on_switch("\n".join(f"ip link set {port} {state}" for port in self.ports(node)))

    def hole(self, node, ports=None):
        """Nothing comes through any more, and no carrier is lost."""
        self.lab.on_switch("\n".join(f"ip link set {port} nomaster"
                                     for port in ports or self.ports(node)))

    def unhole(self, node):
        cable, front = self.ports(node)
        self.lab.on_switch(f"ip link set {front} master br0\nip link set {cable} master br1")

    def power_on(self, node):
        """A node that lost its power comes back with its disk and nothing else, and starts."""
        node.must_cli("detach", "--bpffs", node.bpffs)
        for vip in VIPS:
            node.run("ip", "addr", "del", vip, "dev", "eth0")
        self.links(node, "up")
        self.unhole(node)
        node.start(accept=(0, 4))

    def restore(self, node):
        """For clean-ups: the node has its links, goes on if it was stopped, and runs."""
        self.links(node, "up")
        self.unhole(node)
        if node.daemon is not None and node.daemon.poll() is not None:
            node.daemon = None
        if node.daemon is not None:
            node.daemon.send_signal(signal.SIGCONT)

    def returns(self, node, seconds=30):
        """Waits until a node that has come back is in step and has taken its VIPs back."""
        self.lab.wait_in_step(seconds=seconds)
        self.wait_held(node, seconds)
