#!/usr/bin/env bash
# Fuzzes all targets of tests/fuzz, one after the other, or those that are named, with libFuzzer, AddressSanitizer and UBSan:
#   tools/fuzz.sh [SECONDS [TARGET...]]     SECONDS for each target (default 60)
# Prints a table in Markdown, as experiments/records/fuzz keeps it: executions, coverage, inputs that are kept, findings.
# Inputs stay in build/fuzz/corpus and are where the next start begins. The smallest input of a finding and its log stay in
# build/fuzz/findings; build/fuzz/tests/fuzz/fuzz_TARGET FILE runs one again. Exits with 1 if there is a finding.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
case $seconds in
    *[!0-9]* | "" | 0)
        echo "fuzz: expected a number of seconds for each target, got '$seconds'" >&2
        exit 2
        ;;
esac
root=$PWD bin=$PWD/build/fuzz/tests/fuzz corpus=$PWD/build/fuzz/corpus findings=$PWD/build/fuzz/findings
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    for source in tests/fuzz/*.c; do
        grep -q '^int LLVMFuzzerTestOneInput' "$source" && targets+=("$(basename "$source" .c)")
    done
fi
for target in "${targets[@]}"; do
    if [ ! -f "tests/fuzz/$target.c" ]; then
        echo "fuzz: unknown target '$target'; targets are the names of tests/fuzz/*.c that define LLVMFuzzerTestOneInput" >&2
        exit 2
    fi
done

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz -- --quiet
mkdir -p "$findings"
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$root/tools/suppressions/lsan.txt:print_suppressions=0
TINYTHINKER=$PWD/build/fuzz/tinythinker TT_MAKE_FIXTURE=$PWD/build/fuzz/tests/make_fixture TT_SOURCE_DIR=$PWD \
    tests/fuzz/seeds.sh build/fuzz/tests/fuzz/seeds

dictionary_of() { # target: the one for what its inputs are written in
    case $1 in
        config | sweep | world | teach) echo yaml ;;
        wire) echo wire ;;
        *_file | tokenizer) ;;
        *) echo json ;;
    esac
}

# libFuzzer can deadlock while it reports a slow input; then `timeout` ends it, 60 seconds after its time.
run_target() { # seconds that it is given, target, arguments...
    local most=$(($1 + 60)) target=$2 status=0
    shift 2
    timeout -k 5 "$most" "$bin/fuzz_$target" -timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=8192 "$@" </dev/null || status=$?
    [ $status -ne 124 ] && [ $status -ne 137 ] || echo "fuzz: $target: did not end; killed after $most seconds" >&2
    return $status
}

# The smallest input of what was found, under a name that says what it is. 1: an input that was slow is not so again.
minimise() { # target, file
    local target=$1 found=$2 kind small
    small=$findings/$target-small
    case $found in
        *-new-timeout-* | *-new-slow-unit-*) # a machine that stood still for a while is no finding
            if run_target 20 "$target" -report_slow_units=10 "$found" >"$small.log" 2>&1 &&
                ! grep -q '^Slowest unit' "$small.log"; then
                echo "fuzz: $target: an input took too long once, but not a second time; it is no finding" >&2
                rm -f "$found" "$small.log"
                return 1
            fi
            ;;
    esac
    run_target 20 "$target" -minimize_crash=1 -max_total_time=20 -exact_artifact_path="$small" "$found" >/dev/null 2>&1 || true
    [ -s "$small" ] || cp "$found" "$small"
    run_target 20 "$target" "$small" >"$small.log" 2>&1 || true
    kind=$(sed -n 's/^fuzz: \([^;]*\);.*/\1/p; s/.*runtime error: //p; s/^SUMMARY: [A-Za-z]*: \([a-z-]*\).*/\1/p' "$small.log" |
        head -1 | tr -cs 'A-Za-z0-9\n' - | cut -c 1-60)
    mv "$small" "$findings/$target-${kind:-finding}"
    mv "$small.log" "$findings/$target-${kind:-finding}.log"
    rm -f "$found"
    echo "fuzz: $target: ${kind:-finding}: $findings/$target-${kind:-finding}" >&2
}

failed=0
echo "Commit $(git describe --always --dirty --exclude='*'), $(clang-14 --version | head -1), $(getconf _NPROCESSORS_ONLN) cores:"
echo
printf '| target | seconds | executions | coverage (edges) | inputs kept | findings |\n|---|---|---|---|---|---|\n'
for target in "${targets[@]}"; do
    log=$findings/$target.log dictionary=$(dictionary_of "$target") arguments=()
    mkdir -p "$corpus/$target" "$bin/seeds/$target"
    [ -z "$dictionary" ] || arguments=("-dict=$root/tests/fuzz/dictionaries/$dictionary.dict")
    seeds=("$bin/seeds/$target")
    [ ! -d "tests/fuzz/seeds/$target" ] || seeds+=("$root/tests/fuzz/seeds/$target")
    found=0
    run_target "$seconds" "$target" "${arguments[@]}" -max_total_time="$seconds" \
        -print_final_stats=1 -max_len=65536 -artifact_prefix="$findings/$target-new-" "$corpus/$target" "${seeds[@]}" \
        >"$log" 2>&1 || true
    if grep '^fuzz: .*: did not end' "$log" >&2; then
        echo "fuzz: $target: see $log" >&2
        found=1 failed=1
    fi
    for file in "$findings/$target-new-"*; do
        [ -e "$file" ] || continue
        minimise "$target" "$file" || continue
        found=$((found + 1))
        failed=1
    done
    printf '| %s | %s | %s | %s | %s | %s |\n' "$target" "$seconds" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)" \
        "$(find "$corpus/$target" -type f | wc -l)" "$found"
done
exit $failed
