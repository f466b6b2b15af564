#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian packages and checks them as Debian would: lintian, the same bytes from another place
# without ccache, the units' exposure, a minimal Debian 12 that they are installed in, removed and purged
# from by apt, piuparts, autopkgtest.
#
#   packaging/deb/check.sh [--packages DIR] [--quick]
#
#   --packages DIR   checks the packages that are there, instead of building; no second build then
#   --quick          leaves out the second build, which compiles everything, and piuparts
#
# Needs root, and the main archive of Debian 12 by apt. A minimal Debian is kept in build/deb/minbase.tar;
# what each step said is in build/deb/check/. Ends with "N passed, N failed, N skipped".
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
top=$(dirname "$(dirname "$here")")
packages="" quick=no

while [[ $# -gt 0 ]]; do
    case $1 in
        --packages) packages=$(realpath "${2:?check-deb: --packages needs a directory}") && shift 2 ;;
        --quick) quick=yes && shift ;;
        -h | --help) sed -n '3,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" && exit 0 ;;
        *)
            echo "check-deb: unknown option $1 (--help)" >&2
            exit 2
            ;;
    esac
done
[[ $EUID -eq 0 ]] || {
    echo "check-deb: needs root" >&2
    exit 2
}

logs=$top/build/deb/check
base=$top/build/deb/minbase.tar
mkdir -p "$logs"
work=$(mktemp -d /var/tmp/bascule-deb.XXXXXX)
cleanup() {
    local place
    while read -r place; do umount -l "$place" 2>/dev/null || true; done \
        < <(awk -v work="$work/" 'index($2, work) == 1 { print $2 }' /proc/mounts | sort -r)
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

# step NAME COMMAND…: what was said last stands behind a failure. Not to be called where bash forgets
# `set -e`, as in a condition: whether it went well is in $well.
step() {
    local name=$1 log status began=$SECONDS took
    log=$logs/${1// /-}.log
    shift
    set +e
    (
        set -e
        "$@"
    ) >"$log" 2>&1 </dev/null
    status=$?
    set -e
    well=no took=$((SECONDS - began))
    case $status in
        0) well=yes passed=$((passed + 1)) && echo "ok    $name, $took s" ;;
        77) skipped=$((skipped + 1)) && echo "skip  $name: $(tail -n 1 "$log")" ;;
        *)
            failed=$((failed + 1))
            echo "FAIL  $name, $took s ($log)"
            tail -n 15 "$log" | sed 's/^/      /'
            ;;
    esac
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [[ $failed -eq 0 && $passed -gt 0 ]]
    exit
}

install_tools() {
    local tools=(lintian piuparts autopkgtest mmdebstrap dpkg-dev systemd) missing=() tool
    for tool in "${tools[@]}"; do
        dpkg-query -W -f '${db:Status-Status}' "$tool" 2>/dev/null | grep -qx installed || missing+=("$tool")
    done
    [[ ${#missing[@]} -eq 0 ]] || DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}"
}

run_lintian() {
    lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$packages"/*.changes
}

same_bytes() {
    "$here/build.sh" --no-ccache --work "$work/elsewhere" --output "$work/again"
    local deb status=0
    for deb in "$packages"/*.deb; do
        cmp "$deb" "$work/again/${deb##*/}" || status=1
    done
    return $status
}

# The helper may do more: becoming other users and giving priorities is what it is for, and no packet
# reaches it.
exposure() {
    local unit said limit status=0
    dpkg-deb -x "$packages"/bascule_*.deb "$work/units"
    dpkg-deb -x "$packages"/bascule-backend_*.deb "$work/units"
    for unit in "$work"/units/lib/systemd/system/*.service; do
        [[ ! -L $unit ]] || continue
        limit=2.5
        [[ $unit != */bascule-helper.service ]] || limit=3.0
        said=$(systemd-analyze security --offline=true --no-pager "$unit" | sed -n 's/.*: \([0-9.]*\) .*/\1/p' | tail -n 1)
        echo "${unit##*/}: ${said:-nothing was said}, at most $limit"
        awk -v said="${said:-99}" -v limit="$limit" 'BEGIN { exit !(said <= limit) }' || status=1
    done
    return $status
}

make_base() {
    [[ ! -e $base || -n $(find "$base" -mtime +7) ]] || return 0
    mmdebstrap --variant=minbase bookworm "$work/base.tar"
    mv "$work/base.tar" "$base"
}

# Everything in the tree but what changes by itself: caches, logs, dpkg's and apt's own state.
files_of() {
    (cd "$1" && find . -xdev \( -path ./var/cache -o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg \
        -o -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./packages \) -prune -o -print) | sort
}

# unpack_base DIR: a minimal Debian with /proc, and no services that start.
unpack_base() {
    mkdir "$1"
    # A place that is mounted, as a root is: `ip netns` wants it.
    mount --bind "$1" "$1"
    tar -xf "$base" -C "$1"
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$1/etc/resolv.conf" 2>/dev/null || true
    mkdir "$1/packages"
    cp "$packages"/*.deb "$1/packages"
    rm -f "$1"/packages/*dbgsym*
    mount -t proc proc "$1/proc"
    chroot "$1" apt-get -q update
}

in_chroot() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }

minbase() {
    root=$work/minbase
    unpack_base "$root"
    # What they depend on, and systemd, stays when they go: only what is theirs is looked for.
    in_chroot sh -c 'cd /packages && apt-get -q -y --no-install-recommends --download-only install ./*.deb'
    in_chroot sh -c 'cd /packages && for deb in *.deb; do dpkg-deb -f $deb Depends; done | tr , "\n" |
        sed "s/^ *//; s/ .*//" | grep -v "^bascule" | sort -u | xargs apt-get -q -y --no-install-recommends install'
    files_of "$root" >"$work/before"

    in_chroot sh -c 'cd /packages && apt-get -q -y --no-install-recommends install ./*.deb' | tee "$work/said"
    grep -q 'systemctl enable --now basculed' "$work/said"
    in_chroot sh -e -c 'bascule --version; basculed --version; bascule-backend --version; basculed --check
        getent group bascule'
    [[ ! -e $root/etc/systemd/system/multi-user.target.wants/basculed.service ]]
    [[ ! -e $root/run/bascule && ! -e $root/var/lib/bascule ]]

    # As an operator and a daemon leave it.
    in_chroot bascule keygen
    echo '# edited' >>"$root/etc/bascule/bascule.toml"
    echo '# another' >"$root/etc/bascule/conf.d/own.toml"
    mkdir -p "$root/var/lib/bascule" "$root/run/bascule" "$root/run/bascule-backend"
    echo 1 >"$root/var/lib/bascule/epoch"
    [[ $(stat -c %a "$root/etc/bascule/cluster.key") == 600 ]]

    echo "== again: an edited file is left alone"
    in_chroot sh -c 'cd /packages && apt-get -q -y --reinstall install ./*.deb'
    grep -q '^# edited' "$root/etc/bascule/bascule.toml"

    echo "== remove"
    in_chroot apt-get -q -y remove bascule bascule-backend bascule-doc
    [[ -e $root/etc/bascule/cluster.key && -e $root/var/lib/bascule/epoch && ! -e $root/usr/sbin/basculed ]]

    echo "== purge"
    in_chroot apt-get -q -y purge bascule bascule-backend bascule-doc
    files_of "$root" >"$work/after"
    echo "== files that are left, or gone, since before the installation:"
    diff "$work/before" "$work/after"
}

run_piuparts() {
    gzip -1 <"$base" >"$work/base.tar.gz"
    local debs=("$packages"/bascule_*.deb "$packages"/bascule-backend_*.deb "$packages"/bascule-doc_*.deb)
    piuparts -d bookworm --basetgz="$work/base.tar.gz" --no-eatmydata --no-adequate \
        --warn-on-leftovers-after-purge "${debs[@]}"
}

run_autopkgtest() {
    root=$work/testbed
    unpack_base "$root"
    mount -t sysfs sys "$root/sys"
    mount --rbind /dev "$root/dev"
    # The tests' own tree, as a source package would bring it.
    mkdir -p "$work/tree"
    cp -r "$here/debian" "$work/tree/debian"
    local status=0
    autopkgtest -B "$packages"/bascule_*.deb "$packages"/bascule-backend_*.deb "$packages"/bascule-doc_*.deb \
        "$work/tree/" -- chroot "$root" || status=$?
    # 2: nothing failed, and some test was skipped.
    [[ $status -ne 2 ]] || return 77
    return $status
}

# Mounts of a step end with it.
if [[ ${BASCULE_DEB_APART:-} != yes ]]; then
    rm -rf "$work"
    BASCULE_DEB_APART=yes exec unshare --mount --propagation private "$0" \
        ${packages:+--packages "$packages"} $([[ $quick == no ]] || echo --quick)
fi

step "tools" install_tools
[[ $well == yes ]] || finish
if [[ -z $packages ]]; then
    packages=$top/build/deb/packages
    step "build" "$here/build.sh" --output "$packages"
    [[ $well == yes ]] || finish
    [[ $quick == yes ]] || step "same bytes" same_bytes
fi
step "lintian" run_lintian
step "exposure" exposure
step "minimal Debian" make_base
[[ $well == yes ]] || finish
step "install remove purge" minbase
step "autopkgtest" run_autopkgtest
[[ $quick == yes ]] || step "piuparts" run_piuparts
finish
