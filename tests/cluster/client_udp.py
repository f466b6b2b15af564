#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A UDP load client: many flows, several datagrams each, every answer checked.

A flow is one socket with an address and port of its own. Its datagrams go one after the other, each
after the answer to the one before; all answers must name one server. A datagram without an answer
in time is failed, for nothing here sends it again. One thread, one epoll. Output: tally.py.
"""

import argparse
import errno
import select
import socket
import time
from collections import deque

from tally import Pace, Sources, Stop, Tally, raise_file_limit

PORT_TRIES = 1000
MOST_BYTES = 65535  # of a datagram


class Flow:
    __slots__ = ("socket", "name", "number", "sent", "backend", "changed", "expected", "began")

    def __init__(self, plug, name, number):
        self.socket = plug
        self.name = name
        self.number = number
        self.sent = 0
        self.backend = None
        self.changed = False
        self.expected = b""
        self.began = 0.0  # 0: nothing is under way


class Client:
    def __init__(self, arguments):
        self.options = arguments
        host, _, port = arguments.target.rpartition(":")
        self.target = (host.strip("[]"), int(port))
        self.family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        self.sources = Sources(arguments.sources.split(","), arguments.first_port)
        self.tally = Tally(arguments.progress)
        self.stop = Stop(arguments.seconds)
        self.pace = Pace(arguments.rate)
        self.epoll = select.epoll()
        self.by_fd = {}
        self.ready = deque()
        self.opened = 0

    def run(self):
        next_check = 0.0
        while True:
            now = time.monotonic()
            self.tally.tick(now)
            if now >= next_check:
                self._check_deadlines(now)
                next_check = now + 0.1
            stopping = self.stop(now) or self.tally.failed >= self.options.most_failures
            if stopping:
                for flow in self.ready:
                    self._close(flow)
                self.ready.clear()
            else:
                self._fill_window()
                self._begin(now)
            if not self.by_fd:
                break
            for descriptor, _ in self.epoll.poll(0.002 if self.ready else 0.05):
                flow = self.by_fd.get(descriptor)
                if flow is not None:
                    self._read(flow)
        self.tally.finish()

    def _fill_window(self):
        while len(self.by_fd) < self.options.window and \
                (not self.options.flows or self.opened < self.options.flows):
            plug, name = self._open()
            self.opened += 1
            flow = Flow(plug, name, self.opened)
            self.by_fd[plug.fileno()] = flow
            self.epoll.register(plug.fileno(), select.EPOLLIN)
            self.ready.append(flow)
            self.tally.open += 1

    def _open(self):
        for _ in range(PORT_TRIES):
            address, port = self.sources.next()
            plug = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                plug.bind((address, port))
                plug.connect(self.target)
                return plug, f"{address}:{port}"
            except OSError as error:
                plug.close()
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"{PORT_TRIES} ports in a row are in use")

    def _begin(self, now):
        while self.ready and self.pace.take(now):
            flow = self.ready.popleft()
            said = f"{flow.number}.{flow.sent} ".encode().ljust(self.options.size, b"x")
            flow.sent += 1
            flow.expected = f" {flow.name} ".encode() + said
            flow.began = time.monotonic()
            try:
                flow.socket.send(said)
            except OSError as error:
                self._fail(flow, errno.errorcode.get(error.errno, "OSError"))

    def _read(self, flow):
        try:
            data = flow.socket.recv(MOST_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            if flow.began:
                self._fail(flow, errno.errorcode.get(error.errno, "OSError"))
            return
        if not flow.began or not data.endswith(flow.expected):
            self._fail(flow, "wrong answer")
            return
        backend = data[:-len(flow.expected)].decode("latin-1")
        if flow.backend is None:
            flow.backend = backend
            self.tally.flows[backend] += 1
        elif flow.backend != backend and not flow.changed:
            flow.changed = True
            self.tally.changed += 1
        now = time.monotonic()
        self.tally.answer(backend, (now - flow.began) * 1000, now)
        self._next(flow)

    def _next(self, flow):
        flow.began = 0.0
        if self.options.packets and flow.sent >= self.options.packets:
            self._close(flow)
        else:
            self.ready.append(flow)

    def _fail(self, flow, reason):
        self.tally.failure(reason, f"{flow.name}, served by {flow.backend}: {reason}",
                           flow.backend, flow.began)
        self._next(flow)

    def _close(self, flow):
        self.by_fd.pop(flow.socket.fileno())
        self.epoll.unregister(flow.socket.fileno())
        flow.socket.close()
        self.tally.open -= 1

    def _check_deadlines(self, now):
        for flow in list(self.by_fd.values()):
            if flow.began and now - flow.began > self.options.timeout:
                self._fail(flow, "no answer")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--sources", required=True, metavar="ADDRESS,…")
    parser.add_argument("--flows", type=int, default=0, help="0: until SIGTERM")
    parser.add_argument("--packets", type=int, default=3, help="of each flow; 0: no limit")
    parser.add_argument("--size", type=int, default=64, help="bytes of a datagram")
    parser.add_argument("--window", type=int, default=64, help="flows at the same time")
    parser.add_argument("--seconds", type=float, default=0, help="0: no limit")
    parser.add_argument("--rate", type=float, default=0, help="datagrams a second; 0: no limit")
    parser.add_argument("--timeout", type=float, default=5)
    parser.add_argument("--most-failures", type=int, default=100, help="then it gives up")
    parser.add_argument("--first-port", type=int)
    parser.add_argument("--progress", type=float, default=0, help="seconds between two lines")
    arguments = parser.parse_args()
    raise_file_limit(arguments.window + 64)
    Client(arguments).run()


if __name__ == "__main__":
    main()
