#!/usr/bin/env bash
# A run of an earlier version, whose config.yaml lacks keys that were added since, is resumed and, when it is finished,
# shown. A key that it lacks has its default; another value is refused.
set -u
export OMP_NUM_THREADS=1
. "$(dirname "$0")/../common.sh"
"$TT_MAKE_FIXTURE" data || exit 1
cat >run.yaml <<'YAML'
name: run
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1,
  num_decoder_layers: 1, num_heads: 2, relative_attention_num_buckets: 8, relative_attention_max_distance: 12}
acquisition: {steps: 12, batch_size: 4, interval: 1, log_every: 1, validate_every: 2, save_every: 1, warmup: 0.25,
  validation_questions: 4}
evaluation: {max_length: 12, samples: 0, questions: 6}
YAML
failed=0
fail() { echo "FAILED: $*"; failed=1; }
grep_in() { grep -q -e "$1" "$2" || { fail "expected '$1':"; cat "$2"; }; }
forget() { sed -i -E '/^  (patience|reasonings|rationale_weight|early_stopping|targets|length_penalty): /d' "$1/config.yaml"; }

# As one that was stopped: with its last checkpoint and no result.
"$TINYTHINKER" run run.yaml >first.log 2>&1 || { cat first.log; exit 1; }
rm runs/run/result.json runs/run/result.txt
lines=$(wc -l <runs/run/config.yaml)
forget runs/run
[ "$(wc -l <runs/run/config.yaml)" -le $((lines - 7)) ] || fail "the lines are still there"

"$TINYTHINKER" run run.yaml --set acquisition.patience=3 >refused.log 2>&1
[ $? = 2 ] || fail "another patience was not refused with exit status 2"
grep_in '  acquisition.patience: 0 -> 3$' refused.log
[ "$(grep -c -e ' -> ' refused.log)" = 1 ] || { fail "more than one key is named:"; cat refused.log; }
[ -e runs/run/result.json ] && fail "it ran"

"$TINYTHINKER" run run.yaml >resumed.log 2>&1 || { fail "it was not resumed:"; cat resumed.log; }
[ -e runs/run/result.json ] || fail "no result"
"$TINYTHINKER" run run.yaml >shown.log 2>&1 || { fail "the finished run was not shown:"; cat shown.log; }
grep_in 'this run is finished' shown.log
grep_in 'greedy' shown.log
"$TINYTHINKER" run run.yaml --set acquisition.patience=3 >refused.log 2>&1 && fail "a finished run with another patience"
grep_in '  acquisition.patience: 0 -> 3$' refused.log

# In a sweep such runs count, and a report takes them for the same experiment.
printf 'name: s\nbase: run.yaml\nseeds: [1, 2]\naxes: {stages: [all]}\n' >sweep.yaml
"$TINYTHINKER" sweep sweep.yaml >sweep.log 2>&1 || { cat sweep.log; exit 1; }
one=$(find runs/s -name config.yaml | sort | head -n 1)
forget "${one%/config.yaml}"
"$TINYTHINKER" sweep sweep.yaml --dry-run >dry.log 2>&1 || { cat dry.log; failed=1; }
[ "$(grep -c finished dry.log)" -ge 2 ] || { fail "a run of the sweep does not count:"; cat dry.log; }
"$TINYTHINKER" report runs/s -o report.html >report.log 2>&1 || { cat report.log; failed=1; }
grep -q 'What the groups differ in' report.html && fail "the report has two groups"

# Runs of one variant in two precisions are told apart: `precision: auto` met two machines.
one=$(find runs/s -name config.yaml | sort | tail -n 1)
other=bf16
grep -q "^precision: .*bf16" "$one" && other=fp32
sed -i "s/^precision: .*/precision: \"$other\"/" "$one"
printf 'name: s\nbase: run.yaml\nset: {precision: auto}\nseeds: [1, 2]\naxes: {stages: [all]}\n' >sweep.yaml
"$TINYTHINKER" sweep sweep.yaml >mixed.log 2>&1 || { cat mixed.log; failed=1; }
grep_in 'note: runs of different precision are averaged in: all' mixed.log
"$TINYTHINKER" compare runs/s >mixed.log 2>&1 || { cat mixed.log; failed=1; }
[ "$(grep -c '^ *test, greedy .*%.*\[' mixed.log)" -ge 2 ] || { fail "one group of two precisions"; cat mixed.log; }

# A run that never reflected does not care what reflection's defaults were.
sed -i -e '/^reflection:/,/^[a-z]/{s/^  beta: .*/  beta: 0.1/;s/^  max_input: .*/  max_input: 512/}' runs/run/config.yaml
grep -q '  beta: 0.1' runs/run/config.yaml || fail "the test changes nothing"
"$TINYTHINKER" run run.yaml >shown.log 2>&1 || { fail "a key of a phase that the run has not:"; cat shown.log; }
"$TINYTHINKER" run run.yaml --set reflection.iterations=1 >refused.log 2>&1 && fail "reflection with another beta"
grep_in '  reflection.beta: 0.1 -> 0.5$' refused.log

# Files that a person keeps in a run's folder stay, also when it is started over.
mkdir -p runs/run/reflection_1 runs/run/reflection_1_old runs/run/predictions_reflection_plots
keep="checkpoints/keep_this.h5.backup checkpoints/acquisition_mine.h5 predictions_acquisition.jsonl.gz
    reflection_1_old/pairs.h5 reflection_1/my_runs.jsonl predictions_reflection_plots/a.png notes.md"
for file in $keep; do echo mine >"runs/run/$file"; done
echo "a run's" >runs/run/reflection_1/pairs.h5
echo "a run's" >runs/run/predictions_reflection_1.jsonl.123.tmp
"$TINYTHINKER" run run.yaml --fresh >fresh.log 2>&1 || { fail "--fresh"; cat fresh.log; }
for file in $keep; do [ "$(cat "runs/run/$file")" = mine ] || fail "--fresh removed $file"; done
for file in reflection_1/pairs.h5 predictions_reflection_1.jsonl.123.tmp; do
    [ ! -e "runs/run/$file" ] || fail "--fresh left $file"
done

# Starting over is checked before anything is removed; a result stays until a new one is there.
"$TINYTHINKER" run run.yaml --fresh --set corpus=data/typo.h5 >refused.log 2>&1 && fail "a corpus that is not there"
[ -s runs/run/result.json ] && [ -s runs/run/best.h5 ] || fail "--fresh removed a run before it was sure of the new one"
mv data/corpus.h5 data/moved.h5
"$TINYTHINKER" run run.yaml --set evaluation.questions=4 >refused.log 2>&1 && fail "scored without a corpus"
mv data/moved.h5 data/corpus.h5
[ -s runs/run/result.json ] || fail "a result is lost by scoring that failed"
grep -q 'questions: 6' runs/run/config.yaml || fail "the result's configuration is lost"
"$TINYTHINKER" run run.yaml --set evaluation.questions=4 >scored.log 2>&1 || { fail "scored again"; cat scored.log; }
grep -q '"n": 4' runs/run/result.json && grep -q 'questions: 4' runs/run/config.yaml || fail "not scored again"
"$TINYTHINKER" run run.yaml --set evaluation.questions=4 >shown.log 2>&1
grep_in 'this run is finished' shown.log

# What the run reads is not removed; a person's config.yaml is not replaced.
cp runs/run/corpus.h5 data/ 2>/dev/null
mkdir -p exp && cp data/corpus.h5 exp/ && cp run.yaml exp/config.yaml
"$TINYTHINKER" run exp/config.yaml --set output=. --set name=exp --set corpus=exp/corpus.h5 >refused.log 2>&1 &&
    fail "a run in the folder of its own input"
cmp -s data/corpus.h5 exp/corpus.h5 && cmp -s run.yaml exp/config.yaml || fail "an input was removed"
"$TINYTHINKER" run exp/config.yaml --set output=. --set name=exp >refused.log 2>&1 && fail "a person's config.yaml is replaced"
grep_in 'exp/config.yaml was not written by a run' refused.log

# Flags take true or false; one process in a directory.
before=$(stat -c %i runs/run/best.h5)
"$TINYTHINKER" run run.yaml --set evaluation.questions=4 --fresh=false >shown.log 2>&1 || { fail "--fresh=false"; cat shown.log; }
[ "$(stat -c %i runs/run/best.h5)" = "$before" ] || fail "--fresh=false starts over"
"$TINYTHINKER" run run.yaml --fresh=no >refused.log 2>&1 && fail "--fresh=no"
grep_in 'takes no value but true or false' refused.log
(
    exec 9<runs/run
    flock -n 9 || exit 1
    "$TINYTHINKER" run run.yaml --set evaluation.questions=4 9<&- >refused.log 2>&1 && exit 1
    exit 0
) || fail "two in one directory"
grep_in 'another process is running in this directory' refused.log

# A setting that the loss ignores is reported, not silently dropped.
"$TINYTHINKER" run run.yaml --set name=hinge --set acquisition.steps=1 --set reflection.iterations=1 \
    --set reflection.cycles=1 --set reflection.questions=2 --set reflection.samples=2 --set reflection.loss=hinge \
    --set reflection.label_smoothing=0.1 >hinge.log 2>&1
grep_in 'warning: reflection.label_smoothing is 0.1, but reflection.loss is hinge, which ignores it; losses that use it: sigmoid, robust' hinge.log
exit $failed
