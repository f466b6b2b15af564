# SPDX-License-Identifier: Apache-2.0
"""Runs classes of tests in processes of their own, several at a time.

What a process said is printed in one piece when it ends, so that the lines of two do not mix. Each
has a session of its own: an interruption is handed on once, and its labs are taken away in order.
"""

import re
import subprocess
import sys
import threading

LINE = re.compile(r"^\w* +([\d.]+) s  (\S+.*)$")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
END_SECONDS = 25  # for a process that is told to end, before it is killed


def line(word, seconds, name):
    """How a test's end, or a lab's building, is told."""
    return f"{word:5}{seconds:6.1f} s  {name}"


class Crew:
    """`command` and a class's name are what a process is started with."""

    def __init__(self, command, failfast=False):
        self._command = command
        self._failfast = failfast
        self._lock = threading.Lock()
        self._running = set()
        self._over = False  # nothing more is started
        self._counts = [0, 0, 0]
        self._durations = []

    def run(self, classes, jobs):
        """`classes`: pairs of a name and whether it runs alone; those come last. Returns passed,
        failed, skipped and (seconds, name) of each. An interruption ends all of it first."""
        classes = list(classes)
        try:
            self._work([name for name, alone in classes if not alone], jobs)
            self._work([name for name, alone in classes if alone], 1)
        except KeyboardInterrupt:
            self._end()
            raise
        return *self._counts, self._durations

    def _work(self, names, workers):
        todo = iter(names)
        threads = [threading.Thread(target=self._take_turns, args=(todo,)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _take_turns(self, todo):
        while True:
            with self._lock:
                name = None if self._over else next(todo, None)
                if name is None:
                    return
                process = subprocess.Popen([*self._command, name], text=True, errors="replace",
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, start_new_session=True)
                self._running.add(process)
            said = process.communicate()[0]
            with self._lock:
                self._running.discard(process)
                self._add(name, process.returncode, said)

    def _add(self, name, status, said):
        counts = None
        for text in said.splitlines():
            counts = COUNTS.match(text)
            timed = LINE.match(text)
            if timed:
                self._durations.append((float(timed[1]), timed[2]))
            if not counts:
                print(text)
        counted = [int(number) for number in counts.groups()] if counts else [0, 0, 0]
        # It has to say how it went; that it failed, and no test did, is a failure as well.
        if not counts or (status != 0 and counted[1] == 0 and counted[0] != 0):
            print(line("FAIL", 0, f"{name}: its process ended with {status}"))
            counted[1] += 1
        self._counts = [old + new for old, new in zip(self._counts, counted)]
        self._over = self._over or (self._failfast and counted[1] > 0)
        sys.stdout.flush()

    def _end(self):
        with self._lock:
            self._over = True
            running = list(self._running)
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
