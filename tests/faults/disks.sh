#!/usr/bin/env bash
# Disks that fail: call after call of the file system fails under each program that writes, with a full disk, an I/O error, a
# file system that becomes read-only, a folder that vanishes. Each time the program says which file and why, or does without;
# nothing that stood there is lost; and the next start ends in the same bits as one that met no failure.
#   FAULTS_STEP=1 ctest --preset ci -R faults/disks     tries every call instead of a sample
set -u
[ -n "${TT_FAULTY:-}" ] || { echo "skipped: sanitizers do not go with LD_PRELOAD"; exit 77; }
[ -w /dev/shm ] && export TMPDIR=/dev/shm # nothing is timed, and a fsync costs nothing there
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data
step=${FAULTS_STEP:-0} # 0: a sample
declare -A reason=([full]="No space left on device" [broken]="Input/output error" [readonly]="Read-only file system"
    [vanish]="No such file or directory|does not exist")

# faulty HOW N FOLDER COMMAND...: the exit status is the command's; its messages are in err.log, `struck` says whether call N
# was reached, `calls` how many there were.
faulty() {
    local how=$1 at=$2 folder=$3 status
    shift 3
    rm -f count
    FAULTY_HOW=$how FAULTY_AT=$at FAULTY_FOLDER=$work/$folder FAULTY_COUNT=$work/count LD_PRELOAD=$TT_FAULTY \
        timeout 60 "$@" >out.log 2>err.log </dev/null
    status=$?
    calls=$(cat count 2>/dev/null || echo 0)
    [ "$calls" -ge "$at" ] && [ "$at" -gt 0 ] && struck=1 || struck=0
    return $status
}

# told HOW N FOLDER STATUS: a failure is told with the file and the reason, and is not a crash.
told() {
    case $4 in
    0) return ;; # the program could do without
    1) grep -E "$3" err.log | grep -Eq "${reason[$1]}" || fail "$1 at call $2: no file of $3 with '${reason[$1]}':" err.log ;;
    *) fail "$1 at call $2: exit status $4" err.log ;;
    esac
}

tried=0
# walk HOW FOLDER FIRST EVERY COMMAND...: the command is started again and again over what it left, and its calls FIRST,
# FIRST + EVERY, ... fail, until it ends before that call.
walk() {
    local how=$1 folder=$2 at=$3 every=$4 status
    shift 4
    [ "$step" -gt 0 ] && every=$step at=1
    while :; do
        faulty "$how" "$at" "$folder" "$@"
        status=$?
        tried=$((tried + struck))
        told "$how" "$at" "$folder" $status
        [ -d "$folder.gone" ] && { rm -rf "$folder"; mv "$folder.gone" "$folder"; }
        [ $struck = 0 ] || [ $failed = 1 ] && break
        at=$((at + every))
    done
    "$@" >out.log 2>err.log || fail "$how: the start after the failures fails:" err.log
}

# ---- a run: checkpoints, metrics, pairs, predictions, result
cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 8, d_kv: 4, d_ff: 16, num_heads: 2,
  num_layers: 1, num_decoder_layers: 1}
pretraining: {enabled: true, text: [data/text.txt], window: 32, steps: 4, batch_size: 8,
  validate_every: 2, validation_questions: 4, save_every: 1, log_every: 1}
acquisition: {steps: 6, batch_size: 8, interval: 1, save_every: 2, log_every: 1, validation_questions: 4}
reflection: {iterations: 1, samples: 2, questions: 12, batch_size: 8, cycles: 1, log_every: 1, validation_questions: 4}
evaluation: {max_length: 6, samples: 2}
precision: fp32
YAML
run() { echo "$TINYTHINKER" run run.yaml --set "name=$1"; }
faulty none 0 runs/straight $(run straight) || die "a run without failures fails" err.log
[ "$calls" -ge 500 ] || fail "the failures do not reach the run: $calls calls are counted"
timeless() { sed -E 's/"(seconds|wall_seconds|tokens_per_second)": [0-9.e+-]*//g; s/"name": "[a-z]*"//' "$1"; }
same_run() { # name
    local file
    for file in best.h5 checkpoints/{pretraining,acquisition,reflection_1}.h5; do
        "$TINYTHINKER" diff "runs/straight/$file" "runs/$1/$file" >diff.log 2>&1 || fail "$1: $file differs" diff.log
    done
    for file in metrics.jsonl result.json predictions.jsonl reflection_1/recall_runs.jsonl; do
        diff <(timeless "runs/straight/$file") <(timeless "runs/$1/$file") >diff.log || fail "$1: $file differs" diff.log
    done
    find "runs/$1" -name '*.tmp*' -o -name '*.1.h5' -o -name '*damaged*' | grep . && fail "$1: files stayed"
}
# The steps have no common divisor, so that all places of a checkpoint are met.
walk full runs/full 3 191 $(run full)
grep -q "run the same command again" err.log && fail "a run that ends well says how to resume"
walk broken runs/broken 5 193 $(run broken)
walk readonly runs/readonly 7 397 $(run readonly)
rm -f runs/readonly/*.tmp runs/readonly/*/*.tmp # which nobody can remove from a read-only file system
walk vanish runs/vanish 11 401 $(run vanish)
rm -f runs/vanish/*.tmp runs/vanish/*/*.tmp
for how in full broken readonly vanish; do same_run $how; done

# ---- commands that replace one file: what stood there stays, byte for byte
mkdir out
one() { # FILE HOW EVERY COMMAND...: as walk, each time over an old file
    local file=$1 how=$2 every=$3 at=1 status
    shift 3
    [ "$step" -gt 0 ] && every=$step
    rm -rf out && mkdir out
    "$@" >out.log 2>err.log || { fail "$*" err.log; return; }
    cp "$file" want
    while :; do
        echo old >"$file"
        faulty "$how" "$at" out "$@"
        status=$?
        tried=$((tried + struck))
        [ $struck = 1 ] || break
        told "$how" "$at" out $status
        if [ $status = 0 ]; then cmp -s want "$file"; else [ "$(cat "$file")" = old ] || cmp -s want "$file"; fi ||
            fail "$how at call $at of $*: $file is neither the old one nor the new one"
        [ "$how" = readonly ] || [ "$(ls out | wc -l)" = 1 ] || fail "$how at call $at of $*: $(ls out | tr '\n' ' ')"
        [ $failed = 1 ] && break
        at=$((at + every))
    done
}
T=$TINYTHINKER
"$T" corpus export data/corpus.h5 -o questions.jsonl >out.log 2>err.log || fail "export" err.log
for how in full broken readonly; do
    one out/c.h5 $how 19 "$T" corpus import jsonl questions.jsonl -o out/c.h5
    one out/q.jsonl $how 1 "$T" corpus export data/corpus.h5 -o out/q.jsonl
    one out/w.h5 $how 83 "$T" model convert runs/straight/best.h5 -o out/w.h5
    one out/p.html $how 1 "$T" report runs/straight -o out/p.html
    one out/a.jsonl $how 1 "$T" eval --model runs/straight/best.h5 --corpus data/corpus.h5 --samples 0 --predictions out/a.jsonl
done

# ---- a collection of teacher answers: its journal, and the corpus
if command -v python3 >/dev/null && [ "$TT_HAVE_CURL" = 1 ]; then
    . "$TT_SOURCE_DIR/tests/teacher/setup.bash"
    serve
    shown() { "$TINYTHINKER" corpus show "$1.h5" --examples 300 | sed '/^made from$/,/^split /{/^split /!d}; s/^corpus [a-z]*//'; }
    for how in straight full broken readonly; do
        mkdir asked_$how
        plan asked_$how/$how "in_flight: 4"
        [ $how = straight ] || walk $how asked_$how 2 41 "$TINYTHINKER" teach asked_$how/$how.yaml --limit 60
    done
    teach asked_straight/straight.yaml >out.log 2>err.log || fail "a collection without failures fails" err.log
    for how in full broken readonly; do
        cmp <(shown asked_straight/straight) <(shown asked_$how/$how) || fail "$how: another corpus"
    done
    stop_servers
fi
echo "$tried calls failed"
[ $tried -ge 40 ] || fail "too few failures to prove anything"
exit $failed
