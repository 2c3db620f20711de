#!/usr/bin/env bash
# Reflection from the command line: it begins at ln 2 and moves; a reference that is not its pairs' is refused;
# an iteration without wrong answers is skipped; ranks make the same pairs; settings that rule out reflection are refused.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 120, batch_size: 16, interval: 1, learning_rate: 5e-3, dropout: 0, validate_every: 0}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
"$TINYTHINKER" run base.yaml --set name=start > start.log 2>&1 || { cat start.log; exit 1; }

cat > reflect.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {start: runs/start/best.h5}
acquisition: {enabled: false}
reflection: {iterations: 1, questions: 40, samples: 4, batch_size: 16, cycles: 1, learning_rate: 3e-4, log_every: 1}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
"$TINYTHINKER" run reflect.yaml --set name=one > one.log 2>&1 || { cat one.log; exit 1; }

# loss = preference + 0.5 x nll: ln 2 at the first step, of each stage something else later.
field() { sed -n "s/.*\"$1\": \([^,]*\),.*/\1/p"; }
first=$(grep '"step": 1,' runs/one/metrics.jsonl)
check() { awk -v a="$1" -v b="$2" "BEGIN { d = a - b; exit !($3) }" || { echo "FAILED: $4: $1, $2"; failed=1; }; }
loss=$(field loss <<< "$first")
nll=$(field nll_loss <<< "$first")
preference=$(awk -v l="$loss" -v n="$nll" 'BEGIN { printf "%.9f", l - 0.5 * n }')
check "$preference" 0.693147181 'd < 2e-6 && d > -2e-6' "the first loss is ln 2"
check "$(field rewards.margins <<< "$first")" 0 'd < 1e-5 && d > -1e-5' "no margin at first"
later=$(grep '"stage": "recall"' runs/one/metrics.jsonl | grep '"step": 2,' | field rewards.margins)
check "$later" 0 'd > 1e-5' "the margin moves with the first update"

# The test split before and after: the student at the start is the best of nothing here, so one row.
grep -q '"name": "reflection_1"' runs/one/result.json || { echo "FAILED: no phase in result.json"; failed=1; }
"$TINYTHINKER" corpus show runs/one/reflection_1/pairs.h5 > pairs.txt || failed=1
grep -q "recall .* pairs; chosen from" pairs.txt || { echo "FAILED: pairs are not shown"; cat pairs.txt; failed=1; }

# Each recall pair has what came with its chosen recall.
grep -q "came with it: (A) " pairs.txt || { echo "FAILED: nothing came with a recall"; cat pairs.txt; failed=1; }

# A cycle is one pass over all recall pairs, then one over all analyze pairs; 16 a step, the last step the rest.
awk '/^recall .* pairs; chosen/ { r = int(($2 + 15) / 16) } /^analyze .* pairs; chosen/ { a = int(($2 + 15) / 16) }
    END { print r + a }' pairs.txt > steps.txt
grep -q "\"steps\": $(cat steps.txt)," runs/one/result.json || { echo "FAILED: not $(cat steps.txt) steps"; failed=1; }

# The limits of preference batches cut these alone: the same runs, pairs and validation; one warning each.
"$TINYTHINKER" run reflect.yaml --set name=cut --set reflection.max_input=12 --set reflection.max_target=4 > cut.log 2>&1 ||
    { cat cut.log; failed=1; }
for file in recall_runs.jsonl analyze_runs.jsonl; do
    cmp runs/one/reflection_1/$file runs/cut/reflection_1/$file || { echo "FAILED: a limit of batches changed $file"; failed=1; }
done
start_of() { grep '"step": 0,' "runs/$1/metrics.jsonl" | sed 's/, "seconds".*//'; }
case $(start_of one) in *accuracy*) ;; *) echo "FAILED: the start was not validated"; failed=1 ;; esac
[ "$(start_of one)" = "$(start_of cut)" ] || { echo "FAILED: validation differs"; failed=1; }
grep -q "warning: reflection_1, analyze: .* prompts are longer than 12 tokens .* raise reflection.max_input" cut.log ||
    { echo "FAILED: no warning of cut prompts"; cat cut.log; failed=1; }
grep -q "warning: reflection_1, analyze: .* targets are longer than 4 tokens .* raise reflection.max_target" cut.log ||
    { echo "FAILED: no warning of cut texts"; cat cut.log; failed=1; }

# The limit of generation holds for pairs, validation and the final evaluation, and is reported once of training and once of
# each split: a small cut must not hide a large one.
"$TINYTHINKER" run reflect.yaml --set name=short --set evaluation.max_input=12 > short.log 2>&1 || { cat short.log; failed=1; }
cmp -s <(tail -n +2 runs/one/reflection_1/recall_runs.jsonl) <(tail -n +2 runs/short/reflection_1/recall_runs.jsonl) &&
    { echo "FAILED: the limit of generation left the runs alone"; failed=1; }
[ "$(grep "prompts are longer than 12 tokens" short.log | grep -vc " test")" -eq 1 ] &&
    [ "$(grep "prompts are longer than 12 tokens" short.log | grep -c " test")" -eq 1 ] ||
    { echo "FAILED: not reported once while training and once of the test"; cat short.log; failed=1; }
"$TINYTHINKER" eval --model runs/start/best.h5 --corpus data/corpus.h5 --max-input 12 --max-length 16 --samples 2 > eval.log 2>&1
[ "$(grep -c "prompts are longer than 12 tokens .* raise --max-input" eval.log)" -eq 1 ] ||
    { echo "FAILED: eval did not report it once"; cat eval.log; failed=1; }
"$TINYTHINKER" ask --model runs/start/best.h5 --max-input 8 --max-length 16 "What colour is the sky?" red blue > ask.log 2>&1
grep -q "warning: ask: .* prompts are longer than 8 tokens" ask.log || { echo "FAILED: ask did not warn"; cat ask.log; failed=1; }

# Where no cycle does better the student that the iteration began with is kept, and all say so.
"$TINYTHINKER" run base.yaml --set name=idle --set reflection.iterations=1 --set reflection.questions=40 --set reflection.samples=4 \
    --set reflection.cycles=2 --set reflection.learning_rate=0 > idle.log 2>&1 || { cat idle.log; failed=1; }
grep -q '"kept_reference": true' runs/idle/result.json || { echo "FAILED: result.json does not say what was kept"; failed=1; }
grep -q "none better than the student it began with, which is kept" runs/idle/result.txt ||
    { echo "FAILED: the table does not say what was kept"; cat runs/idle/result.txt; failed=1; }
"$TINYTHINKER" diff --only weights runs/idle/best.h5 runs/idle/checkpoints/acquisition_best.h5 > diff.log 2>&1 || { cat diff.log; failed=1; }
"$TINYTHINKER" report runs/idle -o idle.html > report.log 2>&1 || { cat report.log; failed=1; }
grep -q "kept the student they began with" idle.html || { echo "FAILED: the report does not say what was kept"; failed=1; }

# The teacher's answers are right in training, gold in test; import, show and the report count where they differ.
: > differs.jsonl
for i in 1 2 3 4; do for split in train validation test; do
    printf '{"id": "%s-%s", "question": "Is it %s?", "options": ["yes", "no"], "gold": "A", "split": "%s", "reasoning": [{"general": "It is not.", "specific": ["No.", "Yes."], "answer": "B"}]}\n' \
        "$split" $i "$split $i" $split >> differs.jsonl
done; done
"$TINYTHINKER" corpus import jsonl differs.jsonl -o differs.h5 > import.log 2>&1 || { cat import.log; failed=1; }
told="on 4 of them it differs from the data set's gold"
grep -q "$told" import.log || { echo "FAILED: import does not count"; cat import.log; failed=1; }
"$TINYTHINKER" corpus show differs.h5 | grep -q "$told" || { echo "FAILED: show does not count"; failed=1; }
"$TINYTHINKER" run base.yaml --set name=differs --set corpus=differs.h5 --set acquisition.steps=400 --set acquisition.batch_size=4 \
    --set 'evaluation.splits=[train, test]' --set reflection.iterations=1 --set reflection.samples=2 --set reflection.top_k=1 \
    --set reflection.cycles=1 > differs.log 2>&1 || { cat differs.log; failed=1; }
# The student learned B: right where it was taught, wrong where gold is A. Reflection finds nothing wrong with it.
for line in "train, greedy: 100.0 %" "test, greedy: 0.0 %"; do
    grep -q "^$line" differs.log && continue
    echo "FAILED: training does not judge by what was taught"
    cat differs.log
    failed=1
done
grep -q "the iteration is skipped" differs.log || { echo "FAILED: pairs against the taught answer"; cat differs.log; failed=1; }
"$TINYTHINKER" report runs/differs -o differs.html > report.log 2>&1 || { cat report.log; failed=1; }
grep -q "on 4 of them its answer differs" differs.html || { echo "FAILED: the report does not count"; failed=1; }

# Pairs of another reference are refused, by name.
cp runs/start/best.h5 moving.h5
"$TINYTHINKER" run reflect.yaml --set name=other --set model.start=moving.h5 > other.log 2>&1 || { cat other.log; failed=1; }
"$TINYTHINKER" model init --tokenizer data/tokenizer.model --extra-ids 20 --d-model 32 --d-kv 8 --d-ff 64 -o moving.h5 > /dev/null 2>&1
rm runs/other/result.json runs/other/checkpoints/*
"$TINYTHINKER" run reflect.yaml --set name=other --set model.start=moving.h5 > other.log 2>&1 &&
    { echo "FAILED: pairs of another reference were taken"; failed=1; }
grep -q "its pairs were scored by checkpoint" other.log || { cat other.log; failed=1; }

# A student that is always right, by construction: one option of two is right and questions are their answers.
printf '{"id": "%s", "question": "Is it %s?", "options": ["yes", "no"], "gold": "A", "split": "train", "general": "It is.", "specific": ["Yes.", "No."]}\n' 1 one 2 two 3 three > easy.jsonl
"$TINYTHINKER" corpus import jsonl easy.jsonl -o easy.h5 > easy.log 2>&1 || { cat easy.log; failed=1; }
"$TINYTHINKER" run base.yaml --set name=easy --set corpus=easy.h5 --set acquisition.steps=300 \
    --set acquisition.batch_size=3 --set reflection.iterations=2 --set reflection.samples=3 --set 'evaluation.splits=[]' \
    --set reflection.top_k=1 > easy.log 2>&1 || { cat easy.log; failed=1; }
grep -q "the iteration is skipped" easy.log || { echo "FAILED: nothing was skipped"; cat easy.log; failed=1; }
grep -q '"skipped": true' runs/easy/result.json || { echo "FAILED: result.json knows of no skip"; failed=1; }
"$TINYTHINKER" diff --only weights runs/easy/best.h5 runs/easy/checkpoints/acquisition_best.h5 > diff.log 2>&1 ||
    { echo "FAILED: a skipped iteration changed the student"; cat diff.log; failed=1; }

# A run keeps its answers before reflection: they pair with those after it, and counts fit the two accuracies. What an
# earlier start left goes with --fresh.
"$TINYTHINKER" run base.yaml --set name=whole --set reflection.iterations=1 --set reflection.questions=40 \
    --set reflection.samples=4 --set reflection.batch_size=16 --set reflection.cycles=1 \
    --set reflection.learning_rate=3e-3 > whole.log 2>&1 || { cat whole.log; failed=1; }
[ "$(wc -l < runs/whole/predictions_acquisition.jsonl)" = 12 ] || { echo "FAILED: answers before reflection"; failed=1; }
"$TINYTHINKER" compare --json runs/whole > whole.json || failed=1
right() { grep -c '"right":true' "runs/whole/$1"; }
difference=$(($(right predictions.jsonl) - $(right predictions_acquisition.jsonl)))
awk -F '[:,]' -v d="$difference" '/"to_right"/ { r = $2 } /"to_wrong"/ { w = $2 } /"questions"/ { n = $2 }
    END { exit !(n == 12 && r - w == d) }' whole.json || { echo "FAILED: changes are not $difference"; cat whole.json; failed=1; }
"$TINYTHINKER" run base.yaml --set name=whole --fresh > whole.log 2>&1 || { cat whole.log; failed=1; }
[ ! -e runs/whole/predictions_acquisition.jsonl ] || { echo "FAILED: --fresh left answers behind"; failed=1; }

refused() { # message, arguments
    local message=$1
    shift
    "$TINYTHINKER" run "$@" > refused.log 2>&1 && { echo "FAILED: ran: $*"; failed=1; return; }
    grep -q -- "$message" refused.log || { echo "FAILED: expected '$message' from: $*"; cat refused.log; failed=1; }
}
refused "reflection needs a student that has finished acquisition" reflect.yaml --set name=r1 --set model.start= \
    --set model.tokenizer=data/tokenizer.model
refused "the student does not write that stage" reflect.yaml --set name=r3 --set stages=summarize_only
refused "reflection.loss: 'dpo' is not allowed" reflect.yaml --set name=r4 --set reflection.loss=dpo

# Two ranks make the same runs and pairs, and train to the same losses.
if have_mpi; then
    mpirun --oversubscribe -np 2 "$TINYTHINKER" run reflect.yaml --set name=two > two.log 2>&1 || { cat two.log; failed=1; }
    for file in recall_runs.jsonl analyze_runs.jsonl; do
        diff <(grep item runs/one/reflection_1/$file | sort) <(grep item runs/two/reflection_1/$file | sort) > diff.log ||
            { echo "FAILED: $file differs with two ranks"; head -3 diff.log; failed=1; }
    done
    paste -d ' ' <(losses one) <(losses two) | awk '
        { d = $4 > $2 ? $4 - $2 : $2 - $4; if (d / $2 > worst) worst = d / $2; if ($1 != $3) bad = 1; n++ }
        END { printf "%d losses of two ranks, worst relative difference %.2g\n", n, worst; exit !(n > 10 && worst <= 1e-4 && !bad) }' ||
        { echo "FAILED: losses differ with two ranks"; failed=1; }
fi
exit $failed
