# SPDX-License-Identifier: Apache-2.0
"""For comparison: packaged keepalived in the same lab, with the same time of detection.

It is unpacked into the lab, not installed. Its nodes answer the stream themselves: only the time
until the VIP is found again is measured.
"""

import os
import signal
import statistics
import unittest

from cluster_test import ClusterTest
from host import VIP4, checked, stop_process, wait_until
from lab import Lab
from steady import Stream, now, outage_after
from takeover import LONG

RUNS = 20
# Seconds between two advertisements: three of them, and up to one more by priority, are missed.
TIMES = {"10 ms × 3": 0.01, "20 ms × 5": 0.03, "100 ms × 3": 0.1}

CONFIG = """\
global_defs {{
    router_id {name}
    vrrp_version 3
}}
vrrp_instance lab {{
    state {state}
    interface eth0
    virtual_router_id 9
    priority {priority}
    advert_int {interval}
    virtual_ipaddress {{
        {vip}/32 dev eth0
    }}
}}
"""


@unittest.skipUnless(LONG, "a comparison of minutes: BASCULE_LONG=1")
class KeepalivedTest(ClusterTest):
    alone = True  # it measures outages
    lab_options = {"nodes": 2, "backends": 0, "clients": 1}
    start_node = False

    @classmethod
    def make_lab(cls):
        return Lab(**cls.lab_options)

    @classmethod
    def prepare(cls):
        cls.tree = cls.lab.directory / "keepalived"
        cls.tree.mkdir()
        (cls.tree / "partial").mkdir()
        # It and all that it needs and this machine has not.
        checked(["apt-get", "install", "-y", "--no-install-recommends", "--download-only", "-o",
                 f"Dir::Cache::archives={cls.tree}", "keepalived"], timeout=300)
        for package in cls.tree.glob("*.deb"):
            checked(["dpkg-deb", "-x", str(package), str(cls.tree)])
        cls.running = {}
        for node in cls.lab.nodes:
            node.must("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1",
                      "net.ipv6.ip_nonlocal_bind=1")
            node.start_udp()
            node.wait_listening()

    def start(self, node, interval):
        first = node is self.lab.nodes[0]
        config = node.directory / "keepalived.conf"
        config.write_text(CONFIG.format(name=node.name, vip=VIP4, interval=interval,
                                        state="MASTER" if first else "BACKUP",
                                        priority=150 if first else 140))
        libraries = next(self.tree.glob("usr/lib/*-linux-gnu"))
        self.running[node.name] = node.spawn(
            [self.tree / "usr/sbin/keepalived", "--dont-fork", "--vrrp", "--log-console", "-f",
             config, "-p", node.directory / "keepalived.pid", "-r", node.directory / "vrrp.pid"],
            log="keepalived.log", env={**os.environ, "LD_LIBRARY_PATH": str(libraries)})

    def kill(self, node):
        """All of its processes: those that it has started have its session."""
        process = self.running.pop(node.name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        # The next one would take whoever has these numbers by then for the former one.
        for name in ("keepalived.pid", "vrrp.pid"):
            (node.directory / name).unlink(missing_ok=True)

    def holders(self):
        return [node.name for node in self.lab.nodes if VIP4 in node.addresses()]

    def one_death(self, interval):
        one, two = self.lab.nodes
        stream = Stream(self.client)
        died = now()
        self.lab.on_switch(f"ip link set {one.name} down")
        self.kill(one)
        wait_until(lambda: two.name in self.holders(), 20, "node2 to take the VIP")
        goal = stream.latest["answered"] + 200
        stream.wait_said(lambda said: said["answered"] >= goal, 20, "the stream to flow")
        outage = outage_after(stream.stop(), died)
        one.run("ip", "addr", "del", f"{VIP4}/32", "dev", "eth0")
        self.lab.on_switch(f"ip link set {one.name} up")
        self.start(one, interval)
        wait_until(lambda: self.holders() == [one.name], 20, "node1 to have it back")
        return outage

    def test_times_of_detection(self):
        for what, interval in TIMES.items():
            for node in self.lab.nodes:
                self.start(node, interval)
            wait_until(lambda: self.holders() == [self.node.name], 20, "node1 to have the VIP")
            outages = [self.one_death(interval) for _ in range(RUNS)]
            print(f"      keepalived, {what}: {min(outages):.0f} / "
                  f"{statistics.median(outages):.0f} / {max(outages):.0f} ms "
                  f"(min / median / max of {RUNS})")
            for node in self.lab.nodes:
                stop_process(self.running.pop(node.name))
            wait_until(lambda: not self.holders(), 10, "both to have ended")
