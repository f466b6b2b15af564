#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Says what this machine lacks for the tests and the lab: root, network namespaces, veth pairs, a
# bpffs of one's own, the bpf() system call. Everything is tried in namespaces that end with it.
set -euo pipefail

fail() {
    echo "check-kernel: $*" >&2
    exit 1
}

[[ $EUID -eq 0 ]] || fail "needs root"

try() {
    local what=$1 said
    shift
    said=$("$@" 2>&1 </dev/null) || fail "$what: ${said:-refused}"
}

try "no network namespaces" unshare --net true
try "no mount namespaces" unshare --mount true
try "no veth pairs" unshare --net ip link add name veth0 type veth peer name veth1
try "no bridge" unshare --net ip link add name br0 type bridge

directory=$(mktemp -d /tmp/bascule-kernel.XXXXXX)
trap 'rmdir "$directory"' EXIT
in_bpffs='mount -t bpf bpf "$1" || exit 1; shift; [ $# -eq 0 ] || exec "$@"'
try "cannot mount a bpffs" unshare --mount sh -c "$in_bpffs" sh "$directory"
try "cannot make a BPF map" unshare --mount sh -c "$in_bpffs" sh "$directory" \
    /usr/sbin/bpftool map create "$directory/probe" type array key 4 value 8 entries 1 name probe

echo "kernel: $(uname -r): namespaces, veth, bridge, bpffs and bpf() are there"
