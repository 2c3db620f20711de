#!/usr/bin/env bash
# What users get wrong, and what machines do to them: each with its exit status and a message that names the
# place, and with everything saved before still there.
set -u
[ -x "$TINYTHINKER" ] || { echo "no program at $TINYTHINKER"; exit 1; }
. "$(dirname "$0")/../common.sh"
make_data

cat > good.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
pretraining: {text: [data/text.txt], pairs: [data/pairs.jsonl], window: 32, steps: 8, batch_size: 8}
acquisition: {steps: 20, batch_size: 8, interval: 1, save_every: 5, validate_every: 0}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
pretrain="--set pretraining.enabled=true --set acquisition.enabled=false"

intact() { "$TINYTHINKER" model show "$1" > /dev/null 2> err.log || { echo "FAILED: $1 is lost"; cat err.log; failed=1; }; }

# Configurations.
expect 2 "'ru'&&run" ru good.yaml
expect 2 "missing.yaml" run missing.yaml
sed 's/batch_size: 8, interval/batchsize: 8, interval/' good.yaml > typo.yaml
expect 2 "typo.yaml:5&&batchsize&&batch_size" run typo.yaml
sed 's/d_model: 16/d_model: wide/' good.yaml > type.yaml
expect 2 "type.yaml:3&&d_model&&whole number" run type.yaml
expect 2 "learning_rate&&range" run good.yaml --set acquisition.learning_rate=-1
expect 2 "fp16&&overflow" run good.yaml --set precision=fp16
expect 2 "aquisition&&acquisition.steps" run good.yaml --set aquisition.steps=3
expect 2 "model: .*tokenizer" run good.yaml --set model.tokenizer=
expect 2 "corpus" run good.yaml --set corpus=

# Files.
expect 1 "nowhere.h5" run good.yaml --set corpus=nowhere.h5
expect 1 "nowhere.h5" run good.yaml --set model.start=nowhere.h5
head -c $(($(wc -c < data/corpus.h5) / 2)) data/corpus.h5 > cut.h5
expect 1 "cut.h5" run good.yaml --set corpus=cut.h5
expect 1 "text.h5" run good.yaml --set corpus=text.h5
cp data/text.txt text.h5
expect 1 "text.h5" run good.yaml --set corpus=text.h5
expect 1 "corpus.h5" run good.yaml --set model.start=data/corpus.h5
expect 1 "text.txt" run good.yaml --set model.tokenizer=data/text.txt
{ head -n 2 data/pairs.jsonl; echo '{"input": "no target"}'; } > pairs.jsonl
expect 2 "pairs.jsonl:3&&target" run good.yaml $pretrain --set pretraining.pairs=[pairs.jsonl]
printf 'fine\nbad \xff byte\n' > latin.txt
expect 2 "latin.txt:2&&UTF-8" run good.yaml $pretrain --set pretraining.text=[latin.txt]
expect 2 "pretraining: .*text" run good.yaml $pretrain --set pretraining.text=[] --set pretraining.pairs=[]
cat > one.jsonl <<'JSON'
{"id": "one", "question": "What colour is the balo?", "options": ["red", "blue"], "gold": 0, "split": "train", "general": "The balo is red.", "specific": ["red fits.", "blue does not fit."]}
JSON
expect 0 "" corpus import jsonl one.jsonl --tokenizer data/tokenizer.model --extra-ids 7 -o other.h5
expect 2 "other.h5|tokenizer" run good.yaml --set corpus=other.h5

# A plan of the teacher away from the shipped files: without their prices the cost is not known; a table that the plan names
# is there, and every file is named with its key.
printf 'questions: data/corpus.h5\ncorpus: taught.h5\nmodel: m\nprompts: %s\ntokenizer: data/tokenizer.model\n' \
    "$TT_SOURCE_DIR/datasets/prompts/everyday.yaml" > teach.yaml
expect 0 "" teach teach.yaml --estimate
grep -q "cost  *not known; add m to the price table" out.log || { echo "FAILED: teach without prices"; cat out.log; failed=1; }
TT_DATA=$TT_SOURCE_DIR expect 0 "reading $TT_SOURCE_DIR/datasets/prompts/prices.yaml" teach teach.yaml --estimate
expect 2 "budget: datasets/prompts/prices.yaml has no price of m" teach teach.yaml --set budget=1 --estimate
for key in prices questions prompts tokenizer; do
    expect 1 "$key: .*nowhere.*: (cannot open|no such file)" teach teach.yaml --set $key=nowhere --estimate
done
sed -i '/tokenizer/d' teach.yaml
expect 1 "tokenizer: its default .*TT_DATA.*datasets/everyday/student.h5: " teach teach.yaml --estimate

# Run directories.
expect 1 "run directory&&/proc/nobody" run good.yaml --set output=/proc/nobody
expect 1 "run directory&&text.txt" run good.yaml --set output=data/text.txt

# A run that stands: another configuration is refused and nothing is touched; --fresh starts over.
expect 0 "" run good.yaml
sum=$(cksum < runs/run/best.h5)
expect 2 "seed: 1 -> 2&&acquisition.steps: 20 -> 21&&--fresh" run good.yaml --set seed=2 --set acquisition.steps=21
[ "$sum" = "$(cksum < runs/run/best.h5)" ] || { echo "FAILED: a refused run changed best.h5"; failed=1; }
expect 0 "finished" run good.yaml --set threads=2
cp runs/run/best.h5 before.h5
expect 0 "" run good.yaml --set seed=2 --fresh
# By weights: times differ in any case.
"$TINYTHINKER" diff before.h5 runs/run/best.h5 >diff.log 2>&1 && { echo "FAILED: --fresh changed no weight"; cat diff.log; failed=1; }

# A --fresh that could not remove all leaves no old weights to a run of another configuration; nor does a run whose
# configuration is gone.
sed 's/steps: 20/steps: 2/; s/save_every: 5/save_every: 1/' good.yaml > few.yaml
expect 0 "" run few.yaml --set name=half
cp runs/half/best.h5 first.h5
rm runs/half/predictions.jsonl
mkdir runs/half/predictions.jsonl
expect 1 "half/predictions.jsonl: cannot remove" run few.yaml --set name=half --set seed=9 --fresh
[ -e runs/half/config.yaml ] && [ ! -e runs/half/best.h5 ] || { echo "FAILED: the order of removing"; ls runs/half; failed=1; }
rmdir runs/half/predictions.jsonl
expect 0 "" run few.yaml --set name=half --set seed=9
! "$TINYTHINKER" diff runs/half/best.h5 first.h5 > diff.log 2>&1 || { echo "FAILED: old weights were taken for new ones"; failed=1; }
rm runs/half/config.yaml
expect 2 "half: its checkpoints or results have no config.yaml.*--fresh" run few.yaml --set name=half --set seed=9
[ -e runs/half/best.h5 ] || { echo "FAILED: a refused run removed its weights"; failed=1; }
expect 0 "" run few.yaml --set name=half --fresh
"$TINYTHINKER" diff runs/half/best.h5 first.h5 > diff.log 2>&1 || { echo "FAILED: --fresh did not start over"; cat diff.log; failed=1; }

# What a killed run left is no progress, and goes with the next start; what else is there stays.
mkdir -p runs/killed/checkpoints runs/killed/reflection_1
left="best.h5.77.tmp checkpoints/acquisition.h5.77.tmp reflection_1/pairs.h5.8.tmp predictions_acquisition.jsonl.9.tmp"
for file in $left notes.tmp checkpoints/mine.h5.3.tmp; do echo torn > runs/killed/$file; done
sed 's/seed: 1/seed: 5/; s/^name: .*/name: "killed"/' runs/half/config.yaml > runs/killed/config.yaml
expect 0 "" run few.yaml --set name=killed # another seed: a configuration without progress may be corrected
for file in $left; do [ ! -e runs/killed/$file ] || { echo "FAILED: $file stayed"; failed=1; }; done
[ -e runs/killed/notes.tmp ] && [ -e runs/killed/checkpoints/mine.h5.3.tmp ] || { echo "FAILED: a person's file is gone"; failed=1; }
for file in failed.txt sweep.json log.txt lock; do
    echo "of the sweep" > runs/half/$file
    expect 2 "belongs to the run" report runs/half -o runs/half/$file
done
expect 0 "" run few.yaml --set name=half --fresh
grep -q "of the sweep" runs/half/log.txt && grep -q "of the sweep" runs/half/sweep.json ||
    { echo "FAILED: --fresh removed what the sweep wrote"; failed=1; }

# A checkpoint with a flipped byte is not resumed from.
cp -r runs/run runs/hurt
rm runs/hurt/result.json
sed -i 's/^name: .*/name: "hurt"/' runs/hurt/config.yaml
at=$(($(wc -c < runs/hurt/checkpoints/acquisition.h5) / 2))
printf '\xa5\x5a\xa5\x5a' | dd of=runs/hurt/checkpoints/acquisition.h5 bs=1 seek=$at conv=notrunc 2> /dev/null
expect 1 "hurt/checkpoints/acquisition.h5" run good.yaml --set seed=2 --set name=hurt

# Numbers that explode: such steps are skipped, and after a few in a row the run says where the last good weights are.
explode=(--set acquisition.steps=400 --set acquisition.validate_every=1 --set acquisition.learning_rate=10
    --set acquisition.warmup=1 --set acquisition.weight_decay=10 --set acquisition.skip_limit=3)
ended="is not finite at step [0-9]*, nor was it in the 2 steps before"
expect 1 "the step is skipped .1 in a row, 1 in all&&$ended&&last good checkpoint is runs/explode/checkpoints/acquisition.h5, after step [1-9]" \
    run good.yaml --set name=explode "${explode[@]}"
intact runs/explode/best.h5
intact runs/explode/checkpoints/acquisition.h5
tail -n 1 runs/explode/metrics.jsonl | grep -Eq '"not_finite": "(loss|grad_norm)", "skipped_steps": [1-9]' ||
    { echo "FAILED: the last step is not in metrics.jsonl as skipped"; tail -n 1 runs/explode/metrics.jsonl; failed=1; }

# A disk that is full (a file size limit does the same to a program that ignores its signal).
(trap '' XFSZ; ulimit -f 24; timeout 60 "$TINYTHINKER" run good.yaml --set name=full > out.log 2> err.log)
[ $? -eq 1 ] && grep -q 'full/' err.log || { echo "FAILED: full disk:"; cat err.log; failed=1; }
ls runs/full/checkpoints | grep -v '\.h5$' && { echo "FAILED: a temporary file stayed"; failed=1; }
expect 0 "" run good.yaml --set name=full

# Ctrl-C: progress is saved, the exit status is 130, and the next start resumes.
long="--set name=stop --set acquisition.steps=100000 --set acquisition.save_every=0 --set acquisition.log_every=1"
lines() { cat runs/stop/metrics.jsonl 2> /dev/null | wc -l; }
for signal in INT TERM; do
    before=$(lines)
    "$TINYTHINKER" run good.yaml $long > out.log 2> err.log &
    pid=$!
    until [ "$(lines)" -ge $((before + 10)) ] || ! kill -0 $pid 2> /dev/null; do sleep 0.05; done
    kill -$signal $pid
    wait $pid
    status=$?
    [ $status -eq 130 ] || { echo "FAILED: $signal: exit status $status"; cat err.log; failed=1; }
    grep -q "acquisition: stopped after step" err.log || { echo "FAILED: $signal:"; cat err.log; failed=1; }
    cp err.log last.log
    intact runs/stop/checkpoints/acquisition.h5
done
grep -q "resuming after step [1-9]" last.log || { echo "FAILED: did not resume"; cat last.log; failed=1; }

# Started over, it would start over again.
"$TINYTHINKER" run good.yaml $long --set name=anew --fresh > out.log 2> err.log &
pid=$!
until [ -s runs/anew/metrics.jsonl ] || ! kill -0 $pid 2> /dev/null; do sleep 0.05; done
kill -INT $pid
wait $pid
[ $? -eq 130 ] && grep -q "progress is saved: run the same command without --fresh to resume" err.log ||
    { echo "FAILED: asked after --fresh:"; cat err.log; failed=1; }

# A signal before the work has begun ends a run at once, with a word: here while its configuration is read, and nothing removed yet.
mkfifo slow.yaml
"$TINYTHINKER" run slow.yaml --fresh > out.log 2> err.log &
pid=$!
exec 7> slow.yaml # the program has opened it
kill -TERM $pid
wait $pid
status=$?
exec 7>&-
[ $status -eq 143 ] && grep -q "ended at once.*run the same command again to resume" err.log ||
    { echo "FAILED: a signal at the start: exit status $status"; cat err.log; failed=1; }

# Ranks: an error that all see is told once; nobody hangs.
if have_mpi; then
    export OMP_NUM_THREADS=1
    timeout 60 mpirun --oversubscribe -np 3 "$TINYTHINKER" run good.yaml --set corpus=cut.h5 --set name=ranks \
        > out.log 2> err.log
    status=$?
    [ $status -eq 1 ] || { echo "FAILED: ranks: exit status $status"; cat err.log; failed=1; }
    [ "$(grep -c 'cut.h5' err.log)" = 1 ] || { echo "FAILED: the error was not reported once:"; cat err.log; failed=1; }

    # Ranks skip the same steps, else they would wait for each other.
    timeout 60 mpirun --oversubscribe -np 2 "$TINYTHINKER" run good.yaml "${explode[@]}" --set name=explode2 > out.log 2> err.log
    status=$?
    [ $status -eq 1 ] && [ "$(grep -c "$ended" err.log)" = 1 ] ||
        { echo "FAILED: ranks with numbers that explode: exit status $status"; cat err.log; failed=1; }
fi
exit $failed
