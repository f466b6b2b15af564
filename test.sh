#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is needed, builds, and runs all tests.
#
#   sudo ./test.sh [--fast | --long] [--only STEP]…
#
# Without either, clang-tidy looks at what differs from the commit before the last.
#
#   --fast   without the lab of network namespaces and the fuzzers
#   --long   also clang-tidy over all, the oldest supported kernel (emulated), the sanitizers' builds, the static analyzer,
#            the Debian packages, booted machines, a minute of each hammer and fuzzer, ten million
#            runs of the fuzzers that decode what peers say, a million histories of the simulated
#            cluster, and the lab's long tests: one and a half to two hours on two processors
#   --only   only this step, and what has to be built for it; may be given several times. With --long
#            as long as it is there. Steps: checks tests cluster tidy fuzz, and with --long also
#            analyzer simulator oldest sanitizers packaging booted
#
# Ends with a line "N passed, N failed, N skipped" and with 0 only if something passed and nothing
# failed. A check or a build that fails counts as one failure. What the steps said is in
# build/test-logs/.
#
# What only computes runs beside the tests, which wait a lot, on processors that are idle: the tests'
# times are not spoilt by it.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")" || exit 2

usage="usage: sudo ./test.sh [--fast | --long] [--only STEP]…"
steps=" checks tests cluster tidy fuzz "
long_steps=" analyzer simulator oldest sanitizers packaging booted "
mode=normal only=' '
while (($# > 0)); do
    case $1 in
        --fast) mode=fast ;;
        --long) mode=long ;;
        --only)
            shift
            only+="${1:-} "
            ;;
        *)
            echo "$usage" >&2
            exit 2
            ;;
    esac
    shift
done
[[ $mode != fast ]] || steps=" checks tests tidy "
[[ $mode != long ]] || steps+=$long_steps
for each in $only; do
    if [[ $steps != *" $each "* ]]; then
        echo "test.sh: no step '$each'; there are:${steps}(and with --long:${long_steps% })" >&2
        exit 2
    fi
done
if [[ $EUID -ne 0 ]]; then
    echo "test.sh: network namespaces and XDP need root: $usage" >&2
    exit 2
fi
exec </dev/null

# Whether this run has the step.
wants() { [[ $steps == *" $1 "* && ($only == ' ' || $only == *" $1 "*) ]]; }
wants_any() {
    local each
    for each; do wants "$each" && return; done
    return 1
}

fuzz_seconds=12
program_seconds=300 # limit of one test program
tests_seconds=1800  # of all of them
lab_seconds=1800
peer_runs=10000000 # of each fuzzer of a decoder of what peers say, in a long run
if [[ $mode == long ]]; then
    export BASCULE_LONG=1
    fuzz_seconds=60 program_seconds=3600 tests_seconds=7200 lab_seconds=7200
fi

logs=build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
passed=0 failed=0 skipped=0

# An interruption reaches what is running, which cleans up after itself.
child='' beside=''
interrupted() {
    [[ -z $beside ]] || { kill -TERM "$beside" && wait "$beside"; } 2>/dev/null
    [[ -z $child ]] || { kill -TERM "$child" && wait "$child"; } 2>/dev/null
    echo "test.sh: interrupted" >&2
    exit 130
}
trap interrupted INT TERM HUP

finish() {
    [[ -z $beside ]] || kill -TERM "$beside" 2>/dev/null
    if [[ $mode == long ]]; then
        printf '\nsteps, the longest first:\n'
        sort -k 2 -n -r "$logs/summary" | while read -r outcome seconds each; do
            printf '%-8s%5d s  %s\n' "$outcome" "$seconds" "$each"
        done
    fi
    printf '\n%s min in all\n' "$(awk "BEGIN { printf \"%.1f\", $SECONDS / 60 }")"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    # Checks alone count as nothing when they are well.
    ((failed == 0)) && [[ $passed -gt 0 || $only != ' ' ]]
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
    echo "$([[ $status -eq 0 ]] && echo ok || echo FAILED) $((SECONDS - began)) $name" >>"$logs/summary"
    if [[ $status -eq 0 ]]; then
        printf 'ok      %4d s   %s\n' $((SECONDS - began)) "$(tail -n 1 "$log" | cut -c 1-100)"
    else
        [[ $status -ne 124 ]] || echo "test.sh: took more than $limit s" >>"$log"
        printf 'FAILED  %4d s   %s:\n' $((SECONDS - began)) "$log"
        tail -n 150 "$log" | sed 's/^/    /'
    fi
}

# beside COMMAND…: runs it and its steps beside what follows, on processors that are idle. It counts
# by itself; join_beside says what its steps said, and adds its counts.
beside() {
    (
        trap interrupted INT TERM HUP
        chrt --idle --pid 0 $BASHPID
        beside='' passed=0 failed=0 skipped=0
        "$@"
        echo "$passed $failed $skipped" >"$logs/beside.counts"
    ) >"$logs/beside.out" 2>&1 &
    beside=$!
}
join_beside() {
    local counts
    wait "$beside"
    beside=
    cat "$logs/beside.out"
    counts=$(cat "$logs/beside.counts" 2>/dev/null) || counts="0 1 0"
    # shellcheck disable=SC2086
    set -- $counts
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# A check counts only when it fails.
check() {
    step "$@" && return
    failed=$((failed + 1))
    return 1
}
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
    # Three programs at a time: most of them wait for something most of the time.
    # Sanitized programs cannot be laid out anywhere; the others do not mind.
    GTEST_OUTPUT="json:$directory/" step "tests, $preset" "$limit" setarch "$(uname -m)" -R \
        ctest --test-dir "build/$preset" --parallel 3 --output-on-failure --no-tests=error \
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

# one NAME SECONDS COMMAND…: a step that counts as one test.
one() {
    if step "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

# fuzz_one NAME SECONDS AT_LEAST OPTION…: libFuzzer ends well when its time is over, too, however few
# runs there were.
fuzz_one() {
    local name=$1 limit=$2 least=$3 runs findings=build/fuzz-findings
    shift 3
    # What is found new goes to the first folder, and is not kept.
    rm -rf "build/fuzz-corpus/$name"
    mkdir -p "build/fuzz-corpus/$name"
    if ! step "fuzz $name" "$limit" "build/fuzz/bin/$name" "$@" -timeout=25 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$findings/$name-" "build/fuzz-corpus/$name" \
        "tests/fuzz/corpus/${name%_fuzz}"; then
        failed=$((failed + 1))
        return
    fi
    runs=$(sed -nE 's/^stat::number_of_executed_units: +//p' "$log")
    echo "    (${runs:-0} runs)"
    if ((${runs:-0} >= least)); then
        passed=$((passed + 1))
    else
        echo "    FAILED: there have to be $least runs"
        echo "FAILED 0 fuzz $name: ${runs:-0} of $least runs" >>"$logs/summary"
        failed=$((failed + 1))
    fi
}

fuzz() {
    local name
    check "build fuzz" 1800 scripts/build.sh fuzz "${fuzzers[@]}" || return
    mkdir -p build/fuzz-findings
    for name in "${fuzzers[@]}"; do
        if [[ $mode == long && $name =~ ^(heartbeat|stream)_ ]]; then
            fuzz_one "$name" 3600 $peer_runs -runs=$peer_runs -max_total_time=3400
        else
            fuzz_one "$name" $((fuzz_seconds + 120)) 1 -max_total_time=$fuzz_seconds
        fi
    done
}

build_sanitized() {
    local preset
    for preset in asan-ubsan tsan; do
        check "build $preset" 3600 scripts/build.sh "$preset"
    done
}

# What needs processors and nothing else.
computing() {
    if [[ $mode == long ]]; then
        ! wants tidy || check "tidy" 3000 scripts/check-tidy.py
    else
        ! wants tidy || check "tidy" 3000 scripts/check-tidy.py --changed
    fi
    ! wants fuzz || fuzz
    ! wants sanitizers || build_sanitized
    if wants simulator; then
        one "simulator" 7200 build/release/bin/cluster_sim
        one "simulator, heartbeats of 20 ms" 7200 build/release/bin/cluster_sim --interval 20 --histories 10000
    fi
    ! wants analyzer || check "analyzer" 3600 scripts/check-tidy.py --analyze
}

sanitized() {
    local preset
    for preset in asan-ubsan tsan; do
        ctest_in "$preset" 3600 -R '^unit_'
    done
}

must "packages" 900 scripts/install-deps.sh
must "kernel" 60 scripts/check-kernel.sh
if wants checks; then
    check "layering can fail" 60 scripts/check-layering.py --self-test
    check "layering" 60 scripts/check-layering.py
    check "format" 120 scripts/check-format.sh
    check "licences" 60 scripts/check-licenses.sh
    check "scripts" 60 scripts/check-scripts.sh
    check "documents can fail" 60 scripts/check-docs.py --self-test
    check "documents" 60 scripts/check-docs.py
    check "manual can fail" 60 scripts/check-man.sh --self-test
    check "manual" 60 scripts/check-man.sh
fi
# The lab needs the programs only; their tests are compiled meanwhile.
if wants cluster && [[ $mode == normal ]]; then
    must "build the programs" 1800 scripts/build.sh release basculed bascule-cli bascule-backend
    beside check "build their tests" 1800 scripts/build.sh release
    suite "cluster tests" $lab_seconds tests/cluster/run.py -j 2
    join_beside
fi
must "build release" 1800 scripts/build.sh release
if wants checks; then
    check "nothing left out" 60 scripts/check-built.py
    # It reads what the programs that were built say.
    check "usage can fail" 120 scripts/check-usage.py --self-test
    check "usage" 120 scripts/check-usage.py
fi
if wants_any tidy fuzz sanitizers simulator analyzer; then
    beside computing
fi
# In a long run the simulator is a step of its own.
if wants tests; then
    left_out=()
    [[ $mode != long ]] || left_out=(-E '^cluster_sim$')
    ctest_in release $tests_seconds "${left_out[@]}"
fi
if wants cluster && [[ $mode == long ]]; then
    if check "build another version" 1800 scripts/build-other.sh; then
        export BASCULE_OTHER_BIN=$PWD/build/other/bin
    fi
    suite "cluster tests" $lab_seconds tests/cluster/run.py -j 2
fi
! wants booted || suite "booted machines" 3600 tests/booted/run.py
! wants packaging || one "packages of Debian" 3600 packaging/deb/check.sh
! wants oldest || suite "oldest kernel" 3600 tests/kernel/oldest.sh build/release
[[ -z $beside ]] || join_beside
! wants sanitizers || sanitized
finish
