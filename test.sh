#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is needed, builds, and runs all tests.
#
#   sudo ./test.sh [--fast | --long]
#
#   --fast   without the lab of network namespaces and the fuzzers
#   --long   also the oldest supported kernel (emulated), the sanitizers' builds, the static analyzer,
#            a minute of each hammer and fuzzer, ten million runs of the fuzzers of what peers say,
#            and a million histories of the simulated cluster
#
# Ends with a line "N passed, N failed, N skipped" and with 0 only if something passed and nothing
# failed. A check or a build that fails counts as one failure. What the steps said is in
# build/test-logs/.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")" || exit 2

mode=normal
case ${1:-} in
    '') ;;
    --fast) mode=fast ;;
    --long) mode=long ;;
    *)
        echo "usage: sudo ./test.sh [--fast | --long]" >&2
        exit 2
        ;;
esac
if [[ $EUID -ne 0 || $# -gt 1 ]]; then
    echo "test.sh: network namespaces and XDP need root: sudo ./test.sh [--fast | --long]" >&2
    exit 2
fi
exec </dev/null

fuzz_seconds=12
program_seconds=300 # limit of one test program
tests_seconds=1800  # of all of them
if [[ $mode == long ]]; then
    export BASCULE_LONG=1
    fuzz_seconds=60 program_seconds=3600 tests_seconds=7200
fi

logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# An interruption reaches what is running, which cleans up after itself.
child='' beside=''
interrupted() {
    [[ -z $beside ]] || kill -TERM "$beside" 2>/dev/null
    [[ -z $child ]] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
    echo "test.sh: interrupted" >&2
    exit 130
}
trap interrupted INT TERM HUP

finish() {
    [[ -z $beside ]] || kill -TERM "$beside" 2>/dev/null
    printf '\n%s min in all\n' "$(awk "BEGIN { printf \"%.1f\", $SECONDS / 60 }")"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((passed > 0 && failed == 0))
    exit
}

# step NAME SECONDS COMMAND…: runs it into its log, says how long it took, shows the log of a
# failure. Returns the command's status and counts nothing.
step() {
    local name=$1 limit=$2 began=$SECONDS status
    shift 2
    log=$logs/${name//[^a-z0-9-]/_}.log
    printf '%-34s' "$name"
    timeout --kill-after=30 "$limit" "$@" >"$log" 2>&1 &
    child=$!
    wait $child
    status=$?
    child=
    report $status $began
    return $status
}

# report STATUS BEGAN: of the step whose log it is.
report() {
    local status=$1 began=$2
    if [[ $status -eq 0 ]]; then
        printf 'ok      %4d s   %s\n' $((SECONDS - began)) "$(tail -n 1 "$log" | cut -c 1-100)"
    else
        [[ $status -ne 124 ]] || echo "test.sh: took more than $limit s" >>"$log"
        printf 'FAILED  %4d s   %s:\n' $((SECONDS - began)) "$log"
        tail -n 150 "$log" | sed 's/^/    /'
    fi
}

# What needs the compiler's time and nothing else runs beside the tests, which wait a lot.
begin_beside() {
    local name=$1 limit=$2
    shift 2
    beside_name=$name beside_limit=$limit beside_began=$SECONDS
    timeout --kill-after=30 "$limit" nice -n 19 "$@" >"$logs/$name.log" 2>&1 &
    beside=$!
}
end_beside() {
    local status limit=$beside_limit
    printf '%-34s' "$beside_name"
    wait "$beside"
    status=$?
    beside=
    log=$logs/$beside_name.log
    report $status "$beside_began"
    [[ $status -eq 0 ]] || failed=$((failed + 1))
}

# A check counts only when it fails.
check() { step "$@" || failed=$((failed + 1)); }
# Without this nothing further makes sense.
must() {
    step "$@" || {
        failed=$((failed + 1))
        finish
    }
}

# add PASSED FAILED SKIPPED STATUS: the counts of a run that ended with STATUS. A run that failed,
# or that ran nothing, without a failed test to show for it counts as one failure.
add() {
    local status=$4
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    if (($2 == 0 && ($1 == 0 || status != 0))); then
        failed=$((failed + 1))
    fi
    echo "    ($1 passed, $2 failed, $3 skipped)"
}

# ctest_in PRESET SECONDS [ctest's options…]
ctest_in() {
    local preset=$1 limit=$2 status counts
    shift 2
    local directory=$PWD/$logs/gtest-$preset
    mkdir -p "$directory"
    # Two programs at a time: most of them wait for something most of the time.
    # Sanitized programs cannot be laid out anywhere; the others do not mind.
    GTEST_OUTPUT="json:$directory/" step "tests, $preset" "$limit" setarch "$(uname -m)" -R \
        ctest --test-dir "build/$preset" --parallel 2 --output-on-failure --no-tests=error \
        --timeout $program_seconds --output-junit "$directory/junit.xml" "$@"
    status=$?
    counts=$(scripts/count-tests.py "$directory/junit.xml" "$directory") || counts="0 0 0"
    # shellcheck disable=SC2086
    add $counts $status
}

# suite NAME SECONDS COMMAND…: a program that ends with a line "N passed, N failed, N skipped".
suite() {
    local status counts
    step "$@"
    status=$?
    counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$log")
    grep -E '^skip' "$log" | sed 's/^/    /'
    # shellcheck disable=SC2086
    add ${counts:-0 0 0} $status
}

fuzzers=(tests/fuzz/*_fuzz.cpp)
fuzzers=("${fuzzers[@]##*/}")
fuzzers=("${fuzzers[@]%.cpp}")

fuzz() {
    local name corpus runs findings=build/fuzz-findings
    must "build fuzz" 900 scripts/build.sh fuzz "${fuzzers[@]}"
    mkdir -p "$findings"
    for name in "${fuzzers[@]}"; do
        corpus=tests/fuzz/corpus/${name%_fuzz}
        # What is found new goes to the first folder, and is not kept.
        rm -rf "build/fuzz-corpus/$name"
        mkdir -p "build/fuzz-corpus/$name"
        # Peers' messages come from the network.
        runs=(-max_total_time=$fuzz_seconds)
        if [[ $mode == long && $name =~ ^(heartbeat|stream)_ ]]; then
            runs=(-runs=10000000 -max_total_time=2400)
        fi
        if step "fuzz $name" $((fuzz_seconds + 2520)) "build/fuzz/bin/$name" \
            "${runs[@]}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="$findings/$name-" "build/fuzz-corpus/$name" "$corpus"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi
    done
}

sanitized() {
    local preset
    for preset in asan-ubsan tsan; do
        must "build $preset" 1800 scripts/build.sh "$preset"
        ctest_in "$preset" 3600 -R '^unit_'
    done
}

must "packages" 900 scripts/install-deps.sh
must "kernel" 60 scripts/check-kernel.sh
check "layering can fail" 60 scripts/check-layering.py --self-test
check "layering" 60 scripts/check-layering.py
check "format" 120 scripts/check-format.sh
check "licences" 60 scripts/check-licenses.sh
check "scripts" 60 scripts/check-scripts.sh
must "build release" 1800 scripts/build.sh release
check "nothing left out" 60 scripts/check-built.py
if [[ $mode == fast ]]; then
    begin_beside tidy 2400 scripts/check-tidy.py
    ctest_in release $tests_seconds
    end_beside
else
    # The tidy part last, so that it is the last line of the log.
    begin_beside tidy 3000 sh -c 'scripts/build.sh fuzz "$@" && scripts/check-tidy.py' sh \
        "${fuzzers[@]}"
    ctest_in release $tests_seconds
    suite "cluster tests" 1800 tests/cluster/run.py
    end_beside
    fuzz
fi
if [[ $mode == long ]]; then
    check "analyzer" 3600 scripts/check-tidy.py --analyze
    suite "oldest kernel" 3000 tests/kernel/oldest.sh build/release
    sanitized
fi
finish
