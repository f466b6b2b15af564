# SPDX-License-Identifier: Apache-2.0
"""A booted machine: Debian 12 under its own systemd; with disk, network card and power switch.

The disk is a layer above the bare tree (base.py), in memory; it outlives the power. The rest is
made anew each time the power comes: the network namespace with `eth0`, a veth pair to the switch,
and a bpffs, so that nothing that a kernel forgets is there after a reboot. systemd-nspawn boots
it; commands enter all of its namespaces, as if they were typed at its console.
"""

import os
import shlex
import signal
import subprocess
import uuid

import base
import janitor
import namespaces
from host import Host, LabError, checked, wait_until

BOOT_SECONDS = 120
REBOOTED = 133  # what systemd-nspawn ends with when the machine asked for a reboot
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb",
               "DEBIAN_FRONTEND": "noninteractive"}

# Inside: the mirror of Debian, and where new versions of our packages appear.
ARCHIVE, RELEASES = "/srv/archive", "/srv/releases"

INTERFACES = """\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address {address}/24
    gateway {gateway}
"""


class Machine(Host):
    """Off at first. Paths that tests give are those inside."""

    def __init__(self, lab, name, mac, numbers, port_mac):
        super().__init__(lab, name, mac, numbers)
        self.port_mac = port_mac
        self.nspawn = self.leader = None
        self.disk = self.directory / "disk"
        self.bpffs = self.directory / "bpf"
        self.console = self.directory / "console.log"

    # ---- before the first boot ----

    def install(self):
        """What the installer of Debian would have done."""
        self.lay_out(base.bare_tree())
        (self.directory / "bpf").mkdir()

    def lay_out(self, tree):
        """The disk: a layer above the tree, with what is this machine's own."""
        for name in ("layer", "work", "disk"):
            (self.directory / name).mkdir()
        checked(["mount", "-t", "overlay", "-o",
                 f"lowerdir={tree},upperdir={self.directory}/layer,workdir={self.directory}/work",
                 "overlay", str(self.disk)])
        self.write("/etc/hostname", f"{self.name}\n")
        # Without one systemd takes this for a first boot, and enables all that is installed.
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
        self.write("/etc/hosts", self.lab.hosts_file)
        self.write("/etc/network/interfaces",
                   INTERFACES.format(address=self.v4[0], gateway=self.lab.gateway.v4[0]))
        self.write("/etc/apt/sources.list", "".join(
            f"deb [trusted=yes] file:{place} ./\n" for place in (ARCHIVE, RELEASES)))
        self.write("/root/.ssh/authorized_keys", self.lab.ssh_key, mode=0o600)

    def path(self, inside):
        return self.disk / str(inside).lstrip("/")

    def write(self, inside, text, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    # ---- power ----

    def power_on(self):
        """Boots it and waits until all that it starts has started."""
        self._plug_in()
        checked(["mount", "-t", "bpf", "-o", "mode=700", "bpf", str(self.bpffs)])
        self._boot()

        def booted():
            if self.nspawn.poll() is not None:
                raise LabError(f"systemd-nspawn ended with {self.nspawn.returncode}")
            self.leader = self.leader or self._find_leader()
            return self.leader and self.run("systemctl", "is-system-running",
                                            timeout=20).stdout.strip() in ("running", "degraded")

        try:
            wait_until(booted, BOOT_SECONDS, f"{self.name} to boot")
        except (LabError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{error}\n{self.console_tail()}") from None

    def _plug_in(self):
        checked(["ip", "netns", "add", self.namespace])
        checked(["ip", "link", "add", "eth0", "netns", self.namespace, "address", self.mac,
                 "mtu", "1500", "type", "veth", "peer", "name", self.name, "netns",
                 self.lab.switch, "address", self.port_mac, "mtu", "1500"])
        checked(["nsenter", f"--net={janitor.NETNS / self.namespace}", "--",
                 "ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off"])
        self.lab.connect(self)

    def _boot(self):
        places = [path / self.lab.cgroup / self.name for path in namespaces.hierarchies()]
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        joins = "".join(f"echo $$ >{shlex.quote(str(place))}/cgroup.procs\n" for place in places)
        # Without a network of nspawn's making: it lives in the namespace that it is started in.
        command = ["nsenter", f"--net={janitor.NETNS / self.namespace}", "--", "systemd-nspawn",
                   "-D", self.disk, "-M", self.name, "--register=no", "--keep-unit", "--boot",
                   "--capability=all", "--system-call-filter=bpf perf_event_open",
                   "--console=read-only", "--resolv-conf=off", "--timezone=off",
                   "--link-journal=no", f"--bind={self.bpffs}:/sys/fs/bpf",
                   f"--bind-ro={self.lab.archive}:{ARCHIVE}",
                   f"--bind-ro={self.lab.releases}:{RELEASES}"]
        environment = dict(os.environ, SYSTEMD_NSPAWN_API_VFS_WRITABLE="network")
        with open(self.console, "ab") as console:
            self.nspawn = subprocess.Popen(
                ["sh", "-ec", joins + "exec " + shlex.join(map(str, command))],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment,
                start_new_session=True)
        janitor.record_process(self.lab.directory, self.nspawn.pid)

    def _find_leader(self):
        """The pid, as it is seen from outside, of the machine's process 1."""
        try:
            with open(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children",
                      encoding="ascii") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/comm", encoding="ascii") as file:
                    if file.read() == "systemd\n":
                        return int(child)
        except OSError:
            pass  # it is about to be started
        return None

    def power_off(self):
        """The plug is pulled: nothing says goodbye on the wire, and no process does anything."""
        self.lab.on_switch(f"ip link set {self.name} down")
        for pid in (self.nspawn.pid, self.leader):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._wait_off()

    def shut_down(self):
        self.run("systemctl", "poweroff")
        self._wait_off()

    def reboot(self):
        """`reboot`, typed; returns once it is up again."""
        self.run("systemctl", "reboot")
        status = self._wait_off()
        if status != REBOOTED:
            raise LabError(f"{self.name} ended with {status} instead of rebooting\n"
                           f"{self.console_tail()}")
        self.power_on()

    def _wait_off(self):
        status = self.nspawn.wait(timeout=BOOT_SECONDS)
        wait_until(lambda: janitor.start_time(self.leader) is None, 30, f"the end of {self.name}")
        self.nspawn = self.leader = None
        # The kernel takes a veth away with its namespace, but in its own time.
        self.lab.on_switch(f"ip link del {self.name}")
        checked(["umount", str(self.bpffs)])
        checked(["ip", "netns", "del", self.namespace])
        return status

    @property
    def is_on(self):
        return self.leader is not None

    # ---- commands ----

    def enter(self, argv):
        """The command line that runs `argv` inside."""
        if self.leader is None:
            raise LabError(f"{self.name} is off")
        assignments = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
        return ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C",
                "--", "env", "-i", "-C", "/root", *assignments, *map(str, argv)]

    def shell(self, script, **options):
        """Runs what was typed. Its words and its errors come in the order in which they did."""
        return subprocess.run(self.enter(["bash", "-c", script]), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=options.pop("timeout", 600), **options)

    def must_shell(self, script, **options):
        done = self.shell(script, **options)
        if done.returncode != 0:
            raise LabError(f"{self.name}# {script}: status {done.returncode}:\n{done.stdout}")
        return done.stdout

    def console_tail(self, lines=40):
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-lines:])

    def journal(self, lines=60):
        if not self.is_on:
            return self.console_tail()
        return self.run("journalctl", "--no-pager", "-q", "-o", "short-precise", "-n",
                        str(lines)).stdout
