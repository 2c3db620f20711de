#!/usr/bin/env bash
# Tests and measures the CUDA device on a machine with an NVIDIA GPU:
#
#   tools/gpu_check.sh [-o FILE.json] [FOLDER] [PART ...]
#
# FOLDER: an unpacked bundle (cmake --preset bundle), or a build folder of the preset cuda (default: the bundle that
# contains this script, else build/cuda). The parts run in this order; default: all.
#   test       the native tests, with TT_POISON=1: discarded memory is filled with NaN
#   bench      tinythinker bench
#   ranks      two GPUs against one (gpu_ranks.sh); skipped where there is one
#   torch      bench_torch.py, if Python has PyTorch and transformers
#   sanitize   the tests again under compute-sanitizer: memcheck, racecheck, initcheck, synccheck
# The results are one JSON object in FILE (default: gpu_check.json), which is written after each step, so that nothing is
# lost if time runs out. Exit status: 77 without a GPU, 1 if a test failed, else 0.
#
#   SHAPES="base large"          shapes to measure        MODES="eager compile"   how PyTorch runs
#   RIVALS="usual packed"        PyTorch's batches: padded, or packed with FlexAttention
#   STEPS=10                     measured steps           TOOLS="memcheck ..."    tools of compute-sanitizer
#   TOKENS=8192                  target tokens of a batch LIMIT=600               seconds after which a step is given up
#   BENCH_OPTIONS="--peak 1"     more options of bench
set -u
here=$(cd "$(dirname "$0")" && pwd)
record=gpu_check.json
[ "${1:-}" = -o ] && { record=$2; shift 2; }
folder=$here/../build/cuda
[ -x "$here/../run" ] && folder=$here/..
[ -d "${1:-}" ] && { folder=$1; shift; }
folder=$(cd "$folder" 2> /dev/null && pwd || echo "$folder")
parts=${*:-test bench ranks torch sanitize}
shapes=${SHAPES:-base large}
steps=${STEPS:-10}
tokens=${TOKENS:-8192}
limit=${LIMIT:-600}
read -ra modes <<< "${MODES:-eager compile}"
read -ra rivals <<< "${RIVALS:-usual packed}"
read -ra tools <<< "${TOOLS:-memcheck racecheck initcheck synccheck}"
read -ra extra <<< "${BENCH_OPTIONS:-}"
if [ -x "$folder/run" ]; then
    tests=("$folder"/bin/test_cuda_*)
    commit=$(cat "$folder/commit")
else
    tests=("$folder"/tests/test_cuda_*)
    commit=$("$folder/tinythinker" --version | sed -n '1s/.*(\(.*\))$/\1/p')
fi
# The command line of a program of the folder, in `command`.
command_of() { # program, arguments
    if [ -x "$folder/run" ]; then
        command=("$folder/run" "$@")
    elif [ "$1" = tinythinker ]; then
        command=("$folder/$1" "${@:2}")
    else
        command=("$folder/tests/$1" "${@:2}")
    fi
}
[ -e "${tests[0]}" ] || { echo "gpu_check: no test programs in $folder; build the preset cuda or bundle first"; exit 1; }
command_of tinythinker device
device=$("${command[@]}") || exit 1
if ! command -v nvidia-smi > /dev/null || ! nvidia-smi > /dev/null 2>&1; then
    echo "gpu_check: skipped, no NVIDIA GPU here (nvidia-smi finds none)"
    exit 77
fi
echo "$device"
grep -q '^cuda *none' <<< "$device" && { echo "gpu_check: there is a GPU, but tinythinker cannot use it (see above)"; exit 1; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failed=0
wants() { [[ " $parts " == *" $1 "* ]]; }
card=$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | head -n 1)
touch "$work/results" "$work/measured"
write_record() {
    {
        printf '{\n  "card": "%s",\n  "device": "%s",\n  "commit": "%s",\n  "date": "%s",\n  "tests": {\n' "$card" \
            "$(grep -m 1 cuda <<< "$device")" "$commit" "$(date -u +%F)"
        sed '$!s/$/,/' "$work/results"
        printf '  }'
        cat "$work/measured"
        printf '\n}\n'
    } > "$record"
}
# Adds a line of JSON to $work/results; prints the test's output if it failed.
result() { # name, status, log
    local word=passed
    [ "$2" -eq 77 ] && word=skipped
    if [ "$2" -ne 0 ] && [ "$2" -ne 77 ]; then
        word=failed
        [ "$2" -eq 124 ] && word="not finished within $limit s"
        failed=1
        tail -n 40 "$3"
    fi
    echo "$word: $1"
    echo "    \"$1\": \"$word\"" >> "$work/results"
    write_record
}
measure() { # key, command: its JSON
    local started=$SECONDS status
    timeout "$limit" "${@:2}" > "$work/json" 2> "$work/log"
    status=$?
    if [ $status -eq 0 ]; then
        printf ',\n  "%s": ' "$1" >> "$work/measured"
        cat "$work/json" >> "$work/measured"
        echo "measured: $1 ($((SECONDS - started)) s)"
    else
        [ $status -eq 124 ] && echo "not finished within $limit s"
        echo "failed: $1"
        tail -n 20 "$work/log"
        failed=1
    fi
    write_record
}
if wants test; then
    for path in "${tests[@]}"; do
        name=$(basename "$path")
        command_of "$name"
        TT_POISON=1 timeout "$limit" "${command[@]}" > "$work/log" 2>&1
        result "$name" $? "$work/log"
    done
fi
if wants ranks; then
    command_of tinythinker
    timeout "$limit" "$here/gpu_ranks.sh" "${command[@]}" > "$work/json" 2> "$work/log"
    status=$?
    result ranks $status "$work/log"
    if [ $status -eq 77 ]; then
        cat "$work/log"
    elif [ $status -eq 0 ]; then
        printf ',\n  "two GPUs": ' >> "$work/measured"
        cat "$work/json" >> "$work/measured"
    fi
fi
for shape in $shapes; do
    common=(--shape "$shape" --steps "$steps" --json)
    if wants bench; then
        command_of tinythinker bench --device cuda --precision bf16 --tokens "$tokens" "${common[@]}" "${extra[@]}"
        for work_kind in training preference generation; do
            measure "tinythinker $shape $work_kind" "${command[@]}" --work $work_kind
        done
        # Eight times the tokens, so that tensors do not fit into a GPU's caches.
        measure "tinythinker $shape operations" "${command[@]}" --work operations --tokens $((tokens * 8))
        # The same batch in every step, with an eighth of the tokens: launches take the largest share of the time, which
        # replaying a step saves.
        for replay in 1 0; do
            TT_RECORD=$replay measure "tinythinker $shape training, one batch, TT_RECORD=$replay" "${command[@]}" \
                --tokens $((tokens / 8 + 1)) --batches 1
        done
    fi
    if wants torch && python3 -c 'import torch, transformers' 2> /dev/null; then
        for mode in "${modes[@]}"; do
            for work_kind in training preference; do
                for rival in "${rivals[@]}"; do
                    measure "torch $shape $work_kind $mode $rival" python3 "$here/bench_torch.py" --tokens "$tokens" \
                        "${common[@]}" --work $work_kind --mode "$mode" --rival "$rival"
                done
            done
            measure "torch $shape generation $mode" python3 "$here/bench_torch.py" --tokens "$tokens" "${common[@]}" \
                --work generation --mode "$mode"
        done
        measure "torch $shape attention" python3 "$here/bench_torch.py" --tokens $((tokens * 8)) "${common[@]}" --work attention
    fi
done
if wants sanitize && ! command -v compute-sanitizer > /dev/null; then
    echo "compute-sanitizer is not installed, so nothing is checked under it"
    echo '    "compute-sanitizer": "not found"' >> "$work/results"
elif wants sanitize; then
    for path in "${tests[@]}"; do
        name=$(basename "$path")
        # Only tests of kernels: training a model takes too long under a sanitizer.
        [ "$name" = test_cuda_model ] || [ "$name" = test_cuda_sizes ] && continue
        command_of "$name"
        follow=()
        [ -x "$folder/run" ] && follow=(--target-processes all) # the loader is the program there
        for tool in "${tools[@]}"; do
            timeout "$limit" compute-sanitizer --tool "$tool" --error-exitcode 9 "${follow[@]}" "${command[@]}" \
                > "$work/log" 2>&1
            result "$name, $tool" $? "$work/log"
        done
    done
fi
write_record
echo "recorded in $record"
exit $failed
