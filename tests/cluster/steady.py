# SPDX-License-Identifier: Apache-2.0
"""Starting stream.py and lasting.py in a lab's client, and reading what they tell."""

import json
import signal
import subprocess
import threading
import time

from host import HERE, HTTP_PORT, PYTHON, UDP_PORT, VIP4, VIP6, LabError, stop_process, wait_until

EARLY = 0.05  # seconds: what began so long before an event is taken for its effect


class Telling:
    """A program in a client that prints JSON lines, the last of which has "final"."""

    def __init__(self, client, program, **options):
        self._name = f"{program} in {client.name}"
        argv = [PYTHON, HERE / program]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), str(value)]
        self._errors = client.directory / f"{program}-{id(self):x}.log"
        with open(self._errors, "wb") as errors:
            self.process = client.spawn(argv, stdout=subprocess.PIPE, stderr=errors)
        self.latest = self.final = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.take(json.loads(line))

    def take(self, said):
        self.latest = said
        if said.get("final"):
            self.final = said

    def wait_said(self, condition, seconds, what):
        """Waits until what it said last fits. It must not end meanwhile."""
        def fits():
            if self.process.poll() is not None:
                raise LabError(f"{self._name} ended: {self._errors.read_text()}")
            return self.latest is not None and condition(self.latest)
        try:
            wait_until(fits, seconds, what)
        except LabError as error:
            raise LabError(f"{error}; the {self._name} said {self.latest}") from None

    def stop(self):
        """Ends it. The result."""
        if self.final is None:
            stop_process(self.process, signal.SIGTERM, seconds=40)
            self._reader.join(timeout=10)
        if self.final is None:
            raise LabError(f"{self._name} told no result: {self._errors.read_text()}")
        return self.final


class Stream(Telling):
    """A datagram every millisecond, each a new flow."""

    def __init__(self, client, v6=False):
        target = f"[{VIP6}]:{UDP_PORT}" if v6 else f"{VIP4}:{UDP_PORT}"
        super().__init__(client, "stream.py", target=target,
                         sources=",".join(client.v6 if v6 else client.v4))
        self.wait_said(lambda said: said["answered"] > 100, 20, "a stream that is answered")

    def wait_flows(self, seconds=10, more=100):
        """Waits until it is answered again: `more` datagrams from now on."""
        goal = self.latest["answered"] + more
        self.wait_said(lambda said: said["answered"] >= goal, seconds, "the stream to flow")

    def lost_none(self):
        """Why not, in words; None: none was lost."""
        said = self.stop()
        if said["lost"] == 0 and said["answered"] == said["sent"]:
            return None
        return f"{said['lost']} of {said['sent']} lost: {said['outages'][:8]}"


def outage_after(result, event):
    """Milliseconds of the longest outage that began with or after an event (Unix time)."""
    return max((length for began, length, _ in result["outages"] if began >= event - EARLY),
               default=0.0)


class Lasting(Telling):
    """TCP connections that stay: a third idle, a third trickling, a third downloading."""

    def __init__(self, client, connections, v6=False, rate=400):
        self.connections = connections
        self.checked = 0
        target = f"[{VIP6}]:{HTTP_PORT}" if v6 else f"{VIP4}:{HTTP_PORT}"
        sources = client.v6 if v6 else client.v4
        super().__init__(client, "lasting.py", target=target, sources=",".join(sources),
                         connections=connections, rate=rate,
                         first_port=client.take_ports(connections // len(sources) + 64))

    def take(self, said):
        super().take(said)
        self.checked = max(self.checked, said.get("checked", 0))

    def wait_up(self, seconds=60):
        self.wait_said(lambda said: said["up"] >= self.connections, seconds,
                       f"{self.connections} lasting connections")

    def check(self, seconds=40):
        """Asks each for a sign of life. How many are broken, and why."""
        goal = self.checked + 1
        self.process.send_signal(signal.SIGUSR1)
        self.wait_said(lambda _: self.checked >= goal, seconds, "a sign of life of all")
        return self.latest["broken"], self.latest["reasons"]


def now():
    return time.time()
