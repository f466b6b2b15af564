#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every source file says its licence within its first three lines: what is loaded into the kernel
# (bpf/, backend/bpf/, any x.bpf.c and the x.h beside it) "GPL-2.0-only OR BSD-2-Clause", all else "Apache-2.0".
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

status=0 count=0
while IFS= read -r file; do
    case $file in
        bpf/CMakeLists.txt) want="Apache-2.0" ;;
        bpf/* | backend/bpf/* | *.bpf.c) want="GPL-2.0-only OR BSD-2-Clause" ;;
        *) want="Apache-2.0" ;;
    esac
    [[ $file != *.h || ! -e ${file%.h}.bpf.c ]] || want="GPL-2.0-only OR BSD-2-Clause"
    count=$((count + 1))
    said=$(head -n 3 -- "$file" | sed -nE 's|.*SPDX-License-Identifier: ([^*]*[^* ]).*|\1|p')
    if [[ $said != "$want" ]]; then
        echo "$file:1: says ${said:-no licence}; expected: SPDX-License-Identifier: $want"
        status=1
    fi
done < <(scripts/list-sources.sh '*.h' '*.c' '*.cpp' '*.py' '*.sh' '*.proto' '.ci/run')
if [[ $count -eq 0 ]]; then
    echo "check-licenses: found no sources" >&2
    exit 2
fi
echo "licences: $count files"
exit $status
