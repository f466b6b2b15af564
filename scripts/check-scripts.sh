#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every Python file compiles, and every shell script parses.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

mapfile -t python < <(scripts/list-sources.sh '*.py')
mapfile -t shell < <(scripts/list-sources.sh '*.sh' '.ci/run')
[[ ${#python[@]} -gt 0 && ${#shell[@]} -gt 0 ]] || {
    echo "check-scripts: found none" >&2
    exit 2
}

# Nothing is written beside the sources.
/usr/bin/python3 -W error - "${python[@]}" <<'END'
import sys
failed = 0
for name in sys.argv[1:]:
    try:
        with open(name, encoding="utf-8") as file:
            compile(file.read(), name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, SyntaxWarning, DeprecationWarning) as error:
        failed = 1
        print(f"{name}:{getattr(error, 'lineno', 0)}: {error}")
sys.exit(failed)
END
status=0
for file in "${shell[@]}"; do
    bash -n "$file" || status=1
done
echo "scripts: ${#python[@]} Python, ${#shell[@]} shell"
exit $status
