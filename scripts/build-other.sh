#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the daemon again, with another version: what an upgrade replaces the release build by.
#
#   scripts/build-other.sh [VERSION]      into build/other/bin; default: 0.0.0-other
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

cmake --preset release -B build/other -DBASCULE_PACKAGE_VERSION="${1:-0.0.0-other}" </dev/null >/dev/null
exec cmake --build build/other -j "$(nproc)" --target basculed </dev/null
