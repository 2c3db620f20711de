#!/usr/bin/env bash
# Ranks in trouble: one that stands still is named after the time-out, with MPI and without; one that is slow is named at the end;
# a time of day that jumps changes nothing.
set -u
. "$(dirname "$0")/../common.sh"
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_SUBMIT_DIR
export OMP_NUM_THREADS=1
make_run
shown=(rank-0.log rank-1.log)
pids=()
trap '[ ${#pids[@]} = 0 ] || kill -KILL "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT
# begin NAME SETTINGS...: two ranks that meet by a file.
begin() {
    local name=$1 r
    shift
    for r in 0 1; do
        TT_RANK=$r TT_WORLD=2 TT_RENDEZVOUS=$work/meet "$TINYTHINKER" run run.yaml --set "name=$name" --set acquisition.log_every=1 "$@" \
            >rank-$r.log 2>&1 &
        pids[r]=$!
    done
}
lines() { cat "runs/$1/metrics.jsonl" 2>/dev/null | wc -l; }
trained() { until [ "$(lines "$1")" -ge 5 ] || ! kill -0 "${pids[0]}" 2>/dev/null; do sleep 0.02; done; }

# Rank 1 stands still.
TT_TIMEOUT=4 begin still --set acquisition.steps=100000
trained still
kill -STOP "${pids[1]}"
wait "${pids[0]}"
[ $? = 1 ] || fail "a rank that stands still: exit status"
grep -q "no word from rank 1 on $(hostname) within 4 seconds; TT_TIMEOUT=seconds waits longer" rank-0.log || fail "it is not named"
kill -KILL "${pids[1]}"
wait "${pids[1]}" 2>/dev/null
if have_mpi; then
    cat >rank <<'SH'
#!/bin/sh
echo $$ >"pid.$OMPI_COMM_WORLD_RANK"
exec "$@"
SH
    chmod +x rank
    TT_TIMEOUT=4 timeout 100 mpirun --oversubscribe -np 2 ./rank "$TINYTHINKER" run run.yaml --set name=mpi --set acquisition.steps=100000 \
        --set acquisition.log_every=1 >rank-0.log 2>&1 &
    pids=($!)
    trained mpi
    kill -STOP "$(cat pid.1)"
    wait "${pids[0]}" && fail "with MPI: exit status"
    kill -KILL "$(cat pid.1)" 2>/dev/null
    grep -Eq "no word from rank 1 on .* within 4 seconds|another rank stopped in the middle of it .* within 4 seconds" rank-0.log || fail "with MPI it is not named"
fi

# Rank 1 is slow: it is held up most of the time, nearly always while it computes, since its steps are large.
large=(--set acquisition.steps=16 --set acquisition.batch_size=80 --set acquisition.validate_every=0 --set evaluation.splits=[]
    --set model.d_model=64 --set model.d_ff=256 --set model.d_kv=16)
begin slow "${large[@]}"
until [ "$(lines slow)" -ge 1 ] || ! kill -0 "${pids[0]}" 2>/dev/null; do sleep 0.02; done
while kill -STOP "${pids[1]}" 2>/dev/null; do
    sleep 0.2
    kill -CONT "${pids[1]}" 2>/dev/null
    sleep 0.02
done
wait "${pids[0]}" || fail "a slow rank"
grep -Eq "warning: acquisition: rank 1 is slow: the other ranks waited [0-9]+ of [0-9]+ seconds for it" rank-0.log || fail "it is not told"

# The time of day jumps.
if [ -n "${TT_FAULTY:-}" ]; then
    FAULTY_CLOCK=1 LD_PRELOAD=$TT_FAULTY begin clock "${large[@]}"
    wait "${pids[0]}" || fail "a clock that jumps"
    wait "${pids[1]}" || fail "a clock that jumps"
    "$TINYTHINKER" diff runs/slow/checkpoints/acquisition.h5 runs/clock/checkpoints/acquisition.h5 >rank-0.log 2>&1 || fail "other bits"
fi
pids=()
exit $failed
