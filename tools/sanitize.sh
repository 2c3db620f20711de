#!/usr/bin/env bash
# Looks for races, leaks and memory that is read before it is written. What libraries do is left out by name, with the reason,
# in tools/suppressions.
#   tools/sanitize.sh races     ThreadSanitizer (preset tsan) over the tests of code that has threads, which is OpenMP's
#   tools/sanitize.sh leaks     LeakSanitizer (preset fuzz) over the README's commands, with a world of 300 questions and 14 steps
#   tools/sanitize.sh memory    valgrind (preset ci) over a run of 3 steps of a tiny student and what shows it
#   tools/sanitize.sh           all
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
what=${1:-all}
case $what in
    races | leaks | memory | all) ;;
    *)
        echo "sanitize: unknown argument '$1'; allowed are races, leaks, memory, or none for all" >&2
        exit 2
        ;;
esac

# Kernels, the passes through the model and the engine that decodes. Clang's OpenMP tells ThreadSanitizer, by Archer, what its
# barriers order; GNU's does not, and all that it orders would be reported.
races() {
    local archer tests=(twins unit/test_forward unit/test_model unit/test_decoder unit/test_trainer unit/test_reason
        unit/test_optimizer unit/test_schedule)
    local targets=()
    archer=$(find /usr/lib/llvm-14/lib -name libarcher.so -print -quit)
    if [ -z "$archer" ]; then
        echo "sanitize: libarcher.so of clang 14 is not installed (package libomp-14-dev): races are not looked for" >&2
        return 1
    fi
    cmake --preset tsan >/dev/null
    for source in tests/twins/test_*.c; do targets+=("$(basename "$source" .c)"); done
    for name in "${tests[@]:1}"; do targets+=("${name#*/}"); done
    cmake --build --preset tsan --target "${targets[@]}" -- --quiet
    OMP_NUM_THREADS=4 OMP_TOOL_LIBRARIES=$archer \
        TSAN_OPTIONS="suppressions=$root/tools/suppressions/tsan.txt ignore_noninstrumented_modules=1 halt_on_error=1" \
        ctest --preset tsan -R "^($(IFS='|' && echo "${tests[*]}"))" --no-tests=error
}

# Trains, reflects, scores, answers and reports: each command must end with status 0 and without a leak. Sizes are small, so
# that it takes minutes; no command of the README is left out.
leaks() {
    local work program=$root/build/fuzz/tinythinker
    local short=(--set acquisition.steps=14 --set acquisition.batch_size=8 --set acquisition.validate_every=7
        --set acquisition.validation_questions=10 --set reflection.questions=6 --set reflection.samples=2 --set reflection.cycles=1
        --set evaluation.questions=20 --set evaluation.samples=2 --set threads=2)
    cmake --preset fuzz >/dev/null
    cmake --build --preset fuzz --target tinythinker_cli -- --quiet
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" RETURN
    cp datasets/everyday/*.yaml "$work"
    sed -i 's/^splits: .*/splits: {train: 300, validation: 10, test: 20, control: 10}/' "$work/world.yaml"
    short+=(--set corpus="$work/world.yaml" --set output="$work")
    export LSAN_OPTIONS="suppressions=$root/tools/suppressions/lsan.txt:print_suppressions=0" ASAN_OPTIONS=detect_leaks=1
    one() {
        echo "== $*" >&2
        "$program" "$@" >"$work/out" 2>"$work/err" || {
            cat "$work/err" >&2
            echo "sanitize: tinythinker $* failed" >&2
            return 1
        }
    }
    one run configs/everyday.yaml "${short[@]}" &&
        one run configs/everyday.yaml "${short[@]}" &&
        one run configs/everyday-reflection.yaml "${short[@]}" &&
        one report "$work" -o "$work/report.html" --csv "$work/report.csv" --markdown "$work/report.md" &&
        one compare "$work/everyday" "$work/everyday-reflection" &&
        one explain "$work/everyday" &&
        one ask --model "$work/everyday/best.h5" "What holds water?" cup knife rope &&
        one corpus show "$work/everyday/corpus.h5" &&
        one model show "$work/everyday/best.h5" &&
        one model export "$work/everyday/best.h5" -o "$work/hf" &&
        one model import "$work/hf" -o "$work/back.h5"
}

# Sanitizers of the compiler see no memory that a library leaves unwritten, and not all that is unwritten of ours.
memory() {
    local work program=$root/build/ci/tinythinker
    if ! command -v valgrind >/dev/null; then
        echo "sanitize: valgrind is not installed (package valgrind): memory is not looked at" >&2
        return 1
    fi
    cmake --preset ci >/dev/null
    cmake --build --preset ci --target tinythinker_cli make_fixture -- --quiet
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" RETURN
    "$root/build/ci/tests/make_fixture" "$work/data"
    cat >"$work/run.yaml" <<YAML
corpus: $work/data/corpus.h5
output: $work
threads: 2
model: {tokenizer: $work/data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 3, batch_size: 8, interval: 1}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
    one() {
        echo "== $*" >&2
        OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
            --errors-for-leak-kinds=definite --log-file="$work/found" "$program" "$@" >"$work/out" 2>"$work/err" || {
            cat "$work/err" "$work/found" >&2
            echo "sanitize: tinythinker $* failed" >&2
            return 1
        }
    }
    one run --keys &&
        one run "$work/run.yaml" &&
        one corpus show "$work/data/corpus.h5" &&
        one model show "$work/run/best.h5" &&
        one model export "$work/run/best.h5" -o "$work/hf" &&
        one model import "$work/hf" -o "$work/back.h5"
}

failed=0
for part in races leaks memory; do
    if [ "$what" = all ] || [ "$what" = $part ]; then $part || failed=1; fi
done
exit $failed
