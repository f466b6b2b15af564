# SPDX-License-Identifier: Apache-2.0
"""tcpdump on a port of the lab's switch: every frame that a host sends or is sent."""

import re
import signal
import struct
import subprocess

import janitor
from host import LabError, checked, stop_process, wait_until

FILE_HEADER, RECORD_HEADER = 24, 16  # bytes, of pcap


class Capture:
    """`with Capture(lab, "node1") as capture:`; the frames can be counted once it is stopped."""

    def __init__(self, lab, port, expression="ip or ip6", bytes_kept=96):
        self.path = lab.directory / f"{port}.pcap"
        self._read_up_to = FILE_HEADER
        self._messages = lab.directory / f"{port}.tcpdump"
        argv = ["nsenter", f"--net={janitor.NETNS / lab.switch}", "--", "tcpdump", "-i", port, "-n",
                # Immediately, or what came last is lost when tcpdump is stopped.
                "-p", "--immediate-mode", "-s", bytes_kept, "-B", "65536", "-U", "-Z", "root",
                "-w", self.path, expression]
        with open(self._messages, "wb") as messages:
            self._process = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL,
                                             stdout=messages, stderr=messages,
                                             start_new_session=True)
        janitor.record_process(lab.directory, self._process.pid)
        wait_until(self._ready, 20, f"tcpdump on {port}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _said(self):
        return self._messages.read_text(errors="replace")

    def _ready(self):
        if self._process.poll() is not None:
            raise LabError(f"tcpdump ended: {self._said()}")
        return "listening on" in self._said()

    def stop(self):
        """Ends the capture. LabError when frames were missed: then no count would be honest."""
        if self._process is None:
            return
        stop_process(self._process, signal.SIGINT)
        self._process = None
        missed = re.search(r"(\d+) packets? dropped by kernel", self._said())
        if missed is None or int(missed[1]) != 0:
            raise LabError(f"tcpdump missed frames: {self._said()}")

    def new_frames(self):
        """The frames that were written since the last call, while the capture goes on."""
        with open(self.path, "rb") as file:
            file.seek(self._read_up_to)
            data = file.read()
        at, frames = 0, []
        while at + RECORD_HEADER <= len(data):
            kept = struct.unpack_from("=I", data, at + 8)[0]
            if at + RECORD_HEADER + kept > len(data):
                break  # tcpdump is in the middle of it
            frames.append(data[at + RECORD_HEADER:at + RECORD_HEADER + kept])
            at += RECORD_HEADER + kept
        self._read_up_to += at
        return frames

    def count(self, expression):
        """How many of the captured frames match."""
        done = checked(["tcpdump", "-n", "--count", "-r", str(self.path), expression])
        found = re.search(r"(\d+) packets?", done.stdout + done.stderr)
        if found is None:
            raise LabError(f"tcpdump told no count: {done.stdout}{done.stderr}")
        return int(found[1])
