#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: one node, eight real servers, real HTTP traffic, and what may happen to them.

Every number on the screen is measured in this run: requests and latencies by the load client,
states by `bascule show backends`, frames by the switch's port and by tcpdump on it. The screen is
redrawn on a terminal; otherwise a line is printed from time to time. Status: 0 only if no request
failed but those that a dying server had to answer before its checks took it out, no connection
changed its server, no reply passed the node and the restart adopted.
"""

import argparse
import os
import signal
import socket
import sys
import time

import load
from capture import Capture
from host import HTTP_PORT, VIP4, LabError
from lab import Lab

WIDTH = 100
BAR = 40
FRAME_SECONDS = 0.25
LINE_SECONDS = 2.0
BACKENDS = 8
CLIENT_ADDRESSES = 8
RATE = 1600            # requests a second
CONNECTIONS = 64
PER_CONNECTION = 40    # requests, then a fresh connection: new flows all the time
VIP_BYTES = socket.inet_aton(VIP4)

BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = "1", "2", "31", "32", "33", "34", "36"
STATE_COLOURS = {"up": GREEN, "drained": YELLOW, "zero": YELLOW, "not in the file": DIM,
                 "checking": YELLOW, "unresolved": RED, "down": RED}
CHECKS = {"health.type": "http", "health.interval": "500ms", "health.fast_interval": "100ms"}
# A request that failed began at most so long after the server was out of the ring: its connection
# was made before.
LATE_FAILURE = 0.2

PICTURE = """\
      clients                         load balancer                         real servers
  ┌──────────────┐                ┌──────────────────┐                  ┌──────────────────┐
  │ {client:<12} │    requests    │ VIP {vip:<12} │   by hash, XDP   │ web1 … web{count:<7}│
  │ {more:<12} ├───────────────▶│ {xdp:<16} ├─────────────────▶│ nginx, VIP on lo │
  └──────▲───────┘                └──────────────────┘                  └─────────┬────────┘
         │                                                                        │
         └───────────────────── replies, straight to the client ──────────────────┘"""


class Screen:
    """Draws frames on a terminal in place; elsewhere prints lines."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")

    def __enter__(self):
        if self.live:
            self.write("\033[?25l\033[2J")
        return self

    def __exit__(self, *_):
        if self.live:
            self.write("\033[?25h\033[0m\n")

    @staticmethod
    def write(text):
        sys.stdout.write(text)
        sys.stdout.flush()

    def paint(self, text, *codes):
        return f"\033[{';'.join(codes)}m{text}\033[0m" if self.colour and codes else text

    def draw(self, lines):
        # Each line is cleared behind its text: no flicker, and nothing of the last frame remains.
        self.write("\033[H" + "\033[K\n".join(lines) + "\033[K\033[J")


def number(value):
    return f"{value:,}".replace(",", " ")


def milliseconds(value):
    return "–" if value is None else f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"


class Rates:
    """Requests a second by backend, over about the last second."""

    def __init__(self):
        self._lines = []

    def feed(self, line):
        if line is not None and (not self._lines or line is not self._lines[-1]):
            self._lines.append(line)
            while len(self._lines) > 2 and line["seconds"] - self._lines[0]["seconds"] > 1.2:
                self._lines.pop(0)

    def by_backend(self):
        if len(self._lines) < 2:
            return {}
        first, last = self._lines[0], self._lines[-1]
        seconds = max(last["seconds"] - first["seconds"], 0.001)
        return {name: (count - first["requests"].get(name, 0)) / seconds
                for name, count in last["requests"].items()}


class Demo:
    def __init__(self, screen, lab, pace):
        self.screen, self.lab, self.node, self.pace = screen, lab, lab.node, pace
        self.names = [backend.name for backend in lab.backends]
        self.rates = Rates()
        self.states, self.xdp = {}, ""
        self.step_number, self.step_count = 0, 9
        self.title, self.story = "", ""
        self.began = time.monotonic()
        self.requests_seen = self.replies_seen = 0  # frames, in the capture
        self.next_line = 0.0
        self.load = self.capture = None
        self.adopted = False  # by the daemon that was started again
        self.died = self.left_ring = 0.0  # Unix times, of the server that is killed

    # ---- the play ----

    def play(self):
        self.node.write_config(self.config())
        self.node.start()
        mode = self.node.status()["interfaces"][0]["mode"]
        self.xdp = f"XDP {mode}"
        # Openings of connections show that the capture sees; replies there must be none. The
        # node's own checks go to the VIP, too, and are answered.
        wanted = f"tcp port {HTTP_PORT} and not host {self.node.v4[0]} and (src host {VIP4} or " \
                 f"(dst host {VIP4} and tcp[tcpflags] & tcp-syn != 0))"
        self.capture = Capture(self.lab, self.node.name, wanted)
        self.load = load.http(self.lab.client, connections=CONNECTIONS, rate=RATE,
                              per_connection=PER_CONNECTION, progress=FRAME_SECONDS)
        if not self.screen.live:
            print("\n".join(self.picture()) + "\n")
        self.traffic_flows()
        self.drain_and_enable("web3")
        self.server_dies("web7")
        self.kill_and_restart()
        self.take_away_and_bring_back("web5")
        result = self.load.stop()
        self.capture.stop()
        self.look()
        return result

    def config(self):
        config = self.node.standard_config(v6=False)
        config.service("web").options.update(CHECKS)
        return config

    def traffic_flows(self):
        self.step("Traffic flows", f"{CONNECTIONS} connections at a time to {VIP4}:{HTTP_PORT}; "
                  "each is hashed to a real server and stays there.")
        self.show(11)

    def drain_and_enable(self, name):
        self.step(f"bascule drain {name}", f"{name} gets no new connection; those that it has may "
                  "finish. Nobody is cut off.")
        self.node.must_cli("drain", name)
        self.show(9)
        self.step(f"bascule enable {name}", f"{name} is back in the ring: new connections find it "
                  "again.")
        self.node.must_cli("enable", name)
        self.show(8)

    def server_dies(self, name):
        """Nobody tells the node: its checks, which go to the VIP as clients do, find out."""
        server, event = self.lab.backend(name), None
        serial = self.node.ask("events")["last_serial"]
        self.died = time.time()
        os.killpg(server.nginx.pid, signal.SIGKILL)  # its workers, too
        server.nginx.wait()
        deadline = time.monotonic() + 10
        while event is None and time.monotonic() < deadline:
            time.sleep(0.05)
            event = next((each for each in self.node.events(serial)
                          if each["kind"] == "backend_down"), None)
        if event is None:
            raise LabError(f"{name} was killed, and no check has found it within 10 s")
        self.left_ring = event["time"]
        self.step(f"kill -9 nginx on {name}", f"Found by its checks and out of the ring after "
                  f"{milliseconds((self.left_ring - self.died) * 1000)}: {event['text']}.")
        self.show(8)
        server.start_nginx()
        self.step(f"{name} comes back", "Its server is started, and nobody tells the node that, "
                  "either: two good checks bring it back.")
        self.show(8)

    def dying(self, result):
        """The failed requests that the killed server had to answer, and all others."""
        began = [at for at, _, _ in result["failures"]]
        # One that was under way when it died began up to a round trip before.
        of_dying = [at for at in began if self.died - 1 <= at <= self.left_ring + LATE_FAILURE]
        return len(of_dying), result["failed"] - len(of_dying)

    def kill_and_restart(self):
        self.step("kill -9 basculed", "The daemon is dead; program, tables and sessions are pinned "
                  "in the kernel: traffic goes on.")
        self.node.kill()
        self.show(7)
        before = time.monotonic()
        self.node.start()
        status = self.node.status()
        self.adopted = status["adopted"]
        word = "adopted" if self.adopted else "did NOT adopt"
        self.step("basculed starts again", f"It {word} the running engine with "
                  f"{number(int(status['sessions']['established']))} established sessions, ready "
                  f"after {milliseconds((time.monotonic() - before) * 1000)}.")
        self.show(7)

    def take_away_and_bring_back(self, name):
        self.step(f"{name} is taken away", "Drained, then out of the file and `bascule reload`, "
                  "then its server is stopped.")
        self.node.must_cli("drain", name)
        self.show_until_silent(name)
        config = self.node.config.copy()
        config.service("web").remove(name)
        self.node.reload(config)
        self.lab.backend(name).stop_servers()
        self.show(7)
        self.step(f"{name} comes back", "Its server is started, it is in the file again, `bascule "
                  f"reload`, `bascule enable {name}`.")
        self.lab.backend(name).start_nginx()
        self.lab.backend(name).wait_listening()
        self.node.reload(self.config())
        self.node.must_cli("enable", name)
        self.show(10)

    def show_until_silent(self, name):
        """A drained server may be switched off once its last connection has ended."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            before = (self.load.latest or {"requests": {}})["requests"].get(name, 0)
            self.show(2, least=1.5)
            if self.load.latest["requests"].get(name, 0) == before:
                return
        raise LabError(f"{name} still serves 30 s after its drain")

    # ---- what is seen ----

    def step(self, title, story):
        self.step_number += 1
        self.title, self.story = title, story
        if not self.screen.live:
            print(f"\n[{self.step_number}/{self.step_count}] {title}\n      {story}", flush=True)
            self.next_line = time.monotonic() + LINE_SECONDS

    def show(self, seconds, least=0.5):
        end = time.monotonic() + max(seconds * self.pace, least)
        while time.monotonic() < end:
            self.look()
            if self.load.process.poll() is not None:
                self.load.wait()
                raise LabError("the load client ended by itself")
            if self.screen.live:
                self.screen.draw(self.frame())
            elif time.monotonic() >= self.next_line:
                print("      " + self.short_line(), flush=True)
                self.next_line = time.monotonic() + LINE_SECONDS
            time.sleep(FRAME_SECONDS)

    def look(self):
        self.rates.feed(self.load.latest)
        for frame in self.capture.new_frames():
            if frame[26:30] == VIP_BYTES:
                self.replies_seen += 1
            else:
                self.requests_seen += 1
        if self.node.daemon is None:
            self.states = {}
            return
        shown = self.node.backends()
        self.states = {name: shown[f"web/{name}"]["state"] if f"web/{name}" in shown
                       else "not in the file" for name in self.names}

    def picture(self):
        client = self.lab.client.v4
        return PICTURE.format(client=client[0], more=f"+ {len(client) - 1} more", vip=VIP4,
                              xdp=self.xdp, count=len(self.names)).split("\n")

    def frame(self):
        paint = self.screen.paint
        seconds = int(time.monotonic() - self.began)
        clock = f"{seconds // 60:02}:{seconds % 60:02}"
        what = "  one virtual address, eight real servers, replies straight to the client"
        lines = [paint(" BASCULE ", BOLD, "7") + what + clock.rjust(WIDTH - len(what) - 10), ""]
        lines += [paint(line, CYAN) for line in self.picture()]
        lines += ["", *self.table(), "", *self.felt(), ""]
        head = f" {self.step_number}/{self.step_count}  {self.title} "
        lines += [paint(head, BOLD, "7"), " " + self.story]
        return lines

    def table(self):
        paint, rates = self.screen.paint, self.rates.by_backend()
        latest = self.load.latest or {"requests": {}}
        most = max(max(rates.values(), default=0), 2 * RATE / len(self.names))
        yield paint(f"  {'server':<8}{'state':<17}{'requests':>9}{'req/s':>8}", BOLD)
        for name in self.names:
            rate = rates.get(name, 0)
            state = self.states.get(name, "(daemon is dead)")
            colour = STATE_COLOURS.get(state, BLUE)
            eighths = round(rate / most * BAR * 8)
            bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
            total = number(latest["requests"].get(name, 0))
            yield f"  {name:<8}{paint(f'{state:<17}', colour)}{total:>9}{rate:>8.0f}  " \
                  + paint(bar, colour)
        yield paint(f"  {'all':<25}{number(sum(latest['requests'].values())):>9}"
                    f"{sum(rates.values()):>8.0f}", BOLD)

    def felt(self):
        paint = self.screen.paint
        latest = self.load.latest or {"sent": 0, "failed": 0, "latency_ms": dict.fromkeys(
            ("p50", "p99", "max"))}
        latency = latest["latency_ms"]
        yield "  clients:  " + paint(f"{number(latest['sent'])} requests sent", BOLD) + "   " \
            + paint(f"{latest['failed']} failed", BOLD, RED if latest["failed"] else GREEN) \
            + f"   latency now p50 {milliseconds(latency['p50'])}, p99 " \
              f"{milliseconds(latency['p99'])}, max {milliseconds(latency['max'])}"
        yield f"  node:     {number(self.lab.node.counters()['to_host'])} frames came to it,  " \
            + paint(f"{self.replies_seen} replies passed it", BOLD,
                    RED if self.replies_seen else GREEN)

    def short_line(self):
        rates = self.rates.by_backend()
        latest = self.load.latest or {"sent": 0, "failed": 0}
        each = " ".join(f"{name} {rates.get(name, 0):.0f}" for name in self.names)
        return f"req/s: {each} | sent {number(latest['sent'])} failed {latest['failed']}"

    def report(self, result):
        """The last words; True when all is well."""
        paint, latency = self.screen.paint, result["latency_ms"]
        frames = self.lab.node.counters()["to_host"]
        of_dying, others = self.dying(result)
        took = milliseconds((self.left_ring - self.died) * 1000)
        good = not others and not self.replies_seen and not result["changed"] \
            and self.requests_seen > 0 and self.adopted
        lines = [
            "", paint("What the clients felt", BOLD),
            f"  requests sent                {number(result['sent']):>12}",
            f"  failed                       {result['failed']:>12}   {of_dying} of them were "
            f"the killed server's, in its last {took}",
            f"  latency                      p50 {milliseconds(latency['p50'])}, p99 "
            f"{milliseconds(latency['p99'])}, max {milliseconds(latency['max'])}",
            f"  longest time without answer  {milliseconds(result['longest_silence_ms']):>12}",
            f"  connections                  {number(sum(result['flows'].values())):>12}   each "
            f"served by one server: {'yes' if not result['changed'] else 'NO'}",
            f"  segments sent again          {result['retransmitted']:>12}   by TCP, unfelt but as "
            "latency",
            "", paint("What passed the node", BOLD) + " (at its switch port; tcpdump missed none)",
            f"  frames that came to it       {number(frames):>12}",
            f"  connections seen opening     {number(self.requests_seen):>12}   frames, before and "
            "behind the node",
            f"  replies                      {self.replies_seen:>12}   the servers answer the "
            "clients directly", ""]
        lines += [f"  {reason}: {count}" for reason, count in result["reasons"].items()]
        if not good:
            lines += [f"  {example}" for example in result["examples"]]
        lines.append(paint("All is well: no request failed but those of the server that died.",
                           BOLD, GREEN) if good else
                     paint("NOT well: see above.", BOLD, RED))
        print("\n".join(lines), flush=True)
        return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pace", type=float, default=1.0,
                        help="length of the steps: 1 is a minute and a half, 0.1 a glance")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo.py: network namespaces need root: run it with sudo")
    screen = Screen()
    try:
        with Lab(backends=BACKENDS, client_addresses=CLIENT_ADDRESSES) as lab:
            demo = Demo(screen, lab, arguments.pace)
            try:
                with screen:
                    result = demo.play()
                good = demo.report(result)
            except LabError as error:
                print(f"demo: {error}\n{lab.logs()}", file=sys.stderr)
                good = False
        print("The lab is gone: no namespace, process, mount or file is left of it.")
    except LabError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("\ninterrupted; the lab is gone")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
