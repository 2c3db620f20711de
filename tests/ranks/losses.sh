#!/usr/bin/env bash
# The number of ranks changes nothing but rounding: losses of 50 steps within 1e-4 (relative), the first gradient
# within 1e-6 of its largest value. The gradient is read where AdamW's first moment is (1 - beta1) times it: in
# the checkpoint after one step without clipping. (At far higher learning rates a ReLU that rounding flips may
# multiply differences by thousands; the rates here are those of the method.)
set -u
. "$(dirname "$0")/../common.sh"
have_mpi || skip "no MPI, or built without it"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
output: runs
corpus: data/corpus.h5
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4,
  num_layers: 2, num_decoder_layers: 2}
pretraining: {text: [data/text.txt], pairs: [data/pairs.jsonl], window: 32, steps: 50, batch_size: 13, dropout: 0.1,
  log_every: 1, validate_every: 0, validation_questions: 8}
acquisition: {steps: 50, batch_size: 13, interval: 2, learning_rate: 5e-4, log_every: 1, validate_every: 0}
evaluation: {splits: [], max_length: 16}
precision: fp32
YAML

launch() { # ranks, arguments
    local ranks=$1
    shift
    mpirun --oversubscribe -np "$ranks" "$TINYTHINKER" run base.yaml "$@" > log 2>&1 && return
    cat log
    exit 1
}

check() { # phase, other phase
    local on="--set $1.enabled=true --set $2.enabled=false"
    for ranks in 1 2 3; do
        launch $ranks $on --set name="$1-$ranks"
        launch $ranks $on --set name="$1-first-$ranks" --set "$1.steps=1" --set "$1.clip=0"
        losses "$1-$ranks" > "losses-$ranks"
    done
    for ranks in 2 3; do
        paste -d ' ' losses-1 losses-$ranks | awk -v what="$1 on $ranks ranks" '
            { d = $4 > $2 ? $4 - $2 : $2 - $4; d /= $2; ok = ($1 == $3 && d <= 1e-4); if (!ok) bad = bad " " $1; n++
              if (d > worst) worst = d }
            END { printf "%s: %d losses, worst relative difference %.2g\n", what, n, worst
                  if (n != 50 || bad != "") { print "FAILED at steps" bad; exit 1 } }' || failed=1
        "$TINYTHINKER" diff --only m --tolerance 1e-6 "runs/$1-first-1/checkpoints/$1.h5" \
            "runs/$1-first-$ranks/checkpoints/$1.h5" || failed=1
        "$TINYTHINKER" diff --only weights --tolerance 1e-4 "runs/$1-1/best.h5" "runs/$1-$ranks/best.h5" || failed=1
    done
}
# The same weights have the same held-out loss, to the last digit, however many ranks share it: 29 examples in chunks of three.
for ranks in 1 2 3; do
    launch $ranks --set pretraining.enabled=true --set acquisition.enabled=false --set name="held-$ranks" --set pretraining.steps=1 \
        --set pretraining.batch_size=3 --set pretraining.validation_questions=29 --set pretraining.learning_rate=1e-30
    grep token_accuracy "runs/held-$ranks/metrics.jsonl" | sed 's/, "seconds".*//' >"held-$ranks"
    [ -s "held-$ranks" ] && grep -q '"n": 29' "held-$ranks" || fail "no held-out loss" "held-$ranks" log
    cmp held-1 "held-$ranks" || fail "another held-out loss on $ranks ranks" held-1 "held-$ranks"
done
check pretraining acquisition
check acquisition pretraining
exit $failed
