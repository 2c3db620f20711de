#!/usr/bin/env bash
# tools/gpu_check.sh: skipped without a GPU; with one (a make-believe nvidia-smi, programs on cusim) it runs the tests it
# finds, writes their results as JSON and fails if one fails; the benchmarks run, too.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/out")
check=$TT_SOURCE_DIR/tools/gpu_check.sh
mkdir -p "$work/build/tests" "$work/bin"
cp "$TINYTHINKER" "$work/build/tinythinker"
if [ -n "$TT_ROWS" ]; then
    cp "$TT_ROWS" "$work/build/tests/test_cuda_rows"
else # built without cmocka
    printf '#!/bin/sh\nexit 0\n' > "$work/build/tests/test_cuda_rows"
    chmod +x "$work/build/tests/test_cuda_rows"
fi
printf '#!/bin/sh\nexit 9\n' > "$work/bin/nvidia-smi"
chmod +x "$work/bin/nvidia-smi"
export PATH=$work/bin:$PATH
"$check" -o "$work/r.json" "$work/build" > "$work/out" 2>&1
[ $? -eq 77 ] || die "without a GPU"
printf '#!/bin/sh\necho "A card, 1.0, 1 MiB"\n' > "$work/bin/nvidia-smi"
CUSIM_DEVICES=0 "$check" -o "$work/r.json" "$work/build" test > "$work/out" 2>&1 && die "a GPU that cannot be used"
"$check" -o "$work/r.json" "$work/build" test > "$work/out" 2>&1 || die "one good test"
for line in '"test_cuda_rows": "passed"' '"card": "A card, 1.0, 1 MiB"'; do
    grep -q "$line" "$work/r.json" || die "record"
done
SHAPES=tiny STEPS=1 TOKENS=8 BENCH_OPTIONS="--peak 1 --prompts 1 --new-tokens 4" \
    "$check" -o "$work/r.json" "$work/build" bench > "$work/out" 2>&1 || die "bench"
for key in training preference generation operations "training, one batch, TT_RECORD=0"; do
    grep -q "\"tinythinker tiny $key\": {" "$work/r.json" || die "no record of $key"
done
printf '#!/bin/sh\nexit 1\n' > "$work/build/tests/test_cuda_wrong"
chmod +x "$work/build/tests/test_cuda_wrong"
"$check" -o "$work/r.json" "$work/build" test > "$work/out" 2>&1 && die "a bad test"
grep -q '"test_cuda_wrong": "failed"' "$work/r.json" || die "record of a bad test"

# Two GPUs against one: skipped with a word on one; losses that differ fail.
rm "$work/build/tests/test_cuda_wrong"
"$check" -o "$work/r.json" "$work/build" ranks > "$work/out" 2>&1 || die "ranks with one GPU"
grep -q "two GPUs are needed" "$work/out" || die "no word about one GPU"
grep -q '"ranks": "skipped"' "$work/r.json" || die "record of skipped ranks"
printf '#!/bin/sh\n[ "$1" = -L ] && echo "GPU 0: A" && echo "GPU 1: A" && exit\necho "A card, 1.0, 1 MiB"\n' > "$work/bin/nvidia-smi"
make_data
config() { # precision, steps, learning rate
    cat <<YAML
corpus: $work/data/corpus.h5
threads: 1
device: cuda
precision: $1
model: {tokenizer: $work/data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_heads: 2,
  num_layers: 1, num_decoder_layers: 1}
acquisition: {steps: $2, batch_size: 4, interval: 1, log_every: 1, validate_every: 0, validation_questions: 1, learning_rate: $3}
evaluation: {splits: [], max_length: 8, samples: 0}
reflection: {iterations: 0}
YAML
}
config fp32 4 1e-4 > "$work/same.yaml"
config bf16 4 1e-4 > "$work/fast.yaml"
CUSIM_DEVICES=2 RANKS_RUNS="$work/same.yaml $work/fast.yaml" "$check" -o "$work/r.json" "$work/build" ranks > "$work/out" 2>&1 ||
    die "ranks with two GPUs"
grep -qE '"two GPUs": \{"gpus": 2, "worst_difference_of_losses": [0-9.e-]+, "tokens_per_second": \[[1-9][0-9]*, [1-9]' "$work/r.json" ||
    die "record of two GPUs" "$work/r.json"
