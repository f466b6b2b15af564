# SPDX-License-Identifier: Apache-2.0
"""What the booted machines start from, all of it Debian's: a bare tree and an archive of packages.

    build/booted/bare-KEY      Debian 12 as its installer leaves a server with the SSH server
    build/booted/archive-KEY   what `apt install` will want inside, as a repository of its own

Both are made once and kept: a machine has no way to the network, and gets a layer of its own above
the tree. Each is made beside its place and renamed when complete, so that a run that is killed
leaves nothing half made that another one would take.

As a program: `base.py [DEB…]` makes both.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
CACHE = TREE / "build" / "booted"
HOST_PACKAGES = ("mmdebstrap", "systemd-container", "dpkg-dev", "openssh-client")
SUITE = "bookworm"
# A server that one can log in to, and nothing more.
INCLUDED = ("systemd-sysv", "dbus", "iproute2", "openssh-server")
KERNEL = "linux-image-cloud-amd64"  # 6.1, with its modules and a way to boot
# What the quick start and the tests install in machines, besides our own packages.
WANTED = ("nginx", "curl")
MAKING_SECONDS = 3600  # on a machine that does much besides


class BaseError(Exception):
    """What the machines are made of could not be had."""


def run(argv, what, **options):
    """Runs a command to its end. What it said matters only when it fails."""
    done = subprocess.run(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=MAKING_SECONDS, **options)
    if done.returncode != 0:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise BaseError(f"cannot {what}; this needs the main archive of Debian 12 (bookworm), "
                        f"and the network:\n{tail}")
    return done.stdout


def install_host_packages(names=HOST_PACKAGES):
    """The tools that make and boot the machines."""
    known = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *names],
                           capture_output=True, text=True, check=False).stdout
    missing = [name for name in names if f"installed {name}" not in known.splitlines()]
    if not missing:
        return
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", NEEDRESTART_MODE="l")
    apt = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"]
    run([*apt, "update"], "read the package lists", env=environment)
    run([*apt, "install", "--no-install-recommends", *missing],
        f"install {' '.join(missing)}", env=environment)


def keyed(name, *parts):
    """The place in the cache of something that is made of these parts."""
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return CACHE / f"{name}-{digest}"


def bare_tree(kernel=False):
    """The path of the bare tree, or of one with Debian's own kernel; made when it is not there."""
    included = [*INCLUDED, KERNEL] if kernel else INCLUDED
    place = keyed("bare", SUITE, *included)
    if place.is_dir():
        return place
    install_host_packages()
    CACHE.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f"{place.name}.draft{os.getpid()}")
    print(f"making a bare Debian 12 in {place.relative_to(TREE)}; it is kept", flush=True)
    try:
        run(["mmdebstrap", "--variant=important", f"--include={','.join(included)}",
             "--aptopt=Acquire::Retries 3", "--dpkgopt=force-unsafe-io", SUITE, draft],
            "make a bare Debian 12")
        (draft / "etc/resolv.conf").unlink(missing_ok=True)
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():  # else another run was faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


def relations(deb):
    """What a package wants to have installed beside it."""
    return run(["dpkg-deb", "-f", deb, "Depends", "Pre-Depends", "Recommends"], f"read {deb}")


def archive(debs):
    """The path of a repository with all that these packages and the tests need; made when it is
    not there. Our own packages are not in it."""
    tree = bare_tree()
    wanted = {deb.name.partition("_")[0]: relations(deb) for deb in debs}
    place = keyed("archive", tree.name, *WANTED, *sorted(wanted.values()))
    if place.is_dir():
        return place
    install_host_packages()
    draft = place.with_name(f"{place.name}.draft{os.getpid()}")
    print(f"fetching packages for the machines into {place.relative_to(TREE)}; they are kept",
          flush=True)
    try:
        (draft / "partial").mkdir(parents=True)
        fetch(tree, draft, debs)
        (draft / "partial").rmdir()
        (draft / "lock").unlink(missing_ok=True)
        write_index(draft)
        try:
            draft.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


# In a mount namespace of its own, which takes the layer with it when it ends.
FETCH = """
mount -t tmpfs tmpfs "$LAYER"
mkdir "$LAYER/upper" "$LAYER/work" "$LAYER/root"
mount -t overlay -o "lowerdir=$TREE,upperdir=$LAYER/upper,workdir=$LAYER/work" overlay "$LAYER/root"
root=$LAYER/root
mkdir -p "$root/srv/fetched" "$root/srv/ours"
mount --bind "$DRAFT" "$root/srv/fetched"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
[ $# = 0 ] || cp "$@" "$root/srv/ours"
export DEBIAN_FRONTEND=noninteractive
apt="apt-get -q -y -o Acquire::Retries=3 -o APT::Sandbox::User=root"
chroot "$root" $apt update
names=$(cd "$root" && ls srv/ours/*.deb 2>/dev/null | sed 's|^|./|')
cd /
chroot "$root" sh -ec "cd /; $apt -o Dir::Cache::archives=/srv/fetched \
    install --download-only $WANTED $(echo $names)"
"""


def fetch(tree, draft, debs):
    """Lets apt in the tree say what it wants, and keeps what it downloads."""
    layer = draft / "layer"
    layer.mkdir()
    environment = dict(os.environ, LAYER=str(layer), TREE=str(tree), DRAFT=str(draft),
                       WANTED=" ".join(WANTED))
    run(["unshare", "--mount", "--propagation=private", "sh", "-ec", FETCH, "fetch", *debs],
        "fetch packages for the machines", env=environment)
    layer.rmdir()


def write_index(directory):
    """Makes a directory of packages something that apt can have as a source: file:DIR ./"""
    index = subprocess.run(["dpkg-scanpackages", "--multiversion", "."], cwd=directory,
                           capture_output=True, text=True, check=True).stdout
    (directory / "Packages").write_text(index)


if __name__ == "__main__":
    try:
        print(archive([Path(name).resolve() for name in sys.argv[1:]]))
    except BaseError as error:
        sys.exit(f"base.py: {error}")
