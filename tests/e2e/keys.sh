#!/usr/bin/env bash
# Every key of a configuration does something: a run with another value comes to something else. Keys that must not
# change what comes out (where it computes, when it saves), and those that this cannot try, are named below; a key
# that is in neither list fails.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

# Not tried: it says where things are, how they are computed or kept, or what is tried elsewhere.
untried="name device precision threads output log model.shape corpus evaluation.early_stopping
    pretraining.accumulate acquisition.accumulate reflection.accumulate
    pretraining.recompute acquisition.recompute reflection.recompute
    pretraining.zero acquisition.zero reflection.zero
    pretraining.reduction acquisition.reduction reflection.reduction
    pretraining.skip_limit acquisition.skip_limit reflection.skip_limit checkpoints.keep" # known shapes, worlds and early stopping: unit tests and the other scripts here

cat > random.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1,
  num_decoder_layers: 1, num_heads: 2, relative_attention_num_buckets: 8, relative_attention_max_distance: 12}
pretraining: {steps: 6, batch_size: 4, window: 24, log_every: 1, validate_every: 3, warmup: 0.4, validation_questions: 4,
  text: [data/text.txt], pairs: [data/pairs.jsonl]}
acquisition: {steps: 6, batch_size: 4, interval: 1, log_every: 1, validate_every: 1, warmup: 0.4, validation_questions: 4}
evaluation: {max_length: 12, samples: 0, questions: 6}
YAML
sed 's/steps: 6, batch_size: 4, interval: 1/steps: 120, batch_size: 16, interval: 1, dropout: 0, learning_rate: 5e-3/' random.yaml > teach.yaml
"$TINYTHINKER" run teach.yaml --set name=start --set acquisition.validate_every=0 > start.log 2>&1 || { cat start.log; exit 1; }
cat > student.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {start: runs/start/best.h5}
acquisition: {enabled: false}
reflection: {questions: 12, samples: 4, batch_size: 4, cycles: 2, learning_rate: 1e-3, log_every: 1, warmup: 0.4}
evaluation: {max_length: 12, samples: 0, questions: 6}
YAML

# A corpus with two reasonings of each question.
"$TINYTHINKER" corpus export data/corpus.h5 -o one.jsonl 2> export.log || { cat export.log; exit 1; }
sed 's/"general": "The /"general": "Surely the /' one.jsonl > other.jsonl
"$TINYTHINKER" corpus add-reasoning data/corpus.h5 other.jsonl -o two.h5 > add.log 2>&1 || { cat add.log; exit 1; }

"$TINYTHINKER" tokenizer train data/text.txt --pieces 60 -o other.model > tokenizer.log 2>&1 || { cat tokenizer.log; exit 1; }

# What a run came to, without times.
outcome() {
    sed 's/, "seconds".*//' "runs/$1/metrics.jsonl" 2> /dev/null
    cat "runs/$1/predictions.jsonl" "runs/$1"/reflection_*/*_runs.jsonl 2> /dev/null | grep -v made_with
    sed -n 's/.*\("steps": [0-9]*\|"best_step": [0-9]*\|"accuracy": [0-9.]*\).*/\1/p' "runs/$1/result.json"
    ls "runs/$1"
}

run_once() { # name, file, settings...
    local name=$1 file=$2 sets=() s
    shift 2
    for s in "$@"; do sets+=(--set "$s"); done
    "$TINYTHINKER" run "$file" --set "name=$name" "${sets[@]}" > run.log 2>&1 || { echo "FAILED: run $*"; cat run.log; return 1; }
    outcome "$name" | cksum
    rm -rf "runs/$name"
}

declare -A base tried
# changes FILE "settings that both runs have" key=value...
changes() {
    local file=$1 common=$2 one before after
    shift 2
    # shellcheck disable=SC2086
    [ -n "${base[$file $common]:-}" ] || base[$file $common]=$(run_once base "$file" $common)
    before=${base[$file $common]}
    for one in "$@"; do
        tried[${one%%=*}]=1
        # shellcheck disable=SC2086
        after=$(run_once other "$file" $common "$one")
        case $before$after in *FAILED*) echo "$after"; failed=1 ;; esac
        [ "$before" != "$after" ] || { echo "FAILED: $one changes nothing (beside: $common)"; failed=1; }
    done
}
# Keys that must change nothing: they show that outcomes are equal where runs are.
keeps() {
    local file=$1 common=$2 one after
    shift 2
    # shellcheck disable=SC2086
    [ -n "${base[$file $common]:-}" ] || base[$file $common]=$(run_once base "$file" $common)
    for one in "$@"; do
        tried[${one%%=*}]=1
        # shellcheck disable=SC2086
        after=$(run_once other "$file" $common "$one")
        [ "${base[$file $common]}" = "$after" ] || { echo "FAILED: $one changes what comes out"; echo "$after"; failed=1; }
    done
}
# shellcheck disable=SC2086
updates() { # phase: what all phases have
    echo $1.batch_size=3 $1.learning_rate=3e-3 $1.warmup=0.2 $1.schedule=linear $1.min_learning_rate=0.5 $1.beta1=0.5 \
        $1.beta2=0.9 $1.eps=1e-3 $1.weight_decay=0.5 $1.clip=0.01 $1.dropout=0.3 $1.max_input=9 $1.max_target=4 \
        $1.validate_every=2 $1.validation_questions=2 $1.log_every=2
}

only="acquisition.enabled=false evaluation.splits=[]"
# shellcheck disable=SC2046
changes random.yaml "pretraining.enabled=true $only" $(updates pretraining) pretraining.steps=5 pretraining.pairs_share=0.2 \
    pretraining.noise_density=0.3 pretraining.mean_span=2 pretraining.window=16 pretraining.text=[] pretraining.pairs=[] \
    seed=2 model.extra_ids=10 model.init=copy
keeps random.yaml "pretraining.enabled=true $only" pretraining.save_every=2
changes random.yaml "pretraining.enabled=true pretraining.steps=0 pretraining.epochs=0.05 $only" pretraining.epochs=0.1
only="evaluation.splits=[]"
# shellcheck disable=SC2046
changes random.yaml "$only" $(updates acquisition) acquisition.steps=5 acquisition.interval=2 pretraining.enabled=true \
    acquisition.enabled=false stages=no_recall model.tokenizer=other.model \
    model.d_model=24 model.d_kv=4 model.d_ff=32 model.num_layers=2 model.num_decoder_layers=2 model.num_heads=4 \
    model.relative_attention_num_buckets=16 model.relative_attention_max_distance=24 model.dropout_rate=0.3 \
    model.feed_forward=gated-gelu model.tie_word_embeddings=false model.start=runs/start/best.h5
keeps random.yaml "$only" acquisition.save_every=2 evaluation.slots=3
changes random.yaml "acquisition.steps=0 acquisition.epochs=0.05 $only" acquisition.epochs=0.1
changes random.yaml "corpus=two.h5 $only" acquisition.reasonings=1
keeps random.yaml "corpus=two.h5 $only" acquisition.reasonings=2
changes random.yaml "stages=step_by_step $only" acquisition.rationale_weight=2
# shellcheck disable=SC2046
changes student.yaml "reflection.iterations=1 $only" $(updates reflection) reflection.targets=recall reflection.samples=3 \
    reflection.questions=8 reflection.temperature=1.5 reflection.top_k=2 reflection.top_p=0.5 reflection.loss=hinge \
    reflection.beta=0.1 reflection.nll_weight=1 reflection.label_smoothing=0.2 reflection.length_normalised=true \
    reflection.cycles=1 reflection.iterations=2 evaluation.max_input=12 evaluation.max_length=6
keeps student.yaml "reflection.iterations=1 $only" reflection.save_every=2 evaluation.slots=3
changes student.yaml "evaluation.samples=3" "evaluation.splits=[validation]" evaluation.questions=4 evaluation.samples=2 \
    evaluation.temperature=2 evaluation.top_k=2 evaluation.top_p=0.5 evaluation.min_length=11 \
    evaluation.repetition_penalty=3 evaluation.beams=3
changes student.yaml "evaluation.beams=4" evaluation.length_penalty=-20

# Nothing is learned at a rate of 0: no validation is better than the first.
changes random.yaml "pretraining.enabled=true pretraining.steps=12 pretraining.learning_rate=0 acquisition.enabled=false evaluation.splits=[]" \
    pretraining.patience=1
changes random.yaml "acquisition.steps=40 acquisition.learning_rate=0 evaluation.splits=[]" acquisition.patience=1
changes student.yaml "reflection.iterations=1 reflection.learning_rate=0 reflection.cycles=4 evaluation.splits=[]" \
    reflection.patience=1

for key in $untried; do tried[$key]=1; done
for key in $("$TINYTHINKER" run --keys | sed -n 's/^\([a-z_]*\.\{0,1\}[a-z_0-9]*\)  (.*/\1/p'); do
    [ -n "${tried[$key]:-}" ] || { echo "FAILED: nothing here tries the key $key"; failed=1; }
done
[ ${#tried[@]} -gt 90 ] || { echo "FAILED: only ${#tried[@]} keys"; failed=1; }
exit $failed
