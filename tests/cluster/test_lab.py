# SPDX-License-Identifier: Apache-2.0
"""The lab itself: it goes away whatever happens, two of them do not meet, its servers keep quiet
about the VIP, and its load clients can fail."""

import os
import signal
import subprocess
import unittest

import janitor
import load
from host import HERE, HTTP_PORT, PYTHON, VIP4, VIP6, wait_until
from lab import Lab

OWNER = """
import sys, time
sys.path.insert(0, {here!r})
from lab import Lab
lab = Lab(backends=2, udp=True)
print(lab.prefix, flush=True)
time.sleep(300)
"""

WIDE_OWNER = """
import sys, time
sys.path.insert(0, {here!r})
from wide import WideLab
lab = WideLab({{"back": "back"}}, far=True)
lab.start_companion(lab.backend("back"), ["ipip"])
print(lab.prefix, flush=True)
time.sleep(300)
"""

PAIR_OWNER = """
import sys, time
sys.path.insert(0, {here!r})
from pair import PairLab
lab = PairLab(nodes=2, backends=1)
relay = lab.relay()
relay.set({{"delay": 60}})
print(lab.prefix, flush=True)
time.sleep(300)
"""

# A server that is wrong in one way, named by its argument.
LIAR = """
import socket, sys
sys.path.insert(0, {here!r})
from servers import BODY_PADDING
mode = sys.argv[1]
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("10.9.0.66", 80))
server.listen(100)
print("ready", flush=True)
while True:
    plug, client = server.accept()
    for turn in range(2):
        if not plug.recv(4096):
            break
        seen = "10.9.0.1:1" if mode == "wrong client address" else "%s:%d" % client
        who = "liar%d" % turn if mode == "backend changed" else "liar"
        status = "503 Busy" if mode == "bad status" else "200 OK"
        body = "served by %s for %s\\n%s\\n" % (who, seen, BODY_PADDING)
        if mode == "wrong body":
            body = body.replace("abc", "abd", 1)
        text = "\\r\\n".join(["HTTP/1.1 " + status, "Content-Length: %d" % len(body),
                           "X-Backend: " + who, "X-Client: " + seen, "", body])
        plug.sendall(text[:-9].encode() if mode == "closed early" else text.encode())
        if mode == "closed early":
            break
    plug.close()
"""


class CleanUpTest(unittest.TestCase):
    alone = True  # it cleans up after whoever is dead, and a lab beside it may be half built

    def start_owner(self, script=OWNER, mounts=1, processes=4):
        owner = subprocess.Popen([PYTHON, "-c", script.format(here=str(HERE))],
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(owner.wait)
        self.addCleanup(owner.kill)
        prefix = owner.stdout.readline().strip()
        owner.stdout.close()
        directory = janitor.ROOT / prefix
        self.addCleanup(janitor.clean, directory)
        # Something of everything is there: namespaces, servers, a bpffs, files.
        self.assertGreaterEqual(len(janitor.namespaces(prefix)), 5)
        self.assertGreaterEqual(len(janitor.processes(directory)), processes)
        self.assertEqual(len(janitor.mounts(directory)), mounts)
        return owner, directory

    def assert_nothing_left(self, directory):
        wait_until(lambda: not janitor.leftovers(directory), 20,
                   f"the lab to go; there is {janitor.leftovers(directory)}")

    def test_a_lab_whose_owner_is_killed_leaves_nothing_behind(self):
        owner, directory = self.start_owner()
        owner.kill()
        owner.wait()
        self.assert_nothing_left(directory)

    def test_a_lab_with_routers_and_a_companion_whose_owner_is_killed_leaves_nothing_behind(self):
        owner, directory = self.start_owner(WIDE_OWNER, mounts=2, processes=1)
        owner.kill()
        owner.wait()
        self.assert_nothing_left(directory)

    def test_a_lab_with_a_relay_whose_owner_is_killed_leaves_nothing_behind(self):
        owner, directory = self.start_owner(PAIR_OWNER, mounts=2, processes=3)
        owner.kill()
        owner.wait()
        self.assert_nothing_left(directory)

    def test_a_lab_whose_owner_is_terminated_leaves_nothing_behind(self):
        owner, directory = self.start_owner()
        owner.terminate()
        self.assertEqual(owner.wait(timeout=30), 128 + signal.SIGTERM)
        self.assert_nothing_left(directory)

    def test_clean_removes_what_a_lab_left_whose_guardian_died_too(self):
        owner, directory = self.start_owner()
        guardian = int((directory / "guardian").read_text().split()[0])
        os.kill(guardian, signal.SIGKILL)
        wait_until(lambda: janitor.start_time(guardian) is None, 10, "the guardian's end")
        owner.kill()
        owner.wait()
        self.assertNotEqual(janitor.leftovers(directory), [])
        with Lab(backends=1, nodes=0) as living:
            done = subprocess.run([PYTHON, HERE / "lab.py", "--clean"], capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"{directory.name}: removed", done.stdout)
            self.assertIn(f"{living.prefix}: in use", done.stdout)
            self.assertNotEqual(janitor.namespaces(living.prefix), [])
        self.assertEqual(janitor.leftovers(directory), [])


class ServersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(backends=3, nodes=0, udp=True)
        cls.addClassCleanup(cls.lab.close)
        cls.client = cls.lab.client

    def send_to(self, backend):
        """Makes the client take a real server for the holder of the VIP."""
        for vip in (VIP4, VIP6):
            self.client.must("ip", "neigh", "replace", vip, "lladdr", backend.mac, "dev", "eth0")
            self.addCleanup(self.client.run, "ip", "neigh", "del", vip, "dev", "eth0")

    def test_no_real_server_answers_for_the_vip_on_the_wire(self):
        for vip, family in ((VIP4, "AF_INET"), (VIP6, "AF_INET6")):
            self.client.must(PYTHON, "-c", f"""
import socket
socket.socket(socket.{family}, socket.SOCK_DGRAM).sendto(b"", ({vip!r}, 9))""")

            def entry(vip=vip):
                return self.client.must("ip", "neigh", "show", vip).stdout

            self.assertNotEqual(entry(), "")
            wait_until(lambda: "FAILED" in entry(), 20, f"nobody to answer for {vip}")

    def test_real_servers_answer_from_the_vip(self):
        self.send_to(self.lab.backend("web2"))
        for options in ({}, {"v6": True}):
            for running in (load.http(self.client, requests=500, **options),
                            load.udp(self.client, flows=100, packets=3, **options)):
                result = running.wait()
                self.assertEqual((result["failed"], set(result["flows"])), (0, {"web2"}))

    def test_the_load_clients_count_what_fails(self):
        backend = self.lab.backend("web3")
        self.send_to(backend)
        kept = load.http(self.client, connections=10, per_connection=0, rate=500, timeout=1)
        datagrams = load.udp(self.client, window=10, packets=0, rate=100, timeout=0.5)
        kept.wait_answers(200)
        datagrams.wait_answers(50)
        backend.stop_servers()
        wait_until(lambda: kept.latest["failed"] >= 10 and datagrams.latest["failed"] >= 10, 20,
                   "failures")
        backend.start_nginx()
        backend.start_udp()
        backend.wait_listening()
        kept.wait_answers(100)
        datagrams.wait_answers(20)
        reasons = kept.stop()["reasons"]
        self.assertTrue(any("closed early" in reason for reason in reasons), reasons)
        self.assertIn("ECONNREFUSED", reasons)
        self.assertIn("ECONNREFUSED", datagrams.stop()["reasons"])

    def test_the_load_client_believes_no_wrong_answer(self):
        liar = self.lab.add_host("liar", 66)
        for reason, each in (("wrong client address", 1), ("wrong body", 1), ("bad status", 1),
                             ("closed early", 1), ("backend changed", 2)):
            server = liar.spawn([PYTHON, "-c", LIAR.format(here=str(HERE)), reason],
                                stdout=subprocess.PIPE)
            with server.stdout:
                self.assertEqual(server.stdout.readline(), b"ready\n")
            result = load.http(self.client, target=f"{liar.v4[0]}:{HTTP_PORT}", connections=4,
                               per_connection=2, requests=20 * each).wait()
            self.assertEqual(result["reasons"], {reason: 20}, result["examples"])
            self.assertEqual(result["answered"], 20 * (each - 1))
            server.kill()
            server.wait()

    def test_two_labs_at_once_do_not_meet(self):
        with Lab(backends=1, nodes=0) as other:
            self.send_to(self.lab.backend("web1"))
            for vip in (VIP4, VIP6):
                other.client.must("ip", "neigh", "replace", vip, "lladdr",
                                  other.backend("web1").mac, "dev", "eth0")
            both = [load.http(client, connections=32, requests=3000)
                    for client in (self.client, other.client)]
            for running in both:
                self.assertEqual(running.wait()["failed"], 0)
            received = [lab.backend("web1").counters()["to_host"] for lab in (self.lab, other)]
            self.assertGreater(received[1], 3000)
        self.assertEqual(janitor.leftovers(other.directory), [])
        self.assertNotEqual(janitor.leftovers(self.lab.directory), [])
