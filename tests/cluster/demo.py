#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration: a pair of nodes, eight real servers, real traffic; and a node loses its power.

Three kinds of clients at a time: HTTP requests over connections that come and go, TCP connections
that stay (idle, trickling, downloading), and a datagram every millisecond, each a new flow: what of
those is not answered is the outage. Every number on the screen is measured in this run. The screen
is redrawn on a terminal; otherwise a line is printed from time to time. Status: 0 only if no
request failed, no connection broke or changed its server, nothing was lost but by the power loss,
and that for less than a second, and no reply passed a node.
"""

import argparse
import os
import socket
import sys
import time

import load
from capture import Capture
from demo_screen import (BLUE, BOLD, CYAN, DIM, GREEN, RED, REVERSE, YELLOW, Rates, Screen, bar,
                         milliseconds, number)
from host import HTTP_PORT, VIP4, LabError, wait_until
from pair import DEAD_AFTER, INTERVAL_MS, PairLab, cable_port, together
from steady import EARLY, Lasting, Stream, now

WIDTH = 100
BAR = 36
FRAME_SECONDS = 0.25
LINE_SECONDS = 2.0
BACKENDS = 8
RATE = 800             # requests a second
CONNECTIONS = 64
PER_CONNECTION = 40    # requests, then a fresh connection: new flows all the time
KEPT = 240             # connections that stay
MOST_OUTAGE = 1000     # ms, by a power loss
VIP_BYTES = socket.inet_aton(VIP4)
STATE_COLOURS = {"up": GREEN, "drained": YELLOW, "checking": YELLOW, "down": RED}
ROLES = {"holding": "HOLDS THE VIP", "offering": "gives the VIP away", "ready": "ready to take it",
         "fit": "not yet in step", "unfit": "cannot take it", "unknown": "–"}

PICTURE = """\
      clients                     load balancers                        real servers
  ┌──────────────┐            ┌────────────────────┐               ┌──────────────────┐
  │ {client:<12} │  requests  │ node1 and node2    │   by hash     │ web1 … web{count:<7}│
  │ {more:<12} ├───────────▶│ VIP {vip:<14} ├──────────────▶│ nginx, VIP on lo │
  └──────▲───────┘            └────────────────────┘               └─────────┬────────┘
         │                                                                   │
         └─────────────────── replies, straight to the client ───────────────┘"""


class Demo:
    def __init__(self, screen, lab, pace):
        self.screen, self.lab, self.pace = screen, lab, pace
        self.one, self.two = lab.nodes
        self.names = [backend.name for backend in lab.backends]
        self.rates = Rates()
        self.states, self.roles = {}, {}  # by node
        self.step_number, self.step_count = 0, 8
        self.title, self.story = "", ""
        self.began = time.monotonic()
        self.requests_seen = self.replies_seen = 0  # frames, in the captures
        self.next_line = 0.0
        self.load = self.kept = self.stream = None
        self.captures = []
        self.died = self.settled = self.outage = 0.0  # of the power loss: Unix times, ms
        self.broken = {}     # connections that had broken by the end of a step, by its name

    # ---- the play ----

    def play(self):
        self.lab.start_all(v6=False, udp=True)
        # Openings of connections show that the capture sees; replies there must be none. The
        # nodes' own checks go to the VIP, too, and are answered.
        own = " or ".join(f"host {node.v4[0]}" for node in self.lab.nodes)
        wanted = f"tcp port {HTTP_PORT} and not ({own}) and (src host {VIP4} or " \
                 f"(dst host {VIP4} and tcp[tcpflags] & tcp-syn != 0))"
        self.captures = [Capture(self.lab, node.name, wanted) for node in self.lab.nodes]
        client = self.lab.client
        self.kept = Lasting(client, KEPT)
        self.load = load.http(client, connections=CONNECTIONS, rate=RATE,
                              per_connection=PER_CONNECTION, progress=FRAME_SECONDS)
        self.stream = Stream(client)
        self.kept.wait_up()
        if not self.screen.live:
            print("\n".join(self.picture()) + "\n")
        self.traffic_flows()
        self.drain_on_the_other("web3")
        self.power_loss()
        self.return_and_failback()
        self.failover()
        self.stop_and_start()
        self.broken["the whole run"] = self.kept.check()[0]
        results = [each.stop() for each in (self.load, self.kept, self.stream)]
        for capture in self.captures:
            capture.stop()
        self.look()
        return results

    def traffic_flows(self):
        self.step("Traffic flows", f"{KEPT} connections stay open (a third idle, a third talking, "
                  "a third downloading); others come and go, and a new UDP flow each ms.")
        self.show(9)

    def drain_on_the_other(self, name):
        self.step(f"bascule drain {name}, said to node2", "node1, which holds the VIP, knows it at "
                  f"once: {name} gets no new connection. Those that it has may go on.")
        self.two.must_cli("drain", f"web/{name}")
        wait_until(lambda: self.one.backends()[f"web/{name}"]["state"] == "drained", 5,
                   "node1 to hear of the drain")
        self.show(9)
        self.step(f"bascule enable {name}, said to node1", f"{name} gets new connections again, "
                  "whichever node they meet.")
        self.one.must_cli("enable", f"web/{name}")
        self.show(6)

    def power_loss(self):
        """All of node1 is gone at once, and nobody says so: not even its links go down."""
        self.died = now()
        self.lab.on_switch("\n".join(f"ip link set {port} nomaster"
                                     for port in (self.one.name, cable_port(self.one))))
        self.one.kill()
        wait_until(lambda: self.holder() == self.two.name, 10, "node2 to take the VIP")
        self.settled = now() + 1
        self.step("node1 loses its power", f"It falls silent, and node2 takes the VIP after "
                  f"{DEAD_AFTER} heartbeats of {INTERVAL_MS} ms that did not come. It has all "
                  "sessions.")
        self.show(8, least=3)
        self.outage = max((length for began, length, _ in self.stream.latest["outages"]
                           if began >= self.died - EARLY), default=0.0)
        self.broken["the power loss"] = self.kept.check()[0]
        self.step("What that was", f"New flows were not served for {milliseconds(self.outage)}; of "
                  f"{KEPT} connections {self.broken['the power loss']} broke.")
        self.show(5)

    def return_and_failback(self):
        self.step("node1 is back", "With nothing but its disk: it learns all sessions, and only "
                  "then takes the VIP back.")
        self.one.must_cli("detach", "--bpffs", self.one.bpffs)
        self.one.run("ip", "addr", "del", VIP4, "dev", "eth0")
        for port, bridge in ((self.one.name, "br0"), (cable_port(self.one), "br1")):
            self.lab.on_switch(f"ip link set {port} master {bridge}")
        self.one.start(accept=(0, 4))
        self.wait_holder(self.one)
        self.show(8)

    def failover(self):
        self.step("bascule failover", "The operator moves the VIP to node2: nobody feels it.")
        self.one.must_cli("failover")
        self.wait_holder(self.two)
        self.show(7)

    def stop_and_start(self):
        self.step("systemctl restart on node2, which holds it", "It gives the VIP to node1 and "
                  "ends; then it starts again and gets in step. So an upgrade goes.")
        self.two.stop()
        self.wait_holder(self.one)
        self.two.start(accept=(0, 4))
        self.lab.wait_in_step()
        self.show(8)

    def wait_holder(self, node):
        wait_until(lambda: self.holder() == node.name, 30, f"{node.name} to hold the VIP")

    def holder(self):
        """The node that has the VIP, by its own word; None: none or several."""
        held = [node.name for node in self.running() if node.ask("show", "vips")["vips"][0]["held"]]
        return held[0] if len(held) == 1 else None

    def running(self):
        return [node for node in self.lab.nodes if node.daemon is not None]

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
            for each in (self.load, self.kept, self.stream):
                if each.process.poll() is not None:
                    raise LabError("a client ended by itself")
            if self.screen.live:
                self.screen.draw(self.frame())
            elif time.monotonic() >= self.next_line:
                print("      " + self.short_line(), flush=True)
                self.next_line = time.monotonic() + LINE_SECONDS
            time.sleep(FRAME_SECONDS)

    def look(self):
        self.rates.feed(self.load.latest)
        for capture in self.captures:
            for frame in capture.new_frames():
                if frame[26:30] == VIP_BYTES:
                    self.replies_seen += 1
                else:
                    self.requests_seen += 1
        self.states, self.roles = {}, {}
        for node, (states, role) in zip(self.running(), together(self.ask_node, self.running())):
            self.states[node.name], self.roles[node.name] = states, role

    def ask_node(self, node):
        shown = node.backends()
        states = {name: shown[f"web/{name}"]["state"] for name in self.names}
        said = node.ask("show", "vips")["vips"][0]["nodes"]
        return states, next(each["role"] for each in said if each["name"] == node.name)

    def picture(self):
        client = self.lab.client.v4
        return PICTURE.format(client=client[0], more=f"+ {len(client) - 1} more", vip=VIP4,
                              count=len(self.names)).split("\n")

    def frame(self):
        paint = self.screen.paint
        seconds = int(time.monotonic() - self.began)
        clock = f"{seconds // 60:02}:{seconds % 60:02}"
        what = "  two nodes, one virtual address, eight real servers"
        lines = [paint(" BASCULE ", BOLD, REVERSE) + what + clock.rjust(WIDTH - len(what) - 10), ""]
        lines += [paint(line, CYAN) for line in self.picture()]
        lines += ["", *self.nodes(), "", *self.table(), "", *self.felt(), ""]
        head = f" {self.step_number}/{self.step_count}  {self.title} "
        lines += [paint(head, BOLD, REVERSE), " " + self.story]
        return lines

    def role(self, node):
        return ROLES.get(self.roles.get(node.name), "NO POWER" if node.daemon is None else "–")

    def nodes(self):
        for node in self.lab.nodes:
            role = self.role(node)
            colour = {"HOLDS THE VIP": GREEN, "NO POWER": RED}.get(role, BLUE)
            frames = number(node.counters()["to_host"])
            yield f"  {node.name:<8}" + self.screen.paint(f"{role:<20}", BOLD, colour) \
                + f"{frames:>10} frames came to it"

    def table(self):
        paint, rates = self.screen.paint, self.rates.by_backend()
        most = max(max(rates.values(), default=0), 2 * RATE / len(self.names))
        yield paint(f"  {'server':<8}{'at node1':<12}{'at node2':<12}{'req/s':>7}", BOLD)
        for name in self.names:
            rate = rates.get(name, 0)
            states = [self.states.get(node.name, {}).get(name, "–") for node in self.lab.nodes]
            colours = [STATE_COLOURS.get(state, DIM) for state in states]
            yield f"  {name:<8}" + "".join(paint(f"{state:<12}", colour)
                                           for state, colour in zip(states, colours)) \
                + f"{rate:>7.0f}  " + paint(bar(rate / most, BAR), GREEN)

    def felt(self):
        paint = self.screen.paint

        def counted(value, words):
            return paint(f"{value} {words}", BOLD, RED if value else GREEN)

        latest = self.load.latest or {"sent": 0, "failed": 0, "latency_ms": {"p50": None,
                                                                             "p99": None}}
        latency, kept, flow = latest["latency_ms"], self.kept.latest, self.stream.latest
        yield f"  requests:     {number(latest['sent']):>9} sent   " \
            + counted(latest["failed"], "failed") + f"   p50 {milliseconds(latency['p50'])}, " \
              f"p99 {milliseconds(latency['p99'])}"
        yield f"  connections:  {number(kept['open']):>9} stay   " \
            + counted(kept["broken"], "broke") + f"    {number(kept['bytes'] >> 10)} KiB downloaded"
        longest = max((each[1] for each in flow["outages"]), default=0)
        yield f"  new flows:    {number(flow['sent']):>9} sent   {flow['lost']} lost   " \
              f"longest outage {milliseconds(longest)}"

    def short_line(self):
        latest = self.load.latest or {"sent": 0, "failed": 0}
        rates = self.rates.by_backend()
        roles = ", ".join(f"{node.name} {self.role(node)}" for node in self.lab.nodes)
        return f"{roles} | {sum(rates.values()):.0f} req/s, {latest['failed']} failed | " \
               f"{self.kept.latest['open']} connections, {self.kept.latest['broken']} broke | " \
               f"new flows: {self.stream.latest['lost']} lost"

    # ---- the end ----

    def report(self, results):
        """The last words; True when all is well."""
        paint = self.screen.paint
        requests, kept, flow = results
        by_power = sum(count for began, _, count in flow["outages"]
                       if self.died - EARLY <= began <= self.settled)
        planned = flow["lost"] - by_power
        good = not (requests["failed"] or requests["changed"] or kept["broken"] or planned
                    or self.replies_seen) and self.requests_seen > 0 \
            and 0 < self.outage < MOST_OUTAGE
        lines = [
            "", paint("What the clients felt", BOLD),
            f"  requests                     {number(requests['sent']):>10}   failed: "
            f"{requests['failed']}",
            f"  connections that came        {number(sum(requests['flows'].values())):>10}   each "
            f"served by one server: {'yes' if not requests['changed'] else 'NO'}",
            f"  connections that stayed      {number(KEPT):>10}   broken: {kept['broken']}; by the "
            f"power loss: {self.broken['the power loss']}",
            f"  new flows, one a millisecond {number(flow['sent']):>10}   lost: {by_power} by the "
            f"power loss, {planned} by all that was planned",
            f"  outage by the power loss     {milliseconds(self.outage):>10}   a dead node is "
            f"known after {DEAD_AFTER} × {INTERVAL_MS} ms",
            f"  outage by planned moves      {milliseconds(self.planned_outage(flow)):>10}",
            "", paint("What passed the nodes", BOLD) + " (at their switch ports; tcpdump missed "
            "none)",
            f"  connections seen opening     {number(self.requests_seen):>10}   frames, before and "
            "behind a node",
            f"  replies                      {self.replies_seen:>10}   the servers answer the "
            "clients directly", ""]
        if not good:
            lines += [f"  {example}" for example in requests["examples"] + kept["examples"]]
            lines += [f"  outage of {each[1]} ms" for each in flow["outages"][:8]]
        lines.append(paint("All is well: the power loss was felt by new flows alone.", BOLD, GREEN)
                     if good else paint("NOT well: see above.", BOLD, RED))
        print("\n".join(lines), flush=True)
        return good

    def planned_outage(self, flow):
        return max((length for began, length, _ in flow["outages"]
                    if not self.died - EARLY <= began <= self.settled), default=0.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--pace", type=float, default=1.0,
                        help="length of the steps: 1 is a minute and a half, 0.1 a glance")
    arguments = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("demo.py: network namespaces need root: run it with sudo")
    screen = Screen()
    try:
        with PairLab(backends=BACKENDS, udp=True) as lab:
            demo = Demo(screen, lab, arguments.pace)
            try:
                with screen:
                    results = demo.play()
                good = demo.report(results)
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
