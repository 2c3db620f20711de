#!/usr/bin/env bash
# A sweep whose settings change: finished runs of other settings are neither counted nor run over, other ways to score
# are scored again; --set reaches child processes and job arrays; Ctrl-C on a terminal lets every child save.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 12, batch_size: 8, interval: 1, dropout: 0, validate_every: 0, save_every: 5}
evaluation: {max_length: 8, samples: 0}
YAML
cat > sweep.yaml <<'YAML'
name: toy
base: base.yaml
output: one
axes: {stages: [all, summarize_only]}
YAML
decay="--set acquisition.weight_decay=0.02"

"$TINYTHINKER" sweep sweep.yaml --jobs 2 $decay > one.txt 2> log || { fail "--jobs with --set"; cat log one/toy/*/log.txt; }
grep -q "weight_decay: 0.02" one/toy/00-all-s1/config.yaml || fail "--set did not reach the child"
"$TINYTHINKER" sweep sweep.yaml $decay > again.txt 2> log || { fail "again"; cat log; }
diff one.txt again.txt || fail "the table of a finished sweep changed"

before=$(sha256sum one/toy/00-all-s1/{best.h5,result.json,config.yaml})
"$TINYTHINKER" sweep sweep.yaml > other.txt 2> log && fail "runs of other settings were taken for this sweep's"
grep -q "all  *0 of 1" other.txt || { fail "runs of other settings were counted"; cat other.txt; }
grep -q "acquisition.weight_decay: 0.02 -> 0" other.txt || { fail "what differs is not said"; cat other.txt; }
[ "$before" = "$(sha256sum one/toy/00-all-s1/{best.h5,result.json,config.yaml})" ] || fail "a finished run was changed"

"$TINYTHINKER" sweep sweep.yaml $decay --set evaluation.samples=2 > voted.txt 2> log || { fail "scored again"; cat log; }
[ "${before%% *}" = "$(sha256sum < one/toy/00-all-s1/best.h5 | cut -d' ' -f1)" ] || fail "scoring again trained again"
grep -q "all  *1 of 1 .*% .*%" voted.txt || { fail "no votes in the table"; cat voted.txt; }

"$TINYTHINKER" sweep sweep.yaml --set "corpus=it's.h5" --slurm job.sh > /dev/null || fail "--slurm"
srun() { printf '%s\n' "$@"; }
SLURM_ARRAY_TASK_ID=1
[ "$(. ./job.sh | tail -2 | tr '\n' ' ')" = "--set corpus=it's.h5 " ] || { fail "--set in the job array"; cat job.sh; }

# A terminal sends the signal to the whole group.
sed 's/output: one/output: long/; $a set: {acquisition.steps: 100000}' sweep.yaml > long.yaml
setsid "$TINYTHINKER" sweep long.yaml --jobs 2 > long.txt 2> log &
pid=$!
until [ "$(ls long/toy/*/checkpoints/acquisition.h5 2> /dev/null | wc -l)" -eq 2 ] || ! kill -0 $pid 2> /dev/null; do
    sleep 0.05
done
kill -INT -- -$pid
wait $pid
[ $? -eq 130 ] || { fail "the status of an interrupted sweep"; cat log; }
for run in long/toy/*/; do
    grep -q "progress is saved" "$run/log.txt" || { fail "$run did not save"; cat "$run/log.txt"; }
    [ -e "$run/failed.txt" ] && fail "$run counts as failed"
done
exit $failed
