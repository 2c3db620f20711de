#!/usr/bin/env bash
# Two GPUs against one: the shipped student is trained in fp32 with one process and with two, whose losses must agree up to
# rounding; then T5-base in bf16, whose tokens a second are compared. gpu_check.sh calls it.
#   gpu_ranks.sh COMMAND...     the program's command line, with absolute paths
# Prints one JSON object. Exit status: 77 with fewer than two GPUs, 1 if a run fails or losses differ.
#   RANKS_RUNS="SAME.yaml FAST.yaml"     other configurations for the two, with absolute paths
set -u
here=$(cd "$(dirname "$0")" && pwd)
program=("$@")
read -ra runs <<< "${RANKS_RUNS:-same.yaml fast.yaml}"
gpus=$(nvidia-smi -L 2> /dev/null | grep -c '^GPU')
[ "$gpus" -ge 2 ] || { echo "skipped: two GPUs are needed, nvidia-smi lists $gpus" >&2; exit 77; }
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ln -s "$here/../configs" "$here/../datasets" .
settings="device: cuda
reflection: {iterations: 0}
evaluation: {splits: [], max_length: 8, samples: 0}
acquisition: {batch_size: 64, steps: 20, log_every: 1, validate_every: 0, validation_questions: 8, learning_rate: 1e-4}"
printf 'base: configs/everyday.yaml\nname: same\nprecision: fp32\n%s\n' "$settings" > same.yaml
printf 'base: configs/everyday.yaml\nname: fast\nprecision: bf16\n%s\nmodel: {start: "", shape: t5-base, tokenizer: student/spiece.model, extra_ids: 32}\n' \
    "${settings/batch_size: 64/batch_size: 512}" > fast.yaml

train() { # number of processes, configuration, name
    local r pids=() status=0
    for ((r = 0; r < $1; ++r)); do
        TT_WORLD=$1 TT_RANK=$r TT_RENDEZVOUS=$work/meet "${program[@]}" run "$2" --set "name=$3" > "log-$r" 2>&1 &
        pids+=($!)
    done
    for r in "${!pids[@]}"; do wait "${pids[r]}" || status=1; done
    [ $status -eq 0 ] && return
    echo "gpu_ranks: $3 with $1 processes failed:" >&2
    tail -n 20 log-* >&2
    exit 1
}
column() { # run, key: its value in each step
    sed -n '/"lr"/s/.*"'"$2"'": \([-+.0-9e]*\)[,}].*/\1/p' "runs/$1/metrics.jsonl"
}
# Tokens a second of the second half of the steps.
speed() { # run
    paste <(column "$1" tokens) <(column "$1" seconds) | awk '
        { tokens[NR] = $1; seconds[NR] = $2 }
        END { half = int((NR + 1) / 2); t = seconds[NR] - seconds[half]; printf("%.0f", t > 0 ? (tokens[NR] - tokens[half]) / t : 0) }'
}

for ranks in 1 2; do train $ranks "${runs[0]}" "same-$ranks"; done
worst=$(paste <(column same-1 loss) <(column same-2 loss) | awk '
    NF != 2 { bad = 1 }
    { d = ($1 - $2) / $1; if (d < 0) d = -d; if (!(d <= worst)) worst = d }
    END { if (NR < 2 || bad) worst = "nan"; print worst + 0 == worst ? worst + 0 : "nan" }')
awk -v worst="$worst" 'BEGIN { exit !(worst != "nan" && worst <= 1e-3) }' ||
    { echo "gpu_ranks: losses with one and two GPUs differ by $worst of their value; expected 0.001 at most" >&2; exit 1; }
"${program[@]}" model export datasets/everyday/student.h5 -o student > log-0 2>&1 || { cat log-0 >&2; exit 1; } # its tokenizer
for ranks in 1 2; do train $ranks "${runs[1]}" "fast-$ranks"; done
one=$(speed fast-1)
two=$(speed fast-2)
printf '{"gpus": %d, "worst_difference_of_losses": %s, "tokens_per_second": [%s, %s], "scaling": %s}\n' "$gpus" "$worst" \
    "$one" "$two" "$(awk -v one="$one" -v two="$two" 'BEGIN { printf("%.3f", one > 0 ? two / one : 0) }')"
