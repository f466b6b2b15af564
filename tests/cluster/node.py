# SPDX-License-Identifier: Apache-2.0
"""A load-balancer node of a lab: its configuration file, its `basculed`, its `bascule` command.

All that is the node's lies in its directory: bascule.toml, run/ (control socket), state/, bpf/ (a
bpffs of its own, mounted in the machine's mount namespace below /run, where `ip netns exec` does
not hide it) and basculed.log.
"""

import copy
import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import janitor
import passprog
from host import (HTTP_PORT, UDP_PORT, V4_PREFIX, V6_PREFIX, VIP4, VIP6, Host, LabError, checked,
                  Serving, stop_process, wait_until)

TREE = Path(__file__).resolve().parents[2]
START_SECONDS = 30


def binary(name):
    """Path of a program under test: from $BASCULE_BIN, or the release build."""
    directory = os.environ.get("BASCULE_BIN") or TREE / "build" / "release" / "bin"
    return Path(directory).resolve() / name


@dataclass
class BackendEntry:
    """A [[service.backend]]; what is None is left out of the file."""

    name: str
    address: str
    port: int = HTTP_PORT
    weight: int = 100
    backup: bool = None


@dataclass
class ServiceEntry:
    name: str
    vip: str
    port: object = HTTP_PORT  # or "8000-8099", "any"
    protocol: str = "tcp"
    backends: list = field(default_factory=list)
    options: dict = field(default_factory=dict)  # further keys of [[service]]

    def backend(self, name):
        return next(entry for entry in self.backends if entry.name == name)

    def remove(self, name):
        self.backends.remove(self.backend(name))


@dataclass
class Config:
    """A bascule.toml as values, to be edited by tests; `text()` is the file."""

    node: dict
    vips: list  # of (address, interface)
    services: list
    log_level: str = "info"
    defaults: dict = field(default_factory=dict)
    hook: dict = field(default_factory=dict)
    http: dict = None  # none: there is no [http]
    cluster: dict = field(default_factory=dict)
    cluster_nodes: list = field(default_factory=list)  # of dictionaries

    def service(self, name):
        return next(entry for entry in self.services if entry.name == name)

    def copy(self):
        return copy.deepcopy(self)

    def text(self):
        lines = ["[node]", *pairs(self.node), "", "[log]", *pairs({"level": self.log_level})]
        if self.defaults:
            lines += ["", "[defaults]", *pairs(self.defaults)]
        if self.hook:
            lines += ["", "[hook]", *pairs(self.hook)]
        if self.http is not None:
            lines += ["", "[http]", *pairs(self.http)]
        if self.cluster:
            lines += ["", "[cluster]", *pairs(self.cluster)]
        for node in self.cluster_nodes:
            lines += ["[[cluster.node]]", *pairs(node)]
        for address, interface in self.vips:
            lines += ["", "[[vip]]", *pairs({"address": address, "interface": interface})]
        for service in self.services:
            lines += ["", "[[service]]", *pairs({
                "name": service.name, "vip": service.vip, "port": service.port,
                "protocol": service.protocol, **service.options})]
            for entry in service.backends:
                lines += ["[[service.backend]]", *pairs(vars(entry))]
        return "\n".join(lines) + "\n"


def pairs(values):
    # JSON's strings, numbers, booleans and lists of them are TOML's, too.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]


def add_services(config, name, port, backends, protocols=("tcp", "udp"), **options):
    """Adds services NAME-tcp4, NAME-udp6 … on both VIPs.

    `backends`: name → (host, port), or (address for IPv4, address for IPv6, port); no port: None.
    """
    for vip, family in ((VIP4, 4), (VIP6, 6)):
        for protocol in protocols:
            entries = []
            for each, (*place, backend_port) in backends.items():
                addresses = place if len(place) == 2 else (place[0].v4[0], place[0].v6[0])
                entries.append(BackendEntry(each, addresses[family == 6], backend_port))
            config.services.append(ServiceEntry(f"{name}-{protocol}{family}", vip, port, protocol,
                                                entries, dict(options)))


class Node(Serving, Host):
    """The files and the processes of one load balancer. With forward = "local" it serves itself."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.daemon = None
        self.config_path = self.directory / "bascule.toml"
        self.runtime_dir = self.directory / "run"
        self.state_dir = self.directory / "state"
        self.bpffs_mount = self.directory / "bpf"
        self.bpffs = self.bpffs_mount / "bascule"
        self.config = None  # what was written last by write_config()
        self.wrapper = []   # what goes before the daemon's command

    def prepare(self):
        for directory in (self.runtime_dir, self.state_dir, self.bpffs_mount):
            directory.mkdir()
        checked(["mount", "-t", "bpf", "bpf", str(self.bpffs_mount)])
        # The switch's port must take what XDP on this node sends back: passprog.py tells why.
        self.let_redirect(self.name)

    def attach_foreign_program(self, interface="eth0"):
        """Puts an XDP program on the interface that is not Bascule's."""
        self._attach_pass_program(self.enter([]), interface)

    def let_redirect(self, port):
        """Makes a switch's port take what XDP on this node redirects to the interface behind it."""
        self._attach_pass_program(["nsenter", f"--net={janitor.NETNS / self.lab.switch}", "--"],
                                  port)
        # A program on a veth switches this on by itself.
        self.lab.on_switch(f"ethtool -K {port} gro {self.lab.port_gro}")

    def _attach_pass_program(self, enter, interface):
        pin = self.bpffs_mount / "pass_all"
        passprog.pin(pin)
        checked([*enter, "ip", "link", "set", "dev", interface, "xdp", "pinned", str(pin)])
        pin.unlink()  # the interface holds it now

    # ---- configuration ----

    def standard_config(self, backends=None, weights=None, v6=True, udp=False):
        """Services over the lab's real servers: `web` and, as asked, `web6`, `echo`, `echo6`."""
        names = backends or [backend.name for backend in self.lab.backends]
        weights = weights or {}

        def service(name, vip, port, protocol, prefix):
            entries = [BackendEntry(each, prefix + self._number(each), port, weights.get(each, 100))
                       for each in names]
            return ServiceEntry(name, vip, port, protocol, entries)

        services = [service("web", VIP4, HTTP_PORT, "tcp", V4_PREFIX)]
        if udp:
            services.append(service("echo", VIP4, UDP_PORT, "udp", V4_PREFIX))
        if v6:
            services.append(service("web6", VIP6, HTTP_PORT, "tcp", V6_PREFIX))
        if v6 and udp:
            services.append(service("echo6", VIP6, UDP_PORT, "udp", V6_PREFIX))
        vips = [(VIP4, "eth0")] + ([(VIP6, "eth0")] if v6 else [])
        node = {"name": self.name, "interfaces": ["eth0"], "max_sessions": 200_000}
        return Config(node, vips, services)

    def _number(self, name):
        return self.lab.hosts[name].v4[0].removeprefix(V4_PREFIX)

    def write_config(self, config):
        """Replaces the file at once, as an editor does. Text is written as it is."""
        if isinstance(config, Config):
            self.config = config
            config = config.text()
        draft = self.config_path.with_suffix(".draft")
        draft.write_text(config)
        draft.rename(self.config_path)

    # ---- the daemon ----

    def daemon_command(self, config=None, bpffs=None, runtime_dir=None, state_dir=None):
        return [*self.wrapper, binary("basculed"), "--config", config or self.config_path,
                "--runtime-dir", runtime_dir or self.runtime_dir,
                "--bpffs", bpffs or self.bpffs, "--state-dir", state_dir or self.state_dir]

    def start(self, accept=(0,)):
        """Starts basculed and waits until `bascule status` ends with one of the given codes."""
        self.daemon = self.spawn(self.daemon_command(), log="basculed.log", own_sysfs=True)

        def ready():
            if self.daemon.poll() is not None:
                raise LabError(f"it ended with status {self.daemon.returncode}")
            return self.cli("status").returncode in accept

        try:
            wait_until(ready, START_SECONDS, f"basculed on {self.name}")
        except LabError as error:
            said = self.cli("status")
            raise LabError(f"{error}\n{said.stdout}{said.stderr}{self.log_tail()}") from None

    def start_refused(self, wrapper=(), **places):
        """Runs a basculed that is expected to refuse. Returns its status and all that it said."""
        command = ["ip", "netns", "exec", self.namespace, *wrapper,
                   *map(str, self.daemon_command(**places))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False,
                                  timeout=START_SECONDS, start_new_session=True)
        except subprocess.TimeoutExpired as error:
            said = (error.stdout or b"") + (error.stderr or b"")
            raise LabError(f"basculed did not refuse but runs on:\n{said.decode()}") from None
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        """Asks the daemon to end. Returns its exit status."""
        status = stop_process(self.daemon, signal.SIGTERM)
        self.daemon = None
        return status

    def kill(self):
        self.daemon.kill()
        self.daemon.wait(timeout=15)
        self.daemon = None

    def clean_up(self):
        """What systemd does when the daemon has ended, however: `basculed --release-vips`."""
        return self.must(*self.daemon_command(), "--release-vips").stdout

    def memory(self):
        """Bytes of the machine's memory that the daemon has."""
        for line in Path(f"/proc/{self.daemon.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise LabError(f"{self.name}: no basculed to be measured")

    def log_tail(self, lines=20):
        try:
            text = (self.directory / "basculed.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    # ---- the command ----

    def cli_command(self, *words):
        return [binary("bascule"), "--runtime-dir", self.runtime_dir, *words]

    def cli(self, *words, timeout=60):
        return self.run(*self.cli_command(*words), timeout=timeout)

    def must_cli(self, *words):
        done = self.cli(*words)
        if done.returncode != 0:
            raise LabError(f"bascule {' '.join(words)}: status {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
        return done

    def ask(self, *words, accept=(0, 4)):
        """What a command answers with --json."""
        done = self.cli(*words, "--json")
        if done.returncode not in accept:
            raise LabError(f"bascule {' '.join(words)} --json: status {done.returncode}: "
                           f"{(done.stderr or done.stdout).strip()}")
        return json.loads(done.stdout)

    def status(self):
        return self.ask("status")

    def backends(self):
        """The backends as the daemon shows them, by "service/name"."""
        shown = self.ask("show", "backends")["backends"]
        return {f"{entry['service']}/{entry['name']}": entry for entry in shown}

    def health(self, *words):
        """What the checks say, by "service/name"."""
        shown = self.ask("show", "health", *words)["targets"]
        return {f"{entry['service']}/{entry['backend']}": entry for entry in shown}

    def events(self, after=0):
        return self.ask("events", "--since", str(after), "--limit", "1000")["events"]

    def reload(self, config=None):
        if config is not None:
            self.write_config(config)
        return self.must_cli("reload")

    # ---- what is on the machine ----

    def xdp(self, interface="eth0"):
        """(mode, program id) of the XDP program on the interface; None when there is none."""
        link = json.loads(self.must("ip", "-j", "-d", "link", "show", "dev", interface).stdout)[0]
        attached = link.get("xdp")
        if not attached:
            return None
        return attached["mode"], attached["prog"]["id"]

    def addresses(self, interface="eth0"):
        shown = json.loads(self.must("ip", "-j", "addr", "show", "dev", interface).stdout)[0]
        return {entry["local"] for entry in shown["addr_info"]}

    def pins(self):
        return sorted(str(path.relative_to(self.bpffs_mount))
                      for path in self.bpffs_mount.rglob("*") if not path.is_dir()
                      and path.suffix != ".debug")

    def picture(self):
        """What a refused change must leave as it is."""
        return {"xdp": self.xdp(), "addresses": self.addresses(), "pins": self.pins()}
