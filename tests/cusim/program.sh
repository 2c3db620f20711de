#!/usr/bin/env bash
# The whole program on the CUDA device: training, reflection's generation and preference steps, evaluation, resuming,
# and two ranks with a GPU each; losses as on the CPU. By cusim, so few steps of a very small student.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
precision: fp32
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 8, d_ff: 24, num_heads: 2,
  num_layers: 1, num_decoder_layers: 1}
acquisition: {steps: 8, batch_size: 4, interval: 1, learning_rate: 2e-3, log_every: 1, validate_every: 0, save_every: 3}
reflection: {questions: 6, samples: 2, batch_size: 4, cycles: 1, log_every: 1, learning_rate: 1e-4}
evaluation: {splits: [], max_length: 8, samples: 0}
YAML
run() { # log, arguments
    "$TINYTHINKER" run base.yaml "${@:2}" > "$1" 2>&1 || { echo "FAILED: run ${*:2}"; cat "$1"; exit 1; }
}
near() { # run, other run, relative difference allowed
    [ "$(losses "$1" | wc -l)" -ge 8 ] || { echo "FAILED: $1 has too few losses"; failed=1; }
    paste -d ' ' <(losses "$1") <(losses "$2" | head -n "$(losses "$1" | wc -l)") | awk -v most="$3" -v runs="$1 and $2" '
        { d = ($2 - $4) / $4; if (d < 0) d = -d; if ($1 != $3 || d > most) { print "FAILED: " runs ": " $0; bad = 1 } }
        END { exit bad }' || failed=1
}

# The sums of a step's gradient begin while kernels are still being launched: the first piece long before the last.
begun_early() { # log
    sed -n 's/.*all-reduce of \([0-9]*\) after \([0-9]*\) launches.*/\1 \2/p' "$1" | awk '
        $1 != 2000 { if (n++ && last - first < 5) bad++; first = 0 }
        $1 == 2000 { if (!first) first = $2; last = $2 }
        END { if (n < 8 || bad) { print "FAILED: gradients summed in " n " steps, " bad " of them at the end"; exit 1 } }' ||
        failed=1
}

run cpu.log --set name=cpu --set device=cpu --set reflection.iterations=1
CUSIM_GRAPH_LOG=1 run gpu.log --set name=gpu --set device=cuda --set reflection.iterations=1
near gpu cpu 1e-4
[ "$(grep -c "cusim: graph of" gpu.log)" -gt 12 ] || { echo "FAILED: decoding steps are not replayed"; failed=1; }
for file in recall_runs.jsonl analyze_runs.jsonl; do
    # The first line has the hash of the weights, which differ in their last bits.
    diff <(tail -n +2 "runs/cpu/reflection_1/$file") <(tail -n +2 "runs/gpu/reflection_1/$file") > diff.log ||
        { echo "FAILED: $file"; head diff.log; failed=1; }
done
run bf16.log --set name=bf16 --set device=cuda --set precision=bf16
near bf16 cpu 2e-2
"$TINYTHINKER" device | grep -q "cuda   cusim" || { echo "FAILED: tinythinker device"; failed=1; }

# Killed on the way, then on to the end: the same bits.
timeout -s KILL 2 "$TINYTHINKER" run base.yaml --set name=part --set device=cuda > part.log 2>&1
run part.log --set name=part --set device=cuda
"$TINYTHINKER" diff runs/gpu/checkpoints/acquisition.h5 runs/part/checkpoints/acquisition.h5 > diff.log 2>&1 ||
    { cat diff.log; failed=1; }

if command -v mpirun > /dev/null; then
    CUSIM_DEVICES=2 CUSIM_NCCL_LOG=1 TT_SUM_PIECE=2000 mpirun --oversubscribe -np 2 "$TINYTHINKER" run base.yaml \
        --set name=ranks --set device=cuda > ranks.log 2>&1 || { cat ranks.log; exit 1; }
    near ranks cpu 1e-4
    begun_early ranks.log
    for bus in 0000:00:00.0 0000:01:00.0; do
        grep -q "$bus" ranks.log || { echo "FAILED: the table of GPUs lacks $bus"; cat ranks.log; failed=1; }
    done
fi

# Layers enough for the gradients of several weights to be made at once: a piece of the sum may not begin before its group's.
if command -v mpirun > /dev/null; then
    deep=(--set model.num_layers=4 --set model.num_decoder_layers=4)
    run deep-cpu.log --set name=deep-cpu --set device=cpu "${deep[@]}"
    CUSIM_DEVICES=2 TT_SUM_PIECE=500 mpirun --oversubscribe -np 2 "$TINYTHINKER" run base.yaml \
        --set name=deep --set device=cuda "${deep[@]}" > deep.log 2>&1 || { cat deep.log; exit 1; }
    near deep deep-cpu 1e-5
fi

# The same without MPI. Then an all-reduce that does not come to its end: told, not waited for.
pair() { # log, arguments
    local r pids=()
    for r in 0 1; do
        CUSIM_DEVICES=2 TT_SUM_PIECE=2000 TT_RENDEZVOUS="$work/meet" TT_WORLD=2 TT_RANK=$r timeout 120 \
            "$TINYTHINKER" run base.yaml --set device=cuda "${@:2}" > "$1-$r" 2>&1 &
        pids+=($!)
    done
    wait "${pids[0]}" && wait "${pids[1]}"
}
pair tcp.log --set name=tcp || { echo "FAILED: ranks without MPI"; cat tcp.log-*; failed=1; }
near tcp cpu 1e-4
# Moments divided among the ranks: a sum of two has one order, so the bits are the same. Sums for single ranks begin early as
# well; the weights' broadcasts end a step.
CUSIM_NCCL_LOG=1 pair zero.log --set name=zero --set acquisition.zero=1 || { echo "FAILED: zero"; cat zero.log-*; failed=1; }
"$TINYTHINKER" diff runs/tcp/checkpoints/acquisition.h5 runs/zero/checkpoints/acquisition.h5 > diff.log 2>&1 ||
    { echo "FAILED: zero changes the result"; cat diff.log; failed=1; }
sed -n 's/.*cusim: \([a-z-]*\) of [0-9]* after \([0-9]*\) launches.*/\1 \2/p' zero.log-0 | awk '
    $1 == "all-reduce" { bad++ }
    $1 == "reduce" { if (!first) first = $2; last = $2 }
    $1 == "broadcast" && first { n++; if (last - first < 5) bad++; first = 0 }
    END { if (n != 8 || bad) { print "FAILED: zero: gradients summed in " n " steps, " bad " of them at the end"; exit 1 } }' ||
    failed=1
CUSIM_NCCL_LOG=1 pair half.log --set name=half --set acquisition.zero=1 --set acquisition.reduction=bf16 ||
    { echo "FAILED: reduction in bf16"; cat half.log-*; failed=1; }
near half cpu 1e-3
grep "cusim: reduce" half.log-0 | grep -qv "in bf16" && { echo "FAILED: sums that are not in bf16"; failed=1; }
"$TINYTHINKER" diff runs/zero/checkpoints/acquisition.h5 runs/half/checkpoints/acquisition.h5 > diff.log 2>&1 &&
    { echo "FAILED: sums in bf16 are not rounded"; failed=1; }
# The first moment is linear in the gradients: what was not added, or not widened, would be far off.
"$TINYTHINKER" diff --only m --tolerance 1e-2 runs/zero/checkpoints/acquisition.h5 runs/half/checkpoints/acquisition.h5 \
    > diff.log 2>&1 || { echo "FAILED: sums in bf16"; cat diff.log; failed=1; }
CUSIM_NCCL_STALL=1 TT_TIMEOUT=3 pair stall.log --set name=stall && { echo "FAILED: a stalled sum"; failed=1; }
grep -q "the sum over 2 ranks did not end within 3 seconds" stall.log-0 ||
    { echo "FAILED: message of a stalled sum"; cat stall.log-*; failed=1; }
# NCCL's start has a patience of its own; and of two cards each rank gets its own, of which one may be too old.
CUSIM_NCCL_STALL=start TT_NCCL_TIMEOUT=1 pair start.log --set name=start && { echo "FAILED: NCCL never starts"; failed=1; }
grep -q "NCCL: start of 2 ranks did not end within 1 seconds.*TT_NCCL_TIMEOUT=seconds waits longer" start.log-0 ||
    { echo "FAILED: message of NCCL's start"; cat start.log-*; failed=1; }
CUSIM_GPU=capability1=75 pair old.log --set name=old && { echo "FAILED: an old card among two"; failed=1; }
grep -q "rank 1 on .* has no GPU (GPU 1, .* has compute capability 7.5; 8.0 or later" old.log-0 ||
    { echo "FAILED: message of an old card"; cat old.log-*; failed=1; }

# A slow GPU is named, though its host is as fast as the other.
for r in 0 1; do
    words=$([ $r = 1 ] && echo slow=9000)
    CUSIM_DEVICES=1 CUSIM_GPU=$words TT_RENDEZVOUS="$work/meet" TT_WORLD=2 TT_RANK=$r timeout 120 "$TINYTHINKER" \
        run base.yaml --set device=cuda --set name=slow --set reflection.iterations=0 > "slow-$r" 2>&1 &
    pids[r]=$!
done
wait "${pids[0]}" && wait "${pids[1]}" || { echo "FAILED: a slow GPU"; cat slow-*; failed=1; }
grep -Eq "rank 1 is slow: the other ranks waited [0-9]+ of [0-9]+ seconds" slow-0 ||
    { echo "FAILED: a slow GPU is not named"; cat slow-0; failed=1; }

# A rank that is killed on the way: the other says so and ends, whatever it waits for.
for r in 0 1; do
    CUSIM_DEVICES=2 TT_SUM_PIECE=2000 TT_RENDEZVOUS="$work/meet" TT_WORLD=2 TT_RANK=$r TT_TIMEOUT=5 "$TINYTHINKER" \
        run base.yaml --set device=cuda --set name=killed --set acquisition.steps=4000 > "killed-$r" 2>&1 &
    pids[r]=$!
done
until [ -e runs/killed/checkpoints/acquisition.h5 ] || ! kill -0 "${pids[0]}" 2> /dev/null; do sleep 0.05; done
kill -KILL "${pids[1]}"
wait "${pids[0]}"
status=$?
{ [ $status -ne 0 ] && [ $status -lt 124 ]; } || { echo "FAILED: status $status after a rank was killed"; failed=1; }
grep -qE "rank 1 .* has left|did not end within 5 seconds" killed-0 || { echo "FAILED: a killed rank"; cat killed-0; failed=1; }

# No GPU: asked for, an error; else the CPU.
CUSIM_DEVICES=0 "$TINYTHINKER" run base.yaml --set name=none --set device=cuda > none.log 2>&1 &&
    { echo "FAILED: device cuda without a GPU"; failed=1; }
grep -q "no usable GPU" none.log || { cat none.log; failed=1; }
CUSIM_DEVICES=0 "$TINYTHINKER" device | grep -q "'device: auto' takes cpu" || { echo "FAILED: auto"; failed=1; }
exit $failed
