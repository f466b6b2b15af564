#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Holds C and C++ to .clang-format; what runs in the kernel (bpf/, backend/bpf/, *.bpf.c) to bpf/.clang-format.
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

kernel=() user=()
while IFS= read -r file; do
    case $file in
        bpf/* | backend/bpf/* | *.bpf.c) kernel+=("$file") ;;
        *) user+=("$file") ;;
    esac
done < <(scripts/list-sources.sh '*.h' '*.c' '*.cpp')
# An empty list would pass whatever the files look like.
[[ ${#kernel[@]} -gt 0 && ${#user[@]} -gt 0 ]] || {
    echo "check-format: found no sources" >&2
    exit 2
}

status=0
$clang_format "${action[@]}" --style=file "${user[@]}" || status=1
$clang_format "${action[@]}" --style=file:bpf/.clang-format "${kernel[@]}" || status=1
echo "format: $((${#kernel[@]} + ${#user[@]})) files"
if [[ $status -ne 0 ]]; then
    echo "check-format: mend it with scripts/check-format.sh --fix" >&2
fi
exit $status
