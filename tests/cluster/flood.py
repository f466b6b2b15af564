#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends frames as they are, over and over: so many a second, for so many seconds.

    flood.py INTERFACE FILE RATE SECONDS

FILE has one frame a line, in hexadecimal; `heartbeat_like`, `syn` make such. What was sent is told
as JSON. It never sends more than RATE times SECONDS frames.
"""

import ipaddress
import json
import random
import socket
import struct
import subprocess
import sys
import time

from host import HERE, PYTHON, LabError

STEP = 0.001  # seconds between two bursts


def flood(interface, frames, rate, seconds):
    plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    plug.bind((interface, 0))
    began = time.monotonic()
    sent = refused = 0
    goal = int(rate * seconds)
    while sent + refused < goal:
        now = time.monotonic() - began
        if now > 2 * seconds:
            break  # this machine cannot do it
        due = min(goal, int(now * rate))
        while sent + refused < due:
            try:
                plug.send(frames[(sent + refused) % len(frames)])
                sent += 1
            except OSError:
                refused += 1
        time.sleep(STEP)
    return {"sent": sent, "refused": refused, "seconds": time.monotonic() - began}


def main():
    interface, path, rate, seconds = sys.argv[1:]
    with open(path, encoding="ascii") as file:
        frames = [bytes.fromhex(line) for line in file]
    print(json.dumps(flood(interface, frames, float(rate), float(seconds))), flush=True)


# ---- frames ----


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(macs, source, target, protocol, payload):
    """`macs`: of sender and receiver. The whole frame."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + ends
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    sender, receiver = (bytes.fromhex(mac.replace(":", "")) for mac in macs)
    return receiver + sender + b"\x08\x00" + head + payload


def udp(macs, source, target, payload):
    """`source`, `target`: (address, port). UDP without a checksum, as IPv4 lets it be."""
    head = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0)
    return ipv4(macs, source[0], target[0], 17, head + payload)


def syn(macs, source, target):
    """The first segment of a connection."""
    head = struct.pack("!HHIIBBHHH", source[1], target[1], random.getrandbits(32), 0, 0x50, 0x02,
                       64240, 0, 0)
    ends = ipaddress.ip_address(source[0]).packed + ipaddress.ip_address(target[0]).packed
    sum_of = checksum(ends + struct.pack("!BBH", 0, 6, len(head)) + head)
    return ipv4(macs, source[0], target[0], 6, head[:16] + struct.pack("!H", sum_of) + head[18:])


# ---- the lab's end ----


class Flood:
    """A flood from a host of the lab, which runs until it has come to its own end."""

    def __init__(self, host, frames, rate, seconds):
        path = host.directory / f"frames-{time.monotonic_ns():x}"
        path.write_text("".join(frame.hex() + "\n" for frame in frames))
        self._seconds = seconds
        self.process = host.spawn([PYTHON, HERE / "flood.py", "eth0", path, rate, seconds],
                                  stdout=subprocess.PIPE, text=True)

    def goes_on(self):
        return self.process.poll() is None

    def wait(self):
        """How many frames were sent, and in how many seconds."""
        said, _ = self.process.communicate(timeout=3 * self._seconds + 20)
        if self.process.returncode != 0:
            raise LabError(f"the flood ended with {self.process.returncode}")
        return json.loads(said)


if __name__ == "__main__":
    main()
