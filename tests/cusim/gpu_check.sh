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
