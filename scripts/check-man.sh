#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every manual page is read by groff without a warning, as lintian has it read, and names no other
# page of ours that is not there.
#
#   check-man.sh [--self-test]
#
# --self-test shows that each of these can fail. Needs no root and no build.
# Status: 0 nothing wrong, 1 warnings, 2 cannot run.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
export LC_ALL=C.UTF-8

command -v groff >/dev/null || {
    echo "check-man: groff is missing (package groff-base)" >&2
    exit 2
}

# Prints what is wrong with a page.
look_at() {
    local page=$1 name section
    groff -ww -b -z -K utf8 -T utf8 -m mandoc "$page" 2>&1 | sed "s|^|$page: |"
    while read -r name section; do
        [[ $name == bascule* && ! -e docs/man/$name.$section ]] || continue
        echo "$page: names $name($section), which is not there"
    done < <(sed -nE 's/^\.Xr ([^ ]+) ([0-9]).*/\1 \2/p' "$page")
    [[ $(sed -nE 's/^\.Dt ([^ ]+) ([0-9])$/\L\1.\2/p' "$page") == "$(basename "$page")" ]] ||
        echo "$page: its .Dt has another title"
}

if [[ ${1:-} == --self-test ]]; then
    folder=$(mktemp -d /tmp/bascule-man.XXXXXX)
    trap 'rm -rf "$folder"' EXIT
    status=0
    try() { # what to do to a good page
        sed "$1" docs/man/basculed.8 >"$folder/basculed.8"
        [[ -n $(look_at "$folder/basculed.8") ]] || {
            echo "check-man: self-test: '$1' went unnoticed"
            status=1
        }
    }
    try 's/^\.El$/.Elephant/'
    try 's/^\.Xr bascule 1/.Xr bascule 7/'
    try 's/^\.Dt BASCULED 8/.Dt BASCULED 5/'
    exit $status
fi

shopt -s nullglob
pages=(docs/man/*.[1-8])
[[ ${#pages[@]} -gt 0 ]] || {
    echo "check-man: found none" >&2
    exit 2
}
status=0
for page in "${pages[@]}"; do
    found=$(look_at "$page")
    [[ -z $found ]] || {
        echo "$found"
        status=1
    }
done
echo "manual: ${#pages[@]} pages"
exit $status
