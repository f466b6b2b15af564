# SPDX-License-Identifier: Apache-2.0
"""A lab of several networks: servers behind a router, servers behind the node's second interface,
and a client at the far end of a narrow link.

    front  10.9.0.0/24  fd00:9::/64     client1 .201…  node1 .11  router .1   front .31
    back   10.9.1.0/24  fd00:9:1::/64   router .1  back .32      node1 goes by the router
    side   10.9.2.0/24  fd00:9:2::/64   router .1  side .33      node1's eth1 .11
    far    10.9.3.0/24  fd00:9:3::/64   outer .1  far .201
    the narrow link     10.9.4.0/24     router .1  outer .2, MTU 1280

Servers answer clients by the router, never by the node. What is real about the router: Linux
forwards, and tells by ICMP what does not fit the narrow link.
"""

from companion import Companion, config_for
from host import FRONT, VIP4, VIP6, Backend, Host, Segment, checked
from lab import Lab
from node import Config

BACK = Segment("br1", "10.9.1.", "fd00:9:1::")
SIDE = Segment("br2", "10.9.2.", "fd00:9:2::")
FAR = Segment("br3", "10.9.3.", "fd00:9:3::")
NARROW = Segment("", "10.9.4.", "fd00:9:4::")
NARROW_MTU = 1280
SEGMENTS = {"front": FRONT, "back": BACK, "side": SIDE}
ROUTER, NODE, FIRST_SERVER = 1, 11, 31
# Where tunnels come from if the node is told so: the last bits are the flow's.
TUNNEL_V4, TUNNEL_V6 = "172.30.0.0/16", "fd00:30::/96"


class WideLab(Lab):
    """`servers`: name → segment. `far`: whether there is a far client."""

    port_gro = "off"  # what is captured has the checksums and sizes of the wire

    def __init__(self, servers, far=False, client_addresses=8):
        self._server_segments = servers
        self._with_far = far
        self.far = None
        self.companions = {}
        super().__init__(backends=0, client_addresses=client_addresses)

    def _build(self, *arguments):
        super()._build(*arguments)
        self.add_bridge(BACK)
        self.add_bridge(SIDE)
        self.router = self.add_host("router", ROUTER, kind=4)
        self.router.must("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                         "net.ipv4.conf.all.send_redirects=0",
                         # More than enough for a test, and no test waits for a token.
                         "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        self.add_leg(self.router, "eth1", BACK, ROUTER)
        self.add_leg(self.router, "eth2", SIDE, ROUTER)
        node = self.node
        self.add_leg(node, "eth1", SIDE, NODE)
        node.let_redirect(f"{node.name}-eth1")
        for segment in (BACK, FAR):
            self.route(node, segment, FRONT)
        for number, (name, segment) in enumerate(self._server_segments.items()):
            self._add_server(name, FIRST_SERVER + number, SEGMENTS[segment])
        if self._with_far:
            self._add_far()

    def add_leg(self, host, interface, segment, number):
        """A further interface. The switch's port to it is named HOST-INTERFACE."""
        kind = int(segment.bridge.removeprefix("br")) << 4 | int(host.mac[12:14], 16)
        self._plug(host, interface, f"02:ba:5c:00:{kind:02x}:{number:02x}",
                   f"{host.name}-{interface}", f"02:ba:5c:01:{kind:02x}:{number:02x}", segment,
                   [segment.v4(number)], [segment.v6(number)])

    @staticmethod
    def route(host, towards, by, gateway=ROUTER):
        """A route to a whole segment; `towards` None: to everywhere."""
        v4, v6 = (f"{towards.v4(0)}/24", f"{towards.v6_prefix}/64") if towards else \
            ("0.0.0.0/0", "::/0")
        host.must("ip", "route", "add", v4, "via", by.v4(gateway))
        host.must("ip", "-6", "route", "add", v6, "via", by.v6(gateway))

    def _add_server(self, name, number, segment):
        server = self.add_host(name, number, kind=3, make=Backend, segment=segment)
        if segment is not FRONT:
            self.route(server, None, segment)
        else:
            self.route(server, FAR, FRONT)
        self.backends.append(server)

    def _add_far(self):
        self.add_bridge(FAR)
        outer = self.add_host("outer", ROUTER, kind=5, segment=FAR)
        outer.must("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                   "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        mtu = ["mtu", str(NARROW_MTU)]
        checked(["ip", "link", "add", "narrow", "netns", self.router.namespace, *mtu,
                 "type", "veth", "peer", "name", "narrow", "netns", outer.namespace, *mtu])
        for host, number in ((self.router, 1), (outer, 2)):
            self.raise_interface(host, "narrow", [NARROW.v4(number)], [NARROW.v6(number)])
        self.route(self.router, FAR, NARROW, 2)
        self.route(outer, None, NARROW, 1)
        self.far = self.add_host("far", 201, kind=5, numbers=range(201, 205), segment=FAR)
        self.route(self.far, None, FAR)

    # ---- companions ----

    def balancers(self):
        """What the node's tunnels may come from."""
        return [*self.node.v4, *self.node.v6, SIDE.v4(NODE), SIDE.v6(NODE), TUNNEL_V4, TUNNEL_V6]

    def prepare_companion(self, host):
        """The places of a bascule-backend on a host; nothing is started."""
        companion = self.companions[host.name] = Companion(host)
        return companion

    def start_companion(self, host, forward, ports=(), **options):
        """Starts bascule-backend on a host, which then has both VIPs."""
        companion = self.prepare_companion(host)
        companion.start(config_for(self.balancers(), forward, ports, **options))
        return companion

    # ---- the node's file ----

    def config(self, **node_options):
        node = {"name": self.node.name, "interfaces": ["eth0"], "max_sessions": 100_000,
                **node_options}
        return Config(node, [(VIP4, "eth0"), (VIP6, "eth0")], [])
