#!/usr/bin/env bash
# One GPU takes its pieces of generation several at a time (host/train/reflection/runs.c). Interrupted, it keeps all that are finished
# and loses the one it is at, no more; the run that goes on adds to them and ends with the same texts.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

# Recalls of 82 to 96 questions (those held out are left out), 2 samples each: 10 to 12 pieces of 4 x 4 texts, of which six are one.
cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
precision: fp32
device: cuda
stages: no_analyze
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_heads: 2,
  num_layers: 1, num_decoder_layers: 1}
acquisition: {steps: 1, batch_size: 4, interval: 1, validation_questions: 1}
reflection: {iterations: 1, questions: 96, samples: 2, batch_size: 256, cycles: 1, validation_questions: 1}
evaluation: {splits: [], max_length: 2, samples: 0, slots: 4}
YAML
file=reflection_1/recall_runs.jsonl
"$TINYTHINKER" run base.yaml --set name=straight > straight.log 2>&1 || die "a run" straight.log
[ "$(grep -c synced runs/straight/$file)" = 2 ] || fail "not two pieces" runs/straight/$file
"$TINYTHINKER" run base.yaml --set name=parted > parted.log 2>&1 &
pid=$!
until grep -q synced runs/parted/$file 2> /dev/null || ! kill -0 $pid 2> /dev/null; do sleep 0.01; done
kill -INT $pid
wait $pid
status=$?
[ $status = 130 ] && grep -q "the runs so far are saved; run the same command again to resume" parted.log ||
    fail "exit status $status" parted.log
cp runs/parted/$file kept
all=$(grep -c item runs/straight/$file) kept=$(grep -c item kept)
echo "$kept of $all items kept"
[ "$kept" -ge 48 ] && [ "$kept" -lt "$all" ] && [ "$(tail -n 1 kept)" = '{"synced": true}' ] || fail "$kept items kept" parted.log
"$TINYTHINKER" run base.yaml --set name=parted > parted.log 2>&1 || die "the run that goes on" parted.log
cmp <(head -n "$(wc -l < kept)" runs/parted/$file) kept || fail "what was kept is not there"
cmp runs/straight/$file runs/parted/$file || fail "other texts"
"$TINYTHINKER" diff runs/straight/best.h5 runs/parted/best.h5 > diff.log 2>&1 || fail "other weights" diff.log
exit $failed
