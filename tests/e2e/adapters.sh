#!/usr/bin/env bash
# Adapters from the command line: a run of acquisition and two iterations of reflection whose checkpoints are small; stopped
# and resumed it comes to the same bits, and so it does for ranks; merged and exported it computes the same; the base is
# missed, or found where the folder was moved to; settings that make no sense are refused.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat > start.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 64, d_kv: 16, d_ff: 128, num_heads: 4}
acquisition: {steps: 120, batch_size: 16, interval: 1, learning_rate: 5e-3, dropout: 0, validate_every: 0}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
"$TINYTHINKER" run start.yaml --set name=start > start.log 2>&1 || die "no start" start.log

cat > adapt.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model:
  start: runs/start/best.h5
  adapters: {rank: 4, alpha: 8, targets: [q, v, wo]}
acquisition: {steps: 12, batch_size: 16, interval: 1, learning_rate: 1e-2, dropout: 0.1, log_every: 1, save_every: 5}
reflection: {iterations: 2, questions: 40, samples: 4, batch_size: 16, cycles: 1, learning_rate: 1e-2, log_every: 1,
  save_every: 1}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
"$TINYTHINKER" run adapt.yaml --set name=one > one.log 2>&1 || die "no run" one.log
grep -q "acquisition: trains adapters of rank 4 for q, v, wo" one.log || fail "nothing is said of the adapters" one.log

# Three sets of adapters of 9,216 numbers each, and no weights: those have 173,056. Moments are of one set.
size_of() { stat -c %s "$1"; }
rest=$(($(size_of runs/start/best.h5) - 4 * 173056)) # tokenizer and what HDF5 adds
[ "$(size_of runs/one/checkpoints/acquisition_best.h5)" -lt $((rest + 4 * 9216 + 60000)) ] || fail "large: acquisition_best.h5"
[ "$(size_of runs/one/checkpoints/reflection_2.h5)" -lt $((rest + 4 * 5 * 9216 + 180000)) ] || fail "large: reflection_2.h5"
"$TINYTHINKER" model show runs/one/checkpoints/reflection_2.h5 > show.txt || fail "cannot be shown"
grep -q "adapters *on $(realpath runs/start/best.h5), hash $("$TINYTHINKER" model show runs/start/best.h5 |
    sed -n 's/.*weights *hash \([0-9a-f]*\).*/\1/p')" show.txt || fail "another base" show.txt
[ "$(grep -c "rank 4, alpha 8, for q, v, wo" show.txt)" -eq 3 ] || fail "not three sets" show.txt

# The reference of each iteration is the student before its adapters: the preference begins at ln 2 and no margin, and moves.
field() { sed -n "s/.*\"$1\": \([^,]*\),.*/\1/p"; }
for k in 1 2; do
    first=$(grep "\"reflection_$k\", \"step\": 1, \"stage\"" runs/one/metrics.jsonl)
    later=$(grep "\"reflection_$k\", \"step\": 2, \"stage\": \"recall\"" runs/one/metrics.jsonl | field rewards.margins)
    awk -v l="$(field loss <<< "$first")" -v n="$(field nll_loss <<< "$first")" -v m="$(field rewards.margins <<< "$first")" \
        -v later="$later" 'BEGIN { d = l - 0.5 * n - 0.693147181
            exit !(d < 2e-6 && d > -2e-6 && m < 1e-5 && m > -1e-5 && later > 1e-5) }' ||
        fail "reflection_$k does not begin at its reference: $first; later $later"
done

# ---- the same bits where it is stopped, in every phase, and where layers are computed again; for two ranks, which divide the
# moments, the same but for rounding
alike() { # other run, file...
    local file other=$1
    shift
    for file in "$@"; do
        "$TINYTHINKER" diff "runs/one/$file" "runs/$other/$file" > diff.log 2>&1 || fail "$other: $file differs" diff.log
    done
}
[ -z "${TT_FAULTY:-}" ] || for at in 9 17 31; do
    { FAULTY_HOW=kill FAULTY_AT=$at FAULTY_DELAY=0 FAULTY_ONLY=metrics.jsonl FAULTY_FOLDER=$work/runs/stopped \
        LD_PRELOAD=$TT_FAULTY "$TINYTHINKER" run adapt.yaml --set name=stopped > stopped.log 2>&1; } 2> /dev/null
    [ $? = 137 ] || fail "not killed at $at" stopped.log
done
"$TINYTHINKER" run adapt.yaml --set name=stopped --set acquisition.recompute=layers --set reflection.recompute=layers \
    > stopped.log 2>&1 || fail "not resumed" stopped.log
alike stopped best.h5 checkpoints/{acquisition,acquisition_best,reflection_1,reflection_1_best,reflection_2}.h5
if have_mpi; then
    mpirun --oversubscribe -np 2 "$TINYTHINKER" run adapt.yaml --set name=two --set reflection.iterations=0 \
        --set acquisition.zero=1 > two.log 2>&1 ||
        fail "two ranks" two.log
    paste -d ' ' <(losses one) <(losses two) | awk 'NF == 4 { n++; d = $2 - $4; if (d < 0) d = -d; if (d > 1e-4 * $2) bad = 1 }
        END { exit !(n == 12 && !bad) }' || fail "two ranks have other losses" runs/two/metrics.jsonl
fi

# ---- merged
"$TINYTHINKER" model convert runs/one/checkpoints/acquisition.h5 -o whole.h5 > log 2>&1 || fail "not merged" log
"$TINYTHINKER" diff runs/one/checkpoints/acquisition.h5 whole.h5 > diff.log || fail "merged weights differ" diff.log
"$TINYTHINKER" diff runs/start/best.h5 whole.h5 > diff.log && fail "the adapters changed nothing" diff.log
"$TINYTHINKER" model export whole.h5 -o merged > log 2>&1 || fail "not exported" log
"$TINYTHINKER" model export runs/one/checkpoints/acquisition.h5 -o merged2 > log 2>&1 || fail "not exported at once" log
cmp merged/model.safetensors merged2/model.safetensors || fail "two ways, two exports"
expect 2 "no adapters: all its weights were trained" model export whole.h5 -o no --adapters

# A run without adapters goes on from an adapted student with weights of its own.
"$TINYTHINKER" run start.yaml --set name=after --set model.start=runs/one/best.h5 --set acquisition.steps=2 \
    > after.log 2>&1 || fail "whole training of an adapted student" after.log
"$TINYTHINKER" model show runs/after/best.h5 | grep -q adapters && fail "whole weights have adapters"

# ---- the base: found where it was moved to together with the adapters, else named
mkdir -p elsewhere/there
cp runs/one/best.h5 elsewhere/there/student.h5
mv runs/start/best.h5 elsewhere/best.h5
expect 0 "" model show elsewhere/there/student.h5
mv elsewhere/best.h5 kept.h5
expect 1 "student.h5: contains adapters for $work/runs/start/best.h5 .*which is missing; put it there or into the folder" \
    model show elsewhere/there/student.h5
cp whole.h5 elsewhere/there/best.h5
expect 1 "which cannot be used: .*there/best.h5: has changed: its weights' hash is [0-9a-f]* and was [0-9a-f]*; restore" \
    model show elsewhere/there/student.h5
cp runs/one/best.h5 runs/start/best.h5
expect 1 "one/best.h5: contains adapters for .*start/best.h5 .*which is missing" model show runs/one/best.h5
mv kept.h5 runs/start/best.h5
expect 0 "" model show elsewhere/there/student.h5

# A run that begins with a student whose base was found elsewhere names it there, and so does one that takes its phases from a run
# that found it at a third place.
base_of() { "$TINYTHINKER" model show "$1" | sed -n 's/.*adapters *on \(.*\), hash.*/\1/p'; }
mkdir d1
cp runs/start/best.h5 d1/whole.h5
short=(--set acquisition.steps=2 --set reflection.iterations=0)
"$TINYTHINKER" run adapt.yaml --set name=there --set model.start=d1/whole.h5 "${short[@]}" > log 2>&1 || fail "no adapters" log
cp runs/there/best.h5 d1/A.h5
cp -r d1 d2
mv d1 d3
printf 'name: NAME\nbase: adapt.yaml\nseeds: [1]\n' > names.yaml
for d in 2 3; do
    sed "s/NAME/from$d/" names.yaml > sweep.yaml
    "$TINYTHINKER" sweep sweep.yaml --set model.start=d$d/A.h5 "${short[@]}" > out.log 2> log || fail "a base found elsewhere" log
    [ $d = 2 ] || grep -q "acquisition: taken from" log || fail "adapters were trained again" log
    for file in runs/from$d/*/best.h5 runs/from$d/*/checkpoints/acquisition.h5; do
        [ "$(base_of "$file")" = "$(realpath d$d/whole.h5)" ] || fail "$file names $(base_of "$file")"
    done
done
rm -r d2

# ---- settings that make no sense
refuse() { # pattern, settings...
    local pattern=$1 sets=()
    shift
    for s in "$@"; do sets+=(--set "$s"); done
    expect 2 "$pattern" run adapt.yaml --set name=refused "${sets[@]}"
}
refuse "model.adapters.rank: .*-1.*0 to 65536" model.adapters.rank=-1
refuse "model.adapters.targets: .*query.*allowed are q, k, v, o, wi, wi_0, wi_1, wo" "model.adapters.targets=query"
refuse "model.adapters.targets: is empty" "model.adapters.targets="
refuse "model.adapters: adapters of rank 65 do not fit .*weight \[64, 64\]: expected a rank of 1 to 64" model.adapters.rank=65
refuse "model.adapters: adapters for wi_0, which this model does not have: its weights are q, k, v, o, wi, wo" \
    "model.adapters.targets=q, wi_0"
refuse "model.adapters.rank: is 4, but the student begins with random weights" model.start= \
    model.tokenizer=data/tokenizer.model reflection.iterations=0
"$TINYTHINKER" model init --tokenizer data/tokenizer.model -o random.h5 --d-model 16 --d-kv 4 --d-ff 32 > log 2>&1 || fail "init" log
"$TINYTHINKER" run adapt.yaml --set name=random --set model.start=random.h5 --set reflection.iterations=0 --set acquisition.steps=1 \
    > random.log 2>&1 || fail "random weights" random.log
grep -q "warning: model.adapters: random.h5 has random weights" random.log || fail "no warning of random weights" random.log
exit $failed
