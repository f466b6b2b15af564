#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Configures and builds a preset in build/<preset>; programs land in build/<preset>/bin.
#
#   scripts/build.sh [PRESET [TARGET…]]      presets: release (default) debug asan-ubsan tsan fuzz
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

preset=${1:-release}
[[ $# -eq 0 ]] || shift

# Some files need well over a gigabyte to compile: memory may allow fewer jobs than there are CPUs.
jobs=$(nproc)
by_memory=$(awk '/^MemAvailable:/ { print int($2 / 1500000) }' /proc/meminfo)
((by_memory >= jobs)) || jobs=$((by_memory > 0 ? by_memory : 1))

# What configuring says matters only when it fails.
if ! said=$(cmake --preset "$preset" 2>&1 </dev/null); then
    printf '%s\n' "$said" >&2
    echo "build: cannot configure preset '$preset' (packages: sudo scripts/install-deps.sh)" >&2
    exit 1
fi
exec cmake --build "build/$preset" -j "$jobs" ${1:+--target "$@"} </dev/null
