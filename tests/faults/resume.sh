#!/usr/bin/env bash
# kill -9, several times, where the files of a run have reached a random length; the resumed run ends with the same
# weights, moments and metrics (but for times) as one that was never stopped. The kills fall into each part of the
# run: pretraining, acquisition, the generation of runs for reflection, and reflection.
#   SEED=N ctest --preset ci -R faults/resume     kills where seed N says; without it a random seed, which is printed
set -u
. "$(dirname "$0")/../common.sh"
"$TT_MAKE_FIXTURE" data || exit 1
seed=${SEED:-$$}

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

"$TINYTHINKER" run base.yaml --set name=straight > straight.log 2>&1 || { cat straight.log; exit 1; }

# Lines that a run has written, in the order in which it writes them: metrics of pretraining and acquisition, recall
# runs, analyze runs, metrics of reflection.
lines() { cat "runs/$1"/metrics.jsonl "runs/$1"/reflection_1/{recall,analyze}_runs.jsonl 2> /dev/null | wc -l; }
count() { grep -c -- "$1" "$2"; }
straight=runs/straight
parts=("$(count '"phase": "pretraining"' $straight/metrics.jsonl)" "$(count '"phase": "acquisition"' $straight/metrics.jsonl)"
    "$(count '' $straight/reflection_1/recall_runs.jsonl)" "$(count '' $straight/reflection_1/analyze_runs.jsonl)"
    "$(count '"phase": "reflection_1"' $straight/metrics.jsonl)")
RANDOM=$seed
kills=() before=0
for part in "${parts[@]}"; do
    for _ in 1 2; do kills+=($((before + 1 + RANDOM % (part > 1 ? part - 1 : 1)))); done
    before=$((before + part))
done
mapfile -t kills < <(printf '%s\n' "${kills[@]}" | sort -n)
echo "seed $seed: kills at lines ${kills[*]} of $before; to repeat them: SEED=$seed ctest --preset ci -R faults/resume"

killed=0
for line in "${kills[@]}"; do
    "$TINYTHINKER" run base.yaml --set name=stopped > stopped.log 2>&1 &
    pid=$!
    until [ "$(lines stopped)" -ge "$line" ]; do
        kill -0 $pid 2> /dev/null || break # it has ended
        sleep 0.005
    done
    kill -9 $pid 2> /dev/null && killed=$((killed + 1))
    wait $pid 2> /dev/null
    [ -e runs/stopped/result.json ] && break
done
"$TINYTHINKER" run base.yaml --set name=stopped > stopped.log 2>&1 ||
    { echo "FAILED: not finished after $killed kills"; cat stopped.log; exit 1; }
echo "finished after $killed kills"
[ $killed -ge 5 ] || { echo "FAILED: too few kills to prove anything"; exit 1; }

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
