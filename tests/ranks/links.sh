#!/usr/bin/env bash
# Ranks across a bad link, a proxy (proxy.py): with delays and messages in pieces they compute what they compute without; one that
# passes on nothing any more is told after the time-out, one that is cut at once; started again, they go on to the same bits.
set -u
. "$(dirname "$0")/../common.sh"
command -v python3 >/dev/null || skip "no python3"
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_SUBMIT_DIR
export OMP_NUM_THREADS=1
make_run
pids=() patience=(300 300)
trap '[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT
# begin NAME: two ranks with the proxy between them.
begin() {
    local r meet=(meet far)
    rm -f meet far control
    for r in 0 1; do
        TT_TIMEOUT=${patience[r]} TT_RANK=$r TT_WORLD=2 TT_RENDEZVOUS=$work/${meet[r]} "$TINYTHINKER" run run.yaml \
            --set name="$1" --set acquisition.steps=12 --set acquisition.log_every=1 --set acquisition.save_every=3 >rank-$r.log 2>&1 &
        pids[r]=$!
    done
    python3 "$TT_SOURCE_DIR/tests/ranks/proxy.py" meet far "${pids[0]}" control 2>proxy.log &
    pids[2]=$!
}
ended() { # expected status of both ranks
    local r status
    for r in 0 1; do
        wait "${pids[r]}"
        status=$?
        [ $status = "$1" ] || fail "rank $r: exit status $status, expected $1" rank-*.log proxy.log
    done
    wait "${pids[2]}"
}
says() { grep -Eq -- "$2" "rank-$1.log" || fail "rank $1 does not say '$2'" rank-*.log; }
same() { "$TINYTHINKER" diff runs/straight/best.h5 "runs/$1/best.h5" >diff.log 2>&1 || fail "$1: other bits" diff.log; }
trained() { until [ "$(cat "runs/$1/metrics.jsonl" 2>/dev/null | wc -l)" -ge "$2" ] || ! kill -0 "${pids[0]}" 2>/dev/null; do sleep 0.02; done; }

for r in 0 1; do
    TT_RANK=$r TT_WORLD=2 TT_RENDEZVOUS=$work/meet "$TINYTHINKER" run run.yaml --set name=straight --set acquisition.steps=12 >rank-$r.log 2>&1 &
    pids[r]=$!
done
wait "${pids[0]}" && wait "${pids[1]}" || die "without a proxy" rank-*.log
begin slow
ended 0
same slow

# The one that has less patience tells the silence, the other hears that it has left.
silence="within 5 seconds; TT_TIMEOUT=seconds waits longer"
patience=(5 60)
begin held
trained held 4
echo hold >control
ended 1
says 0 "no word from rank 1 on $(hostname) $silence"
says 1 "rank 0 on $(hostname) has left"
patience=(60 5)
begin held
trained held 6
echo hold >control
ended 1
says 1 "no word from rank 0 on $(hostname) $silence"
says 0 "rank 1 on $(hostname) has left"
patience=(300 300)
begin held
trained held 8
echo drop >control
ended 1
says 0 "rank 1 on $(hostname) has left"
says 1 "rank 0 on $(hostname) has left"
begin held
ended 0
same held
pids=()
exit $failed
