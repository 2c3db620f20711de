#!/usr/bin/env bash
# Moments divided among ranks: zero_check on one to three ranks; then runs that are killed and go on with other numbers of
# ranks, with and without zero.
set -u
. "$(dirname "$0")/../common.sh"
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS SLURM_SUBMIT_DIR
export OMP_NUM_THREADS=1
make_data

# Starts a command on so many ranks that meet by a file; output in rank-N.log.
meet() { # ranks, command
    local ranks=$1 pids=() r bad=0
    shift
    for ((r = 0; r < ranks; ++r)); do
        TT_RANK=$r TT_WORLD=$ranks TT_RENDEZVOUS=$work/meet timeout 120 "$@" >rank-$r.log 2>&1 &
        pids+=($!)
    done
    for r in "${pids[@]}"; do wait "$r" || bad=1; done
    return $bad
}
"$TT_ZERO_CHECK" >check.log 2>&1 || fail "zero_check on one rank" check.log
memory=memory # once
for ranks in 2 3; do
    meet $ranks "$TT_ZERO_CHECK" $memory || fail "zero_check on $ranks ranks" rank-*.log
    memory=
    have_mpi || continue
    timeout 120 mpirun --oversubscribe -np $ranks "$TT_ZERO_CHECK" >check.log 2>&1 || fail "zero_check on $ranks ranks of MPI" check.log
done

cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 24, batch_size: 8, interval: 1, learning_rate: 5e-4, log_every: 1, validate_every: 0, save_every: 4}
reflection: {iterations: 0}
evaluation: {max_length: 8, samples: 0, splits: []}
precision: fp32
YAML
weights() { echo "runs/$1/checkpoints/acquisition.h5"; }
shown=(rank-0.log rank-1.log)
run() { # ranks, name, settings...
    meet "$1" "$TINYTHINKER" run run.yaml --set "name=$2" "${@:3}" || die "run ${*:2} on $1 ranks"
}
# The same, killed once it has saved its second checkpoint.
killed() { # ranks, name, settings...
    local ranks=$1 r pids=()
    for ((r = 0; r < ranks; ++r)); do
        TT_RANK=$r TT_WORLD=$ranks TT_RENDEZVOUS=$work/meet timeout 120 "$TINYTHINKER" run run.yaml --set "name=$2" \
            --set acquisition.log_every=1 "${@:3}" >rank-$r.log 2>&1 &
        pids+=($!)
    done
    until [ "$(losses "$2" 2>/dev/null | wc -l)" -ge 9 ] || ! kill -0 "${pids[0]}" 2>/dev/null; do sleep 0.01; done
    kill -KILL "${pids[@]}" 2>/dev/null
    wait "${pids[@]}" 2>/dev/null
    [ -e "$(weights "$2")" ] || die "$2: no checkpoint was written"
}
equal() { # name, name, options of diff
    "$TINYTHINKER" diff "${@:3}" "$(weights "$1")" "$(weights "$2")" >diff.log 2>&1 || fail "$1 and $2 differ" diff.log
}
zero=(--set acquisition.zero=1)
run 2 plain
run 2 zero "${zero[@]}"
equal plain zero
# Two ranks with zero, then two without, and the other way round: nothing is lost, not a bit.
killed 2 to-plain "${zero[@]}"
run 2 to-plain
equal plain to-plain
killed 2 to-zero
run 2 to-zero "${zero[@]}"
equal plain to-zero
# From two ranks to one and to three, and back: only sums are rounded in another order.
killed 2 fewer "${zero[@]}"
run 1 fewer
equal plain fewer --tolerance 1e-4
killed 1 more
run 3 more "${zero[@]}"
equal plain more --tolerance 1e-4
expect 2 'acquisition.zero&&0 to 1' run run.yaml --set acquisition.zero=2
expect 2 'acquisition.recompute&&none, layers' run run.yaml --set acquisition.recompute=all
exit $failed
