# SPDX-License-Identifier: Apache-2.0
"""Starting the load clients in a lab's client and reading what they tell."""

import json
import queue
import signal
import subprocess
import threading

from host import HERE, HTTP_PORT, PYTHON, UDP_PORT, VIP4, VIP6, LabError, stop_process, wait_until

OPEN_LOAD_FLOWS = 6000


class Load:
    """A running load client. Keyword arguments are its options: `connections=64`, `rate=500` …

    A thread reads what the client prints, so that it never blocks on a full pipe.
    """

    def __init__(self, client, kind="http", v6=False, **options):
        self._name = f"{kind} load client in {client.name}"
        program, port = {"http": ("client.py", HTTP_PORT), "udp": ("client_udp.py", UDP_PORT)}[kind]
        target = f"[{VIP6}]:{port}" if v6 else f"{VIP4}:{port}"
        options = {"target": target, "sources": ",".join(client.v6 if v6 else client.v4),
                   "progress": 0.1, **options}
        if "first_port" not in options:
            # No two loads of a lab share a flow: its session may be remembered from the first one.
            each = options["sources"].count(",") + 1
            options["first_port"] = client.take_ports(flows_at_most(options) // each + 64)
        argv = [PYTHON, HERE / program]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), str(value)]
        self._errors = client.directory / f"load-{kind}-{id(self):x}.log"
        with open(self._errors, "wb") as errors:
            self.process = client.spawn(argv, stdout=subprocess.PIPE, stderr=errors)
        self.latest = None  # the last line of progress
        self.final = None
        self.lines = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            value = json.loads(line)
            if value.get("final"):
                self.final = value
            else:
                self.latest = value
                self.lines.put(value)

    def wait(self, seconds=120):
        """The result, once the client has come to its own end."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise LabError(f"the {self._name} did not end within {seconds} s; "
                           f"last it said {self.latest}") from None
        self._reader.join(timeout=10)
        if self.final is None:
            raise LabError(f"the {self._name} ended with {self.process.returncode}: "
                           f"{self._errors.read_text()}")
        return self.final

    def stop(self):
        """Ends an open load: what is under way is waited for. The result."""
        stop_process(self.process, signal.SIGTERM, seconds=30)
        return self.wait()

    def wait_answers(self, more, seconds=30):
        """Waits until `more` answers came from now on: the load does flow."""
        wait_answers([self], more, seconds)

    def answered(self):
        if self.process.poll() is not None and self.final is None:
            self.wait()
        return (self.final or self.latest or {"answered": 0})["answered"]


def wait_answers(loads, more, seconds=30):
    """Waits until each of several loads had `more` answers from now on."""
    goals = [(load, load.answered() + more) for load in loads]
    wait_until(lambda: all(load.answered() >= goal for load, goal in goals), seconds,
               f"{more} more answers to each load; last they said "
               f"{[load.latest for load in loads]}")


def flows_at_most(options):
    """How many flows a load may open; a guess for one without an end."""
    if "flows" in options:
        return options["flows"]
    if options.get("per_connection", 1) == 0:
        return options.get("connections", 32)
    return options.get("requests") or OPEN_LOAD_FLOWS


def http(client, **options):
    return Load(client, "http", **options)


def udp(client, **options):
    return Load(client, "udp", **options)
