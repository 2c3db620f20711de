#!/usr/bin/env bash
# Phases that runs of a sweep have in common are trained once, with the same result as if each run trained them; a run
# whose settings or files differ trains its own; a killed one is no obstacle; either run may be removed.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat >base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 60, batch_size: 16, interval: 1, learning_rate: 5e-3, validate_every: 0, save_every: 5}
reflection: {cycles: 1, samples: 3, temperature: 1.5, batch_size: 8}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
cat >sweep.yaml <<'YAML'
name: toy
base: base.yaml
axes: {reflection.iterations: [0, 2], evaluation.samples: [0, 3]}
YAML

# Four runs, three phases. A phase of two runs has one file.
files() { stat -c %i "$@" | sort -u | wc -l; }
"$TINYTHINKER" sweep sweep.yaml --dry-run >list.txt 2>err.log || fail "--dry-run" err.log
grep -q "^3 phases, each trained once; .* 8 in all; 3 are left$" list.txt || fail "the phases are counted wrong" list.txt
"$TINYTHINKER" sweep sweep.yaml >one.txt 2>err.log || fail "the sweep" err.log
[ "$(files runs/toy/*/checkpoints/acquisition.h5)" = 1 ] || fail "acquisition was trained more than once" err.log
[ "$(files runs/toy/*/checkpoints/reflection_2.h5)" = 1 ] || fail "reflection was trained more than once" err.log
"$TINYTHINKER" sweep sweep.yaml --dry-run >list.txt 2>err.log || fail "--dry-run" err.log
grep -q "0 are left$" list.txt || fail "phases are left" list.txt

# The same as a run alone: weights, pairs, log (but for times), answers.
"$TINYTHINKER" run base.yaml --set reflection.iterations=2 --set evaluation.samples=3 >alone.txt 2>err.log || fail "alone" err.log
timeless() { sed 's/"seconds": [^,}]*//' "$1"; }
for run in runs/toy/0{2,3}-*; do
    "$TINYTHINKER" diff --only weights "$run/best.h5" runs/run/best.h5 >diff.txt 2>&1 || fail "$run: weights" diff.txt
    cmp "$run/reflection_2/recall_runs.jsonl" runs/run/reflection_2/recall_runs.jsonl || fail "$run: runs"
    cmp <(timeless "$run/metrics.jsonl") <(timeless runs/run/metrics.jsonl) || fail "$run: metrics"
done
cmp runs/toy/03-*/predictions.jsonl runs/run/predictions.jsonl || fail "answers"

# The numbers stay when the sweep grows; phases of another sweep, and of a run, are found.
sed 's/\[0, 2\]/[0, 1, 2]/' sweep.yaml >more.yaml
"$TINYTHINKER" sweep more.yaml --dry-run >list.txt 2>err.log || fail "more values" err.log
for name in 00-iterations0-samples0-s1 03-iterations2-samples3-s1 04-iterations1-samples0-s1; do
    grep -q " $name " list.txt || fail "no run is called $name" list.txt
done
grep -q "; 0 are left$" list.txt || fail "reflection_1 is not found" list.txt
sed 's/toy/other/' sweep.yaml >other.yaml
"$TINYTHINKER" sweep other.yaml >other.txt 2>err.log || fail "another sweep" err.log
diff <(sed 's/^other/toy  /' other.txt) one.txt || fail "another sweep has another table"
[ "$(files runs/*/*/checkpoints/acquisition.h5)" = 1 ] || fail "another sweep trained acquisition again" err.log

# What changes the result is trained anew: a key, the seed, the content of a file; not where it lies.
left() { "$TINYTHINKER" sweep sweep.yaml --dry-run "$@" 2>&1 | sed -n 's/.*; \([0-9]*\) are left$/\1/p'; }
cp data/corpus.h5 moved.h5
[ "$(left --set corpus=moved.h5)" = 0 ] || fail "a file that was moved is trained anew"
[ "$(left --set evaluation.beams=2)" = 0 ] || fail "another way to score is trained anew"
[ "$(left --set reflection.beta=0.3)" = 2 ] || fail "another beta"
[ "$(left --set acquisition.learning_rate=4e-3)" = 3 ] || fail "another learning rate"
"$TINYTHINKER" corpus export data/corpus.h5 -o all.jsonl >export.log 2>&1 && sed '1d' all.jsonl >fewer.jsonl &&
    "$TINYTHINKER" corpus import jsonl fewer.jsonl -o moved.h5 >>export.log 2>&1 || fail "a corpus with fewer questions" export.log
[ "$(left --set corpus=moved.h5)" = 3 ] || fail "another file of the same name"

# Starting over: a run, with the same result; a phase, with those before it kept. Nothing is taken from others then.
run=runs/toy/03-iterations2-samples3-s1
before=$(files runs/toy/*/checkpoints/acquisition.h5)
"$TINYTHINKER" sweep sweep.yaml --only 3 --fresh-from reflection_2 >fresh.txt 2>err.log || fail "--fresh-from" err.log
[ "$(files runs/toy/*/checkpoints/reflection_1.h5)$(files runs/toy/*/checkpoints/reflection_2.h5)" = 12 ] ||
    fail "--fresh-from trained other phases again, or not this one" err.log
"$TINYTHINKER" diff --only weights $run/best.h5 runs/toy/02-*/best.h5 >diff.txt 2>&1 || fail "--fresh-from: weights" diff.txt
"$TINYTHINKER" sweep sweep.yaml --only 3 --fresh --jobs 1 >fresh.txt 2>err.log || fail "--fresh" err.log
[ "$before$(files runs/toy/*/checkpoints/acquisition.h5)" = 12 ] || fail "--fresh did not train acquisition again" err.log
"$TINYTHINKER" run base.yaml --set name=new --fresh-from reflection_9 >fresh.txt 2>err.log
[ $? = 2 ] && grep -q "it has acquisition" err.log || fail "a phase that is none" err.log
rm -r $run
"$TINYTHINKER" sweep sweep.yaml >again.txt 2>err.log || fail "once more" err.log
diff one.txt again.txt || fail "another table after starting over"

# Removing one of two runs leaves the other whole.
rm -r runs/toy/00-* runs/other runs/run
"$TINYTHINKER" sweep sweep.yaml >again.txt 2>err.log || fail "after a run was removed" err.log
diff one.txt again.txt || fail "another table after a run was removed"
[ "$(files runs/toy/*/checkpoints/acquisition.h5)" = 1 ] || fail "acquisition was trained again" err.log

# A phase is known by what its predecessor really began with, not by the files of today.
rm -r runs
"$TINYTHINKER" run base.yaml --set name=first --set acquisition.steps=5 >run.txt 2>err.log || fail "a start" err.log
"$TINYTHINKER" run base.yaml --set name=second --set acquisition.steps=9 >run.txt 2>err.log || fail "another start" err.log
cp runs/first/best.h5 start.h5
sed -i '$a set: {model.start: start.h5, evaluation.samples: 0}' sweep.yaml
sed -i 's/^axes:.*/axes: {reflection.iterations: [1]}/' sweep.yaml
"$TINYTHINKER" sweep sweep.yaml >one.txt 2>err.log || fail "from a start" err.log
cp runs/second/best.h5 start.h5
"$TINYTHINKER" sweep sweep.yaml --fresh-from reflection_1 >one.txt 2>err.log || fail "--fresh-from with another start" err.log
sed 's/toy/after/' sweep.yaml >after.yaml
"$TINYTHINKER" sweep after.yaml >after.txt 2>err.log || fail "from the other start" err.log
grep -q "taken from" err.log && fail "a phase was taken that began from another student" err.log

# A donor that is damaged is named and passed over; one that is gone is no harm.
for damage in "truncate -s 1000" "rm -f"; do
    for file in best.h5 metrics.jsonl checkpoints/acquisition.h5; do
        rm -rf runs/toy runs/after
        "$TINYTHINKER" sweep sweep.yaml >one.txt 2>err.log || fail "from a start" err.log
        $damage runs/toy/00-*/$file
        "$TINYTHINKER" sweep after.yaml >after.txt 2>err.log || fail "$damage $file of a donor" err.log
        grep -q "1 of 1" after.txt || fail "$damage $file of a donor: not trained" after.txt
    done
done

# Starting over removes nothing where the run cannot begin.
mv data/corpus.h5 away.h5
"$TINYTHINKER" sweep after.yaml --fresh-from acquisition >after.txt 2>err.log && fail "without a corpus"
mv away.h5 data/corpus.h5
[ -e runs/after/00-iterations1-s1/best.h5 ] || fail "--fresh-from removed a run that cannot begin again"
"$TINYTHINKER" sweep after.yaml --dry-run >list.txt 2>err.log
grep -q "00-iterations1-s1 *failed" list.txt || fail "a run that could not start over is not listed as failed" list.txt
rm runs/after/fresh.json

# A copy by hand does not take the place of its run; a folder that cannot be made fails alone.
for i in 1 2 3; do cp -r runs/after/00-iterations1-s1 runs/after/copy$i; done
"$TINYTHINKER" sweep after.yaml --dry-run >list.txt 2>err.log
grep -q "00-iterations1-s1 *finished" list.txt && grep -q "copy1: this folder is not counted, since the run in it is called 00-iterations1-s1" err.log ||
    fail "a copy by hand" list.txt err.log
mkdir -p runs/broken
touch runs/broken/00-iterations1-s1
sed 's/toy/broken/; s/\[1\]/[1, 2]/' sweep.yaml >broken.yaml
"$TINYTHINKER" sweep broken.yaml >broken.txt 2>err.log && fail "a folder that cannot be made"
grep -q "00-iterations1-s1 failed: .*00-iterations1-s1" err.log && grep -q "^iterations2  *1 of 1" broken.txt ||
    fail "a folder that cannot be made" err.log broken.txt

# Two processes: the second waits for the phase of the first, and takes it over when the first is killed.
rm -r runs
cat >sweep.yaml <<'YAML'
name: toy
base: base.yaml
axes: {evaluation.samples: [0, 3]}
YAML
"$TINYTHINKER" sweep sweep.yaml --only 0 --set acquisition.steps=5000 >first.log 2>&1 &
first=$!
until [ -e runs/toy/00-samples0-s1/checkpoints/acquisition.h5 ] || ! kill -0 $first 2>/dev/null; do sleep 0.05; done
"$TINYTHINKER" sweep sweep.yaml --only 1 --set acquisition.steps=5000 >second.log 2>&1 &
second=$!
until grep -q "wait for phases that other runs are training" second.log || ! kill -0 $second 2>/dev/null; do sleep 0.1; done
[ -e runs/toy/01-samples3-s1/checkpoints/acquisition.h5 ] && fail "both train the same"
kill -9 $first
wait $first 2>/dev/null
until [ -e runs/toy/01-samples3-s1/checkpoints/acquisition.h5 ] || ! kill -0 $second 2>/dev/null; do sleep 0.1; done
kill -INT $second
wait $second
[ $? = 130 ] || fail "the second did not go on" second.log
# Numbers and names stay for runs that have not begun, and however a value is written.
rm -rf runs
cat >sweep.yaml <<'YAML'
name: toy
base: base.yaml
axes: {reflection.beta: [0.5, 0.1]}
YAML
"$TINYTHINKER" sweep sweep.yaml --slurm job.sh >job.txt 2>err.log || fail "--slurm" err.log
sed -i 's/0.5, 0.1/0.3, 1e-1, 0.50/' sweep.yaml
"$TINYTHINKER" sweep sweep.yaml --dry-run >list.txt 2>err.log || fail "more values" err.log
for line in "2  02-beta0.3-s1" "1  01-beta0.1-s1" "0  00-beta0.5-s1"; do
    grep -q "^ *$line " list.txt || fail "another number: $line" list.txt
done

# Adapters that were taken name the base that their own run has: its start, or a file in its directory.
base_of() { "$TINYTHINKER" model show "$1" | sed -n 's/.*adapters *on \(.*\), hash.*/\1/p'; }
"$TINYTHINKER" run base.yaml --set name=whole >out.txt 2>err.log || fail "a start" err.log
cp runs/whole/best.h5 first.h5
cp runs/whole/best.h5 second.h5
cat >adapt.yaml <<'YAML'
name: adapt
base: base.yaml
set: {model.adapters.rank: 4, reflection.iterations: 1}
seeds: [1]
YAML
for name in first second; do
    sed "s/^name: adapt/name: $name/" adapt.yaml >$name.yaml
    "$TINYTHINKER" sweep $name.yaml --set model.start=$name.h5 --set model.tokenizer= >out.txt 2>$name.log || fail "$name" $name.log
    for file in runs/$name/*/best.h5 runs/$name/*/checkpoints/acquisition{,_best}.h5; do
        [ "$(base_of "$file")" = "$(realpath $name.h5)" ] || fail "$file names $(base_of "$file")"
    done
done
grep -q "acquisition: taken from" second.log && grep -q "reflection_1: taken from" second.log || fail "adapters were trained again" second.log
rm -r first.h5 runs/first
"$TINYTHINKER" eval --model runs/second/*/best.h5 --corpus data/corpus.h5 >out.txt 2>err.log || fail "adapters without their base" err.log
for name in third fourth; do
    sed "s/^name: adapt/name: $name/" adapt.yaml >$name.yaml
    "$TINYTHINKER" sweep $name.yaml --set pretraining.enabled=true --set pretraining.text=[data/text.txt] --set pretraining.steps=3 \
        --set pretraining.window=32 --set acquisition.steps=5 --set reflection.iterations=0 >out.txt 2>$name.log || fail "$name" $name.log
    run=$(realpath runs/$name/*/)
    [ "$(base_of "$run/best.h5")" = "$run/checkpoints/pretraining_best.h5" ] || fail "$name names $(base_of "$run/best.h5")" $name.log
done
grep -q "acquisition: taken from" fourth.log || fail "adapters were trained again" fourth.log

# Many processes on one sweep: every run is run, and nothing is written outside; not as root, if that can be.
rm -rf runs
cat >sweep.yaml <<'YAML'
name: toy
base: base.yaml
set: {acquisition.steps: 5}
axes: {evaluation.samples: [0, 1, 2, 3, 4, 5]}
YAML
someone=()
before_all=$(ls -a / | cksum)
[ "$(id -u)" != 0 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$TINYTHINKER" 2>/dev/null ||
    { chown -R 65534:65534 . && someone=(setpriv --reuid=65534 --regid=65534 --clear-groups); }
for i in 0 1 2 3 4 5; do "${someone[@]}" "$TINYTHINKER" sweep sweep.yaml --only $i >$i.txt 2>$i.log & done
wait
[ "$(ls runs/toy/*/result.json | wc -l)" = 6 ] || fail "six processes on one sweep" ?.log
"${someone[@]}" "$TINYTHINKER" sweep sweep.yaml >all.txt 2>err.log || fail "not as root" err.log
[ "$(files runs/toy/*/checkpoints/acquisition.h5)" = 1 ] || fail "several processes trained the same"
[ -d runs ] && [ "$before_all" = "$(ls -a / | cksum)" ] || fail "something was written into the root of the file system"
exit $failed
