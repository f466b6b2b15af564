# SPDX-License-Identifier: Apache-2.0
"""The packages under test, and those of a later release."""

import os
import shutil
from pathlib import Path

import base

NEWER = "+newer1"  # what the later version ends with
# Edited in the later version, and by the operator: whose file stays?
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


def build_newer(output):
    """Makes the packages of a later release: built from a copy of the tree whose version is higher
    and whose configuration files have other commentary. ccache knows nearly all of it."""
    tree = base.CACHE / "newer-tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    base.run(["sh", "-ec", 'scripts/list-sources.sh "*" | tar -cf - --no-recursion -T - |'
              ' tar -xf - -C "$1"', "copy", tree], "copy the tree", cwd=base.TREE)
    for conffile in CONFFILES.values():
        with open(tree / "etc" / Path(conffile).name, "a", encoding="utf-8") as file:
            file.write("# This line came with a later version.\n")
    # Of the copy git would say that the tree ignores it.
    environment = dict(os.environ, DEB_BUILD_OPTIONS="noautodbgsym",
                       GIT_CEILING_DIRECTORIES=str(base.CACHE))
    base.run([tree / "packaging/deb/build.sh", "--version-suffix", NEWER, "--output", output,
              "--work", base.CACHE / "newer-work"], "make the later packages", env=environment)
    return in_directory(output)


def publish(debs, directory):
    """Lets packages appear in a repository, from which `apt upgrade` takes them."""
    for deb in debs:
        shutil.copy(deb, directory)
    base.write_index(directory)
