#!/usr/bin/env bash
# Standard output that cannot be written: every command that prints says so and ends with status 1; a reader that has gone
# ends it quietly, as it ends other tools. Closed descriptors let nothing that is printed into a file.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/err.log")
[ -w /dev/full ] || skip "no /dev/full"
make_run
printf 'name: small\nbase: run.yaml\n' >sweep.yaml
printf '{"id": "q", "reasoning": [{"general": "So.", "specific": ["a", "b", "c"], "answer": 0}]}\n' >answers.jsonl
"$TINYTHINKER" corpus export data/corpus.h5 -o all.jsonl 2>err.log || die "export"
head -n 1 all.jsonl | sed 's/,"reasoning":.*/}/; s/, "reasoning":.*/}/' >bare.jsonl
id=$(sed 's/.*"id": *"\([^"]*\)".*/\1/' bare.jsonl)
sed -i "s/\"q\"/\"$id\"/" answers.jsonl
"$TINYTHINKER" run run.yaml >run.log 2>err.log || die "run" err.log

cp data/old.h5 old.h5

# One line for each command; the test fails where the program has one that is not here.
cat >commands <<'LINES'
run run.yaml
plan run.yaml
eval --model runs/run/best.h5 --corpus data/corpus.h5 --limit 2 --max-length 8
eval --model runs/run/best.h5 --corpus data/corpus.h5 --limit 2 --max-length 8 --json
teach --keys
sweep sweep.yaml --dry-run
sweep sweep.yaml
report runs
compare runs
compare --json runs
explain runs/run --limit 2
ask --model runs/run/best.h5 --max-length 8 question yes no
corpus import jsonl all.jsonl -o x.h5
corpus build world.yaml -o x.h5
corpus export data/corpus.h5 -o -
renew old.h5
corpus add-reasoning x.h5 answers.jsonl -o y.h5
corpus merge data/corpus.h5 data/corpus.h5 -o x.h5
corpus show data/corpus.h5
model show runs/run/best.h5
tokenizer show data/tokenizer.model balo
device
diff runs/run/best.h5 runs/run/best.h5
bench --shape tiny --steps 1 --tokens 16 --threads 1 --peak 1
bench --shape tiny --steps 1 --tokens 16 --threads 1 --peak 1 --json
run --keys
--version
LINES
cp "$TT_SOURCE_DIR"/datasets/everyday/*.yaml .
sed -i 's/^splits: .*/splits: {train: 300, validation: 10, test: 10, control: 10}/' world.yaml
"$TINYTHINKER" corpus import jsonl bare.jsonl -o bare.h5 >/dev/null 2>err.log || die "import"
sed -i 's/^corpus add-reasoning x.h5/corpus add-reasoning bare.h5/' commands
for command in $("$TINYTHINKER" --help | awk '/^  [a-z]/ { print $1 }'); do
    grep -q "^$command" commands || fail "this test has no line for $command" /dev/null
    echo "$command --help" >>commands
done
echo "--help" >>commands

reason='^tinythinker: standard output: cannot write: '
while read -r line; do
    # shellcheck disable=SC2086
    timeout 120 "$TINYTHINKER" $line >/dev/full 2>err.log </dev/null
    got=$?
    [ $got -eq 1 ] && grep -q "${reason}No space left on device" err.log || fail "$line >/dev/full: status $got"
    # shellcheck disable=SC2086
    timeout 120 "$TINYTHINKER" $line >&- 2>err.log </dev/null
    got=$?
    [ $got -eq 1 ] && grep -q "${reason}it is closed" err.log || fail "$line >&-: status $got"
    # A reader that reads nothing: it has gone before the program begins.
    # shellcheck disable=SC2086
    { sleep 0.1; timeout 120 "$TINYTHINKER" $line 2>err.log </dev/null; echo $? >status; } | true
    got=$(cat status)
    [ "$got" -eq 141 ] && ! grep -q "standard output" err.log || fail "$line | true: status $got"
    # The same where the signal is ignored, as some programs do for those that they start.
    # shellcheck disable=SC2086
    (trap '' PIPE; { sleep 0.1; timeout 120 "$TINYTHINKER" $line 2>err.log </dev/null; echo $? >status; } | true)
    got=$(cat status)
    [ "$got" -eq 1 ] && grep -q "${reason}Broken pipe" err.log || fail "$line with SIGPIPE ignored: status $got"
done <commands

# What was computed is saved all the same.
"$TINYTHINKER" run run.yaml --set name=saved >/dev/full 2>err.log && fail "a full standard output is not noticed"
[ -s runs/saved/result.json ] && [ -s runs/saved/best.h5 ] || fail "the result is lost"

# No file gets the number of a closed descriptor, and what is printed.
"$TINYTHINKER" eval --model runs/run/best.h5 --corpus data/corpus.h5 --limit 2 --max-length 8 --predictions want.jsonl >/dev/null 2>&1
for closed in '<&-' '2>&-' '<&- 2>&-' '<&- >&- 2>&-'; do
    eval "timeout 120 \"\$TINYTHINKER\" eval --model runs/run/best.h5 --corpus data/corpus.h5 --limit 2 --max-length 8 \
        --predictions got.jsonl $closed" >/dev/null 2>err.log
    cmp -s want.jsonl got.jsonl || fail "eval $closed: its file has other contents" got.jsonl
    eval "timeout 120 \"\$TINYTHINKER\" run run.yaml --set name=closed --fresh $closed" >/dev/null 2>err.log
    cmp -s runs/run/predictions.jsonl runs/closed/predictions.jsonl || fail "run $closed: its files have other contents" /dev/null
    "$TINYTHINKER" model show runs/closed/best.h5 >/dev/null 2>err.log || fail "run $closed: best.h5"
done
exit $failed
