#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small data centre on one machine: network namespaces around a switch.

    client1   10.9.0.201…  fd00:9::201…     where traffic comes from
    node1     10.9.0.11    fd00:9::11       the load balancer; holds the VIP while basculed runs
    web1…     10.9.0.21…   fd00:9::21…      real servers, the VIP on `lo`
    switch                                  a bridge; its port to a host bears the host's name

Every host has one interface, `eth0`; wide.py adds segments, routers and further interfaces. Nothing
is ever created outside of the lab's own namespaces, /run/bascule-lab and /run/netns, so any number
of labs exist side by side. How a lab goes away: janitor.py.

As a program: `lab.py --up` builds a lab with a running node and waits, `lab.py --shell [HOST]`
opens a shell in it, `lab.py --clean` removes what labs left whose owner is dead.
"""

import argparse
import atexit
import itertools
import os
import signal
import subprocess
import sys
import threading

import janitor
from host import FRONT, HTTP_PORT, UDP_PORT, VIP4, VIP6, Backend, Host, LabError, checked
from node import Node

_serial = itertools.count(1)


class Lab:
    """`with Lab(backends=8) as lab:`. Building it takes one to two seconds."""

    port_gro = "on"  # whether the switch's ports join frames of one flow into larger ones

    def __init__(self, backends=8, nodes=1, clients=1, client_addresses=16, udp=False):
        serial = next(_serial)
        # No dot: libbpf turns dots in the paths of pins into underscores.
        self.prefix = f"bsc{os.getpid():x}n{serial}"
        self.directory = janitor.ROOT / self.prefix
        self.switch = f"{self.prefix}-switch"
        self.hosts = {}
        self.clients, self.nodes, self.backends = [], [], []
        self._closed = False
        self._claim_directory()
        self._guardian = janitor.start_guardian(self.directory)
        atexit.register(self.close)
        _stop_in_order()
        try:
            self._build(clients, client_addresses, nodes, backends, udp)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Takes the lab away. Raises LabError when something resisted."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        left = janitor.clean(self.directory)
        os.close(self._guardian)
        if left:
            raise LabError(f"lab {self.prefix} left {', '.join(left)}")

    @property
    def client(self):
        return self.clients[0]

    @property
    def node(self):
        return self.nodes[0]

    def backend(self, name):
        return self.hosts[name]

    def add_host(self, name, number, kind=9, make=Host, numbers=None, segment=FRONT):
        """Plugs one more host into the switch; it has its addresses and no servers."""
        mac = f"02:ba:5c:00:{kind:02x}:{number & 0xff:02x}"
        host = make(self, name, mac, numbers or [number], segment)
        host.directory.mkdir()
        checked(["ip", "netns", "add", host.namespace])
        self._prepare(host)
        self._plug(host, "eth0", host.mac, name, f"02:ba:5c:01:{kind:02x}:{number & 0xff:02x}",
                   segment, host.v4, host.v6)
        self.hosts[name] = host
        return host

    def logs(self, lines=40):
        """The last lines of every log of the lab, for a test that failed."""
        text = []
        for path in sorted(self.directory.glob("*/*.log")) + sorted(self.directory.glob("*/*.out")):
            content = path.read_text(errors="replace").splitlines()
            if content:
                text.append(f"--- {path.parent.name}/{path.name}")
                text += content[-lines:]
        return "\n".join(text)

    def _claim_directory(self):
        # Servers and checks run as nobody, and read files here, whatever this process' umask was.
        os.umask(0o022)
        janitor.ROOT.mkdir(exist_ok=True)
        janitor.ROOT.chmod(0o755)
        if self.directory.exists():
            janitor.clean(self.directory)  # of a dead process that had our number
        self.directory.mkdir(mode=0o755)
        (self.directory / "owner").write_text(janitor.identity(os.getpid()))

    def _build(self, clients, client_addresses, nodes, backends, udp):
        self._make_switch()
        self.add_bridge(FRONT)
        for index in range(clients):
            first = 201 + index * client_addresses
            self.clients.append(self.add_host(f"client{index + 1}", first, kind=1,
                                              numbers=range(first, first + client_addresses)))
        for index in range(nodes):
            self.nodes.append(self.add_host(f"node{index + 1}", 11 + index, kind=2, make=Node))
        for node in self.nodes:
            node.prepare()
        for index in range(backends):
            self.add_backend(f"web{index + 1}", 21 + index, udp, wait=False)
        for backend in self.backends:
            backend.wait_listening()

    def add_backend(self, name, number, udp=False, wait=True):
        """A further real server, with its servers started."""
        backend = self.add_host(name, number, kind=3, make=Backend)
        backend.hold_vip()
        backend.start_nginx()
        if udp:
            backend.start_udp()
        if wait:
            backend.wait_listening()
        self.backends.append(backend)
        return backend

    def _make_switch(self):
        checked(["ip", "netns", "add", self.switch])
        self.on_switch("""
            sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
            ip link set lo up""")

    def on_switch(self, script):
        checked(["nsenter", f"--net={janitor.NETNS / self.switch}", "--", "sh", "-ec", script])

    def add_bridge(self, segment):
        number = int(segment.bridge.removeprefix("br"))
        self.on_switch(f"""
            ip link add {segment.bridge} address 02:ba:5c:01:00:{number + 1:02x} type bridge \\
                stp_state 0 forward_delay 0 mcast_snooping 0
            ip link set {segment.bridge} up
            # Frames on the bridge are nobody's business but the switch's.
            for hook in arp ip6 ip; do
                file=/proc/sys/net/bridge/bridge-nf-call-${{hook}}tables
                if [ -e $file ]; then echo 0 > $file; fi
            done""")

    @staticmethod
    def _prepare(host):
        # All addresses stand before a link is used; nothing waits for duplicate detection.
        host.must("sh", "-ec", """
            sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
                       net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0 \
                       net.ipv6.conf.default.router_solicitations=0 \
                       net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
                       net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1 \
                       net.ipv4.tcp_max_syn_backlog=16384 net.core.somaxconn=16384
            ip link set lo up""")

    def _plug(self, host, interface, mac, port, port_mac, segment, v4, v6):
        """Connects a host by a veth pair: its end is `interface`, the switch's is `port`."""
        checked(["ip", "link", "add", interface, "netns", host.namespace, "address", mac,
                 "mtu", "1500", "type", "veth", "peer", "name", port, "netns", self.switch,
                 "address", port_mac, "mtu", "1500"])
        self.on_switch(f"""
            ethtool -K {port} tx off tso off gso off gro {self.port_gro} >/dev/null
            ip link set {port} master {segment.bridge} up""")
        self.raise_interface(host, interface, v4, v6)

    def plug_again(self, node):
        """After a node's eth0 was deleted: another interface of the same name, at the same port."""
        self._plug(node, "eth0", node.mac, node.name, node.mac.replace(":5c:00:", ":5c:01:"), FRONT,
                   node.v4, node.v6)
        node.let_redirect(node.name)

    @staticmethod
    def raise_interface(host, interface, v4, v6):
        """Gives it addresses and raises it. XDP sees frames as they are: a frame's checksums and
        segments must be finished before it leaves."""
        addresses = "".join(f"ip addr add {a}/24 dev {interface}\n" for a in v4)
        addresses += "".join(f"ip addr add {a}/64 dev {interface} nodad\n" for a in v6)
        host.must("sh", "-ec", f"""
            ethtool -K {interface} tx off tso off gso off >/dev/null
            {addresses}
            ip link set {interface} up""")


def _stop_in_order():
    """Makes SIGTERM and SIGHUP unwind the program as Ctrl-C does, so that labs are closed."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def _play(arguments):
    """A lab to play with by hand."""
    with Lab(backends=arguments.backends, nodes=arguments.nodes, udp=True) as lab:
        for node in lab.nodes[:1]:
            node.write_config(node.standard_config())
            node.start()
        print(f"lab {lab.prefix}: VIP {VIP4} and {VIP6}, port {HTTP_PORT} tcp and {UDP_PORT} udp")
        for host in lab.hosts.values():
            print(f"  ip netns exec {host.namespace} …   # {host.v4[0]}")
        print(f"  logs and configuration: {lab.directory}")
        if arguments.shell:
            host = lab.hosts[arguments.shell]
            environment = dict(os.environ, PS1=f"[{arguments.shell}] \\w \\$ ")
            subprocess.run(host.enter(["bash", "--norc"]), env=environment, check=False)
            return
        print("Ctrl-C takes it away.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()


def main():
    parser = argparse.ArgumentParser(description="A load-balancer lab in network namespaces.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--up", action="store_true", help="build a lab and keep it until Ctrl-C")
    action.add_argument("--shell", nargs="?", const="client1", metavar="HOST",
                        help="build a lab and open a shell in one of its hosts (default: client1)")
    action.add_argument("--clean", action="store_true",
                        help="remove what labs left whose owner is dead")
    action.add_argument("--list", action="store_true", help="list the labs of this machine")
    parser.add_argument("--backends", type=int, default=8)
    parser.add_argument("--nodes", type=int, default=1)
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("lab.py: network namespaces need root: run it with sudo")
    if arguments.clean:
        lines, complete = janitor.clean_stale()
        print("\n".join(lines) or "nothing to clean")
        sys.exit(0 if complete else 1)
    if arguments.list:
        for directory, alive in janitor.labs():
            print(f"{directory.name}: {'in use' if alive else 'owner is dead'}")
        return
    try:
        _play(arguments)
    except LabError as error:
        sys.exit(f"lab.py: {error}")


if __name__ == "__main__":
    main()
