#!/usr/bin/env bash
# How fast a teacher is collected from, on loopback; a measurement, not a test. The program runs on one core, the server on
# another.
#   TINYTHINKER=build/release/tinythinker tests/teacher/throughput.bash FOLDER     # of CommonsenseQA
set -euo pipefail
TINYTHINKER=$(realpath "$TINYTHINKER")
csqa=$(realpath "$1")
TT_SOURCE_DIR=$(realpath "$(dirname "$0")/../..")
export OMP_NUM_THREADS=1
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
cd "$work"
"$TINYTHINKER" corpus import csqa "$csqa"/{train,dev}_rand_split.jsonl -o questions.h5 >/dev/null 2>&1
serve() { # options: $url
    [ -z "$server" ] || kill "$server"
    : >listening
    taskset -c 1 python3 "$TT_SOURCE_DIR/tests/teacher/server.py" "$@" >listening &
    server=$!
    until grep -q listening listening; do sleep 0.1; done
    url=http://$(sed 's/listening on //' listening)/v1
}
plan() { # name, extra lines
    cat >"$1.yaml" <<YAML
questions: questions.h5
corpus: $1.h5
prompts: $TT_SOURCE_DIR/datasets/prompts/csqa.yaml
prices: $TT_SOURCE_DIR/datasets/prompts/prices.yaml
tokenizer: $TT_SOURCE_DIR/datasets/everyday/student.h5
model: csqa-teacher
url: $url
rounds: 1
in_flight: 64
$2
YAML
}
measure() { # what, how many, command...
    local what=$1 n=$2 seconds
    shift 2
    TIMEFORMAT='%R %U %S'
    seconds=$({ time taskset -c 0 "$@" >out 2>log; } 2>&1) || { cat log; exit 1; }
    awk -v what="$what" -v n="$n" '{ printf "%s: %d in %.2f s (%.2f s of the core) = %.0f a second\n", what, n, $1, $2 + $3, n / $1 }' <<<"$seconds"
}

serve --latency-ms 200
plan latency "choices: 1
n_augment: 1"
measure "64 in flight, 200 ms of latency, answers" 4000 "$TINYTHINKER" teach latency.yaml --limit 4000
serve
plan choices "choices: 10
n_augment: 8"
"$TINYTHINKER" teach choices.yaml --limit 8000 >out 2>log || { cat log; exit 1; }
kill "$server"
server=
# All is answered: the journal is read, every choice is parsed and selected, the corpus is written.
measure "parsed and selected, choices" 80000 "$TINYTHINKER" teach choices.yaml --limit 8000
sed -n '/^answers/,/^requests/p' out | grep -v '^requests'
