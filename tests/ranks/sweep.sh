#!/usr/bin/env bash
# A sweep shared by ranks, one or two to a run, gives the table of one process; a list is printed once.
set -u
. "$(dirname "$0")/../common.sh"
have_mpi || skip "no MPI, or built without it"
export OMP_NUM_THREADS=1
make_data

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 20, batch_size: 8, interval: 1, learning_rate: 5e-3, dropout: 0, validate_every: 0}
evaluation: {max_length: 8, samples: 0}
precision: fp32
YAML
# Three good runs, so that two groups have unequal work, and one that fails.
cat > sweep.yaml <<'YAML'
name: toy
base: base.yaml
output: ranks0
variants: {bad: {model.tokenizer: data/no.model}, all: {}, no_recall: {stages: no_recall}, answers: {stages: summarize_only}}
YAML
"$TINYTHINKER" sweep sweep.yaml > 0.txt 2> log && fail "the failed run was not told"
grep -q "no.model" 0.txt || { fail "no reason"; cat 0.txt log; }
for ranks in 1 2; do
    sed "s/output: ranks0/output: ranks$ranks/; \$a ranks_per_run: $ranks" sweep.yaml > part.yaml
    mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep part.yaml > part.txt 2> log && fail "$ranks: the failed run was not told"
    diff <(sed '/^failed:/d' 0.txt) <(sed '/^failed:/d' part.txt) || { fail "table with $ranks ranks a run"; cat log; }
    grep -q "failed: ranks$ranks/toy/00-bad-s1: .*no.model" part.txt || { fail "no reason with $ranks"; cat part.txt; }
done
# More ranks wanted than there are; and of two groups, the one that is free earlier waits longer than ranks wait for each other.
sed "s/output: ranks0/output: eight/; \$a ranks_per_run: 8" sweep.yaml > eight.yaml
mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep eight.yaml > eight.txt 2> log && fail "8 of 2 ranks: the failed run was not told"
diff <(sed '/^failed:/d' 0.txt) <(sed '/^failed:/d' eight.txt) || { fail "table with 8 of 2 ranks"; cat log; }
grep -q "all 2 ranks" log || { fail "not said that there are 2 ranks"; cat log; }
cat > long.yaml <<'YAML'
name: long
base: base.yaml
output: long
variants: {short: {acquisition.steps: 1}, long: {acquisition.steps: 300, acquisition.batch_size: 64}}
YAML
TT_TIMEOUT=1 mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep long.yaml --ranks-per-run 1 > long.txt 2> log ||
    { fail "a group that waited for the other"; cat log; }
[ "$(grep -c "1 of 1" long.txt)" = 2 ] || { fail "long and short"; cat long.txt; }
mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep part.yaml --dry-run > list.txt 2> log || fail "--dry-run"
[ "$(grep -c " runs in " list.txt)" -eq 1 ] || { fail "the list is printed by each rank"; cat list.txt; }
sed 's/ranks_per_run: 2/ranks_per_run: 3/' part.yaml > many.yaml
mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep many.yaml --retry > /dev/null 2> log && fail "more ranks a run than there are"
exit $failed
