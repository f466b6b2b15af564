# SPDX-License-Identifier: Apache-2.0
"""`bascule-backend` on a host of a lab: its configuration file, its process, its commands.

All that is its own lies in the host's directory: backend.toml, backend-run/, backend-bpf/ (a
bpffs), sysctl.d/ and backend.log.
"""

import copy
import json
import signal
from dataclasses import dataclass, field

from host import VIP4, VIP6, LabError, checked, stop_process, wait_until
from node import binary, pairs

START_SECONDS = 20


@dataclass
class HeldVip:
    """A [[vip]] of backend.toml. `ports`: (protocol, service's port, server's port)."""

    address: str
    forward: list
    hold: bool = True
    ports: list = field(default_factory=list)


@dataclass
class CompanionConfig:
    balancers: list
    vips: list
    interfaces: list = field(default_factory=lambda: ["eth0"])
    options: dict = field(default_factory=dict)  # further keys of [server]

    def copy(self):
        return copy.deepcopy(self)

    def text(self):
        lines = ["[server]", *pairs({"interfaces": self.interfaces, "balancers": self.balancers,
                                     **self.options})]
        for vip in self.vips:
            lines += ["", "[[vip]]", *pairs({"address": vip.address, "forward": vip.forward,
                                             "hold": vip.hold})]
            for protocol, service, server in vip.ports:
                lines += ["[[vip.port]]", *pairs({"protocol": protocol, "service": service,
                                                  "server": server})]
        return "\n".join(lines) + "\n"


def config_for(balancers, forward, ports=(), hold=True, **options):
    """The same for both VIPs of a lab. `ports`: service's port → server's ports, TCP and UDP."""
    entries = [(protocol, service, server) for service, servers in dict(ports).items()
               for server in servers for protocol in ("tcp", "udp")]
    return CompanionConfig(list(balancers), [HeldVip(vip, list(forward), hold, list(entries))
                                             for vip in (VIP4, VIP6)], options=options)


class Companion:
    """The files and the process of one bascule-backend."""

    def __init__(self, host):
        self.host = host
        self.process = None
        self.config_path = host.directory / "backend.toml"
        self.runtime_dir = host.directory / "backend-run"
        self.bpffs_mount = host.directory / "backend-bpf"
        self.sysctl_dir = host.directory / "sysctl.d"
        for directory in (self.runtime_dir, self.bpffs_mount, self.sysctl_dir):
            directory.mkdir()
        checked(["mount", "-t", "bpf", "bpf", str(self.bpffs_mount)])

    def write_config(self, config):
        text = config if isinstance(config, str) else config.text()
        self.config_path.write_text(text)

    def command(self, *words):
        return ["ip", "netns", "exec", self.host.namespace, binary("bascule-backend"),
                "--config", self.config_path, "--runtime-dir", self.runtime_dir,
                "--bpffs", self.bpffs_mount / "backend", "--sysctl-dir", self.sysctl_dir, *words]

    def run(self, *words, timeout=60):
        """A command to its end; a status other than 0 is the caller's to judge."""
        return self.host.run(*self.command(*words), timeout=timeout)

    def must(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise LabError(f"bascule-backend {' '.join(words)} on {self.host.name}: status "
                           f"{done.returncode}: {done.stdout}{done.stderr}")
        return done

    def start(self, config=None):
        if config is not None:
            self.write_config(config)
        self.process = self.host.spawn(self.command("run"), log="backend.log")

        def ready():
            if self.process.poll() is not None:
                raise LabError(f"it ended with status {self.process.returncode}")
            return self.run("status").returncode == 0

        try:
            wait_until(ready, START_SECONDS, "bascule-backend")
        except LabError as error:
            said = self.run("status")
            log = (self.host.directory / "backend.log").read_text(errors="replace")[-3000:]
            raise LabError(f"{self.host.name}: {error}\n{said.stdout}{said.stderr}{log}") from None

    def stop(self):
        """Asks it to end and to undo what it did. Returns its exit status."""
        status = stop_process(self.process, signal.SIGTERM)
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=15)
        self.process = None

    def status(self):
        return json.loads(self.must("status", "--json").stdout)
