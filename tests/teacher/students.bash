#!/usr/bin/env bash
# What a student loses to a teacher who is wrong: students of everyday's shipped reasoning, of reasoning collected from the
# test's teacher, and of reasoning of which 5, 15 and 30 % of the texts tell of another thing. A measurement, not a test: five
# runs of configs/everyday.yaml. Interrupted, the same command resumes.
#   TINYTHINKER=build/default/tinythinker tests/teacher/students.bash FOLDER     # collections and runs
set -euo pipefail
TINYTHINKER=$(realpath "$TINYTHINKER")
TT_SOURCE_DIR=$(realpath "$(dirname "$0")/../..")
together=${TT_TOGETHER:-2} # runs at a time, of one thread each: the number of threads does not change them
mkdir -p "$1"
cd "$1"
server=
trap '[ -z "$server" ] || kill "$server"' EXIT
[ -e shipped.h5 ] || "$TINYTHINKER" corpus build "$TT_SOURCE_DIR/datasets/everyday/world.yaml" -o shipped.h5 --jsonl world.jsonl
if [ ! -e questions.h5 ]; then
    python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps({k: v for k, v in json.loads(line).items() if k != "reasoning"}))' <world.jsonl >questions.jsonl
    "$TINYTHINKER" corpus import jsonl questions.jsonl -o questions.h5
fi
for percent in 0 5 15 30; do
    name=false-$percent
    [ -e $name.h5 ] && continue
    : >listening
    python3 "$TT_SOURCE_DIR/tests/teacher/server.py" --answers world.jsonl --rate-false "$(printf '0.%02d' $percent)" >listening &
    server=$!
    until grep -q listening listening; do sleep 0.1; done
    cat >$name.yaml <<YAML
questions: questions.h5
corpus: $name.h5
prompts: $TT_SOURCE_DIR/datasets/prompts/everyday.yaml
prices: $TT_SOURCE_DIR/datasets/prompts/prices.yaml
tokenizer: $TT_SOURCE_DIR/datasets/everyday/student.h5
model: everyday-teacher
url: http://$(sed 's/listening on //' listening)/v1
exemplars: 4
n_augment: 2
choices: 2
YAML
    "$TINYTHINKER" teach $name.yaml >$name.txt
    kill $server
    wait $server || true
    server=
done
run() {
    cat >run-"$1".yaml <<YAML
base: $TT_SOURCE_DIR/configs/everyday.yaml
name: $1
corpus: $1.h5
model: {start: $TT_SOURCE_DIR/datasets/everyday/student.h5}
threads: 1
YAML
    "$TINYTHINKER" run run-"$1".yaml >"$1".out 2>"$1".log
}
export -f run
export TINYTHINKER TT_SOURCE_DIR
printf '%s\n' false-0 shipped false-5 false-15 false-30 | xargs -P "$together" -I{} bash -euc 'run {}'
"$TINYTHINKER" compare runs/{shipped,false-0,false-5,false-15,false-30}
