# SPDX-License-Identifier: Apache-2.0
"""`bascule trace` and `bascule capture` on a node that carries traffic: what they say is so, and
traffic does not feel them."""

import json
import signal
import subprocess
import time

from cluster_test import ClusterTest
from host import HTTP_PORT, VIP4, VIP6, wait_until


def tshark(path, *options):
    """What tshark reads in a file; it must have no complaint."""
    done = subprocess.run(["tshark", "-n", "-r", str(path), *options], capture_output=True,
                          text=True, check=False, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "as user \"root\"" not in line]
    assert done.returncode == 0 and not complaints, done.stderr
    return done.stdout.splitlines()


class WatchTest(ClusterTest):
    lab_options = {"backends": 4}

    def setUp(self):
        if self.node.daemon is None:
            self.node.start()

    def capture(self, path, *options):
        """A capture into a file that is running; it ends with the test at the latest."""
        process = subprocess.Popen(
            [str(word) for word in self.node.cli_command("capture", "-w", path, *options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        wait_until(lambda: path.exists() and process.poll() is None, 20, "a capture")
        return process

    def path(self, name):
        return self.lab.directory / f"{name}.pcapng"

    def trace(self, *words, accept=(0, 1)):
        return self.node.ask("trace", *words, accept=accept)

    def test_a_trace_names_the_backend_that_then_serves(self):
        client = self.client.v4[0]
        before = self.node.ask("show", "sessions")["matched"]
        for port in range(50100, 50110):
            told = self.trace(client, port, VIP4, HTTP_PORT)
            self.assertTrue(told["delivered"], told)
            self.assertEqual(self.node.ask("show", "sessions")["matched"], before)
            done = self.client.run("curl", "-s", "-o", "/dev/null", "--local-port", port,
                                   f"http://{VIP4}/")
            self.assertEqual(done.returncode, 0)
            before += 1

            def served(port=port):
                shown = self.node.ask("show", "sessions", "--source", client, "--limit", "10000")
                return [each["backend"] for each in shown["sessions"]
                        if each["source_port"] == port]

            self.assertEqual(served(), [told["backend"]])

    def test_a_drop_is_explained(self):
        told = self.trace(self.client.v4[0], 50000, VIP4, HTTP_PORT, "--flags", "syn,fin")
        self.assertFalse(told["delivered"])
        self.assertEqual(told["drop"], "tcp_flags")
        text = self.node.cli("trace", self.client.v6[0], 50000, VIP6, 81)
        self.assertEqual(text.returncode, 1)
        self.assertIn("given to Linux", text.stdout)
        self.assertLessEqual(max(map(len, text.stdout.splitlines())), 100)

    def test_a_capture_is_read_by_tshark_and_nobody_feels_it(self):
        load = self.http(connections=32, per_connection=0, rate=300)
        load.wait_answers(50)
        usual = self.node.xdp()
        path = self.path("all")
        running = self.capture(path, "--arrives", "--leaves", "--vip", VIP4)
        wait_until(lambda: self.node.xdp() != usual, 20, "the programs that report")
        load.wait_answers(300)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 0, said)
        self.assertIn(" 0 lost", said)
        wait_until(lambda: self.node.xdp() == usual, 20, "the usual programs")
        self.assert_none_failed(load.stop(), at_least=300)

        directions = tshark(path, "-T", "fields", "-e", "frame.packet_flags_direction", "-e",
                            "ip.dst", "-e", "frame.interface_name")
        self.assertGreater(len(directions), 600)
        self.assertEqual({line.split("\t")[1] for line in directions}, {VIP4})
        self.assertEqual({line.split("\t")[2] for line in directions}, {"eth0"})
        self.assertEqual(len({line.split("\t")[0] for line in directions}), 2)
        named = tshark(path, "-Y", 'frame.comment contains "leaves: web/"')
        self.assertGreater(len(named), 300)
        self.assertEqual(tshark(path, "-Y", "_ws.malformed"), [])
        stamps = tshark(path, "-T", "fields", "-e", "frame.time_epoch")
        self.assertLess(abs(float(stamps[-1]) - time.time()), 600)

    def test_only_the_reason_asked_for(self):
        path = self.path("reason")
        running = self.capture(path, "--reason", "tcp_flags", "--count", "1", "--for", "30s")
        time.sleep(1)  # what comes before it is not asked for
        sender = ("import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 6); "
                  f"s.sendto(struct.pack('!HHIIBBHHH', 50001, {HTTP_PORT}, 1, 0, 80, 3, 100, 0, 0),"
                  f" ('{VIP4}', 0))")

        def ended():
            self.client.run("python3", "-c", sender)
            return running.poll() is not None

        wait_until(ended, 30, "one such packet")
        self.assertEqual(running.returncode, 0)
        self.assertEqual(len(tshark(path, "-Y", 'frame.comment contains "tcp_flags"')), 1)

    def test_one_at_a_time_and_one_that_is_gone_is_ended(self):
        usual = self.node.xdp()
        running = self.capture(self.path("first"))
        wait_until(lambda: self.node.xdp() != usual, 20, "the programs that report")
        refused = self.node.cli("capture", "--count", "1", "--json")
        self.assertEqual(refused.returncode, 1)
        self.assertEqual(json.loads(refused.stdout)["error"]["code"], "busy")
        running.kill()
        wait_until(lambda: self.node.xdp() == usual, 30, "the usual programs")

    def test_a_daemon_that_is_stopped_puts_the_usual_programs_back(self):
        usual = self.node.xdp()
        running = self.capture(self.path("stopped"))
        wait_until(lambda: self.node.xdp() != usual, 20, "the programs that report")
        self.assertEqual(self.node.stop(), 0)
        self.assertEqual(self.node.xdp(), usual)
        running.communicate(timeout=30)
        self.assertEqual(running.returncode, 3)

    def test_a_daemon_that_is_killed_leaves_traffic_and_the_next_one_cleans_up(self):
        load = self.http(connections=32, per_connection=0, rate=300)
        load.wait_answers(50)
        usual = self.node.xdp()
        running = self.capture(self.path("killed"))
        wait_until(lambda: self.node.xdp() != usual, 20, "the programs that report")
        reporting = self.node.xdp()
        self.node.kill()
        running.communicate(timeout=30)
        self.assertEqual(running.returncode, 3)
        tshark(self.path("killed"))  # whole as far as it goes
        load.wait_answers(100)
        self.node.start()
        self.assertNotEqual(self.node.xdp(), reporting)
        load.wait_answers(100)
        self.assert_none_failed(load.stop(), at_least=200)
        # And the next capture works.
        done = self.node.cli("capture", "--count", "0", "--for", "1s")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(self.node.cli("capture", "--for", "1s").returncode, 0)
