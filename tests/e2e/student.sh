#!/usr/bin/env bash
# What the shipped student knows before it is taught: how to read, and no everyday fact. It is small, and near chance.
set -eu
. "$(dirname "$0")/../common.sh"
cd "$TT_SOURCE_DIR"
student=datasets/everyday/student.h5
[ -f "$student" ] || skip "no $student"

bytes=$(wc -c <"$student")
[ "$bytes" -le 6000000 ] || { echo "FAILED: $student has $bytes bytes, more than 6 MB"; exit 1; }

"$TINYTHINKER" corpus build datasets/everyday/world.yaml -o "$work/everyday.h5" >"$work/build.out"
for stages in all summarize_only; do
    "$TINYTHINKER" eval --model "$student" --corpus "$work/everyday.h5" --stages "$stages" --limit 200 \
        --max-length 64 --predictions "$work/$stages.jsonl" >"$work/$stages.out"
    asked=$(grep -c . "$work/$stages.jsonl")
    right=$(grep -c '"right": *true' "$work/$stages.jsonl" || true)
    echo "$stages: $right of $asked right before any teaching"
    # Chance is 40 of 200, with a standard deviation of 5.7; who knows the facts has more than 160.
    [ "$asked" = 200 ] && [ "$right" -le 62 ] ||
        { echo "FAILED: expected chance"; cat "$work/$stages.out"; exit 1; }
done
