# SPDX-License-Identifier: Apache-2.0
"""A host of a lab: one network namespace with its `eth0`, and the processes started in it.

Every process is started in a session of its own and recorded for the clean-up (janitor.py).
"""

import json
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import janitor
import servers as web_servers
from tally import FIRST_PORT, LAST_PORT

PYTHON = "/usr/bin/python3"
HERE = Path(__file__).resolve().parent

V4_PREFIX, V6_PREFIX = "10.9.0.", "fd00:9::"
VIP4, VIP6 = "10.9.0.100", "fd00:9::100"
HTTP_PORT, UDP_PORT = 80, 5353


@dataclass(frozen=True)
class Segment:
    """A network of the lab: a bridge of the switch, and what its addresses begin with."""

    bridge: str
    v4_prefix: str
    v6_prefix: str

    def v4(self, number):
        return f"{self.v4_prefix}{number}"

    def v6(self, number):
        return f"{self.v6_prefix}{number}"


FRONT = Segment("br0", V4_PREFIX, V6_PREFIX)


class LabError(Exception):
    """The lab could not be built, or something in it did not come up."""


def wait_until(condition, seconds, what):
    """Polls `condition` until it is true and returns its value; LabError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


def checked(argv, **options):
    """subprocess.run, with what the command said in the error."""
    options.setdefault("timeout", 60)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise LabError(f"{' '.join(map(str, argv))}: {(done.stderr or done.stdout).strip()}")
    return done


class Host:
    """One namespace with its `eth0`. Addresses are text; the first of a family is the main one."""

    def __init__(self, lab, name, mac, numbers, segment=FRONT):
        self.lab = lab
        self.name = name
        self.namespace = f"{lab.prefix}-{name}"
        self.mac = mac
        self.v4 = [segment.v4(number) for number in numbers]
        self.v6 = [segment.v6(number) for number in numbers]
        self.directory = lab.directory / name
        self._next_port = FIRST_PORT
        self._ports_lock = threading.Lock()

    def take_ports(self, count):
        """The first of `count` ports that no earlier load of this client has used."""
        with self._ports_lock:
            first = self._next_port
            if first + count > LAST_PORT:
                first = FIRST_PORT  # all have been used: those used longest ago come again
            self._next_port = first + count
        return first

    def enter(self, argv):
        """The command line that runs `argv` in this host. /sys stays that of the machine."""
        return ["nsenter", f"--net={janitor.NETNS / self.namespace}", "--", *map(str, argv)]

    def run(self, *argv, timeout=60, **options):
        """Runs a command to its end; a status other than 0 is the caller's to judge."""
        return subprocess.run(self.enter(argv), capture_output=True, text=True, check=False,
                              timeout=timeout, **options)

    def must(self, *argv, **options):
        return checked(self.enter(argv), **options)

    def spawn(self, argv, log=None, own_sysfs=False, **options):
        """Starts a process that belongs to the lab. Its output goes to the file `log` if given."""
        if log is not None:
            file = open(self.directory / log, "ab")
            options.update(stdout=file, stderr=file)
        options.setdefault("stdin", subprocess.DEVNULL)
        if own_sysfs:
            argv = ["ip", "netns", "exec", self.namespace, *map(str, argv)]
        else:
            argv = self.enter(argv)
        # A session of its own: Ctrl-C at the terminal is for the lab's owner, who stops the rest.
        process = subprocess.Popen(argv, start_new_session=True, **options)
        if log is not None:
            file.close()
        janitor.record_process(self.lab.directory, process.pid)
        return process

    def counters(self):
        """Frames that the switch received from, and sent to, this host."""
        done = checked(["ip", "-n", self.lab.switch, "-j", "-s", "link", "show", "dev", self.name])
        counted = json.loads(done.stdout)[0]["stats64"]
        return {"from_host": counted["rx"]["packets"], "to_host": counted["tx"]["packets"]}


class Serving:
    """What makes a host a real server: nginx, the UDP server and iperf3, all on the VIPs alone.

    Several servers of a kind on one host differ by port; each tells its own name.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.nginx = None
        self.udp = None
        self._expected = {}  # kind of server → the places where it will listen

    def start_nginx(self, servers=None, **options):
        """`servers`: name → port; without it one, named like the host. `options`: servers.py."""
        servers = servers or {self.name: HTTP_PORT}
        config = self.directory / "nginx.conf"
        config.write_text(web_servers.nginx_config(servers, self.directory, [VIP4, VIP6],
                                                   **options))
        (self.directory / "large").write_bytes(web_servers.LARGE_PAGE)
        self.nginx = self.spawn(
            ["nginx", "-c", config, "-p", self.directory, "-e", self.directory / "nginx.log",
             "-g", "daemon off;"], log="nginx.out")
        self._expect("nginx", "tcp", servers.values())

    def start_udp(self, servers=None):
        servers = servers or {self.name: UDP_PORT}
        named = ",".join(f"{name}={port}" for name, port in servers.items())
        self.udp = self.spawn([PYTHON, HERE / "servers.py", named, VIP4, VIP6], log="udp.log")
        self._expect("udp", "udp", servers.values())

    def start_iperf(self, ports):
        """One server for each port and VIP: an unbound one would answer by another address."""
        for port in ports:
            for vip in (VIP4, VIP6):
                self.spawn(["iperf3", "-s", "-B", vip, "-p", port], log="iperf.log")
        self._expect("iperf", "tcp", ports)

    def _expect(self, what, protocol, ports):
        places = {(protocol, f"{vip}:{port}") for port in ports for vip in (VIP4, f"[{VIP6}]")}
        self._expected[what] = places

    def wait_listening(self):
        expected = set().union(*self._expected.values())

        def listening():
            lines = (line.split() for line in self.run("ss", "-Hltun").stdout.splitlines())
            return expected <= {(words[0], words[4]) for words in lines}

        wait_until(listening, 20, f"the servers of {self.name}")

    def stop_servers(self):
        for what in ("nginx", "udp"):
            process = getattr(self, what)
            if process is not None:
                stop_process(process, signal.SIGTERM)
            setattr(self, what, None)
            self._expected.pop(what, None)


class Backend(Serving, Host):
    """A real server that holds the VIPs on `lo` by hand, as an administrator would."""

    def hold_quiet(self):
        """Nobody finds it by the VIPs."""
        self.must("sysctl", "-qw",
                  "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.eth0.arp_ignore=1",
                  "net.ipv4.conf.all.arp_announce=2", "net.ipv4.conf.eth0.arp_announce=2")

    def hold_vip(self):
        self.hold_quiet()
        self.must("sh", "-ec", f"""
            ip addr add {VIP4}/32 dev lo
            ip addr add {VIP6}/128 dev lo nodad""")


def stop_process(process, number=signal.SIGTERM, seconds=15):
    """Sends a signal and waits; SIGKILL if that is not heeded. Returns the exit status."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=seconds)
        raise LabError(f"process {process.pid} did not heed signal {number}") from None
