#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints the files of the tree that match the patterns given, one a line: those that git tracks and
# those that it would; without git, as in an unpacked source package, all but build/.
#
#   scripts/list-sources.sh '*.h' '*.cpp'
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files --cached --others --exclude-standard -- "$@"
else
    names=()
    for pattern in "$@"; do
        names+=(${names:+-o} -path "./$pattern")
    done
    find . -path ./build -prune -o -type f \( "${names[@]}" \) -printf '%P\n'
fi | sort -u | while IFS= read -r file; do
    [[ ! -f $file ]] || printf '%s\n' "$file"
done
