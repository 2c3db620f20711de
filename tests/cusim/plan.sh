#!/usr/bin/env bash
# What `plan` says a run takes of a GPU, and what the run allocates there. The plan is of the program without CUDA.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 2}
acquisition: {steps: 6, batch_size: 8, interval: 1, max_target: 16, validation_questions: 3}
evaluation: {splits: [], max_length: 8, samples: 0, slots: 16}
YAML
# The largest total of the plan's parts against the most that was allocated, both without the 32 MiB of matrix products.
compare() { # name, arguments
    local name=$1 planned taken
    shift
    CUSIM_MEMORY=1 "$TINYTHINKER" run base.yaml --set name="$name" --set device=cuda "$@" > "$name.log" 2>&1 ||
        die "run $name" "$name.log"
    "$TT_PLAN" plan base.yaml --gpus 1 --json "$@" > "$name.json" 2> "$name.err" || die "plan of $name" "$name.err"
    planned=$(sed -n 's/^  "total": \([0-9]*\),$/\1/p' "$name.json")
    taken=$(sed -n 's/^cusim: at most \([0-9]*\) bytes.*/\1/p' "$name.log")
    echo "$name: $planned planned, $taken allocated"
    awk -v a="$planned" -v b="$taken" 'BEGIN { a -= 2 ^ 25; b -= 2 ^ 25; exit !(b > 0 && a > 0.9 * b && a < 1.1 * b) }' ||
        fail "$name: $planned planned, $taken allocated" "$name.json"
}
compare bf16 --set precision=bf16
compare fp32 --set precision=fp32 --set acquisition.accumulate=2
exit $failed
