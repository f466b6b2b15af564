#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP/1.1 load client that distrusts every answer.

It binds each connection to an address and port of its own, checks that the server saw exactly
these, that the body is complete and unchanged, and that all answers on a connection name the same
server. One thread, one epoll. What it prints: tally.py.

    client.py --target 10.9.0.100:80 --sources 10.9.0.201,10.9.0.202 \\
              --connections 64 --per-connection 100 --requests 20000

`--per-connection 1` is a fresh connection for each request, 0 keeps every connection for ever;
`--requests 0` goes on until SIGTERM.
"""

import argparse
import errno
import select
import socket
import struct
import time
from collections import deque

from servers import BODY_PADDING
from tally import Pace, Sources, Stop, Tally, raise_file_limit

TCP_INFO_TOTAL_RETRANS = 100  # offset in struct tcp_info
PORT_TRIES = 1000
RETRY_PAUSE = 0.05
HEADER_LIMIT = 16384


class Broken(Exception):
    """A request failed. `reason` is what failures are counted by."""

    def __init__(self, reason, detail=""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Connection:
    """One TCP connection: closed, connecting, open with a request under way, or idle."""

    __slots__ = ("socket", "name", "connecting", "asked", "served", "backend", "buffer", "began",
                 "deadline")

    def __init__(self):
        self.socket = None
        self.reset()

    def reset(self):
        self.name = None         # "address:port", as the server should see it
        self.connecting = False
        self.asked = False       # a request is under way, its connection being made included
        self.served = 0          # answers on this connection
        self.backend = None      # who gave the first of them
        self.buffer = b""
        self.began = 0.0         # of the request under way
        self.deadline = 0.0


def take_answer(buffer):
    """(headers by lower-case name, body, rest) of a complete answer, else None."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > HEADER_LIMIT:
            raise Broken("bad answer", "headers without an end")
        return None
    lines = buffer[:end].decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 200 "):
        raise Broken("bad status", lines[0])
    headers = {}
    for line in lines[1:]:
        key, _, value = line.partition(":")
        headers[key.lower()] = value.strip()
    try:
        length = int(headers["content-length"])
    except (KeyError, ValueError):
        raise Broken("bad answer", "no content-length") from None
    start = end + 4
    if len(buffer) < start + length:
        return None
    return headers, buffer[start:start + length], buffer[start + length:]


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
        self.begun = 0  # requests, failed ones too
        self.epoll = select.epoll()
        self.by_fd = {}
        self.ready = deque(Connection() for _ in range(arguments.connections))
        self.resting = deque()  # (when, connection): a failed one does not retry at once
        shown = f"[{host.strip('[]')}]" if self.family == socket.AF_INET6 else host
        self.head = f"GET / HTTP/1.1\r\nHost: {shown}\r\nUser-Agent: lab\r\n"
        self.request = (self.head + "\r\n").encode()
        self.last_request = (self.head + "Connection: close\r\n\r\n").encode()

    def run(self):
        next_check = 0.0
        while True:
            now = time.monotonic()
            self.tally.tick(now)
            if now >= next_check:
                self._check_deadlines(now)
                next_check = now + 0.1
            while self.resting and self.resting[0][0] <= now:
                self.ready.append(self.resting.popleft()[1])
            stopping = self.stop(now) or self._all_begun() or self._hopeless()
            if stopping and not self._under_way():
                break
            if not stopping:
                self._begin(now)
            pause = 0.002 if self.ready and not stopping else 0.05
            for descriptor, event in self.epoll.poll(pause):
                connection = self.by_fd.get(descriptor)
                if connection is not None:
                    self._serve(connection, event)
        for connection in list(self.by_fd.values()):
            self._close(connection)
        self.tally.finish()

    def _all_begun(self):
        return self.options.requests and self.begun >= self.options.requests

    def _hopeless(self):
        return self.tally.failed >= self.options.most_failures

    def _under_way(self):
        return any(connection.asked for connection in self.by_fd.values())

    def _begin(self, now):
        while self.ready and not self._all_begun() and self.pace.take(now):
            connection = self.ready.popleft()
            self.begun += 1
            connection.asked = True
            connection.began = time.monotonic()
            connection.deadline = connection.began + self.options.timeout
            try:
                if connection.socket is None:
                    self._connect(connection)
                else:
                    self._send(connection)
            except (OSError, Broken) as error:
                self._fail(connection, error)

    def _connect(self, connection):
        for _ in range(PORT_TRIES):
            address, port = self.sources.next()
            plug = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                plug.bind((address, port))
                status = plug.connect_ex(self.target)
            except OSError as error:
                status = error.errno
            if status in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                plug.close()  # an earlier connection still lingers there
                continue
            connection.socket = plug
            connection.name = f"{address}:{port}"
            if status not in (0, errno.EINPROGRESS):
                raise OSError(status, errno.errorcode.get(status, str(status)))
            connection.connecting = True
            self.tally.open += 1
            self.by_fd[plug.fileno()] = connection
            self.epoll.register(plug.fileno(), select.EPOLLOUT)
            return
        raise Broken("no free port", f"{PORT_TRIES} in a row are in use")

    def _send(self, connection):
        limit = self.options.per_connection
        last = limit and connection.served + 1 >= limit
        data = self.last_request if last else self.request
        # A request is far smaller than a socket's empty buffer: it goes whole or not at all.
        if connection.socket.send(data) != len(data):
            raise Broken("short write")

    def _serve(self, connection, event):
        try:
            if connection.connecting:
                status = connection.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if status:
                    raise OSError(status, errno.errorcode.get(status, str(status)))
                connection.connecting = False
                self.epoll.modify(connection.socket.fileno(), select.EPOLLIN)
                self._send(connection)
            elif event:
                self._read(connection)
        except (OSError, Broken) as error:
            self._fail(connection, error)

    def _read(self, connection):
        data = connection.socket.recv(65536)
        if not data:
            raise Broken("closed early", f"after {connection.served} answers"
                         + ("" if connection.asked else ", while idle"))
        connection.buffer += data
        answer = take_answer(connection.buffer)
        if answer is None:
            return
        if not connection.asked:
            raise Broken("bad answer", "nobody asked")
        headers, body, connection.buffer = answer
        self._check(connection, headers, body)
        now = time.monotonic()
        self.tally.answer(connection.backend, (now - connection.began) * 1000, now)
        connection.asked = False
        connection.served += 1
        if headers.get("connection") == "close":
            self._close(connection)
        self.ready.append(connection)

    def _check(self, connection, headers, body):
        backend = headers.get("x-backend", "")
        if headers.get("x-client") != connection.name:
            raise Broken("wrong client address",
                         f"{backend} saw {headers.get('x-client')} for {connection.name}")
        if body != f"served by {backend} for {connection.name}\n{BODY_PADDING}\n".encode():
            raise Broken("wrong body", f"from {backend} to {connection.name}")
        if connection.backend is None:
            connection.backend = backend
            self.tally.flows[backend] += 1
        elif connection.backend != backend:
            self.tally.changed += 1
            raise Broken("backend changed", f"{connection.backend} to {backend}")

    def _fail(self, connection, error):
        reason = error.reason if isinstance(error, Broken) else \
            errno.errorcode.get(error.errno, "OSError")
        if not connection.asked:
            # No request is lost with it, but a connection that was to last: that is a failure, too.
            reason = f"idle: {reason}"
            self.begun += 1
            self.ready.remove(connection)
        self.tally.failure(reason, f"{connection.name}, served by {connection.backend}: {error}",
                           connection.backend, connection.began if connection.asked else None)
        self._close(connection)
        self.resting.append((time.monotonic() + RETRY_PAUSE, connection))

    def _close(self, connection):
        plug = connection.socket
        if plug is not None:
            if self.by_fd.pop(plug.fileno(), None) is not None:
                self.tally.open -= 1
                self.epoll.unregister(plug.fileno())
                self._count_retransmissions(plug)
            plug.close()
        connection.socket = None
        connection.reset()

    def _count_retransmissions(self, plug):
        size = TCP_INFO_TOTAL_RETRANS + 4
        info = plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
        self.tally.retransmitted += struct.unpack_from("=I", info, size - 4)[0]

    def _check_deadlines(self, now):
        for connection in list(self.by_fd.values()):
            if connection.asked and connection.deadline < now:
                what = "connect timeout" if connection.connecting else "answer timeout"
                self._fail(connection, Broken(what, f"{self.options.timeout} s"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--sources", required=True, metavar="ADDRESS,…")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--per-connection", type=int, default=1)
    parser.add_argument("--requests", type=int, default=0, help="0: until SIGTERM")
    parser.add_argument("--seconds", type=float, default=0, help="0: no limit")
    parser.add_argument("--rate", type=float, default=0, help="requests a second; 0: no limit")
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--most-failures", type=int, default=100, help="then it gives up")
    parser.add_argument("--first-port", type=int)
    parser.add_argument("--progress", type=float, default=0, help="seconds between two lines")
    arguments = parser.parse_args()
    raise_file_limit(arguments.connections + 64)
    Client(arguments).run()


if __name__ == "__main__":
    main()
