# SPDX-License-Identifier: Apache-2.0
"""What tshark says of captured frames: above all, of their checksums.

Fields of one frame come for each of its layers, the outermost first: a tunnelled packet has two IP
headers, an ICMP error also those that it quotes.
"""

import os
import subprocess
from collections import Counter
from dataclasses import dataclass

from host import LabError

GUE_PORT = 6080
GOOD, NOT_THERE = "1", "3"  # *.checksum.status; the latter: a UDP checksum of 0
STATUS = ["ip.checksum.status", "tcp.checksum.status", "udp.checksum.status",
          "icmp.checksum.status", "icmpv6.checksum.status"]


def fields(path, names, display_filter=""):
    """For each frame: field name → list of its values, over all layers."""
    argv = ["tshark", "-n", "-r", str(path), "-d", f"udp.port=={GUE_PORT},ip",
            # A frame is judged by itself, not as a part of a stream.
            "-o", "tcp.desegment_tcp_streams:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE",
            "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
            # A tunnel over IPv6 may go without the UDP checksum (RFC 6935).
            "-o", "udp.check_checksum:TRUE", "-o", "udp.ignore_ipv6_zero_checksum:TRUE",
            # What is in the payload is of no interest, and costs time.
            "--disable-protocol", "http", "-T", "fields", "-E", "separator=|"]
    for name in names:
        argv += ["-e", name]
    if display_filter:
        argv += ["-Y", display_filter]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120,
                          env={**os.environ, "HOME": "/nonexistent"})
    if done.returncode != 0:
        raise LabError(f"tshark: {done.stderr}")
    return [{name: value.split(",") if value else []
             for name, value in zip(names, line.split("|"))}
            for line in done.stdout.splitlines()]


@dataclass
class Verdict:
    """Frames whose checksums are good, by (protocol, port), and those of which one is not."""

    frames: Counter      # the port of either end
    outer_sources: dict  # (protocol, port) → source addresses of the tunnel's packets
    bad: list


def checksums(path, display_filter=""):
    """Judges every checksum of every frame. A tunnel's frames count for the packet inside."""
    verdict = Verdict(Counter(), {}, [])
    ports = ["tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"]
    names = ["frame.number", "frame.protocols", "ip.src", "ipv6.src", "tcp.checksum",
             "udp.checksum", "tcp.flags", *ports, *STATUS]
    for frame in fields(path, names, display_filter):
        # tshark names IPv4 in GUE first, and then thinks better of it.
        protocols = frame["frame.protocols"][0].replace("udp:ip:ipv6", "udp:ipv6").split(":")
        error = "icmp" in protocols or "icmpv6" in protocols
        if not _is_good(frame, protocols, error):
            shown = {name: values for name, values in frame.items() if values}
            verdict.bad.append(f"{path.name}: {shown}")
            continue
        # The packet that a client or a server sees is the innermost but for what an error quotes.
        protocol = "icmp" if error else next((each for each in reversed(protocols)
                                              if each in ("tcp", "udp")), "other")
        for name in ports:
            if not error and name.startswith(protocol) and frame[name]:
                verdict.frames[protocol, int(frame[name][-1])] += 1
        if error or protocol == "other":
            verdict.frames[protocol, 0] += 1
        elif len(frame["ip.src"]) + len(frame["ipv6.src"]) > 1:
            outer = frame["ip.src"] if protocols[2] == "ip" else frame["ipv6.src"]
            key = protocol, int(frame[f"{protocol}.dstport"][-1])
            verdict.outer_sources.setdefault(key, set()).add(outer[0])
    return verdict


def _is_good(frame, protocols, error):
    if error:
        # What is quoted is cut short: its TCP or UDP checksum cannot be told.
        own = frame["icmp.checksum.status"][:1] + frame["icmpv6.checksum.status"][:1]
        return own == [GOOD] and set(frame["ip.checksum.status"]) <= {GOOD}
    ip_layers = protocols.count("ip")
    if frame["ip.checksum.status"] != [GOOD] * ip_layers:
        return False
    # Linux writes 0 as 0xffff in TCP, too, when it is to finish checksums itself; tshark blames it,
    # though both are the same number in ones' complement (RFC 1071).
    tcp = [GOOD if value == "0xffff" else status
           for value, status in zip(frame["tcp.checksum"], frame["tcp.checksum.status"])]
    if tcp != [GOOD] * protocols.count("tcp"):
        return False
    udp = frame["udp.checksum.status"]
    if len(udp) != protocols.count("udp"):
        return False
    # The outer header of GUE has no checksum; what a client sent has a good one.
    tunnel = [str(GUE_PORT)] == frame["udp.dstport"][:1] and len(protocols) > 4
    inner = udp[1:] if tunnel else udp
    return (not tunnel or udp[0] == NOT_THERE) and all(status == GOOD for status in inner)
