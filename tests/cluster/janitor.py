# SPDX-License-Identifier: Apache-2.0
"""What a lab leaves on a machine, and how all of it goes away again.

A lab is one directory below /run/bascule-lab. Its name is the prefix of the lab's network
namespaces; the file `owner` names the process that the lab belongs to, and `processes` everything
that was started for it, each as "pid start-time": a number alone may belong to a stranger by now.

Invariant: the directory is made before anything else and removed after everything else, so whoever
finds it (the owner, the guardian, `lab.py --clean`) can finish the clean-up; doing so twice is
harmless.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path("/run/bascule-lab")
NETNS = Path("/run/netns")
KILL_ROUNDS = 100
KILL_PAUSE = 0.05


def start_time(pid):
    """Clock tick at which process `pid` started; None when it is gone or only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name may hold blanks and parentheses: fields are counted from the last one.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def identity(pid):
    return f"{pid} {start_time(pid)}"


def is_alive(line):
    """Whether the process of a line "pid start-time" still runs."""
    try:
        pid, started = (int(word) for word in line.split())
    except ValueError:
        return False
    return start_time(pid) == started


def record_process(directory, pid):
    with open(directory / "processes", "a", encoding="ascii") as file:
        file.write(identity(pid) + "\n")


def namespaces(prefix):
    """Names of the namespaces that exist of the lab `prefix`."""
    try:
        return sorted(name for name in os.listdir(NETNS) if name.startswith(prefix + "-"))
    except FileNotFoundError:
        return []


def mounts(directory):
    """Mount points below `directory`, the innermost first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4]
        if point.startswith(f"{directory}/"):
            found.append(point)
    return found[::-1]


def processes(directory):
    """Pids of the lab that run: the recorded ones, and whoever lives in its namespaces."""
    found = set()
    try:
        lines = (directory / "processes").read_text().splitlines()
    except OSError:
        lines = []
    found.update(int(line.split()[0]) for line in lines if is_alive(line))

    inodes = set()
    for name in namespaces(directory.name):
        try:
            inodes.add(os.stat(NETNS / name).st_ino)
        except OSError:
            pass  # deleted meanwhile
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.stat(f"/proc/{entry}/ns/net").st_ino in inodes and start_time(entry):
                found.add(int(entry))
        except OSError:
            pass  # ended meanwhile
    found.discard(os.getpid())
    return found


def leftovers(directory):
    """What is still there of a lab, as lines for a human; empty when it left nothing."""
    found = [f"process {pid}" for pid in sorted(processes(directory))]
    found += [f"mount {point}" for point in mounts(directory)]
    found += [f"namespace {name}" for name in namespaces(directory.name)]
    if directory.exists():
        found.append(f"directory {directory}")
    return found


def quiet(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode


def clean(directory):
    """Takes a lab away: processes, then mounts, namespaces and files. Returns what is left."""
    for _ in range(KILL_ROUNDS):
        pids = processes(directory)
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(KILL_PAUSE)
    for point in mounts(directory):
        if quiet("umount", point) != 0:
            quiet("umount", "-l", point)
    for name in namespaces(directory.name):
        quiet("ip", "netns", "del", name)
    # `owner` goes last: a clean-up that is cut short here must still be found.
    shutil.rmtree(directory, ignore_errors=True)
    try:
        ROOT.rmdir()
    except OSError:
        pass  # other labs live here
    return leftovers(directory)


def labs():
    """Directories of all labs, with whether their owner still lives."""
    if not ROOT.is_dir():
        return []
    found = []
    for directory in sorted(ROOT.iterdir()):
        try:
            owner = (directory / "owner").read_text()
        except OSError:
            owner = ""
        found.append((directory, is_alive(owner)))
    return found


def clean_stale():
    """Removes what labs without an owner left. Returns lines for a human and whether all went."""
    lines, complete = [], True
    for directory, alive in labs():
        if alive:
            lines.append(f"{directory.name}: in use, left alone")
            continue
        left = clean(directory)
        complete = complete and not left
        outcome = "left: " + ", ".join(left) if left else "removed"
        lines.append(f"{directory.name}: {outcome}")
    return lines, complete


def start_guardian(directory):
    """Starts the process that cleans up when this one dies, even by SIGKILL.

    Returns the pipe's end that keeps it waiting. It must stay closed to children, or they would
    keep the guardian waiting after the owner's death (Python opens descriptors so by default).
    """
    read_end, write_end = os.pipe()
    starter = subprocess.Popen([sys.executable, __file__, "guard", str(directory)],
                               stdin=read_end, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(read_end)
    # The guardian is its child: nobody who kills our children by tree finds it.
    starter.wait(timeout=30)
    return write_end


def guard(directory):
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    (directory / "guardian").write_text(identity(os.getpid()))
    while os.read(0, 1):
        pass
    if directory.exists():
        clean(directory)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "guard":
        sys.exit("usage: janitor.py guard DIRECTORY (started by lab.py)")
    guard(Path(sys.argv[2]))
