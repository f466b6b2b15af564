#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Says bytes over several TCP connections at the same time, and tells what came back of each.

    talk.py ADDRESS PORT COUNT SECONDS < BYTES

Opens COUNT connections, sends what stands on standard input over each, and waits until the other
side closes, SECONDS at most. Prints JSON: a list of {"answer", "ended", "seconds"}; `answer` is the
first 4096 characters. A connection that cannot be made has ended at once.
"""

import json
import selectors
import socket
import sys
import time

MOST_SHOWN = 4096


class Talk:
    def __init__(self, target, said):
        self.answer, self.ended, self.seconds = b"", False, None
        self.began = time.monotonic()
        self.socket = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
        try:
            self.socket.settimeout(5)
            self.socket.connect(target)
            self.socket.sendall(said)
        except OSError:
            pass  # an answer may have come all the same
        self.socket.setblocking(False)

    def read(self):
        """What there is. False when nothing more will come."""
        try:
            chunk = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            chunk = b""
        self.answer = (self.answer + chunk)[:MOST_SHOWN]
        if not chunk:
            self.ended, self.seconds = True, time.monotonic() - self.began
        return bool(chunk)


def main():
    target, count, seconds = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), float(sys.argv[4])
    said = sys.stdin.buffer.read()
    deadline = time.monotonic() + seconds
    talks = [Talk(target, said) for _ in range(count)]
    with selectors.DefaultSelector() as selector:
        for talk in talks:
            selector.register(talk.socket, selectors.EVENT_READ, talk)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(deadline - time.monotonic()):
                if not key.data.read():
                    selector.unregister(key.fileobj)
    json.dump([{"answer": talk.answer.decode("latin-1"), "ended": talk.ended,
                "seconds": talk.seconds} for talk in talks], sys.stdout)


main()
