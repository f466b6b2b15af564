# SPDX-License-Identifier: Apache-2.0
"""Real servers that can be made ill in every way that checks have to find, and well again.

An nginx serves pages and /health, by HTTP and by TLS; an NSD answers DNS; the lab's UDP server
echoes. All listen on the VIPs alone.
"""

import os
import signal
from dataclasses import dataclass

from host import VIP4, VIP6, checked, stop_process, wait_until

TLS_PORT, DNS_PORT = 443, 53
TLS_NAME, ZONE = "www.lab", "lab"
# The last word is what checks want: a slow page has not sent it.
HEALTH_PAGE = f"{'.' * 4000} all is ok\n"
PAGES = """\
        location = /health {{
            if (-f {directory}/failing) {{
                return 500;
            }}
            if (-f {directory}/slow) {{
                set $limit_rate 500;
            }}
            root {directory};
        }}
"""
TLS_SERVER = """
    server {{
        listen {vip4}:{port} ssl;
        listen [{vip6}]:{port} ssl ipv6only=on;
        ssl_certificate {directory}/tls.pem;
        ssl_certificate_key {directory}/tls.key;
        location = /health {{
            root {directory};
        }}
    }}"""
NSD = """\
server:
    server-count: 1
    ip-address: {vip4}
    ip-address: {vip6}
    port: {port}
    username: ""
    zonesdir: "{directory}"
    database: ""
    pidfile: "{directory}/nsd.pid"
    xfrdfile: "{directory}/nsd.xfrd"
    xfrdir: "{directory}"
    zonelistfile: "{directory}/nsd.zones"
    logfile: "{directory}/nsd.log"
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: {zone}.zone
"""
ZONE_TEXT = """\
$TTL 60
@ IN SOA ns.lab. root.lab. 1 3600 600 86400 60
@ IN NS ns.lab.
ns IN A 10.9.0.100
www IN A 192.0.2.7
"""


class Authority:
    """A CA for the TLS servers of a lab."""

    def __init__(self, directory):
        self.directory = directory
        self.certificate = directory / "ca.pem"
        self._key = directory / "ca.key"
        checked(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._key, "-out",
                 self.certificate, "-subj", "/CN=CA of the lab", "-days", "2"])

    def issue(self, directory, days=2):
        """A certificate and its key, as tls.pem and tls.key; with 0 days it is over at once."""
        request = directory / "tls.csr"
        checked(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-keyout", directory / "tls.key", "-out", request, "-subj",
                 f"/CN={TLS_NAME}", "-addext", f"subjectAltName=DNS:{TLS_NAME}"])
        checked(["openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey",
                 self._key, "-days", str(days), "-copy_extensions", "copy", "-out",
                 directory / "tls.pem"])


class Patient:
    """The servers of one host."""

    def __init__(self, host, authority=None):
        self.host = host
        self.directory = host.directory
        self.authority = authority
        self.nsd = None

    def start_web(self, servers):
        """`servers`: name → port of plain HTTP."""
        self._servers = servers
        (self.directory / "health").write_text(HEALTH_PAGE)
        more = ""
        if self.authority:
            if not (self.directory / "tls.pem").exists():
                self.authority.issue(self.directory)
            more = TLS_SERVER.format(directory=self.directory, vip4=VIP4, vip6=VIP6, port=TLS_PORT)
        self.host.start_nginx(servers, pages=PAGES.format(directory=self.directory), more=more)

    def start_dns(self):
        (self.directory / f"{ZONE}.zone").write_text(ZONE_TEXT)
        self._run_nsd()

    def _run_nsd(self):
        config = self.directory / "nsd.conf"
        config.write_text(NSD.format(directory=self.directory, vip4=VIP4, vip6=VIP6, zone=ZONE,
                                     port=DNS_PORT))
        self.nsd = self.host.spawn(["nsd", "-d", "-c", config], log="nsd.out")
        wait_until(lambda: f"{VIP4}:{DNS_PORT} " in self.host.run("ss", "-Hlun").stdout, 20,
                   f"nsd of {self.host.name}")

    # ---- ways to be ill, and well again ----

    def signal_web(self, number):
        """To nginx and its worker, which are a process group of their own."""
        os.killpg(self.host.nginx.pid, number)

    def kill_web(self):
        self.signal_web(signal.SIGKILL)
        self.host.nginx.wait(timeout=15)

    def start_web_again(self):
        self.start_web(self._servers)

    def mark(self, name):
        (self.directory / name).touch()

    def unmark(self, name):
        (self.directory / name).unlink()

    def write_page(self, text):
        draft = self.directory / "health.draft"
        draft.write_text(text)
        draft.rename(self.directory / "health")

    def firewall(self, rule):
        self.host.must("nft", "add table inet ill; add chain inet ill in { type filter hook input "
                              f"priority 0; }}; add rule inet ill in {rule}")

    def firewall_off(self):
        self.host.must("nft", "delete table inet ill")

    def lose_vips(self):
        for vip, bits in ((VIP4, 32), (VIP6, 128)):
            self.host.must("ip", "addr", "del", f"{vip}/{bits}", "dev", "lo")

    def find_vips(self):
        self.host.must("sh", "-ec", f"""
            ip addr add {VIP4}/32 dev lo
            ip addr add {VIP6}/128 dev lo nodad""")

    def unplug(self):
        self.host.lab.on_switch(f"ip link set {self.host.name} down")

    def plug(self):
        self.host.lab.on_switch(f"ip link set {self.host.name} up")

    def show_certificate(self, days):
        self.authority.issue(self.directory, days)
        self.host.nginx.send_signal(signal.SIGHUP)

    def answer_servfail(self):
        """A zone that cannot be loaded: NSD says SERVFAIL for all of it."""
        self.stop_dns()
        (self.directory / f"{ZONE}.zone").unlink()
        self._run_nsd()

    def answer_dns(self):
        self.stop_dns()
        self.start_dns()

    def stop_dns(self):
        stop_process(self.nsd, signal.SIGTERM)

    def kill_udp(self):
        self.host.udp.kill()
        self.host.udp.wait(timeout=15)


@dataclass
class Illness:
    """What is done to a server, who finds it, and what has to be said of it."""

    name: str
    backends: list  # "service/backend"
    reason: str     # a regular expression
    begin: callable
    end: callable
