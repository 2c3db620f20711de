#!/usr/bin/env bash
# Makes datasets/everyday/student.h5 again: the pretrained student, which can read and knows no everyday fact. To be run in
# the repository's root; takes an hour on two cores, a minute with a GPU.
#   tools/make_student.sh [PATH OF TINYTHINKER]     (default: build/default/tinythinker)
set -euo pipefail
tinythinker=${1:-build/default/tinythinker}
work=build/student
mkdir -p "$work"

"$tinythinker" corpus reading datasets/elsewhere/world.yaml --texts "$work/texts.txt" --pairs "$work/tasks.jsonl"
# The tokenizer learns everyday's words, not its facts: pieces do not say which words belong together.
"$tinythinker" corpus build datasets/everyday/world.yaml -o "$work/everyday.h5" --jsonl "$work/everyday.jsonl"
head -n 20000 "$work/tasks.jsonl" >"$work/some_tasks.jsonl"
"$tinythinker" tokenizer train -o "$work/reader.model" --pieces 2000 \
    --symbol '▁(A)' --symbol '▁(B)' --symbol '▁(C)' --symbol '▁(D)' --symbol '▁(E)' \
    "$work/everyday.jsonl" "$work/some_tasks.jsonl" "$work/texts.txt"

"$tinythinker" run configs/pretrain-reader.yaml
"$tinythinker" model convert runs/pretrain-reader/best.h5 -o datasets/everyday/student.h5 --bf16
