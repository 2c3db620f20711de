#!/usr/bin/env bash
# kill -9 at random moments, several times; the run that goes on ends with the same weights, moments and metrics
# (but for times) as one that was never stopped. Pretraining, acquisition and an iteration of reflection, so
# that the kills also fall between phases, while runs are generated and while the reference scores pairs.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
"$TT_MAKE_FIXTURE" data || exit 1
RANDOM=${SEED:-$$}
echo "seed $RANDOM"
RANDOM=${SEED:-$$}

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
pretraining: {enabled: true, text: [data/text.txt], pairs: [data/pairs.jsonl], window: 32, steps: 150, batch_size: 16,
  dropout: 0.1, log_every: 3, validate_every: 40, validation_questions: 8, save_every: 7}
acquisition: {steps: 150, batch_size: 16, interval: 2, learning_rate: 2e-3, log_every: 3, validate_every: 3,
  save_every: 7}
reflection: {iterations: 1, samples: 3, batch_size: 16, cycles: 2, learning_rate: 5e-4, log_every: 3, save_every: 7,
  dropout: 0.1}
evaluation: {max_length: 12, samples: 2}
precision: fp32
YAML

began=$(date +%s%N)
"$TINYTHINKER" run base.yaml --set name=straight > straight.log 2>&1 || { cat straight.log; exit 1; }
whole=$(( ($(date +%s%N) - began) / 1000000 ))
kills=0
for try in $(seq 60); do
    "$TINYTHINKER" run base.yaml --set name=stopped > stopped.log 2>&1 &
    pid=$!
    ms=$(( whole / 8 + RANDOM % (whole / 4 + 1) ))
    sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
    kill -9 $pid 2>/dev/null && kills=$((kills + 1))
    wait $pid 2>/dev/null
    [ -e runs/stopped/result.json ] && break
done
[ -e runs/stopped/result.json ] || { echo "FAILED: not finished after $kills kills"; cat stopped.log; exit 1; }
echo "finished after $kills kills"
[ $kills -ge 2 ] || { echo "FAILED: too few kills to prove anything"; exit 1; }

failed=0
for file in best.h5 checkpoints/{pretraining,pretraining_best,acquisition,acquisition_best,reflection_1}.h5; do
    "$TINYTHINKER" diff "runs/straight/$file" "runs/stopped/$file" > diff.log 2>&1 || { cat diff.log; failed=1; }
done
timeless() { sed 's/, "seconds": [0-9.]*//' "$1"; }
[ "$(wc -l < runs/straight/metrics.jsonl)" -ge 100 ] || { echo "FAILED: too few metrics"; failed=1; }
diff <(timeless runs/straight/metrics.jsonl) <(timeless runs/stopped/metrics.jsonl) > diff.log ||
    { echo "FAILED: metrics differ"; head diff.log; failed=1; }
for file in recall_runs.jsonl analyze_runs.jsonl; do
    cmp "runs/straight/reflection_1/$file" "runs/stopped/reflection_1/$file" || failed=1
done
pairs() { "$TINYTHINKER" corpus show --examples 100000 "runs/$1/reflection_1/pairs.h5"; }
[ "$(pairs straight | grep -c rejected)" -ge 50 ] || { echo "FAILED: too few pairs"; failed=1; }
diff <(pairs straight) <(pairs stopped) > diff.log || { echo "FAILED: pairs differ"; head diff.log; failed=1; }
cmp runs/straight/predictions.jsonl runs/stopped/predictions.jsonl || failed=1
exit $failed
