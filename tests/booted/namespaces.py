# SPDX-License-Identifier: Apache-2.0
"""Namespaces for a whole run: processes, mounts and network, all of which end with it.

The caller becomes a supervisor that forks the run and waits. The run is process 1 of its own: when
it ends, or this supervisor is killed by whatever signal, the kernel ends every process of it, and
with the last one go all mounts and network namespaces. What the kernel keeps are empty cgroups; the
supervisor removes them, and a later run those of one that was killed.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x08000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_PREFIX = "bascule-booted-"
# Where labs, network namespaces and systemd-nspawn keep theirs: the run has one of its own. Not the
# directories below it: one that somebody removes outside takes with it what is mounted there.
PRIVATE = "/run"

_libc = ctypes.CDLL(None, use_errno=True)


def run_apart(main):
    """Runs `main(name)` in namespaces of its own; returns its exit status, or 128 + a signal's
    number. `name` is of the run's cgroups, and unique on this machine."""
    remove_dead_cgroups()
    name = f"{CGROUP_PREFIX}{os.getpid()}"
    sys.stdout.flush()
    _unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
    child = os.fork()
    if child == 0:
        _run(main, name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    _, status = os.waitpid(child, 0)
    remove_cgroups(name)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _run(main, name):
    """The forked process: never returns."""
    status = 1
    try:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != 0:  # 0: the supervisor is there, in another namespace
            os._exit(status)
        _mount("--make-rprivate", "/")
        _mount("-t", "proc", "proc", "/proc")
        _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", PRIVATE)
        status = main(name)
    except KeyboardInterrupt:
        print("interrupted")
    except BaseException as error:  # pylint: disable=broad-except
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _unshare(flags):
    if _libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


def _mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


# ---- cgroups ----

def hierarchies():
    """Where a systemd wants to have a cgroup to begin with: one, or with both versions two."""
    return [path for path in (CGROUPS / "systemd", CGROUPS / "unified", CGROUPS)
            if (path / "cgroup.procs").exists()]


def remove_cgroups(name):
    for hierarchy in hierarchies():
        top = hierarchy / name
        # A directory goes once those below it have gone.
        for directory, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # somebody is in it still, and a later run removes it


def remove_dead_cgroups():
    """Removes those of runs whose supervisor is no more."""
    for hierarchy in hierarchies():
        for top in hierarchy.glob(CGROUP_PREFIX + "*"):
            pid = top.name.removeprefix(CGROUP_PREFIX)
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                remove_cgroups(top.name)
