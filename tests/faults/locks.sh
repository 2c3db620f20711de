#!/usr/bin/env bash
# Two processes in one place: the second is refused and told who is there; a process that was killed stands in nobody's way.
# Launchers that would start the same work several times are named.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/out.log" "$work/err.log")
unset SLURM_STEP_ID SLURM_JOB_ID SLURM_PROCID SLURM_NTASKS SLURM_STEP_NUM_TASKS RANK WORLD_SIZE TT_RANK TT_WORLD TT_RENDEZVOUS
make_data
cat >run.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 16, d_kv: 4, d_ff: 32, num_heads: 4}
acquisition: {steps: 6, batch_size: 8, interval: 1, log_every: 1}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
printf 'name: many\nbase: run.yaml\nseeds: [1, 2]\n' >sweep.yaml
try() { # status, arguments
    local status=$1 got
    shift
    timeout 120 "$TINYTHINKER" "$@" >out.log 2>err.log </dev/null
    got=$?
    [ $got -eq "$status" ] || fail "$*: exit status $got, expected $status"
}
long() { # run directory, arguments: a run that takes its time, $pid
    local folder=$1
    shift
    "$TINYTHINKER" run run.yaml --set acquisition.steps=10000000 "$@" >long.log 2>&1 &
    pid=$!
    until [ -s "$folder/metrics.jsonl" ] && [ -s "$folder/lock" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
}
end() {
    kill -9 $pid
    wait $pid 2>/dev/null
}

long runs/run
before=$(cksum <runs/run/config.yaml)
for more in "" "--fresh" "--set acquisition.steps=6"; do
    # shellcheck disable=SC2086
    try 1 run run.yaml $more
    grep -q "^tinythinker: runs/run: another process is running in this directory (process $pid on host $(uname -n), since 20[0-9][0-9]-.*); wait" err.log ||
        fail "not said who runs there"
done
[ "$before" = "$(cksum <runs/run/config.yaml)" ] && kill -0 $pid || fail "the run was disturbed" long.log
end
# The owner's note is there, the lock is not: the run goes on, and leaves no note.
[ -s runs/run/lock ] || fail "no note to be left behind"
try 0 run run.yaml --fresh
[ ! -e runs/run/lock ] || fail "a note stayed"

# A sweep leaves a run to the process that has it, and notes nothing there.
for jobs in 0 2; do
    rm -rf runs/many
    long runs/many/00-base-s1 --set name=00-base-s1 --set output=runs/many
    try 1 sweep sweep.yaml --jobs $jobs
    grep -q "left out: runs/many/00-base-s1: .*(process $pid on" err.log || fail "sweep --jobs $jobs: not said who runs there"
    [ -s runs/many/01-base-s2/result.json ] || fail "sweep --jobs $jobs: the other run is missing"
    [ ! -e runs/many/00-base-s1/failed.txt ] && [ ! -e runs/many/00-base-s1/sweep.json ] || fail "sweep --jobs $jobs: wrote into a run of another"
    end
done

# Two exports to one directory do not mix.
try 0 run run.yaml --set name=done
mkdir hf
exec 9<hf
flock 9
try 1 model export runs/done/best.h5 -o hf
grep -q "hf: another process exports to it" err.log && [ -z "$(ls -A hf)" ] || fail "an export into a directory in use"
exec 9<&-
try 0 model export runs/done/best.h5 -o hf
[ ! -e hf.lock ] || fail "a note stayed beside the export"

# A teacher's journal.
cat >teach.yaml <<YAML
questions: data/corpus.h5
corpus: taught.h5
prompts: $TT_SOURCE_DIR/datasets/prompts/everyday.yaml
prices: $TT_SOURCE_DIR/datasets/prompts/prices.yaml
tokenizer: $TT_SOURCE_DIR/datasets/everyday/student.h5
model: nobody
YAML
try 0 teach teach.yaml --export-batch first
[ ! -e taught.journal.jsonl.lock ] || fail "a note stayed beside the journal"
echo "process 7 on host elsewhere, since yesterday" >taught.journal.jsonl.lock
exec 9<taught.journal.jsonl
flock 9
try 1 teach teach.yaml --export-batch second
grep -q "taught.journal.jsonl: another process is collecting into it (process 7 on host elsewhere, since yesterday)" err.log || fail "a journal in use"
exec 9<&-
try 0 teach teach.yaml --export-batch second

# Launchers: named, with what to do; one process is none.
before=$(ls -A runs)
launched() { # pattern, variables...
    local pattern=$1
    shift
    timeout 60 env "$@" "$TINYTHINKER" run run.yaml --set name=launched >out.log 2>err.log
    got=$?
    [ $got -eq 2 ] && grep -q "$pattern" err.log && grep -q "mpirun\|srun" err.log && grep -q TT_RENDEZVOUS err.log ||
        fail "$*: status $got"
}
launched "process 2 of 4 by a launcher such as torchrun" RANK=2 WORLD_SIZE=4 LOCAL_RANK=2 MASTER_ADDR=here MASTER_PORT=29500
launched "process 0 of 2 by a launcher such as torchrun" RANK=0 WORLD_SIZE=2
launched "process 1 of 2 by horovodrun" HOROVOD_RANK=1 HOROVOD_SIZE=2
launched "task 1 of 2 of Slurm" SLURM_PROCID=1 SLURM_NTASKS=2
[ "$before" = "$(ls -A runs)" ] || fail "a refused process left something"
RANK=0 WORLD_SIZE=1 LOCAL_RANK=0 MASTER_ADDR=here try 0 run run.yaml --set name=one
WORLD_SIZE=4 try 0 run run.yaml --set name=leftover
SLURM_PROCID=0 SLURM_NTASKS=2 try 0 run run.yaml --set name=script # a batch script's own process
grep -q "warning: Slurm gives this job 2 tasks" err.log || fail "not said that a job's other tasks are idle"

# They work together where they can meet.
export TT_RENDEZVOUS=$work/meet TT_TIMEOUT=60 OMP_NUM_THREADS=1
RANK=1 WORLD_SIZE=2 "$TINYTHINKER" run run.yaml --set name=both >other.log 2>&1 &
RANK=0 WORLD_SIZE=2 try 0 run run.yaml --set name=both
wait $! || fail "rank 1" other.log
grep -q '"ranks": 2' runs/both/environment.json || fail "not two ranks" runs/both/environment.json
exit $failed
