#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a stranger does with the frames by which nodes ask each other on the link of a VIP.

    frames.py record INTERFACE FILE     keeps those that are seen, until it is ended
    frames.py play INTERFACE FILE MAC   sends them to a node, and broken, forged and cut ones; bounded
"""

import os
import random
import signal
import socket
import struct
import sys
import time

FRAME_TYPE = 0x88b5
ETH_P_ALL = 3
MOST_FRAMES, MOST_FRAME = 2000, 2000
HEADER = 14  # bytes of Ethernet's
BATCH = 50   # frames a millisecond


def record(interface, path):
    plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(FRAME_TYPE))
    plug.bind((interface, FRAME_TYPE))
    # They are for other hosts; without this the interface would not take them.
    plug.setsockopt(263, 1, struct.pack("IHH8s", socket.if_nametoindex(interface), 1, 0, bytes(8)))
    plug.settimeout(0.2)
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    count = 0
    with open(path, "wb") as out:
        while not ended and count < MOST_FRAMES:
            try:
                frame = plug.recv(MOST_FRAME)
            except socket.timeout:
                continue
            out.write(struct.pack("!H", len(frame)) + frame)
            out.flush()
            count += 1


def recorded(path):
    with open(path, "rb") as file:
        data = file.read()
    at, frames = 0, []
    while at + 2 <= len(data):
        size, = struct.unpack_from("!H", data, at)
        frames.append(data[at + 2:at + 2 + size])
        at += 2 + size
    return frames


def bad_ones(frames, own, node):
    """As they were; with one bit changed; cut short; noise behind their beginning; noise alone."""
    to = bytes.fromhex(node.replace(":", "")) + own + struct.pack("!H", FRAME_TYPE)
    for frame in frames:
        body = bytearray(frame[HEADER:])
        yield to + bytes(body)
        body[random.randrange(32, len(body))] ^= 1 << random.randrange(8)
        yield to + bytes(body)
        yield to + bytes(body[:random.randrange(8, len(body))]).ljust(46, b"\0")
        yield to + bytes(body[:32]) + os.urandom(300)
        yield to + bytes(body[:4]) + os.urandom(1400)
        yield to + os.urandom(200)


def play(interface, path, node):
    plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    plug.bind((interface, 0))
    own = plug.getsockname()[4]
    for number, frame in enumerate(bad_ones(recorded(path), own, node)):
        plug.send(frame[:1514])
        if number % BATCH == 0:
            time.sleep(0.001)


def main():
    if sys.argv[1] == "record":
        record(*sys.argv[2:4])
    else:
        play(*sys.argv[2:5])


if __name__ == "__main__":
    main()
