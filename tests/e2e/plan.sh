#!/usr/bin/env bash
# What `plan` says a run will take, and what the run then counts: within a tenth, for each part of a run, on the CPU. What it
# advises does what it says. It writes nothing, and refuses what it cannot plan.
set -u
. "$(dirname "$0")/../common.sh"
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 120, batch_size: 16, interval: 1, learning_rate: 5e-3, dropout: 0, validate_every: 0}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
cat > reflect.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {start: runs/base/best.h5}
acquisition: {enabled: false}
reflection: {iterations: 1, questions: 40, samples: 4, batch_size: 16, cycles: 1, learning_rate: 3e-4}
evaluation: {max_length: 16, samples: 3, beams: 2}
precision: fp32
YAML
cat > adapt.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {start: runs/base/best.h5, adapters: {rank: 8, targets: [q, v, wi, wo]}}
acquisition: {steps: 4, batch_size: 16, interval: 1, validate_every: 0}
evaluation: {splits: []}
precision: fp32
YAML
cat > read.yaml <<'YAML'
threads: 2
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 96, d_kv: 24, d_ff: 256, num_heads: 4,
  num_layers: 3, feed_forward: gated-gelu, tie_word_embeddings: false}
pretraining: {enabled: true, text: [data/text.txt], pairs: [data/pairs.jsonl], steps: 12, batch_size: 32, accumulate: 2}
acquisition: {enabled: false}
precision: fp32
YAML

# The peak of a phase, or the evaluation, in bytes: what the run counted; the largest of what was planned for its parts.
counted() { # log, part
    awk -v part="$2: at most" 'BEGIN { unit["B"] = 1; unit["kB"] = 1e3; unit["MB"] = 1e6; unit["GB"] = 1e9 }
        index($0, part) == 1 { print $4 * unit[$5] }' "$1"
}
planned() { # JSON, part
    awk -v part="\"part\": \"$2" 'index($0, part) { inside = 1 } inside && /"total"/ { gsub(/[^0-9]/, "")
        if ($0 + 0 > most) most = $0 + 0; inside = 0 } END { printf "%.0f\n", most }' "$1"
}
compare() { # configuration, parts
    local name=$1 part
    "$TINYTHINKER" plan "$name.yaml" --set name="$name" --json > "$name.json" 2> "$name.err" || die "plan $name" "$name.err"
    "$TINYTHINKER" run "$name.yaml" --set name="$name" > "$name.log" 2>&1 || die "run $name" "$name.log"
    [ -s "$name.err" ] && fail "the plan of $name is not silent" "$name.err"
    for part in "${@:2}"; do
        a=$(planned "$name.json" "$part") b=$(counted "$name.log" "$part")
        echo "$name, $part: $a planned, $b taken"
        awk -v a="$a" -v b="$b" 'BEGIN { exit !(b > 0 && a > 0.9 * b && a < 1.1 * b) }' ||
            fail "$name, $part: $a planned, $b taken" "$name.json"
    done
}
compare base acquisition evaluation
compare reflect reflection_1 evaluation
compare adapt acquisition
compare read pretraining
steps() { sed -n 's/.*"steps": \([0-9]*\),.*/\1/p' "$1" | head -n 1; }
# A run that has made its pairs says how many there are; so does another with as many samples, and none with other ones.
"$TINYTHINKER" plan reflect.yaml --set name=reflect --json >known.json || fail "a plan with known pairs"
grep -q '"pairs_of": null' reflect.json && grep -q '"pairs_of": "runs/reflect"' known.json || fail "whose pairs?" known.json
mv known.json reflect.json
"$TINYTHINKER" plan reflect.yaml --set name=new --set reflection.iterations=2 --like runs/reflect --json >like.json || fail "--like"
[ "$(grep -c "\"steps\": $(steps reflect.json)," like.json)" = 2 ] || fail "two iterations like one" like.json
"$TINYTHINKER" plan reflect.yaml --set name=new --set reflection.samples=6 --like runs/reflect >like.txt || fail "--like, other samples"
grep -q "whose number is assumed" like.txt || fail "pairs of other samples" like.txt
for name in base read reflect; do
    [ "$(steps $name.json)" = "$(steps runs/$name/result.json)" ] || fail "$name: other steps" "$name.json"
done

# Nothing but what the runs wrote.
before=$(find . -type f | sort | cksum)
"$TINYTHINKER" plan base.yaml --set name=other > plan.txt 2> plan.err || fail "plan" plan.err
[ "$before" = "$(find . -type f ! -name 'plan.*' | sort | cksum)" ] || fail "a plan leaves files: $(find . -newer read.log)"
[ "$(awk 'length > 80' plan.txt | wc -l)" = 0 ] || fail "a line is longer than 80 columns" plan.txt

# What makes it fit: with the settings that it names, the plan fits, and the run takes no more.
shown=(advice.txt)
"$TINYTHINKER" plan base.yaml --memory 1T > advice.txt && grep -q "^  fits: " advice.txt && ! grep -q -- --set advice.txt ||
    fail "plenty of memory"
beside=$(sed -n 's/^  "beside": \([0-9]*\),$/\1/p' base.json)
limit=$(((beside + $(planned base.json acquisition) * 7 / 10) / 1000))k # its own memory differs a little each time
"$TINYTHINKER" plan base.yaml --memory "$limit" > advice.txt || fail "little memory"
grep -q "^  does not fit: " advice.txt || fail "does it fit?"
grep -q -- "--set acquisition.accumulate=2" advice.txt || fail "no advice"
mapfile -t settings < <(sed -n 's/^  --set \([^ ]*\) .*/\1/p' advice.txt)
"$TINYTHINKER" run base.yaml --set name=less "${settings[@]/#/--set=}" > less.log 2>&1 || fail "advice" less.log
last=$(sed -n 's/^  --set [^ ]* *\([0-9.]*\) MB.*/\1/p' advice.txt | tail -n 1)
awk -v a="$last" -v beside="$beside" -v b="$(counted less.log acquisition)" '
    BEGIN { d = a * 1e6 - beside - b; exit !(b > 0 && d > -0.1 * b - 1e6 && d < 0.1 * b + 1e6) }' ||
    fail "with ${settings[*]}: $last MB planned, with $beside beside it" less.log
"$TINYTHINKER" plan base.yaml --memory 1m > advice.txt && grep -q "not enough" advice.txt || fail "too little memory"
grep -q "adapters" advice.txt && fail "adapters on random weights" advice.txt
"$TINYTHINKER" plan base.yaml --set model.start=runs/base/best.h5 --memory "1 MB" > advice.txt || fail "too little memory"
grep -q "train adapters" advice.txt || fail "no adapters" advice.txt
"$TINYTHINKER" plan adapt.yaml --memory 1mb > advice.txt || fail "too little memory for adapters"
grep -q "lower model.adapters.rank" advice.txt && ! grep -q "train adapters" advice.txt || fail "adapters for adapters" advice.txt

# Rank 0 plans, for all ranks.
if have_mpi; then
    mpirun --oversubscribe -np 2 "$TINYTHINKER" plan base.yaml > ranks.txt 2> ranks.err || fail "two ranks" ranks.err
    [ "$(grep -c "2 ranks on CPUs" ranks.txt)" = 1 ] && [ "$(grep -c "^  evaluation" ranks.txt)" = 1 ] || fail "two ranks" ranks.txt
    mpirun --oversubscribe -np 2 "$TINYTHINKER" run base.yaml --set name=ranks > ranks.log 2>&1 || fail "two ranks" ranks.log
    a=$(sed -n 's/^  acquisition .* \([0-9.]*\)$/\1/p; s/^    validation .* \([0-9.]*\)$/\1/p' ranks.txt | sort -n | tail -n 1)
    b=$(sed -n 's/^acquisition (rank [01] of 2): at most \([0-9.]*\) MB.*/\1/p' ranks.log)
    awk -v a="$a" -v b="$b" 'BEGIN { exit !(b > 0 && a > 0.9 * b && a < 1.1 * b) }' ||
        fail "two ranks: $a MB planned, $b taken" ranks.txt ranks.log
fi

# Ranks that differ: of a batch of one long task and many short ones, rank 0 gets the long one, and rank 1 more answers,
# which take more memory. Batches of 128 and of more.
if have_mpi; then
    for n in 128 300; do
        awk -v n=$n 'BEGIN {
            for (i = 0; i < 1000; ++i) long = long " a"
            printf "{\"input\": \"%s\", \"target\": \"a\"}\n", long
            for (i = 1; i < n; ++i) printf "{\"input\": \"a\", \"target\": \"a a a a a a a a\"}\n" }' > differ.jsonl
        cat > differ.yaml <<YAML
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 64, d_kv: 16, d_ff: 128, num_heads: 4, num_layers: 1,
  num_decoder_layers: 4}
pretraining: {enabled: true, pairs: [differ.jsonl], pairs_share: 1, steps: 4, batch_size: $n, max_input: 4096, validate_every: 0,
  validation_questions: 4}
acquisition: {enabled: false}
precision: fp32
YAML
        mpirun --oversubscribe -np 2 "$TINYTHINKER" plan differ.yaml --json > differ.json 2> differ.err || fail "ranks that differ" differ.err
        mpirun --oversubscribe -np 2 "$TINYTHINKER" run differ.yaml --set name=differ$n > differ.log 2>&1 || fail "ranks that differ" differ.log
        a=$(planned differ.json pretraining) b=$(sed -n 's/^pretraining (rank 1 of 2): at most \([0-9.]*\) MB.*/\1/p' differ.log)
        echo "ranks that differ, $n: $a planned, $b MB taken by rank 1"
        awk -v a="$a" -v b="$b" 'BEGIN { b *= 1e6; exit !(b > 0 && a > 0.9 * b && a < 1.1 * b) }' ||
            fail "ranks that differ, $n: $a planned, $b MB taken by rank 1" differ.json differ.log
    done
fi

# Large students, without their memory: 11 billion parameters have 11.3e9 x 16 bytes of state. Eight ranks have an eighth of the
# batch each.
(ulimit -v 4000000 && "$TINYTHINKER" plan base.yaml --set model.shape=t5-11b --gpus 8 --memory 80G --speed 1000 --watts 700 \
    --json) > large.json 2> large.err || fail "t5-11b" large.err
grep -q '"fits": false' large.json || fail "11 billion parameters fit into 80 GB" large.json
moments=$(sed -n 's/.*"moments": \([0-9]*\),/\1/p' large.json | head -n 1)
parameters=$(sed -n 's/.*"parameters": \([0-9]*\),/\1/p' large.json)
[ "$parameters" -gt 11000000000 ] && [ "$moments" = $((8 * parameters)) ] || fail "its moments" large.json
awk '/"hours"/ { gsub(/[^0-9.e-]/, ""); hours = $0 } /"kwh"/ { gsub(/[^0-9.e-]/, ""); kwh = $0 }
    END { d = kwh - hours * 5.6; exit !(hours > 0 && d * d < 1e-12) }' large.json || fail "energy" large.json
"$TINYTHINKER" plan base.yaml --like runs/base --json > like.json && grep -q '"hours"' like.json || fail "--like"

# What it refuses.
printf 'name: two\nbase: base.yaml\nseeds: [1, 2]\n' > sweep.yaml
expect 2 "'banana' is not an amount of memory&&80G" plan base.yaml --memory banana
expect 2 "--gpus" plan base.yaml --gpus 0
expect 2 "device: cpu&&--set device=cuda" plan base.yaml --gpus 2 --set device=cpu
expect 2 "sweep of 2 runs&&base.yaml&&--set" plan sweep.yaml
expect 2 "--watts needs a speed" plan base.yaml --watts 300
expect 2 "not both" plan base.yaml --speed 3 --like runs/base
expect 1 "runs/none/result.json" plan base.yaml --like runs/none
expect 1 "nowhere.h5" plan base.yaml --set corpus=nowhere.h5
expect 2 "corpus: is empty" plan base.yaml --set corpus=
expect 2 "nearest|did you mean&&accumulate" plan base.yaml --set acquisition.acumulate=2
expect 1 "nothing.h5" plan base.yaml --set model.start=nothing.h5
expect 2 "set start to a checkpoint" plan base.yaml --set model.tokenizer=
exit $failed
