# SPDX-License-Identifier: Apache-2.0
"""The machines of docs/quickstart.md on one switch, and somebody who sits before them.

    lb1   10.9.0.11    lb2   10.9.0.12     bare Debian 12, booted
    web1  10.9.0.21    web2  10.9.0.22     likewise
    gateway 10.9.0.1                       answers ICMP echo, and nothing else
    client1 10.9.0.201…                    the workstation: ssh to the machines, source of load

The lab of tests/cluster without its nodes and servers. It lives in the namespaces of a run
(namespaces.py): the workstation's names of hosts and its settings of ssh are the run's own.
"""

import os
import subprocess
from pathlib import Path

import base
import passprog
from host import Host, checked
from lab import Lab
from machine import Machine
from pair import together

NODES, SERVERS = ("lb1", "lb2"), ("web1", "web2")
NUMBERS = {"lb1": 11, "lb2": 12, "web1": 21, "web2": 22}
SSH_CONFIG = """\
Host lb1 lb2 web1 web2
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
"""


class BootedLab(Lab):
    """`debs`: our packages. They lie in the workstation's directory, where commands are typed."""

    names = NODES + SERVERS  # of the machines that are booted here

    def __init__(self, debs, cgroup):
        self.debs, self.cgroup = debs, cgroup
        self.machines, self._replaced = [], []
        super().__init__(backends=0, nodes=0, clients=1)

    def _build(self, *arguments):
        super()._build(*arguments)
        self.gateway = self.add_host("gateway", 1, make=Host)
        self.releases = self.directory / "releases"
        self.releases.mkdir()
        base.write_index(self.releases)
        self.desk = self.directory / "desk"
        self.desk.mkdir()
        for deb in self.debs:
            (self.desk / deb.name).symlink_to(deb)
        self._pass_program = self.directory / "client1" / "bpf"
        self._pass_program.mkdir()
        checked(["mount", "-t", "bpf", "bpf", str(self._pass_program)])
        self.archive = base.archive(self.debs)
        self.hosts_file = "127.0.0.1 localhost\n" + "".join(
            f"10.9.0.{number} {name}\n" for name, number in NUMBERS.items())
        self._replace("/etc/hosts", self.hosts_file)
        key = self.directory / "ssh_key"
        checked(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)])
        self.ssh_key = key.with_suffix(".pub").read_text()
        self._replace("/etc/ssh/ssh_config", SSH_CONFIG.format(key=key))
        self._add_machines()
        together(lambda machine: machine.power_on(), self.machines)

    def _add_machines(self):
        for name in self.names:
            self._add_machine(name)

    def _replace(self, path, text):
        """Gives the workstation another file than this machine has there."""
        mine = self.directory / Path(path).name
        mine.write_text(text)
        checked(["mount", "--bind", str(mine), path])
        self._replaced.append(path)

    def _add_machine(self, name, make=Machine):
        number, kind = NUMBERS[name], 2 if name in NODES else 3
        machine = make(self, name, f"02:ba:5c:00:{kind:02x}:{number:02x}", [number],
                       f"02:ba:5c:01:{kind:02x}:{number:02x}")
        machine.directory.mkdir()
        machine.install()
        self.hosts[name] = machine
        self.machines.append(machine)

    def close(self):
        while self._replaced:
            checked(["umount", self._replaced.pop()])
        super().close()

    @property
    def pair(self):
        return [self.hosts[name] for name in NODES]

    @property
    def servers(self):
        return [self.hosts[name] for name in SERVERS]

    # ---- the switch ----

    def connect(self, machine):
        """Takes the new port of a machine that gets its power."""
        self.on_switch(f"ethtool -K {machine.name} tx off tso off gso off >/dev/null")
        if machine.name in NODES:
            pin = self._pass_program / machine.name
            passprog.pin(pin)
            self.on_switch(f"ip link set dev {machine.name} xdp pinned {pin}")
            pin.unlink()  # the interface holds it now
        self.on_switch(f"ip link set {machine.name} master br0 up")

    # ---- the workstation ----

    def type_here(self, script, timeout=600):
        """Runs what is typed at the workstation, in the directory with the packages."""
        environment = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8",
                       "TERM": "dumb"}
        return subprocess.run(self.client.enter(["bash", "-c", script]), cwd=self.desk,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, timeout=timeout,
                              env=environment)

    def logs(self, lines=40):
        return "\n".join(f"--- {machine.name}\n{machine.journal(lines)}"
                         for machine in self.machines)
