#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows Bascule at work on this machine: installs what it needs, builds it, and balances real traffic
# by a pair of nodes over eight real servers in network namespaces, while one of the two loses its
# power. Takes a minute and a half once it is built.
#
#   sudo ./demo.sh [--pace FACTOR]
#
# Nothing outside of its own namespaces is touched, and all of it is taken away at the end, also when
# it is interrupted or killed. Ends with 0 only if no request failed, no connection broke, and nothing was
# lost but new flows for less than a second, by the power loss.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

if [[ $EUID -ne 0 ]]; then
    echo "demo.sh: network namespaces and XDP need root: sudo ./demo.sh" >&2
    exit 1
fi

# A file without a name: it ends with this process, also when that is killed.
log=$(mktemp /tmp/bascule-demo.XXXXXX)
exec 3<>"$log"
rm -f "$log"

# Runs a command silently; what it said is shown if it fails.
quietly() {
    local what=$1 began=$SECONDS
    shift
    printf '%-46s' "$what …"
    if "$@" >/dev/fd/3 2>&1 3>&-; then
        echo "done in $((SECONDS - began)) s"
    else
        echo "FAILED"
        cat /dev/fd/3 >&2
        exit 1
    fi
}

quietly "Installing what is needed" scripts/install-deps.sh
quietly "Building the release (minutes, the first time)" scripts/build.sh release basculed bascule-cli
exec 3>&-
# In this process's place: signals find the one that has a lab to take away.
exec /usr/bin/python3 tests/cluster/demo.py "$@"
