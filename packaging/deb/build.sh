#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian packages of this tree: bascule, bascule-backend, bascule-doc and debug symbols.
#
#   packaging/deb/build.sh [--output DIR] [--work DIR] [--version-suffix SUFFIX] [--no-ccache]
#
#   --output DIR            where the packages go (default: build/deb/packages)
#   --work DIR              where they are built (default: build/deb/work); made anew, and kept: the log,
#                           and what a second build saves by ccache
#   --version-suffix SUFFIX a version above the changelog's, as "+test1"; the tree is not touched
#   --no-ccache             compile everything
#
# Built from the files that git knows or would take, as they stand. Missing packages are installed by
# apt-get, as root. The same tree and version give the same bytes, wherever and whenever they are built.
set -euo pipefail
top=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")

fail() {
    echo "build-deb: $*" >&2
    exit 1
}

output=$top/build/deb/packages work=$top/build/deb/work suffix="" use_ccache=yes
while [[ $# -gt 0 ]]; do
    case $1 in
        --output | --work | --version-suffix)
            [[ $# -ge 2 ]] || fail "$1 needs a value"
            case $1 in
                --output) output=$(realpath -m "$2") ;;
                --work) work=$(realpath -m "$2") ;;
                --version-suffix) suffix=$2 ;;
            esac
            shift 2
            ;;
        --no-ccache) use_ccache=no && shift ;;
        -h | --help) sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
        *)
            echo "build-deb: unknown option $1 (--help)" >&2
            exit 2
            ;;
    esac
done
[[ -z $suffix || $suffix =~ ^[+~][A-Za-z0-9.+~]+$ ]] || fail "a suffix looks like +test1"

# dpkg-dev itself is what the rest is found by.
command -v dpkg-checkbuilddeps >/dev/null || apt-get -q -y install --no-install-recommends dpkg-dev

source=$work/bascule
[[ ! -e $work || -e $work/.bascule-deb ]] || fail "$work is there and was not made by this script"
rm -rf "$work"
mkdir -p "$source" "$output"
touch "$work/.bascule-deb"
(cd "$top" && scripts/list-sources.sh '*' | tar -cf - --no-recursion -T -) | tar -xf - -C "$source"
mv "$source/packaging/deb/debian" "$source/debian"

changelog=$source/debian/changelog
declared=$(dpkg-parsechangelog -l "$changelog" -S Version)
cmake_version=$(sed -nE 's/^project\(bascule VERSION ([0-9.]+).*/\1/p' "$source/CMakeLists.txt")
[[ $declared == "$cmake_version" || $declared == "$cmake_version"[+~]* ]] ||
    fail "the changelog says $declared, CMakeLists.txt $cmake_version: they have to agree"
if [[ -n $suffix ]]; then
    entry=$(mktemp)
    {
        sed -E "1s/\([^)]*\)/($declared$suffix)/;2,/^ -- /{/^  \*/,/^$/d}" "$changelog" |
            sed -n '1,/^ -- /p' | sed -E "2a\\  * Built with a version suffix.\\n"
        echo
        cat "$changelog"
    } >"$entry"
    cat "$entry" >"$changelog"
    rm -f "$entry"
fi

cd "$source"
if ! missing=$(dpkg-checkbuilddeps 2>&1); then
    [[ $EUID -eq 0 ]] || fail "as root they would be installed: $missing"
    # The cloak of install-deps.sh is not needed: nothing in here has a service.
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends \
        build-dep ./ >"$work/apt.log" 2>&1 </dev/null ||
        { tail -n 20 "$work/apt.log" >&2 && fail "cannot install build dependencies (apt-get update?)"; }
fi

# Paths are relative to the source in all that is compiled, so what ccache has from another directory
# is what the compiler would make in this one.
export CCACHE_BASEDIR=$source CCACHE_NOHASHDIR=1
# debhelper gives each build a home of its own, and with it a cache that ends with the build.
command -v ccache >/dev/null && export CCACHE_DIR=${CCACHE_DIR:-$(ccache --get-config cache_dir)}
[[ $use_ccache == yes ]] || export CCACHE_DISABLE=1
# As in scripts/build.sh: memory may allow fewer jobs than there are CPUs.
jobs=$(nproc)
by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
((by_memory >= jobs)) || jobs=$((by_memory > 0 ? by_memory : 1))

export LC_ALL=C.UTF-8 TZ=UTC
umask 022
if ! dpkg-buildpackage -b -us -uc -j"$jobs" >"$work/build.log" 2>&1 </dev/null; then
    tail -n 40 "$work/build.log" >&2
    fail "dpkg-buildpackage failed; all it said: $work/build.log"
fi
rm -f "$output"/bascule*.{deb,buildinfo,changes}
mv "$work"/*.deb "$work"/*.buildinfo "$work"/*.changes "$output"
(cd "$output" && ls -1 ./*.deb | sed "s|^\./|$output/|")
