#!/usr/bin/env bash
# kill -9 at random moments of every phase: the run that goes on ends with the same weights, moments, metrics (but for times),
# pairs, predictions and result as one that was never stopped, by one rank and by two; a collection of teacher answers ends with
# the same corpus. Signals that ask it to stop, at such moments, too, end it with progress saved and status 130. A moment is a
# random delay after a random one of the calls of the file system in that phase, which are many.
#   KILLS=20 SEED=N ctest --preset ci -R faults/kills --timeout 7200    so many kills of each phase, by one rank and by two each;
#                                       and one signal; without KILLS one, with a random seed, which is printed
set -u
[ -n "${TT_FAULTY:-}" ] || { echo "skipped: sanitizers do not go with LD_PRELOAD"; exit 77; }
[ -w /dev/shm ] && export TMPDIR=/dev/shm # nothing is timed, and a fsync costs nothing there
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data
wanted=${KILLS:-1} seed=${SEED:-$$}
RANDOM=$seed
echo "$wanted kills of each phase; to repeat them: KILLS=$wanted SEED=$seed ctest --preset ci -R faults/kills"

cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
pretraining: {enabled: true, text: [data/text.txt], pairs: [data/pairs.jsonl], window: 32, steps: 12, batch_size: 8,
  dropout: 0.1, log_every: 1, validate_every: 4, validation_questions: 8, save_every: 3}
acquisition: {steps: 12, batch_size: 8, interval: 1, learning_rate: 2e-3, log_every: 1, validate_every: 1, save_every: 3}
reflection: {iterations: 1, samples: 2, questions: 40, batch_size: 8, cycles: 1, learning_rate: 5e-4, log_every: 1, save_every: 3,
  dropout: 0.1}
evaluation: {max_length: 10, samples: 2}
precision: fp32
YAML

# start RANKS NAME: the program, as it ends or is killed; only rank 0 writes, so only its calls count.
cat >rank <<'SH'
#!/bin/sh
echo $$ >"$1/pid.${OMPI_COMM_WORLD_RANK:-0}"
shift
exec env LD_PRELOAD="$TT_FAULTY" "$@"
SH
chmod +x rank
start() {
    local ranks=$1 name=$2 launch=()
    rm -f pid.* count
    [ "$ranks" = 1 ] || launch=(mpirun --oversubscribe -np "$ranks")
    { timeout 120 "${launch[@]}" ./rank "$work" "$TINYTHINKER" run run.yaml --set name="$name" >out.log 2>err.log </dev/null; } 2>/dev/null
}

# moments PHASE PATH: which of the calls whose paths contain PATH begin the phase, by their numbers among these. A validation
# follows the metrics of a step, and writes its own before they are made durable.
moments() {
    grep -- "$2" calls.log | awk -v phase="$1" '
        phase != "validation" { print NR; next }
        $1 == "fsync" && last == "write" && before == "write" { print NR - 2 }
        { before = last; last = $1 }'
}

timeless() { sed -E 's/"(seconds|wall_seconds|tokens_per_second)": [0-9.e+-]*//g; s/"name": "[a-z0-9]*"//' "$1"; }
same() { # straight, name
    local file
    for file in best.h5 checkpoints/{pretraining,pretraining_best,acquisition,acquisition_best,reflection_1}.h5; do
        "$TINYTHINKER" diff "runs/$1/$file" "runs/$2/$file" >diff.log 2>&1 || fail "$2: $file differs" diff.log
    done
    for file in metrics.jsonl result.json; do
        diff <(timeless "runs/$1/$file") <(timeless "runs/$2/$file") >diff.log || fail "$2: $file differs" diff.log
    done
    for file in predictions.jsonl predictions_acquisition.jsonl; do
        cmp "runs/$1/$file" "runs/$2/$file" || fail "$2: $file differs"
    done
    for file in reflection_1/{recall,analyze}_runs.jsonl; do # a signal may part what is saved together elsewhere
        cmp <(grep -v synced "runs/$1/$file" | sort) <(grep -v synced "runs/$2/$file" | sort) || fail "$2: $file differs"
    done
    diff <(pairs "$1") <(pairs "$2") >diff.log || fail "$2: pairs differ" diff.log
}
pairs() { "$TINYTHINKER" corpus show --examples 100000 "runs/$1/reflection_1/pairs.h5"; }

# kill_phase RANKS PHASE PATH DELAY [SIGNAL]: kills the run at calls whose paths contain PATH, up to DELAY microseconds later. It goes on
# from what the phase before left; where it has ended, it is compared and starts over.
kill_phase() {
    local ranks=$1 phase=$2 only=$3 most=$4 killed=0 before=0 name=killed$1 tries=0 at status all calls signal=${5:-9} goal=$wanted
    [ "$signal" = 9 ] || goal=1
    mapfile -t all < <(moments "$phase" "$only")
    calls=$(grep -c -- "$only" calls.log)
    [ ${#all[@]} -ge 2 ] || { fail "$phase: no moments"; return; }
    while [ $killed -lt "$goal" ] && [ $failed = 0 ]; do
        tries=$((tries + 1))
        [ $tries -le $((10 * goal + 20)) ] || { fail "$phase: only $killed of $goal kills hit"; return; }
        [ -e "runs/$name/result.json" ] && start_over "$ranks" "$name" && before=0
        at=$((1 + RANDOM % (calls - before > 1 ? calls - before : 1)))
        [ $before -gt 0 ] || at=${all[RANDOM % ${#all[@]}]}
        FAULTY_HOW=kill FAULTY_AT=$at FAULTY_DELAY=$((RANDOM % most)) FAULTY_ONLY=$only FAULTY_FOLDER=$work/runs/$name \
            FAULTY_COUNT=$work/count FAULTY_SIGNAL=$signal FAULTY_VICTIM=$work/pid.$((RANDOM % ranks)) start "$ranks" "$name"
        status=$?
        [ $status = 0 ] && continue # it has ended before the kill
        if [ $signal != 9 ]; then # several ranks have a launcher with messages of its own
            [ $status = 130 ] && grep -q "run the same command again to resume" err.log
        else
            [ $status = 137 ] || grep -q "signal 9" err.log
        fi || { fail "$phase: exit status $status" err.log; return; }
        killed=$((killed + 1)) before=$((before + at))
        total=$((total + 1))
    done
    echo "$ranks rank(s), $phase: killed $killed times by signal $signal"
}

start_over() { # ranks, name
    same "straight$1" "$2"
    rm -rf "runs/$2"
}

total=0 asking=(2 10 15) # SIGINT, SIGUSR1, SIGTERM
for ranks in 1 2; do
    [ $ranks = 1 ] || have_mpi || continue
    rm -f calls.log
    FAULTY_LOG=$work/calls.log FAULTY_FOLDER=$work/runs/straight$ranks start $ranks straight$ranks || die "a run that nobody kills fails" err.log
    [ "$(pairs straight$ranks | grep -c rejected)" -ge 20 ] || fail "too few pairs"
    while read -r delay path phase; do
        kill_phase $ranks "$phase" "$path" "$delay"
        [ "$phase" = result ] && continue # which is written whatever one asks
        [ $ranks = 1 ] || [ "$wanted" -gt 1 ] || [ "$phase" = generation ] || continue
        kill_phase $ranks "$phase" "$path" "$delay" "${asking[RANDOM % 3]}"
    done <<'PHASES'
3000 metrics.jsonl training
20000 metrics.jsonl validation
500 /checkpoints/ checkpoint writing
20000 _runs.jsonl generation
1000 pairs.h5 pair building
20000 predictions evaluation
300 result. result
PHASES
    start $ranks killed$ranks || fail "not resumed after $total kills" err.log
    same straight$ranks killed$ranks
done

# ---- a collection of teacher answers, from a server that answers as it should
collection() { # name
    { FAULTY_FOLDER=$work LD_PRELOAD=$TT_FAULTY timeout 120 "$TINYTHINKER" teach "$1.yaml" --limit 60 >out.log 2>err.log </dev/null; } 2>/dev/null
}
if command -v python3 >/dev/null && [ "$TT_HAVE_CURL" = 1 ]; then
    . "$TT_SOURCE_DIR/tests/teacher/setup.bash"
    serve --latency-ms 5
    plan straight "in_flight: 4"
    plan killed "in_flight: 4"
    shown() { "$TINYTHINKER" corpus show "$1.h5" --examples 300 | sed '/^made from$/,/^split /{/^split /!d}; s/^corpus [a-z]*//'; }
    rm -f calls.log
    FAULTY_LOG=$work/calls.log collection straight || die "a collection that nobody kills" err.log
    calls=$(grep -c straight. calls.log) killed=0
    while [ $killed -lt "$wanted" ] && [ $failed = 0 ]; do
        [ -e killed.h5 ] && { cmp <(shown straight) <(shown killed) || fail "another corpus"; rm killed.h5 killed.journal*; }
        FAULTY_HOW=kill FAULTY_AT=$((1 + RANDOM % calls)) FAULTY_DELAY=$((RANDOM % 5000)) FAULTY_ONLY=killed. collection killed
        case $? in
        0) ;;
        137) killed=$((killed + 1)) total=$((total + 1)) ;;
        *) fail "teacher collection" err.log ;;
        esac
    done
    collection killed || fail "a collection is not resumed" err.log
    cmp <(shown straight) <(shown killed) || fail "another corpus"
    echo "teacher collection: killed $killed times"
    stop_servers
fi
echo "$total kills; same weights, moments, metrics, pairs, predictions, results"
exit $failed
