#!/usr/bin/env bash
# Every option of every command that names an output, as the program's own table lists them: what stands there already (a
# device, a pipe, a link, a file with a mode and an owner) is still what it was; no input is overwritten; nothing temporary
# stays behind, also on a full disk and after a signal.
set -u
. "$(dirname "$0")/../common.sh"
shown=("$work/out.log" "$work/err.log")
everyday=$TT_SOURCE_DIR/datasets/everyday
make_run
cat >sweep.yaml <<'YAML'
name: small
base: longer.yaml
YAML
printf 'base: run.yaml\nseed: 2\n' >longer.yaml
cat >one.jsonl <<'JSON'
{"id": "one", "question": "What colour is the balo?", "options": ["red", "blue"], "gold": 0, "split": "train", "general": "The balo is red.", "specific": ["red fits.", "blue does not fit."]}
JSON
cat >two.jsonl <<'JSON'
{"id": "two", "question": "What colour is the cemi?", "options": ["red", "blue"], "gold": 1, "split": "train", "general": "The cemi is blue.", "specific": ["red does not fit.", "blue fits."]}
JSON
printf '{"id": "one", "reasoning": [{"general": "Balos are red.", "specific": ["Fits.", "Fits not."], "answer": 0}]}\n' >answers.jsonl
printf 'question: Q\nexplanations: [e]\nacceptable: ok\n' >map.yaml
printf 'Q,e,ok\n"What colour is the balo?",It is red.,1\n' >explained.csv
cat >teach.yaml <<YAML
questions: data/corpus.h5
corpus: taught.h5
prompts: $TT_SOURCE_DIR/datasets/prompts/everyday.yaml
prices: $TT_SOURCE_DIR/datasets/prompts/prices.yaml
tokenizer: $everyday/student.h5
model: nobody
YAML
mkdir words
cp "$everyday"/*.yaml .
cp "$everyday"/*.yaml words
sed -i "s/{name: /{name: other /" words/objects.yaml # a vocabulary has other objects
sed -i -e 's/^splits: .*/splits: {train: 300, validation: 10, test: 10, control: 10}/' \
    -e '/^objects:/a vocabulary: words/world.yaml' -e '/^objects:/a reading: {texts: 20, tasks: 20}' world.yaml
for command in "run run.yaml" "corpus import jsonl one.jsonl -o one.h5" "corpus import jsonl two.jsonl -o two.h5" \
    "model export runs/run/best.h5 -o hf"; do
    "$TINYTHINKER" $command >out.log 2>err.log || die "$command"
done

# What a command needs besides the output. A new one is added here.
arguments() {
    case $1 in
        "eval") echo "--model runs/run/best.h5 --corpus data/corpus.h5 --limit 2 --max-length 8" ;;
        "bench") echo "--shape tiny --steps 1 --tokens 16 --threads 1 --peak 1" ;;
        "teach") echo "teach.yaml --limit 2" ;;
        "sweep") echo "sweep.yaml" ;;
        "report") echo "runs" ;;
        "corpus import") echo "jsonl one.jsonl --tokenizer data/tokenizer.model --extra-ids 20" ;;
        "corpus build" | "corpus reading") echo "world.yaml" ;;
        "corpus export") echo "data/corpus.h5" ;;
        "corpus add-reasoning") echo "one.h5 answers.jsonl" ;;
        "corpus add-explanations") echo "one.h5 map.yaml explained.csv" ;;
        "corpus merge") echo "one.h5 two.h5" ;;
        "model init") echo "--tokenizer data/tokenizer.model --d-model 16 --d-kv 4 --d-ff 16 --layers 1" ;;
        "model import") echo "hf" ;;
        "model export" | "model convert") echo "runs/run/best.h5" ;;
        "tokenizer encode") echo "data/tokenizer.model data/text.txt" ;;
        "tokenizer train") echo "data/text.txt --pieces 60" ;;
        *) return 1 ;;
    esac
}
# What the files above name, and is read, too.
named() {
    case $1 in
        "corpus build" | "corpus reading") echo "objects.yaml words/world.yaml words/objects.yaml" ;;
        "sweep") echo "longer.yaml run.yaml data/corpus.h5 data/tokenizer.model" ;;
    esac
}
# Where a command must write something else, too, or writes something else that is not looked at here.
besides() { # command, option
    case $1$2 in
        "corpus build--jsonl") echo "-o other.h5" ;;
        "corpus reading--texts") echo "--pairs other" ;;
        "corpus reading--pairs") echo "--texts other" ;;
        report--*) echo "-o other" ;;
    esac
}

"$TINYTHINKER" manual --paths >paths || die "manual --paths"
# A value that is called a file or a folder is a path, and its option says what for.
awk -F '\t' '$3 ~ /^(F\.|FILE|DIR)/ && $4 == "none" { print; bad = 1 } END { exit bad }' paths || die "a path without a role" paths

mkdir place
is_root=$([ "$(id -u)" = 0 ] && echo yes)
leftovers() { find . -name '*.tmp*' -not -path './disk/*'; }
# try STATUS TARGET: the command with its output there.
try() {
    local got
    # shellcheck disable=SC2086
    timeout 120 "$TINYTHINKER" $command $(arguments "$command") $(besides "$command" "$option") "$option" "$2" >out.log 2>err.log </dev/null
    got=$?
    [ $got -eq "$1" ] || fail "$command $option $2: exit status $got, expected $1"
    [ -z "$(leftovers)" ] || fail "$command $option $2: stayed behind: $(leftovers)"
}
refused() { # status, target, what stands there must not change
    local before after
    before=$(ls -ld "$2" 2>&1)
    [ -f "$2" ] && before+=$(cksum "$2")
    try "$1" "$2"
    after=$(ls -ld "$2" 2>&1)
    [ -f "$2" ] && after+=$(cksum "$2")
    [ "$before" = "$after" ] || fail "$command $option $2: was refused, and changed"
    [ "$(wc -l <err.log)" -ge 1 ] || fail "$command $option $2: no message"
}
same() { # made file: like the one that was made first; speeds and times may differ
    [ -e "$1" ] && { cmp -s "$1" place/plain || [ "$command" = eval ]; } || fail "$command $option: $1 is not what it should be"
}

check_file() {
    rm -rf place && mkdir place
    try 0 place/plain
    [ "$(stat -c %a place/plain)" = "$(stat -c %a paths)" ] || fail "$command $option: mode of a new file: $(stat -c %a place/plain)"
    # Links are followed and stay; those that lead nowhere yet, too.
    ln -s nowhere place/dangling
    try 0 place/dangling
    [ -L place/dangling ] && same place/nowhere
    echo before >place/there
    chmod 640 place/there
    [ -z "$is_root" ] || chown 1234:5678 place/there
    before=$(stat -c '%a %u %g' place/there)
    ln -s ../place/there place/link
    try 0 place/link
    [ -L place/link ] || fail "$command $option: a link became a file"
    [ "$(stat -c '%a %u %g' place/there)" = "$before" ] || fail "$command $option: mode and owner were $before"
    same place/there
    # Not over a folder; not into one that does not exist.
    mkdir place/folder
    refused 1 place/folder
    refused 1 place/none/file
    grep -q "folder 'place/none' does not exist" err.log || fail "$command $option: no word about the folder"
    ln -s circle place/circle
    refused 1 place/circle
    grep -q "circle" err.log || fail "$command $option: no word about a circle of links"
    # No input is an output, by whatever name.
    for input in $(arguments "$command") $(named "$command"); do
        [ -f "$input" ] || continue
        refused 2 "$input"
        ln -sf "$PWD/$input" place/input
        refused 2 place/input
        grep -Eq "read.* write to another|belongs to the run" err.log || fail "$command $option: no word about the input"
    done
    # A run's own files are the run's.
    refused 2 runs/run/metrics.jsonl
    refused 2 runs/run/checkpoints/acquisition.h5
}

check_stream() {
    check_file
    try 0 -
    same out.log
    try 0 /dev/stdout
    same out.log
    if mkfifo place/pipe 2>/dev/null; then
        timeout 100 cat place/pipe >place/got &
        try 0 place/pipe
        wait $!
        [ -p place/pipe ] || fail "$command $option: a pipe became a file"
        same place/got
    fi
    exec 3>place/descriptor
    try 0 /dev/fd/3
    exec 3>&-
    same place/descriptor
    if [ -n "$is_root" ] && mknod place/null c 1 3 2>/dev/null; then
        try 0 place/null
        [ -c place/null ] || fail "$command $option: a device became a file"
    fi
}

check_random() {
    check_file
    refused 2 -
    grep -q "standard output cannot take this result" err.log || fail "$command $option: no word about standard output"
    [ ! -e ./- ] || fail "$command $option: wrote a file called -"
    mkfifo place/pipe 2>/dev/null && { refused 1 place/pipe; grep -q "is a pipe" err.log || fail "$command $option: a pipe"; }
    [ -n "$is_root" ] && mknod place/null c 1 3 2>/dev/null && {
        refused 1 place/null
        grep -q "is a character device" err.log || fail "$command $option: a device"
    }
}

check_folder() {
    rm -rf place && mkdir place
    try 0 place/new
    [ -n "$(ls -A place/new)" ] || fail "$command $option: an empty folder"
    refused 2 -
    echo mine >place/file
    refused 1 place/file
}

while IFS=$'\t' read -r command option _ role; do
    case $role in
        stream | file | folder) arguments "$command" >/dev/null || { fail "this test does not know how to call $command"; continue; } ;;
    esac
    case $role in
        stream) check_stream ;;
        file) check_random ;;
        folder) check_folder ;;
    esac
done <paths

# Names of up to 255 bytes, which a temporary file beside them must not exceed.
for name in "$(printf 'a%.0s' {1..255})" "$(printf '\303\244%.0s' {1..127})"; do
    "$TINYTHINKER" corpus export data/corpus.h5 -o "$name" 2>err.log || fail "a name of ${#name} characters"
    [ -s "$name" ] && rm "$name"
done
ls -- *.tmp 2>/dev/null && fail "a temporary file of a long name stayed"
# A descriptor that is not open is told as that; a longer text of another process's descriptor goes.
"$TINYTHINKER" corpus export data/corpus.h5 -o /dev/fd/9 2>err.log 9>&- && fail "a descriptor that is not open"
grep -q "/dev/fd/9: cannot write: descriptor 9 is not open" err.log || fail "a descriptor that is not open"
"$TINYTHINKER" corpus export data/corpus.h5 -o wanted.jsonl 2>err.log
{ cat wanted.jsonl; head -c 100000 /dev/zero | tr '\0' x; } >held.jsonl
exec 7<>held.jsonl
if [ -e /proc/$$/fd/7 ]; then
    "$TINYTHINKER" corpus export data/corpus.h5 -o /proc/$$/fd/7 2>err.log 7<&- || fail "another process's descriptor"
    cmp -s held.jsonl wanted.jsonl || fail "another process's descriptor: the old text stays" err.log
fi
exec 7<&-

# Two outputs are not one.
"$TINYTHINKER" report runs -o page --csv ./page >out.log 2>err.log && fail "two outputs in one file"
grep -q "^tinythinker: report: .*same place.*name two" err.log || fail "two outputs"
[ ! -e page ] || fail "two outputs: something was written"
command=teach
for pair in "corpus=data/corpus.h5" "journal=data/corpus.h5" "journal=teach.yaml" "corpus=$everyday/student.h5" "journal=taught.h5"; do
    "$TINYTHINKER" teach teach.yaml --export-batch batch --set "$pair" >out.log 2>err.log && fail "teach --set $pair"
    grep -Eq "write to another|name two" err.log || fail "teach --set $pair"
done
"$TINYTHINKER" sweep sweep.yaml --slurm run.yaml >out.log 2>err.log && fail "sweep --slurm over its base"
grep -q "which is read (base)" err.log || fail "sweep --slurm over its base"
sum=$(cksum <hf/config.json)
"$TINYTHINKER" model import hf -o hf/config.json >out.log 2>err.log && fail "model import over its config.json"
[ "$sum" = "$(cksum <hf/config.json)" ] || fail "config.json is lost"
# A run does not remove what it reads.
"$TINYTHINKER" run run.yaml --fresh --set model.start=runs/run/checkpoints/acquisition.h5 >out.log 2>err.log && fail "a run over its start"
grep -q "model.start: .*is a file of the run directory" err.log || fail "a run over its start"
[ -e runs/run/checkpoints/acquisition.h5 ] || fail "the start is lost"

# What a world in a configuration names is read, too.
for place in world.yaml objects.yaml words/objects.yaml; do
    "$TINYTHINKER" sweep sweep.yaml --set corpus=world.yaml --slurm $place >out.log 2>err.log && fail "sweep --slurm over $place"
    grep -q "sweep: --slurm $place: .*write to another one" err.log || fail "sweep --slurm over $place"
done

# All is made before anything is written: a failure at the end leaves the files from before.
cp one.h5 before.h5
cp one.jsonl before.jsonl
sed '/^reading:/d' world.yaml >quiet.yaml
sum=$(cat before.* | cksum)
for arguments in "build world.yaml -o before.h5 --jsonl before.jsonl --tokenizer none.model" \
    "reading quiet.yaml --texts before.jsonl --pairs before.h5"; do
    # shellcheck disable=SC2086
    "$TINYTHINKER" corpus $arguments >out.log 2>err.log && fail "corpus $arguments"
    [ "$(cat before.* | cksum)" = "$sum" ] && [ -z "$(leftovers)" ] || fail "corpus $arguments: the files from before are lost"
done
grep -q "quiet.yaml: reading.texts: missing; expected a number" err.log || fail "a world that does not say how many texts"

# Several at once: one whole file.
"$TINYTHINKER" corpus export data/corpus.h5 -o whole.jsonl 2>/dev/null
for _ in 1 2 3 4; do "$TINYTHINKER" corpus export data/corpus.h5 -o shared.jsonl 2>/dev/null & done
wait
cmp -s whole.jsonl shared.jsonl || fail "four writers, no whole file" /dev/null

# A name that a person has given to a file of their own is not taken for a temporary one: one process has several.
for number in $(seq 2 40); do echo mine >"shared.jsonl.$number.tmp"; done
(cd . && exec "$TINYTHINKER" corpus export data/corpus.h5 -o shared.jsonl 2>/dev/null)
for number in $(seq 2 40); do [ "$(cat "shared.jsonl.$number.tmp")" = mine ] || fail "a person's file was overwritten"; done
rm shared.jsonl.*.tmp

# What a run's configuration names is read, too, though not by this command's own options.
printf 'name: other\nbase: run.yaml\naxes: {corpus: [data/corpus.h5, copy.h5]}\n' >other.yaml
cp data/corpus.h5 copy.h5
sum=$(cat data/* copy.h5 | cksum)
for option in -o --csv --markdown; do
    "$TINYTHINKER" report runs -o page.html $option data/corpus.h5 >out.log 2>err.log && fail "report $option over its runs' corpus"
    grep -q "report: $option data/corpus.h5: this file is read, too (corpus)" err.log || fail "report $option over its runs' corpus"
done
for place in copy.h5 data/tokenizer.model; do
    "$TINYTHINKER" sweep other.yaml --slurm $place >out.log 2>err.log && fail "sweep --slurm over $place"
    grep -q "sweep: --slurm $place: this file is read, too (" err.log || fail "sweep --slurm over $place"
done
[ "$(cat data/* copy.h5 | cksum)" = "$sum" ] || fail "an output replaced what runs read"

# A file with two names is told to have had them; the other one keeps its content.
echo before >one.name
ln one.name other.name
"$TINYTHINKER" corpus export data/corpus.h5 -o one.name 2>err.log || fail "a file with two names"
grep -q "one.name: the file had 2 names (hard links)" err.log && [ "$(cat other.name)" = before ] || fail "a file with two names"

# A person's files with names like those of earlier versions of a checkpoint stay where an output is replaced.
for name in near.h5 near.1.h5 near.2.h5; do cp data/corpus.h5 $name; done
mkdir near.3.h5
"$TINYTHINKER" corpus export data/corpus.h5 -o near.jsonl >/dev/null 2>&1
cp near.jsonl near.1.jsonl
"$TINYTHINKER" corpus import jsonl near.jsonl -o near.h5 >/dev/null 2>err.log || fail "an output beside files of other names" err.log
"$TINYTHINKER" corpus export data/corpus.h5 -o near.jsonl >/dev/null 2>err.log || fail "a text beside another" err.log
for name in near.1.h5 near.2.h5 near.3.h5 near.1.jsonl; do [ -e $name ] || fail "$name was removed with an output beside it"; done

# In a folder such as /tmp, another user's file cannot be replaced, which is said before the work.
if [ -n "$is_root" ] && chmod 711 . && setpriv --reuid 1234 --regid 1234 --clear-groups "$TINYTHINKER" --version >/dev/null 2>&1; then
    mkdir -m 1777 sticky
    install -m 666 -o 4321 one.jsonl sticky/there
    setpriv --reuid 1234 --regid 1234 --clear-groups "$TINYTHINKER" corpus export data/corpus.h5 -o sticky/there >out.log 2>err.log &&
        fail "another user's file in a sticky folder"
    [ "$(wc -l <err.log)" = 1 ] && grep -q "sticky/there: cannot write: it belongs to user 4321, .*name another file" err.log ||
        fail "another user's file in a sticky folder"
    cmp -s one.jsonl sticky/there && [ -z "$(leftovers)" ] || fail "another user's file in a sticky folder: $(leftovers)"
else
    echo "not tried: a sticky folder, since no other user can be taken here"
fi

# A store that other folders have links to is left alone.
mkdir -p hub/blobs hub/snapshot
echo weights >hub/blobs/0a1b
ln -s ../blobs/0a1b hub/snapshot/model.safetensors
"$TINYTHINKER" model export runs/run/best.h5 -o hub/snapshot --force >out.log 2>err.log && fail "an export into a Hub cache"
grep -q "hub/snapshot/model.safetensors: is a link into the store of a Hub cache" err.log || fail "an export into a Hub cache"
[ "$(cat hub/blobs/0a1b)" = weights ] && [ "$(ls hub/snapshot)" = model.safetensors ] || fail "a Hub cache was changed"

# A disk that is full: a message, the file from before, and nothing temporary.
mkdir disk
if [ -n "$is_root" ] && mount -t tmpfs -o size=512k tmpfs disk 2>/dev/null; then
    trap 'umount "$work/disk"; rm -rf "$work"' EXIT
    # Links to a file of another disk.
    cp data/old.h5 disk/old.h5
    ln -s disk/old.h5 link.h5
    "$TINYTHINKER" renew link.h5 >out.log 2>err.log || fail "renew through a link to another disk"
    [ -L link.h5 ] && "$TINYTHINKER" renew disk/old.h5 2>&1 | grep -q "nothing to do" || fail "renew through a link to another disk"
    cp -r hf linked
    mv linked/model.safetensors disk
    ln -s ../disk/model.safetensors linked
    "$TINYTHINKER" model export runs/run/best.h5 -o linked --force >out.log 2>err.log || fail "model export through a link to another disk"
    [ -L linked/model.safetensors ] && cmp -s hf/model.safetensors disk/model.safetensors || fail "model export through a link to another disk"
    # A failure leaves all of the model from before: no new configuration beside old weights.
    dd if=/dev/zero of=disk/fill bs=4k >/dev/null 2>&1
    sum=$(cat linked/* | cksum)
    "$TINYTHINKER" model export runs/run/best.h5 -o linked --force --bf16 >out.log 2>err.log && fail "model export to a full disk"
    grep -q "^tinythinker: linked/model.safetensors: cannot write: No space left" err.log || fail "model export to a full disk"
    [ "$(cat linked/* | cksum)" = "$sum" ] && [ -z "$(leftovers)" ] || fail "model export to a full disk: $(leftovers)"
    while IFS=$'\t' read -r command option _ role; do
        [ "$role" = stream ] || [ "$role" = file ] || continue
        rm -f disk/*
        echo before >disk/there
        dd if=/dev/zero of=disk/fill bs=4k >/dev/null 2>&1
        timeout 120 "$TINYTHINKER" $command $(arguments "$command") $(besides "$command" "$option") "$option" disk/there >out.log 2>err.log </dev/null
        got=$?
        [ $got -eq 1 ] && grep -q "disk/there" err.log && ! grep -q '\.tmp' err.log || fail "$command $option: full disk: status $got"
        [ "$(ls disk)" = "$(printf 'fill\nthere')" ] && [ "$(cat disk/there)" = before ] || fail "$command $option: full disk: $(ls disk)"
    done <paths
else
    echo "not tried: a full disk, since nothing can be mounted here"
fi

# The same where a file may not become as large.
for command in "corpus export data/corpus.h5" "model convert runs/run/best.h5" "tokenizer train data/text.txt --pieces 60"; do
    echo before >limited
    # shellcheck disable=SC2086
    (ulimit -f 2 && exec timeout 120 "$TINYTHINKER" $command -o limited >out.log 2>err.log)
    got=$?
    [ $got -eq 1 ] && grep -q "limited: " err.log || fail "$command: a limit of file sizes: status $got"
    [ "$(cat limited)" = before ] && [ -z "$(leftovers)" ] || fail "$command: a limit of file sizes: $(leftovers)"
done

# Waits until the program $pid takes signals, and is in state $1.
awaits() {
    until awk '/^Name:/ { n = $2 } /^State:/ { s = $2 } /^SigCgt:/ { c = $2 }
        END { exit !(n ~ /^tinythinker/ && s ~ want && c ~ /[2367abef]$/) }' want="$1" "/proc/$pid/status" 2>/dev/null; do
        kill -0 $pid 2>/dev/null || return
        sleep 0.02
    done
}
# ends STATUS: the program ends, with nothing temporary.
ends() {
    local got
    for _ in $(seq 100); do kill -0 $pid 2>/dev/null && sleep 0.1; done
    kill -9 $pid 2>/dev/null && fail "$command, signal $signal: goes on"
    wait $pid
    got=$?
    [ $got -eq "$1" ] || fail "$command, signal $signal: status $got, expected $1"
    [ -z "$(leftovers)" ] || fail "$command, signal $signal: $(leftovers)"
}
# Where no progress is saved, the first signal ends the program, without a word.
mkfifo waiting
while read -r number signal command; do
    # shellcheck disable=SC2086
    "$TINYTHINKER" $command >out.log 2>err.log &
    pid=$!
    awaits S
    kill -s "$signal" $pid
    ends $((128 + number))
    [ ! -s err.log ] || fail "$command, signal $signal: a message"
done <<'LINES'
2 INT corpus import jsonl waiting -o late
15 TERM tokenizer train waiting -o late
2 INT corpus export data/corpus.h5 -o waiting
15 TERM eval --model runs/run/best.h5 --corpus data/corpus.h5 --limit 1 --predictions waiting
LINES
[ ! -e late ] || fail "an output of nothing"

# So with a temporary file, which nobody could read who may not read the file that it was to replace.
command="eval" signal=TERM
echo before >stopped.jsonl
chmod 600 stopped.jsonl
"$TINYTHINKER" eval --model runs/run/best.h5 --corpus data/corpus.h5 --split train --samples 10000 --max-length 200 \
    --predictions stopped.jsonl >out.log 2>err.log &
pid=$!
until ls stopped.jsonl.*.tmp >/dev/null 2>&1 || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
[ "$(stat -c %a stopped.jsonl.*.tmp)" = 600 ] || fail "a temporary file that others can read"
kill -TERM $pid
ends 143
[ "$(cat stopped.jsonl)" = before ] || fail "the file from before is lost"

# A run saves at the first signal, and ends at the second, leaving no word of who has it.
for signal in 1 2; do
    command="run"
    "$TINYTHINKER" run run.yaml --set name=signal$signal --set acquisition.steps=10000000 >out.log 2>err.log &
    pid=$!
    until [ -s runs/signal$signal/metrics.jsonl ] || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -TERM $pid
    if [ $signal = 2 ]; then
        kill -TERM $pid 2>/dev/null
        wait $pid
        got=$?
        [ $got -eq 143 ] || [ $got -eq 130 ] || fail "a run and two signals: status $got"
        [ -z "$(leftovers)" ] || fail "a run and two signals: $(leftovers)"
    else
        ends 130
        grep -q "progress is saved" err.log && [ -s runs/signal1/checkpoints/acquisition.h5 ] || fail "a run did not save"
    fi
    [ ! -e runs/signal$signal/lock ] || fail "a run and $signal signals: its lock stayed"
done
exit $failed
