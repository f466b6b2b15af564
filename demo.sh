#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows Bascule at work on this machine: installs what it needs, builds it, and balances real HTTP
# traffic over eight real servers in network namespaces. Takes a minute and a half once it is built.
#
#   sudo ./demo.sh [--pace FACTOR]
#
# Nothing outside of its own namespaces is touched, and all of it is taken away at the end, also when
# it is interrupted or killed. Ends with 0 only if no request failed.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"

if [[ $EUID -ne 0 ]]; then
    echo "demo.sh: network namespaces and XDP need root: sudo ./demo.sh" >&2
    exit 1
fi

log=$(mktemp /tmp/bascule-demo.XXXXXX)
trap 'rm -f "$log"' EXIT

# Runs a command silently; what it said is shown if it fails.
quietly() {
    local what=$1 began=$SECONDS
    shift
    printf '%-46s' "$what …"
    if "$@" >"$log" 2>&1; then
        echo "done in $((SECONDS - began)) s"
    else
        echo "FAILED"
        cat "$log" >&2
        exit 1
    fi
}

quietly "Installing what is needed" scripts/install-deps.sh
quietly "Building the release (minutes, the first time)" scripts/build.sh release basculed bascule-cli
rm -f "$log"
# In this process's place: signals find the one that has a lab to take away.
exec /usr/bin/python3 tests/cluster/demo.py "$@"
