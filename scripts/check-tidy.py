#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy over our own C++ files and remembers which were clean.

    check-tidy.py [--analyze] [--build DIR] [-j N] [FILE…]

The flags come from compile_commands.json of a configured and built directory (generated headers
must exist). A file is looked at again only if it, a header of ours that it reaches, its flags, the
configuration or clang-tidy itself has changed; what was clean is kept in build/tidy-cache by the
hash of all these. A plug-in, scripts/tidy/own_code.cpp, keeps the checks out of system headers:
that makes them three times as fast. Tests are left out: GoogleTest's macros cost minutes and say
nothing about the product. With --analyze the static analyzer runs instead, over the files that
reach no coroutine: it takes those for undefined behaviour. Status: 0 clean, 1 findings, 2 cannot
run.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("base", "model", "dataplane", "health", "sync", "control", "node", "cli", "backend",
           "bench")
CLANG_TIDY = "clang-tidy-14"
# Generated skeletons are C that allocates; our code does not call malloc.
ANALYZER = ("-*,clang-analyzer-*,-clang-analyzer-unix.Malloc,"
            "-clang-analyzer-optin.performance.Padding")
PLUGIN = ROOT / "scripts" / "tidy" / "own_code.cpp"
PLUGIN_CHECK = "bascule-own-code"
LLVM_INCLUDE = Path("/usr/lib/llvm-14/include")
SECONDS_A_FILE = 300
KEEP = 2000  # entries in the cache
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.M)


def die(text):
    print(f"check-tidy: {text}", file=sys.stderr)
    sys.exit(2)


def commands_of(build, wanted):
    """Our files -> how they are compiled, which may be in several ways."""
    database = build / "compile_commands.json"
    try:
        entries = json.loads(database.read_text())
    except OSError as error:
        die(f"cannot read {database}: {error.strerror}: build first (scripts/build.sh)")
    found = {}
    for entry in entries:
        file = Path(entry["directory"], entry["file"]).resolve()
        if not file.is_relative_to(ROOT) or file.suffix != ".cpp":
            continue
        relative = file.relative_to(ROOT)
        if relative.parts[0] in FOLDERS and (not wanted or relative in wanted):
            found.setdefault(relative, []).append(for_clang(entry))
    return found


def for_clang(entry):
    """The entry without GCC's precompiled header, which clang cannot read."""
    words = shlex.split(entry["command"]) if "command" in entry else entry["arguments"]
    kept = []
    for word in words:
        if word.endswith("/cmake_pch.hxx") and kept and kept[-1] == "-include":
            kept.pop()
        elif word != "-Winvalid-pch":
            kept.append(word)
    return {"directory": entry["directory"], "file": entry["file"], "arguments": kept}


class Hasher:
    """The hash of all that decides what clang-tidy says about a file."""

    def __init__(self, build, options):
        self.places = [ROOT, build / "generated", *sorted(build.glob("*/skeleton"))]
        self.headers = {}  # path -> (digest of its text, headers of ours that it includes)
        version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, check=True).stdout
        self.common = (version + (ROOT / ".clang-tidy").read_bytes() + PLUGIN.read_bytes()
                       + " ".join(options).encode())

    def of(self, file, entries):
        digest = hashlib.sha256(self.common)
        digest.update(json.dumps(entries).encode())
        for path in sorted(self.reach(ROOT / file)):
            digest.update(str(path).encode())
            digest.update(self.read(path)[0])
        return digest.hexdigest()

    def has_coroutines(self, file):
        return any(b"boost/asio" in path.read_bytes() for path in self.reach(ROOT / file))

    def reach(self, start):
        seen, todo = {start}, [start]
        while todo:
            for path in self.read(todo.pop())[1] - seen:
                seen.add(path)
                todo.append(path)
        return seen

    def read(self, path):
        if path not in self.headers:
            text = path.read_bytes()
            included = set()
            for name in INCLUDE.findall(text.decode(errors="replace")):
                for place in (path.parent, *self.places):
                    if (place / name).is_file():
                        included.add((place / name).resolve())
                        break
            self.headers[path] = (hashlib.sha256(text).digest(), included)
        return self.headers[path]


def own_code_plugin():
    """Builds the plug-in if it is not there or older than its source. Returns clang-tidy's options
    for it."""
    made = ROOT / "build" / "tidy-own-code.so"
    if not made.exists() or made.stat().st_mtime <= PLUGIN.stat().st_mtime:
        if not (LLVM_INCLUDE / "clang-tidy").is_dir():
            die(f"no {LLVM_INCLUDE}/clang-tidy: run sudo scripts/install-deps.sh")
        draft = made.with_name(f"{made.name}.{os.getpid()}")
        done = subprocess.run(["g++", "-std=c++17", "-O1", "-fPIC", "-shared", "-isystem",
                               LLVM_INCLUDE, "-o", draft, PLUGIN], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            die(f"cannot build {PLUGIN.relative_to(ROOT)}:\n{done.stderr}")
        draft.rename(made)
    options = [f"--load={made}", f"--checks={PLUGIN_CHECK}"]
    listed = subprocess.run([CLANG_TIDY, *options, "--list-checks"], capture_output=True, text=True,
                            check=False, cwd=ROOT)
    if PLUGIN_CHECK not in listed.stdout:
        die(f"{CLANG_TIDY} does not take {made}: {listed.stderr.strip()}")
    return options


def tidy(database, options, file):
    """Returns what clang-tidy found, or "" if nothing."""
    try:
        command = [CLANG_TIDY, "--quiet", *options, "-p", str(database), str(ROOT / file)]
        done = subprocess.run(command,
                              cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_A_FILE,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"{file}: clang-tidy took more than {SECONDS_A_FILE} s"
    if done.returncode == 0:
        return ""
    return done.stdout.replace(f"{ROOT}/", "") or done.stderr


def forget_old(cache):
    entries = sorted(cache.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in entries[:-KEEP]:
        path.unlink(missing_ok=True)


def changed_files():
    """Files without their suffix, so that a header brings its source; None where history ends."""
    said = subprocess.run(["git", "diff", "--name-only", "HEAD~1"], cwd=ROOT, text=True,
                          capture_output=True, check=False)
    if said.returncode != 0:
        return None
    return {Path(line).with_suffix("") for line in said.stdout.splitlines()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--analyze", action="store_true", help="the static analyzer instead")
    parser.add_argument("--changed", action="store_true",
                        help="only what differs from the commit before the last")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release",
                        help="a built directory (default: build/release)")
    parser.add_argument("-j", "--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("files", nargs="*", type=Path, help="only these (default: all of ours)")
    arguments = parser.parse_args()

    if not shutil.which(CLANG_TIDY):
        die(f"no {CLANG_TIDY}: run sudo scripts/install-deps.sh")
    build = arguments.build.resolve()
    wanted = {file.resolve().relative_to(ROOT) for file in arguments.files}
    strange = sorted(file for file in wanted if file.parts[0] not in FOLDERS)
    if strange:
        die(f"looks at the product's own files only, not at {', '.join(map(str, strange))}")
    commands = commands_of(build, wanted)
    if arguments.changed:
        changed = changed_files()
        commands = {file: entries for file, entries in commands.items()
                    if changed is None or file.with_suffix("") in changed}
        if not commands:
            print("tidy: no file differs from the commit before the last")
            return 0
    missing = wanted - set(commands)
    if missing or not commands:
        die(f"not in {build}/compile_commands.json: {', '.join(map(str, missing)) or 'any file'}")

    began = time.monotonic()
    cache = ROOT / "build" / "tidy-cache"
    cache.mkdir(parents=True, exist_ok=True)
    options = [f"--checks={ANALYZER}"] if arguments.analyze else own_code_plugin()
    hasher = Hasher(build, options)
    if arguments.analyze:
        commands = {file: entries for file, entries in commands.items()
                    if not hasher.has_coroutines(file)}
    keys = {file: hasher.of(file, entries) for file, entries in commands.items()}
    todo = [file for file, key in keys.items() if not (cache / key).exists()]
    for file in keys.keys() - set(todo):
        (cache / keys[file]).touch()  # used: not to be forgotten
    # The largest first, so that none is left alone at the end.
    todo.sort(key=lambda file: -(ROOT / file).stat().st_size)

    database = build / "tidy"
    database.mkdir(exist_ok=True)
    (database / "compile_commands.json").write_text(
        json.dumps([entry for entries in commands.values() for entry in entries]))

    bad = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, arguments.jobs)) as pool:
        for file, findings in zip(todo, pool.map(lambda file: tidy(database, options, file), todo)):
            if findings:
                bad += 1
                print(findings.rstrip(), flush=True)
            else:
                (cache / keys[file]).touch()
    forget_old(cache)
    print(f"{'analyzer' if arguments.analyze else 'tidy'}: {len(commands)} files, "
          f"{len(commands) - len(todo)} unchanged since they were clean, {bad} with findings, "
          f"{time.monotonic() - began:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
