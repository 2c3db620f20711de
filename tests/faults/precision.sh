#!/usr/bin/env bash
# `precision: auto` on a machine with fast bf16 products and on one without (TT_MAX_CPU_ISA=avx2): what it becomes is
# said, written into the run's configuration, and kept by a run that goes on, wherever it goes on.
set -u
. "$(dirname "$0")/../common.sh"
make_data
shown=(err.log)

cat >base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 12, batch_size: 8, interval: 1, save_every: 4, validate_every: 0}
evaluation: {max_length: 8, samples: 0}
YAML
try() { # exit status, arguments
    local status=$1 got
    shift
    timeout 120 "$TINYTHINKER" "$@" >out.log 2>err.log
    got=$?
    [ $got -eq "$status" ] || fail "$*: exit status $got, expected $status"
}
old_cpu() { TT_MAX_CPU_ISA=avx2 try "$@"; }
written() { # run, precision
    grep -qx "precision: \"$2\"" "runs/$1/config.yaml" || fail "$1: config.yaml has $(grep ^precision "runs/$1/config.yaml")"
    [ ! -e "runs/$1/environment.json" ] || grep -q "\"precision\": \"$2\"" "runs/$1/environment.json" ||
        fail "$1: environment.json does not have $2"
}
unfinished() { rm -f "runs/$1/result.json"; } # so that it goes on

# Without fast bf16: fp32, said once.
old_cpu 0 run base.yaml --set name=old
[ "$(grep -c "precision: auto takes fp32" err.log)" -eq 1 ] || fail "not said once"
written old fp32

# Resumed where bf16 may be fast, it keeps fp32; so does a finished one; so does one whose end is scored anew.
unfinished old
try 0 run base.yaml --set name=old
grep -q "auto takes" err.log && fail "a resumed run chose again"
written old fp32
try 0 run base.yaml --set name=old
grep -q "finished" err.log || fail "the run is not known as finished"
try 0 run base.yaml --set name=old --set evaluation.beams=2
written old fp32
# What beams found is not called greedy.
grep -q "2 beams" runs/old/result.txt && ! grep -q greedy runs/old/result.txt && grep -q '"beams": 2' runs/old/result.json ||
    fail "the result does not tell beams"

# Another precision that is asked for is refused as any other change.
try 2 run base.yaml --set name=old --set precision=bf16
grep -q "precision: \"fp32\" -> \"bf16\"" err.log || fail "the difference is not named"

# A run in bf16 keeps it too; where there is none, the message says so, and --fresh starts it over.
cp -r runs/old runs/second
sed -i 's/^name: .*/name: "second"/; s/^precision: .*/precision: "bf16"/' runs/second/config.yaml
rm runs/second/result.json runs/second/environment.json
old_cpu 2 run base.yaml --set name=second
grep -q "runs/second began with precision bf16.*--fresh.*no bf16 products" err.log || fail "the reason is missing"
written second bf16
old_cpu 2 run base.yaml --set name=asked --set precision=bf16
grep -q "no bf16 products" err.log || fail "bf16 where there is none: no reason"
old_cpu 0 run base.yaml --set name=second --fresh
written second fp32

# All ranks take the same; a rank on a CPU without bf16 brings the others to fp32.
export TT_WORLD=2 TT_RENDEZVOUS=$work/meet TT_TIMEOUT=100
TT_RANK=1 TT_MAX_CPU_ISA=avx2 "$TINYTHINKER" run base.yaml --set name=ranks >/dev/null 2>other.log &
TT_RANK=0 try 0 run base.yaml --set name=ranks
wait $! || fail "rank 1: $(cat other.log)"
unset TT_WORLD TT_RENDEZVOUS TT_TIMEOUT
written ranks fp32

# Finding out leaves the number of threads alone.
grep -v "^threads" base.yaml >threads.yaml
OMP_NUM_THREADS=1 try 0 run threads.yaml --set name=threads
grep -q '"threads": 1' runs/threads/environment.json || fail "threads: $(grep threads runs/threads/environment.json)"
OMP_NUM_THREADS=1 try 0 eval --model runs/old/best.h5 --corpus data/corpus.h5 --max-length 8 --precision auto

# Every place that takes a precision takes the same words.
try 0 eval --model runs/old/best.h5 --corpus data/corpus.h5 --max-length 8 --precision auto
old_cpu 0 eval --model runs/old/best.h5 --corpus data/corpus.h5 --max-length 8 --precision auto
old_cpu 2 eval --model runs/old/best.h5 --corpus data/corpus.h5 --max-length 8 --precision bf16
for word in banana fp16 BF16; do
    for command in "eval --model runs/old/best.h5 --corpus data/corpus.h5 --precision $word" \
        "bench --precision $word" "run base.yaml --set precision=$word"; do
        try 2 $command
        grep -q "precision: .*$word.*fp32" err.log || fail "$command: no word about what is allowed"
    done
done

# `device` tells what there is.
old_cpu 0 device
grep -q "^cpu .*no bf16" out.log && grep -q "'precision: auto' fp32" out.log || fail "device: $(cat out.log)"
exit $failed
