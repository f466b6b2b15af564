#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The oldest kernel that is supported, Debian 12's 6.1, takes the BPF objects, and tests of the
# engine pass on it: in an emulated machine, whatever kernel this one runs, with or without KVM.
#
#   tests/kernel/oldest.sh [BUILD]      default: build/release, which has to be built
#
# What is not there yet it gets from Debian: the emulator is installed (needs root), the kernel is
# only unpacked, and kept in build/kernel. Prints "N passed, N failed, N skipped" as its last line,
# and ends with 0 only if something passed, nothing failed, and the guest came to its end.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
exec </dev/null

packages=(qemu-system-x86 busybox-static cpio)
kernels=build/kernel
# Emulated, the verifier takes some 10 s each time the director is loaded, and every test takes
# twenty times as long as elsewhere; on a busy machine more.
limit=2400

# PROGRAM FILTER: tests that say something about the kernel. Not among them are the floods, which
# would take hours here, and most of the takeovers, each of which loads the director again. Bonds and
# VLANs are here because not every kernel that runs the tests has them.
tests() {
    cat <<'TABLE'
bpf_packets *
bpf_sessions Families/Sessions.*
unit_dataplane_kernel KernelClock.*:AttachmentTest.NativeOnVeth:AttachmentTest.SurvivesCloseAndIsSwappedInPlace
unit_base InterfaceIndex*
unit_node Notices.AVlan*:Notices.ABond*
unit_sync WireTest.OfABond*
TABLE
}

fail() {
    echo "oldest: $*" >&2
    exit 1
}
if [[ $# -gt 1 || ${1:-} == -* ]]; then
    echo "usage: tests/kernel/oldest.sh [BUILD]" >&2
    exit 2
fi
build=${1:-build/release}
[[ $(uname -m) == x86_64 ]] || fail "this is for amd64"

work=$(mktemp -d "${TMPDIR:-/tmp}/bascule-oldest.XXXXXX")
guest=
cleanup() {
    [[ -z $guest ]] || { kill -TERM "$guest" && wait "$guest"; } 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
log=$work/apt.log

# quietly WHAT COMMAND…: what it said matters only when it fails.
quietly() {
    local what=$1
    shift
    "$@" >"$log" 2>&1 && return
    tail -n 20 "$log" | sed 's/^/    /' >&2
    fail "cannot $what; this needs the main archive of Debian 12 (bookworm), and the network"
}

apt() { apt-get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"; }

install_missing() {
    local package missing=() states
    states=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
    for package in "${packages[@]}"; do
        grep -qx "installed $package" <<<"$states" || missing+=("$package")
    done
    [[ ${#missing[@]} -gt 0 ]] || return 0
    [[ $EUID -eq 0 ]] || fail "missing: ${missing[*]}; run this as root to have them installed"
    export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
    quietly "read the package lists" apt update
    quietly "install ${missing[*]}" apt install --no-install-recommends "${missing[@]}"
}

# Name of the package with the newest 6.1 kernel that apt knows; nothing when it knows none.
newest_kernel() {
    apt-cache depends --no-recommends linux-image-cloud-amd64 2>/dev/null |
        sed -nE 's/^ *Depends: (linux-image-6\.1\.0-[0-9]+-cloud-amd64)$/\1/p' | tail -n 1
}

# Sets `deb`. A kernel that is there already serves when none can be had.
get_kernel() {
    local name have
    mkdir -p "$kernels"
    have=$(find "$kernels" -maxdepth 1 -name 'linux-image-6.1.0-*.deb' | sort -V | tail -n 1)
    name=$(newest_kernel)
    if [[ -z $name && -z $have ]]; then
        [[ $EUID -eq 0 ]] || fail "apt knows no 6.1 kernel: apt-get update, then once more"
        quietly "read the package lists" apt update
        name=$(newest_kernel)
        [[ -n $name ]] || fail "Debian 12's archive is not among the apt sources: no 6.1 kernel"
    fi
    deb=$have
    [[ -n $name && ${have##*/} != "$name"_* ]] || return 0
    # Under its own name only once it is complete: another run may be here at the same time.
    mkdir "$work/download"
    if (cd "$work/download" && apt download "$name") >"$log" 2>&1; then
        deb=$kernels/$(basename "$work"/download/*.deb)
        mv "$work"/download/*.deb "$deb.$$"
        mv "$deb.$$" "$deb"
    elif [[ -n $have ]]; then
        echo "oldest: cannot download $name; taking ${have##*/}"
    else
        quietly "download $name" false
    fi
}

# put FILE [PATH]: into the guest, with the shared libraries it needs.
put() {
    local library
    install -D -m 755 "$1" "$root/${2:-$1}"
    while IFS= read -r library; do
        [[ -e $root/$library ]] || install -D -m 755 "$library" "$root/$library"
    done < <(ldd "$1" 2>/dev/null | sed -nE 's|^.*[[:space:]](/[^ ]+) \(0x[0-9a-f]+\)$|\1|p')
}

make_guest() {
    local program filter object bpftool
    root=$work/guest
    mkdir -p "$root"/{bin,dev,proc,sys,tmp,mnt,objects} "$work/kernel"
    dpkg-deb --fsys-tarfile "$deb" |
        tar -x -C "$work/kernel" --wildcards './boot/vmlinuz-*' '*/drivers/net/veth.ko' \
            '*/drivers/net/bonding/*.ko' '*/net/8021q/*.ko' '*/net/802/*.ko' '*/net/llc/llc.ko' \
            '*/net/tls/*.ko' ||
        fail "$deb has not the kernel in it that was expected"
    cp -r "$work/kernel/lib" "$root/"

    put /bin/busybox
    # Not busybox's: that one takes its own ip for the word, and knows no veth pairs.
    put "$(readlink -f /bin/sh)" /bin/sh
    # bpftool is in sbin, which is not in everybody's PATH.
    bpftool=$(PATH=$PATH:/usr/sbin:/sbin command -v bpftool) ||
        fail "no bpftool: scripts/install-deps.sh"
    put "$bpftool" /bin/bpftool
    put "$(PATH=$PATH:/usr/sbin:/sbin command -v ip)" /bin/ip
    for object in "$build"/bpf/*.bpf.o "$build"/backend/*.bpf.o; do
        [[ -e $object ]] || fail "no BPF objects in $build: scripts/build.sh"
        cp "$object" "$root/objects/"
    done
    while read -r program filter; do
        [[ -x $build/bin/$program ]] || fail "no $build/bin/$program: scripts/build.sh"
        strip --strip-debug -o "$work/$program" "$build/bin/$program"
        put "$work/$program" "/bin/$program"
        printf "run %s '%s'\n" "$program" "$filter"
    done < <(tests) >"$root/tests"
    write_init >"$root/init"
    chmod 755 "$root/init"
    (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/initramfs"
}

# The guest's first process. What it says to the host begins with "@".
write_init() {
    cat <<'GUEST'
#!/bin/busybox sh
export PATH=/bin:/applets
/bin/busybox mkdir /applets
/bin/busybox --install -s /applets
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
exec >/dev/ttyS1 2>&1
echo "@ kernel $(uname -r)"
depmod
for module in veth 8021q bonding; do
    modprobe "$module"
done
ip link set lo up

# Loads an object, and says how large its program is.
load() {
    mount -t bpf bpf /mnt
    if bpftool prog load "$1" /mnt/program; then
        size=$(bpftool prog show pinned /mnt/program | grep -o 'xlated.*B  jited [0-9]*B')
        echo "@ object loaded $(basename "$1"), $size"
    else
        echo "@ object refused $(basename "$1")"
    fi
    umount /mnt
}
run() {
    echo "@ program $1"
    "/bin/$1" --gtest_color=no --gtest_filter="$2"
    echo "@ ended $?"
}
for object in /objects/*.bpf.o; do
    load "$object"
done
. /tests
complaints=$(dmesg | grep -cE 'WARNING:|BUG:|Oops|Call Trace')
[ "$complaints" = 0 ] || dmesg | tail -n 100
echo "@ complaints $complaints"
echo "@ done"
poweroff -f
GUEST
}

# Serial line 0 is the kernel's, 1 the tests'. Without a network card there is nothing to reach.
boot() {
    local status=0
    setpriv --pdeathsig TERM timeout --kill-after=10 "$limit" qemu-system-x86_64 \
        -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -no-user-config -display none \
        -no-reboot -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/initramfs" \
        -append "console=ttyS0 quiet panic=-1 oops=panic nowatchdog" \
        -serial "file:$work/console" -serial "file:$work/said" >"$work/qemu" 2>&1 &
    guest=$!
    wait $guest || status=$?
    guest=
    [[ $status -ne 124 ]] || echo "oldest: the guest took more than $limit s"
    touch "$work/said" "$work/console"
    tr -d '\r' <"$work/said" >"$work/output"
}

# Prints a line for each object and program; last "PASSED FAILED SKIPPED". A program that ended badly
# without a failed test of its own, or that did not run what it announced, is one failure more.
count() {
    awk '
        function close_program() {
            if (program == "") return
            amiss = failed == 0 && (status != "0" || passed == 0 || passed + skipped != ran)
            printf "%s: %d passed, %d failed, %d skipped%s\n", program, passed, failed, skipped,
                amiss ? ", and ended with " (status == "" ? "nothing" : status) : ""
            all_passed += passed; all_failed += failed + amiss; all_skipped += skipped
            program = ""
        }
        /^@ kernel / { print "kernel " $3 }
        /^@ object / { print substr($0, 10); if ($3 == "loaded") all_passed++; else all_failed++ }
        /^@ program / { program = $3; passed = failed = skipped = ran = 0; status = "" }
        /^@ ended / { status = $3; close_program() }
        /^@ complaints / && $3 != 0 { print "the kernel complained " $3 " times"; all_failed++ }
        /^@ done$/ { done = 1 }
        /^\[==========\] .* ran\./ { ran = $2 }
        /^\[       OK \] .* ms\)$/ { passed++ }
        /^\[  FAILED  \] .* ms\)$/ { failed++; print }
        /^\[  SKIPPED \] .* ms\)$/ { skipped++; print }
        END {
            close_program()
            if (!done) { print "the guest did not come to its end"; all_failed++ }
            print all_passed + 0, all_failed + 0, all_skipped + 0
        }' "$work/output"
}

report() {
    local result passed failed skipped
    result=$(count)
    read -r passed failed skipped <<<"${result##*$'\n'}"
    if ((failed > 0)); then
        grep -vE '^\[( RUN      |       OK |-+)\]' "$work/output" | tail -n 120 || true
        tail -n 20 "$work/console" "$work/qemu"
    fi
    [[ $result != *$'\n'* ]] || printf '%s\n' "${result%$'\n'*}"
    echo "guest: $SECONDS s"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((passed > 0 && failed == 0))
}

install_missing
get_kernel
make_guest
SECONDS=0
boot
report
