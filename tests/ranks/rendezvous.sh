#!/usr/bin/env bash
# Ranks that meet by a file, without MPI: collectives, what is said when someone is missing, comes twice or leaves,
# files of earlier starts, Slurm's variables, and a training run on two ranks.
set -u
. "$(dirname "$0")/../common.sh"
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_SUBMIT_DIR
export OMP_NUM_THREADS=1 TT_RENDEZVOUS="$work/meet"
# Starts `ranks` processes of a command; their output in rank-N.log, the highest exit status in $status.
launch() { # ranks, command
    local ranks=$1 pids=() r
    shift
    for ((r = ranks - 1; r >= 0; --r)); do
        TT_RANK=$r TT_WORLD=$ranks EXPECTED_RANKS=$ranks timeout 120 "$@" > "rank-$r.log" 2>&1 &
        pids+=($!)
    done
    status=0
    for pid in "${pids[@]}"; do
        wait "$pid"
        local s=$?
        [ $s -gt $status ] && status=$s
    done
}
says() { # log, text
    grep -q -- "$2" "$1" || { fail "'$2' is not in $1:"; cat "$1"; }
}

for ranks in 1 2 3 4; do
    launch $ranks "$TT_COMM_CHECK"
    [ $status -eq 0 ] || { fail "$ranks ranks"; cat rank-*.log; }
done
[ -e meet ] && fail "the file is still there"
launch 3 "$TT_COMM_CHECK" agree
[ $status -eq 2 ] && [ "$(cat rank-*.log | grep -c 'rank 1: the second rank is unhappy')" = 1 ] || fail "agree"
launch 3 "$TT_COMM_CHECK" leave
[ $status -eq 1 ] || fail "leave: exit status $status"
says rank-1.log 'rank 1 of 3: the second rank is gone'
says rank-0.log "rank 1 on $(hostname) has left"

# Pieces of a work.
for ranks in 2 3; do
    launch $ranks "$TT_COMM_CHECK" pieces
    [ $status -eq 0 ] || { fail "pieces by $ranks ranks"; cat rank-*.log; }
done
launch 3 "$TT_COMM_CHECK" turns
[ $status -eq 0 ] || { fail "in turn"; cat rank-*.log; }
says rank-0.log "ranks cannot connect to rank 0 by TCP: they take pieces of generation and evaluation in turn"
launch 3 "$TT_COMM_CHECK" "hub leaves"
[ $status -eq 1 ] || fail "rank 0 leaves: exit status $status"
for r in 1 2; do says rank-$r.log "pieces: rank 0 on $(hostname) has left"; done
for r in 0 1; do
    TT_TIMEOUT=2 TT_RANK=$r TT_WORLD=2 timeout 60 "$TT_COMM_CHECK" "hub stops" > "rank-$r.log" 2>&1 &
    pids[r]=$!
done
wait "${pids[1]}"
kill -KILL "${pids[0]}"
wait "${pids[0]}" 2> /dev/null
says rank-1.log "pieces: no word from rank 0 on $(hostname) within 2 seconds"

# Many ranks: more than rank 0 may open files for at first, and more than it may at all.
(
    ulimit -Sn 40
    launch 48 "$TT_COMM_CHECK" pieces
    exit $status
) || { fail "48 ranks"; cat rank-*.log; }
(
    ulimit -n 40
    TT_TIMEOUT=1 launch 48 "$TT_COMM_CHECK" pieces
    [ $status -ne 0 ]
) || fail "more ranks than files"
says rank-0.log "rank 0 may open 40 files, too few for connections to 48 ranks"
rm rank-*.log

# A file of an earlier start whose rank 0 is gone.
printf 'tinythinker rendezvous 2\n0123456789abcdef0123456789abcdef elsewhere 9\n127.0.0.1\nend\n' > meet
launch 2 "$TT_COMM_CHECK"
[ $status -eq 0 ] || { fail "stale file"; cat rank-*.log; }

# A file of something else is kept.
echo "my notes" > meet
TT_RANK=0 TT_WORLD=2 "$TT_COMM_CHECK" > log 2>&1 && fail "another file is taken"
[ "$(cat meet)" = "my notes" ] || fail "another file is overwritten"
says log "meet exists and is not a file by which ranks meet"
rm meet

# Strangers, more than are listened to at a time: silent ones, other programs, wrong secrets, half a message. Ten seconds for
# each would be too long.
cat > strangers.sh <<'SH'
port=$(sed -n '2s/.* //p' "$1")
for ((i = 0; i < 300; ++i)); do
    exec {socket}<>"/dev/tcp/127.0.0.1/$port" || exit 1
    case $((i % 10)) in
        0) printf 'GET / HTTP/1.0\r\n\r\n' >&$socket ;;
        1) printf 'ttihnkr2%0100d' 7 >&$socket ;;
        2) printf 'ttihnkr2%016d' 7 >&$socket ;;
        3) exec {socket}>&- ;;
    esac 2> /dev/null
done
: > strangers.came
sleep 60
SH
TT_TIMEOUT=40 TT_RANK=0 TT_WORLD=2 EXPECTED_RANKS=2 timeout 60 "$TT_COMM_CHECK" > rank-0.log 2>&1 &
hub=$!
until [ -s meet ] || ! kill -0 $hub 2> /dev/null; do sleep 0.05; done
[ "$(stat -c %a meet)" = 600 ] || fail "others can read the secret: $(ls -l meet)"
sed -n 2p meet | grep -Eq '^[0-9a-f]{32} ' || { fail "no secret of 128 bits"; cat meet; }
bash -c 'ulimit -n 1024; exec bash strangers.sh meet' 2> strangers.log &
strangers=$!
until [ -e strangers.came ] || ! kill -0 $strangers 2> /dev/null; do sleep 0.05; done
[ -e strangers.came ] || { fail "no strangers"; cat strangers.log; }
TT_TIMEOUT=40 TT_RANK=1 TT_WORLD=2 EXPECTED_RANKS=2 timeout 60 "$TT_COMM_CHECK" > rank-1.log 2>&1 || { fail "strangers"; cat rank-1.log; }
wait $hub || { fail "rank 0 beside strangers"; cat rank-0.log; }
kill $strangers
wait $strangers 2> /dev/null

# Rank 2 of 4 does not come: all the others hear its name.
for r in 0 1 3; do
    TT_TIMEOUT=1.5 TT_RANK=$r TT_WORLD=4 "$TT_COMM_CHECK" > "rank-$r.log" 2>&1 &
done
wait
for r in 0 1 3; do says rank-$r.log "1 of 4 ranks did not arrive in time: 2;"; done
TT_TIMEOUT=0.5 TT_RANK=1 TT_WORLD=2 "$TT_COMM_CHECK" > log 2>&1 && fail "no rank 0"
says log "rank 0 did not arrive"

# Rank 1 twice; another number of ranks.
for r in 0 1 1; do
    TT_TIMEOUT=20 TT_RANK=$r TT_WORLD=3 timeout 60 "$TT_COMM_CHECK" > "twice-$r-$RANDOM.log" 2>&1 &
done
wait
cat twice-*.log > log
says log "rank 1 was started twice"
for r in 0 1; do
    TT_TIMEOUT=20 TT_RANK=$r TT_WORLD=$((2 + r)) timeout 60 "$TT_COMM_CHECK" > "rank-$r.log" 2>&1 &
done
wait
says rank-0.log "rank 1 on $(hostname) was started as one of 3 ranks, but rank 0 on $(hostname) as one of 2"

# A rank that computes longer than the others wait. The time-out also holds for starting the ranks, on a busy machine too.
for r in 0 1; do
    TT_TIMEOUT=3 TT_RANK=$r TT_WORLD=2 timeout 60 "$TT_COMM_CHECK" sleep > "rank-$r.log" 2>&1 &
done
wait
says rank-0.log "no word from rank 1 on $(hostname) within 3 seconds"

# Variables.
for bad in "TT_RANK=x TT_WORLD=2" "TT_RANK=2 TT_WORLD=2" "TT_RANK=0 TT_WORLD=0" "TT_WORLD=2" "TT_RANK=0" \
    "TT_RANK=0 TT_WORLD=2 TT_TIMEOUT=soon"; do
    env $bad "$TT_COMM_CHECK" > log 2>&1
    [ $? -eq 2 ] || { fail "$bad"; cat log; }
    says log "TT_"
done
for r in 0 1; do
    env -u TT_RENDEZVOUS SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_PROCID=$r SLURM_NTASKS=2 SLURM_SUBMIT_DIR="$work" \
        TT_WORLD= EXPECTED_RANKS=2 timeout 60 "$TT_COMM_CHECK" > "rank-$r.log" 2>&1 &
    pids[r]=$!
done
for r in 0 1; do
    wait "${pids[r]}" || { fail "Slurm"; cat rank-$r.log; }
done

# Training: as on one rank but for rounding, and the ranks write one run.
make_data
cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4,
  num_layers: 2, num_decoder_layers: 2}
acquisition: {steps: 12, batch_size: 8, interval: 2, learning_rate: 5e-4, log_every: 1, validate_every: 6}
evaluation: {splits: [], max_length: 8}
precision: fp32
YAML
launch 2 "$TINYTHINKER" run base.yaml --set name=two
[ $status -eq 0 ] || { fail "two ranks"; cat rank-*.log; }
env -u TT_RENDEZVOUS "$TINYTHINKER" run base.yaml --set name=one > log 2>&1 || { fail "one rank"; cat log; }
paste -d ' ' <(losses one) <(losses two) | awk '
    { d = ($4 - $2) / $2; if (d < 0) d = -d; n++; if ($1 != $3 || d > 1e-4) { print "FAILED: losses " $0; bad = 1 } }
    END { if (n != 12) print "FAILED: " n " losses"; exit bad || n != 12 }' || failed=1

# One of two ranks killed on the way: the other says so and ends. Both started again: the same bits as without that.
for r in 0 1; do
    TT_RANK=$r TT_WORLD=2 TT_TIMEOUT=60 "$TINYTHINKER" run base.yaml --set name=killed --set acquisition.steps=600 \
        --set acquisition.save_every=5 > "rank-$r.log" 2>&1 &
    pids[r]=$!
done
until [ -e runs/killed/checkpoints/acquisition.h5 ] || ! kill -0 "${pids[0]}" 2> /dev/null; do sleep 0.05; done
kill -KILL "${pids[1]}"
wait "${pids[0]}" && fail "rank 0 ended well without rank 1"
wait "${pids[1]}"
says rank-0.log "rank 1 on $(hostname) has left"
launch 2 "$TINYTHINKER" run base.yaml --set name=killed --set acquisition.steps=600 --set acquisition.save_every=5
[ $status -eq 0 ] || { fail "going on"; cat rank-*.log; }
launch 2 "$TINYTHINKER" run base.yaml --set name=whole --set acquisition.steps=600 --set acquisition.save_every=5
[ $status -eq 0 ] || { fail "whole run"; cat rank-*.log; }
"$TINYTHINKER" diff runs/whole/checkpoints/acquisition.h5 runs/killed/checkpoints/acquisition.h5 || fail "other bits"
exit $failed
