# SPDX-License-Identifier: Apache-2.0
"""A node on the oldest kernel that is supported: Debian's own, with a virtio network card.

The servers and the workstation are those of the quick start. The node is by itself: heartbeats of
an emulated machine, which is slow without end, would say nothing about a cluster.
"""

import os
import unittest

import base
import load
import quickstart
from booted_lab import SERVERS, BootedLab
from booted_test import BootedTest
from emulated import Emulated
from host import VIP4, wait_until
from test_story import CONFIG, leftovers

NODE = "lb1"
SLOW = 300  # seconds that a command may take there
SLOW_RATE, SLOW_KEPT = 20, 20  # new connections a second, and those that stay


class OldestLab(BootedLab):
    names = SERVERS

    def _add_machines(self):
        super()._add_machines()
        self._add_machine(NODE, make=Emulated)

    def connect(self, machine):
        # A tap takes back what it is sent: no program is needed at the port.
        self.on_switch(f"""
            ethtool -K {machine.name} tx off tso off gso off >/dev/null
            ip link set {machine.name} master br0 up""")


def alone(config):
    """The configuration of the quick start without its cluster."""
    sections = config.split("\n\n")
    return "\n\n".join(each for each in sections if not each.lstrip("[").startswith("cluster"))


@unittest.skipUnless(os.environ.get("BASCULE_LONG"), "an emulated machine: BASCULE_LONG=1")
class OldestKernel(BootedTest):
    debs = cgroup = None  # set by run.py

    @classmethod
    def setUpClass(cls):
        BootedTest.broken, BootedTest.serves_load = None, False
        cls.lab = OldestLab(cls.debs, cls.cgroup)
        cls.addClassCleanup(cls.lab.close)

    def setUp(self):
        self.node = self.lab.hosts[NODE]

    def test_serves(self):
        """Installed, loaded, native, and real clients are served by both servers."""
        kernel = self.node.must("uname", "-r").stdout.strip()
        self.assertTrue(kernel.startswith("6.1."), kernel)
        config = self._follow_servers()
        self.prepare_load()
        self.lab.type_here(f"scp bascule_*.deb root@{NODE}:")
        self._type("apt update && apt install -y ./bascule_*.deb")
        self._type(alone(config))
        self._type("bascule check && systemctl enable --now basculed")
        wait_until(lambda: self.node.run("bascule", "status").returncode == 0, SLOW,
                   "the node to be well")
        status = self.node.must("bascule", "status").stdout
        print(f"      kernel {kernel}\n      "
              + next(line for line in status.splitlines() if "XDP" in line), flush=True)
        self.assertRegex(status, r"eth0  native XDP, link up, driver virtio_net")
        self._assert_clients_served()
        self._assert_told()
        self._assert_goes_on("an edit",
                             f"echo 'weight = 50' >>{CONFIG} && systemctl reload basculed")
        self._assert_goes_on("a restart", "systemctl restart basculed")
        self._assert_goes_on("a death", "kill -KILL $(systemctl show -p MainPID --value basculed)")
        self._assert_realtime(config)
        self._type("apt purge -y bascule")
        self.assertNotIn("xdp", self.node.must("ip", "link", "show", "dev", "eth0").stdout)
        self.assertNotIn(VIP4, self.node.must("ip", "addr", "show", "dev", "eth0").stdout)
        self.assertEqual(leftovers(self.node), [])

    def _type(self, command):
        return self.node.must_shell(command, timeout=SLOW)

    def _follow_servers(self):
        """Follows what the quick start has typed for the servers. What it has typed as the
        configuration of a balancer."""
        config = None
        for step in quickstart.read(base.TREE / "docs/quickstart.md"):
            if NODE in step.machines and "bascule.toml" in step.command and config is None:
                config = step.command
            if set(step.machines) <= set(SERVERS) and "stop" not in step.command:
                quickstart.follow(step, lambda name, typed: self.lab.hosts[name].shell(typed))
            elif step.machines == [quickstart.YOU] and "root@web" in step.command:
                quickstart.follow(step, lambda _, typed: self.lab.type_here(typed))
        return config

    def _assert_clients_served(self):
        running = self._started(load.http(self.lab.client, per_connection=1, connections=8,
                                          requests=400))
        result = running.wait(SLOW)
        self._assert_no_failure(result, 400)
        self.assertEqual(set(result["flows"]), set(SERVERS))

    def _assert_told(self):
        """What asks the kernel most: a made packet through the loaded program, and the doctor."""
        said = self._type(f"bascule trace 192.0.2.1 40000 {VIP4} 80")
        self.assertRegex(said, r"web/web[12]")
        said = self.node.shell("bascule doctor --all", timeout=SLOW).stdout
        self.assertRegex(said, r"kernel-old +well")

    def _assert_goes_on(self, what, command):
        """No request fails meanwhile, and none on a connection that stays."""
        running, kept = self.fresh(rate=SLOW_RATE), self.lasting(SLOW_KEPT)
        self._type(command)
        wait_until(lambda: self.node.run("bascule", "status").returncode == 0, SLOW,
                   f"the node to be well after {what}")
        running.wait_answers(SLOW_RATE)
        self.assert_none_broke(kept)
        self.assert_none_failed(running, SLOW_RATE)
        print(f"      {what}: no request failed", flush=True)

    def _assert_realtime(self, config):
        """In a cluster the thread of the heartbeats has the priority that its unit allows."""
        self._type(config)
        self._type("bascule keygen && systemctl restart basculed")
        said = self._type("bascule show peers")
        self.assertIn("SCHED_FIFO", said)
        print("      " + next(line.strip() for line in said.splitlines() if "SCHED_FIFO" in line))
