# SPDX-License-Identifier: Apache-2.0
"""What a load client counts and how it tells it: the parts that HTTP and UDP have in common.

A client prints one JSON object a line: progress while it runs if asked to, and the result, which
has "final": true. Times are milliseconds, and they are what the client felt: from the first packet
of a request, the TCP handshake included when it needed one, to the last byte of the answer.
"""

import itertools
import json
import random
import resource
import signal
import time
from array import array
from collections import Counter

FIRST_PORT, LAST_PORT = 1024, 65535
KEPT_EXAMPLES = 8
KEPT_FAILURES = 5000


class Sources:
    """Endless (address, port) pairs: addresses in turn, every pair once before any comes again."""

    def __init__(self, addresses, first_port=None):
        self._addresses = addresses
        span = LAST_PORT - FIRST_PORT + 1
        start = random.randrange(span) if first_port is None else first_port - FIRST_PORT
        self._pairs = ((address, FIRST_PORT + (start + step) % span)
                       for step in itertools.count() for address in addresses)

    def next(self):
        return next(self._pairs)


def percentile(ordered, share):
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def summary(latencies):
    ordered = sorted(latencies)
    return {"p50": _rounded(percentile(ordered, 0.5)), "p99": _rounded(percentile(ordered, 0.99)),
            "max": _rounded(ordered[-1] if ordered else None)}


def _rounded(value):
    return None if value is None else round(value, 3)


class Tally:
    """Counts of one run."""

    def __init__(self, progress):
        self.answered = 0
        self.failed = 0
        self.reasons = Counter()
        self.examples = []
        self.failures = []         # (Unix time of the request's begin, by whom served, reason)
        self.requests = Counter()  # by backend
        self.flows = Counter()     # by backend
        self.changed = 0           # flows that were answered by more than one backend
        self.retransmitted = 0     # TCP segments sent again by the client's kernel
        self.last_answer = {}      # by backend, seconds since the start
        self.longest_silence = 0.0
        self.open = 0
        self.started = time.monotonic()
        self._unix_offset = time.time() - self.started
        self._latencies = array("f")
        self._shown = 0
        self._progress = progress
        self._next_line = self.started + progress if progress else None
        self._last = self.started

    def answer(self, backend, milliseconds, now):
        self.answered += 1
        self.requests[backend] += 1
        self._latencies.append(milliseconds)
        self.last_answer[backend] = now - self.started
        self.longest_silence = max(self.longest_silence, now - self._last)
        self._last = now

    def failure(self, reason, detail, backend=None, began=None):
        """`began`: of the request, by the monotonic clock; None: now."""
        self.failed += 1
        self.reasons[reason] += 1
        if len(self.failures) < KEPT_FAILURES:
            began = time.monotonic() if began is None else began
            self.failures.append((round(began + self._unix_offset, 4), backend, reason))
        if len(self.examples) < KEPT_EXAMPLES:
            self.examples.append(f"{time.monotonic() - self.started:.3f} s: {detail}")

    def tick(self, now):
        """Prints a line of progress when it is time."""
        if self._next_line is None or now < self._next_line:
            return
        self._next_line = max(self._next_line + self._progress, now)
        line = self._picture(now)
        line["latency_ms"] = summary(self._latencies[self._shown:])
        self._shown = len(self._latencies)
        print(json.dumps(line), flush=True)

    def finish(self):
        line = self._picture(time.monotonic())
        line.update(final=True, latency_ms=summary(self._latencies), examples=self.examples,
                    retransmitted=self.retransmitted,
                    failures=self.failures,
                    longest_silence_ms=round(self.longest_silence * 1000, 1),
                    last_answer={name: round(at, 3) for name, at in self.last_answer.items()},
                    started_unix=round(self.started + self._unix_offset, 4))
        print(json.dumps(line), flush=True)

    def _picture(self, now):
        return {"seconds": round(now - self.started, 3), "sent": self.answered + self.failed,
                "answered": self.answered, "failed": self.failed, "reasons": dict(self.reasons),
                "requests": dict(self.requests), "flows": dict(self.flows),
                "changed": self.changed, "open": self.open}


class Stop:
    """True once SIGTERM or SIGINT came: begin nothing new, wait for what is under way, tell."""

    def __init__(self, seconds=0):
        self._asked = False
        self._deadline = time.monotonic() + seconds if seconds else None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_):
        self._asked = True

    def __call__(self, now):
        if self._deadline is not None and now >= self._deadline:
            self._asked = True
        return self._asked


class Pace:
    """Lets `rate` requests a second pass, evenly; 0: as many as come."""

    BURST_SECONDS = 0.02

    def __init__(self, rate):
        self._rate = rate
        self._credit = 0.0
        self._last = time.monotonic()

    def take(self, now):
        if not self._rate:
            return True
        most = max(1.0, self._rate * self.BURST_SECONDS)
        self._credit = min(most, self._credit + (now - self._last) * self._rate)
        self._last = now
        if self._credit < 1.0:
            return False
        self._credit -= 1.0
        return True


def raise_file_limit(wanted):
    """Lets this process have `wanted` open files, as far as the hard limit goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
