#!/usr/bin/env bash
# What people write as options: a set of words refuses all others, by every command that has one; numbers are numbers; a
# flag is true or false; nothing is taken for what it is not, and nothing counts twice. Threads and terminals.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/out.log" "$work/err.log")
make_run
try() { # status, pattern, arguments
    local status=$1 pattern=$2 got
    shift 2
    timeout 120 "$TINYTHINKER" "$@" >out.log 2>err.log </dev/null
    got=$?
    [ $got -eq "$status" ] || fail "$*: exit status $got, expected $status"
    [ -z "$pattern" ] || grep -Eq -- "$pattern" err.log || fail "$*: no '$pattern'"
}

# Every option whose help names the words that are allowed: each is in the completion, and no other is taken.
"$TINYTHINKER" manual pages >out.log 2>err.log || die "manual"
found=0
while IFS="'" read -r _ place _ words _; do
    case $place in *" -"*) ;; *) continue ;; esac
    command=${place% -*}
    option=${place##* }
    for word in $words; do
        [ "$word" != banana ] || fail "$place allows anything" /dev/null
    done
    for bad in banana "$word " "$(tr '[:lower:]' '[:upper:]' <<<"$word")"; do
        # shellcheck disable=SC2086
        try 2 "$option: '?$bad'? is not allowed; allowed are .*${words%% *}" $command "$option" "$bad"
    done
    found=$((found + 1))
done < <(grep "^    values\['.*='[^']" pages/tinythinker.bash)
[ $found -ge 15 ] || fail "only $found options with a set of words" pages/tinythinker.bash

# Numbers, by an option and by a key.
model="--model none.h5 --corpus none.h5"
for bad in 3x "" " 3" 0x10 -1 1e30 inf nan 2.5 3,5 "1 000" --; do
    # shellcheck disable=SC2086
    try 2 "eval: --limit $bad: expected a whole number from 0 to 1000000000" eval $model "--limit=$bad"
done
for bad in 1.5x "" nan inf 101 1e400; do
    # shellcheck disable=SC2086
    try 2 "eval: --temperature $bad: expected a number from 0 to 100" eval $model "--temperature=$bad"
done
# shellcheck disable=SC2086
try 1 "none.h5: no such file" eval $model --limit 1e3 # a thousand
try 2 "threads: 5000 is out of range; allowed are 0 to 4096" run run.yaml --set threads=5000
try 2 "threads: -1 is out of range" run run.yaml --set threads=-1
try 2 "expected a whole number, got 'two'" run run.yaml --set threads=two

# Flags take no value, or true or false.
"$TINYTHINKER" run run.yaml >out.log 2>err.log || die "run"
sum=$(cksum <runs/run/best.h5)
made=$(stat -c %y.%i runs/run/best.h5)
try 0 "this run is finished" run run.yaml --fresh=false
for bad in no 0 1 yes False ""; do
    try 2 "run: --fresh takes no value but true or false, got '$bad'" run run.yaml "--fresh=$bad"
done
[ "$sum" = "$(cksum <runs/run/best.h5)" ] && [ "$made" = "$(stat -c %y.%i runs/run/best.h5)" ] || fail "a run was started over"
try 0 "" run run.yaml --fresh=true
[ "$made" != "$(stat -c %y.%i runs/run/best.h5)" ] || fail "--fresh=true started nothing over"

# Missing, empty, twice, shortened, unknown.
try 2 "eval: --model: a value is missing before --corpus" eval --model --corpus data/corpus.h5
try 2 "report: -o: its value is empty" report runs -o ""
try 2 "eval: --model: its value is empty" eval --model= --corpus data/corpus.h5
try 2 "eval: --corpus: a value is missing" eval --model none.h5 --corpus
try 1 "warning: eval: --corpus is given more than once; the last one counts" eval --corpus data/corpus.h5 --model runs/run/best.h5 --corpus b.h5
grep -q "b.h5: no such file" err.log || fail "the last one does not count"
try 0 "this run is finished" run run.yaml --fresh --fresh=false
try 2 "unknown option --samp; did you mean --samples; see tinythinker eval --help" eval --samp 3
try 2 "corpus export: unknown option -x; to give a value that begins with -, put -- before it; see" corpus export -x
try 2 "ask: unknown option -5; to give a value that begins with -, put -- before it" ask --model none.h5 "2-7?" -5 5
try 2 "corpus import: unknown option --nmae; did you mean --name; see tinythinker corpus import --help" corpus import --nmae x
try 2 "corpus import: unknown option --; |corpus import: too few" corpus import --

# Inputs that are no files.
try 1 "/dev/null: is a character device; expected an HDF5 file" eval --model /dev/null --corpus data/corpus.h5
try 1 "data: is a folder; expected an HDF5 file" model show data
cat data/corpus.h5 | "$TINYTHINKER" corpus show - >out.log 2>err.log && fail "HDF5 from a pipe"
grep -q "/dev/stdin: is a pipe; expected an HDF5 file" err.log || fail "HDF5 from a pipe"
"$TINYTHINKER" corpus export data/corpus.h5 -o all.jsonl 2>err.log
"$TINYTHINKER" corpus import jsonl all.jsonl -o file.h5 >want.log 2>err.log || fail "import"
for how in - /dev/stdin; do
    cat all.jsonl | "$TINYTHINKER" corpus import jsonl $how -o pipe.h5 >out.log 2>err.log || fail "import from $how"
    cmp -s file.h5 pipe.h5 || fail "import from $how: another corpus"
done
"$TINYTHINKER" corpus import jsonl <(cat all.jsonl) -o pipe.h5 >out.log 2>err.log && cmp -s file.h5 pipe.h5 || fail "import from a pipe"
"$TINYTHINKER" corpus add-reasoning file.h5 <(cat all.jsonl) -o more.h5 >out.log 2>err.log && fail "added from a pipe"
grep -q "is a pipe; expected a file, which is read twice" err.log || fail "not said why a pipe cannot be added"

# More threads than cores are capped, by whatever asked for them.
cores=$(nproc)
for more in "--set threads=4096" "--set threads=0"; do
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=4096 try 0 "^warning: .*: 4096 threads are more than the $cores cores? that this process may use" run run.yaml --fresh $more
    grep -q "\"threads\": $cores[,}]" runs/run/environment.json || fail "threads" runs/run/environment.json
done
try 0 "4096 threads are more" bench --shape tiny --steps 1 --tokens 16 --peak 1 --threads 4096
if command -v taskset >/dev/null; then
    taskset -c "$(taskset -cp $$ | sed 's/.*: \([0-9]*\).*/\1/')" "$TINYTHINKER" run run.yaml --fresh --set threads=4 >out.log 2>err.log
    grep -q "4 threads are more than the 1 core that this process may use; computing with 1" err.log || fail "bound to one core"
fi

# Terminals: bars are drawn where lines can be drawn again; bold is for those who want it.
if command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1; then
    on_terminal() { # variables, pattern that must be there (or ! and one that must not)
        env $1 script -qec "'$TINYTHINKER' ask --model runs/run/best.h5 --max-length 8 question yes no && '$TINYTHINKER' run run.yaml --fresh" \
            /dev/null >typescript 2>err.log </dev/null || fail "on a terminal" typescript
    }
    escape=$(printf '\033')
    on_terminal "TERM=xterm"
    grep -q "$escape\[1m" typescript && grep -q "$escape\[K" typescript || fail "a terminal shows neither bold text nor bars" /dev/null
    on_terminal "TERM=dumb"
    grep -q "$escape" typescript && fail "TERM=dumb is not respected" /dev/null
    on_terminal "TERM=xterm NO_COLOR=1"
    grep -q "$escape\[1m" typescript && fail "NO_COLOR is not respected" /dev/null
    grep -q "$escape\[K" typescript || fail "NO_COLOR takes the bars away" /dev/null
else
    echo "not tried: terminals, since script is not installed"
fi
exit $failed
