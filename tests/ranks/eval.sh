#!/usr/bin/env bash
# Every question is asked and counted once, whatever the number of ranks and of slots: the same predictions, byte for
# byte, and the same score.
set -u
. "$(dirname "$0")/../common.sh"
have_mpi || skip "no MPI, or built without it"
export OMP_NUM_THREADS=1
make_data
cat > toy.yaml <<'YAML'
output: runs
name: toy
corpus: data/corpus.h5
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4,
  num_layers: 2, num_decoder_layers: 2}
acquisition: {steps: 60, batch_size: 16, interval: 2, learning_rate: 5e-3, validate_every: 0}
evaluation: {splits: [], max_length: 16}
precision: fp32
YAML
"$TINYTHINKER" run toy.yaml > log 2>&1 || { cat log; exit 1; }

score() { # name, ranks, more arguments
    local name=$1 ranks=$2
    shift 2
    mpirun --oversubscribe -np "$ranks" "$TINYTHINKER" eval --model runs/toy/best.h5 --corpus data/corpus.h5 \
        --split train --limit 61 --max-length 16 --samples 3 --json --predictions "$name.jsonl" "$@" > "$name.out" \
        2> "$name.log" && { sed -i 's/, "tokens_per_second.*//' "$name.out"; return; }
    cat "$name.log"
    exit 1
}

score one 1
[ "$(wc -l < one.jsonl)" = 122 ] || { echo "FAILED: $(wc -l < one.jsonl) predictions, expected 61 greedy and 61 voted"; failed=1; }
[ "$(sed 's/.*"id":"\([^"]*\)".*/\1/' one.jsonl | sort -u | wc -l)" = 61 ] || { echo "FAILED: ids are not 61"; failed=1; }
score two 2
score three 3
score narrow 3 --slots 2
for other in two three narrow; do
    cmp one.jsonl $other.jsonl && cmp one.out $other.out || { echo "FAILED: $other differs"; failed=1; }
done
# One rank does not wait for the ends of pieces: slots are idle at the end of each stage alone. Two ranks do.
use_of_slots() { # ranks: prints the share in use and the pieces
    mpirun --oversubscribe -np "$1" "$TINYTHINKER" eval --model runs/toy/best.h5 --corpus data/corpus.h5 --split train \
        --max-length 16 --slots 16 --json 2>slots.log | sed -n 's/.*"slot_use": \([0-9.]*\), "pieces": \([0-9]*\),.*/\1 \2/p'
}
use_of_slots 1 >alone.txt
use_of_slots 2 >shared.txt
awk 'NR == 1 { use = $1; if ($2 != 1 || use < 0.95) bad = 1 } NR == 2 && ($2 < 2 || $1 >= use) { bad = 1 } END { exit bad || NR != 2 }' \
    alone.txt shared.txt || { echo "FAILED: slots in use and pieces of one rank and of two: $(cat alone.txt shared.txt slots.log)"; failed=1; }
# Two ranks, each in its turn held up nearly all the time: the other takes more of the pieces; the same predictions.
hold() { # rank
    local r pids=()
    for r in 0 1; do
        TT_RANK=$r TT_WORLD=2 TT_RENDEZVOUS=$work/meet "$TINYTHINKER" eval --model runs/toy/best.h5 --corpus data/corpus.h5 --split train \
            --limit 61 --max-length 16 --samples 3 --threads 1 --json --predictions held.jsonl >held-$r.out 2>held-$r.log &
        pids[r]=$!
    done
    while kill -STOP "${pids[$1]}" 2>/dev/null; do
        sleep 0.05
        kill -CONT "${pids[$1]}" 2>/dev/null
        sleep 0.005
    done
    wait "${pids[0]}" && wait "${pids[1]}" || { cat held-*.log; failed=1; }
    cmp one.jsonl held.jsonl || { echo "FAILED: rank $1 held up: other predictions"; failed=1; }
    sed -n 's/.*"pieces": \([0-9]*\), "of_a_rank": \[\([0-9]*\), \([0-9]*\)\].*/\1 \2 \3/p' held-0.out >pieces.txt
    awk '{ n++; if ($1 != $2 + $3 || $1 < 2) bad = 1; few += $2; most += $3 } END { exit !(n == 2 && !bad && few < most) }' pieces.txt ||
        { echo "FAILED: rank $1 held up: pieces, the fewest and the most of a rank: $(cat pieces.txt)"; failed=1; }
}
hold 0
hold 1
# More ranks than questions: some have nothing to do.
score few 3 --limit 2
cmp few.jsonl <(sed -n '1,2p;62,63p' one.jsonl) || { echo "FAILED: two questions on three ranks"; failed=1; }
exit $failed
