#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Faults on the ways between nodes: frames of the cluster's port are lost, delayed, doubled, led
astray in time or cut, for each path and direction by itself, and can be recorded and played again.

`with Relay(lab, {("node1", 0): ("node1", mac), …}) as relay:` starts a process on the lab's switch.
While it runs, frames of the port that come from a node pass by it instead of the bridge: packet
sockets see what comes in by a port of the switch before nftables drops it there, and what is sent
by them goes straight to the port of the node whose it is. All else is left to the bridge. When the
process ends it gives the ways back; the lab's namespace takes all of it along in any case.

What is kept is bounded: frames under way, frames of a recording. What meets a bound is counted.
"""

import argparse
import ctypes
import heapq
import itertools
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import janitor
from host import HERE, PYTHON, LabError, wait_until

CLUSTER_PORT = 7400
ETH_P_ALL, SOL_PACKET = 3, 263
PACKET_IGNORE_OUTGOING, SO_ATTACH_FILTER, SO_RCVBUFFORCE = 23, 26, 33
MOST_WAITING, MOST_RECORDED = 50_000, 200_000  # frames
MOST_REQUEST = 65_536
FIFO_PRIORITY = 15  # a relay that is late would be a fault that nobody asked for


@dataclass
class Fault:
    """What befalls a frame. Chances are from 0 to 1, times are seconds."""

    cut: bool = False
    loss: float = 0.0
    duplicate: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0     # up to so much later, each frame by itself: they overtake each other
    reorder: float = 0.0    # so many are held back for `held`
    held: float = 0.02


@dataclass
class Count:
    """Frames of one way."""

    came: int = 0
    went: int = 0
    lost: int = 0
    doubled: int = 0
    held: int = 0      # back, for reordering
    dropped: int = 0   # for lack of room, or refused by the port: never part of a fault


def attach_filter(plug, expression):
    """Has the kernel hand over only frames that fit; tcpdump translates."""
    text = subprocess.run(["tcpdump", "-y", "EN10MB", "-ddd", expression], capture_output=True,
                          text=True, check=True).stdout.split()
    numbers = [int(word) for word in text[1:]]
    code = b"".join(struct.pack("=HBBI", *numbers[i:i + 4]) for i in range(0, len(numbers), 4))
    buffer = ctypes.create_string_buffer(code, len(code))
    plug.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                    struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer)))


class Passage:
    """The frames of all ways, as one thread with one epoll."""

    def __init__(self, ports):
        """`ports`: (node, path) → (name of the switch's port, MAC of the node there)."""
        self._ways = {}     # socket's number → (node, path)
        self._plugs = {}    # (node, path) → socket
        self._owners = {}   # (path, MAC) → node
        self._faults = []   # (path or None, from or None, to or None, Fault): the first that fits
        self._counts = {}   # (path, from, to) → Count
        self._waiting = []  # heap of (when, serial, path, to, frame)
        self._serial = itertools.count()
        self._recording = None
        self._recorded = []  # (path, from, to, frame)
        for (node, path), (port, mac) in ports.items():
            plug = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            plug.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            plug.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
            attach_filter(plug, f"(tcp or udp) and port {CLUSTER_PORT}")
            plug.bind((port, ETH_P_ALL))
            plug.setblocking(False)
            self._ways[plug.fileno()] = (node, path)
            self._plugs[node, path] = plug
            self._owners[path, bytes.fromhex(mac.replace(":", ""))] = node

    def sockets(self):
        return list(self._ways)

    def wait_seconds(self):
        if not self._waiting:
            return None
        return max(0.0, self._waiting[0][0] - time.monotonic())

    def read(self, number):
        node, path = self._ways[number]
        plug = self._plugs[node, path]
        for _ in range(64):
            try:
                frame = plug.recv(65536)
            except BlockingIOError:
                return
            to = self._owners.get((path, frame[:6]))
            if to is not None:
                self._take(path, node, to, frame)

    def send_due(self):
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, path, origin, to, frame = heapq.heappop(self._waiting)
            self._send(path, origin, to, frame)

    def _take(self, path, origin, to, frame):
        count = self._count(path, origin, to)
        count.came += 1
        if self._recording is not None and len(self._recorded) < self._recording:
            self._recorded.append((path, origin, to, frame))
        fault = self._fault(path, origin, to)
        if fault.cut or random.random() < fault.loss:
            count.lost += 1
            return
        copies = 1
        if random.random() < fault.duplicate:
            count.doubled += 1
            copies = 2
        for _ in range(copies):
            wait = fault.delay + random.random() * fault.jitter
            if random.random() < fault.reorder:
                count.held += 1
                wait += fault.held
            if wait == 0:
                self._send(path, origin, to, frame)
            elif len(self._waiting) >= MOST_WAITING:
                count.dropped += 1
            else:
                heapq.heappush(self._waiting, (time.monotonic() + wait, next(self._serial), path,
                                               origin, to, frame))

    def _send(self, path, origin, to, frame):
        count = self._count(path, origin, to)
        try:
            self._plugs[to, path].send(frame)
            count.went += 1
        except OSError:
            count.dropped += 1  # the port is down, or the frame too long for it

    def _count(self, path, origin, to):
        return self._counts.setdefault((path, origin, to), Count())

    def _fault(self, path, origin, to):
        for at, by, towards, fault in self._faults:
            if at in (None, path) and by in (None, origin) and towards in (None, to):
                return fault
        return Fault()

    def answer(self, request):
        """What the lab asked for by the control socket."""
        if "faults" in request:
            self._faults = [(each.pop("path", None), each.pop("origin", None), each.pop("to", None),
                             Fault(**each)) for each in request["faults"]]
        if "record" in request:
            self._recording, self._recorded = min(request["record"], MOST_RECORDED), []
        if request.get("play"):
            self._recording = None
            self._play(request["play"])
        if request.get("forget"):
            self._counts = {}
        return {"counts": [[path, origin, to, asdict(count)]
                           for (path, origin, to), count in self._counts.items()],
                "waiting": len(self._waiting), "recorded": len(self._recorded)}

    def _play(self, play):
        """Sends what was recorded once more: to one node, `rate` frames a second."""
        frames = [each for each in self._recorded if each[2] == play["to"]]
        now = time.monotonic()
        for number, (path, origin, to, frame) in enumerate(frames[:MOST_WAITING]):
            heapq.heappush(self._waiting, (now + number / play["rate"], next(self._serial), path,
                                           origin, to, frame))


def in_the_way(ports):
    """nftables' rules that keep these frames from the bridge."""
    devices = ", ".join(f'"{port}"' for port, _ in ports.values())
    return f"""
        table netdev relay {{
            chain taken {{
                type filter hook ingress devices = {{ {devices} }} priority 0; policy accept;
                meta l4proto {{ tcp, udp }} th dport {CLUSTER_PORT} drop
                meta l4proto {{ tcp, udp }} th sport {CLUSTER_PORT} drop
            }}
        }}"""


def run(control_path, ports):
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK,
                              os.sched_param(FIFO_PRIORITY))
    except OSError:
        os.nice(-10)
    passage = Passage(ports)
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.bind(control_path)
    control.listen(1)
    plug = None
    epoll = select.epoll()
    for number in [*passage.sockets(), control.fileno()]:
        epoll.register(number, select.EPOLLIN)
    subprocess.run(["nft", "-f", "-"], input=in_the_way(ports), text=True, check=True)
    print("ready", flush=True)
    try:
        while True:
            for number, _ in epoll.poll(passage.wait_seconds()):
                if number == control.fileno():
                    plug, _ = control.accept()
                    epoll.register(plug.fileno(), select.EPOLLIN)
                elif plug is not None and number == plug.fileno():
                    request = plug.recv(MOST_REQUEST)
                    if not request:
                        return
                    plug.send(json.dumps(passage.answer(json.loads(request))).encode())
                else:
                    passage.read(number)
            passage.send_due()
    finally:
        subprocess.run(["nft", "delete", "table", "netdev", "relay"], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("control", help="path of the control socket")
    parser.add_argument("ports", nargs="+", metavar="NODE,PATH,PORT,MAC")
    arguments = parser.parse_args()
    ports = {}
    for text in arguments.ports:
        node, path, port, mac = text.split(",")
        ports[node, int(path)] = (port, mac)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    run(arguments.control, ports)


# ---- the lab's end ----


class Relay:
    """A relay that runs. Paths are numbers, nodes are names; None is every one of them."""

    def __init__(self, lab, ports):
        self._path = lab.directory / f"relay-{time.monotonic_ns():x}.sock"
        self._log = self._path.with_suffix(".log")
        argv = [f"{node},{path},{port},{mac}" for (node, path), (port, mac) in ports.items()]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                ["nsenter", f"--net={janitor.NETNS / lab.switch}", "--", PYTHON, HERE / "relay.py",
                 self._path, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        janitor.record_process(lab.directory, self.process.pid)
        wait_until(self._ready, 20, "the relay")
        self._plug = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._plug.settimeout(20)
        self._plug.connect(str(self._path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _ready(self):
        if self.process.poll() is not None:
            raise LabError(f"the relay ended: {self._log.read_text()}")
        return "ready" in self._log.read_text()

    def stop(self):
        """The bridge has the frames again; what was under way is lost."""
        if self.process is None:
            return
        self._plug.close()
        if self.process.wait(timeout=20) != 0:
            raise LabError(f"the relay failed: {self._log.read_text()}")
        self.process = None

    def _ask(self, **request):
        self._plug.send(json.dumps(request).encode())
        answer = self._plug.recv(MOST_REQUEST)
        if not answer:
            raise LabError(f"the relay ended: {self._log.read_text()}")
        return json.loads(answer)

    def set(self, *faults):
        """Each is a dictionary: `path`, `origin`, `to`, and what Fault has. The first that fits."""
        self._ask(faults=faults)

    def clear(self):
        self.set()

    def record(self, most=20_000):
        """Keeps the frames that come from now on."""
        self._ask(record=most)

    def play(self, to, rate=2000):
        """Sends a node again what was recorded for it. Returns once all of it has gone."""
        self._ask(play={"to": to, "rate": rate})
        while self._ask()["waiting"]:
            time.sleep(0.02)

    def recorded(self):
        return self._ask()["recorded"]

    def forget(self):
        self._ask(forget=True)

    def counts(self, path=None, origin=None, to=None):
        """The Count of all ways that fit, added up."""
        total = Count()
        for at, by, towards, counted in self._ask()["counts"]:
            if path in (None, at) and origin in (None, by) and to in (None, towards):
                for name, value in counted.items():
                    setattr(total, name, getattr(total, name) + value)
        return total


if __name__ == "__main__":
    main()
