#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Asks the link who has an address, by ARP or a neighbour solicitation, and tells who answers.

    who_has.py INTERFACE OWN-MAC OWN-ADDRESS ADDRESS SECONDS [TIMES]
    who_has.py INTERFACE OWN-MAC OWN-ADDRESS ADDRESS --claim TIMES [SAID-MAC]

Prints a JSON list of MAC addresses. The kernel's own neighbour entries are not asked, and are left
as they are. `--claim` says that OWN-MAC, or SAID-MAC, has ADDRESS, by a gratuitous ARP every 0.3 s.
"""

import ipaddress
import json
import socket
import struct
import sys
import time

ETH_P_ARP, ETH_P_IPV6, ETH_P_ALL = 0x0806, 0x86dd, 3
ARP_REQUEST, ARP_REPLY, NS, NA = 1, 2, 135, 136
ICMPV6 = 58
CLAIM_PAUSE = 0.3  # seconds


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def arp(operation, mac, own, wanted):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, mac, own, bytes(6), wanted)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def solicitation(mac, own, wanted):
    """(destination MAC, IPv6 packet) of a neighbour solicitation, RFC 4861 4.3."""
    group = ipaddress.ip_address("ff02::1:ff00:0").packed[:13] + wanted[13:]
    body = struct.pack("!BBHI16sBB6s", NS, 0, 0, 0, wanted, 1, 1, mac)
    pseudo = own + group + struct.pack("!IHBB", len(body), 0, 0, ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB16s16s", 6 << 28, len(body), ICMPV6, 255, own, group)
    return b"\x33\x33" + group[12:], head + body


def question(mac, own, wanted):
    if len(wanted) == 4:
        return b"\xff" * 6 + mac + struct.pack("!H", ETH_P_ARP) + arp(ARP_REQUEST, mac, own, wanted)
    target, packet = solicitation(mac, own, wanted)
    return target + mac + struct.pack("!H", ETH_P_IPV6) + packet


def answerer(frame, wanted):
    """The MAC that a frame says has the address; None: it says no such thing."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    if kind == ETH_P_ARP and len(wanted) == 4 and len(frame) >= 42:
        if frame[20:22] == b"\x00\x02" and frame[28:32] == wanted:
            return frame[22:28]
    if kind == ETH_P_IPV6 and len(wanted) == 16 and len(frame) >= 78:
        if frame[20] == ICMPV6 and frame[54] == NA and frame[62:78] == wanted:
            return frame[80:86] if len(frame) >= 86 else frame[6:12]
    return None


def main():
    interface, mac, own, wanted, seconds = sys.argv[1:6]
    times = int(sys.argv[6]) if len(sys.argv) > 6 else 1
    mac, own = mac_bytes(mac), ipaddress.ip_address(own).packed
    wanted = ipaddress.ip_address(wanted).packed
    plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    plug.bind((interface, ETH_P_ALL if seconds != "--claim" else 0))
    if seconds == "--claim":
        said = mac_bytes(sys.argv[7]) if len(sys.argv) > 7 else mac
        for turn in range(times):
            time.sleep(CLAIM_PAUSE if turn else 0)
            plug.send(b"\xff" * 6 + mac + struct.pack("!H", ETH_P_ARP)
                      + arp(ARP_REQUEST, said, wanted, wanted))
        return
    found = set()
    for _ in range(times):
        plug.send(question(mac, own, wanted))
        deadline = time.monotonic() + float(seconds)
        while (left := deadline - time.monotonic()) > 0:
            plug.settimeout(left)
            try:
                answer = answerer(plug.recv(2048), wanted)
            except socket.timeout:
                break
            if answer is not None:
                found.add(answer.hex(":"))
    print(json.dumps(sorted(found)))


main()
