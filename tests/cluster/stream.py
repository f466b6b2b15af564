#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A datagram every millisecond, each a flow of its own: what nobody answers is an outage.

    stream.py --target 10.9.0.100:5353 --sources 10.9.0.201,10.9.0.202

Goes on until SIGTERM, then waits for what is under way. Prints one JSON object a line: progress,
and the result, which has "final": true. An outage is a row of datagrams that were all unanswered:
from the first of them that was sent to the first one after them that was answered. What this
program slept through it has not sent, so that a busy machine alone is no outage.
"""

import argparse
import errno
import json
import os
import select
import socket
import time
from collections import deque

from tally import Sources, Stop, raise_file_limit

PORT_TRIES = 100
WAIT = 2.0         # seconds for an answer
MOST_OUTAGES = 1000
RECENT = 16        # outages that a line of progress tells of
FIFO_PRIORITY = 10  # what it does not send it cannot miss


class Shot:
    __slots__ = ("sent", "said", "socket", "answered", "done")

    def __init__(self, sent, said, plug):
        self.sent, self.said, self.socket = sent, said, plug
        self.answered = False
        self.done = False


class Stream:
    def __init__(self, options):
        self.options = options
        host, _, port = options.target.rpartition(":")
        self.target = (host.strip("[]"), int(port))
        self.family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        # From a port at random on: a flow that came twice would be an established one.
        self.sources = Sources(options.sources.split(","))
        self.stop = Stop()
        self.epoll = select.epoll()
        self.by_fd = {}
        self.under_way = deque()  # in the order of their sending
        self.sent = self.answered = self.lost = 0
        self.outages = []         # (Unix time, milliseconds, datagrams)
        self.row = None           # the first time and the number of unanswered ones, up to now
        self.slowest = self.late = 0.0
        self.unix_offset = time.time() - time.monotonic()

    def run(self):
        interval, shown = self.options.interval / 1000, time.monotonic()
        due = time.monotonic()
        while True:
            now = time.monotonic()
            stopping = self.stop(now)
            if not stopping and now >= due:
                self.late = max(self.late, now - due)
                self.shoot(now)
                # What was slept through is not made up for.
                due = max(due + interval, now)
            if stopping and not self.under_way:
                break
            if now >= shown + 0.1:
                shown = now
                self.tell()
            self.settle(now)
            pause = 0.02 if stopping else max(0.0, due - time.monotonic())
            for number, _ in self.epoll.poll(pause):
                self.hear(self.by_fd[number])
        self.end_row(time.monotonic())
        self.tell(final=True, outages=self.outages[:MOST_OUTAGES],
                  slowest_ms=round(self.slowest * 1000, 1), late_ms=round(self.late * 1000, 1))

    def open(self):
        for _ in range(PORT_TRIES):
            plug = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                plug.bind(self.sources.next())
                plug.connect(self.target)
                return plug
            except OSError as error:
                plug.close()
                if error.errno != errno.EADDRINUSE:
                    raise
        raise OSError(errno.EADDRINUSE, f"{PORT_TRIES} ports in a row are in use")

    def shoot(self, now):
        plug = self.open()
        shot = Shot(now, f" {self.sent}".encode(), plug)
        self.sent += 1
        self.by_fd[plug.fileno()] = shot
        self.epoll.register(plug.fileno(), select.EPOLLIN)
        self.under_way.append(shot)
        try:
            plug.send(shot.said)
        except OSError:
            self.close(shot)  # no way there: as good as lost

    def hear(self, shot):
        try:
            shot.answered = shot.socket.recv(2048).endswith(shot.said)
        except BlockingIOError:
            return
        except OSError:
            pass  # an ICMP error
        if shot.answered:
            self.answered += 1
            self.slowest = max(self.slowest, time.monotonic() - shot.sent)
        self.close(shot)

    def close(self, shot):
        shot.done = True
        self.epoll.unregister(shot.socket.fileno())
        del self.by_fd[shot.socket.fileno()]
        shot.socket.close()

    def settle(self, now):
        """Judges those at the head whose end is known."""
        while self.under_way:
            shot = self.under_way[0]
            if not shot.done:
                if now - shot.sent < WAIT:
                    return
                self.close(shot)
            self.under_way.popleft()
            if shot.answered:
                self.end_row(shot.sent)
            else:
                self.lost += 1
                self.row = (self.row[0], self.row[1] + 1) if self.row else (shot.sent, 1)

    def end_row(self, now):
        if self.row is not None:
            first, count = self.row
            self.outages.append((round(first + self.unix_offset, 4),
                                 round((now - first) * 1000, 1), count))
            self.row = None

    def tell(self, **more):
        print(json.dumps({"sent": self.sent, "answered": self.answered, "lost": self.lost,
                          "outages": self.outages[-RECENT:], **more}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--target", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--sources", required=True, metavar="ADDRESS,…")
    parser.add_argument("--interval", type=float, default=1.0, help="milliseconds")
    options = parser.parse_args()
    raise_file_limit(int(2 * WAIT / options.interval * 1000) + 64)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK,
                              os.sched_param(FIFO_PRIORITY))
    except OSError:
        os.nice(-10)
    Stream(options).run()


if __name__ == "__main__":
    main()
