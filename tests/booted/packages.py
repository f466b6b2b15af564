# SPDX-License-Identifier: Apache-2.0
"""The packages under test, and the next version of them, as a later release would bring it."""

import re
import shutil
import subprocess
from pathlib import Path

import base

NEWER = "+newer1"  # what the next version ends with
# Edited in the next version, and by the operator: whose file stays?
CONFFILES = {"bascule": "etc/bascule/bascule.toml", "bascule-backend": "etc/bascule/backend.toml"}


def in_directory(directory):
    """Our packages in a directory, but for debug symbols, as absolute paths."""
    return sorted(path.resolve() for path in Path(directory).glob("bascule*.deb")
                  if "-dbgsym_" not in path.name)


def version(deb):
    return base.run(["dpkg-deb", "-f", deb, "Version"], f"read {deb}").strip()


def build(output):
    """Makes the packages from the tree as it is."""
    base.run([base.TREE / "packaging/deb/build.sh", "--output", output, "--work",
              base.CACHE / "package-work"], "make the packages")
    return in_directory(output)


def write_newer(debs, directory):
    """Writes the next version of each package into a directory: the same programs, with other
    commentary in the configuration files."""
    for deb in debs:
        name = deb.name.partition("_")[0]
        tree = directory / name
        base.run(["dpkg-deb", "--raw-extract", deb, tree], f"unpack {deb}")
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"^((?:Version|Depends|Suggests|Recommends):.*)$",
                                  lambda line: newer_line(line[1], version(deb)),
                                  control.read_text(), flags=re.MULTILINE))
        conffile = CONFFILES.get(name)
        if conffile is not None:
            with open(tree / conffile, "a", encoding="utf-8") as file:
                file.write("# This line came with a later version.\n")
        write_sums(tree)
        # Compressed fast rather than well.
        base.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree,
                  directory / f"{name}_{version(deb)}{NEWER}.deb"], f"pack {deb}")
        shutil.rmtree(tree)
    base.write_index(directory)


def newer_line(line, old):
    """A line of the control file, with our own version where the old one was."""
    if line.startswith("Version:"):
        return line + NEWER
    return line.replace(f"(= {old})", f"(= {old}{NEWER})")


def write_sums(tree):
    sums = tree / "DEBIAN/md5sums"
    if not sums.exists():
        return
    names = [line.split(maxsplit=1)[1] for line in sums.read_text().splitlines()]
    sums.write_text(subprocess.run(["md5sum", *names], cwd=tree, capture_output=True, text=True,
                                   check=True).stdout)
