#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""TCP connections that last: a third idle, a third says something now and then, a third downloads.

Each is bound to an address and a port of its own, distrusts every byte, and is never opened again:
what breaks is counted. SIGUSR1 asks all of them for a sign of life: an answer, or more bytes of
the download. SIGTERM does so, too, and ends. One thread, one epoll. Prints JSON lines: progress,
a line with "checked" for each sign that all were asked for, and the result ("final": true).
"""

import argparse
import json
import select
import signal
import socket
import time
from collections import Counter

from client import Broken, take_answer
from servers import BODY_PADDING, LARGE_PAGE
from tally import Pace, Sources, Stop, raise_file_limit

IDLE, TRICKLE, DOWNLOAD = KINDS = ("idle", "trickle", "download")
TRICKLE_PAUSE = 0.5  # seconds between an answer and the next question
PORT_TRIES = 1000
MOST_SHOWN = 8
HEADER_LIMIT = 16384


class Line:
    """One connection. `alive`: it has given the sign of life that was asked for last."""

    __slots__ = ("kind", "socket", "name", "connecting", "backend", "buffer", "asked", "due",
                 "offset", "alive", "answers")

    def __init__(self, kind, plug, name):
        self.kind, self.socket, self.name = kind, plug, name
        self.connecting = True
        self.backend = None
        self.buffer = b""
        self.asked = time.monotonic()  # a request is under way since then; None: none is
        self.due = None                # when it says something next
        self.offset = None             # of the download; None: its headers are not here yet
        self.alive = True
        self.answers = 0


class Lasting:
    def __init__(self, options):
        self.options = options
        host, _, port = options.target.rpartition(":")
        self.target = (host.strip("[]"), int(port))
        self.family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        self.host = f"[{self.target[0]}]" if self.family == socket.AF_INET6 else self.target[0]
        self.sources = Sources(options.sources.split(","), options.first_port)
        self.pace = Pace(options.rate)
        self.stop = Stop()
        self.asked_for_sign = False
        signal.signal(signal.SIGUSR1, self._ask)
        self.epoll = select.epoll()
        self.by_fd = {}
        self.opened = self.answers = self.bytes = self.checks = 0
        self.broken, self.examples = Counter(), []
        self.checking = None  # since when

    def _ask(self, *_):
        self.asked_for_sign = True

    # ---- the loop ----

    def run(self):
        shown = last_look = time.monotonic()
        last_check = None
        while True:
            now = time.monotonic()
            while self.opened < self.options.connections and self.pace.take(now):
                self._open()
            if self.stop(now) and last_check is None and self.checking is None:
                last_check = self.checks + 1
                self.asked_for_sign = True
            if self.asked_for_sign and self.checking is None:
                self._begin_check(now)
            if now >= last_look + 0.02:
                last_look = now
                self._look(now)
            if now >= shown + 0.1:
                shown = now
                self._tell()
            if last_check is not None and self.checks >= last_check:
                break
            for number, _ in self.epoll.poll(0.01):
                line = self.by_fd.get(number)
                if line is not None:
                    self._serve(line)
        self._tell(final=True, examples=self.examples)

    def _open(self):
        for _ in range(PORT_TRIES):
            plug = socket.socket(self.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                place = self.sources.next()
                plug.bind(place)
                plug.connect_ex(self.target)
                break
            except OSError:
                plug.close()
        else:
            raise OSError(f"{PORT_TRIES} ports in a row are in use")
        line = Line(KINDS[self.opened % len(KINDS)], plug, f"{place[0]}:{place[1]}")
        self.opened += 1
        self.by_fd[plug.fileno()] = line
        self.epoll.register(plug.fileno(), select.EPOLLOUT)

    def _look(self, now):
        """What is due, and what has waited for too long."""
        for line in list(self.by_fd.values()):
            if line.asked is not None and now - line.asked > self.options.timeout:
                self._break(line, Broken("connect timeout" if line.connecting else
                                         f"{line.kind}: no answer"))
            elif line.due is not None and line.due <= now:
                self._request(line, now)
        if self.checking is not None and all(line.alive for line in self.by_fd.values()):
            self.checks += 1
            self._tell(checked=self.checks, seconds=round(now - self.checking, 3))
            self.checking = None

    def _begin_check(self, now):
        self.asked_for_sign = False
        self.checking = now
        for line in list(self.by_fd.values()):
            line.alive = False
            if line.kind == DOWNLOAD:
                line.asked = now
            elif line.asked is None:
                self._request(line, now)

    # ---- a connection ----

    def _request(self, line, now):
        page = "/slow" if line.kind == DOWNLOAD else "/"
        line.asked, line.due = now, None
        try:
            line.socket.send(f"GET {page} HTTP/1.1\r\nHost: {self.host}\r\n\r\n".encode())
        except OSError as error:
            self._break(line, error)

    def _serve(self, line):
        try:
            if line.connecting:
                status = line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if status:
                    raise OSError(status, "connecting")
                line.connecting = False
                self.epoll.modify(line.socket.fileno(), select.EPOLLIN)
                self._request(line, time.monotonic())
                return
            data = line.socket.recv(65536)
            if not data:
                raise Broken("closed early")
            self.bytes += len(data)
            line.buffer += data
            if line.kind == DOWNLOAD:
                self._take_download(line)
            else:
                self._take_answer(line)
        except (OSError, Broken) as error:
            self._break(line, error)

    def _take_answer(self, line):
        answer = take_answer(line.buffer)
        if answer is None:
            return
        headers, body, line.buffer = answer
        self._check(line, headers)
        if body != f"served by {line.backend} for {line.name}\n{BODY_PADDING}\n".encode():
            raise Broken("wrong body")
        self._answered(line)
        line.asked = None
        if line.kind == TRICKLE:
            line.due = time.monotonic() + TRICKLE_PAUSE

    def _take_download(self, line):
        if line.offset is None:
            end = line.buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(line.buffer) > HEADER_LIMIT:
                    raise Broken("headers without an end")
                return
            first, *rest = line.buffer[:end].decode("latin-1").split("\r\n")
            if not first.startswith("HTTP/1.1 200 "):
                raise Broken("bad status")
            named = (each.partition(":") for each in rest)
            self._check(line, {name.lower(): value.strip() for name, _, value in named})
            line.buffer, line.offset = line.buffer[end + 4:], 0
        size = len(line.buffer)
        if LARGE_PAGE[line.offset:line.offset + size] != line.buffer:
            raise Broken("wrong bytes of a download")
        line.offset += size
        line.buffer = b""
        self._answered(line)
        line.asked = time.monotonic()  # more has to come
        if line.offset == len(LARGE_PAGE):
            line.offset = None
            self._request(line, line.asked)

    def _check(self, line, headers):
        backend = headers.get("x-backend", "")
        if line.backend is None:
            line.backend = backend
        elif line.backend != backend:
            raise Broken("backend changed")
        if headers.get("x-client") != line.name:
            raise Broken("wrong client address")

    def _answered(self, line):
        line.alive = True
        line.answers += 1
        if line.answers == 1:
            self.answers += 1

    def _break(self, line, error):
        reason = error.reason if isinstance(error, Broken) else f"{line.kind}: {error}"
        self.broken[reason] += 1
        if len(self.examples) < MOST_SHOWN:
            self.examples.append(f"{line.name}, {line.kind}, served by {line.backend}: {error}")
        self.epoll.unregister(line.socket.fileno())
        del self.by_fd[line.socket.fileno()]
        line.socket.close()

    def _tell(self, **more):
        # `up`: connections that have been answered at least once.
        print(json.dumps({"open": len(self.by_fd), "up": self.answers, "bytes": self.bytes,
                          "broken": sum(self.broken.values()), "reasons": dict(self.broken),
                          **more}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--target", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--sources", required=True, metavar="ADDRESS,…")
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--first-port", type=int, required=True)
    parser.add_argument("--rate", type=float, default=400, help="connections opened a second")
    parser.add_argument("--timeout", type=float, default=15)
    options = parser.parse_args()
    raise_file_limit(options.connections + 64)
    Lasting(options).run()


if __name__ == "__main__":
    main()
