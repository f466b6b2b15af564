#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Holds C and C++ to .clang-format; bpf/ has one of its own.
#
#   scripts/check-format.sh [--fix]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

clang_format=clang-format-14
command -v $clang_format >/dev/null || {
    echo "check-format: no $clang_format: run sudo scripts/install-deps.sh" >&2
    exit 2
}

case ${1:-} in
    '') action=(--dry-run -Werror) ;;
    --fix) action=(-i) ;;
    *)
        echo "usage: scripts/check-format.sh [--fix]" >&2
        exit 2
        ;;
esac

mapfile -t files < <(scripts/list-sources.sh '*.h' '*.c' '*.cpp')
# An empty list would pass whatever the files look like.
[[ ${#files[@]} -gt 0 ]] || {
    echo "check-format: found no sources" >&2
    exit 2
}

status=0
$clang_format "${action[@]}" --style=file "${files[@]}" || status=1
echo "format: ${#files[@]} files"
if [[ $status -ne 0 ]]; then
    echo "check-format: mend it with scripts/check-format.sh --fix" >&2
fi
exit $status
