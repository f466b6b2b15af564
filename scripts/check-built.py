#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every C++ file of the tree is compiled by some target: a test that is not built never fails.

    check-built.py [--build DIR]

The fuzz targets are left out: they are built by clang's preset alone; and scripts/, whose plug-in
check-tidy.py builds.
Status: 0 all are built, 1 some are not, 2 cannot run.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    build = parser.parse_args().build
    try:
        entries = json.loads((build / "compile_commands.json").read_text())
    except OSError as error:
        print(f"check-built: {error}: build first (scripts/build.sh)", file=sys.stderr)
        return 2
    built = {Path(entry["directory"], entry["file"]).resolve() for entry in entries}
    listed = subprocess.run([ROOT / "scripts" / "list-sources.sh", "*.cpp"], check=True,
                            capture_output=True, text=True).stdout.split("\n")
    sources = [name for name in listed if name
               and not name.startswith(("tests/fuzz/", "scripts/"))]
    missing = [name for name in sources if (ROOT / name).resolve() not in built]
    for name in missing:
        print(f"{name}:1: no target compiles this file")
    print(f"built: {len(sources)} C++ files, {len(missing)} left out")
    return 1 if missing or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
