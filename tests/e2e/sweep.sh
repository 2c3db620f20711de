#!/usr/bin/env bash
# Sweeps: finished runs are skipped, a killed one goes on, failed ones are told and retried; the table is the same
# one by one, with jobs side by side, and under mpirun; shipped sweeps are in order.
set -u
. "$(dirname "$0")/../common.sh"
export OMP_NUM_THREADS=1
make_data

for file in "$TT_SOURCE_DIR"/experiments/*.yaml "$TT_SOURCE_DIR"/experiments/paper/*.yaml; do
    (cd "$TT_SOURCE_DIR" && "$TINYTHINKER" sweep "$file" --dry-run) > list.txt 2>&1 || { fail "$file"; cat list.txt; }
    grep -q " runs in " list.txt || fail "$file lists no runs"
done

cat > base.yaml <<'YAML'
corpus: data/corpus.h5
threads: 1
model: {tokenizer: data/tokenizer.model, extra_ids: 20, shape: custom, d_model: 32, d_kv: 8, d_ff: 64, num_heads: 4}
acquisition: {steps: 60, batch_size: 16, interval: 1, learning_rate: 5e-3, dropout: 0, validate_every: 0, save_every: 5}
evaluation: {max_length: 16, samples: 0}
precision: fp32
YAML
cat > sweep.yaml <<'YAML'
name: toy
base: base.yaml
output: one
seeds: [1, 2]
axes: {stages: [all, summarize_only]}
YAML

# Killed in the third run, then to its end.
"$TINYTHINKER" sweep sweep.yaml > one.txt 2> one.log &
pid=$!
until [ -e one/toy/02-summarize_only-s1/checkpoints/acquisition.h5 ] || ! kill -0 $pid 2> /dev/null; do
    sleep 0.05
done
kill -9 $pid 2> /dev/null
wait $pid 2> /dev/null
"$TINYTHINKER" sweep sweep.yaml --dry-run > list.txt
finished=$(grep -c finished list.txt) # on a busy machine the third may be, too
{ [ "$finished" -ge 2 ] && [ "$finished" -le 3 ]; } || { fail "two or three runs should be finished by now"; cat list.txt; }
before=$(stat -c %Y%i one/toy/00-all-s1/best.h5)
"$TINYTHINKER" sweep sweep.yaml > one.txt 2> one.log || { fail "the sweep"; cat one.log; }
[ "$before" = "$(stat -c %Y%i one/toy/00-all-s1/best.h5)" ] || fail "a finished run was run again"
grep -q "all  *2 of 2  *-  *[0-9.]* % \[" one.txt || { fail "no row with an interval"; cat one.txt; }
cmp one.txt one/toy/table.txt || fail "table.txt differs"
grep -q '"variant": "all"' one/toy/00-all-s1/sweep.json || fail "sweep.json"

"$TINYTHINKER" sweep sweep.yaml --jobs 2 --slurm job.sh > /dev/null && grep -q -- "--array=0-3" job.sh || fail "slurm"
sed 's/output: one/output: two/' sweep.yaml > two.yaml
"$TINYTHINKER" sweep two.yaml --jobs 2 > two.txt 2> two.log || { fail "--jobs 2"; cat two.log; }
diff one.txt two.txt || fail "the table of --jobs 2 differs"
[ -s two/toy/00-all-s1/log.txt ] || fail "no log of a job"
if have_mpi; then
    for ranks in 1 2; do
        sed "s/output: one/output: three$ranks/; \$a ranks_per_run: $ranks" sweep.yaml > three.yaml
        mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep three.yaml > three.txt 2> three.log ||
            { fail "mpirun, $ranks ranks per run"; cat three.log; }
        diff one.txt three.txt || fail "the table of mpirun, $ranks ranks per run, differs"
    done
    mpirun --oversubscribe -np 2 "$TINYTHINKER" sweep sweep.yaml --set output=x > x.log 2>&1 &&
        fail "a sweep's own key was taken from the command line"
fi
"$TINYTHINKER" diff --only weights one/toy/01-all-s2/best.h5 two/toy/01-all-s2/best.h5 > diff.log || { fail weights; cat diff.log; }

# A signal when a run's result is written: with another run left the sweep is interrupted, after the last one it ends as it would
# have; so with jobs, whose parent is asked.
asked() { # status, run whose result is written when the signal comes, arguments of the sweep
    local status=$1 run=$2
    shift 2
    FAULTY_HOW=kill FAULTY_SIGNAL=2 FAULTY_DELAY=0 FAULTY_AT=4 FAULTY_ONLY=$run/result.json FAULTY_FOLDER=$work/two \
        FAULTY_VICTIM=$work/pid LD_PRELOAD=$TT_FAULTY sh -c 'echo $$ >pid && exec "$@"' sh "$TINYTHINKER" sweep two.yaml "$@" \
        >asked.txt 2>asked.log
    [ $? = "$status" ] || fail "asked at the result of $run $*: another status than $status" asked.log
    [ -e two/toy/$run/result.json ] || fail "asked at the result of $run $*: no result" asked.log
    if [ "$status" = 0 ]; then
        diff one.txt asked.txt || fail "asked after the last run $*: another table"
    else
        # On a busy machine the signal may come when the next run has begun, which has a word of its own.
        grep -q "run the same command again to resume" asked.log || fail "asked at $run $*: no word" asked.log
    fi
}
[ -z "${TT_FAULTY:-}" ] || for jobs in 0 1; do
    rm two/toy/0[23]-*/result.json
    asked 130 02-summarize_only-s1 --jobs $jobs
    asked 0 03-summarize_only-s2 --jobs $jobs
done

# One run fails: told, skipped, retried; the other is done.
cat > bad.yaml <<'YAML'
name: bad
base: base.yaml
variants: {good: {}, bad: {model.tokenizer: data/no.model}}
YAML
"$TINYTHINKER" sweep bad.yaml --dry-run > list.txt 2> bad.log
[ "$(grep -c "^1 run not counted: .*no.model" list.txt) $(grep -c "  at least$" list.txt)" = "1 3" ] || { fail "--dry-run does not say what it leaves out"; cat list.txt; }
"$TINYTHINKER" sweep bad.yaml > bad.txt 2> bad.log
[ $? = 1 ] || fail "a failed run was not told" bad.log
grep -q "failed: runs/bad/01-bad-s1: .*no.model" bad.txt || { fail "the reason is not in the table"; cat bad.txt; }
grep -q "good  *1 of 1" bad.txt || { fail "the other run"; cat bad.txt; }
"$TINYTHINKER" sweep bad.yaml > bad.txt 2> bad.log
[ $? = 1 ] || fail "a run that failed earlier was not told" bad.log
grep -q "1 run failed earlier and is left out; --retry runs it again" bad.log || fail "what --retry does is not said" bad.log
grep -q "failed: runs/bad/01-bad-s1: .*no.model" bad.txt || fail "the reason of earlier is not in the table" bad.txt
cp data/tokenizer.model data/no.model
"$TINYTHINKER" sweep bad.yaml --retry > bad.txt 2> bad.log || { fail "--retry"; cat bad.log; }
grep -q "bad  *1 of 1" bad.txt || { fail "--retry"; cat bad.txt; }
# Runs that fail before they train: a start-over counts them as failed. They have no result from before, and --retry starts them
# over.
cat > fresh.yaml <<'YAML'
name: fresh
base: base.yaml
set: {acquisition.steps: 3}
variants: {good: {}, broken: {corpus: data/none.h5}}
YAML
"$TINYTHINKER" sweep fresh.yaml --fresh > fresh.txt 2> fresh.log
[ $? = 1 ] && [ -e runs/fresh/fresh.json ] || fail "--fresh with a broken run" fresh.log
"$TINYTHINKER" sweep fresh.yaml > fresh.txt 2> fresh.log
[ $? = 1 ] || fail "a start-over with a broken run, again" fresh.log
grep -q "a start-over is not finished and goes on: 1 of 2 runs are left, 1 of them failed" fresh.log || fail "what is left of a start-over is not said" fresh.log
{ grep -q "1 run failed earlier and is left out" fresh.log && ! grep -q "broken-s1 failed" fresh.log; } || fail "a start-over ran a failed run again" fresh.log
grep -q "^failed: runs/fresh/01-broken-s1: .*none.h5[^/]*$" fresh.txt && ! grep -q "^start-over" fresh.txt || fail "the reason of a start-over" fresh.txt
grep -q "^1,.*,failed,.*none.h5" runs/fresh/summary.csv || fail "summary.csv does not say that it failed" runs/fresh/summary.csv
"$TINYTHINKER" report runs/fresh -o report.html > /dev/null 2> report.log || fail "a report of a start-over" report.log
grep -q "failed: .*none.h5" report.html || fail "a report leaves out a run that failed before it trained" report.html
# It is in the list of runs alone: the table has the other variant, in one column, which nothing is compared with.
echo "not of a run" >runs/failed.txt
"$TINYTHINKER" report runs -o report.html --markdown report.md > /dev/null 2> report.log || fail "a report beside a stranger's failed.txt" report.log
rm runs/failed.txt
sed -n '/^## fresh/,/^## /p' report.md >grid.md
{ grep -q "^| *| corpus |" grid.md || grep -q "^| *| test |" grid.md; } && ! grep -q broken grid.md || fail "a table has a run that failed before it trained" report.md
grep -Eq "broken.* \| 0 \|" report.md && grep -q "| failed: .*none.h5" report.md || fail "a failed run is counted, or has no reason" report.md
! grep -q "results from" report.log || fail "a run without a result counts as old" report.log
cp data/corpus.h5 data/none.h5
"$TINYTHINKER" sweep fresh.yaml --retry > fresh.txt 2> fresh.log || fail "--retry in a start-over" fresh.log
[ ! -e runs/fresh/fresh.json ] || fail "fresh.json stays after --retry" fresh.log

# Several processes at once: each broken run fails once, and with --retry once more.
cat > many.yaml <<'YAML'
name: many
base: base.yaml
seeds: [1, 2, 3]
variants: {good: {acquisition.steps: 20}, broken: {corpus: data/no.h5}}
YAML
for retry in "" --retry; do
    rm -rf runs/many/0[012]-good-* # good runs come first: both processes have begun when a broken one fails
    for i in 1 2; do "$TINYTHINKER" sweep many.yaml $retry > many$i.txt 2> many$i.log & done
    wait
    [ "$(cat many[12].log | grep -c "broken-s[123] failed:")" = 3 ] || fail "two processes $retry: not one failure of each broken run" many1.log many2.log
done

# Ten seeds at most, until the interval is 2 points to each side.
sed 's/name: toy/name: ten/; s/^seeds:.*/until: {interval: 2 %, seeds: 10}/; s/\[all, summarize_only\]/[summarize_only]/' sweep.yaml > ten.yaml
"$TINYTHINKER" sweep ten.yaml --set acquisition.steps=1 --dry-run > list.txt 2> log || { fail "until: {interval: 2 %, seeds: 10}"; cat log; }
grep -q "^10 runs in one/ten" list.txt || { fail "ten seeds are not listed"; cat list.txt; }
"$TINYTHINKER" sweep ten.yaml --set acquisition.steps=1 > until.txt 2> log || { fail "until: {interval: 2 %, seeds: 10}"; cat log; }
# The interval over the finished seeds is at most 2 points wide to each side, or all ten are finished; not before the last.
awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) {if ($i == "test") t = i; if ($i == "state") s = i} next}
    $s == "finished" {x[++n] = $t} END {split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262", student, " ")
        for (k = 2; k <= n; k++) {m = v = 0; for (i = 1; i <= k; i++) m += x[i] / k; for (i = 1; i <= k; i++) v += (x[i] - m) ^ 2 / (k - 1)
            enough[k] = k >= 3 && student[k - 1] * sqrt(v / k) <= 0.02}
        exit !(n >= 3 && (n == 10 || enough[n]) && (n == 3 || !enough[n - 1]))}' one/ten/summary.csv || { fail "until: seeds"; cat one/ten/summary.csv; }

# Enough seeds: three whose interval is narrow enough.
sed 's/name: toy/name: until/; s/^seeds:.*/until: {interval: 99 %, seeds: 5}/; s/\[all, summarize_only\]/[summarize_only]/' sweep.yaml > until.yaml
"$TINYTHINKER" sweep until.yaml > until.txt 2> log || { fail "until"; cat log; }
"$TINYTHINKER" sweep until.yaml --dry-run > list.txt 2> log
[ "$(grep -c finished list.txt) $(grep -c "not needed" list.txt)" = "3 2" ] || { fail "three seeds are enough"; cat list.txt; }
grep -q "^3 phases, .* would train 3 in all; 0 are left$" list.txt || { fail "--dry-run counts phases that no run needs"; cat list.txt; }
[ "$(wc -l < one/until/summary.csv)" = 6 ] || { fail "summary.csv"; cat one/until/summary.csv; }

"$TINYTHINKER" report one -o report.html > /dev/null 2> report.log || { fail "report of a sweep"; cat report.log; }
exit $failed
